/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "golang/heap.h"

#include <string.h>

/* runtime.mSpanStateBox: in use for objects; 2 is for stacks. */
#define SPAN_IN_USE 1
#define ARENA_PAGES 8192
#define SPANS_MAX   (1ull << 28)
#define OBJECTS_MAX (1ull << 32)
/* Arenas lie close to each other, wherever the heap begins: 1 TB here. */
#define RANGE_MAX   (1ull << 14)
#define SLOTS	    (2 * RANGE_MAX) /* while arenas are being made, .by_number is a hash of them */
#define IN_SPAN_MAX 512
/* Behind the bits of a span with marks of its own (Green Tea): those marks. */
#define INLINE_MARKS  128
#define ARENA_2_BYTES (2u << 20)
#define ARENA_1_BYTES (1u << 20)
#define NO_MORE_BYTES 16384

/* --- arenas */

/* The arena that holds `address`; made where it is not there yet. */
static struct go_arena *arena_at(struct go_heap *heap, uint64_t address)
{
	uint64_t number = address >> 26;
	uint32_t *slot =
	    &heap->by_number[number * UINT64_C(0x9e3779b97f4a7c15) >> 32 & (SLOTS - 1)];
	while (*slot != 0 && heap->arenas.items[*slot - 1].number != number)
		slot = slot + 1 < heap->by_number + SLOTS ? slot + 1 : heap->by_number;
	if (*slot != 0)
		return &heap->arenas.items[*slot - 1];
	struct go_arena arena = { .number = number,
				  .spans = calloc(ARENA_PAGES, sizeof *arena.spans) };
	if (arena.spans == NULL)
		return NULL;
	if (heap->arenas.count >= RANGE_MAX || !array_push(&heap->arenas, arena)) {
		free(arena.spans);
		return NULL;
	}
	*slot = (uint32_t)heap->arenas.count;
	return &heap->arenas.items[heap->arenas.count - 1];
}

/* Enters the span at all its pages. */
static bool enter(struct go_heap *heap, const struct go_span *span, uint32_t number)
{
	for (uint64_t at = span->start; at < span->start + span->size;) {
		struct go_arena *arena = arena_at(heap, at);
		if (arena == NULL)
			return false;
		do {
			arena->spans[at >> 13 & (ARENA_PAGES - 1)] = number;
			at += GO_PAGE;
		} while (at < span->start + span->size && (at >> 26) == arena->number);
	}
	return true;
}

static bool index_arenas(struct go_heap *heap)
{
	uint64_t highest = 0;
	heap->lowest = UINT64_MAX;
	for (size_t i = 0; i < heap->arenas.count; i++) {
		uint64_t number = heap->arenas.items[i].number;
		heap->lowest = number < heap->lowest ? number : heap->lowest;
		highest = number > highest ? number : highest;
	}
	if (heap->arenas.count == 0 || highest - heap->lowest >= RANGE_MAX)
		return false;
	heap->range = highest - heap->lowest + 1;
	free(heap->by_number);
	heap->by_number = calloc(heap->range, sizeof *heap->by_number);
	if (heap->by_number == NULL)
		return false;
	for (size_t i = 0; i < heap->arenas.count; i++)
		heap->by_number[heap->arenas.items[i].number - heap->lowest] = (uint32_t)i + 1;
	return true;
}

/* The runtime's struct heapArena for an arena: mheap_.arenas leads to one table for all of 48 bits,
 * which begins at -2^47. */
static uint64_t heap_arena(const struct go_heap *heap, const struct go_arena *arena)
{
	uint64_t table, at;
	table = go_pointer(heap->process, heap->process->heap, GO_MHEAP_ARENAS);
	if (table == 0 || !address_space_u64(heap->process->space,
					     table + 8 * (arena->number + (1ull << 21)), &at))
		return 0;
	return at;
}

