/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "analysis/chunk_bytes.h"

#include <stdlib.h>
#include <sys/mman.h>

#define LARGE_PAGE ((size_t)2 << 20)

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

void *large_array_grow(void *items, size_t count, size_t more, size_t item_size)
{
	if (more > (SIZE_MAX / 2 - LARGE_PAGE) / item_size)
		return NULL;
	size_t size = mapped_size(more, item_size);
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
