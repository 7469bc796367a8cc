/* Waits on futexes: what the kernel was asked, and the kinds of objects it may belong to.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORESCAN_ANALYSIS_WAITS_FUTEX_H
#define CORESCAN_ANALYSIS_WAITS_FUTEX_H

#include "analysis/waits/examine.h"

/* No process has more threads or users of a lock than Linux has thread ids. */
#define TID_LIMIT 0x400000

/* Futex commands (linux/futex.h) that wait. */
enum futex_command {
	FUTEX_COMMAND_WAIT = 0,
	FUTEX_COMMAND_LOCK_PI = 6,
	FUTEX_COMMAND_WAIT_BITSET = 9,
	FUTEX_COMMAND_WAIT_REQUEUE_PI = 11,
	FUTEX_COMMAND_LOCK_PI2 = 13,
};

struct futex_call {
	uint64_t address; /* of the futex word */
	uint32_t command; /* without the flags */
	bool is_private, is_realtime;
	uint32_t value; /* that the caller expected in the word */
	bool word_known;
	uint32_t word; /* that is there now */
	struct known_call call;
};

/* One kind of object. `resolve` is asked twice at most: with `named` when a frame says that the
 * wait is of this kind, and without when only the memory can tell; then it must be careful, and
 * says in the evidence what the memory looks like. It fills the wait and returns true, or returns
 * false and has changed nothing. NULL in the row: never. */
struct futex_kind {
	enum wait_kind kind;
	bool (*resolve)(struct examined *examined, const struct futex_call *futex, bool named);
};

/* mutexes.c */
bool resolve_mutex(struct examined *examined, const struct futex_call *futex, bool named);
bool resolve_loader_lock(struct examined *examined, const struct futex_call *futex, bool named);

/* Whether a pthread_mutex_t may lie at `address`: its words have values that one can have. */
bool mutex_plausible(const struct examined *examined, uint64_t address);

/* Whether the memory at `address` convinces by itself: a mutex that a thread of this process holds,
 * in all its words. Then fills kind, object and owner of the wait. Of PTHREAD_MUTEX_SIZE bytes. */
#define PTHREAD_MUTEX_SIZE 40
bool held_mutex(struct examined *examined, uint64_t address);

/* stdio_locks.c */
bool resolve_stdio_lock(struct examined *examined, const struct futex_call *futex, bool named);

/* The same of the lock of the stream at `file`, a struct _IO_FILE. */
bool held_stdio_lock(struct examined *examined, uint64_t file);

/* The list of all open streams: the first into `*file`, or the one behind `*file`. False: there is
 * none, or it cannot be read. */
bool stdio_first(const struct examined *examined, uint64_t *file);
bool stdio_next(const struct examined *examined, uint64_t *file);
#define STDIO_FILES_MAX 65536

/* The stream of a file descriptor, among the first of that list. False: there is none. */
bool stdio_of_descriptor(const struct examined *examined, int32_t fd, uint64_t *file);

/* rwlocks.c */
bool resolve_rwlock(struct examined *examined, const struct futex_call *futex, bool named);

/* The same as held_mutex of an rwlock that is held for writing. */
#define PTHREAD_RWLOCK_SIZE 56
bool held_rwlock(struct examined *examined, uint64_t address);

/* pthread_objects.c */
bool resolve_condition(struct examined *examined, const struct futex_call *futex, bool named);
bool resolve_semaphore(struct examined *examined, const struct futex_call *futex, bool named);
bool resolve_barrier(struct examined *examined, const struct futex_call *futex, bool named);
bool resolve_join(struct examined *examined, const struct futex_call *futex, bool named);

/* initialisers.c */
bool resolve_once(struct examined *examined, const struct futex_call *futex, bool named);
bool resolve_static_init(struct examined *examined, const struct futex_call *futex, bool named);

#endif
