/* The heaps of thread arenas: mappings aligned to their largest size, each with a heap_info at its
 * start that leads to the one before.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "heap/glibc/glibc.h"

#include "base/size_text.h"

#include <inttypes.h>

#define HEAPS_MAX     65536
#define PAGE	      4096
#define PAGE_SIZE_MAX ((uint64_t)1 << 34)

/* [S] Offsets in struct heap_info. The last one is there from 2.35 on. */
#define INFO_PREVIOUS  8
#define INFO_SIZE      16
#define INFO_MPROTECT  24
#define INFO_PAGESIZE  32
#define INFO_WITH_PAGE 48 /* size of a heap_info that has it */

static bool word(struct glibc_walk *walk, uint64_t address, uint64_t *value)
{
	return address_space_u64(walk->space, address, value);
}

static bool read_heap_info(struct glibc_walk *walk, uint64_t address, struct heap_info *info)
{
	return word(walk, address, &info->arena) &&
	       word(walk, address + INFO_PREVIOUS, &info->previous) &&
	       word(walk, address + INFO_SIZE, &info->size);
}

static bool is_page_size(uint64_t size)
{
	return size >= PAGE && size <= PAGE_SIZE_MAX && (size & (size - 1)) == 0;
}

/* The alignments (which are the largest sizes) that heaps may have; returns how many. */
static size_t heap_sizes(const struct malloc_copy *copy, uint64_t sizes[2])
{
	size_t count = 0;
	if (is_page_size(copy->hp_pagesize))
		sizes[count++] = copy->hp_pagesize * 4;
	sizes[count++] = HEAP_MAX_SIZE;
	return count;
}

/* Whether the arena at `address` lies where an arena's first heap has it, `size` bytes into that:
 * then it is one, though its heap_info may be overwritten. */
static bool is_in_place(struct glibc_walk *walk, const struct malloc_copy *copy, uint64_t address,
			uint64_t size)
{
	uint64_t sizes[2];
	const size_t count = heap_sizes(copy, sizes);
	const uint64_t heap = address - size;
	bool aligned = false;
	for (size_t i = 0; i < count; i++)
		aligned = aligned || heap % sizes[i] == 0;
	const struct segment *segment = address_space_find(walk->space, heap);
	return aligned && segment != NULL && glibc_segment_is_anonymous(segment);
}

bool glibc_first_heap(struct glibc_walk *walk, struct malloc_copy *copy, uint64_t address,
		      bool by_place, uint64_t *heap)
{
	static const uint32_t known_sizes[] = { 48, 32 };
	struct heap_info info;
	uint32_t sizes[3] = { copy->layout.heap_info_size, known_sizes[0], known_sizes[1] };
	for (unsigned damaged = 0; damaged < 2; damaged++)
		for (size_t i = 0; i < 3; i++) {
			uint64_t size = glibc_align_up(sizes[i], 16);
			if (size == 0 || address < size || (address - size) % PAGE != 0 ||
			    !read_heap_info(walk, address - size, &info))
				continue;
			if (damaged == 0 ? info.arena != address
					 : !is_in_place(walk, copy, address, size) ||
					       (!by_place && glibc_whole_bins(walk, address,
									      &copy->layout.state) <
								 MALLOC_BINS / 2))
				continue;
			copy->layout.heap_info_size = (uint32_t)size;
			*heap = address - size;
			return true;
		}
	return false;
}

bool glibc_probe_heaps(struct glibc_walk *walk, struct malloc_copy *copy,
		       struct malloc_arena *arena, glibc_heap_visitor *visit)
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
			    !visit(walk, copy, arena, at, &info))
				return false;
		}
	}
	return true;
}

/* --- what is wrong in a heap_info */

/* A word of a heap_info that is not what it must be. */
struct wrong_word {
	const char *name;
	uint64_t offset, found;
	const char *expected; /* literal, or in the string pool */
};

static bool is_whole_size(uint64_t size, uint64_t largest)
{
	return size >= PAGE && size <= largest && size % PAGE == 0;
}

static bool is_good_size(const struct glibc_walk *walk, uint64_t heap, uint64_t size,
			 uint64_t largest)
{
	return is_whole_size(size, largest) &&
	       glibc_mapped_end(walk, heap, heap + size) == heap + size;
}

