/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "heap/glibc/glibc.h"

#include <inttypes.h>

#define PAGE		4096
#define CHAIN_ENOUGH	((uint64_t)1 << 16) /* chunks in a row that are no accident */
#define REGIONS_AT_MOST 4096		    /* restarts in one segment */
#define WRONG_NAMED	8
#define PREFETCH	1024 /* bytes ahead of the walk, which goes faster than memory comes */

/* A chain of chunks under way. */
struct chain {
	uint64_t at;   /* header of the chunk that it has come to; its head is plausible */
	uint64_t head; /* its size word */
	uint64_t next; /* when broken: where .at leads */
	uint64_t end;  /* header of top, or the end of the memory */
	bool has_top;
	bool thread;	    /* of a thread arena */
	bool absent;	    /* broken because .next is not there */
	uint64_t forbidden; /* bits that no size word here has */
	uint64_t chunks, bytes, used_chunks, used_bytes;
	uint64_t wrong_arena;  /* chunks whose NON_MAIN_ARENA bit is not this arena's */
	uint64_t wrong_footer; /* address of the first free chunk whose size is not repeated */
};

static bool plausible(const struct chain *chain, uint64_t at, uint64_t head)
{
	uint64_t size = head & ~(uint64_t)15;
	return (head & chain->forbidden) == 0 && size >= CHUNK_MINIMUM && size <= chain->end - at;
}

/* Whether the header at `at` is the first of the two fenceposts that end a region. */
static bool is_fence(struct heap_reader *reader, const struct chain *chain, uint64_t at,
		     uint64_t head)
{
	uint64_t second;
	uint64_t second_size = chain->thread ? 0 : CHUNK_HEADER;
	return (head & ~(uint64_t)SIZE_FLAGS) == CHUNK_HEADER && (head & IS_MMAPPED) == 0 &&
	       heap_reader_word(reader, at + CHUNK_HEADER + CHUNK_SIZE, &second) &&
	       second == (second_size | PREV_IN_USE);
}

/* In a thread arena's old heap the last chunk may itself be the fencepost, of size 0x20. */
static bool is_closing(const struct chain *chain, uint64_t next, uint64_t head)
{
	return chain->thread && head == PREV_IN_USE && chain->end - next <= CHUNK_MINIMUM;
}

/* Why the chain cannot go on at chain->next, whose size word is `head`; the chunk at chain->at is
 * not counted yet. `*count`: it is a chunk. */
static enum chain_end explain_stop(struct heap_reader *reader, struct chain *chain, uint64_t head,
				   bool *count)
{
	*count = false;
	if (is_fence(reader, chain, chain->next, head)) {
		*count = true;
		return CHAIN_FENCE;
	}
	return is_closing(chain, chain->next, head) ? CHAIN_FENCE : CHAIN_BROKEN;
}

/* Notes a chunk and goes on to the next one. */
static inline __attribute__((always_inline)) void take(struct chain *chain,
						       struct chunk_table *table, uint32_t region,
						       uint64_t next_head)
{
	uint64_t used = next_head & PREV_IN_USE;
	uint64_t size = chain->head & ~(uint64_t)15;
	if (table != NULL)
		chunk_table_add(table, region, chain->at + CHUNK_HEADER, used != 0);
	chain->chunks++;
	chain->bytes += size;
	chain->used_chunks += used;
	chain->used_bytes += size & -used;
	chain->wrong_arena += used & (chain->head / NON_MAIN_ARENA ^ (uint64_t)chain->thread);
	chain->at = chain->next;
	chain->head = next_head;
}

/* Memory of ours, whatever the target says: the address goes through an integer, as it may lie
 * outside of the span. */
static inline void prefetch(const struct heap_reader *reader, uint64_t address)
{
	__builtin_prefetch((const void *)((uintptr_t)reader->span + (address - reader->start)));
}

