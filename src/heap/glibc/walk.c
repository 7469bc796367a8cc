/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "heap/glibc/chain.h"

#include <inttypes.h>
#include <stdio.h>

#define REGIONS_AT_MOST 4096 /* restarts in one segment */
#define WRONG_NAMED	8

/* Names the first chunks of [start, end) that carry another arena's mark. */
static void name_wrong_arenas(struct glibc_walk *walk, const struct malloc_arena *arena,
			      uint64_t start, uint64_t end)
{
	uint64_t head, next_head;
	unsigned named = 0;
	if (!heap_reader_word(&walk->reader, start + CHUNK_SIZE, &head))
		return;
	for (uint64_t at = start; at < end && named < WRONG_NAMED; head = next_head) {
		uint64_t next = at + (head & ~(uint64_t)15);
		if (next <= at || !heap_reader_word(&walk->reader, next + CHUNK_SIZE, &next_head))
			return;
		bool foreign = (head & NON_MAIN_ARENA) != 0;
		if ((next_head & PREV_IN_USE) != 0 && foreign == arena->is_main) {
			struct glibc_place place =
			    glibc_at(HEAP_DAMAGED_ARENA_MARK, arena->index, at + CHUNK_HEADER,
				     at + CHUNK_SIZE,
				     arena->is_main ? "bit 2 clear: the main arena"
						    : "bit 2 set: a thread's arena");
			glibc_finding(walk, &place,
				      "the chunk at 0x%" PRIx64
				      " lies in %s arena, but is marked as %s's",
				      at + CHUNK_HEADER, foreign ? "the main" : "a thread",
				      foreign ? "a thread arena" : "the main arena");
			named++;
		}
		at = next;
	}
}

static void count_chunks(struct glibc_walk *walk, const struct malloc_arena *arena,
			 const struct chain *chain, uint64_t start)
{
	struct heap_arena *row = &walk->heap->arenas.items[arena->index];
	row->used_chunks += chain->used_chunks;
	row->used_bytes += chain->used_bytes;
	row->free_chunks += chain->chunks - chain->used_chunks;
	row->free_bytes += chain->bytes - chain->used_bytes;
	if (chain->wrong_arena != 0)
		name_wrong_arenas(walk, arena, start, chain->at);
	struct footer footer = { chain->wrong_footer, arena->index };
	if (footer.header != 0 && !array_push(&walk->footers, footer))
		walk->no_memory = true;
}

/* The walk of one segment. */
struct segment_walk {
	struct malloc_arena *arena;
	const struct malloc_segment *segment;
	struct chain chain;
	uint32_t region;
	uint64_t start; /* of the region: header of its first chunk */
};

/* `is_known`: malloc_state leads here; else it is what the chain ended with. */
static void take_top(struct glibc_walk *walk, const struct segment_walk *state, uint64_t top,
		     bool is_known)
{
	uint64_t head, size = state->segment->end - top;
	struct heap_arena *row = &walk->heap->arenas.items[state->arena->index];
	row->top_bytes += size;
	glibc_own(walk, top + CHUNK_HEADER, state->segment->end, "top chunk");
	if (!is_known || !heap_reader_word(&walk->reader, top + CHUNK_SIZE, &head) ||
	    (head & ~(uint64_t)SIZE_FLAGS) == size)
		return;
	struct glibc_place place = glibc_at(
	    HEAP_DAMAGED_TOP_SIZE, state->arena->index, top + CHUNK_HEADER, top + CHUNK_SIZE,
	    string_pool_format(walk->strings, "0x%" PRIx64 ", to the end of the heap",
			       size | PREV_IN_USE));
	glibc_finding(walk, &place,
		      "the top chunk at 0x%" PRIx64 " has the size word 0x%" PRIx64
		      ", but the heap goes on from there for 0x%" PRIx64 " bytes",
		      top + CHUNK_HEADER, head, size);
}

/* Whether of the two headers that may be damaged it is the one that the chain broke behind: not
 * when the chunk it leads to would be too small, nor when the chunk that the chain came to had
 * already had a wrong word in its header. */
static bool next_is_damaged(struct glibc_walk *walk, const struct chain *chain, uint64_t resume)
{
	uint64_t head;
	if (chain->next <= chain->at || (resume != 0 && resume < chain->next + CHUNK_MINIMUM))
		return false;
	if (chain->wrong_footer == 0 ||
	    !heap_reader_word(&walk->reader, chain->wrong_footer + CHUNK_SIZE, &head))
		return true;
	return chain->wrong_footer + (head & ~(uint64_t)15) != chain->at;
}

/* Whether the damaged chunk at `bad` is free: then it stands in a list, and the header at `resume`
 * repeats its size. */
