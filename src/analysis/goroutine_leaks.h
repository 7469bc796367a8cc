/* Goroutines that will never run again: those that wait for what nothing that can still run leads
 * to. What is done is Saioc and others' partial deadlock detection (ASPLOS 2025), which Go itself
 * has had since 1.26 as an experiment, here of a core or a copy of a process:
 *
 * What is reached from globals, finalizers and the stacks of goroutines that can run is marked. A
 * goroutine that waits for a marked channel, lock … can be woken, so its stack is gone through too,
 * until none is added. The rest is leaked.
 *
 * Go itself would miss some of these: what only a waiting goroutine's own record of its deferred
 * calls leads to is not hidden there.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORESCAN_ANALYSIS_GOROUTINE_LEAKS_H
#define CORESCAN_ANALYSIS_GOROUTINE_LEAKS_H

#include "base/progress.h"
#include "golang/goroutines.h"
#include "golang/heap.h"

struct goroutine_leak {
	const struct go_group *group;
	size_t count;	      /* of its members that are leaked */
	uint64_t bytes;	      /* of the heap, that they alone keep */
	uint64_t objects;     /* so many */
	uint64_t stack_bytes; /* their stacks */
};

/* Goroutines that may be leaked, of which there is no proof. */
struct goroutine_suspicion {
	const struct go_group *group;
	size_t count; /* of its members that wait, and are not leaked */
	const char *why;
};

struct goroutine_leaks {
	uint8_t *leaked; /* of each goroutine, by its index: 1 when it is leaked */
	size_t count;
	struct goroutine_leak *groups; /* those that keep most goroutines first */
	size_t group_count;
	struct goroutine_suspicion *suspicions; /* the largest first */
	size_t suspicion_count;
	uint64_t bytes, objects; /* that only leaked goroutines keep, of all groups together */
	uint64_t stack_bytes;
	uint64_t shared_bytes;		   /* part of .bytes: that more than one group keeps */
	uint64_t live_bytes, live_objects; /* that are reached without them */
	/* The main goroutine waits for what nothing that can run leads to: the program hangs, or it
	 * is meant to. It is not counted as leaked. */
	bool main_waits_forever;
	bool all_wait; /* every goroutine of the program waits for another one, or for nothing */
};

/* ERROR_NO_MEMORY; ERROR_UNSUPPORTED where the verdict would not be sound: memory of the heap is
 * missing. */
struct error *goroutine_leaks_find(const struct go_process *process, struct goroutines *goroutines,
				   struct go_heap *heap, const struct progress *progress,
				   struct goroutine_leaks *leaks);
void goroutine_leaks_free(struct goroutine_leaks *leaks);

/* Why this one is leaked, a literal: "nothing that can run leads to the channel". */
const char *goroutine_leak_reason(const struct goroutine *goroutine);

#endif
