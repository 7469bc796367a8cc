/* A frame as the place where its variables' locations are evaluated: its function in the debug
 * information, its frame base, its CFA, and the values its registers had when it was called.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORESCAN_THREADS_FRAME_PLACE_H
#define CORESCAN_THREADS_FRAME_PLACE_H

#include "threads/location.h"
#include "threads/scopes.h"

struct frame_place {
	struct location_place place; /* for location_evaluate; its .context is this struct */
	struct target *target;
	struct modules *modules;
	const struct thread *thread;
	size_t index;	    /* of the frame */
	size_t physical;    /* of the frame that it was expanded into, itself when not inlined */
	uint64_t pc;	    /* lookup_pc as in the DWARF */
	Dwarf_Die scope;    /* the frame's own: a subprogram or an inlined subroutine */
	Dwarf_Die function; /* the physical frame's subprogram */
};

/* False where there is no debug information for the frame, or its registers were not kept. `place`
 * must not move afterwards. */
bool frame_place_open(struct target *target, struct modules *modules, const struct thread *thread,
		      size_t index, struct frame_place *place);

/* The same without the frame's registers: enough for variables that lie on the stack. The CFA is
 * the caller's SP, which unwinding recovered with its frame. */
bool frame_place_open_by_sp(struct target *target, struct modules *modules,
			    const struct thread *thread, size_t index, struct frame_place *place);

/* The location of the variable `die`, which lies below the frame's scope. A constant is one, too.
 */
enum location_outcome frame_place_locate(struct frame_place *place, Dwarf_Die *die,
					 struct location *location);

#endif
