/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "heap/glibc/glibc.h"

#include <inttypes.h>

#define ARENAS_MAX    8192
#define PAGE	      4096
#define CHAIN_ENOUGH  ((uint64_t)1 << 40)
#define NONCONTIGUOUS 2

#define BREAK_AT_MOST	((uint64_t)64 << 30) /* how far behind the program the kernel puts it */
#define CHUNKS_AT_LEAST 64		     /* in a row that are no accident */

static bool state_word(struct glibc_walk *walk, uint64_t address, uint64_t *value)
{
	return address_space_u64(walk->space, address, value);
}

/* A lock of glibc's: 0 free, 1 locked, 2 locked and waited for. Any other word was overwritten. */
static bool is_locked(uint32_t mutex)
{
	return mutex == 1 || mutex == 2;
}

/* Tells of a malloc_state whose bins, or other words, cannot be what they were. */
static void check_state(struct glibc_walk *walk, const struct malloc_copy *copy,
			struct malloc_arena *arena, uint32_t mutex)
{
	const struct state_layout *state = &copy->layout.state;
	const unsigned whole = glibc_whole_bins(walk, arena->address, state);
	struct glibc_place place =
	    glibc_at(HEAP_DAMAGED_ARENAS, arena->index, arena->address, 0, NULL);
	arena->is_overwritten = whole < MALLOC_BINS / 2;
	if (arena->is_overwritten) {
		place.word = arena->address + state->bins;
		place.expected = "an address in the arena";
		glibc_finding(walk, &place,
			      "the arena at 0x%" PRIx64 " is overwritten: %u of its %u bins are "
			      "whole",
			      arena->address, whole, MALLOC_BINS);
		gaps_add(walk->gaps, GAP_HEAP, arena->address, arena->address + state->size,
			 "The free lists of the arena at 0x%" PRIx64
			 " are overwritten: chunks in its fastbins count as in use",
			 arena->address);
	} else if (mutex > 2) {
		place.word = arena->address + state->mutex;
		place.expected = "0, 1 or 2 in its low 32 bits";
		glibc_finding(walk, &place,
			      "the arena at 0x%" PRIx64 " has the mutex 0x%" PRIx32
			      ", which no lock is",
			      arena->address, mutex);
	} else if ((arena->flags & ~3U) != 0) {
		place.word = arena->address + state->flags;
		place.expected = "0 to 3 in its low 32 bits";
		glibc_finding(walk, &place,
			      "the arena at 0x%" PRIx64 " has the flags 0x%" PRIx32
			      ", of which there are none",
			      arena->address, arena->flags);
	}
}

/* Adds the arena to the copy and the heap. `first_heap` is 0 for the main arena. */
static bool add_arena(struct glibc_walk *walk, struct malloc_copy *copy, uint64_t address,
		      uint64_t first_heap)
{
	const struct state_layout *state = &copy->layout.state;
	struct malloc_arena arena = {
		.address = address,
		.is_main = first_heap == 0,
		.first_heap = first_heap,
		.top_at = address + state->top,
	};
	uint32_t mutex = 0;
	address_space_u32(walk->space, address + state->mutex, &mutex);
	address_space_u32(walk->space, address + state->flags, &arena.flags);
	bool is_there = state_word(walk, address + state->top, &arena.top);
	state_word(walk, address + state->system_mem, &arena.system_memory);
	arena.index = (uint32_t)walk->heap->arenas.count;
	struct heap_arena row = {
		.kind = first_heap == 0 ? ARENA_MAIN : ARENA_THREAD,
		.address = address,
		.system_bytes = arena.system_memory,
		.is_absent = !is_there,
		.in_flux = !walk->malloc_died && (is_locked(mutex) || walk->in_malloc),
	};
	if (!array_push(&walk->heap->arenas, row))
		return false;
	if (is_there && !copy->unused)
		check_state(walk, copy, &arena, mutex);
	return array_push(&copy->arenas, arena);
}

static bool knows_arena(const struct malloc_copy *copy, uint64_t address)
{
	for (size_t i = 0; i < copy->arenas.count; i++)
		if (copy->arenas.items[i].address == address)
			return true;
	return false;
}