static bool is_free_for_certain(struct glibc_walk *walk, uint64_t bad, uint64_t resume)
{
	uint64_t head, footer;
	return resume != 0 && heap_reader_word(&walk->reader, resume, &footer) &&
	       heap_reader_word(&walk->reader, resume + CHUNK_SIZE, &head) &&
	       (head & PREV_IN_USE) == 0 && footer == resume - bad && glibc_is_linked(walk, bad);
}

/* The size word at `bad` makes no sense, or leads nowhere. `is_free`: its size is known still. */
static void tell_size(struct glibc_walk *walk, const struct segment_walk *state, uint64_t bad,
		      uint64_t resume, bool is_free)
{
	uint64_t head = 0;
	char rest[96] = "no intact chunks were found after it";
	const struct chain *chain = &state->chain;
	heap_reader_word(&walk->reader, bad + CHUNK_SIZE, &head);
	if (resume != 0)
		snprintf(rest, sizeof rest, "intact chunks go on at 0x%" PRIx64,
			 resume + CHUNK_HEADER);
	const char *expected =
	    is_free ? string_pool_format(walk->strings,
					 "0x%" PRIx64
					 ", and flags: it is free, and the next header repeats it",
					 resume - bad)
		    : string_pool_format(walk->strings,
					 "a multiple of 16 from 0x20 to 0x%" PRIx64 ", and flags",
					 chain->end - bad);
	struct glibc_place place = glibc_at(HEAP_DAMAGED_SIZE, state->arena->index,
					    bad + CHUNK_HEADER, bad + CHUNK_SIZE, expected);
	struct heap_finding *finding = glibc_finding(
	    walk, &place,
	    bad == chain->next || !chain_plausible(chain, bad, head)
		? "the chunk at 0x%" PRIx64 " has the impossible size word 0x%" PRIx64 "; %s"
		: "the chunk at 0x%" PRIx64 " has the size word 0x%" PRIx64
		  ", which leads to no chunk; %s",
	    bad + CHUNK_HEADER, head, rest);
	if (finding != NULL && !is_free)
		finding->lost_bytes = (resume != 0 ? resume : chain->end) - bad;
}

/* Says where the chain broke, and decides whether the chunk that it broke at is whole: when intact
 * chunks go on only behind the header it leads to, that header is the smashed one. Returns where
 * what cannot be walked begins. */
static uint64_t tell_break(struct glibc_walk *walk, struct segment_walk *state, uint64_t resume)
{
	struct chain *chain = &state->chain;
	if (chain->absent) {
		gaps_add(walk->gaps, GAP_MEMORY, chain->next, resume != 0 ? resume : chain->end,
			 "The heap's memory at 0x%" PRIx64 " is not there", chain->next);
		return chain->at;
	}
	if (resume == chain->next && resume != 0) {
		chain_take(chain, walk->heap->chunks, state->region, PREV_IN_USE);
		return resume;
	}
	bool next_is_bad = next_is_damaged(walk, chain, resume);
	uint64_t bad = next_is_bad ? chain->next : chain->at;
	bool is_free = is_free_for_certain(walk, bad, resume);
	tell_size(walk, state, bad, resume, is_free);
	if (next_is_bad)
		chain_take(chain, walk->heap->chunks, state->region, PREV_IN_USE);
	if (!is_free)
		return bad;
	chain->at = bad;
	chain->head = resume - bad;
	chain->next = resume;
	chain_take(chain, walk->heap->chunks, state->region, 0);
	return resume;
}

/* Where intact chunks go on after a break; 0: nowhere. When nothing but top itself follows, top may
 * be what is wrong: then the chain ends where the memory does. */
static uint64_t resume_after_break(struct glibc_walk *walk, struct segment_walk *state)
{
	struct chain *chain = &state->chain;
	uint64_t from = chain->absent ? chain->next : chain->at + 16;
	uint64_t resume = glibc_resynchronise(walk, from, chain);
	if (!chain->has_top || chain->absent || resume != chain->end)
		return resume;
	struct chain topless = *chain;
	topless.end = state->segment->end;
	topless.has_top = false;
	uint64_t other = glibc_resynchronise(walk, from, &topless);
	if (other == 0)
		return resume;
	glibc_tell_top(walk, state->arena, chain->end, false);
	chain->end = topless.end;
	chain->has_top = false;
	return other;
}