/* Whether a heap may end at `end`: its top chunk does, or the fenceposts of one that is full. */
static bool ends_well(struct glibc_walk *walk, const struct malloc_arena *arena, uint64_t heap,
		      uint64_t end, uint64_t largest)
{
	uint64_t first, second;
	if (!is_good_size(walk, heap, end - heap, largest))
		return false;
	if (arena->top > heap && arena->top - heap < largest)
		return glibc_top_end(walk, arena->top) == end;
	return word(walk, end - CHUNK_HEADER - CHUNK_SIZE, &first) &&
	       word(walk, end - CHUNK_SIZE, &second) && second == PREV_IN_USE &&
	       (first & ~(uint64_t)SIZE_FLAGS) == CHUNK_HEADER;
}

/* Where the heap ends: where its size says, unless that is overwritten. */
static uint64_t heap_end(struct glibc_walk *walk, const struct malloc_arena *arena, uint64_t heap,
			 const struct heap_info *info, uint64_t largest)
{
	uint64_t protected = 0;
	word(walk, heap + INFO_MPROTECT, &protected);
	const uint64_t present = glibc_present_end(walk, heap, heap + largest);
	const uint64_t ends[] = { heap + info->size, glibc_top_end(walk, arena->top),
				  heap + protected, present };
	for (size_t i = 0; i < sizeof ends / sizeof *ends; i++)
		if (ends_well(walk, arena, heap, ends[i], largest))
			return ends[i];
	return is_good_size(walk, heap, info->size, largest) ? heap + info->size : present;
}

/* The words that are wrong, of a heap that ends at `end`; returns how many. */
static unsigned find_wrong(struct glibc_walk *walk, const struct malloc_copy *copy,
			   const struct malloc_arena *arena, uint64_t heap,
			   const struct heap_info *info, uint64_t end, uint64_t largest,
			   struct wrong_word wrong[5])
{
	unsigned count = 0;
	uint64_t protected, page;
	const uint32_t info_size = copy->layout.heap_info_size;
	if (info->arena != arena->address)
		wrong[count++] =
		    (struct wrong_word){ "ar_ptr", 0, info->arena,
					 string_pool_format(walk->strings,
							    "0x%" PRIx64 ", the arena's address",
							    arena->address) };
	if (heap + info_size == arena->address && info->previous != 0)
		wrong[count++] = (struct wrong_word){ "prev", INFO_PREVIOUS, info->previous,
						      "0, as it is the arena's first heap" };
	if (info->size != end - heap)
		wrong[count++] =
		    (struct wrong_word){ "size", INFO_SIZE, info->size,
					 string_pool_format(walk->strings,
							    "0x%" PRIx64 ", to the heap's end",
							    end - heap) };
	if (word(walk, heap + INFO_MPROTECT, &protected) &&
	    (protected < end - heap || !is_whole_size(protected, largest)))
		wrong[count++] =
		    (struct wrong_word){ "mprotect_size", INFO_MPROTECT, protected,
					 "a multiple of the page size, at least .size" };
	if (info_size == INFO_WITH_PAGE && word(walk, heap + INFO_PAGESIZE, &page) && page != 0 &&
	    !is_page_size(page))
		wrong[count++] =
		    (struct wrong_word){ "pagesize", INFO_PAGESIZE, page, "the size of a page" };
	return count;
}

/* Tells of a heap_info that is overwritten, in one finding. */
static void check_info(struct glibc_walk *walk, const struct malloc_copy *copy,
		       const struct malloc_arena *arena, uint64_t heap,
		       const struct heap_info *info, uint64_t end, uint64_t largest)
{
	struct wrong_word wrong[5];
	const unsigned count = find_wrong(walk, copy, arena, heap, info, end, largest, wrong);
	if (count == 0)
		return;
	struct glibc_place place = glibc_at(HEAP_DAMAGED_ARENAS, arena->index, heap,
					    heap + wrong[0].offset, wrong[0].expected);
	glibc_finding(walk, &place,
		      "the heap_info at 0x%" PRIx64 ", of a heap of the arena at 0x%" PRIx64
		      ", is overwritten: its %s is 0x%" PRIx64 "%s%s%s%s",
		      heap, arena->address, wrong[0].name, wrong[0].found,
		      count > 1 ? ", and its " : "", count > 1 ? wrong[1].name : "",
		      count > 2	  ? " and others are"
		      : count > 1 ? " is"
				  : "",
		      count > 1 ? " wrong, too" : "");
}