/* An arena whose first heap was found without the ring. */
static bool adopt_arena(struct glibc_walk *walk, struct malloc_copy *copy,
			struct malloc_arena *unused, uint64_t heap, const struct heap_info *info)
{
	uint64_t first, next;
	(void)unused;
	if (info->arena <= heap || info->arena - heap > 64 || knows_arena(copy, info->arena) ||
	    copy->arenas.count >= ARENAS_MAX ||
	    !glibc_first_heap(walk, copy, info->arena, false, &first) ||
	    !state_word(walk, info->arena + copy->layout.state.next, &next))
		return true;
	return add_arena(walk, copy, info->arena, first);
}

static void tell_ring(struct glibc_walk *walk, const struct malloc_copy *copy, uint64_t at,
		      uint64_t next)
{
	struct glibc_place place = glibc_at(
	    HEAP_DAMAGED_ARENAS, copy->arenas.items[copy->arenas.count - 1].index, at,
	    at + copy->layout.state.next, "the address of another arena, or of main_arena");
	glibc_finding(walk, &place,
		      "the ring of arenas is broken: the arena at 0x%" PRIx64 " has next 0x%" PRIx64
		      ", which is no arena",
		      at, next);
	gaps_add(walk->gaps, GAP_HEAP, at, at + 8,
		 "The ring of malloc's arenas is broken at 0x%" PRIx64
		 "; arenas were also searched by the alignment of their heaps",
		 at);
}

/* Follows malloc_state.next. False: memory of our own is exhausted. */
static bool follow_ring(struct glibc_walk *walk, struct malloc_copy *copy)
{
	uint64_t at = copy->main_arena, next, heap;
	while (copy->arenas.count < ARENAS_MAX) {
		if (!state_word(walk, at + copy->layout.state.next, &next)) {
			gaps_add(walk->gaps, GAP_MEMORY, at, at + copy->layout.state.size,
				 "The arena at 0x%" PRIx64
				 " is not there: arenas were searched by the alignment of their "
				 "heaps",
				 at);
			return glibc_probe_heaps(walk, copy, NULL, adopt_arena);
		}
		if (next == copy->main_arena)
			return true;
		if (address_space_find(walk->space, next) != NULL &&
		    !state_word(walk, next + copy->layout.state.next, &heap)) {
			at = next;
			continue;
		}
		if (next == 0 || knows_arena(copy, next) ||
		    !glibc_first_heap(walk, copy, next, true, &heap)) {
			tell_ring(walk, copy, at, next);
			return glibc_probe_heaps(walk, copy, NULL, adopt_arena);
		}
		if (!add_arena(walk, copy, next, heap))
			return false;
		at = next;
	}
	gaps_add(walk->gaps, GAP_LIMIT, 0, 0, "More than %d malloc arenas; the rest was not walked",
		 ARENAS_MAX);
	return true;
}

/* Where bytes that are there, without a hole, end. */
uint64_t glibc_present_end(const struct glibc_walk *walk, uint64_t start, uint64_t limit)
{
	uint64_t at = start;
	while (at < limit) {
		const struct segment *segment = address_space_find(walk->space, at);
		if (segment == NULL || segment->origin == SEGMENT_ABSENT ||
		    (segment->permissions_known && (segment->permissions & SEGMENT_WRITE) == 0))
			break;
		at = segment->end;
	}
	return at < limit || limit < start ? at : limit;
}

/* The end of the top chunk, by its own size; 0: its header makes no sense. */
uint64_t glibc_top_end(struct glibc_walk *walk, uint64_t top)
{
	uint64_t size;
	if (top % 16 != 0 || !state_word(walk, top + CHUNK_SIZE, &size) ||
	    (size & (IS_MMAPPED | NON_MAIN_ARENA | 8)) != 0)
		return 0;
	size &= ~(uint64_t)SIZE_FLAGS;
	uint64_t end = top + size;
	return size >= CHUNK_MINIMUM && end > top && glibc_mapped_end(walk, top, end) == end ? end
											     : 0;
}

/* Whether what the arena calls its top chunk is another: it does not go on to `end`, as top does,
 * but a chain of chunks does that begins with it. In flux that says nothing: a new top has no
 * header of its own yet, but stale ones of chunks that once were there. */
bool glibc_is_not_last(struct glibc_walk *walk, const struct malloc_arena *arena, uint64_t end)
{
	return !walk->heap->arenas.items[arena->index].in_flux &&
	       glibc_top_end(walk, arena->top) != end &&
	       glibc_leads_on(walk, arena->top, end, !arena->is_main);
}

