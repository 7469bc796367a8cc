/* Inside the waits: one thread as it is examined, and what the examiners of the families share.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORESCAN_ANALYSIS_WAITS_EXAMINE_H
#define CORESCAN_ANALYSIS_WAITS_EXAMINE_H

#include "analysis/waits/frame_names.h"
#include "analysis/waits/known_calls.h"
#include "analysis/waits/object_names.h"
#include "analysis/waits/program_waits.h"
#include "analysis/waits/waits.h"
#include "analysis/words.h"
#include "target/live_file_locks.h"

struct live_descriptors;

/* Who runs the initialisation that threads wait for at `word`: of the last one that was asked
 * for, because many threads may wait for one. */
struct known_runner {
	uint64_t word;		     /* 0: nothing was asked for yet */
	const struct thread *runner; /* or NULL */
};

/* Which threads may read the rwlock at `lock`: of the last one that was asked for. */
struct known_readers {
	uint64_t lock; /* 0: nothing was asked for yet */
	struct words words;
	size_t waiting; /* that wait for it */
	bool all_known; /* of all others the stacks were searched */
};

/* Who holds the lock on a file: of the last one that was asked for. */
struct known_file_lock {
	bool asked, found;
	int32_t fd;
	enum file_lock_class class;
	int64_t start;
	struct file_lock_holder holder;
	int32_t through; /* the process's own descriptor that holds it, or -1 */
};

/* What is kept from one thread to the next. */
struct examination_memory {
	struct known_runner runner;
	struct known_readers readers;
	struct known_file_lock file_lock;
	struct object_names *names;
};

/* What is the same for all threads of one run of waits_find. */
struct examination {
	const struct subject *subject;
	struct live_descriptors *descriptors; /* NULL for cores */
	/* For each thread, in the subject's order, the tid that glibc itself wrote into its struct
	 * pthread, or 0: it differs from the kernel's where corescan looks into a PID namespace
	 * from outside. */
	int32_t *own_tids;
	struct examination_memory *memory;
};

/* One thread. */
struct examined {
	const struct examination *all;
	const struct thread *thread;
	struct wait *wait;
	int64_t number;	  /* the system call, restart_syscall undone */
	const char *name; /* its name, or NULL */
	uint64_t arguments[6];
	int64_t result; /* the return value register: -512 … while blocked */
	bool told_time; /* the detail says until when it waits */
	struct words evidence;
	struct words detail;
	struct words owner_note;
};

/* A system call that may wait. `examine` fills the wait; it is called only for threads that are
 * blocked in the call, and may be NULL where kind and name say all. */
struct wait_row {
	const char *syscall;
	enum wait_kind kind;
	void (*examine)(struct examined *examined);
};

/* A family: rows, ended by one without a name. To add one: its file, and a row in waits.c. */
extern const struct wait_row futex_rows[];
extern const struct wait_row descriptor_rows[];
extern const struct wait_row file_lock_rows[];
extern const struct wait_row sleep_rows[];
extern const struct wait_row process_rows[]; /* children, signals, System V IPC */

/* --- examine.c */

/* What all threads share. False: no memory, and there is nothing to end. */
bool examination_begin(struct examination *all, const struct subject *subject,
		       struct examination_memory *memory);
void examination_end(struct examination *all);

/* Adds to the evidence, as one more clause. */
void examined_evidence(struct examined *examined, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* What lies at `address`, in words of the string pool; never NULL. */
const char *examined_name_at(const struct examined *examined, uint64_t address);

/* Sets the object and its name. */
void examined_object(struct examined *examined, uint64_t address);

/* Sets the owner by the thread id that the object records. */
void examined_owner(struct examined *examined, int32_t tid);

/* Says that somebody holds the object, or nobody (`state`), and why. */
void examined_no_owner(struct examined *examined, enum owner_state state, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The thread by the id that glibc knows it by; the kernel's ids count too. NULL: none. */
const struct thread *examined_thread(const struct examination *all, int32_t tid);

/* The thread whose struct pthread lies at `pointer`: by the thread pointers, and of a thread whose
 * own is not known, as it ran and was not stopped, by the id in that memory. NULL: none. */
const struct thread *examined_thread_at(const struct examination *all, uint64_t pointer);

/* Whether some thread of a live process ran while it was looked at: it may have begun others, and
 * what memory tells may be older or newer than the list of threads. */
bool examined_some_ran(const struct examination *all);

/* A timespec of the target in nanoseconds: false when unreadable or not a valid time. */
bool examined_timespec(const struct examined *examined, uint64_t address, int64_t *nanoseconds);

/* Says until when an absolute timeout lasts: live how long that still is, in a core the date, or
 * the time of a `clock` that does not tell the date. */
void examined_deadline(struct examined *examined, int64_t nanoseconds, int clock);

/* The same of the timespec at `address`; 0: the call has no timeout. */
void examined_deadline_at(struct examined *examined, uint64_t address, int clock);

/* A relative timeout, by the timespec at `address`; 0: the call has none. */
void examined_timeout(struct examined *examined, uint64_t address);

/* "CLOCK_MONOTONIC": of the kernel's number of a clock. */
const char *examined_clock_name(int clock);

/* Whether the call goes on as it was made: the kernel has not taken the thread out of it, and has
 * written nothing back. */
bool examined_uninterrupted(const struct examined *examined);

/* What the descriptor is: live as the kernel tells, of a core which stream of stdio has it. NULL:
 * not known. */
const char *examined_descriptor_name(const struct examined *examined, int32_t fd);

/* Sets the fd and what it is. */
void examined_descriptor(struct examined *examined, int32_t fd);

bool examined_u32(const struct examined *examined, uint64_t address, uint32_t *value);
bool examined_u64(const struct examined *examined, uint64_t address, uint64_t *value);

/* --- descriptors.c */

/* How many bytes, or messages, a write or send was asked to take; 0: not known. */
uint64_t examined_asked(const struct examined *examined);

/* --- text.c */

/* The notes that examiners wrote, into the wait and the pool. */
void wait_notes(struct examined *examined);

/* The whole wait in words, and its remaining texts, into the pool. */
void wait_texts(struct examined *examined);

/* `<tid> "<name>"`, and `<tid> (<its id in its own PID namespace> inside) "<name>"` */
void words_add_thread(struct words *words, const struct thread *thread);

/* "sleeps for 10 s at work() a.c:12": what a thread does, in short. */
void words_add_doing(struct words *words, const struct wait *wait);

/* ", held by 1235 "worker"", with what is noted of the owner. */
void words_add_owner(struct words *words, const struct threads *threads, const struct wait *wait);

/* "mutex 0x… <b>", of kinds that have an object. */
void words_add_object(struct words *words, const struct wait *wait);

/* "mutex 0x… <b>", "file lock on fd 3 (/run/lock)": of kinds that are locks. */
void words_add_lock(struct words *words, const struct wait *wait);

/* "waits for mutex 0x… <b>": what is done with the object, of kinds that have one. */
void words_add_wait(struct words *words, const struct wait *wait);

#endif
