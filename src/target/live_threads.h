/* What /proc tells of the threads of a live process, without stopping them.
 *
 * A thread that sleeps in a system call has its number, arguments, SP and PC in
 * /proc/PID/task/TID/syscall, and its list of robust futexes, by get_robust_list(2), lies in its
 * struct pthread. Whether it slept all the while that its memory was read, is told by how often it
 * left the processor: a thread that runs has to leave it once more to sleep again.
 *
 * Source of facts: proc(5); lib/syscall.c and kernel/sched/core.c (__schedule) of Linux.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORESCAN_TARGET_LIVE_THREADS_H
#define CORESCAN_TARGET_LIVE_THREADS_H

#include "target/proc_files.h"
#include "target/target.h"

/* Fills id, name, state and wchan. False: the thread has ended. `inner`: the process is in another
 * PID namespace than we are, and its own ids are wanted too. */
bool live_thread_describe(struct proc_task task, bool inner, struct target_thread *thread);

/* The same of a thread that ptrace could not stop because it sleeps in the kernel (state D): sets
 * .asleep and the registers of its system call where the kernel tells them. It cannot go back to
 * its program before the stop ends, so that this holds until then. */
void live_thread_describe_stuck(struct proc_task task, const struct arch *arch,
				struct target_thread *thread);

/* Whether the process's PID namespace is not ours. */
bool live_other_namespace(struct proc_task task);

struct live_threads;

/* Looks at all threads. `*threads` is ended with live_threads_free. ERROR_NOT_FOUND when there is
 * none, ERROR_UNSUPPORTED where the kernel tells nothing. */
struct error *live_threads_look(int32_t pid, const struct arch *arch,
				struct live_threads **threads);
void live_threads_free(struct live_threads *threads);

/* Appends them to target->threads. False when memory is exhausted. */
bool live_threads_take(const struct live_threads *threads, struct target *target);

/* Finds the thread pointers of the target's threads that sleep, by its memory. */
void live_threads_find_pointers(struct target *target);

/* Whether no thread has run, begun or ended since they were looked at; those that have are marked
 * in `target`, and lose their registers. Else `why`, which may be NULL, says what happened. */
bool live_threads_stayed(const struct live_threads *threads, struct target *target, char *why,
			 size_t size);

#endif
