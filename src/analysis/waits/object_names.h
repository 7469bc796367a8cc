/* What the objects that are waited for are called: a symbol, a thread-local variable, a variable in
 * a frame, a place in a chunk.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORESCAN_ANALYSIS_WAITS_OBJECT_NAMES_H
#define CORESCAN_ANALYSIS_WAITS_OBJECT_NAMES_H

#include "analysis/subject.h"

struct object_names;

/* Borrows the subject. Where its heap was not walked, it is for the names alone when the first
 * object is asked for that may lie in it, provided that this is cheap. NULL: no memory. */
struct object_names *object_names_new(const struct subject *subject);
void object_names_free(struct object_names *names);

/* "<cache_lock>", "<table>+16", "thread-local <errors> of 1240", "stack of 1240 \"worker\", frame
 * #2 handle, variable queue.lock", "96-byte chunk", "+24 of 96-byte chunk 0x…, class
 * Account (vtable)"; else what describe_place says. In the modules' string pool; never NULL. */
const char *object_name_at(struct object_names *names, uint64_t address);

#endif
