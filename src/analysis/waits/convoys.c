/* Convoys: where the chains of waiting threads end.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "analysis/waits/examine.h"
#include "analysis/waits/wait_graph.h"
#include "base/sorted.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* What holds up a chain of waits: a thread, a lock without one that could go on, or who has locked
 * a file. */
struct head {
	uint64_t object; /* 0: none */
	int32_t process; /* that holds a file lock; 0: none */
	int32_t through; /* this process's own descriptor that does; -1: none */
	size_t last;	 /* without all these, the index of the last wait of the chain; else 0 */
};

/* A wait, and what holds it up in the end. */
struct held_up {
	struct head head;
	size_t index; /* of the wait */
};

/* Whose chain ends at waits->items[last]. */
static struct head head_of(const struct waits *waits, size_t last)
{
	const struct wait *wait = &waits->items[last];
	struct head head = { .through = -1 };
	const bool headless = wait->owner_state == OWNER_GONE || wait->owner_state == OWNER_UNKNOWN;
	if (wait->kind == WAIT_FILE_RANGE_LOCK && wait->owner_state == OWNER_PROCESS)
		head.process = wait->owner;
	else if (wait->kind == WAIT_FILE_RANGE_LOCK && wait->held_through >= 0)
		head.through = wait->held_through;
	else if (headless && wait_kind_is_lock(wait->kind) && wait->object != 0)
		head.object = wait->object;
	else
		head.last = last;
	return head;
}

static bool is_file_head(const struct head *head)
{
	return head->process != 0 || head->through >= 0;
}

static bool is_thread_head(const struct head *head)
{
	return head->object == 0 && !is_file_head(head);
}

static int compare_heads(const void *left, const void *right)
{
	const struct head *a = &((const struct held_up *)left)->head;
	const struct head *b = &((const struct held_up *)right)->head;
	int order = sorted_order(a->object, b->object);
	if (order == 0)
		order = sorted_order(a->process, b->process);
	if (order == 0)
		order = sorted_order(a->through, b->through);
	return order != 0 ? order : sorted_order(a->last, b->last);
}

static int compare_held_up(const void *left, const void *right)
{
	const struct held_up *a = left, *b = right;
	int order = compare_heads(a, b);
	return order != 0 ? order : sorted_order(a->index, b->index);
}

/* Fills `list`, which has room for all waits; returns how many there are. */
static size_t list_held_up(const struct waits *waits, const size_t *ends, struct held_up *list)
{
	size_t count = 0;
	for (size_t i = 0; i < waits->count; i++) {
		if (ends[i] == WAIT_NOWHERE)
			continue;
		const struct head head = head_of(waits, ends[i]);
		if (!is_thread_head(&head) || ends[i] != i)
			list[count++] = (struct held_up){ head, i };
	}
	sorted_make(list, count, sizeof *list, compare_held_up);
	return count;
}

/* Whether the wait is for the very lock that is the head. */
static bool waits_for_head(const struct wait *wait, const struct head *head)
{
	if (head->object != 0)
		return wait->object == head->object &&
		       (wait->owner_state == OWNER_GONE || wait->owner_state == OWNER_UNKNOWN);
	if (wait->kind != WAIT_FILE_RANGE_LOCK)
		return false;
	return head->process != 0
		   ? wait->owner_state == OWNER_PROCESS && wait->owner == head->process
		   : head->through >= 0 && wait->held_through == head->through;
}

static bool at_the_head(const struct convoy *convoy, const struct wait *wait,
			const struct head *head)
{
	if (convoy->head == NULL)
		return waits_for_head(wait, head);
	return wait->owner_state == OWNER_THREAD && wait->owner == convoy->head->thread->tid;
}

/* Whether the two wait for different objects, or for locks on different files. */
static bool differ(const struct wait *one, const struct wait *other)
{
	if (one->object != other->object)
		return true;
	/* What is noted of its holder tells the locks on one file apart. The same strings are one
	 * in the pool. */
	if (one->fd_name == NULL || other->fd_name == NULL)
		return one->fd != other->fd;
	return one->fd_name != other->fd_name || one->owner_note != other->owner_note;
}

/* Which object the others wait for right behind the head, and whether there are more. */
static void find_objects(struct convoy *convoy, const struct head *head)
{
	for (size_t i = 0; i < convoy->count; i++) {
		const struct wait *wait = convoy->behind[i];
		if (!wait_kind_is_lock(wait->kind) || !at_the_head(convoy, wait, head))
			continue;
		if (convoy->first == NULL)
			convoy->first = wait;
		if (differ(wait, convoy->first))
			convoy->more_objects = true;
	}
}

/* Where a single thread waits for the lock on a file and all others for that thread, it is their
 * head, and tells what it waits for itself. */
static void take_only_waiter(struct convoy *convoy, const struct head *head)
{
	size_t direct = 0, at = 0;
	for (size_t i = 0; i < convoy->count; i++) {
		if (!waits_for_head(convoy->behind[i], head))
			continue;
		direct++;
		at = i;
	}
	if (!is_file_head(head) || direct != 1)
		return;
	convoy->head = convoy->behind[at];
	convoy->head_state = OWNER_THREAD;
	convoy->count--;
	memmove(&convoy->behind[at], &convoy->behind[at + 1],
		(convoy->count - at) * sizeof *convoy->behind);
}