/* Follows the chain for up to `most` chunks, adding them to `table` unless it is NULL. Afterwards
 * chain->at is top, or the fencepost, or (limit, broken) the last chunk, which was not added. */
static inline __attribute__((always_inline)) enum chain_end follow(struct heap_reader *reader,
								   struct chain *chain,
								   struct chunk_table *table,
								   uint32_t region, uint64_t most)
{
	uint64_t head, footer;
	bool count;
	while (most-- > 0) {
		uint64_t size = chain->head & ~(uint64_t)15;
		chain->next = chain->at + size;
		prefetch(reader, chain->next + PREFETCH);
		prefetch(reader, chain->next + PREFETCH + 64);
		if (__builtin_expect(chain->next == chain->end && !chain->has_top, 0))
			return CHAIN_LIMIT;
		if (!heap_reader_word(reader, chain->next + CHUNK_SIZE, &head)) {
			chain->absent = true;
			return CHAIN_BROKEN;
		}
		if (__builtin_expect(chain->next == chain->end, 0)) {
			take(chain, table, region, head);
			return CHAIN_TOP;
		}
		if (__builtin_expect(!plausible(chain, chain->next, head), 0)) {
			enum chain_end end = explain_stop(reader, chain, head, &count);
			if (count)
				take(chain, table, region, head);
			return end;
		}
		if ((head & PREV_IN_USE) == 0 &&
		    (!heap_reader_word(reader, chain->next, &footer) || footer != size) &&
		    chain->wrong_footer == 0)
			chain->wrong_footer = chain->at;
		take(chain, table, region, head);
	}
	return CHAIN_LONG;
}

/* Puts the chain onto its first header. False: there is none. */
static bool begin(struct heap_reader *reader, struct chain *chain, uint64_t start)
{
	chain->at = start;
	chain->next = start;
	chain->absent = !heap_reader_word(reader, start + CHUNK_SIZE, &chain->head);
	return !chain->absent && plausible(chain, start, chain->head);
}

static struct chain guess(uint64_t end, bool has_top, bool thread)
{
	return (struct chain){
		.end = end,
		.has_top = has_top,
		.thread = thread,
		.forbidden = 8 | IS_MMAPPED | (thread ? 0 : NON_MAIN_ARENA),
	};
}

/* Follows a guess, within what is left of the bound on all guesses. */
static enum chain_end try_guess(struct glibc_walk *walk, struct chain *chain, uint64_t start,
				uint64_t most)
{
	if (!begin(&walk->reader, chain, start))
		return CHAIN_BROKEN;
	bool bounded = most > walk->guesses_left;
	enum chain_end end =
	    follow(&walk->reader, chain, NULL, 0, bounded ? walk->guesses_left : most);
	walk->guesses_left -=
	    chain->chunks < walk->guesses_left ? chain->chunks : walk->guesses_left;
	if (bounded && end == CHAIN_LONG) {
		gaps_add(walk->gaps, GAP_LIMIT, 0, 0,
			 "The search for intact chunks behind damaged ones was ended at its bound");
		return CHAIN_BROKEN;
	}
	return end;
}

enum chain_end glibc_chain(struct glibc_walk *walk, uint64_t start, uint64_t limit, uint64_t top,
			   uint64_t most, uint64_t *end, uint64_t *chunks)
{
	bool has_top = top > start && top < limit;
	struct chain chain = guess(has_top ? top : limit, has_top, false);
	enum chain_end result = start == top ? CHAIN_TOP : try_guess(walk, &chain, start, most);
	*end = start == top ? top : chain.at;
	*chunks = chain.chunks;
	return result;
}

/* The first header at or after `from` from which a chain leads to the end, or on for long. 0: none.
 * With a footer that does not repeat its chunk's size a guess is none. */
