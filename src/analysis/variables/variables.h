/* The arguments and locals of frames, as far as the debug information and what unwinding recovered
 * tell them. What cannot be told is said to be so: no value is guessed.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORESCAN_ANALYSIS_VARIABLES_VARIABLES_H
#define CORESCAN_ANALYSIS_VARIABLES_VARIABLES_H

#include "analysis/subject.h"

struct variable {
	const char *name;
	const char *type;  /* "const char *"; "" when there is none */
	const char *value; /* in words; where it is not known, why: "optimized out" */
	bool known;
	bool is_argument;
};

struct frame_variables {
	struct variable *items; /* arguments first; inner blocks after outer ones */
	size_t count;
	size_t left_out; /* more than are kept of one frame */
	bool examined;	 /* false: there is no debug information for this frame */
};

struct variables {
	/* One for each group of stacks, of its first thread. */
	struct thread_variables {
		const struct thread *thread;
		struct frame_variables *frames; /* as many as the thread's */
	} * items;
	size_t count;
};

/* The threads were opened with .registers. Strings are in the modules' pool. ERROR_NO_MEMORY. */
struct error *variables_find(const struct subject *subject, const struct stack_groups *groups,
			     struct variables *variables);
void variables_free(struct variables *variables);

/* Those of one thread's frame, or NULL when they were not looked for. `variables` may be NULL. */
const struct frame_variables *variables_of(const struct variables *variables,
					   const struct thread *thread, size_t frame);

#endif
