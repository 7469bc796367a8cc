/* Goroutines: what each one is in, where it stands, who made it; and those alike as groups.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORESCAN_GOLANG_GOROUTINES_H
#define CORESCAN_GOLANG_GOROUTINES_H

#include "golang/unwind.h"
#include "golang/wait_objects.h"

enum go_state {
	GO_RUNNABLE,
	GO_RUNNING,
	GO_IN_SYSCALL, /* or in C */
	GO_WAITING,
	GO_PREEMPTED,
	GO_STARTING, /* or being changed by the runtime at this moment */
	GO_STATE_COUNT,
};

struct goroutine {
	uint64_t address, id;
	uint64_t parent; /* id of the goroutine that made it; 0: not known (before Go 1.21) */
	enum go_state state;
	bool system;	    /* the runtime's own */
	const char *reason; /* why it waits, in the runtime's words; NULL when it does not */
	int64_t wait_since; /* in the runtime's nanoseconds; 0: no collection since it blocked */
	uint64_t stack_low, stack_high;
	uint64_t pc, sp; /* where its stack was walked from; 0, 0: nowhere */
	bool exact;	 /* .pc is no return address */
	int32_t tid;	 /* of the thread it runs on; 0: none, or not known */
	uint32_t stack;	 /* index in .stacks */
	uint64_t creator_pc, start_pc;
	struct go_wait wait;
};

/* A stack that one or more goroutines have. */
struct go_stack {
	struct go_call *calls; /* innermost first, inlined ones included */
	size_t count;
	size_t left_out; /* so many frames are not kept, before .calls[.left_out_before] */
	size_t left_out_before;
	bool complete;
	const char *stopped; /* why it ends early, or NULL */
};

/* Goroutines in the same state, for the same reason, with the same stack and creator. */
struct go_group {
	const struct goroutine **members; /* by id */
	size_t count;
	const struct go_stack *stack;
	struct go_call creator; /* .function NULL: not known */
};

struct goroutines {
	struct goroutine *items; /* by id */
	size_t count;
	struct go_stack *stacks;
	size_t stack_count;
	struct go_group *groups; /* largest first; the runtime's own last */
	size_t group_count;
	size_t dead;	   /* left by goroutines that have ended, for the next ones */
	size_t unreadable; /* of the runtime's list, that could not be read */
	uint64_t timers;   /* that the program has set, or that is not ruled out */
	uint64_t total;	   /* entries of that list */
	int64_t now; /* the latest moment that the runtime noted, in its nanoseconds; 0: none */
	struct go_wait_objects objects;
	struct go_places places;
	const struct goroutine **members; /* private: what the groups point to */
};

/* Reads all goroutines. What could not be read is told in gaps. ERROR_NO_MEMORY. */
struct error *goroutines_open(const struct go_process *process, struct gaps *gaps,
			      struct goroutines *goroutines);
void goroutines_free(struct goroutines *goroutines);

const char *go_state_name(enum go_state state); /* "runnable", "running", "syscall", … */

/* How many of the program's own are in `state`. */
size_t goroutines_in(const struct goroutines *goroutines, enum go_state state);

/* The thread that the runtime's m of `procid` is; NULL: there is none. */
const struct target_thread *goroutine_thread(const struct target *target, uint64_t procid);

/* Begins a walk of its stack. */
void goroutine_unwind(const struct go_process *process, struct go_places *places,
		      const struct goroutine *goroutine, struct go_unwind *unwind);

#endif