static uint64_t resynchronise(struct glibc_walk *walk, uint64_t from, const struct chain *broken)
{
	for (uint64_t at = (from + 15) & ~(uint64_t)15; at < broken->end; at += 16) {
		uint64_t head;
		if (!heap_reader_word(&walk->reader, at + CHUNK_SIZE, &head)) {
			at = (at | (PAGE - 1)) - 15;
			continue;
		}
		if (head < CHUNK_MINIMUM || (head & (8 | IS_MMAPPED)) != 0)
			continue;
		struct chain chain = guess(broken->end, broken->has_top, broken->thread);
		if (try_guess(walk, &chain, at, CHAIN_ENOUGH) != CHAIN_BROKEN && chain.chunks > 0 &&
		    chain.wrong_footer == 0)
			return at;
	}
	return broken->has_top ? broken->end : 0;
}

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
			glibc_finding(walk, arena->index, at + CHUNK_HEADER,
				      "the chunk at 0x%" PRIx64 " (size word 0x%" PRIx64
				      ") lies in %s arena, but is marked as %s's",
				      at + CHUNK_HEADER, head, foreign ? "the main" : "a thread",
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
	if (chain->wrong_footer != 0)
		glibc_finding(walk, arena->index, chain->wrong_footer + CHUNK_HEADER,
			      "the free chunk at 0x%" PRIx64
			      " does not repeat its size before the next chunk",
			      chain->wrong_footer + CHUNK_HEADER);
}

static void lose(struct glibc_walk *walk, const struct malloc_arena *arena, uint64_t start,
		 uint64_t end)
{
	if (start >= end)
		return;
	walk->heap->arenas.items[arena->index].lost_bytes += end - start;
	gaps_add(walk->gaps, GAP_HEAP, start, end,
		 "Heap memory 0x%" PRIx64 "-0x%" PRIx64 " (%" PRIu64
		 " bytes) could not be walked; what lies there counts neither as used nor as free",
		 start, end, end - start);
}

/* The walk of one segment. */
struct segment_walk {
	struct malloc_arena *arena;
	const struct malloc_segment *segment;
	struct chain chain;
	uint32_t region;
	uint64_t start; /* of the region: header of its first chunk */
};

static void take_top(struct glibc_walk *walk, const struct segment_walk *state, uint64_t top)
{
	struct heap_arena *row = &walk->heap->arenas.items[state->arena->index];
	row->top_bytes += state->segment->end - top;
	glibc_own(walk, top + CHUNK_HEADER, state->segment->end, "top chunk");
}

/* Says where the chain broke, and decides whether the chunk that it broke at is whole: when intact
 * chunks go on only behind the header it leads to, that header is the smashed one. Returns where
 * what cannot be walked begins. */
static uint64_t tell_break(struct glibc_walk *walk, struct segment_walk *state, uint64_t resume)
{
	struct chain *chain = &state->chain;
	uint64_t head = 0;
	if (chain->absent) {
		gaps_add(walk->gaps, GAP_MEMORY, chain->next, resume != 0 ? resume : chain->end,
			 "The heap's memory at 0x%" PRIx64 " is not there", chain->next);
		return chain->at;
	}
	if (resume == chain->next && resume != 0) {
		take(chain, walk->heap->chunks, state->region, PREV_IN_USE);
		return resume;
	}
	bool next_is_bad = chain->next > chain->at && (resume == 0 || resume > chain->next);
	uint64_t bad = next_is_bad ? chain->next : chain->at;
	heap_reader_word(&walk->reader, bad + CHUNK_SIZE, &head);
	if (resume != 0)
		glibc_finding(walk, state->arena->index, bad + CHUNK_HEADER,
			      "the chunk at 0x%" PRIx64 " has the impossible size word 0x%" PRIx64
			      "; intact chunks go on at 0x%" PRIx64,
			      bad + CHUNK_HEADER, head, resume + CHUNK_HEADER);
	else
		glibc_finding(walk, state->arena->index, bad + CHUNK_HEADER,
			      "the chunk at 0x%" PRIx64 " has the impossible size word 0x%" PRIx64
			      "; no intact chunks were found after it",
			      bad + CHUNK_HEADER, head);
	if (next_is_bad)
		take(chain, walk->heap->chunks, state->region, PREV_IN_USE);
	return bad;
}

