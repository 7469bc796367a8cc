/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "heap/glibc/glibc.h"

#include <inttypes.h>

#define ARENAS_MAX    8192
#define HEAPS_MAX     65536
#define PAGE	      4096
#define CHAIN_ENOUGH  ((uint64_t)1 << 40)
#define NONCONTIGUOUS 2

#define BREAK_AT_MOST	((uint64_t)64 << 30) /* how far behind the program the kernel puts it */
#define CHUNKS_AT_LEAST 64		     /* in a row that are no accident */

/* struct heap_info, at the start of each heap of a thread arena. */
struct heap_info {
	uint64_t arena, previous, size;
};

static bool read_heap_info(struct glibc_walk *walk, uint64_t address, struct heap_info *info)
{
	return address_space_u64(walk->space, address, &info->arena) &&
	       address_space_u64(walk->space, address + 8, &info->previous) &&
	       address_space_u64(walk->space, address + 16, &info->size);
}

/* The alignments (which are the largest sizes) that heaps may have; returns how many. */
static size_t heap_sizes(const struct malloc_copy *copy, uint64_t sizes[2])
{
	size_t count = 0;
	uint64_t huge = copy->hp_pagesize;
	if (huge >= PAGE && huge <= (uint64_t)1 << 34 && (huge & (huge - 1)) == 0)
		sizes[count++] = huge * 4;
	sizes[count++] = HEAP_MAX_SIZE;
	return count;
}

/* The first heap of the thread arena at `address`: its heap_info lies right below malloc_state. */
static bool first_heap(struct glibc_walk *walk, struct malloc_copy *copy, uint64_t address,
		       uint64_t *heap)
{
	static const uint32_t known_sizes[] = { 48, 32 };
	struct heap_info info;
	uint32_t sizes[3] = { copy->layout.heap_info_size, known_sizes[0], known_sizes[1] };
	for (size_t i = 0; i < 3; i++) {
		uint64_t size = glibc_align_up(sizes[i], 16);
		if (size == 0 || address < size || (address - size) % PAGE != 0 ||
		    !read_heap_info(walk, address - size, &info) || info.arena != address)
			continue;
		copy->layout.heap_info_size = (uint32_t)size;
		*heap = address - size;
		return true;
	}
	return false;
}

static bool state_word(struct glibc_walk *walk, uint64_t address, uint64_t *value)
{
	return address_space_u64(walk->space, address, value);
}

/* A lock of glibc's: 0 free, 1 locked, 2 locked and waited for. Any other word was overwritten. */
static bool is_locked(uint32_t mutex)
{
	return mutex == 1 || mutex == 2;
}

/* Adds the arena to the copy and the heap. */
static bool add_arena(struct glibc_walk *walk, struct malloc_copy *copy, uint64_t address,
		      bool is_main)
{
	const struct state_layout *state = &copy->layout.state;
	struct malloc_arena arena = {
		.address = address,
		.is_main = is_main,
		.top_at = address + state->top,
	};
	uint32_t mutex = 0;
	address_space_u32(walk->space, address + state->mutex, &mutex);
	address_space_u32(walk->space, address + state->flags, &arena.flags);
	bool is_there = state_word(walk, address + state->top, &arena.top);
	state_word(walk, address + state->system_mem, &arena.system_memory);
	arena.index = (uint32_t)walk->heap->arenas.count;
	struct heap_arena row = {
		.kind = is_main ? ARENA_MAIN : ARENA_THREAD,
		.address = address,
		.system_bytes = arena.system_memory,
		.is_absent = !is_there,
		.in_flux = !walk->malloc_died && (is_locked(mutex) || walk->in_malloc),
	};
	return array_push(&copy->arenas, arena) && array_push(&walk->heap->arenas, row);
}

static bool knows_arena(const struct malloc_copy *copy, uint64_t address)
{
	for (size_t i = 0; i < copy->arenas.count; i++)
		if (copy->arenas.items[i].address == address)
			return true;
	return false;
}

/* Calls `visit` for each heap_info-aligned address in mapped memory that holds one. */
static bool probe_heaps(struct glibc_walk *walk, struct malloc_copy *copy,
			bool (*visit)(struct glibc_walk *, struct malloc_copy *, uint64_t,
				      const struct heap_info *))
{
	uint64_t sizes[2];
	heap_sizes(copy, sizes);
	uint64_t step = sizes[0];
	size_t count;
	const struct segment *segments = address_space_segments(walk->space, &count);
	for (size_t i = 0; i < count; i++) {
		if (!glibc_segment_is_anonymous(&segments[i]) ||
		    segments[i].end - segments[i].start > UINT64_MAX - step)
			continue;
		for (uint64_t at = glibc_align_up(segments[i].start, step);
		     at >= segments[i].start && at < segments[i].end; at += step) {
			struct heap_info info;
			if (read_heap_info(walk, at, &info) && info.arena % 16 == 0 &&
			    info.size >= PAGE && info.size <= step && info.size % PAGE == 0 &&
			    !visit(walk, copy, at, &info))
				return false;
		}
	}
	return true;
}

