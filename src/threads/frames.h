/* From program counters to what people read: functions, source lines, and the calls that the
 * compiler expanded in place.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORESCAN_THREADS_FRAMES_H
#define CORESCAN_THREADS_FRAMES_H

#include "threads/threads.h"
#include "threads/unwind.h"

struct frame_namer;

/* Borrows the modules; keeps what it found for each PC. `inlines` as in struct threads_options. */
struct error *frame_namer_new(struct modules *modules, bool inlines, struct frame_namer **namer);
void frame_namer_free(struct frame_namer *namer);

struct frame_array {
	struct frame *items;
	size_t count, capacity;
};

/* Appends `raw` with its name and line to `frames`, after the calls that were inlined at its PC,
 * the innermost of them first. False when memory is exhausted. */
bool frame_namer_append(struct frame_namer *namer, const struct raw_frame *raw,
			struct frame_array *frames);

#endif
