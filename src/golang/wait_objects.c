/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "golang/wait_objects.h"

#include "golang/goroutines.h"
#include "golang/poll.h"
#include "golang/types.h"

#include <string.h>

/* Cases of one select; the compiler allows 65536. */
#define CASES_MAX 65536
/* Frames of the runtime's, and of package sync's, that are searched for what was waited for. */
#define FRAMES_SEARCHED 6
#define BYTES_SEARCHED	1024

const char *go_wait_kind_name(enum go_wait_kind kind)
{
	static const char *const names[GO_WAIT_KIND_COUNT] = {
		[GO_WAIT_NONE] = "none",
		[GO_WAIT_CHANNEL] = "channel",
		[GO_WAIT_NIL_CHANNEL] = "nil channel",
		[GO_WAIT_SELECT] = "select",
		[GO_WAIT_EMPTY_SELECT] = "empty select",
		[GO_WAIT_MUTEX] = "mutex",
		[GO_WAIT_RWMUTEX] = "RWMutex",
		[GO_WAIT_GROUP] = "WaitGroup",
		[GO_WAIT_CONDITION] = "Cond",
		[GO_WAIT_SEMAPHORE] = "semaphore",
		[GO_WAIT_SLEEP] = "sleep",
		[GO_WAIT_IO] = "IO",
		[GO_WAIT_OTHER] = "other",
	};
	return names[kind];
}

bool go_wait_needs_object(enum go_wait_kind kind)
{
	switch (kind) {
	case GO_WAIT_CHANNEL:
	case GO_WAIT_NIL_CHANNEL:
	case GO_WAIT_SELECT:
	case GO_WAIT_EMPTY_SELECT:
	case GO_WAIT_MUTEX:
	case GO_WAIT_RWMUTEX:
	case GO_WAIT_GROUP:
	case GO_WAIT_CONDITION:
	case GO_WAIT_SEMAPHORE:
		return true;
	default:
		return false;
	}
}

/* --- the table of objects */

static bool grow(struct go_wait_objects *objects)
{
	size_t count = objects->slots == 0 ? 256 : objects->slots * 2;
	uint32_t *slots = calloc(count, sizeof *slots);
	if (slots == NULL)
		return false;
	for (size_t i = 0; i < objects->objects.count; i++) {
		size_t at =
		    (objects->objects.items[i].address * UINT64_C(0x9e3779b97f4a7c15)) >> 24 &
		    (count - 1);
		while (slots[at] != 0)
			at = (at + 1) & (count - 1);
		slots[at] = (uint32_t)i + 1;
	}
	free(objects->by_address);
	objects->by_address = slots;
	objects->slots = count;
	return true;
}

/* The number of the object at `address`, a new one where it is seen first (`*fresh`). */
static bool object_at(struct go_wait_objects *objects, enum go_wait_kind kind, uint64_t address,
		      uint32_t *number, bool *fresh)
{
	*fresh = false;
	if (2 * objects->objects.count >= objects->slots && !grow(objects))
		return false;
	size_t at = (address * UINT64_C(0x9e3779b97f4a7c15)) >> 24 & (objects->slots - 1);
	for (; objects->by_address[at] != 0; at = (at + 1) & (objects->slots - 1)) {
		*number = objects->by_address[at] - 1;
		if (objects->objects.items[*number].address == address)
			return true;
	}
	*fresh = true;
	*number = (uint32_t)objects->objects.count;
	if (!array_push(&objects->objects, (struct go_object){ .kind = kind, .address = address }))
		return false;
	objects->by_address[at] = *number + 1;
	return true;
}

struct go_object *go_wait_object_at(struct go_wait_objects *objects, uint64_t address)
{
	if (objects->slots == 0)
		return NULL;
	size_t at = (address * UINT64_C(0x9e3779b97f4a7c15)) >> 24 & (objects->slots - 1);
	for (; objects->by_address[at] != 0; at = (at + 1) & (objects->slots - 1)) {
		struct go_object *object = &objects->objects.items[objects->by_address[at] - 1];
		if (object->address == address)
			return object;
	}
	return NULL;
}

static bool add_case(struct go_wait_objects *objects, struct go_wait *wait, uint32_t object,
		     bool sends, uint64_t sudog)
{
	objects->objects.items[object].waiters++;
	wait->count++;
	return array_push(&objects->cases, (struct go_wait_case){ object, sends, sudog });
}