/* prev leads to no heap. */
static void tell_previous(struct glibc_walk *walk, const struct malloc_arena *arena, uint64_t heap,
			  uint64_t previous)
{
	struct glibc_place place =
	    glibc_at(HEAP_DAMAGED_ARENAS, arena->index, heap, heap + INFO_PREVIOUS,
		     "the address of the arena's heap before this one");
	glibc_finding(walk, &place,
		      "the heap_info at 0x%" PRIx64 ", of a heap of the arena at 0x%" PRIx64
		      ", has prev 0x%" PRIx64 ", where no heap of the arena is",
		      heap, arena->address, previous);
}

/* --- the heaps of an arena */

/* Adds the heap at `heap` to the arena; its reservation of `largest` bytes is malloc's. */
static bool add_heap(struct glibc_walk *walk, struct malloc_copy *copy, struct malloc_arena *arena,
		     uint64_t heap, const struct heap_info *info, uint64_t largest)
{
	uint32_t info_size = copy->layout.heap_info_size;
	uint64_t end = heap_end(walk, arena, heap, info, largest);
	check_info(walk, copy, arena, heap, info, end, largest);
	if (!glibc_claim(walk, heap, glibc_mapped_end(walk, heap, heap + largest)))
		return true;
	arena->heap_bytes += end - heap;
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
		if (glibc_is_not_last(walk, arena, end))
			glibc_tell_top(walk, arena, arena->top, true);
		else
			segment.top = arena->top;
	}
	walk->heap->arenas.items[arena->index].heap_count++;
	return array_push(&arena->segments, segment);
}

static bool adopt_heap(struct glibc_walk *walk, struct malloc_copy *copy,
		       struct malloc_arena *arena, uint64_t heap, const struct heap_info *info)
{
	uint64_t sizes[2];
	heap_sizes(copy, sizes);
	return arena->address != info->arena || glibc_claimed(walk, heap) != NULL ||
	       add_heap(walk, copy, arena, heap, info, sizes[0]);
}

/* Whether the memory at `heap` may be a heap that no arena has yet. */
static bool may_be_heap(const struct glibc_walk *walk, uint64_t heap, uint64_t largest)
{
	const struct segment *segment = address_space_find(walk->space, heap);
	return heap != 0 && heap % largest == 0 && segment != NULL &&
	       glibc_segment_is_anonymous(segment) && glibc_claimed(walk, heap) == NULL;
}

static bool is_an_arena(const struct glibc_walk *walk, uint64_t address)
{
	for (size_t i = 0; i < walk->heap->arenas.count; i++)
		if (walk->heap->arenas.items[i].address == address)
			return true;
	return false;
}

/* Whether the arena's top chunk lies in what would be a heap at `heap` but for its heap_info, and
 * reaches to the end of it. */
static bool holds_top(struct glibc_walk *walk, const struct malloc_arena *arena, uint64_t heap,
		      uint64_t largest)
{
	struct heap_info info;
	const uint64_t end = glibc_top_end(walk, arena->top);
	if (end == 0 || end % PAGE != 0 || end - heap > largest ||
	    !may_be_heap(walk, heap, largest) || !read_heap_info(walk, heap, &info) ||
	    (info.arena == 0 && info.previous == 0 && info.size == 0) || /* the middle of one */
	    is_an_arena(walk, info.arena))
		return false;
	return end == heap + info.size || end == glibc_present_end(walk, heap, heap + largest);
}

/* The heap that holds the arena's top chunk. False: there is none, or it could be that at `*heap`,
 * which is not there. */
static bool heap_of_top(struct glibc_walk *walk, const struct malloc_copy *copy,
			const struct malloc_arena *arena, uint64_t *heap, uint64_t *largest)
{
	uint64_t sizes[2];
	size_t count = heap_sizes(copy, sizes);
	struct heap_info info;
	uint64_t absent = 0;
	/* A whole heap_info of one size before what may be an overwritten one of another. */
	for (size_t i = 0; i < count; i++) {
		*heap = arena->top & -sizes[i];
		*largest = sizes[i];
		if (read_heap_info(walk, *heap, &info) && info.arena == arena->address)
			return true;
	}
	for (size_t i = 0; i < count; i++) {
		*heap = arena->top & -sizes[i];
		*largest = sizes[i];
		if (holds_top(walk, arena, *heap, *largest))
			return true;
		if (glibc_is_absent(walk, *heap))
			absent = *heap;
	}
	*heap = absent;
	return false;
}