void glibc_tell_top(struct glibc_walk *walk, const struct malloc_arena *arena, uint64_t top,
		    bool is_followed)
{
	struct glibc_place place =
	    glibc_at(HEAP_DAMAGED_TOP, arena->index, arena->address, arena->top_at,
		     "the last chunk of the heap, where it ends");
	glibc_finding(walk, &place, "the %s arena's top is 0x%" PRIx64 ", %s",
		      arena->is_main ? "main" : "thread's", top,
		      is_followed ? "behind which further chunks lie"
				  : "which no chain of chunks leads to");
}

/* Whether the word is mapped, but was not dumped or read: which speaks against nothing. */
bool glibc_is_absent(const struct glibc_walk *walk, uint64_t address)
{
	const struct segment *segment = address_space_find(walk->space, address);
	return segment != NULL && segment->origin == SEGMENT_ABSENT;
}

static uint64_t initial_top(const struct malloc_copy *copy)
{
	return copy->main_arena + copy->layout.state.bins - CHUNK_HEADER;
}

bool glibc_add_main_segment(struct glibc_walk *walk, struct malloc_arena *arena, uint64_t start,
			    uint64_t end, uint64_t top)
{
	struct malloc_segment segment = { .start = start, .end = end, .top = top };
	if (start + CHUNK_HEADER >= end || !glibc_claim(walk, start, end))
		return true;
	glibc_own(walk, start, start + CHUNK_HEADER, "first chunk's header");
	walk->heap->arenas.items[arena->index].heap_count++;
	return array_push(&arena->segments, segment);
}

/* Without mp_ the start is not known: the first header in the memory around `top` from which the
 * chain reaches it. */
static uint64_t guess_start(struct glibc_walk *walk, struct malloc_arena *arena)
{
	const struct segment *segment = address_space_find(walk->space, arena->top);
	if (segment == NULL || segment->origin == SEGMENT_ABSENT)
		return 0;
	uint64_t end, chunks;
	for (uint64_t at = segment->start; at < arena->top; at += 16) {
		uint64_t head;
		if (heap_reader_word(&walk->reader, at + CHUNK_SIZE, &head) &&
		    (head & 15) == PREV_IN_USE &&
		    glibc_chain(walk, at, segment->end, arena->top, CHAIN_ENOUGH, &end, &chunks) ==
			CHAIN_TOP)
			return at;
	}
	return 0;
}

/* The main arena's heap without its malloc_state: the memory behind the program's own, as the break
 * begins there, where it is one chain of chunks from its start on. */
static bool find_break(struct glibc_walk *walk, struct malloc_arena *arena)
{
	const struct module *executable = modules_executable(walk->context->modules);
	size_t count;
	const struct segment *segments = address_space_segments(walk->space, &count);
	for (size_t i = 0; i < count; i++) {
		const struct segment *segment = &segments[i];
		uint64_t reached, chunks, start = segment->start;
		if (executable == NULL || start < executable->end ||
		    !glibc_segment_is_anonymous(segment))
			continue;
		if (start - executable->end > BREAK_AT_MOST)
			break;
		uint64_t end = glibc_mapped_end(walk, start, UINT64_MAX);
		if (glibc_chain(walk, start, end, 0, CHAIN_ENOUGH, &reached, &chunks) !=
			CHAIN_LIMIT &&
		    chunks < CHUNKS_AT_LEAST)
			continue;
		gaps_add(walk->gaps, GAP_MEMORY, arena->address, arena->address + 8,
			 "main_arena, at 0x%" PRIx64
			 ", is not there: its chunks were found by their headers from 0x%" PRIx64
			 " on, without the lists of free ones",
			 arena->address, start);
		return glibc_add_main_segment(walk, arena, start, end, 0);
	}
	gaps_add(walk->gaps, GAP_MEMORY, arena->address, arena->address + 8,
		 "main_arena, at 0x%" PRIx64 ", is not there: none of its chunks could be found",
		 arena->address);
	return true;
}

/* Looks at the main arena's top, which should be the last chunk of [start, end). Its own size
 * decides, mostly; where that is what is damaged, the chunks before it do. What is not there speaks
 * neither for it nor against it, so that it is believed. Returns 0 instead of one that is not. */
