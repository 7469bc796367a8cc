/* For loops that read all chunks: the bytes of each region at once, and large arrays of our own
 * that random access is to be fast in.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORESCAN_ANALYSIS_CHUNK_BYTES_H
#define CORESCAN_ANALYSIS_CHUNK_BYTES_H

#include "heap/chunk_table.h"
#include "target/target.h"

/* For each region of the table, our own address of its first byte, where all its bytes are one
 * span; else NULL: ask address_space_span. Freed by the caller. NULL: no memory. */
const uint8_t **chunk_bytes_new(const struct target *target, const struct chunk_table *table);

/* Zeroed memory in large pages, where the kernel grants them; NULL when there is none. */
void *large_array_new(size_t count, size_t item_size);
/* The array with room for more items, zeroed, perhaps elsewhere; NULL, and the array as it was,
 * when there is no memory. Whole pages are moved, not copied. */
void *large_array_grow(void *items, size_t count, size_t more, size_t item_size);
void large_array_free(void *items, size_t count, size_t item_size);

#endif
