/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/array.h"

#include <stdint.h>

bool array_grow(void **items, size_t count, size_t *capacity, size_t more, size_t item_size)
{
	if (more <= *capacity - count)
		return true;
	if (more > SIZE_MAX / 2 / item_size - count)
		return false;
	size_t wanted = count + more;
	if (wanted < *capacity + *capacity / 2)
		wanted = *capacity + *capacity / 2;
	if (wanted < 8)
		wanted = 8;
	void *grown = reallocarray(*items, wanted, item_size);
	if (grown == NULL)
		return false;
	*items = grown;
	*capacity = wanted;
	return true;
}
