/* A map from addresses to indexes: what was worked out for a pc once is not worked out again, since
 * most threads of a server stand in the same places.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORESCAN_THREADS_ADDRESS_MAP_H
#define CORESCAN_THREADS_ADDRESS_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* All zero: empty. */
struct address_map {
	struct address_map_slot {
		uint64_t address;
		uint32_t value; /* + 1; 0: a free slot */
	} * slots;
	size_t slot_count; /* 0 or a power of two */
	size_t count;
};

bool address_map_find(const struct address_map *map, uint64_t address, uint32_t *value);

/* `address` must not be in the map yet; `value` is below UINT32_MAX. False when memory is
 * exhausted: the map is unchanged. */
bool address_map_add(struct address_map *map, uint64_t address, uint32_t value);

void address_map_free(struct address_map *map);

#endif
