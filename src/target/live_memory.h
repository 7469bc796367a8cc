/* The memory of a live process: its mappings, and reading them without disturbing it.
 *
 * Anonymous pages that the process never touched are known to be zero by /proc/PID/pagemap and
 * are not read, because a read would make the kernel map them. Device memory is never read,
 * because a read may act on the device. Source: Documentation/admin-guide/mm/pagemap.rst.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORESCAN_TARGET_LIVE_MEMORY_H
#define CORESCAN_TARGET_LIVE_MEMORY_H

#include "base/gaps.h"
#include "target/address_space.h"
#include "target/page_pool.h"
#include "target/proc_files.h"

struct live_memory {
	struct proc_task task; /* a thread that lives; the main thread may have ended */
	struct proc_maps maps;
	int mem;     /* /proc/PID/mem */
	int pagemap; /* /proc/PID/pagemap, or -1 */
	uint64_t page_size;
	struct page_pool *pool; /* for what is read next, or NULL; borrowed */
};

/* Opens the memory of `task`. `*memory` is ended with live_memory_close. */
struct error *live_memory_open(struct proc_task task, struct live_memory *memory);
void live_memory_close(struct live_memory *memory);

/* Adds every mapping to the space; what cannot or must not be read is absent. */
struct error *live_memory_add_segments(const struct live_memory *memory,
				       struct address_space *space, struct gaps *gaps);

/* Whether the mapping's bytes may be read: neither device memory nor the kernel's own. */
bool live_memory_is_readable(const struct proc_mapping *mapping);

/* Whether a page of the mapping that was never touched is zero: private and without a file. */
bool live_memory_starts_as_zero(const struct proc_mapping *mapping);

enum page_kind {
	PAGES_TOUCHED, /* in memory or swapped out */
	PAGES_COPIED,  /* of those, the ones that are the process's own, not (any more) a file's */
};

struct page_run {
	uint64_t start, end; /* [start, end) */
};

/* Finds pages of [start, end), both multiples of the page size: up to `limit` runs in address
 * order. Returns how many, and in `*looked_to` where to go on (`end` when all was looked at).
 * Where the kernel does not tell, all pages are of every kind. */
size_t live_memory_find_pages(const struct live_memory *memory, enum page_kind kind, uint64_t start,
			      uint64_t end, struct page_run *runs, size_t limit,
			      uint64_t *looked_to);

/* An address_space_reader; `context` is a struct live_memory. `bytes` must be zero, as far as an
 * earlier read has not filled it: untouched pages are not written. */
size_t live_memory_read(void *context, uint64_t start, void *bytes, size_t size);

#endif
