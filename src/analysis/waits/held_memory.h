/* Locks that are held, found by their form in memory.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORESCAN_ANALYSIS_WAITS_HELD_MEMORY_H
#define CORESCAN_ANALYSIS_WAITS_HELD_MEMORY_H

#include "analysis/waits/waits.h"

#include "base/array.h"

/* A lock as if somebody waited for it, without .thread and .text. */
typedef ARRAY(struct wait) held_locks;

/* Looks through all writable memory for mutexes and rwlocks that threads of this process hold, and
 * along the open streams. Left out, because old words lie there: free chunks, dead stacks, and
 * without subject->heap every anonymous mapping; and locks of threads whose id is so small that it
 * proves nothing, unless a symbol of the lock's size lies there. Gaps tell. ERROR_NO_MEMORY. */
struct error *held_locks_find(const struct subject *subject, held_locks *locks);

#endif
