/* Unwinding: from a thread's registers to its frames, by libdwfl where there is unwind
 * information, by the architecture's rules (unwind_rules.h) where there is none.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORESCAN_THREADS_UNWIND_H
#define CORESCAN_THREADS_UNWIND_H

#include "modules/modules.h"
#include "target/target.h"
#include "threads/threads.h"

struct raw_frame {
	uint64_t pc, lookup_pc, sp; /* as in struct frame */
	bool signal_frame, guessed;
	uint32_t registers; /* 1 + the index in unwound_stack.registers; 0: not kept */
};

enum stack_end {
	STACK_COMPLETE,	       /* the outermost function, or the end that the ABI marks */
	STACK_NO_REGISTERS,    /* the thread was not stopped */
	STACK_REGISTER,	       /* one is needed that is not known, as the thread was not stopped */
	STACK_NO_MODULE,       /* the PC lies in no module */
	STACK_NO_UNWIND_INFO,  /* its module has none for the PC */
	STACK_MEMORY,	       /* stack memory could not be read */
	STACK_ZERO,	       /* the return address is 0, where the ABI does not mark an end */
	STACK_DOES_NOT_MOVE,   /* frames repeat */
	STACK_LIMIT,	       /* so many frames that they were not walked to their end */
	STACK_UNWINDER_FAILED, /* libdwfl gave up */
};

#define STACK_OUTERMOST 16 /* libc's three below main, and what led into a recursion */

struct unwound_stack {
	ARRAY(struct raw_frame) frames; /* innermost first; emptied by each unwind */
	enum stack_end end;
	const char *reason; /* in the modules' pool; NULL for STACK_COMPLETE, STACK_LIMIT */
	const struct module *module; /* where a module is what lacks something, else NULL */
	/* How many frames there are beyond the limit, and the last of them: frame n beyond it in
	 * place n % STACK_OUTERMOST. With STACK_LIMIT there are more, which were not walked. */
	size_t left_out;
	struct raw_frame outermost[STACK_OUTERMOST];
	ARRAY(struct frame_registers) registers; /* where they are kept */
};

/* The frame `back` frames before the last one beyond the limit. */
static inline const struct raw_frame *unwound_outermost(const struct unwound_stack *stack,
							size_t back)
{
	return &stack->outermost[(stack->left_out - 1 - back) % STACK_OUTERMOST];
}

struct unwinder;

/* Attaches to the modules' Dwfl session, which allows it once in its life: the modules must not
 * have had an unwinder before. The unwinder borrows both, and is freed before them. */
struct error *unwinder_new(struct target *target, struct modules *modules, unsigned frame_limit,
			   bool registers, struct unwinder **unwinder);
void unwinder_free(struct unwinder *unwinder);

/* The stack of `thread`, into `stack`, which may be reused. ERROR_NO_MEMORY only: whatever else
 * goes wrong is the stack's end. */
struct error *unwinder_unwind(struct unwinder *unwinder, const struct target_thread *thread,
			      struct unwound_stack *stack);

#endif
