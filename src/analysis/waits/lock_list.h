/* Locks, with who holds them and who waits for them: those that threads wait for, and, where asked
 * for, those that are held and that nobody waits for, found by their form in memory.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORESCAN_ANALYSIS_WAITS_LOCK_LIST_H
#define CORESCAN_ANALYSIS_WAITS_LOCK_LIST_H

#include "analysis/waits/waits.h"

struct lock {
	enum wait_kind kind; /* of rwlocks always WAIT_RWLOCK_WRITE */
	uint64_t address;    /* 0: a file lock, which has none */
	const char *name;    /* as describe_place has it; of a file lock the file; or NULL */
	enum owner_state owner_state; /* OWNER_SELF is told as OWNER_THREAD */
	int32_t owner;
	const char *owner_name; /* of another process; or NULL */
	const char *owner_note;
	bool inferred_owner;
	const struct wait *owner_wait; /* what the owner does; NULL: no such thread */
	const char *owner_does;	       /* in words; or NULL */
	const struct wait **waiters;   /* in the order of the threads */
	size_t waiter_count;	       /* 0: found by its form in memory */
	const char *detail;	       /* "recursive"; or NULL */
	const char *evidence;
	const char *text; /* "mutex 0x… <b>, held by 1235 "worker", which runs at f() a.c:7" */
};

struct locks {
	struct lock *items; /* the most waited-for first, then by owner and address */
	size_t count;
};

/* `memory`: looks through data, stacks and used heap chunks too (without subject->heap not through
 * the heap; a gap says so). `waits` must outlive the result. ERROR_NO_MEMORY. */
struct error *locks_find(const struct subject *subject, const struct waits *waits, bool memory,
			 struct locks *locks);
void locks_free(struct locks *locks);

/* "mutex", "rwlock", "once", "stdio lock" … */
const char *lock_kind_name(enum wait_kind kind);

#endif
