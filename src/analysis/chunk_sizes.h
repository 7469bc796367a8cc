/* How the chunks in use are spread over sizes.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORESCAN_ANALYSIS_CHUNK_SIZES_H
#define CORESCAN_ANALYSIS_CHUNK_SIZES_H

#include "heap/chunk_table.h"

/* One group for each size that malloc gives, up to 1032 bytes, and then one for each doubling. */
#define CHUNK_SIZES_EXACT 64
#define CHUNK_SIZES_COUNT (CHUNK_SIZES_EXACT + 1 + 54)

struct chunk_sizes {
	struct chunk_size {
		uint64_t least, most; /* usable bytes; 0, 0: there is no such chunk */
		uint64_t chunks, bytes;
	} groups[CHUNK_SIZES_COUNT];
};

void chunk_sizes_count(const struct chunk_table *chunks, struct chunk_sizes *sizes);

#endif
