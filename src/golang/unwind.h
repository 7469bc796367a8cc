/* Walking the stack of a goroutine by the frame sizes that the compiler wrote down: every safe
 * point has one, so no other unwind information is needed.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORESCAN_GOLANG_UNWIND_H
#define CORESCAN_GOLANG_UNWIND_H

#include "golang/functions.h"

/* What is known of a PC, kept since stacks share most of theirs. */
struct go_place {
	uint64_t lookup; /* 0: an empty slot */
	struct go_function function;
	uint32_t size; /* of the frame, as go_frame_size */
	bool known, sized;
	bool interrupts; /* its caller was interrupted, and did not call: asyncPreempt, sigpanic */
};

struct go_places {
	struct go_place *slots;
	size_t count, capacity; /* a power of two */
};
void go_places_free(struct go_places *places);

struct go_frame {
	const struct go_place *place; /* until the next call of go_unwind_next */
	uint64_t pc, lookup;
	uint64_t sp; /* while in this frame */
	uint64_t fp; /* its caller's SP: the return address lies below it */
};

struct go_unwind {
	const struct go_process *process;
	struct go_places *places;
	uint64_t end; /* of the stack */
	uint64_t pc, sp;
	bool exact; /* .pc is no return address */
	bool complete;
	const char *stopped; /* why it ended early; a literal; NULL: it did not */
};

/* Starts at `pc` and `sp` of a stack that is [low, high). */
void go_unwind_begin(struct go_unwind *unwind, const struct go_process *process,
		     struct go_places *places, uint64_t low, uint64_t high, uint64_t pc,
		     uint64_t sp, bool exact);

/* The next frame, from the innermost one; false at the end, where .complete tells whether it was
 * the outermost frame of a goroutine. A frame whose size is unknown comes with fp 0, as the last.
 */
bool go_unwind_next(struct go_unwind *unwind, struct go_frame *frame);

#endif
