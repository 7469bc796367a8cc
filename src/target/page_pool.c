/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "target/page_pool.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

/* Linux 5.14 and 5.7; older headers lack them, and older kernels refuse them. */
#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif
#ifndef MREMAP_DONTUNMAP
#define MREMAP_DONTUNMAP 4
#endif

#define STEP ((uint64_t)64 << 20)
#define UNIT ((uint64_t)2 << 20) /* the size of a huge page */

/* Each move may cost two more mappings of ours, of which the kernel allows 65530 in all. */
#define MOVES_MAX 8192

struct page_pool {
	uint8_t *pages; /* a multiple of the unit */
	uint64_t size, used;
	uint64_t page_size;
	unsigned moves;
	void *mapping;
	uint64_t mapping_size;
};

static void touch(uint8_t *bytes, uint64_t size, uint64_t page_size)
{
	if (madvise(bytes, size, MADV_POPULATE_WRITE) == 0)
		return;
	for (uint64_t i = 0; i < size; i += page_size)
		((volatile uint8_t *)bytes)[i] = 0;
}

struct page_pool *page_pool_new(uint64_t size, const struct progress *progress)
{
	struct page_pool *pool = calloc(1, sizeof *pool);
	if (pool == NULL)
		return NULL;
	pool->page_size = (uint64_t)sysconf(_SC_PAGESIZE);
	pool->size = (size + UNIT - 1) / UNIT * UNIT;
	pool->mapping_size = pool->size + UNIT;
	pool->mapping = mmap(NULL, pool->mapping_size, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (pool->mapping == MAP_FAILED) {
		free(pool);
		return NULL;
	}
	uintptr_t start = (uintptr_t)pool->mapping;
	pool->pages = (uint8_t *)pool->mapping + (-start & (UNIT - 1));
	madvise(pool->pages, pool->size, MADV_HUGEPAGE);
	for (uint64_t done = 0; done < pool->size; done += STEP) {
		progress_tell(progress, "making memory ready", done, pool->size);
		touch(pool->pages + done, pool->size - done < STEP ? pool->size - done : STEP,
		      pool->page_size);
	}
	return pool;
}

uint64_t page_pool_cost(uint64_t size)
{
	return size < PAGE_POOL_MIN ? 0 : size < UNIT ? size : size + UNIT;
}

void page_pool_free(struct page_pool *pool)
{
	if (pool == NULL)
		return;
	munmap(pool->mapping, pool->mapping_size);
	free(pool);
}

void page_pool_move(struct page_pool *pool, void *bytes, size_t size)
{
	if (pool == NULL)
		return;
	uintptr_t start = (uintptr_t)bytes, end = start + size;
	start = (start + pool->page_size - 1) & -pool->page_size;
	end &= -pool->page_size;
	if (end < start + PAGE_POOL_MIN || pool->moves == MOVES_MAX)
		return;
	/* At the same place in a huge page, so that huge pages stay whole. */
	uint64_t from = pool->used;
	if (end - start >= UNIT)
		from += (start - from) & (UNIT - 1);
	if (from > pool->size || end - start > pool->size - from)
		return;
	/* Without a hole where the pages were: somebody else's mapping could come to lie in it. */
	if (mremap(pool->pages + from, end - start, end - start,
		   MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP, (void *)start) == MAP_FAILED)
		return;
	pool->used = from + (end - start);
	pool->moves++;
}
