/* What the threads of a stopped process point to, of memory that is too large to be copied whole
 * for threads and waits alone: the objects they wait for, and the ends of their stacks. Private to
 * live_*.c.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORESCAN_TARGET_LIVE_POINTED_H
#define CORESCAN_TARGET_LIVE_POINTED_H

#include "target/live_memory.h"
#include "target/target.h"

/* Reads into the mirror what registers, the arguments of system calls, and the words near to the
 * top of each stack point to in the `count` ranges of `large` (in address order, disjoint), and the
 * stacks and struct pthreads that lie there. Everything else must have been read. False: it would
 * be more than `most` bytes, or memory is exhausted. */
bool live_pointed_read(struct target *target, const struct page_run *large, size_t count,
		       uint64_t most);

#endif
