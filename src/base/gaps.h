/* Gaps: what could not be examined, and why. Every result carries its gaps; none is silent. A gap
 * makes the exit status 1 (partial).
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORESCAN_BASE_GAPS_H
#define CORESCAN_BASE_GAPS_H

#include "base/array.h"

#include <stdint.h>

enum gap_kind {
	GAP_MEMORY,	/* memory that was not dumped, is past a truncated end, or faults */
	GAP_MODULE,	/* a module's file is missing, or is another build */
	GAP_DEBUG_INFO, /* names or layouts that need debug information */
	GAP_THREAD,	/* a thread that could not be stopped, or whose stack ends early */
	GAP_HEAP,	/* a part of a heap that could not be walked */
	GAP_WAIT,	/* a blocked thread whose wait could not be read */
	GAP_LIMIT,	/* a bound of ours was reached */
};

struct gap {
	enum gap_kind kind;
	uint64_t start, end; /* target addresses, or 0, 0 where none applies */
	char *text;	     /* one line: what is missing, why, and what the reader could do */
};

struct gaps {
	ARRAY(struct gap) list;
	bool lost; /* memory ran out: at least one gap is not in the list */
};

/* Adds a gap. A line equal to one that is already there is not added again. */
void gaps_add(struct gaps *gaps, enum gap_kind kind, uint64_t start, uint64_t end,
	      const char *format, ...) __attribute__((format(printf, 5, 6)));

/* The kind's name for JSON: "memory", "module", … */
const char *gap_kind_name(enum gap_kind kind);

void gaps_free(struct gaps *gaps);

#endif