void go_wait_objects_free(struct go_wait_objects *objects)
{
	array_free(&objects->objects);
	array_free(&objects->cases);
	free(objects->by_address);
	objects->by_address = NULL;
	objects->slots = 0;
}

/* --- channels */

static bool read_channel(const struct go_process *process, struct go_object *channel)
{
	uint64_t size, closed;
	if (!go_read(process, channel->address, GO_HCHAN_QCOUNT, 8, &channel->length) ||
	    !go_read(process, channel->address, GO_HCHAN_DATAQSIZ, 8, &channel->room) ||
	    !go_read(process, channel->address, GO_HCHAN_ELEMSIZE, 2, &size) ||
	    !go_read(process, channel->address, GO_HCHAN_CLOSED, 4, &closed) ||
	    channel->length > channel->room || closed > 1)
		return false;
	channel->closed = closed != 0;
	channel->type =
	    go_type_name(process, go_pointer(process, channel->address, GO_HCHAN_ELEMTYPE));
	return true;
}

/* Whether the sudog of a select stands among the channel's senders. Only those before it are gone
 * through, and a bound of them. */
static bool sends(const struct go_process *process, uint64_t channel, uint64_t sudog)
{
	uint64_t at = sudog, previous;
	for (unsigned i = 0; i < 1000; i++) {
		previous = go_pointer(process, at, GO_SUDOG_PREV);
		if (previous == 0)
			break;
		at = previous;
	}
	return go_pointer(process, channel, GO_HCHAN_SENDQ_FIRST) == at;
}

/* The sudogs of one goroutine are chained; each names its channel. */
static bool find_channels(const struct go_process *process, const struct goroutine *goroutine,
			  struct go_wait_objects *objects, struct go_wait *wait)
{
	bool sending = strncmp(goroutine->reason, "chan send", 9) == 0, fresh;
	uint64_t sudog = go_pointer(process, goroutine->address, GO_G_WAITING);
	uint32_t number;
	for (unsigned i = 0; sudog != 0 && i < CASES_MAX; i++) {
		uint64_t channel = go_pointer(process, sudog, GO_SUDOG_C);
		struct go_object probe = { .kind = GO_WAIT_CHANNEL, .address = channel };
		if (channel == 0 || go_pointer(process, sudog, GO_SUDOG_G) != goroutine->address ||
		    !read_channel(process, &probe)) {
			/* Half a select would be a wrong one. */
			wait->count = 0;
			return true;
		}
		if (!object_at(objects, GO_WAIT_CHANNEL, channel, &number, &fresh))
			return false;
		if (fresh)
			objects->objects.items[number] = probe;
		if (wait->kind == GO_WAIT_SELECT)
			sending = sends(process, channel, sudog);
		if (!add_case(objects, wait, number, sending, sudog))
			return false;
		sudog = go_pointer(process, sudog, GO_SUDOG_WAITLINK);
	}
	return true;
}

/* --- package sync */

/* Where the semaphore lies in what is waited for, by the function that waits. All of them have been
 * so since Go 1.19. */
struct lock_row {
	const char *function;
	enum go_wait_kind kind;
	uint32_t offset;
};

static const struct lock_row lock_rows[] = {
	{ "sync.(*Mutex).lockSlow", GO_WAIT_MUTEX, 4 },
	{ "internal/sync.(*Mutex).lockSlow", GO_WAIT_MUTEX, 4 },
	{ "sync.runtime_SemacquireRWMutexR", GO_WAIT_RWMUTEX, 12 },
	{ "sync.runtime_SemacquireRWMutex", GO_WAIT_RWMUTEX, 8 },
	{ "sync.(*RWMutex).RLock", GO_WAIT_RWMUTEX, 12 },
	{ "sync.(*RWMutex).rlock", GO_WAIT_RWMUTEX, 12 },
	{ "sync.(*RWMutex).Lock", GO_WAIT_RWMUTEX, 8 },
	{ "sync.(*WaitGroup).Wait", GO_WAIT_GROUP, 8 },
	{ "sync.runtime_SemacquireWaitGroup", GO_WAIT_GROUP, 8 },
	{ "internal/poll.runtime_Semacquire", GO_WAIT_SEMAPHORE, 0 },
};

/* Writers wait for each other in the mutex that an RWMutex begins with. */
static const struct lock_row behind_writer = { NULL, GO_WAIT_RWMUTEX, 4 };