/* No chain of heaps leads from the arena's top to its first heap; `unread`: as one of them is not
 * there. */
static bool search_heaps(struct glibc_walk *walk, struct malloc_copy *copy,
			 struct malloc_arena *arena, bool unread)
{
	gaps_add(walk->gaps, GAP_HEAP, arena->address, arena->address + copy->layout.state.size,
		 "The chain of heaps of the arena at 0x%" PRIx64
		 " %s; its heaps were searched by their alignment",
		 arena->address, unread ? "leads through memory that is not there" : "is broken");
	return glibc_probe_heaps(walk, copy, arena, adopt_heap);
}

static void tell_lost_top(struct glibc_walk *walk, const struct malloc_arena *arena)
{
	struct glibc_place place = glibc_at(HEAP_DAMAGED_TOP, arena->index, arena->address,
					    arena->top_at, "a chunk in the arena's newest heap");
	glibc_finding(walk, &place,
		      "the arena at 0x%" PRIx64 " has top 0x%" PRIx64
		      ", from which its first heap cannot be reached",
		      arena->address, arena->top);
}

/* From the newest heap, at `heap`, back to the first. `*complete`: that was reached; else `*unread`
 * tells whether the next one is not there. False: no memory. */
static bool follow_heaps(struct glibc_walk *walk, struct malloc_copy *copy,
			 struct malloc_arena *arena, uint64_t heap, uint64_t first,
			 uint64_t largest, bool *complete, bool *unread)
{
	struct heap_info info;
	for (unsigned i = 0; i < HEAPS_MAX; i++) {
		if (!read_heap_info(walk, heap, &info))
			return true;
		if (!add_heap(walk, copy, arena, heap, &info, largest))
			return false;
		*complete = heap == first;
		*unread = glibc_is_absent(walk, info.previous);
		if (*complete)
			return true;
		if (!may_be_heap(walk, info.previous, largest)) {
			if (!*unread)
				tell_previous(walk, arena, heap, info.previous);
			return true;
		}
		heap = info.previous;
	}
	return true;
}

/* The heaps together are what the arena had from the kernel. */
static void check_sum(struct glibc_walk *walk, const struct malloc_copy *copy,
		      const struct malloc_arena *arena)
{
	if (arena->heap_bytes == arena->system_memory)
		return;
	struct glibc_place place =
	    glibc_at(HEAP_DAMAGED_ARENAS, arena->index, arena->address,
		     arena->address + copy->layout.state.system_mem,
		     string_pool_format(walk->strings,
					"0x%" PRIx64 ", unless a heap is missing or has "
					"another size",
					arena->heap_bytes));
	glibc_finding(walk, &place,
		      "the arena at 0x%" PRIx64 " counts %s from the kernel, but its heaps have %s",
		      arena->address, size_text(arena->system_memory).text,
		      size_text(arena->heap_bytes).text);
}

bool glibc_find_heaps(struct glibc_walk *walk, struct malloc_copy *copy, struct malloc_arena *arena)
{
	const uint64_t first = arena->first_heap;
	uint64_t heap, largest;
	bool complete = false, unread = false;
	const size_t findings = walk->heap->findings.count;
	if (heap_of_top(walk, copy, arena, &heap, &largest)) {
		if (!follow_heaps(walk, copy, arena, heap, first, largest, &complete, &unread))
			return false;
	} else {
		unread = glibc_is_absent(walk, heap);
		if (!unread && !arena->is_overwritten)
			tell_lost_top(walk, arena);
	}
	const bool is_short = arena->heap_bytes < arena->system_memory;
	if (!complete && !search_heaps(walk, copy, arena, unread))
		return false;
	if (complete && is_short && !glibc_probe_heaps(walk, copy, arena, adopt_heap))
		return false;
	/* The first heap is known by the arena itself. */
	struct heap_info info;
	if (glibc_claimed(walk, first) == NULL && read_heap_info(walk, first, &info) &&
	    !add_heap(walk, copy, arena, first, &info, HEAP_MAX_SIZE))
		return false;
	if (!unread && !arena->is_overwritten && walk->heap->findings.count == findings)
		check_sum(walk, copy, arena);
	return true;
}
