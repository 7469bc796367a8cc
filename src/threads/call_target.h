/* Which function a call instruction calls.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORESCAN_THREADS_CALL_TARGET_H
#define CORESCAN_THREADS_CALL_TARGET_H

#include "threads/threads.h"

/* The function that the call in front of `return_address` calls, through a procedure linkage table
 * or its slot too. False where there is no such call, or its target has no name. Written for
 * x86-64; false on other architectures. */
bool call_target(const struct target *target, struct modules *modules, uint64_t return_address,
		 struct symbol *symbol);

/* The name of the function that frame `index` of `count` is in. Where it has none, as libc's inner
 * functions without a debug file: of the nearest frame outwards in the same module that has one, or
 * of the function that a call instruction calls on the way there (one that jumps to an inner
 * function is on no stack itself: glibc 2.43's malloc, 2.36's pthread_once; measured). NULL: there
 * is no such name. In the modules' pool. Where `modules` is NULL only the frame's own name tells.
 */
const char *frame_called_as(const struct target *target, struct modules *modules,
			    const struct frame *frames, size_t count, size_t index);

#endif
