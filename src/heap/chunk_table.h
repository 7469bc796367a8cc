/* The table of all chunks of a process: regions of memory with one start bit and one in-use bit
 * per 16 bytes, so that 30 million chunks cost bits, not tens of bytes each. Built by a heap
 * provider, frozen before analysis, then only read.
 *
 * A chunk here is what the program was given: it begins at the user address (what malloc
 * returned) and ends at its usable size. The allocator's header lies between chunks: every chunk
 * of a region is followed by `trailer` bytes that belong to no chunk.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORESCAN_HEAP_CHUNK_TABLE_H
#define CORESCAN_HEAP_CHUNK_TABLE_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CHUNK_GRANULE 16

/* Region of consecutive chunks: a heap segment, or a single mmapped chunk. */
struct chunk_region {
	uint64_t start;		/* user address of the first chunk; 16-aligned */
	uint64_t end;		/* where the next chunk's user address would be */
	uint64_t first_granule; /* number of .start's granule in the bitmaps */
	uint32_t trailer;	/* bytes before the next chunk's user address that are not ours;
				   fewer than CHUNK_GRANULE */
	uint32_t arena;		/* index in heap.arenas */
	bool single;		/* one chunk only: the region has a single granule in the bitmaps */
};

struct chunk {
	uint64_t address; /* user address */
	uint64_t size;	  /* usable bytes */
	uint64_t number;  /* the granule of its start: an index for side bitmaps */
	bool used;	  /* false: free, as the allocator sees it (bins, fastbins, any tcache) */
	const struct chunk_region *region;
};

struct chunk_table;

struct chunk_table *chunk_table_new(void); /* NULL: no memory */
void chunk_table_free(struct chunk_table *table);

/* Building. Regions may come in any order but may not overlap (ERROR_BAD_DATA names both); a
 * region's size must be backed by the address space: the caller checks. `*region` is the number
 * for chunk_table_add. A single region already has its chunk, in use. */
struct error *chunk_table_add_region(struct chunk_table *table, uint64_t start, uint64_t end,
				     uint32_t trailer, uint32_t arena, bool single,
				     uint32_t *region);

/* Adds the chunk that begins at user address `address` of the region. Cheap: sets bits. The
 * caller has checked that `address` is 16-aligned and inside. */
void chunk_table_add(struct chunk_table *table, uint32_t region, uint64_t address, bool used);

/* Cuts a region's end to where its walk had to stop. Only before the freeze. */
void chunk_table_cut(struct chunk_table *table, uint32_t region, uint64_t end);

/* Takes back all chunks that were added to the region. Only before the freeze. */
void chunk_table_empty(struct chunk_table *table, uint32_t region);

/* How many bytes behind user address `address` of the region the first granule lies that begins a
 * word of the bitmaps: from there on another thread may add chunks. */
uint64_t chunk_table_bytes_to_word(const struct chunk_table *table, uint32_t region,
				   uint64_t address);

/* Marks the chunk that begins exactly at `address` as free, or in use. False when no chunk begins
 * there. Allowed until the freeze; it needs chunk_table_sort first. */
bool chunk_table_set_used(struct chunk_table *table, uint64_t address, bool used);

/* Sorts the regions so that lookups work; add no region afterwards. */
struct error *chunk_table_sort(struct chunk_table *table);
/* Sorts if need be, and ends building. */
struct error *chunk_table_freeze(struct chunk_table *table);

/* Regions in address order. */
const struct chunk_region *chunk_table_regions(const struct chunk_table *table, size_t *count);

/* How many granules there are: the size in bits of a side bitmap. */
uint64_t chunk_table_granules(const struct chunk_table *table);

/* The chunk that holds `address` (its usable bytes), or false. */
bool chunk_table_find(const struct chunk_table *table, uint64_t address, struct chunk *chunk);

/* The first chunk at or after `address`, in address order; false at the end. Iterates all:
 *     for (uint64_t at = 0; chunk_table_next(table, at, &chunk); at = chunk.address + 1) */
bool chunk_table_next(const struct chunk_table *table, uint64_t address, struct chunk *chunk);

/* The chunk of granule `number`; false when no chunk begins there. */
bool chunk_table_numbered(const struct chunk_table *table, uint64_t number, struct chunk *chunk);

/* For the hot loops: the bitmaps themselves, 64 granules a word, granule 0 in bit 0. */
const uint64_t *chunk_table_start_bits(const struct chunk_table *table);
const uint64_t *chunk_table_used_bits(const struct chunk_table *table);

#endif
