/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "analysis/waits/lock_list.h"

#include "analysis/waits/examine.h"
#include "analysis/waits/held_memory.h"
#include "base/sorted.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

const char *lock_kind_name(enum wait_kind kind)
{
	switch (kind) {
	case WAIT_RWLOCK_READ:
	case WAIT_RWLOCK_WRITE:
		return "rwlock";
	default:
		return wait_kind_name(kind);
	}
}

/* Both kinds of waits for an rwlock are for one lock. */
static enum wait_kind lock_kind(const struct wait *wait)
{
	return wait->kind == WAIT_RWLOCK_READ ? WAIT_RWLOCK_WRITE : wait->kind;
}

static int compare_texts(const char *left, const char *right)
{
	return strcmp(left != NULL ? left : "", right != NULL ? right : "");
}

/* 0: the same lock. A lock on a file is the same where fd and range are. */
static int compare_objects(const void *left, const void *right)
{
	const struct wait *a = *(const struct wait *const *)left;
	const struct wait *b = *(const struct wait *const *)right;
	int order = sorted_order(lock_kind(a), lock_kind(b));
	if (order == 0)
		order = sorted_order(a->object, b->object);
	if (order == 0)
		order = sorted_order(a->fd, b->fd);
	if (order == 0 && a->kind == WAIT_FILE_RANGE_LOCK)
		order = compare_texts(a->detail, b->detail);
	return order;
}

static int compare_waits(const void *left, const void *right)
{
	int order = compare_objects(left, right);
	return order != 0 ? order
			  : sorted_order(*(const struct wait *const *)left,
					 *(const struct wait *const *)right);
}

/* --- one lock */

/* How much a wait tells of the owner, and of the lock. */
static int knowledge(const struct wait *wait)
{
	int lasting = !wait->timed;
	switch (wait->owner_state) {
	case OWNER_THREAD:
	case OWNER_SELF:
	case OWNER_PROCESS:
		return 6 + lasting;
	case OWNER_GONE:
		return 4 + lasting;
	case OWNER_UNKNOWN:
		return 2 + lasting;
	case OWNER_NONE:
		break;
	}
	return lasting;
}

/* Of a wait for it, or of what stands for one. */
static void describe_lock(const struct subject *subject, const struct waits *waits,
			  const struct wait *wait, struct lock *lock)
{
	struct string_pool *strings = modules_strings(subject->modules);
	struct words text = { 0 };
	struct wait held = *wait;
	bool file_lock = wait->kind == WAIT_FILE_RANGE_LOCK;
	if (held.owner_state == OWNER_SELF)
		held.owner_state = OWNER_THREAD;
	lock->kind = lock_kind(wait);
	lock->address = wait->object;
	lock->name = file_lock ? wait->fd_name : wait->object_name;
	lock->owner_state = held.owner_state;
	lock->owner = held.owner;
	lock->owner_name = wait->owner_name;
	lock->owner_note = wait->owner_note;
	lock->inferred_owner = wait->inferred_owner;
	/* What a timed wait notes is of the wait, not of the lock. */
	lock->detail = wait->timed ? NULL : wait->detail;
	lock->evidence = wait->evidence;
	words_add_lock(&text, wait);
	if (lock->detail != NULL)
		words_add(&text, ", %s", lock->detail);
	words_add_owner(&text, subject->threads, &held);
	const struct thread *owner =
	    held.owner_state == OWNER_THREAD ? threads_find(subject->threads, held.owner) : NULL;
	if (owner != NULL) {
		struct words doing = { 0 };
		lock->owner_wait = &waits->items[owner - subject->threads->items];
		words_add_doing(&doing, lock->owner_wait);
		lock->owner_does = string_pool_add(strings, doing.text);
		words_add(&text, ", which %s", doing.text);
	}
	lock->text = string_pool_add(strings, text.text);
}

/* --- locks that are waited for */

