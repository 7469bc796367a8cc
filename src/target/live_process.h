/* What only the live back end needs beyond target.h: resuming from a signal handler.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORESCAN_TARGET_LIVE_PROCESS_H
#define CORESCAN_TARGET_LIVE_PROCESS_H

#include "target/target.h"

/* A copy of everything writable in the process's memory that the analyses read, taken while it is
 * stopped, so that it can run on at once. Refused (ERROR_NO_MEMORY with a message that says how
 * much, and to take a core instead) when the copy would need more than half of MemAvailable. */
struct error *live_process_snapshot(struct target *target, const struct progress *progress,
				    struct gaps *gaps);

#endif
