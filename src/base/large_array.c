/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/large_array.h"

#include <stdint.h>
#include <sys/mman.h>

#define LARGE_PAGE ((size_t)2 << 20)

static size_t mapped_size(size_t count, size_t item_size)
{
	size_t size = count * item_size + 1;
	return size > LARGE_PAGE ? (size + LARGE_PAGE - 1) / LARGE_PAGE * LARGE_PAGE : size;
}

void *large_array_new(size_t count, size_t item_size)
{
	if (count > (SIZE_MAX / 2 - LARGE_PAGE) / item_size)
		return NULL;
	size_t size = mapped_size(count, item_size);
	void *items = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (items == MAP_FAILED)
		return NULL;
	if (size > LARGE_PAGE)
		madvise(items, size, MADV_HUGEPAGE);
	return items;
}

void *large_array_grow(void *items, size_t count, size_t wanted, size_t item_size)
{
	if (wanted > (SIZE_MAX / 2 - LARGE_PAGE) / item_size)
		return NULL;
	if (items == NULL)
		return large_array_new(wanted, item_size);
	size_t size = mapped_size(wanted, item_size);
	void *grown = mremap(items, mapped_size(count, item_size), size, MREMAP_MAYMOVE);
	if (grown == MAP_FAILED)
		return NULL;
	if (size > LARGE_PAGE)
		madvise(grown, size, MADV_HUGEPAGE);
	return grown;
}

void large_array_free(void *items, size_t count, size_t item_size)
{
	if (items != NULL)
		munmap(items, mapped_size(count, item_size));
}
