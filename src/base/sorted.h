/* Sorted arrays, taken apart into what is equal.
 *
 *     for (size_t start = 0, end; start < count; start = end) {
 *             end = sorted_run(items, count, sizeof *items, start, compare);
 *             …  items[start] to items[end - 1] are equal
 *     }
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORESCAN_BASE_SORTED_H
#define CORESCAN_BASE_SORTED_H

#include <stdlib.h>

/* The index behind the last item that compares equal to the one at `start`. `compare` is qsort's,
 * or leaves out what only orders equal items. */
static inline size_t sorted_run(const void *items, size_t count, size_t size, size_t start,
				int (*compare)(const void *left, const void *right))
{
	const char *bytes = items;
	size_t end = start + 1;
	while (end < count && compare(bytes + start * size, bytes + end * size) == 0)
		end++;
	return end;
}

/* qsort, which must not be given an empty array's NULL. */
static inline void sorted_make(void *items, size_t count, size_t size,
			       int (*compare)(const void *left, const void *right))
{
	if (count > 1)
		qsort(items, count, size, compare);
}

/* The order of two numbers, as compare functions return it. */
#define sorted_order(left, right) (((left) > (right)) - ((left) < (right)))

#endif
