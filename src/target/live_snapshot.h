/* What opening a live process does for a later live_process_snapshot. Private to live_*.c.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORESCAN_TARGET_LIVE_SNAPSHOT_H
#define CORESCAN_TARGET_LIVE_SNAPSHOT_H

#include "target/live_memory.h"
#include "target/page_pool.h"

/* Makes memory ready for the large parts of what a snapshot of the process would copy now, while
 * it still runs. NULL when that is little, or more than a snapshot may take. */
struct page_pool *live_snapshot_prepare(struct proc_task task, const struct progress *progress);

#endif
