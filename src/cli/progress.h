/* A line on standard error that says how far long work is, on a terminal only.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORESCAN_CLI_PROGRESS_H
#define CORESCAN_CLI_PROGRESS_H

#include "base/progress.h"

#include <stdbool.h>

struct progress_line {
	struct progress progress; /* to hand to the rooms */
	bool enabled;
	bool shown; /* something stands on the line */
	uint64_t started_ms, shown_ms;
};

/* `enabled` is what isatty told; false also for TERM=dumb. The line appears when the work has
 * taken a second, and changes at most ten times a second. */
void progress_line_begin(struct progress_line *line, bool enabled);

/* Erases what is shown, so that something else can be printed. */
void progress_line_erase(struct progress_line *line);

#endif
