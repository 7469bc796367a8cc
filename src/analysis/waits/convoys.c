/* Convoys: where the chains of waiting threads end.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "analysis/waits/examine.h"
#include "analysis/waits/wait_graph.h"
#include "base/sorted.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* A wait, and what holds it up in the end. */
struct held_up {
	uint64_t object; /* 0: .head is a thread */
	size_t head;	 /* index of the last wait of the chain; with .object, 0 */
	size_t index;	 /* of the wait */
};

/* The object at the head of a chain, or 0: its last thread is the head. */
static uint64_t head_object(const struct wait *last)
{
	bool headless = last->owner_state == OWNER_GONE || last->owner_state == OWNER_UNKNOWN;
	return headless && wait_kind_is_lock(last->kind) ? last->object : 0;
}

static int compare_heads(const void *left, const void *right)
{
	const struct held_up *a = left, *b = right;
	int order = sorted_order(a->object, b->object);
	return order != 0 ? order : sorted_order(a->head, b->head);
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
		uint64_t object = head_object(&waits->items[ends[i]]);
		if (object == 0 && ends[i] == i)
			continue;
		list[count++] = (struct held_up){ object, object != 0 ? 0 : ends[i], i };
	}
	sorted_make(list, count, sizeof *list, compare_held_up);
	return count;
}

static bool at_the_head(const struct convoy *convoy, const struct wait *wait, uint64_t object)
{
	if (convoy->head == NULL)
		return wait->object == object && wait->owner_state == convoy->head_state;
	return wait->owner_state == OWNER_THREAD && wait->owner == convoy->head->thread->tid;
}

/* Which object the others wait for right behind the head, and whether there are more. */
static void find_objects(struct convoy *convoy, uint64_t object)
{
	for (size_t i = 0; i < convoy->count; i++) {
		const struct wait *wait = convoy->behind[i];
		if (!wait_kind_is_lock(wait->kind) || !at_the_head(convoy, wait, object))
			continue;
		if (convoy->first == NULL)
			convoy->first = wait;
		if (wait->object != convoy->first->object)
			convoy->more_objects = true;
	}
}

static void add_count(struct words *words, size_t count)
{
	words_add(words, "%zu thread%s wait%s", count, count == 1 ? "" : "s",
		  count == 1 ? "s" : "");
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
		words_add(&words, " behind ");
		words_add_object(&words, first);
		if (first->owner != 0)
			words_add(&words, ", held by %" PRId32, first->owner);
		if (first->owner_note != NULL)
			words_add(&words, ", %s", first->owner_note);
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
	*convoy = (struct convoy){ .behind = calloc(count, sizeof *convoy->behind),
				   .count = count,
				   .head_state = OWNER_THREAD };
	if (convoy->behind == NULL)
		return false;
	for (size_t i = 0; i < count; i++) {
		convoy->behind[i] = &waits->items[members[i].index];
		if (members->object != 0 && convoy->behind[i]->object == members->object &&
		    head_object(convoy->behind[i]) != 0)
			convoy->head_state = convoy->behind[i]->owner_state;
	}
	if (members->object == 0)
		convoy->head = &waits->items[members->head];
	find_objects(convoy, members->object);
	bool told = count > 1 || convoy->head_state == OWNER_GONE ||
		    behind_itself(waits, convoy->behind[0]);
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