static bool is_write_lock(const char *function)
{
	return function != NULL && strcmp(function, "sync.(*RWMutex).Lock") == 0;
}

static const struct lock_row *lock_row(const char *function)
{
	for (size_t i = 0; function != NULL && i < sizeof lock_rows / sizeof *lock_rows; i++)
		if (strcmp(lock_rows[i].function, function) == 0)
			return &lock_rows[i];
	return NULL;
}

/* Which use of a semaphore it is: the innermost function of the table, inlined ones included. */
static const struct lock_row *find_lock_row(const struct go_process *process,
					    const struct goroutine *goroutine,
					    struct go_places *places)
{
	struct go_unwind unwind;
	struct go_frame frame;
	struct go_call calls[GO_INLINE_MAX];
	const struct lock_row *row = NULL;
	goroutine_unwind(process, places, goroutine, &unwind);
	for (unsigned i = 0; i < FRAMES_SEARCHED && go_unwind_next(&unwind, &frame); i++) {
		size_t count =
		    go_calls_at(process, &frame.place->function, frame.pc, frame.lookup, calls);
		for (size_t k = 0; k < count; k++) {
			if (row == NULL)
				row = lock_row(calls[k].function);
			else if (row->kind == GO_WAIT_MUTEX && is_write_lock(calls[k].function))
				return &behind_writer;
		}
	}
	return row;
}

/* The innermost part of the stack, where the runtime keeps what it waits with. */
static size_t top_of_stack(const struct go_process *process, const struct goroutine *goroutine,
			   uint8_t buffer[BYTES_SEARCHED])
{
	size_t size = goroutine->stack_high - goroutine->sp;
	if (goroutine->sp == 0)
		return 0;
	if (size > BYTES_SEARCHED)
		size = BYTES_SEARCHED;
	return address_space_probe(process->space, goroutine->sp, buffer, size) ? size : 0;
}

static bool may_point(const struct goroutine *goroutine, uint64_t word)
{
	return word >= 4096 && (word & 7) == 0 && word >> 48 == 0 &&
	       (word < goroutine->stack_low || word >= goroutine->stack_high) &&
	       word != goroutine->address;
}

/* The sudog that stands for the goroutine in a queue of the runtime's semaphores: the runtime keeps
 * it on the stack; since Go 1.26 in g.waiting too. */
static uint64_t find_sudog(const struct go_process *process, const struct goroutine *goroutine)
{
	uint8_t words[BYTES_SEARCHED];
	uint64_t sudog = go_pointer(process, goroutine->address, GO_G_WAITING);
	if (sudog != 0 && go_pointer(process, sudog, GO_SUDOG_G) == goroutine->address)
		return sudog;
	size_t size = top_of_stack(process, goroutine, words);
	for (size_t i = 0; i + 8 <= size; i += 8) {
		sudog = bytes_unsigned(words + i, 8, false);
		if (may_point(goroutine, sudog) &&
		    go_pointer(process, sudog, GO_SUDOG_G) == goroutine->address &&
		    go_pointer(process, sudog, GO_SUDOG_ELEM) != 0)
			return sudog;
	}
	return 0;
}

static bool find_lock(const struct go_process *process, const struct goroutine *goroutine,
		      struct go_places *places, struct go_wait_objects *objects,
		      struct go_wait *wait)
{
	uint64_t sudog = find_sudog(process, goroutine);
	uint64_t semaphore = sudog != 0 ? go_pointer(process, sudog, GO_SUDOG_ELEM) : 0;
	const struct lock_row *row = find_lock_row(process, goroutine, places);
	uint32_t number, offset = 0;
	bool fresh;
	if (row != NULL) {
		wait->kind = row->kind;
		offset = row->offset;
	}
	if (semaphore <= offset)
		return true;
	return object_at(objects, wait->kind, semaphore - offset, &number, &fresh) &&
	       add_case(objects, wait, number, false, sudog);
}

/* sync.Cond keeps who waits in a list behind its Locker, at 16: the numbers of the next one to wait
 * and of the next one to be woken, a lock, and the first sudog at 16. */
enum { NOTIFY_LIST_HEAD = 16, NOTIFY_LIST_IN_COND = 16 };