static bool add_awaited(const struct subject *subject, const struct waits *waits,
			const struct wait *const *waiters, size_t count, struct locks *locks)
{
	struct lock *lock = &locks->items[locks->count];
	const struct wait *best = waiters[0];
	*lock =
	    (struct lock){ .waiters = calloc(count, sizeof *lock->waiters), .waiter_count = count };
	if (lock->waiters == NULL)
		return false;
	memcpy(lock->waiters, waiters, count * sizeof *waiters);
	for (size_t i = 1; i < count; i++)
		if (knowledge(waiters[i]) > knowledge(best))
			best = waiters[i];
	describe_lock(subject, waits, best, lock);
	locks->count++;
	return true;
}

/* `sorted` by lock. */
static bool collect_awaited(const struct subject *subject, const struct waits *waits,
			    const struct wait *const *sorted, size_t count, struct locks *locks)
{
	for (size_t start = 0, end; start < count; start = end) {
		end = sorted_run(sorted, count, sizeof *sorted, start, compare_objects);
		if (!add_awaited(subject, waits, sorted + start, end - start, locks))
			return false;
	}
	return true;
}

/* --- locks that are held and that nobody waits for */

static int compare_with_lock(const void *key, const void *item)
{
	const struct wait *wait = key;
	const struct lock *lock = item;
	int order = sorted_order(lock_kind(wait), lock->kind);
	return order != 0 ? order : sorted_order(wait->object, lock->address);
}

/* The first `awaited` locks are in the order of compare_objects. */
static bool is_awaited(const struct locks *locks, size_t awaited, const struct wait *wait)
{
	return bsearch(wait, locks->items, awaited, sizeof *locks->items, compare_with_lock) !=
	       NULL;
}

static struct error *collect_held(const struct subject *subject, const struct waits *waits,
				  struct locks *locks)
{
	held_locks held = { 0 };
	size_t awaited = locks->count;
	struct error *error = held_locks_find(subject, &held);
	struct lock *items = NULL;
	if (error == NULL)
		items = realloc(locks->items, (awaited + held.count + 1) * sizeof *items);
	if (items != NULL) {
		locks->items = items;
		for (size_t i = 0; i < held.count; i++) {
			if (is_awaited(locks, awaited, &held.items[i]))
				continue;
			items[locks->count] = (struct lock){ 0 };
			describe_lock(subject, waits, &held.items[i], &items[locks->count++]);
		}
	} else if (error == NULL) {
		error = error_no_memory();
	}
	array_free(&held);
	return error;
}

static int compare_locks(const void *left, const void *right)
{
	const struct lock *a = left, *b = right;
	int order = sorted_order(b->waiter_count, a->waiter_count);
	if (order == 0)
		order = sorted_order(a->owner, b->owner);
	return order != 0 ? order : sorted_order(a->address, b->address);
}

struct error *locks_find(const struct subject *subject, const struct waits *waits, bool memory,
			 struct locks *locks)
{
	struct locks result = { .items = calloc(waits->count + 1, sizeof *result.items) };
	const struct wait **sorted = calloc(waits->count + 1, sizeof *sorted);
	struct error *error = NULL;
	size_t count = 0;
	if (result.items == NULL || sorted == NULL)
		error = error_no_memory();
	for (size_t i = 0; error == NULL && i < waits->count; i++)
		if (wait_kind_is_lock(waits->items[i].kind))
			sorted[count++] = &waits->items[i];
	if (error == NULL)
		sorted_make(sorted, count, sizeof *sorted, compare_waits);
	if (error == NULL && !collect_awaited(subject, waits, sorted, count, &result))
		error = error_no_memory();
	if (error == NULL && memory)
		error = collect_held(subject, waits, &result);
	free(sorted);
	if (error != NULL) {
		locks_free(&result);
		return error;
	}
	sorted_make(result.items, result.count, sizeof *result.items, compare_locks);
	*locks = result;
	return NULL;
}

void locks_free(struct locks *locks)
{
	for (size_t i = 0; i < locks->count; i++)
		free(locks->items[i].waiters);
	free(locks->items);
	*locks = (struct locks){ 0 };
}
