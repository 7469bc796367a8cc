/* Growable arrays: ARRAY(T) is a struct of items, count and capacity.
 *
 *     ARRAY(uint64_t) words = { 0 };
 *     if (!array_push(&words, value)) return error_no_memory();
 *     array_free(&words);
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORESCAN_BASE_ARRAY_H
#define CORESCAN_BASE_ARRAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>

#define ARRAY(T)                                                                                   \
	struct {                                                                                   \
		T *items;                                                                          \
		size_t count;                                                                      \
		size_t capacity;                                                                   \
	}

/* Makes room for `more` further items. False when memory is exhausted: the array is unchanged. */
#define array_reserve(array, more)                                                                 \
	array_grow((void **)&(array)->items, (array)->count, &(array)->capacity, (more),           \
		   sizeof *(array)->items)

/* Appends one item. False when memory is exhausted. `...` so that compound literals work. */
#define array_push(array, ...)                                                                     \
	(array_reserve((array), 1) ? ((array)->items[(array)->count++] = (__VA_ARGS__), true)      \
				   : false)

/* Releases the items; the array is empty and usable again. */
#define array_free(array)                                                                          \
	(free((array)->items), (array)->items = NULL, (array)->count = (array)->capacity = 0)

/* The body of array_reserve; call it through the macro. */
bool array_grow(void **items, size_t count, size_t *capacity, size_t more, size_t item_size);

#endif
