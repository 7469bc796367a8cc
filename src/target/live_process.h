/* What only the live back end has beyond target.h.
 *
 * Nothing has to be done when a signal ends corescan: the kernel ends a tracer's stops with it,
 * whatever it dies of, and no signal on its way to the process is lost (see ptrace_stop.h).
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORESCAN_TARGET_LIVE_PROCESS_H
#define CORESCAN_TARGET_LIVE_PROCESS_H

#include "target/target.h"

/* Copies what the stopped process can change of its memory, so that it can run on at once: call
 * target_resume next, and modules_open after that. Not copied is what is a file's: modules/ gives
 * its bytes, and where the file is gone from its path it is copied too. Of shared memory only
 * what this process has touched is copied. Nothing is read from the process afterwards.
 *
 * ERROR_UNSUPPORTED when it would be more than `most` bytes: nothing was copied. ERROR_NO_MEMORY
 * (with a message that says how much, and to take a core instead) when the copy would need more
 * than half of MemAvailable: then nothing was copied, and the target can be read as before as long
 * as it is stopped. Does nothing on a core, or on a process that runs on. */
struct error *live_process_snapshot(struct target *target, uint64_t most,
				    const struct progress *progress, struct gaps *gaps);

/* The same for threads and waits alone: of large mappings only what the threads point to is copied.
 * The process stays stopped, and what is read until live_process_release comes from it, and is kept:
 * modules_open next, which walks the loader's list. Then live_process_release and modules_settle. */
struct error *live_process_snapshot_threads(struct target *target, uint64_t most,
					    const struct progress *progress, struct gaps *gaps);

/* Ends the stop after that. ERROR_NO_MEMORY. */
struct error *live_process_release(struct target *target, struct gaps *gaps);

/* Of a process that is not stopped: whether every thread has slept since the target was opened, so
 * that what was read of its memory is of one moment. Those that have not are marked as moved in
 * the target and lose their registers; `why` says who. True of every other target. */
bool live_process_stayed(struct target *target, char *why, size_t size);

#endif
