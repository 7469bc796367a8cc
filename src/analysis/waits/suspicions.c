/* What looks as if it could never go on, without proof.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "analysis/waits/examine.h"
#include "analysis/waits/wait_graph.h"

#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>

const char *suspicion_kind_name(enum suspicion_kind kind)
{
	return kind == SUSPICION_STALL ? "stall" : "own read lock";
}

/* Handlers that malfunctions call, and libc's own (for cancelling and setxid), wake nobody. */
#define NO_WAKERS                                                                                  \
	(1ull << (SIGILL - 1) | 1ull << (SIGTRAP - 1) | 1ull << (SIGABRT - 1) |                    \
	 1ull << (SIGBUS - 1) | 1ull << (SIGFPE - 1) | 1ull << (SIGSEGV - 1) |                     \
	 1ull << (SIGSYS - 1) | 1ull << (32 - 1) | 1ull << (33 - 1))

/* Whether the program is known to have no signal handler that may wake a thread. */
static bool no_handlers(const struct subject *subject)
{
	return subject->target->kind == TARGET_LIVE &&
	       (subject->target->caught_signals & ~NO_WAKERS) == 0;
}

/* Whether it has one, and the wait is for what a handler may do, as sem_post. */
static bool handler_may_wake(const struct subject *subject, const struct wait *wait)
{
	static const bool by_handlers[WAIT_KIND_COUNT] = {
		[WAIT_SEMAPHORE] = true, [WAIT_FUTEX] = true, [WAIT_ATOMIC] = true,
		[WAIT_LATCH] = true,	 [WAIT_PARK] = true,
	};
	return by_handlers[wait->kind] && subject->target->kind == TARGET_LIVE &&
	       !no_handlers(subject);
}

/* Whether only another thread of this process, or a signal's handler, can end the wait. */
static bool needs_a_thread(const struct subject *subject, const struct wait *wait)
{
	if (handler_may_wake(subject, wait))
		return false;
	if (wait->timed || wait->timeout_ns >= 0 || wait->waking)
		return false;
	if (wait->kind == WAIT_JOIN)
		return wait->owner_state == OWNER_THREAD;
	/* The lock on a file that this process holds itself, through another descriptor. */
	if (wait->kind == WAIT_FILE_RANGE_LOCK)
		return wait->held_through >= 0;
	if (!wait_kind_is(wait->kind, WAIT_FOR_MEMORY) || wait->shared)
		return false;
	return !wait_kind_is_lock(wait->kind) || wait->owner_state != OWNER_NONE;
}

static bool add(struct suspicions *suspicions, enum suspicion_kind kind, const struct wait **waits,
		size_t count, const char *sentence)
{
	suspicions->items = calloc(1, sizeof *suspicions->items);
	if (suspicions->items == NULL) {
		free(waits);
		return false;
	}
	suspicions->items[0] = (struct suspicion){ kind, waits, count, sentence };
	suspicions->count = 1;
	return true;
}

/* --- a stall */

static void add_kinds(struct words *words, const struct waits *waits)
{
	size_t counts[WAIT_KIND_COUNT] = { 0 };
	bool first = true;
	for (size_t i = 0; i < waits->count; i++)
		counts[waits->items[i].kind]++;
	for (unsigned kind = 0; kind < WAIT_KIND_COUNT; kind++) {
		if (counts[kind] == 0)
			continue;
		words_add(words, "%s%s: %zu", first ? "" : ", ",
			  wait_kind_name((enum wait_kind)kind), counts[kind]);
		first = false;
	}
}

/* Locks whose words do not name a holder, as Rust's, stall as those of a cycle do; a bare futex may
 * be such a lock. */
static const char *stall_cause(const struct waits *waits)
{
	size_t locks = 0, futexes = 0, joins = 0;
	for (size_t i = 0; i < waits->count; i++) {
		locks += wait_kind_is(waits->items[i].kind, WAIT_FOR_LOCK);
		futexes += waits->items[i].kind == WAIT_FUTEX;
		joins += waits->items[i].kind == WAIT_JOIN;
	}
	if (locks > 0 && locks + joins == waits->count)
		return "probably a deadlock, over locks that do not tell who holds them";
	if (locks + futexes > 0)
		return "a deadlock, where one holds a lock that another waits for, or a wake-up "
		       "was lost";
	return "a wake-up was lost";
}

static const char *stall_sentence(const struct subject *subject, const struct waits *waits)
{
	struct words words = { 0 };
	const struct wait *only = &waits->items[0];
	if (waits->count == 1 && only->kind == WAIT_FILE_RANGE_LOCK) {
		words_add(&words, "The only thread waits for the ");
		words_add_lock(&words, only);
		words_add(&words,
			  ", which this process holds itself, through fd %" PRId32
			  ": it waits for ever, unless another process shares that descriptor%s.",
			  only->held_through,
			  no_handlers(subject) ? "" : " or a signal's handler unlocks it");
		return string_pool_add(modules_strings(subject->modules), words.text);
	}
	if (waits->count == 1) {
		words_add(&words, "The only thread waits for another one to wake it (");
	} else {
		words_add(&words, "All ");
		words_add_count(&words, waits->count);
		words_add(&words, " threads wait for another one to wake them, and none is left "
				  "to do so (");
	}
	add_kinds(&words, waits);
	words_add(&words, "): %s%s.", stall_cause(waits),
		  no_handlers(subject) ? "" : ", unless a signal's handler is to end the wait");
	return string_pool_add(modules_strings(subject->modules), words.text);
}