const uint8_t *go_heap_borrow(struct go_heap *heap, uint64_t address, uint64_t size)
{
	const uint8_t *bytes;
	if (address_space_span(heap->process->space, address, size, &bytes) == size)
		return bytes;
	uint8_t *copy = array_reserve(&heap->copies, 1) ? malloc(size) : NULL;
	if (copy == NULL || !address_space_probe(heap->process->space, address, copy, size)) {
		free(copy);
		return NULL;
	}
	array_push(&heap->copies, copy);
	return copy;
}

/* The bits of all words, where the arena has them. */
static void read_arena_bits(struct go_heap *heap, struct go_arena *arena)
{
	const struct go_process *process = heap->process;
	uint64_t base = heap_arena(heap, arena), bits, more;
	if (base == 0 || !go_offset(process, GO_HEAPARENA_BITMAP, &bits))
		return;
	bool one = go_offset(process, GO_HEAPARENA_NOMOREPTRS, &more);
	arena->bits = go_heap_borrow(heap, base + bits, one ? ARENA_1_BYTES : ARENA_2_BYTES);
	if (one)
		arena->no_more = go_heap_borrow(heap, base + more, NO_MORE_BYTES);
}

/* --- spans */

static bool read_layout(const struct go_process *process, uint64_t address, struct go_span *span)
{
	uint64_t state, pages, count, offset_free, offset_count, free_index;
	/* Since Go 1.22 these two are of 16 bits. */
	if (!go_offset(process, GO_MSPAN_FREEINDEX, &offset_free) ||
	    !go_offset(process, GO_MSPAN_NELEMS, &offset_count))
		return false;
	size_t size = offset_count - offset_free == 8 ? 8 : 2;
	if (!go_read(process, address, GO_MSPAN_STATE, 1, &state) || state != SPAN_IN_USE ||
	    !go_read(process, address, GO_MSPAN_STARTADDR, 8, &span->start) ||
	    !go_read(process, address, GO_MSPAN_NPAGES, 8, &pages) ||
	    !go_read(process, address, GO_MSPAN_ELEMSIZE, 8, &span->elem_size) ||
	    !go_read(process, address, GO_MSPAN_NELEMS, size, &count) ||
	    !go_read(process, address, GO_MSPAN_FREEINDEX, size, &free_index) ||
	    (span->start & (GO_PAGE - 1)) != 0 || span->start >> 47 != 0 || pages == 0 ||
	    pages > 1ull << 26 || span->elem_size < 8 || count == 0 ||
	    span->elem_size > pages * GO_PAGE || count > pages * GO_PAGE / span->elem_size)
		return false;
	span->size = pages * GO_PAGE;
	span->count = (uint32_t)count;
	span->free_index = free_index < count ? (uint32_t)free_index : span->count;
	span->scale =
	    count == 1 ? 0 : (uint32_t)(((1ull << 32) + span->elem_size - 1) / span->elem_size);
	return count == 1 || span->size <= 1u << 20;
}

static enum go_map_kind map_kind(const struct go_process *process, uint64_t address,
				 const struct go_span *span, uint64_t class)
{
	uint64_t offset, arena_chunk = 0;
	go_read(process, address, GO_MSPAN_ISUSERARENACHUNK, 1, &arena_chunk);
	if ((class & 1) != 0)
		return GO_MAP_NONE;
	if (arena_chunk != 0)
		return GO_MAP_UNKNOWN;
	if (go_offset(process, GO_HEAPARENA_NOMOREPTRS, &offset))
		return GO_MAP_ARENA_1;
	if (go_offset(process, GO_HEAPARENA_BITMAP, &offset))
		return GO_MAP_ARENA_2;
	if (span->elem_size <= IN_SPAN_MAX)
		return GO_MAP_IN_SPAN;
	return class >> 1 == 0 ? GO_MAP_LARGE : GO_MAP_HEADER;
}

