/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/large_array.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/mman.h>

#define LARGE_PAGE ((size_t)2 << 20)

static size_t mapped_size(size_t count, size_t item_size)
{
	size_t size = count * item_size + 1;
	return size > LARGE_PAGE ? (size + LARGE_PAGE - 1) / LARGE_PAGE * LARGE_PAGE : size;
}

/* Large pages need addresses that are multiples of their size, which older kernels do not give. */
static void *map_aligned(size_t size)
{
	const size_t room = size > LARGE_PAGE ? size + LARGE_PAGE : size;
	uint8_t *items =
	    mmap(NULL, room, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (items == MAP_FAILED || room == size)
		return items;
	const size_t before = -(uintptr_t)items % LARGE_PAGE, behind = room - size - before;
	if (before > 0)
		munmap(items, before);
	if (behind > 0)
		munmap(items + before + size, behind);
	return items + before;
}

static bool is_too_many(size_t count, size_t item_size)
{
	return count > (SIZE_MAX / 2 - 2 * LARGE_PAGE) / item_size;
}

void *large_array_new(size_t count, size_t item_size)
{
	if (is_too_many(count, item_size))
		return NULL;
	const size_t size = mapped_size(count, item_size);
	void *items = map_aligned(size);
	if (items == MAP_FAILED)
		return NULL;
	if (size > LARGE_PAGE)
		madvise(items, size, MADV_HUGEPAGE);
	return items;
}

void *large_array_grow(void *items, size_t count, size_t wanted, size_t item_size)
{
	void *place = large_array_new(wanted, item_size);
	if (place == NULL || items == NULL)
		return place;
	const size_t size = mapped_size(wanted, item_size);
	void *grown = mremap(items, mapped_size(count, item_size), size,
			     MREMAP_MAYMOVE | MREMAP_FIXED, place);
	if (grown == MAP_FAILED) {
		munmap(place, size);
		return NULL;
	}
	if (size > LARGE_PAGE)
		madvise(grown, size, MADV_HUGEPAGE);
	return grown;
}

void large_array_free(void *items, size_t count, size_t item_size)
{
	if (items != NULL)
		munmap(items, mapped_size(count, item_size));
}
