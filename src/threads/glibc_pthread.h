/* glibc's struct pthread: one for each thread, at the thread pointer, at the top of its stack
 * mapping. Also those of threads that exited: not yet joined (their result is a root), and cached
 * stacks (not roots).
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORESCAN_THREADS_GLIBC_PTHREAD_H
#define CORESCAN_THREADS_GLIBC_PTHREAD_H

#include "modules/type_layout.h"
#include "threads/threads.h"

/* Offsets in struct pthread; -1: unknown. join_id is joinid, or joinstate from 2.43 on. */
struct glibc_pthread_layout {
	int32_t tid, stack_block, stack_block_size, join_id, result, start_routine, argument;
	int32_t cancel_handling, specific_first_block, specific, list, guard_size;
	int32_t dtv;   /* pointer to the thread's table of TLS blocks (_thread_db_pthread_dtvp) */
	uint32_t size; /* 0: unknown */
	enum layout_evidence evidence;
};

enum glibc_stack_state {
	GLIBC_STACK_RUNNING,
	GLIBC_STACK_EXITED, /* exited, joinable: its result waits for pthread_join */
	GLIBC_STACK_CACHED, /* joined or detached and gone: kept for reuse, holds nothing */
};

struct glibc_pthread {
	uint64_t address; /* of struct pthread, the thread pointer on x86-64 */
	int32_t tid;	  /* meaningful for GLIBC_STACK_RUNNING only */
	enum glibc_stack_state state;
	uint64_t stack_start, stack_end; /* the stack's memory, guard excluded; 0, 0 unknown */
	uint64_t guard_size;
	/* Nobody will join it. The joiner of one that is joined is not told: pthread_join leaves
	 * joinid as it was (seen on 2.31, 2.36, 2.41), and 2.43 has none. */
	bool detached;
	uint64_t result, start_routine;
};

struct glibc_pthreads {
	struct glibc_pthread_layout layout;
	struct glibc_pthread *items; /* running first, in the order of the target's threads */
	size_t count;
	const struct glibc_pthread **by_address; /* private */
};

/* Finds the layout (DWARF, then _thread_db_*, then the table, each checked against the thread ids
 * that the kernel told) and all struct pthreads. An empty result, with a gap, where the program
 * does not use glibc or nothing agreed. `count` is bounded. ERROR_NO_MEMORY.
 * threads_open calls nothing of this; it needs only the target's threads. */
struct error *glibc_pthreads_open(struct target *target, struct modules *modules, struct gaps *gaps,
				  struct glibc_pthreads *pthreads);
void glibc_pthreads_free(struct glibc_pthreads *pthreads);

/* The struct pthread at or around `address` (within its layout.size), or NULL. */
const struct glibc_pthread *glibc_pthreads_at(const struct glibc_pthreads *pthreads,
					      uint64_t address);

/* Cuts each thread's stack_end down to the bounds in its struct pthread, where SP is inside them:
 * stacks without a guard page lie in one mapping with their neighbours. */
void glibc_pthreads_bound_stacks(const struct glibc_pthreads *pthreads, struct threads *threads);

#endif