/* A lock that nobody is left to release explains the stall, and is told as what holds others up:
 * who waits for a wake-up besides may wait for one of those that wait for the lock. */
static bool orphaned_lock(const struct wait *wait)
{
	return wait_kind_is_lock(wait->kind) && wait->owner_state == OWNER_GONE;
}

static bool find_stall(const struct subject *subject, const struct waits *waits,
		       struct suspicions *suspicions)
{
	/* Threads of Go wait for goroutines, which are judged by themselves. */
	if (modules_have_go(subject->modules))
		return true;
	for (size_t i = 0; i < waits->count; i++)
		if (!needs_a_thread(subject, &waits->items[i]) || orphaned_lock(&waits->items[i]))
			return true;
	const struct wait **all = calloc(waits->count, sizeof *all);
	if (all == NULL)
		return false;
	for (size_t i = 0; i < waits->count; i++)
		all[i] = &waits->items[i];
	return add(suspicions, SUSPICION_STALL, all, waits->count, stall_sentence(subject, waits));
}

/* --- a write lock under one's own read lock */

static bool read_held(const struct wait *wait)
{
	return (wait->kind == WAIT_RWLOCK_WRITE || wait->kind == WAIT_RWLOCK_READ) &&
	       wait->owner_state == OWNER_UNKNOWN && wait->readers > 0 && !wait->shared &&
	       !wait->timed && wait->object != 0;
}

/* A wait for the write lock of the one rwlock at which the chains of all threads end that do not
 * wait for work; NULL: there is none. `*count` is how many threads those are. */
static const struct wait *common_rwlock(const struct waits *waits, const size_t *ends,
					size_t *count)
{
	const struct wait *lock = NULL, *writer = NULL;
	*count = 0;
	for (size_t i = 0; i < waits->count; i++) {
		const struct wait *wait = &waits->items[i];
		const struct wait *end = ends[i] != WAIT_NOWHERE ? &waits->items[ends[i]] : NULL;
		if (end == NULL || !read_held(end)) {
			if (wait_kind_is(wait->kind, WAIT_FOR_WORK))
				continue;
			return NULL;
		}
		if (lock != NULL && lock->object != end->object)
			return NULL;
		lock = end;
		if (wait->kind == WAIT_RWLOCK_WRITE && wait->object == end->object &&
		    writer == NULL)
			writer = wait;
		++*count;
	}
	return writer;
}

static const char *read_lock_sentence(const struct subject *subject, const struct wait *writer,
				      size_t count)
{
	struct words words = { 0 };
	words_add_thread(&words, writer->thread);
	words_add(&words, " ");
	words_add_wait(&words, writer);
	words_add(&words,
		  ", which %" PRIu32 " reader%s, and no thread is at work that could be %s: ",
		  writer->readers, writer->readers == 1 ? " holds" : "s hold",
		  writer->readers == 1 ? "the reader" : "a reader");
	if (count == 1)
		words_add(&words, "it may wait for its own read lock.");
	else
		words_add(&words,
			  "the %zu threads that wait there may wait for their own read locks.",
			  count);
	return string_pool_add(modules_strings(subject->modules), words.text);
}

static bool find_own_read_lock(const struct subject *subject, const struct waits *waits,
			       struct suspicions *suspicions)
{
	size_t count;
	size_t *ends = wait_ends(subject, waits);
	if (ends == NULL)
		return false;
	const struct wait *writer = common_rwlock(waits, ends, &count);
	const struct wait **concerned = writer != NULL ? calloc(count, sizeof *concerned) : NULL;
	bool done = writer == NULL || concerned != NULL;
	if (concerned != NULL) {
		size_t used = 0;
		for (size_t i = 0; i < waits->count; i++)
			if (ends[i] != WAIT_NOWHERE && read_held(&waits->items[ends[i]]))
				concerned[used++] = &waits->items[i];
		done = add(suspicions, SUSPICION_OWN_READ_LOCK, concerned, count,
			   read_lock_sentence(subject, writer, count));
	}
	free(ends);
	return done;
}

struct error *suspicions_find(const struct subject *subject, const struct waits *waits,
			      const struct deadlocks *deadlocks, struct suspicions *suspicions)
{
	struct suspicions result = { 0 };
	bool done = true;
	if (waits->count > 0 && deadlocks->count == 0) {
		done = find_own_read_lock(subject, waits, &result);
		if (done && result.count == 0)
			done = find_stall(subject, waits, &result);
	}
	if (!done) {
		suspicions_free(&result);
		return error_no_memory();
	}
	*suspicions = result;
	return NULL;
}

void suspicions_free(struct suspicions *suspicions)
{
	for (size_t i = 0; i < suspicions->count; i++)
		free(suspicions->items[i].waits);
	free(suspicions->items);
	*suspicions = (struct suspicions){ 0 };
}
