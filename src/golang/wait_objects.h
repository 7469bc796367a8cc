/* What goroutines wait for: channels, locks, timers, files.
 *
 * To add a kind: a row in the table of wait_objects.c, by the runtime's own wait reason.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORESCAN_GOLANG_WAIT_OBJECTS_H
#define CORESCAN_GOLANG_WAIT_OBJECTS_H

#include "golang/unwind.h"

enum go_wait_kind {
	GO_WAIT_NONE,
	GO_WAIT_CHANNEL,     /* a send or a receive */
	GO_WAIT_NIL_CHANNEL, /* never ends */
	GO_WAIT_SELECT,
	GO_WAIT_EMPTY_SELECT, /* never ends */
	GO_WAIT_MUTEX,
	GO_WAIT_RWMUTEX,
	GO_WAIT_GROUP,
	GO_WAIT_CONDITION,
	GO_WAIT_SEMAPHORE, /* some other use of the runtime's semaphores */
	GO_WAIT_SLEEP,
	GO_WAIT_IO,
	GO_WAIT_OTHER, /* the runtime's own reasons */
	GO_WAIT_KIND_COUNT,
};

/* A channel, lock … that somebody waits for. */
struct go_object {
	enum go_wait_kind kind;
	uint64_t address;
	const char *name; /* of a variable it lies in, or that leads to it, in the pool; NULL */
	const char *type; /* of a channel's elements, in the pool; NULL: not known */
	uint64_t length, room; /* of a channel's buffer */
	bool closed;
	uint64_t waiters; /* goroutines that wait for it */
};

/* One object of a wait; a select has one for each case. */
struct go_wait_case {
	uint32_t object; /* index in .objects */
	bool sends;
	uint64_t sudog; /* the runtime's record of this wait; 0: none was found */
};

struct go_wait {
	enum go_wait_kind kind;
	uint32_t first, count; /* in .cases */
	int64_t due;	       /* sleep: when it ends, in the runtime's nanoseconds; 0: not known */
	int32_t fd;	       /* IO; -1 */
	const char *name, *peer; /* IO: a path, or local and remote address; or NULL */
};

struct go_wait_objects {
	ARRAY(struct go_object) objects;
	ARRAY(struct go_wait_case) cases;
	uint32_t *by_address; /* private: hash of objects */
	size_t slots;
};

struct goroutine;

const char *go_wait_kind_name(enum go_wait_kind kind); /* "channel", "mutex" … */

/* Whether such a wait can only be ended by a goroutine that reaches the object. */
bool go_wait_needs_object(enum go_wait_kind kind);

/* What a waiting goroutine waits for, from its reason. An object that is not found leaves the wait
 * with no case. False when memory is exhausted. */
bool go_wait_find(const struct go_process *process, const struct goroutine *goroutine,
		  struct go_places *places, struct go_wait_objects *objects, struct go_wait *wait);
/* The object at exactly `address`; NULL: nobody waits for one there. */
struct go_object *go_wait_object_at(struct go_wait_objects *objects, uint64_t address);
void go_wait_objects_free(struct go_wait_objects *objects);

#endif
