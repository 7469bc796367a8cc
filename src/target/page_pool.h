/* Memory that is made ready ahead of its use. The first touch of a page takes several times as
 * long as copying into it, so what a snapshot needs is touched before the process is stopped, and
 * the pages are then moved, without copying, to where they are wanted.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORESCAN_TARGET_PAGE_POOL_H
#define CORESCAN_TARGET_PAGE_POOL_H

#include "base/progress.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Ranges below this are not worth a move. */
#define PAGE_POOL_MIN ((uint64_t)64 << 10)

/* What a move of `size` bytes takes from a pool at most: large ones keep their alignment to huge
 * pages. 0 when it is not worth a move. */
uint64_t page_pool_cost(uint64_t size);

struct page_pool;

/* `size` bytes of zeroed memory, all of it touched. NULL when there is not so much. */
struct page_pool *page_pool_new(uint64_t size, const struct progress *progress);

/* Frees what was not moved. NULL is allowed. */
void page_pool_free(struct page_pool *pool);

/* Puts zeroed pages that are ready in the place of the private anonymous pages of [bytes,
 * bytes+size) which lie in it as a whole. Does nothing when the range is small or the pool, which
 * may be NULL, has not enough left. */
void page_pool_move(struct page_pool *pool, void *bytes, size_t size);

#endif
