/* Threads and their stacks, unwound by libdwfl over the target's own address space, so that cores,
 * live processes and in-memory fakes share one path.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORESCAN_THREADS_THREADS_H
#define CORESCAN_THREADS_THREADS_H

#include "modules/modules.h"
#include "target/target.h"

#define FRAME_REGISTERS_MAX 33 /* x86-64 has 17 general ones; what is beyond is not kept */

/* What unwinding recovered of a frame's registers, by DWARF number. */
struct frame_registers {
	uint64_t values[FRAME_REGISTERS_MAX];
	uint64_t known; /* bit n: register n was recovered */
	/* Of the innermost frame: the thread's own, with the extended ones. NULL else. */
	const struct registers *raw;
};

struct frame {
	uint64_t pc;	    /* as in the register or on the stack */
	uint64_t lookup_pc; /* pc - 1 for return addresses: what names and lines are looked up by */
	uint64_t sp;	    /* the frame's stack pointer; 0 when unknown. Inlined: its physical's */
	bool inlined;	    /* a call that the compiler expanded into the frame below it in the
			       array (higher index) */
	bool signal_frame;  /* a signal handler's return trampoline */
	bool generated;	    /* code of no module in executable memory: compiled at run time */
	bool guessed;	    /* not from unwind information, but from the frame pointer or from
			       what a failed call left on the stack, where the memory agrees */
	/* NULL unless the options asked for them. Of inlined frames: their physical frame's. */
	const struct frame_registers *registers;
	const struct module *module; /* or NULL */
	const char *function;  /* demangled; when `file` is known without parameters; or NULL */
	const char *linkage;   /* the symbol's own name, or NULL */
	uint64_t offset;       /* lookup_pc - start of the function */
	const char *file;      /* source file, or NULL */
	const char *directory; /* that a relative .file begins at, or NULL */
	unsigned line;
};

struct thread {
	const struct target_thread *raw;
	int32_t tid;
	const char *name;	  /* "" when unknown */
	bool crashed;		  /* the one that the fatal signal hit */
	bool killed_from_outside; /* that signal was another process's: it did nothing wrong */
	bool is_main;		  /* tid == pid */
	uint64_t thread_pointer;
	struct frame *frames;
	size_t frame_count;
	/* A stack longer than the limit: so many frames are not kept, between
	 * .frames[.left_out_before - 1] and .frames[.left_out_before]. 0: none. */
	size_t left_out, left_out_before;
	const char *stop_reason; /* why the stack ends early, one line; NULL: it is complete */
	/* The stack that is in use: [stack_start, stack_end), from SP up to the end of the stack as
	 * far as it is known: the mapping's end, until glibc_pthreads_bound_stacks puts struct
	 * pthread's bounds there. 0, 0: unknown. */
	uint64_t stack_start, stack_end;
	struct frame_registers *registers; /* private: what the frames point to */
};

struct threads {
	struct thread *items; /* the crashed thread first, then by tid */
	size_t count;
	struct thread **by_stack; /* private: by stack_start */
};

struct threads_options {
	/* Per thread, inlined ones included; 0: 256. Of a longer stack the innermost and the
	 * outermost are kept: what began a recursion. */
	unsigned frame_limit;
	bool inlines;	/* resolve inlined frames and source lines */
	bool registers; /* keep each frame's registers, for its variables */
	const struct progress *progress;
};

/* Every thread of the target with its stack. A stack that cannot be unwound has a stop reason and
 * at least the frame of its PC; no frame only when its registers could not be read. Strings are in
 * the modules' pool. Once for each `modules`: libdwfl attaches a session once. ERROR_NO_MEMORY. */
struct error *threads_open(struct target *target, struct modules *modules,
			   const struct threads_options *options, struct gaps *gaps,
			   struct threads *threads);
void threads_free(struct threads *threads);

/* Takes back the frames of threads that are found to have run meanwhile. */
void threads_forget_moved(struct threads *threads);

/* The thread with `tid`, or NULL. */
const struct thread *threads_find(const struct threads *threads, int32_t tid);

/* The thread whose used stack holds `address`, or NULL. */
const struct thread *threads_stack_owner(const struct threads *threads, uint64_t address);

/* Threads with equal stacks (the same functions, lines and modules in the same order). */
struct stack_group {
	const struct thread **members; /* in the order of the threads */
	size_t count;
};

struct stack_groups {
	struct stack_group *items; /* the crashed thread's first, then larger groups first */
	size_t count;
};

struct error *stack_groups_make(const struct threads *threads, struct stack_groups *groups);
void stack_groups_free(struct stack_groups *groups);

#endif
