/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "heap/glibc/glibc.h"

#define LIST_AT_MOST 65536 /* chunks that tcache_count allows in a bin */

static bool free_chunk_at(const struct heap *heap, uint64_t address)
{
	struct chunk chunk;
	return address != 0 && chunk_table_find(heap->chunks, address, &chunk) && !chunk.used &&
	       chunk.address == address;
}

/* Whether the list that begins at `at` comes to `wanted`. Its links are plain up to glibc 2.31, and
 * disguised by their own place since: whichever leads to a free chunk. */
static bool list_holds(struct target *target, const struct heap *heap, uint64_t at, uint64_t wanted)
{
	for (unsigned i = 0; i < LIST_AT_MOST && free_chunk_at(heap, at); i++) {
		uint64_t stored;
		if (at == wanted)
			return true;
		if (!address_space_u64(target->space, at, &stored))
			return false;
		at = free_chunk_at(heap, stored) ? stored : stored ^ at >> 12;
	}
	return false;
}

bool glibc_cache_of(struct target *target, const struct heap *heap, const struct chunk *chunk,
		    uint64_t *cache)
{
	for (size_t i = 0; i < heap->internal.count; i++) {
		struct chunk tcache;
		if (!chunk_table_find(heap->chunks, heap->internal.items[i], &tcache))
			continue;
		for (uint64_t at = tcache.address; at + 8 <= tcache.address + tcache.size;
		     at += 8) {
			uint64_t first;
			if (address_space_u64(target->space, at, &first) &&
			    list_holds(target, heap, first, chunk->address)) {
				*cache = tcache.address;
				return true;
			}
		}
	}
	return false;
}
