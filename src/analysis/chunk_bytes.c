/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "analysis/chunk_bytes.h"

#include <stdlib.h>

const uint8_t **chunk_bytes_new(const struct target *target, const struct chunk_table *table)
{
	size_t count;
	const struct chunk_region *regions = chunk_table_regions(table, &count);
	const uint8_t **starts = calloc(count + 1, sizeof *starts);
	for (size_t i = 0; starts != NULL && i < count; i++) {
		uint64_t size = regions[i].end - regions[i].start;
		size = size > regions[i].trailer ? size - regions[i].trailer : 0;
		const uint8_t *bytes;
		if (size != 0 &&
		    address_space_span(target->space, regions[i].start, size, &bytes) == size)
			starts[i] = bytes;
	}
	return starts;
}
