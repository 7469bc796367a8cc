/* Who holds a mutex of a Go program, and whether those who wait hold each other up. A Go mutex does
 * not note its owner. What tells it is a call that is deferred, in the goroutine that locked it:
 * "defer mu.Unlock()". Where there is none, the holder is not known.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORESCAN_ANALYSIS_GO_LOCK_HOLDERS_H
#define CORESCAN_ANALYSIS_GO_LOCK_HOLDERS_H

#include "base/error.h"
#include "golang/goroutines.h"

/* A lock that is waited for, and a goroutine that has deferred to unlock it. */
struct go_lock_holder {
	uint32_t object; /* index in goroutines->objects */
	const struct goroutine *holder;
};

/* Each waits for the object, which the next one holds, and the last one's is held by the first. */
struct go_deadlock_link {
	const struct goroutine *waiter;
	uint32_t object;
};

struct go_deadlock {
	size_t first, count; /* in .links */
};

struct go_lock_holders {
	ARRAY(struct go_lock_holder) holders; /* by object, then by id */
	ARRAY(struct go_deadlock) deadlocks;
	ARRAY(struct go_deadlock_link) links;
};

/* ERROR_NO_MEMORY. */
struct error *go_lock_holders_find(const struct go_process *process, struct goroutines *goroutines,
				   struct go_lock_holders *holders);
void go_lock_holders_free(struct go_lock_holders *holders);

/* The holders of that object: how many, the first of them in `*first`. */
size_t go_lock_holders_of(const struct go_lock_holders *holders, uint32_t object,
			  const struct go_lock_holder **first);

#endif
