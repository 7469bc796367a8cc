/* The variable of a frame that lies at an address on a stack.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORESCAN_ANALYSIS_VARIABLES_STACK_VARIABLE_H
#define CORESCAN_ANALYSIS_VARIABLES_STACK_VARIABLE_H

#include "analysis/subject.h"
#include "analysis/words.h"

/* Appends the variable of `thread` that holds `address`, down to the member or element that begins
 * there: "queue.lock", "slots[3].mutex+8". `frame` is the index of the physical frame around the
 * address; the calls that were expanded into it are searched too, and `*found` is the one whose
 * variable it is. False where the debug information tells of none: nothing was appended. The
 * threads need not have been opened with .registers. */
bool stack_variable_words(const struct subject *subject, const struct thread *thread, size_t frame,
			  uint64_t address, struct words *words, size_t *found);

#endif
