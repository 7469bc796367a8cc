/* The inside of the chunk table, and its lookups as inline functions for the mark loop. Everyone
 * else uses chunk_table.h.
 *
 * From an address to its region: the address space is cut into zones of 1 TB; a zone that holds
 * regions has a directory of equal slots over their span, and a slot says which region is the
 * first that ends above the slot's start. So most lookups touch one slot and one region, with one
 * region or 65,536 of them.
 *
 * From a granule to the chunk around it: the start bitmap, searched backwards, with summaries
 * above it (a bit for each word that is not zero), so that a chunk of gigabytes costs no more
 * steps than there are levels.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORESCAN_HEAP_CHUNK_LOOKUP_H
#define CORESCAN_HEAP_CHUNK_LOOKUP_H

#include "heap/chunk_table.h"

#define CHUNK_ZONE_SHIFT   40
#define CHUNK_ADDRESS_BITS 57 /* user addresses of every Linux architecture fit */
#define CHUNK_LEVELS_MAX   8
#define CHUNK_NONE	   UINT64_MAX

struct chunk_zone {
	uint64_t base, span; /* from the first region in the zone to the end of the last */
	uint32_t shift;	     /* a slot covers 1 << shift bytes */
	uint32_t first_slot; /* in chunk_table.slots; there is one more slot than the span needs */
};

struct chunk_table {
	struct chunk_region *regions; /* in the order of adding, from the sort on by address */
	uint32_t *position;	      /* of the region with a number: its index in .regions */
	uint32_t *order;	      /* until the sort: numbers of the regions by address */
	uint32_t region_count, region_capacity;
	bool sorted, frozen;

	uint64_t granules;
	uint64_t word_capacity;
	uint64_t *used;
	uint64_t *levels[CHUNK_LEVELS_MAX]; /* [0]: the start bits; the others from the freeze on */
	uint64_t level_words[CHUNK_LEVELS_MAX];
	unsigned level_count;

	struct chunk_zone *zones;
	uint64_t zone_count;
	uint32_t *slots;
};

/* The index of the first region in [low, high) that ends above `address`; `high`: none does. */
static inline uint32_t chunk_lookup_search(const struct chunk_table *table, uint64_t address,
					   uint32_t low, uint32_t high)
{
	while (low < high) {
		uint32_t middle = low + (high - low) / 2;
		if (table->regions[middle].end > address)
			high = middle;
		else
			low = middle + 1;
	}
	return low;
}

/* The index of the first region that ends above `address`, if the directory has an answer: the
 * region need not hold the address. False: no region holds it. */
static inline bool chunk_lookup_slot(const struct chunk_table *table, uint64_t address,
				     uint32_t *index)
{
	uint64_t zone_number = address >> CHUNK_ZONE_SHIFT;
	if (zone_number >= table->zone_count)
		return false;
	const struct chunk_zone *zone = &table->zones[zone_number];
	uint64_t offset = address - zone->base;
	if (offset >= zone->span)
		return false;
	const uint32_t *slot = &table->slots[zone->first_slot + (offset >> zone->shift)];
	*index = chunk_lookup_search(table, address, slot[0], slot[1]);
	return true;
}

/* The index of the first region that ends above `address`; the count when none does. */
static inline uint32_t chunk_lookup_from(const struct chunk_table *table, uint64_t address)
{
	uint32_t index;
	return chunk_lookup_slot(table, address, &index)
		   ? index
		   : chunk_lookup_search(table, address, 0, table->region_count);
}

/* The region that holds `address`, or NULL. */
static inline const struct chunk_region *chunk_lookup_region(const struct chunk_table *table,
							     uint64_t address)
{
	uint32_t index;
	if (!chunk_lookup_slot(table, address, &index) || index >= table->region_count)
		return NULL;
	const struct chunk_region *region = &table->regions[index];
	return address - region->start < region->end - region->start ? region : NULL;
}

/* The granule of `address`, which lies in `region`. */
static inline uint64_t chunk_lookup_granule(const struct chunk_region *region, uint64_t address)
{
	return region->first_granule +
	       (region->single ? 0 : (address - region->start) / CHUNK_GRANULE);
}

/* The number of the region's last granule + 1. */
static inline uint64_t chunk_lookup_limit(const struct chunk_region *region)
{
	uint64_t size = region->end - region->start;
	if (size == 0)
		return region->first_granule;
	return region->first_granule + (region->single ? 1 : (size - 1) / CHUNK_GRANULE + 1);
}

/* The user address of the chunk that begins at granule `number` of `region`. */
static inline uint64_t chunk_lookup_address(const struct chunk_region *region, uint64_t number)
{
	return region->start + (number - region->first_granule) * CHUNK_GRANULE;
}

/* The region that has granule `number`, which some region has. */
const struct chunk_region *chunk_lookup_numbered(const struct chunk_table *table, uint64_t number);

/* The slow parts of the two searches below, for when the word at hand has no answer. `word` is the
 * index of a word of the start bits; the answer lies in a lower (higher) word, CHUNK_NONE: none. */
uint64_t chunk_lookup_below(const struct chunk_table *table, uint64_t word);
uint64_t chunk_lookup_above(const struct chunk_table *table, uint64_t word);

/* The last granule at or below `granule` where a chunk of `region` begins, or CHUNK_NONE. */
static inline uint64_t chunk_lookup_start(const struct chunk_table *table,
					  const struct chunk_region *region, uint64_t granule)
{
	uint64_t word = granule / 64;
	uint64_t bits = table->levels[0][word] & (UINT64_MAX >> (63 - granule % 64));
	uint64_t found = bits != 0 ? word * 64 + 63 - (uint64_t)__builtin_clzll(bits)
				   : chunk_lookup_below(table, word);
	return found == CHUNK_NONE || found < region->first_granule ? CHUNK_NONE : found;
}

/* The first granule at or above `granule` where a chunk of `region` begins, or CHUNK_NONE. */
static inline uint64_t chunk_lookup_following(const struct chunk_table *table,
					      const struct chunk_region *region, uint64_t granule)
{
	uint64_t limit = chunk_lookup_limit(region);
	if (granule >= limit)
		return CHUNK_NONE;
	uint64_t word = granule / 64;
	uint64_t bits = table->levels[0][word] & (UINT64_MAX << granule % 64);
	uint64_t found = bits != 0 ? word * 64 + (uint64_t)__builtin_ctzll(bits)
				   : chunk_lookup_above(table, word);
	return found >= limit ? CHUNK_NONE : found;
}

/* Usable bytes of the chunk that begins at granule `number` of `region`. */
static inline uint64_t chunk_lookup_size(const struct chunk_table *table,
					 const struct chunk_region *region, uint64_t number)
{
	uint64_t address = chunk_lookup_address(region, number);
	uint64_t following = chunk_lookup_following(table, region, number + 1);
	uint64_t end =
	    following == CHUNK_NONE ? region->end : chunk_lookup_address(region, following);
	return end - address > region->trailer ? end - address - region->trailer : 0;
}

static inline bool chunk_lookup_bit(const uint64_t *bits, uint64_t number)
{
	return (bits[number / 64] >> number % 64 & 1) != 0;
}

#endif