static void add_count(struct words *words, size_t count)
{
	words_add_count(words, count);
	words_add(words, count == 1 ? " thread waits" : " threads wait");
}

static const char *sentence(const struct subject *subject, const struct convoy *convoy)
{
	struct words words = { 0 };
	const struct wait *first = convoy->first;
	add_count(&words, convoy->count);
	if (convoy->head != NULL) {
		words_add(&words, " behind ");
		words_add_thread(&words, convoy->head->thread);
		words_add(&words, ", which ");
		if (first != NULL) {
			bool runs = wait_kind_is(first->kind, WAIT_FOR_RUNNER);
			words_add(&words, runs ? "runs " : "holds ");
			words_add_object(&words, first);
			words_add(&words, convoy->more_objects ? " and more, and " : " and ");
		}
		words_add_doing(&words, convoy->head);
	} else {
		words_add(&words, convoy->more_objects ? " behind several locks, one of them "
						       : " behind ");
		words_add_lock(&words, first);
		words_add_owner(&words, subject->threads, first);
	}
	words_add(&words, ".");
	return string_pool_add(modules_strings(subject->modules), words.text);
}

static bool only_joins(const struct convoy *convoy)
{
	for (size_t i = 0; i < convoy->count; i++)
		if (convoy->behind[i]->kind != WAIT_JOIN)
			return false;
	return true;
}

/* A single writer behind readers is a convoy where it may be the reader itself, and no thread is at
 * work that could be. */
static bool behind_itself(const struct waits *waits, const struct wait *wait)
{
	for (size_t i = 0; i < waits->count; i++)
		if (waits->items[i].activity != THREAD_BLOCKED || waits->items[i].waking)
			return false;
	return wait->maybe_own_readers && !wait->shared && !wait->timed;
}

/* One convoy of `count` members; it is dropped where it is none. False: no memory. */
static bool add_convoy(const struct subject *subject, const struct waits *waits,
		       const struct held_up *members, size_t count, struct convoys *convoys)
{
	struct convoy *convoy = &convoys->items[convoys->count];
	const struct head *head = &members->head;
	*convoy = (struct convoy){ .behind = calloc(count, sizeof *convoy->behind),
				   .count = count,
				   .head_state = OWNER_THREAD };
	if (convoy->behind == NULL)
		return false;
	for (size_t i = 0; i < count; i++) {
		convoy->behind[i] = &waits->items[members[i].index];
		if (waits_for_head(convoy->behind[i], head))
			convoy->head_state = convoy->behind[i]->owner_state;
	}
	if (is_thread_head(head))
		convoy->head = &waits->items[head->last];
	else
		take_only_waiter(convoy, head);
	find_objects(convoy, head);
	bool told = convoy->count > 1 || convoy->head_state == OWNER_GONE ||
		    (convoy->count == 1 && behind_itself(waits, convoy->behind[0]));
	if (!told || only_joins(convoy) || (convoy->head == NULL && convoy->first == NULL)) {
		free(convoy->behind);
		return true;
	}
	convoy->sentence = sentence(subject, convoy);
	convoys->count++;
	return true;
}

static int compare_convoys(const void *left, const void *right)
{
	const struct convoy *a = left, *b = right;
	int order = sorted_order(b->count, a->count);
	return order != 0 ? order
			  : sorted_order(a->behind[0]->thread->tid, b->behind[0]->thread->tid);
}

static bool collect(const struct subject *subject, const struct waits *waits,
		    const struct held_up *list, size_t count, struct convoys *convoys)
{
	for (size_t start = 0, end; start < count; start = end) {
		end = sorted_run(list, count, sizeof *list, start, compare_heads);
		if (!add_convoy(subject, waits, list + start, end - start, convoys))
			return false;
	}
	sorted_make(convoys->items, convoys->count, sizeof *convoys->items, compare_convoys);
	return true;
}

struct error *convoys_find(const struct subject *subject, const struct waits *waits,
			   struct convoys *convoys)
{
	size_t room = waits->count + 1;
	struct convoys result = { .items = calloc(room, sizeof *result.items) };
	size_t *ends = wait_ends(subject, waits);
	struct held_up *list = calloc(room, sizeof *list);
	bool done = result.items != NULL && ends != NULL && list != NULL;
	size_t count = done ? list_held_up(waits, ends, list) : 0;
	done = done && collect(subject, waits, list, count, &result);
	free(list);
	free(ends);
	if (!done) {
		convoys_free(&result);
		return error_no_memory();
	}
	*convoys = result;
	return NULL;
}

void convoys_free(struct convoys *convoys)
{
	for (size_t i = 0; i < convoys->count; i++)
		free(convoys->items[i].behind);
	free(convoys->items);
	*convoys = (struct convoys){ 0 };
}
