/* Which frames of a stack are malloc's own, for the heap and for waits.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORESCAN_HEAP_GLIBC_MALLOC_FRAMES_H
#define CORESCAN_HEAP_GLIBC_MALLOC_FRAMES_H

#include "threads/threads.h"

/* The name of malloc's function that frame `index` of `count` is in, by frame_called_as, or NULL:
 * it is in none. Where `modules` is NULL only the frame's own name tells. */
const char *glibc_malloc_function(const struct target *target, struct modules *modules,
				  const struct frame *frames, size_t count, size_t index);

#endif
