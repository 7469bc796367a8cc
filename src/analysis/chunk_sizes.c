/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "analysis/chunk_sizes.h"

#include <stddef.h>

/* The group of a size, and what else is in it. A chunk's usable size is 8 beyond a multiple of 16,
 * or of a mmapped one the multiple itself. */
static size_t group_of(uint64_t size, uint64_t *least, uint64_t *most)
{
	uint64_t step = size / 16;
	if (step <= CHUNK_SIZES_EXACT) {
		*least = *most = size;
		return step;
	}
	unsigned doubling = 63 - (unsigned)__builtin_clzll(step);
	*least = 16ull << doubling;
	*most = *least * 2 - 1;
	return CHUNK_SIZES_EXACT + 1 + doubling - 6;
}

void chunk_sizes_count(const struct chunk_table *chunks, struct chunk_sizes *sizes)
{
	struct chunk chunk;
	*sizes = (struct chunk_sizes){ 0 };
	for (uint64_t at = 0; chunk_table_next(chunks, at, &chunk); at = chunk.address + 1) {
		uint64_t least, most;
		if (!chunk.used)
			continue;
		struct chunk_size *group = &sizes->groups[group_of(chunk.size, &least, &most)];
		group->least = group->chunks == 0 || least < group->least ? least : group->least;
		group->most = most > group->most ? most : group->most;
		group->chunks++;
		group->bytes += chunk.size;
	}
}
