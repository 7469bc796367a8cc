/* The main arena where the break was refused, or moved by the program too: several segments.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "heap/glibc/glibc.h"

#include "base/size_text.h"

#include <inttypes.h>

#define PAGE	     4096
#define CHAIN_ENOUGH ((uint64_t)1 << 40)

/* The region of the main arena that begins at `start`, where the break was refused and it went on
 * in mappings: it ends in a double fencepost at a page's end, or in the top chunk. */
static bool region_at(struct glibc_walk *walk, const struct malloc_arena *arena, uint64_t start,
		      uint64_t limit, uint64_t *end, uint64_t *top)
{
	uint64_t chunks, fence;
	*top = 0;
	switch (glibc_chain(walk, start, limit, arena->top, CHAIN_ENOUGH, &fence, &chunks)) {
	case CHAIN_TOP:
		*top = arena->top;
		*end = glibc_top_end(walk, arena->top);
		return *end != 0;
	case CHAIN_FENCE:
		/* The fenceposts may be rounded down from the page's end. */
		*end = glibc_align_up(fence + 2 * CHUNK_HEADER, PAGE);
		return *end - fence < 2 * CHUNK_HEADER + CHUNK_MINIMUM && *end <= limit;
	default:
		return false;
	}
}

/* Whether a page may begin a region: its first header has its predecessor in use, no other flag. */
static bool may_begin_region(struct glibc_walk *walk, uint64_t page)
{
	uint64_t head;
	return heap_reader_word(&walk->reader, page + CHUNK_SIZE, &head) &&
	       (head & 15) == PREV_IN_USE && head >= CHUNK_MINIMUM;
}

/* Searches anonymous memory for the regions that are still missing. */
static bool search_regions(struct glibc_walk *walk, struct malloc_arena *arena, uint64_t *found)
{
	size_t count;
	const struct segment *segments = address_space_segments(walk->space, &count);
	for (size_t i = 0; i < count; i++) {
		if (!glibc_segment_is_anonymous(&segments[i]))
			continue;
		uint64_t limit = glibc_present_end(walk, segments[i].start, UINT64_MAX);
		for (uint64_t page = glibc_align_up(segments[i].start, PAGE);
		     page < segments[i].end;) {
			const struct range *claim = glibc_claimed(walk, page);
			uint64_t end, top;
			if (claim != NULL) {
				page = glibc_align_up(claim->end, PAGE);
			} else if (*found < arena->system_memory && may_begin_region(walk, page) &&
				   region_at(walk, arena, page, limit, &end, &top)) {
				if (!glibc_add_main_segment(walk, arena, page, end, top))
					return false;
				*found += end - page;
				page = end;
			} else {
				page += PAGE;
			}
		}
	}
	return true;
}

/* The part of the arena that the break still gave, [start, limit), where the program moved the
 * break as well: `*found` counts what lies between, too, as the arena does. */
static bool search_break(struct glibc_walk *walk, struct malloc_arena *arena, uint64_t start,
			 uint64_t limit, uint64_t *found)
{
	uint64_t last = start, end, top;
	for (uint64_t at = glibc_align_up(start, 16);
	     at < limit && *found < arena->system_memory;) {
		const struct range *claim = glibc_claimed(walk, at);
		if (claim != NULL) {
			at = last = glibc_align_up(claim->end, 16);
		} else if (may_begin_region(walk, at) &&
			   region_at(walk, arena, at, limit, &end, &top)) {
			if (!glibc_add_main_segment(walk, arena, at, end, top))
				return false;
			*found += end - last;
			at = last = end;
		} else {
			at += 16;
		}
	}
	return true;
}

/* Searches the regions: first the rest of the break's part, where they begin anywhere, or first the
 * pages of all memory. Only one of the two orders is right, as a page may begin with a header in
 * the middle of a region; `*found` tells which. */
static bool search_scattered(struct glibc_walk *walk, struct malloc_copy *copy,
			     struct malloc_arena *arena, bool break_first, uint64_t *found)
{
	uint64_t end, top, start = glibc_align_up(copy->sbrk_base, 16);
	uint64_t limit = glibc_present_end(walk, start, UINT64_MAX);
	bool intact = region_at(walk, arena, start, limit, &end, &top);
	/* The walk gets over what is smashed in it. */
	if (!intact)
		end = limit - start < arena->system_memory ? limit : start + arena->system_memory;
	*found = intact ? end - copy->sbrk_base : 0;
	if (start < end && !glibc_add_main_segment(walk, arena, start, end, intact ? top : 0))
		return false;
	if (break_first && intact && !search_break(walk, arena, end, limit, found))
		return false;
	return search_regions(walk, arena, found);
}

/* Takes back what a search has added to the arena. */
static void forget_segments(struct glibc_walk *walk, struct malloc_arena *arena)
{
	size_t kept = 0;
	for (size_t i = 0; i < walk->claims.count; i++) {
		bool mine = false;
		for (size_t j = 0; j < arena->segments.count && !mine; j++)
			mine = arena->segments.items[j].start == walk->claims.items[i].start;
		if (!mine)
			walk->claims.items[kept++] = walk->claims.items[i];
	}
	walk->claims.count = kept;
	walk->heap->own.count -= arena->segments.count;
	walk->heap->arenas.items[arena->index].heap_count = 0;
	arena->segments.count = 0;
}

bool glibc_find_scattered(struct glibc_walk *walk, struct malloc_copy *copy,
			  struct malloc_arena *arena)
{
	uint64_t found;
	if (!search_scattered(walk, copy, arena, false, &found))
		return false;
	if (found != arena->system_memory) {
		forget_segments(walk, arena);
		if (!search_scattered(walk, copy, arena, true, &found))
			return false;
	}
	if (found != arena->system_memory)
		gaps_add(
		    walk->gaps, GAP_HEAP, 0, 0,
		    "The main arena is scattered over mappings: %s of its %s were found intact",
		    size_text(found).text, size_text(arena->system_memory).text);
	return true;
}