/* An arena whose first heap was found without the ring. */
static bool adopt_arena(struct glibc_walk *walk, struct malloc_copy *copy, uint64_t heap,
			const struct heap_info *info)
{
	uint64_t first, next;
	if (info->arena <= heap || info->arena - heap > 64 || knows_arena(copy, info->arena) ||
	    copy->arenas.count >= ARENAS_MAX || !first_heap(walk, copy, info->arena, &first) ||
	    !state_word(walk, info->arena + copy->layout.state.next, &next))
		return true;
	return add_arena(walk, copy, info->arena, false);
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
			return probe_heaps(walk, copy, adopt_arena);
		}
		if (next == copy->main_arena)
			return true;
		if (address_space_find(walk->space, next) != NULL &&
		    !state_word(walk, next + copy->layout.state.next, &heap)) {
			at = next;
			continue;
		}
		if (next == 0 || knows_arena(copy, next) || !first_heap(walk, copy, next, &heap)) {
			tell_ring(walk, copy, at, next);
			return probe_heaps(walk, copy, adopt_arena);
		}
		if (!add_arena(walk, copy, next, false))
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
static bool is_not_last(struct glibc_walk *walk, const struct malloc_arena *arena, uint64_t end)
{
	return !walk->heap->arenas.items[arena->index].in_flux &&
	       glibc_top_end(walk, arena->top) != end &&
	       glibc_leads_on(walk, arena->top, end, !arena->is_main);
}