/* Where the walk resumes after the end that `how` tells; 0: nowhere. */
static uint64_t finish_region(struct glibc_walk *walk, struct segment_walk *state,
			      enum chain_end how)
{
	struct chain *chain = &state->chain;
	uint64_t resume = 0, lost = 0;
	switch (how) {
	case CHAIN_TOP:
	case CHAIN_LIMIT:
		take_top(walk, state, chain->at, how == CHAIN_TOP);
		break;
	case CHAIN_FENCE:
		glibc_own(walk, chain->at + CHUNK_HEADER,
			  state->arena->is_main ? chain->at + 2 * CHUNK_HEADER : chain->end,
			  "fenceposts");
		/* What follows in the main arena is the program's own use of the break. */
		if (state->arena->is_main && chain->at + 2 * CHUNK_HEADER < chain->end)
			resume = glibc_resynchronise(walk, chain->at + 2 * CHUNK_HEADER, chain);
		break;
	case CHAIN_BROKEN:
	case CHAIN_ABSENT:
	case CHAIN_LONG:
		resume = resume_after_break(walk, state);
		lost = tell_break(walk, state, resume);
		glibc_lose(walk, state->arena->index, lost, resume != 0 ? resume : chain->end);
		break;
	}
	count_chunks(walk, state->arena, chain, state->start);
	chunk_table_cut(walk->heap->chunks, state->region,
			(lost != 0 ? lost : chain->at) + CHUNK_HEADER);
	return resume;
}

/* Where a region ends that goes on to the end of its segment. */
static uint64_t whole_end(const struct chain *chain)
{
	return chain->end + (chain->has_top ? CHUNK_HEADER : 0);
}

/* Where the region that begins at `at` ends: for the first one of a segment where it should, for
 * those after damage where its chain really does, so that many of them stay cheap. */
static uint64_t region_end(struct glibc_walk *walk, const struct segment_walk *state, uint64_t at)
{
	struct chain chain = state->chain;
	uint64_t last = whole_end(&chain);
	if (at == state->segment->start || !chain_begin(&walk->reader, &chain, at))
		return last;
	chain_follow(&walk->reader, &chain, NULL, 0, UINT64_MAX);
	return chain.next + CHUNK_HEADER < last ? chain.next + CHUNK_HEADER : last;
}

/* Follows the chain from `at` to where it ends, in the region that ends at `end`. Who begins in the
 * middle of a chain may come to chunks behind damage: only a whole region has room for those. */
static enum chain_end follow_region(struct glibc_walk *walk, struct segment_walk *state,
				    uint64_t at, uint64_t end)
{
	struct chain *chain = &state->chain;
	struct chunk_table *chunks = walk->heap->chunks;
	if (!chain_begin(&walk->reader, chain, at))
		return CHAIN_BROKEN;
	if (end < whole_end(chain))
		return chain_follow(&walk->reader, chain, chunks, state->region, UINT64_MAX);
	return chain_follow_region(&walk->reader, chain, chunks, state->region);
}

/* A region from the header at `at` on. `*resume`: where to go on, 0: it ended. */
static struct error *walk_region(struct glibc_walk *walk, struct segment_walk *state, uint64_t at,
				 uint64_t *resume)
{
	struct chain *chain = &state->chain;
	struct chain fresh = {
		.end = chain->end,
		.has_top = chain->has_top,
		.thread = !state->arena->is_main,
		.forbidden = 8 | IS_MMAPPED,
	};
	*chain = fresh;
	*resume = 0;
	state->start = at;
	if (chain->has_top && at == chain->end) {
		take_top(walk, state, at, true);
		return NULL;
	}
	const uint64_t end = region_end(walk, state, at);
	struct error *error =
	    chunk_table_add_region(walk->heap->chunks, at + CHUNK_HEADER, end, CHUNK_TRAILER,
				   state->arena->index, false, &state->region);
	if (error != NULL)
		return error;
	*resume = finish_region(walk, state, follow_region(walk, state, at, end));
	return NULL;
}

static struct error *walk_segment(struct glibc_walk *walk, struct malloc_arena *arena,
				  const struct malloc_segment *segment)
{
	struct segment_walk state = {
		.arena = arena,
		.segment = segment,
		.chain = { .end = segment->top != 0 ? segment->top : segment->end,
			   .has_top = segment->top != 0 },
	};
	uint64_t at = segment->start;
	for (unsigned i = 0; at != 0; i++) {
		if (i == REGIONS_AT_MOST) {
			glibc_lose(walk, arena->index, at, segment->end);
			return NULL;
		}
		if (i > 0)
			glibc_own(walk, at, at + CHUNK_HEADER, "first chunk's header");
		struct error *error = walk_region(walk, &state, at, &at);
		if (error == NULL)
			continue;
		if (error->code != ERROR_BAD_DATA)
			return error;
		struct glibc_place place = { .kind = HEAP_DAMAGED_LAYOUT,
					     .arena = arena->index,
					     .address = at };
		glibc_finding(walk, &place, "%s", error->message);
		error_free(error);
		glibc_lose(walk, arena->index, segment->start, segment->end);
		return NULL;
	}
	return NULL;
}

struct error *glibc_walk_arena(struct glibc_walk *walk, struct malloc_arena *arena)
{
	for (size_t i = 0; i < arena->segments.count; i++) {
		struct error *error = walk_segment(walk, arena, &arena->segments.items[i]);
		if (error != NULL)
			return error;
	}
	return NULL;
}
