/* Stopping every thread of a process, and letting it run on exactly as it would have.
 *
 * A thread of ours, the tracer, does all of it: ptrace's bond is between two threads, and the
 * kernel ends it when the tracer ends. So a thread that never stopped (D state), which
 * PTRACE_DETACH cannot let go of, is let go of too; and when corescan dies of whatever signal,
 * SIGKILL included, the kernel lets the process run on. PTRACE_O_EXITKILL is never set. For a
 * thread that was caught on its way to handle a signal, the report of its stop is looked at
 * (WNOWAIT) but not taken: so the signal stays with the thread, and is delivered even when
 * corescan is killed.
 *
 * Source of facts: ptrace(2); kernel/ptrace.c (exit_ptrace, __ptrace_unlink), kernel/signal.c
 * (ptrace_stop) and kernel/exit.c (wait_task_stopped) of Linux.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORESCAN_TARGET_PTRACE_STOP_H
#define CORESCAN_TARGET_PTRACE_STOP_H

#include "base/error.h"
#include "target/target.h"

#include <stdint.h>

struct ptrace_stop;

/* The bound of a stop. */
struct ptrace_stop_limit {
	unsigned max_pause_ms; /* 0: none */
	/* Called by the tracer when the bound is reached, before the process runs on: ends all
	 * reading. */
	void (*cut_short)(void *context);
	void *context;
};

/* Seizes and stops the threads of process `pid`, those that are created meanwhile too. Waits at
 * most `deadline_ms`, and gives up on threads that stay in D state sooner. Threads that did not
 * stop have .stopped false and no registers; zombies are not listed. Until the stop ends, the
 * calling thread has the signals of job control blocked: a corescan that is itself stopped would
 * keep the process so. `limit` may be NULL. ERROR_NOT_FOUND when no thread is left to stop;
 * ERROR_OS when one may not be traced: nothing is stopped then. */
struct error *ptrace_stop_process(int32_t pid, unsigned deadline_ms,
				  const struct ptrace_stop_limit *limit, struct ptrace_stop **stop);

/* Appends the threads to target->threads, in the order of their creation. What .extended points to
 * belongs to the stop. Of those that sleep in the kernel and did not stop, what /proc tells. False
 * when memory is exhausted. */
bool ptrace_stop_threads(const struct ptrace_stop *stop, struct target *target);

/* Lets every thread run on, a group-stopped process stay stopped, and pending signals arrive.
 * Returns for how many microseconds the process was stopped. Does nothing the second time. */
uint64_t ptrace_stop_end(struct ptrace_stop *stop);

/* Whether the stop has lasted as long as it may, and is to end by the limit. Before the end. */
bool ptrace_stop_is_over(struct ptrace_stop *stop);

/* After the end: whether that came by the limit. */
bool ptrace_stop_cut_short(const struct ptrace_stop *stop);

/* Frees it; ends the stop when that was not done. NULL is allowed. */
void ptrace_stop_free(struct ptrace_stop *stop);

#endif