static uint64_t check_top(struct glibc_walk *walk, const struct malloc_arena *arena, uint64_t start,
			  uint64_t end)
{
	const uint64_t top = arena->top;
	uint64_t reached, chunks;
	bool refuted = true, is_followed = false;
	if (top >= start && top < end) {
		if (glibc_is_absent(walk, top + CHUNK_SIZE) || glibc_top_end(walk, top) == end)
			return top;
		switch (glibc_chain(walk, start, end, top, CHAIN_ENOUGH, &reached, &chunks)) {
		case CHAIN_TOP:
			is_followed = glibc_is_not_last(walk, arena, end);
			if (is_followed)
				break;
			return top;
		case CHAIN_ABSENT:
			return top;
		default:
			break;
		}
	} else {
		refuted = !glibc_is_absent(walk, end);
	}
	if (refuted)
		glibc_tell_top(walk, arena, top, is_followed);
	else
		glibc_lose(walk, arena->index, end, glibc_mapped_end(walk, end, top));
	return 0;
}

/* malloc's parameters do not tell where the main arena starts; or what they tell is not where its
 * end, less what it had from the kernel, would be, and no chain of chunks leads from there to top.
 */
static uint64_t correct_start(struct glibc_walk *walk, const struct malloc_copy *copy,
			      struct malloc_arena *arena)
{
	uint64_t reached, chunks;
	const uint64_t top_end = glibc_top_end(walk, arena->top), told = copy->sbrk_base;
	const uint64_t start = top_end - arena->system_memory;
	if (told != 0 && (top_end == 0 || start == told ||
			  glibc_chain(walk, glibc_align_up(told, 16), top_end, arena->top,
				      CHAIN_ENOUGH, &reached, &chunks) == CHAIN_TOP))
		return told;
	/* The program may have moved the break in between: then the chain is not one. */
	const bool is_start = top_end != 0 && arena->system_memory != 0 && start < arena->top &&
			      glibc_chain(walk, glibc_align_up(start, 16), top_end, arena->top,
					  CHAIN_ENOUGH, &reached, &chunks) == CHAIN_TOP;
	if (!is_start)
		return told != 0 ? told : guess_start(walk, arena);
	struct glibc_place place = glibc_at(
	    HEAP_DAMAGED_PARAMETERS, arena->index, copy->par,
	    copy->par + copy->layout.par.sbrk_base,
	    string_pool_format(walk->strings, "0x%" PRIx64 ", where the main arena starts", start));
	if (copy->par != 0)
		glibc_finding(walk, &place,
			      "malloc's parameters at 0x%" PRIx64
			      " have another sbrk_base than the start of the main arena",
			      copy->par);
	return start;
}

static bool find_main_segments(struct glibc_walk *walk, struct malloc_copy *copy,
			       struct malloc_arena *arena)
{
	if (copy->unused || (arena->top == initial_top(copy) && arena->system_memory == 0))
		return true;
	if (walk->heap->arenas.items[arena->index].is_absent)
		return find_break(walk, arena);
	const bool contiguous = (arena->flags & NONCONTIGUOUS) == 0;
	uint64_t start = contiguous		? correct_start(walk, copy, arena)
			 : copy->sbrk_base != 0 ? copy->sbrk_base
						: guess_start(walk, arena);
	if (copy->sbrk_base == 0)
		gaps_add(
		    walk->gaps, GAP_HEAP, start, arena->top,
		    "malloc's parameters (mp_) do not tell where the main arena starts: it was "
		    "guessed");
	if (start == 0)
		return true;
	if (!contiguous)
		return glibc_find_scattered(walk, copy, arena);

	uint64_t end = start + arena->system_memory;
	uint64_t mapped = glibc_mapped_end(walk, start, end > start ? end : UINT64_MAX);
	if (mapped != end)
		end = glibc_present_end(walk, start, UINT64_MAX);
	start = glibc_align_up(start, 16);
	arena->top = check_top(walk, arena, start, end);
	return glibc_add_main_segment(walk, arena, start, end, arena->top);
}

struct error *glibc_find_arenas(struct glibc_walk *walk, struct malloc_copy *copy)
{
	if (!add_arena(walk, copy, copy->main_arena, 0) ||
	    (!copy->unused && !follow_ring(walk, copy)))
		return error_no_memory();
	glibc_own(walk, copy->main_arena, copy->main_arena + copy->layout.state.size,
		  "malloc_state");
	if (copy->par != 0)
		glibc_own(walk, copy->par, copy->par + copy->layout.par.sbrk_base + 8,
			  "malloc parameters");
	for (size_t i = 0; i < copy->arenas.count; i++) {
		struct malloc_arena *arena = &copy->arenas.items[i];
		if (!(arena->is_main ? find_main_segments(walk, copy, arena)
				     : glibc_find_heaps(walk, copy, arena)))
			return error_no_memory();
	}
	return NULL;
}
