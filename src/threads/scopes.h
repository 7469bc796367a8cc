/* The functions around a program counter in the debug information.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORESCAN_THREADS_SCOPES_H
#define CORESCAN_THREADS_SCOPES_H

#include "modules/modules.h"

#define INLINE_DEPTH_MAX 64 /* of calls expanded into one another */

/* The concrete subprogram and inlined subroutines around a PC, the outermost first. */
struct scopes {
	Dwarf_Die dies[INLINE_DEPTH_MAX];
	unsigned count;
	uint64_t bias; /* address in the target minus address in the DWARF */
};

/* False, and a count of 0, where there is no debug information for `pc`. */
bool scopes_find(struct modules *modules, uint64_t pc, struct scopes *scopes);

/* Whether entries with this tag have addresses of code: functions and blocks. */
bool scope_holds_code(int tag);

/* Scopes without addresses of their own, in which functions are defined. */
bool scope_holds_functions(int tag);

#endif
