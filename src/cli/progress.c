/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cli/progress.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

static uint64_t now_ms(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static void update(void *context, const char *what, uint64_t done, uint64_t total)
{
	struct progress_line *line = context;
	const uint64_t now = now_ms();
	if (!line->enabled || now - line->started_ms < 1000 || now - line->shown_ms < 100)
		return;
	line->shown_ms = now;
	line->shown = true;
	if (total > 0)
		fprintf(stderr, "\r\033[Kcorescan: %s, %u %%", what,
			(unsigned)(100.0 * (double)done / (double)total));
	else if (done > 0)
		fprintf(stderr, "\r\033[Kcorescan: %s, %" PRIu64, what, done);
	else
		fprintf(stderr, "\r\033[Kcorescan: %s", what);
	fflush(stderr);
}

void progress_line_begin(struct progress_line *line, bool enabled)
{
	*line = (struct progress_line){ .enabled = enabled, .started_ms = now_ms() };
	line->progress = (struct progress){ update, line };
}

void progress_line_erase(struct progress_line *line)
{
	if (line->shown)
		fputs("\r\033[K", stderr);
	line->shown = false;
}
