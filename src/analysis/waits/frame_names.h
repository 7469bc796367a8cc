/* What the name and the module of a frame tell of it.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORESCAN_ANALYSIS_WAITS_FRAME_NAMES_H
#define CORESCAN_ANALYSIS_WAITS_FRAME_NAMES_H

#include "analysis/subject.h"

/* How many frames from the innermost one may belong to a wait inside the runtime libraries. */
#define RUNTIME_FRAMES_MAX 24

/* Part of a name; not NUL-terminated. */
struct plain_name {
	const char *start;
	size_t length;
};

/* "___pthread_cond_timedwait64", "pthread_cond_wait@@GLIBC_2.3.2", "__GI___pthread_once" and
 * "__pthread_mutex_lock.part.0" without what builds of libc add to the name. */
struct plain_name plain_name(const char *function);
bool plain_name_is(struct plain_name part, const char *name);

/* The symbol's own name, else the function's; or NULL. */
const char *frame_symbol(const struct frame *frame);

/* Whether a frame's function is `name`, as plain_name has it. */
bool frame_is_function(const struct frame *frame, const char *name);

/* Whether a frame belongs to the runtime libraries and not to the program. */
bool frame_in_runtime(const struct frame *frame);

/* Whether its function is one of the C++ library, wherever it was compiled into. */
bool frame_in_cxx_library(const struct frame *frame);

/* Whether its function is one of Rust's std, core or alloc, which are compiled into programs. */
bool frame_in_rust_library(const struct frame *frame);

/* In a static executable libc's functions lie among the program's: only names and the missing
 * source lines tell them apart. */
bool frame_in_static_program(const struct frame *frame);

/* The name of malloc's function that a frame of the thread is in, or NULL. Where `subject` is NULL
 * only the frame's own name tells. */
const char *frame_allocates(const struct subject *subject, const struct thread *thread,
			    const struct frame *frame);

#endif