/* The goroutine's sudog in the list; 0: it is none, or another one's. */
static uint64_t in_notify_list(const struct go_process *process, uint64_t list, uint64_t g)
{
	uint64_t sudog;
	uint32_t waited, notified;
	if (!address_space_u32(process->space, list, &waited) ||
	    !address_space_u32(process->space, list + 4, &notified) || waited == notified ||
	    !address_space_u64(process->space, list + NOTIFY_LIST_HEAD, &sudog))
		return 0;
	for (unsigned i = 0; sudog != 0 && i < 4096; i++) {
		if (go_pointer(process, sudog, GO_SUDOG_G) == g)
			return sudog;
		if ((sudog & 7) != 0)
			return 0;
		sudog = go_pointer(process, sudog, GO_SUDOG_NEXT);
	}
	return 0;
}

static bool find_condition(const struct go_process *process, const struct goroutine *goroutine,
			   struct go_wait_objects *objects, struct go_wait *wait)
{
	uint8_t words[BYTES_SEARCHED];
	size_t size = top_of_stack(process, goroutine, words);
	uint32_t number;
	bool fresh;
	for (size_t i = 0; i + 8 <= size; i += 8) {
		uint64_t list = bytes_unsigned(words + i, 8, false);
		uint64_t sudog = may_point(goroutine, list)
				     ? in_notify_list(process, list, goroutine->address)
				     : 0;
		if (sudog == 0)
			continue;
		return object_at(objects, GO_WAIT_CONDITION, list - NOTIFY_LIST_IN_COND, &number,
				 &fresh) &&
		       add_case(objects, wait, number, false, sudog);
	}
	return true;
}

/* --- by the runtime's reason */

struct reason_row {
	const char *prefix; /* of the runtime's reason */
	enum go_wait_kind kind;
};

/* The first that fits. */
static const struct reason_row reason_rows[] = {
	{ "chan receive (nil chan)", GO_WAIT_NIL_CHANNEL },
	{ "chan send (nil chan)", GO_WAIT_NIL_CHANNEL },
	{ "chan receive", GO_WAIT_CHANNEL },
	{ "chan send", GO_WAIT_CHANNEL },
	{ "select (no cases)", GO_WAIT_EMPTY_SELECT },
	{ "select", GO_WAIT_SELECT },
	{ "sync.Mutex.Lock", GO_WAIT_MUTEX },
	{ "sync.RWMutex", GO_WAIT_RWMUTEX },
	{ "sync.WaitGroup.Wait", GO_WAIT_GROUP },
	{ "sync.Cond.Wait", GO_WAIT_CONDITION },
	{ "semacquire", GO_WAIT_SEMAPHORE },
	{ "sleep", GO_WAIT_SLEEP },
	{ "IO wait", GO_WAIT_IO },
};

static enum go_wait_kind kind_of(const char *reason)
{
	for (size_t i = 0; reason != NULL && i < sizeof reason_rows / sizeof *reason_rows; i++)
		if (strncmp(reason_rows[i].prefix, reason, strlen(reason_rows[i].prefix)) == 0)
			return reason_rows[i].kind;
	return GO_WAIT_OTHER;
}

static void find_due(const struct go_process *process, const struct goroutine *goroutine,
		     struct go_wait *wait)
{
	uint64_t timer = go_pointer(process, goroutine->address, GO_G_TIMER), when;
	if (timer != 0 && go_read(process, timer, GO_TIMER_WHEN, 8, &when) && (int64_t)when > 0)
		wait->due = (int64_t)when;
}

bool go_wait_find(const struct go_process *process, const struct goroutine *goroutine,
		  struct go_places *places, struct go_wait_objects *objects, struct go_wait *wait)
{
	*wait = (struct go_wait){ .first = (uint32_t)objects->cases.count, .fd = -1 };
	if (goroutine->state != GO_WAITING)
		return true;
	wait->kind = goroutine->system ? GO_WAIT_OTHER : kind_of(goroutine->reason);
	switch (wait->kind) {
	case GO_WAIT_CHANNEL:
	case GO_WAIT_SELECT:
		return find_channels(process, goroutine, objects, wait);
	case GO_WAIT_MUTEX:
	case GO_WAIT_RWMUTEX:
	case GO_WAIT_GROUP:
	case GO_WAIT_SEMAPHORE:
		return find_lock(process, goroutine, places, objects, wait);
	case GO_WAIT_CONDITION:
		return find_condition(process, goroutine, objects, wait);
	case GO_WAIT_SLEEP:
		find_due(process, goroutine, wait);
		return true;
	case GO_WAIT_IO:
		go_poll_find(process, goroutine, places, wait);
		return true;
	default:
		return true;
	}
}