/* Whether marks stand behind the span's bits: the arena tells of each page. */
static bool has_inline_marks(const struct go_heap *heap, const struct go_span *span)
{
	uint64_t offset;
	uint8_t byte;
	const struct go_arena arena = { .number = span->start >> 26 };
	uint64_t page = span->start >> 13 & (ARENA_PAGES - 1);
	if (!go_offset(heap->process, GO_HEAPARENA_PAGEUSESPANINLINEMARKBITS, &offset))
		return false;
	uint64_t base = heap_arena(heap, &arena);
	return base != 0 &&
	       address_space_probe(heap->process->space, base + offset + page / 8, &byte, 1) &&
	       (byte >> page % 8 & 1) != 0;
}

static void find_bits(struct go_heap *heap, uint64_t address, struct go_span *span)
{
	const struct go_process *process = heap->process;
	uint64_t bits = go_pointer(process, address, GO_MSPAN_ALLOCBITS);
	if (span->free_index < span->count && bits != 0)
		span->allocated = go_heap_borrow(heap, bits, (span->count + 7) / 8);
	if (span->map == GO_MAP_LARGE)
		span->type = go_pointer(process, address, GO_MSPAN_LARGETYPE);
	if (span->map != GO_MAP_IN_SPAN)
		return;
	uint64_t marks = has_inline_marks(heap, span) ? INLINE_MARKS : 0;
	span->pointers = go_heap_borrow(heap, span->start + span->size - marks - span->size / 64,
					span->size / 64);
	if (span->pointers == NULL)
		span->map = GO_MAP_UNKNOWN;
}

static void find_bytes(struct go_heap *heap, struct go_span *span)
{
	struct address_space *space = heap->process->space;
	const uint8_t *bytes;
	if (address_space_span(space, span->start, span->size, &bytes) == span->size) {
		span->bytes = bytes;
		return;
	}
	for (uint64_t at = 0; at < span->size;) {
		size_t size = address_space_span(space, span->start + at, span->size - at, &bytes);
		if (size == 0) {
			size = GO_PAGE - (at & (GO_PAGE - 1));
			heap->absent_bytes += size;
		}
		at += size;
	}
}

static bool add_span(struct go_heap *heap, uint64_t address)
{
	const struct go_process *process = heap->process;
	struct go_span span = { 0 };
	uint64_t class;
	if (!read_layout(process, address, &span) ||
	    !go_read(process, address, GO_MSPAN_SPANCLASS, 1, &class))
		return true;
	span.map = map_kind(process, address, &span, class);
	span.specials = go_pointer(process, address, GO_MSPAN_SPECIALS);
	span.first = heap->objects;
	find_bytes(heap, &span);
	find_bits(heap, address, &span);
	heap->objects += span.count;
	heap->bytes += span.size;
	return heap->objects <= OBJECTS_MAX && heap->bytes <= RANGE_MAX << 26 &&
	       array_push(&heap->spans, span) && enter(heap, &span, (uint32_t)heap->spans.count);
}

/* A goroutine's g is an object of the heap, in the span that is found for it. */
static bool agrees(const struct go_heap *heap)
{
	const struct go_slice *all = &heap->process->goroutines;
	uint64_t g, found = 0, looked = 0;
	for (uint64_t i = 0; i < all->count && looked < 16; i++, looked++) {
		if (!address_space_u64(heap->process->space, all->address + 8 * i, &g))
			continue;
		const struct go_span *span = go_heap_span(heap, g);
		uint32_t index;
		found += span != NULL && go_span_object(span, g, &index) &&
			 span->start + index * span->elem_size == g;
	}
	return looked > 0 && 10 * found >= 9 * looked;
}

