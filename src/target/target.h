/* A target: a core file, a live process that is stopped, or (for tests) memory of our own.
 *
 * Opening a target reads its notes or /proc, its threads' registers and its segments. It opens
 * no file of the program: modules/ does that, and splices the verified bytes in.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORESCAN_TARGET_TARGET_H
#define CORESCAN_TARGET_TARGET_H

#include "base/array.h"
#include "base/error.h"
#include "base/gaps.h"
#include "base/progress.h"
#include "target/address_space.h"
#include "target/arch.h"

#include <sys/types.h>

enum target_kind { TARGET_CORE, TARGET_LIVE, TARGET_MEMORY };

/* What of a signal's siginfo is used. */
struct target_signal {
	int number;	  /* 0: none */
	int code;	  /* si_code */
	bool has_details; /* .code, .address and .sender come from a siginfo */
	uint64_t address; /* si_addr of SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP */
	int32_t sender;	  /* si_pid, where si_code says a process sent it (SI_USER, SI_TKILL …) */
};

struct target_thread {
	int32_t tid;
	int32_t inner_tid; /* live: its id in the process's own PID namespace, where that is not
			      ours; else 0 */
	char name[17];	   /* /proc/PID/task/TID/comm; in a core only the main thread's, else "" */
	char state;	   /* live: R, S, D … before we stopped it; 0 in a core */
	bool stopped;	   /* false: a live thread that was not stopped */
	/* Not stopped, but looked at while it slept in the kernel: of its registers the PC and SP
	 * are known, the number and the arguments of its system call, and mostly the thread
	 * pointer. A thread that is neither stopped nor asleep has no registers. */
	bool asleep;
	bool moved;	/* it slept when it was looked at first, and has run since */
	char wchan[32]; /* live: the kernel function it slept in, or "" */
	/* Live, of a thread in state D, where the kernel tells: the innermost functions it is in,
	 * "io_schedule, folio_wait_bit, …"; else "". */
	char kernel_stack[120];
	struct registers registers;
	struct target_signal signal; /* that this thread reported; number 0 for none */
};

/* A word that the kernel holds for a live process, to hand it back one day. */
enum target_kernel_word_kind { KERNEL_WORD_EPOLL, KERNEL_WORD_TIMER };

struct target_kernel_word {
	enum target_kernel_word_kind kind;
	int32_t holder;	 /* the epoll's file descriptor, or the timer's id */
	int32_t watched; /* of an epoll: the descriptor that the word was registered with; or -1 */
	uint64_t value;	 /* epoll_event.data, sigev_value: what the program chose */
};

struct target {
	enum target_kind kind;
	const struct arch *arch;
	struct address_space *space;
	ARRAY(struct target_thread) threads; /* the first one of a core is the one that crashed */

	const char *path;    /* as the user gave it; of a live process "/proc/PID" */
	int32_t pid;	     /* 0 when unknown */
	const char *comm;    /* the main thread's name, in a gcore the program's, or NULL */
	const char *command; /* the command line, from NT_PRPSINFO or /proc/PID/cmdline, or NULL */
	const char *exe;     /* path of the executable as the process saw it, or NULL */
	const char *root;    /* put before the process's own paths: "/proc/PID/root" or NULL */
	/* What killed the process; number 0: nothing did. Of a gcore: the signal at which gdb held
	 * it, if that was about to kill it (SIGSEGV, SIGABRT …). */
	struct target_signal signal;
	bool from_gcore; /* written by gdb (or another debugger), not by the kernel */
	bool truncated;
	uint64_t file_size, expected_size; /* of a core; they differ when it was truncated */

	/* auxv entries, or an empty array. */
	struct target_auxv {
		uint64_t type, value;
	} * auxv;
	size_t auxv_count;

	int32_t inner_pid; /* live: as .inner_tid of a thread */
	bool deleted;	   /* live: the file of .exe was unlinked, or replaced */
	/* Live: the signals that have a handler, signal 1 in bit 0. A core does not tell. */
	uint64_t caught_signals;
	bool unstopped;	   /* a live process that is looked at without being stopped */
	bool held;	   /* a live process that a debugger holds stopped */
	/* Of a process that was stopped although that was first tried without: why; or NULL. */
	const char *stopped_because;
	uint64_t paused_us; /* how long the live process was stopped so far; set by resume */
	bool cut_short;	    /* the stop ended at its bound, by .max_pause_ms; set by resume */

	/* Live, and asked for: what the kernel holds, as far as it may be pointers. A core records
	 * nothing of it. */
	ARRAY(struct target_kernel_word) kernel_words;
	bool kernel_words_missing; /* some could not be read; a gap says which */

	/* The back end's own; NULL where an operation means nothing. */
	void (*resume)(struct target *target);
	void (*close)(struct target *target);
	void *back_end;
};

struct held_threads; /* held_threads.h */

struct target_options {
	const struct progress *progress; /* or NULL */
	unsigned stop_deadline_ms;	 /* live: how long to wait for threads to stop; 0: 2000 */
	unsigned max_pause_ms;		 /* live: the stop ends after so long, whatever was read by
					    then; 0: no bound */
	bool without_stop; /* live: nothing is stopped. What threads do that sleep is known then;
			      live_process_stayed tells whether they slept all the while */
	const struct held_threads *held; /* live: a debugger holds the process, and told these
			      registers, which outlive the target; or NULL */
	bool descriptors;  /* live: what file descriptors are will be asked for */
	bool kernel_words; /* live, with a stop: .kernel_words of the target are asked for */
	bool snapshot; /* live: live_process_snapshot will be called next; what can be done for it
			  before the process is stopped is done then */
};

/* Opens a core file, or a compressed one: ERROR_NOT_FOUND (no such file), ERROR_BAD_DATA (not an
 * ELF file, not a core, nothing usable in it), ERROR_UNSUPPORTED (another architecture), ERROR_OS.
 * A truncated core opens, with gaps. `options` may be NULL. `*target` is ended with target_close.
 */
struct error *target_open_core(const char *path, const struct target_options *options,
			       struct gaps *gaps, struct target **target);

/* Stops process `pid`, unless the options are against it, and opens it. target_resume and
 * target_close let it run on; so does the end of corescan, by whatever signal. ERROR_NOT_FOUND (no
 * such process), ERROR_OS (not ours; the message says what to do), ERROR_UNSUPPORTED (another
 * architecture, a kernel thread). */
struct error *target_open_live(int32_t pid, const struct target_options *options, struct gaps *gaps,
			       struct target **target);

/* For back ends: an empty target, to be ended by target_close. That calls .resume and .close, then
 * frees the space, the threads, the auxv and the strings, which are malloc'd in every kind; .close
 * ends only what is the back end's own (.back_end, and what registers' .extended point to).
 * `reader` and `context` go to address_space_new. NULL when memory is exhausted. */
struct target *target_new(enum target_kind kind, const struct arch *arch,
			  address_space_reader *reader, void *context);

/* An empty target over memory of our own, for tests: the caller adds segments and threads and
 * seals the address space. NULL when memory is exhausted. */
struct target *target_new_memory(const struct arch *arch);

/* Lets a live process run on, and notes in .paused_us how long it was stopped. Memory that is not
 * yet mirrored reads as absent from then on. Does nothing the second time, or on a core. */
void target_resume(struct target *target);

/* Ends the target; resumes a live process first. NULL is allowed. */
void target_close(struct target *target);

/* The value of an auxv entry (AT_PHDR …). False when there is none. */
bool target_auxv(const struct target *target, uint64_t type, uint64_t *value);

#endif
