/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "threads/address_map.h"

#include <stdlib.h>

/* The slot of `address`, or the free one where it belongs. */
static size_t slot_of(const struct address_map_slot *slots, size_t slot_count, uint64_t address)
{
	uint64_t hash = address * UINT64_C(0x9e3779b97f4a7c15);
	size_t slot = (size_t)(hash >> 32) & (slot_count - 1);
	while (slots[slot].value != 0 && slots[slot].address != address)
		slot = (slot + 1) & (slot_count - 1);
	return slot;
}

bool address_map_find(const struct address_map *map, uint64_t address, uint32_t *value)
{
	if (map->slot_count == 0)
		return false;
	const struct address_map_slot *slot =
	    &map->slots[slot_of(map->slots, map->slot_count, address)];
	if (slot->value == 0)
		return false;
	*value = slot->value - 1;
	return true;
}

static bool grow(struct address_map *map)
{
	size_t slot_count = map->slot_count == 0 ? 256 : map->slot_count * 2;
	struct address_map_slot *slots = calloc(slot_count, sizeof *slots);
	if (slots == NULL)
		return false;
	for (size_t i = 0; i < map->slot_count; i++)
		if (map->slots[i].value != 0)
			slots[slot_of(slots, slot_count, map->slots[i].address)] = map->slots[i];
	free(map->slots);
	map->slots = slots;
	map->slot_count = slot_count;
	return true;
}

bool address_map_add(struct address_map *map, uint64_t address, uint32_t value)
{
	if (map->count >= map->slot_count / 2 && !grow(map))
		return false;
	map->slots[slot_of(map->slots, map->slot_count, address)] =
	    (struct address_map_slot){ .address = address, .value = value + 1 };
	map->count++;
	return true;
}

void address_map_free(struct address_map *map)
{
	free(map->slots);
	*map = (struct address_map){ 0 };
}
