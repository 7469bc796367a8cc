/* Large arrays that random access is to be fast in.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORESCAN_BASE_LARGE_ARRAY_H
#define CORESCAN_BASE_LARGE_ARRAY_H

#include <stddef.h>

/* Zeroed memory in large pages, where the kernel grants them; NULL when there is none. */
void *large_array_new(size_t count, size_t item_size);
/* The array, NULL for a new one, with room for `wanted` items, those that are new zeroed, perhaps
 * elsewhere; NULL, and the array as it was, when there is no memory. Whole pages are moved, not
 * copied. Fewer than `count` always fit. */
void *large_array_grow(void *items, size_t count, size_t wanted, size_t item_size);
/* `count` is that which it was made or grown for last. */
void large_array_free(void *items, size_t count, size_t item_size);

#endif