static void tell_top(struct glibc_walk *walk, const struct malloc_arena *arena, uint64_t top,
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

void glibc_tell_top(struct glibc_walk *walk, const struct malloc_arena *arena, uint64_t top)
{
	tell_top(walk, arena, top, false);
}

/* Adds the heap at `heap` to the arena; its reservation of `largest` bytes is malloc's. */
static bool add_heap(struct glibc_walk *walk, struct malloc_copy *copy, struct malloc_arena *arena,
		     uint64_t heap, const struct heap_info *info, uint64_t largest)
{
	uint32_t info_size = copy->layout.heap_info_size;
	uint64_t end = heap + info->size;
	if (info->size < PAGE || info->size > largest || info->size % PAGE != 0 ||
	    glibc_mapped_end(walk, heap, end) < end) {
		struct glibc_place place =
		    glibc_at(HEAP_DAMAGED_ARENAS, arena->index, heap, heap + 16,
			     "a multiple of the page size, within the mapping");
		glibc_finding(walk, &place,
			      "heap_info at 0x%" PRIx64 " says size 0x%" PRIx64 ", which cannot be",
			      heap, info->size);
		end = glibc_present_end(walk, heap, heap + largest);
	}
	if (!glibc_claim(walk, heap, glibc_mapped_end(walk, heap, heap + largest)))
		return true;
	struct malloc_segment segment = { .start = heap + info_size, .end = end };
	if (arena->address == heap + info_size) {
		segment.start = glibc_align_up(arena->address + copy->layout.state.size, 16);
		glibc_own(walk, arena->address, segment.start + CHUNK_HEADER, "malloc_state");
		glibc_own(walk, heap, arena->address, "heap_info");
	} else {
		glibc_own(walk, heap, segment.start + CHUNK_HEADER, "heap_info");
	}
	glibc_own(walk, end, glibc_mapped_end(walk, end, heap + largest), "reserved heap memory");
	if (segment.start + CHUNK_HEADER >= end)
		return true;
	if (arena->top >= segment.start && arena->top < end) {
		if (is_not_last(walk, arena, end))
			tell_top(walk, arena, arena->top, true);
		else
			segment.top = arena->top;
	}
	walk->heap->arenas.items[arena->index].heap_count++;
	return array_push(&arena->segments, segment);
}

static bool adopt_heap(struct glibc_walk *walk, struct malloc_copy *copy, uint64_t heap,
		       const struct heap_info *info)
{
	uint64_t sizes[2];
	heap_sizes(copy, sizes);
	for (size_t i = 0; i < copy->arenas.count; i++) {
		struct malloc_arena *arena = &copy->arenas.items[i];
		if (arena->address == info->arena && !arena->is_main &&
		    glibc_claimed(walk, heap) == NULL)
			return add_heap(walk, copy, arena, heap, info, sizes[0]);
	}
	return true;
}

/* Whether the word is mapped, but was not dumped or read: which speaks against nothing. */
static bool is_absent(const struct glibc_walk *walk, uint64_t address)
{
	const struct segment *segment = address_space_find(walk->space, address);
	return segment != NULL && segment->origin == SEGMENT_ABSENT;
}

/* The heap that holds `address` and belongs to `arena`. False: there is none, or it could be that
 * at `*heap`, which is not there. */
static bool heap_around(struct glibc_walk *walk, const struct malloc_copy *copy,
			const struct malloc_arena *arena, uint64_t address, uint64_t *heap,
			uint64_t *largest)
{
	uint64_t sizes[2];
	size_t count = heap_sizes(copy, sizes);
	struct heap_info info;
	uint64_t absent = 0;
	for (size_t i = 0; i < count; i++) {
		*heap = address & -sizes[i];
		*largest = sizes[i];
		if (read_heap_info(walk, *heap, &info) && info.arena == arena->address)
			return true;
		if (is_absent(walk, *heap))
			absent = *heap;
	}
	*heap = absent;
	return false;
}

/* No chain of heaps leads from the arena's top to its first heap; `unread`: as one of them is not
 * there. */
static bool search_heaps(struct glibc_walk *walk, struct malloc_copy *copy,
			 const struct malloc_arena *arena, bool unread)
{
	struct glibc_place place = glibc_at(HEAP_DAMAGED_TOP, arena->index, arena->address,
					    arena->top_at, "a chunk in the arena's newest heap");
	if (!unread)
		glibc_finding(walk, &place,
			      "the arena at 0x%" PRIx64 " has top 0x%" PRIx64
			      ", from which its first heap cannot be reached",
			      arena->address, arena->top);
	gaps_add(walk->gaps, GAP_HEAP, arena->address, arena->address + copy->layout.state.size,
		 "The chain of heaps of the arena at 0x%" PRIx64
		 " %s; its heaps were searched by their alignment",
		 arena->address, unread ? "leads through memory that is not there" : "is broken");
	return probe_heaps(walk, copy, adopt_heap);
}

/* The heaps of a thread arena: from the one that holds its top chunk back to the first. */
static bool find_heaps(struct glibc_walk *walk, struct malloc_copy *copy,
		       struct malloc_arena *arena)
{
	uint64_t first, heap, largest;
	struct heap_info info;
	if (!first_heap(walk, copy, arena->address, &first))
		return true;
	bool found = heap_around(walk, copy, arena, arena->top, &heap, &largest);
	for (unsigned i = 0; i < HEAPS_MAX && found; i++) {
		if (glibc_claimed(walk, heap) != NULL || !read_heap_info(walk, heap, &info) ||
		    info.arena != arena->address)
			break;
		if (!add_heap(walk, copy, arena, heap, &info, largest))
			return false;
		if (heap == first)
			return true;
		if (info.previous % PAGE != 0)
			break;
		heap = info.previous;
	}
	return search_heaps(walk, copy, arena, is_absent(walk, heap));
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
		if (is_absent(walk, top + CHUNK_SIZE) || glibc_top_end(walk, top) == end)
			return top;
		switch (glibc_chain(walk, start, end, top, CHAIN_ENOUGH, &reached, &chunks)) {
		case CHAIN_TOP:
			is_followed = is_not_last(walk, arena, end);
			if (is_followed)
				break;
			return top;
		case CHAIN_ABSENT:
			return top;
		default:
			break;
		}
	} else {
		refuted = !is_absent(walk, end);
	}
	if (refuted)
		tell_top(walk, arena, top, is_followed);
	else
		glibc_lose(walk, arena->index, end, glibc_mapped_end(walk, end, top));
	return 0;
}

static bool find_main_segments(struct glibc_walk *walk, struct malloc_copy *copy,
			       struct malloc_arena *arena)
{
	if (copy->unused || (arena->top == initial_top(copy) && arena->system_memory == 0))
		return true;
	if (walk->heap->arenas.items[arena->index].is_absent)
		return find_break(walk, arena);
	uint64_t start = copy->sbrk_base != 0 ? copy->sbrk_base : guess_start(walk, arena);
	if (copy->sbrk_base == 0)
		gaps_add(
		    walk->gaps, GAP_HEAP, start, arena->top,
		    "malloc's parameters (mp_) do not tell where the main arena starts: it was "
		    "guessed");
	if (start == 0)
		return true;
	if ((arena->flags & NONCONTIGUOUS) != 0)
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
	if (!add_arena(walk, copy, copy->main_arena, true) ||
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
				     : find_heaps(walk, copy, arena)))
			return error_no_memory();
	}
	return NULL;
}
