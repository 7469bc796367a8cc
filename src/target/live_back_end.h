/* The live back end's own part of a target: private to live_*.c.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORESCAN_TARGET_LIVE_BACK_END_H
#define CORESCAN_TARGET_LIVE_BACK_END_H

#include "target/held_threads.h"
#include "target/live_memory.h"
#include "target/live_threads.h"
#include "target/ptrace_stop.h"

#include <pthread.h>

struct live_back_end {
	int32_t pid;
	struct ptrace_stop *stop;	 /* NULL before the process was stopped */
	struct live_threads *threads;	 /* of a process that is not stopped, else NULL */
	const struct held_threads *held; /* of one that a debugger holds, else NULL */
	struct live_memory memory;
	struct live_links *links;      /* or NULL */
	pthread_mutex_t reading;       /* held while memory is read */
	_Atomic bool closed;	       /* nothing is read any more */
	struct page_pool *pool;	       /* for a snapshot, or NULL */
	ARRAY(struct page_run) missed; /* what a snapshot could not copy any more */
};

#endif
