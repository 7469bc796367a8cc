/* A map from addresses to indexes: what was worked out for a pc once is not worked out again, since
 * most threads of a server stand in the same places.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORESCAN_THREADS_PC_MAP_H
#define CORESCAN_THREADS_PC_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* All zero: empty. */
struct pc_map {
	struct pc_map_slot {
		uint64_t pc;
		uint32_t value; /* + 1; 0: a free slot */
	} * slots;
	size_t slot_count; /* 0 or a power of two */
	size_t count;
};

bool pc_map_find(const struct pc_map *map, uint64_t pc, uint32_t *value);

/* `pc` must not be in the map yet; `value` is below UINT32_MAX. False when memory is exhausted:
 * the map is unchanged. */
bool pc_map_add(struct pc_map *map, uint64_t pc, uint32_t value);

void pc_map_free(struct pc_map *map);

#endif
