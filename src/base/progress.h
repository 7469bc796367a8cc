/* Progress of long work, told to whoever asked (the command line prints it; the library never
 * prints).
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORESCAN_BASE_PROGRESS_H
#define CORESCAN_BASE_PROGRESS_H

#include <stddef.h>
#include <stdint.h>

struct progress {
	/* `what` is a literal such as "marking"; `total` is 0 when unknown. Called at most a few
	 * thousand times in a run, from the main thread only. */
	void (*update)(void *context, const char *what, uint64_t done, uint64_t total);
	void *context;
};

/* Tells `progress`, which may be NULL. */
static inline void progress_tell(const struct progress *progress, const char *what, uint64_t done,
				 uint64_t total)
{
	if (progress != NULL && progress->update != NULL)
		progress->update(progress->context, what, done, total);
}

#endif
