/* System calls: numbers and names, one row for each architecture.
 *
 * To add an architecture: a file syscall_names_NAME.c, and a row in the table in syscalls.c.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORESCAN_ANALYSIS_WAITS_SYSCALLS_H
#define CORESCAN_ANALYSIS_WAITS_SYSCALLS_H

#include "analysis/subject.h"

struct syscall_names {
	const char *const *names; /* NULL where a number has none */
	size_t count;
};

extern const struct syscall_names syscall_names_x86_64;

/* The name of system call `number` of the architecture, or NULL. */
const char *syscall_name(const struct arch *arch, int64_t number);

/* Undoes restart_syscall: the call that the thread really waits in, and in `*evidence` how that
 * is known (a literal). The kernel restarts only nanosleep, clock_nanosleep, poll and futex so.
 * False: it could not be told. */
bool syscall_restarted(const struct subject *subject, const struct thread *thread, int64_t *number,
		       const char **evidence);

/* Whether `result`, the return value register, shows that the kernel took a thread out of a call
 * that was waiting: ERESTARTSYS and its kin, which no program ever sees, or EINTR, which a call
 * that is not restarted gives. */
bool syscall_interrupted(int64_t result);

#endif
