/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "heap/chunk_table.h"

#include "base/large_array.h"
#include "heap/chunk_lookup.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define ADDRESS_END    ((uint64_t)1 << CHUNK_ADDRESS_BITS)
#define ZONE_SIZE      ((uint64_t)1 << CHUNK_ZONE_SHIFT)
#define SLOTS_AT_LEAST 64

struct chunk_table *chunk_table_new(void)
{
	struct chunk_table *table = calloc(1, sizeof *table);
	if (table != NULL)
		table->level_count = 1;
	return table;
}

void chunk_table_free(struct chunk_table *table)
{
	if (table == NULL)
		return;
	free(table->regions);
	free(table->position);
	free(table->order);
	large_array_free(table->used, table->word_capacity, sizeof *table->used);
	large_array_free(table->levels[0], table->word_capacity, sizeof *table->levels[0]);
	for (unsigned level = 1; level < CHUNK_LEVELS_MAX; level++)
		free(table->levels[level]);
	free(table->zones);
	free(table->slots);
	free(table);
}

static void set_bit(uint64_t *bits, uint64_t number, bool value)
{
	uint64_t mask = (uint64_t)1 << number % 64;
	if (value)
		bits[number / 64] |= mask;
	else
		bits[number / 64] &= ~mask;
}

/* Clears the bits [from, to). */
static void clear_bits(uint64_t *bits, uint64_t from, uint64_t to)
{
	for (; from < to && from % 64 != 0; from++)
		set_bit(bits, from, false);
	if (from >= to)
		return;
	memset(bits + from / 64, 0, (to - from) / 64 * sizeof *bits);
	for (from += (to - from) / 64 * 64; from < to; from++)
		set_bit(bits, from, false);
}

static bool grow_words(uint64_t **words, uint64_t from, uint64_t to)
{
	uint64_t *grown = large_array_grow(*words, from, to, sizeof *grown);
	if (grown != NULL)
		*words = grown;
	return grown != NULL;
}

static bool reserve_granules(struct chunk_table *table, uint64_t more)
{
	uint64_t wanted = (table->granules + more + 63) / 64;
	if (wanted <= table->word_capacity)
		return true;
	if (wanted < table->word_capacity + table->word_capacity / 4)
		wanted = table->word_capacity + table->word_capacity / 4;
	if (wanted > SIZE_MAX / 16 || !grow_words(&table->levels[0], table->word_capacity, wanted))
		return false;
	if (!grow_words(&table->used, table->word_capacity, wanted)) {
		grow_words(&table->levels[0], wanted, table->word_capacity);
		return false;
	}
	table->word_capacity = wanted;
	return true;
}

static bool grow_numbers(uint32_t **numbers, uint32_t capacity)
{
	uint32_t *grown = reallocarray(*numbers, capacity, sizeof *grown);
	if (grown != NULL)
		*numbers = grown;
	return grown != NULL;
}

static bool reserve_region(struct chunk_table *table)
{
	if (table->region_count < table->region_capacity)
		return true;
	if (table->region_capacity > UINT32_MAX / 4)
		return false;
	uint32_t capacity = table->region_capacity * 2 + 16;
	struct chunk_region *grown = reallocarray(table->regions, capacity, sizeof *grown);
	if (grown == NULL)
		return false;
	table->regions = grown;
	if (!grow_numbers(&table->position, capacity) || !grow_numbers(&table->order, capacity))
		return false;
	table->region_capacity = capacity;
	return true;
}

