/* What the names of a thread's frames tell of its wait.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORESCAN_ANALYSIS_WAITS_KNOWN_CALLS_H
#define CORESCAN_ANALYSIS_WAITS_KNOWN_CALLS_H

#include "analysis/waits/waits.h"

struct known_call {
	enum wait_kind kind;	    /* WAIT_NONE: none was found */
	const char *name;	    /* the function's name, as in the frame */
	const struct frame *frame;  /* in the thread's frames */
	bool internal_lock;	    /* a lock of libc's own; .name is the function that takes it */
	enum wait_kind atomic_kind; /* WAIT_ATOMIC: what the C++ library made of it */
	bool other_libc;	    /* .frame lies in a C library whose objects differ */
	bool raw; /* the program called syscall() itself: no object of libc is involved */
};

/* The innermost frame that is a known waiting function of libc or the C++ runtime. Frames of the
 * program itself end the search. Where `subject` is NULL names alone tell. */
struct known_call known_call_find(const struct subject *subject, const struct thread *thread);

/* What Rust's standard library waits for in syscall(), by its functions on the stack. */
struct known_call known_call_of_rust(const struct thread *thread);

/* The same for a libc whose inner functions have no names: the function that the program called,
 * by the call instruction in front of the return address, through the procedure linkage table. */
struct known_call known_call_by_instruction(const struct subject *subject,
					    const struct thread *thread);

#endif