/* Where intact chunks go on after a break; 0: nowhere. When nothing but top itself follows, top may
 * be what is wrong: then the chain ends where the memory does. */
static uint64_t resume_after_break(struct glibc_walk *walk, struct segment_walk *state)
{
	struct chain *chain = &state->chain;
	uint64_t from = chain->absent ? chain->next : chain->at + 16;
	uint64_t resume = resynchronise(walk, from, chain);
	if (!chain->has_top || chain->absent || resume != chain->end)
		return resume;
	struct chain topless = *chain;
	topless.end = state->segment->end;
	topless.has_top = false;
	uint64_t other = resynchronise(walk, from, &topless);
	if (other == 0)
		return resume;
	glibc_finding(walk, state->arena->index, chain->end,
		      "the arena's top is 0x%" PRIx64 ", which no chain of chunks leads to",
		      chain->end);
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
		take_top(walk, state, chain->at);
		break;
	case CHAIN_FENCE:
		glibc_own(walk, chain->at + CHUNK_HEADER,
			  state->arena->is_main ? chain->at + 2 * CHUNK_HEADER : chain->end,
			  "fenceposts");
		/* What follows in the main arena is the program's own use of the break. */
		if (state->arena->is_main && chain->at + 2 * CHUNK_HEADER < chain->end)
			resume = resynchronise(walk, chain->at + 2 * CHUNK_HEADER, chain);
		break;
	case CHAIN_BROKEN:
	case CHAIN_LONG:
		resume = resume_after_break(walk, state);
		lost = tell_break(walk, state, resume);
		lose(walk, state->arena, lost, resume != 0 ? resume : chain->end);
		break;
	}
	count_chunks(walk, state->arena, chain, state->start);
	chunk_table_cut(walk->heap->chunks, state->region,
			(lost != 0 ? lost : chain->at) + CHUNK_HEADER);
	return resume;
}

/* Where the region that begins at `at` ends: for the first one of a segment where it should, for
 * those after damage where its chain really does, so that many of them stay cheap. */
static uint64_t region_end(struct glibc_walk *walk, const struct segment_walk *state, uint64_t at)
{
	struct chain chain = state->chain;
	uint64_t last = chain.end + (chain.has_top ? CHUNK_HEADER : 0);
	if (at == state->segment->start || !begin(&walk->reader, &chain, at))
		return last;
	follow(&walk->reader, &chain, NULL, 0, UINT64_MAX);
	return chain.next + CHUNK_HEADER < last ? chain.next + CHUNK_HEADER : last;
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
		take_top(walk, state, at);
		return NULL;
	}
	struct error *error = chunk_table_add_region(walk->heap->chunks, at + CHUNK_HEADER,
						     region_end(walk, state, at), CHUNK_TRAILER,
						     state->arena->index, false, &state->region);
	if (error != NULL)
		return error;
	bool begun = begin(&walk->reader, chain, at);
	enum chain_end how =
	    begun ? follow(&walk->reader, chain, walk->heap->chunks, state->region, UINT64_MAX)
		  : CHAIN_BROKEN;
	*resume = finish_region(walk, state, how);
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
			lose(walk, arena, at, segment->end);
			return NULL;
		}
		if (i > 0)
			glibc_own(walk, at, at + CHUNK_HEADER, "first chunk's header");
		struct error *error = walk_region(walk, &state, at, &at);
		if (error == NULL)
			continue;
		if (error->code != ERROR_BAD_DATA)
			return error;
		glibc_finding(walk, arena->index, at, "%s", error->message);
		error_free(error);
		lose(walk, arena, segment->start, segment->end);
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
