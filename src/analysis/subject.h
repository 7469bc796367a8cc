/* What the analyses look at: borrowed pointers, nothing owned. Analyses are pure functions from a
 * subject to plain structs.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORESCAN_ANALYSIS_SUBJECT_H
#define CORESCAN_ANALYSIS_SUBJECT_H

#include "heap/heap.h"

struct subject {
	struct target *target;
	struct modules *modules;
	const struct threads *threads;
	const struct glibc_pthreads *pthreads;
	const struct heap *heap; /* NULL: the heap was not walked */
	const struct progress *progress;
	struct gaps *gaps;
};

#endif