/* Where a region that starts at `start` belongs in .order. Heaps come in address order, mostly. */
static uint32_t place_in_order(const struct chunk_table *table, uint64_t start)
{
	uint32_t low = 0, high = table->region_count;
	if (high > 0 && table->regions[table->order[high - 1]].start < start)
		return high;
	while (low < high) {
		uint32_t middle = low + (high - low) / 2;
		if (table->regions[table->order[middle]].start < start)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* The region that [start, end) overlaps when it is put at `place` in the order, or NULL. */
static const struct chunk_region *overlapped(const struct chunk_table *table, uint32_t place,
					     uint64_t start, uint64_t end)
{
	if (place > 0) {
		const struct chunk_region *below = &table->regions[table->order[place - 1]];
		if (below->end > start)
			return below;
	}
	if (place < table->region_count) {
		const struct chunk_region *above = &table->regions[table->order[place]];
		if (above->start < end)
			return above;
	}
	return NULL;
}

static struct error *check_region(const struct chunk_table *table, uint32_t place, uint64_t start,
				  uint64_t end)
{
	if (start == 0 || start >= end || start % CHUNK_GRANULE != 0 || end > ADDRESS_END)
		return error_new(ERROR_BAD_DATA,
				 "0x%" PRIx64 "-0x%" PRIx64 " cannot be a region of chunks", start,
				 end);
	const struct chunk_region *other = overlapped(table, place, start, end);
	if (other != NULL)
		return error_new(ERROR_BAD_DATA,
				 "the chunks at 0x%" PRIx64 "-0x%" PRIx64
				 " overlap those at 0x%" PRIx64 "-0x%" PRIx64,
				 start, end, other->start, other->end);
	return NULL;
}

struct error *chunk_table_add_region(struct chunk_table *table, uint64_t start, uint64_t end,
				     uint32_t trailer, uint32_t arena, bool single,
				     uint32_t *region)
{
	if (table->sorted)
		return error_new(ERROR_BAD_DATA, "a region was added after the chunks were sorted");
	uint32_t place = place_in_order(table, start);
	struct error *error = check_region(table, place, start, end);
	if (error != NULL)
		return error;

	struct chunk_region added = {
		.start = start,
		.end = end,
		.first_granule = table->granules,
		.trailer = trailer,
		.arena = arena,
		.single = single,
	};
	uint64_t granules = chunk_lookup_limit(&added) - added.first_granule;
	if (!reserve_region(table) || !reserve_granules(table, granules))
		return error_no_memory();

	uint32_t number = table->region_count++;
	table->regions[number] = added;
	table->position[number] = number;
	memmove(table->order + place + 1, table->order + place,
		(number - place) * sizeof *table->order);
	table->order[place] = number;
	table->granules += granules;
	if (single)
		chunk_table_add(table, number, start, true);
	*region = number;
	return NULL;
}

void chunk_table_add(struct chunk_table *table, uint32_t region, uint64_t address, bool used)
{
	uint64_t number = chunk_lookup_granule(&table->regions[table->position[region]], address);
	set_bit(table->levels[0], number, true);
	set_bit(table->used, number, used);
}

void chunk_table_cut(struct chunk_table *table, uint32_t region, uint64_t end)
{
	struct chunk_region *cut = &table->regions[table->position[region]];
	uint64_t limit = chunk_lookup_limit(cut);
	if (end >= cut->end)
		return;
	cut->end = end > cut->start ? end : cut->start;
	clear_bits(table->levels[0], chunk_lookup_limit(cut), limit);
	clear_bits(table->used, chunk_lookup_limit(cut), limit);
}

void chunk_table_empty(struct chunk_table *table, uint32_t region)
{
	const struct chunk_region *emptied = &table->regions[table->position[region]];
	const uint64_t limit = chunk_lookup_limit(emptied);
	clear_bits(table->levels[0], emptied->first_granule, limit);
	clear_bits(table->used, emptied->first_granule, limit);
}

uint64_t chunk_table_bytes_to_word(const struct chunk_table *table, uint32_t region,
				   uint64_t address)
{
	const uint64_t granule =
	    chunk_lookup_granule(&table->regions[table->position[region]], address);
	return (64 - granule % 64) % 64 * CHUNK_GRANULE;
}

/* From here on .regions is in address order; numbers given out before stay good. */
static struct error *arrange_regions(struct chunk_table *table)
{
	struct chunk_region *arranged = calloc(table->region_count + 1, sizeof *arranged);
	if (arranged == NULL)
		return error_no_memory();
	for (uint32_t i = 0; i < table->region_count; i++) {
		arranged[i] = table->regions[table->order[i]];
		table->position[table->order[i]] = i;
	}
	free(table->regions);
	table->regions = arranged;
	free(table->order);
	table->order = NULL;
	return NULL;
}

/* The zone's part of [region->start, region->end), widening what `zone` spans. */
static void widen_zone(struct chunk_zone *zone, uint64_t zone_start,
		       const struct chunk_region *region)
{
	uint64_t start = region->start > zone_start ? region->start : zone_start;
	uint64_t end = region->end < zone_start + ZONE_SIZE ? region->end : zone_start + ZONE_SIZE;
	if (zone->span == 0)
		zone->base = start;
	zone->span = end - zone->base;
	zone->first_slot++; /* for now, the number of regions */
}

/* Spans of all zones, and in .first_slot how many regions each has. */
static struct error *make_zones(struct chunk_table *table)
{
	if (table->region_count == 0)
		return NULL;
	uint64_t last = table->regions[table->region_count - 1].end - 1;
	table->zones = calloc((last >> CHUNK_ZONE_SHIFT) + 1, sizeof *table->zones);
	if (table->zones == NULL)
		return error_no_memory();
	table->zone_count = (last >> CHUNK_ZONE_SHIFT) + 1;
	for (uint32_t i = 0; i < table->region_count; i++) {
		const struct chunk_region *region = &table->regions[i];
		if (region->start == region->end)
			continue;
		uint64_t zone_last = (region->end - 1) >> CHUNK_ZONE_SHIFT;
		for (uint64_t z = region->start >> CHUNK_ZONE_SHIFT; z <= zone_last; z++)
			widen_zone(&table->zones[z], z << CHUNK_ZONE_SHIFT, region);
	}
	return NULL;
}

/* How many slots the zone has for its span; sets the shift for about four slots a region. */
static uint64_t size_slots(struct chunk_zone *zone)
{
	uint64_t wanted = (uint64_t)zone->first_slot * 4;
	if (wanted < SLOTS_AT_LEAST)
		wanted = SLOTS_AT_LEAST;
	zone->shift = 4;
	while (zone->span >> zone->shift >= wanted)
		zone->shift++;
	return ((zone->span - 1) >> zone->shift) + 1;
}

static void fill_slots(const struct chunk_table *table, const struct chunk_zone *zone,
		       uint64_t slots, uint32_t *region)
{
	for (uint64_t slot = 0; slot <= slots; slot++) {
		uint64_t start = zone->base + (slot << zone->shift);
		while (*region < table->region_count && table->regions[*region].end <= start)
			++*region;
		table->slots[zone->first_slot + slot] = *region;
	}
}

static struct error *make_directory(struct chunk_table *table)
{
	uint64_t total = 0;
	for (uint64_t z = 0; z < table->zone_count; z++)
		if (table->zones[z].span != 0)
			total += size_slots(&table->zones[z]) + 1;
	if (total == 0)
		return NULL;
	if (total > UINT32_MAX)
		return error_no_memory();
	table->slots = calloc(total, sizeof *table->slots);
	if (table->slots == NULL)
		return error_no_memory();
	uint32_t first = 0, region = 0;
	for (uint64_t z = 0; z < table->zone_count; z++) {
		struct chunk_zone *zone = &table->zones[z];
		if (zone->span == 0)
			continue;
		uint64_t slots = ((zone->span - 1) >> zone->shift) + 1;
		zone->first_slot = first;
		/* The last slot may reach past the zone; the next zone starts its own search. */
		uint32_t from = region;
		fill_slots(table, zone, slots, &from);
		first += (uint32_t)slots + 1;
		while (region < table->region_count &&
		       table->regions[region].end <= (z + 1) << CHUNK_ZONE_SHIFT)
			region++;
	}
	return NULL;
}

struct error *chunk_table_sort(struct chunk_table *table)
{
	if (table->sorted)
		return NULL;
	struct error *error = arrange_regions(table);
	if (error != NULL)
		return error;
	table->sorted = true;
	error = make_zones(table);
	if (error == NULL)
		error = make_directory(table);
	if (error != NULL)
		table->zone_count = 0;
	return error;
}

/* One bit for each word of the level below that is not zero. */
static bool add_level(struct chunk_table *table)
{
	unsigned level = table->level_count;
	const uint64_t *below = table->levels[level - 1];
	uint64_t count = table->level_words[level - 1];
	uint64_t *summary = calloc((count + 63) / 64, sizeof *summary);
	if (summary == NULL)
		return false;
	for (uint64_t i = 0; i < count; i++)
		if (below[i] != 0)
			set_bit(summary, i, true);
	table->levels[level] = summary;
	table->level_words[level] = (count + 63) / 64;
	table->level_count++;
	return true;
}

struct error *chunk_table_freeze(struct chunk_table *table)
{
	struct error *error = chunk_table_sort(table);
	if (error != NULL || table->frozen)
		return error;
	table->level_words[0] = (table->granules + 63) / 64;
	while (table->level_count < CHUNK_LEVELS_MAX &&
	       table->level_words[table->level_count - 1] > 1)
		if (!add_level(table))
			return error_no_memory();
	table->frozen = true;
	return NULL;
}

uint64_t chunk_lookup_below(const struct chunk_table *table, uint64_t word)
{
	if (table->level_count == 1) {
		while (word > 0)
			if (table->levels[0][--word] != 0)
				return word * 64 + 63 -
				       (uint64_t)__builtin_clzll(table->levels[0][word]);
		return CHUNK_NONE;
	}
	unsigned level = 1;
	uint64_t found = CHUNK_NONE;
	for (; level < table->level_count && found == CHUNK_NONE; level++) {
		uint64_t bits = table->levels[level][word / 64] & (((uint64_t)1 << word % 64) - 1);
		word /= 64;
		if (bits != 0)
			found = word * 64 + 63 - (uint64_t)__builtin_clzll(bits);
	}
	if (found == CHUNK_NONE)
		return CHUNK_NONE;
	for (level--; level > 0; level--)
		found =
		    found * 64 + 63 - (uint64_t)__builtin_clzll(table->levels[level - 1][found]);
	return found;
}

uint64_t chunk_lookup_above(const struct chunk_table *table, uint64_t word)
{
	if (table->level_count == 1) {
		uint64_t words = (table->granules + 63) / 64;
		while (++word < words)
			if (table->levels[0][word] != 0)
				return word * 64 +
				       (uint64_t)__builtin_ctzll(table->levels[0][word]);
		return CHUNK_NONE;
	}
	unsigned level = 1;
	uint64_t found = CHUNK_NONE;
	for (; level < table->level_count && found == CHUNK_NONE; level++) {
		/* Shifted twice: a shift by 64 has no meaning in C. */
		uint64_t bits = table->levels[level][word / 64] & (UINT64_MAX << word % 64 << 1);
		word /= 64;
		if (bits != 0)
			found = word * 64 + (uint64_t)__builtin_ctzll(bits);
	}
	if (found == CHUNK_NONE)
		return CHUNK_NONE;
	for (level--; level > 0; level--)
		found = found * 64 + (uint64_t)__builtin_ctzll(table->levels[level - 1][found]);
	return found;
}

const struct chunk_region *chunk_table_regions(const struct chunk_table *table, size_t *count)
{
	*count = table->region_count;
	return table->regions;
}

uint64_t chunk_table_granules(const struct chunk_table *table)
{
	return table->granules;
}

const uint64_t *chunk_table_start_bits(const struct chunk_table *table)
{
	return table->levels[0];
}

const uint64_t *chunk_table_used_bits(const struct chunk_table *table)
{
	return table->used;
}

static void describe(const struct chunk_table *table, const struct chunk_region *region,
		     uint64_t number, struct chunk *chunk)
{
	chunk->address = chunk_lookup_address(region, number);
	chunk->size = chunk_lookup_size(table, region, number);
	chunk->number = number;
	chunk->used = chunk_lookup_bit(table->used, number);
	chunk->region = region;
}

bool chunk_table_set_used(struct chunk_table *table, uint64_t address, bool used)
{
	const struct chunk_region *region = chunk_lookup_region(table, address);
	if (region == NULL || table->frozen)
		return false;
	uint64_t number = chunk_lookup_granule(region, address);
	if (chunk_lookup_address(region, number) != address ||
	    !chunk_lookup_bit(table->levels[0], number))
		return false;
	set_bit(table->used, number, used);
	return true;
}

bool chunk_table_find(const struct chunk_table *table, uint64_t address, struct chunk *chunk)
{
	const struct chunk_region *region = chunk_lookup_region(table, address);
	if (region == NULL)
		return false;
	uint64_t number = chunk_lookup_start(table, region, chunk_lookup_granule(region, address));
	if (number == CHUNK_NONE)
		return false;
	struct chunk found;
	describe(table, region, number, &found);
	if (address - found.address >= found.size)
		return false;
	*chunk = found;
	return true;
}

bool chunk_table_next(const struct chunk_table *table, uint64_t address, struct chunk *chunk)
{
	for (uint32_t i = chunk_lookup_from(table, address); i < table->region_count; i++) {
		const struct chunk_region *region = &table->regions[i];
		if (region->single && address > region->start)
			continue;
		uint64_t from = address > region->start ? address - region->start : 0;
		uint64_t number = chunk_lookup_following(
		    table, region,
		    region->first_granule + (from + CHUNK_GRANULE - 1) / CHUNK_GRANULE);
		if (number != CHUNK_NONE) {
			describe(table, region, number, chunk);
			return true;
		}
	}
	return false;
}

const struct chunk_region *chunk_lookup_numbered(const struct chunk_table *table, uint64_t number)
{
	/* Granules were given out in the order of the regions' numbers. */
	uint32_t low = 0, high = table->region_count;
	while (high - low > 1) {
		uint32_t middle = low + (high - low) / 2;
		if (table->regions[table->position[middle]].first_granule <= number)
			low = middle;
		else
			high = middle;
	}
	return &table->regions[table->position[low]];
}

bool chunk_table_numbered(const struct chunk_table *table, uint64_t number, struct chunk *chunk)
{
	if (number >= table->granules || !chunk_lookup_bit(table->levels[0], number))
		return false;
	describe(table, chunk_lookup_numbered(table, number), number, chunk);
	return true;
}
