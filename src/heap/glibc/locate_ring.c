/* main_arena through the thread arenas, where libc's data is not there and no symbol tells: each of
 * them has its place at the start of a heap, and next leads around through all arenas.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "heap/glibc/glibc.h"

#define RING_MAX 8192
#define PAGE	 4096

bool glibc_in_thread_arena(struct glibc_walk *walk, uint64_t address)
{
	uint64_t arena, heap = address & -(uint64_t)PAGE;
	return address_space_u64(walk->space, heap, &arena) &&
	       (arena == heap + 48 || arena == heap + 32);
}

/* The layout with which most bins of the arena at `address` are in order, or NULL. */
static const struct state_layout *layout_at(struct glibc_walk *walk, uint64_t address)
{
	const struct state_layout *best = NULL;
	unsigned most = 0;
	for (size_t i = 0; i < malloc_state_layout_count; i++) {
		unsigned points = glibc_state_score(walk, address, &malloc_state_layouts[i]);
		if (points > most) {
			most = points;
			best = &malloc_state_layouts[i];
		}
	}
	return best;
}

/* The member of the ring that is no thread arena, and lies in the process's memory; or 0. */
static uint64_t main_of_ring(struct glibc_walk *walk, uint64_t arena,
			     const struct state_layout *layout)
{
	uint64_t at = arena, next;
	for (unsigned i = 0; i < RING_MAX; i++) {
		if (!address_space_u64(walk->space, at + layout->next, &next) || next % 8 != 0 ||
		    next == arena || address_space_find(walk->space, next) == NULL)
			return 0;
		if (!glibc_in_thread_arena(walk, next))
			return next;
		at = next;
	}
	return 0;
}

static bool try_heap(struct glibc_walk *walk, struct malloc_copy *copy, uint64_t heap)
{
	uint64_t arena;
	if (!glibc_in_thread_arena(walk, heap) || !address_space_u64(walk->space, heap, &arena))
		return false;
	const struct state_layout *layout = layout_at(walk, arena);
	uint64_t main_arena = layout != NULL ? main_of_ring(walk, arena, layout) : 0;
	if (main_arena == 0)
		return false;
	copy->main_arena = main_arena;
	copy->module = modules_find(walk->context->modules, main_arena);
	copy->layout.state = *layout;
	copy->layout.has_state = true;
	copy->state_evidence = "built-in layout, found by the threads' arenas";
	return true;
}

bool glibc_locate_by_ring(struct glibc_walk *walk, struct malloc_copy *copy)
{
	size_t count;
	const struct segment *segments = address_space_segments(walk->space, &count);
	for (size_t i = 0; i < count; i++) {
		const struct segment *segment = &segments[i];
		if (!glibc_segment_is_anonymous(segment) ||
		    segment->end > UINT64_MAX - HEAP_MAX_SIZE)
			continue;
		for (uint64_t at = glibc_align_up(segment->start, HEAP_MAX_SIZE); at < segment->end;
		     at += HEAP_MAX_SIZE)
			if (try_heap(walk, copy, at))
				return true;
	}
	return false;
}
