/* Variables of the frames of goroutines, by the debug information.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORESCAN_ANALYSIS_GO_FRAME_VARIABLES_H
#define CORESCAN_ANALYSIS_GO_FRAME_VARIABLES_H

#include "golang/goroutines.h"

#include <elfutils/libdw.h>

/* A variable that lies in the frame's part of the stack: of a goroutine that waits no register
 * keeps one. */
struct go_frame_variable {
	const char *name;     /* in the pool */
	const char *function; /* that it is of; in the pool; or NULL */
	Dwarf_Die type;	      /* as the variable's entry refers to it */
	uint64_t offset;      /* from the SP of the frame's caller, its CFA; it goes below 0 */
};

struct go_frame_variables {
	ARRAY(struct go_frame_variable);
};

/* Appends the variables that are there at `pc`, those of calls inlined there included, and of these
 * the innermost first. Functions of the runtime's, and of package sync's, are left out. False when
 * memory is exhausted. */
bool go_frame_variables_find(const struct go_process *process, uint64_t pc,
			     struct go_frame_variables *variables);

#endif
