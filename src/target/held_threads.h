/* A process that a debugger holds stopped: the registers of its threads come from the debugger, for
 * the kernel tells them to one tracer alone; memory can be read all the same.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORESCAN_TARGET_HELD_THREADS_H
#define CORESCAN_TARGET_HELD_THREADS_H

#include "target/target.h"

/* Room for the extended registers that x86-64's row names: FXSAVE, the XSAVE header and AVX. */
#define HELD_EXTENDED_MAX 832

struct held_thread {
	int32_t tid;
	struct registers registers; /* .extended points to the bytes below, or is NULL */
	uint8_t extended[HELD_EXTENDED_MAX];
	struct target_signal signal; /* at which the debugger stopped it; number 0: none known */
};

struct held_threads {
	ARRAY(struct held_thread) list;
};

/* Appends the threads of process `pid` to target->threads, one whose signal is about to end the
 * process first. Those that the debugger told nothing of, or that are not stopped, have no
 * registers. `inner` as for live_thread_describe. False when memory is exhausted. */
bool held_threads_take(const struct held_threads *held, int32_t pid, bool inner,
		       struct target *target);

#endif
