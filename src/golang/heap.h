/* The heap of the Go runtime: spans of objects of one size, and which words of an object are
 * pointers.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORESCAN_GOLANG_HEAP_H
#define CORESCAN_GOLANG_HEAP_H

#include "base/gaps.h"
#include "golang/types.h"

#define GO_PAGE 8192

/* How a span's objects tell where their pointers are. */
enum go_map_kind {
	GO_MAP_NONE,	/* no pointers */
	GO_MAP_IN_SPAN, /* since Go 1.22, up to 512 bytes: a bit for each word, at the span's end */
	GO_MAP_HEADER,	/* since Go 1.22: the object's first word leads to its type */
	GO_MAP_LARGE,	/* since Go 1.22: the span leads to the type of its only object */
	GO_MAP_ARENA_2, /* up to Go 1.19: two bits for each word, in the heapArena */
	GO_MAP_ARENA_1, /* Go 1.20 and 1.21: one bit, and one for each 64 words: no more follow */
	GO_MAP_UNKNOWN, /* any word may be one */
};

struct go_span {
	uint64_t start, size; /* of all its pages */
	uint64_t elem_size;
	uint64_t first; /* number of its first object among all objects */
	uint32_t count; /* objects */
	uint32_t scale; /* 2^32 / elem_size, rounded up; 0 for the only object of a span */
	uint32_t arena; /* index in .arenas */
	uint32_t free_index;
	uint8_t map;		  /* enum go_map_kind */
	const uint8_t *bytes;	  /* of .start; NULL: its memory does not lie in one piece */
	const uint8_t *pointers;  /* GO_MAP_IN_SPAN: the bits; or NULL */
	const uint8_t *allocated; /* a bit for each object from .free_index on; or NULL */
	uint64_t type;		  /* GO_MAP_LARGE */
	uint64_t specials;	  /* finalizers and the like: address of the first; 0: none */
};

/* 64 MB of address space. */
struct go_arena {
	uint64_t number;	       /* address >> 26 */
	uint32_t *spans;	       /* of each page: index in .spans + 1; 0: none */
	const uint8_t *bits, *no_more; /* GO_MAP_ARENA_*; or NULL */
};

#define GO_MASKS 4096 /* types whose masks are kept; a power of two */

struct go_heap {
	const struct go_process *process;
	ARRAY(struct go_span) spans;
	ARRAY(struct go_arena) arenas; /* by number */
	uint32_t *by_number;	       /* of arena numbers from .lowest on: index + 1 */
	uint64_t lowest, range;
	uint64_t objects;      /* in all spans, free ones included */
	uint64_t bytes;	       /* of all spans in use */
	uint64_t absent_bytes; /* of them, that cannot be read */
	struct go_mask_cache {
		uint64_t address; /* of a type */
		struct go_type type;
		const uint8_t *mask; /* NULL: not known */
	} * masks;		     /* private */
	ARRAY(uint8_t *) copies;     /* private */
};

/* Reads the spans. ERROR_UNSUPPORTED: the heap was not found, or contradicts itself; with why.
 * ERROR_NO_MEMORY. */
struct error *go_heap_open(struct go_process *process, struct go_heap *heap);
void go_heap_free(struct go_heap *heap);

/* [address, address + size) of the target, as a copy that lives as long as the heap where it does
 * not lie in one piece. NULL: it cannot be read as a whole, or memory is exhausted. */
const uint8_t *go_heap_borrow(struct go_heap *heap, uint64_t address, uint64_t size);

/* The span and the object's number in it, of an address anywhere in the heap's spans; NULL: none.
 */
static inline struct go_span *go_heap_span(const struct go_heap *heap, uint64_t address)
{
	uint64_t number = (address >> 26) - heap->lowest;
	if (number >= heap->range || heap->by_number[number] == 0)
		return NULL;
	const struct go_arena *arena = &heap->arenas.items[heap->by_number[number] - 1];
	uint32_t span = arena->spans[address >> 13 & 8191];
	return span != 0 ? &heap->spans.items[span - 1] : NULL;
}

/* False in the rest behind the last object. */
static inline bool go_span_object(const struct go_span *span, uint64_t address, uint32_t *index)
{
	*index = (uint32_t)((address - span->start) * span->scale >> 32);
	return *index < span->count;
}

/* Whether the object is in use, or was when the last collection ended. */
static inline bool go_span_allocated(const struct go_span *span, uint32_t index)
{
	return index < span->free_index || span->allocated == NULL ||
	       (span->allocated[index / 8] >> index % 8 & 1) != 0;
}

/* Where the pointers of [from, from + words * 8) of an object are, as bits: `from` is a multiple of
 * 512 from the object's start, and `words` at most 64. `*more` is false where no pointer follows.
 */
uint64_t go_object_pointers(struct go_heap *heap, const struct go_span *span, uint64_t object,
			    uint64_t from, unsigned words, bool *more);

#endif