/* Whether the map of a g says of fields whose nature is known what they are. */
static bool map_agrees(struct go_heap *heap, const struct go_span *span, uint64_t g)
{
	static const struct {
		enum go_field field;
		bool is_pointer;
	} known[] = {
		{ GO_G_DEFER, true },	      { GO_G_M, true },	    { GO_G_WAITING, true },
		{ GO_G_STACK_LO, false },     { GO_G_GOID, false }, { GO_G_WAITSINCE, false },
		{ GO_G_ATOMICSTATUS, false },
	};
	for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
		uint64_t offset;
		bool more;
		if (!go_offset(heap->process, known[i].field, &offset) || offset >= 512)
			continue;
		uint64_t pointers = go_object_pointers(heap, span, g, 0, 64, &more);
		if ((pointers >> offset / 8 & 1) != known[i].is_pointer)
			return false;
	}
	return true;
}

/* The maps are what marking rests on: where a new version has changed them, nothing is marked. */
static bool maps_agree(struct go_heap *heap)
{
	const struct go_slice *all = &heap->process->goroutines;
	uint64_t g, agree = 0, looked = 0;
	for (uint64_t i = 0; i < all->count && looked < 16; i++) {
		if (!address_space_u64(heap->process->space, all->address + 8 * i, &g))
			continue;
		const struct go_span *span = go_heap_span(heap, g);
		/* Of a larger object only a part is looked at. */
		if (span == NULL || span->elem_size > 512)
			continue;
		looked++;
		agree += map_agrees(heap, span, g);
	}
	return 10 * agree >= 9 * looked;
}

static struct error *read_spans(struct go_heap *heap)
{
	const struct go_process *process = heap->process;
	struct go_slice all;
	uint64_t address;
	if (process->heap == 0 || !go_read_slice(process, process->heap, GO_MHEAP_ALLSPANS, &all) ||
	    all.count > SPANS_MAX)
		return error_new(ERROR_UNSUPPORTED, "the spans of Go's heap were not found");
	for (uint64_t i = 0; i < all.count; i++)
		if (!address_space_u64(process->space, all.address + 8 * i, &address) ||
		    !add_span(heap, address))
			return error_new(ERROR_UNSUPPORTED,
					 "the list of the spans of Go's heap could not be read");
	if (!index_arenas(heap) || !agrees(heap))
		return error_new(ERROR_UNSUPPORTED,
				 "the spans of Go's heap do not agree with its goroutines");
	return NULL;
}

struct error *go_heap_open(struct go_process *process, struct go_heap *heap)
{
	struct go_heap opened = { .process = process };
	uint64_t offset;
	opened.masks = calloc(GO_MASKS, sizeof *opened.masks);
	opened.by_number = calloc(SLOTS, sizeof *opened.by_number);
	bool room = opened.masks != NULL && opened.by_number != NULL;
	struct error *error = room ? read_spans(&opened) : error_no_memory();
	if (error != NULL) {
		go_heap_free(&opened);
		return error;
	}
	if (go_offset(process, GO_HEAPARENA_BITMAP, &offset))
		for (size_t i = 0; i < opened.arenas.count; i++)
			read_arena_bits(&opened, &opened.arenas.items[i]);
	for (size_t i = 0; i < opened.spans.count; i++) {
		struct go_span *span = &opened.spans.items[i];
		span->arena = opened.by_number[(span->start >> 26) - opened.lowest] - 1;
	}
	if (!maps_agree(&opened)) {
		go_heap_free(&opened);
		return error_new(ERROR_UNSUPPORTED,
				 "what Go's heap says of its pointers does not agree with its "
				 "goroutines");
	}
	*heap = opened;
	return NULL;
}

void go_heap_free(struct go_heap *heap)
{
	for (size_t i = 0; i < heap->arenas.count; i++)
		free(heap->arenas.items[i].spans);
	for (size_t i = 0; i < heap->copies.count; i++)
		free(heap->copies.items[i]);
	array_free(&heap->arenas);
	array_free(&heap->spans);
	array_free(&heap->copies);
	free(heap->by_number);
	free(heap->masks);
	*heap = (struct go_heap){ 0 };
}
