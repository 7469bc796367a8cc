/* Who waits for whom, beyond deadlocks: threads that hold up others, and what looks as if nothing
 * could ever go on.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORESCAN_ANALYSIS_WAITS_WAIT_GRAPH_H
#define CORESCAN_ANALYSIS_WAITS_WAIT_GRAPH_H

#include "analysis/waits/waits.h"

/* Index of the wait of the thread that waits->items[from] waits for; from itself where a thread
 * waits for itself; SIZE_MAX: for no thread of this process that is known. */
#define WAIT_NOWHERE SIZE_MAX
size_t wait_next(const struct subject *subject, const struct waits *waits, size_t from);

/* For each wait the index of the last one of the chain that it begins, or WAIT_NOWHERE where that
 * runs into a deadlock. The caller frees it; NULL: no memory. */
size_t *wait_ends(const struct subject *subject, const struct waits *waits);

/* Threads that wait for each other up to one end: a thread that waits for nobody, or an object
 * whose owner is gone or not known. */
struct convoy {
	/* OWNER_THREAD: .head holds up the others; OWNER_GONE, OWNER_UNKNOWN, OWNER_PROCESS (of
	 * locks on files): .first tells. */
	enum owner_state head_state;
	const struct wait *head;    /* what the thread at the head does; NULL: there is none */
	const struct wait *first;   /* one that waits for a lock right behind the head, or NULL */
	bool more_objects;	    /* others wait right behind the head for other objects, or
				       for locks on other files */
	const struct wait **behind; /* all that wait, in the order of the threads */
	size_t count;
	const char *sentence; /* "333 threads wait behind 12690 "main", which holds mutex 0x… <b>
				 and waits for a signal at main() x.c:52." */
};

struct convoys {
	struct convoy *items; /* the longest first */
	size_t count;
};

/* Convoys of two threads and more, and single threads that wait for an owner that is gone, or for
 * readers that may be they themselves while no thread is at work. What ends in a deadlock, and
 * joins alone, are none. The waits must outlive the result. ERROR_NO_MEMORY. */
struct error *convoys_find(const struct subject *subject, const struct waits *waits,
			   struct convoys *convoys);
void convoys_free(struct convoys *convoys);

enum suspicion_kind {
	SUSPICION_STALL, /* all wait for one another to do something, and nobody is left to do it */
	SUSPICION_OWN_READ_LOCK, /* a write lock is waited for whose readers can only be waiters */
};

/* What the memory does not prove. */
struct suspicion {
	enum suspicion_kind kind;
	const struct wait **waits; /* in the order of the threads */
	size_t count;
	const char *sentence;
};

struct suspicions {
	struct suspicion *items;
	size_t count;
};

/* Nothing is suspected where a deadlock is known, and no stall where the owner of a lock is gone.
 * ERROR_NO_MEMORY. */
struct error *suspicions_find(const struct subject *subject, const struct waits *waits,
			      const struct deadlocks *deadlocks, struct suspicions *suspicions);
void suspicions_free(struct suspicions *suspicions);

const char *suspicion_kind_name(enum suspicion_kind kind); /* "stall", "own read lock" */

#endif
