/* Where the program waits, and what it and its language runtime have built of the waits of libc.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORESCAN_ANALYSIS_WAITS_PROGRAM_WAITS_H
#define CORESCAN_ANALYSIS_WAITS_PROGRAM_WAITS_H

#include "analysis/waits/waits.h"

/* Where the program, not its runtime libraries, waits; or NULL. */
const struct frame *wait_site(const struct thread *thread);

/* What is known of programs and language runtimes that build waits of their own, as Python's
 * interpreter lock. */
struct program_wait {
	const char *detail;	   /* what it is; a literal. NULL: nothing is known */
	const struct frame *frame; /* the function that tells; NULL where a variable does */
	bool idle;		   /* it is a wait for work */
};

/* `wait` has its thread, kind and object. */
struct program_wait program_wait_find(const struct subject *subject, const struct wait *wait);

#endif
