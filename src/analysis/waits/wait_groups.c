/* Threads with equal stacks and equal waits.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "analysis/waits/waits.h"

#include <stdlib.h>

/* The order in which groups are shown. */
enum importance { CRASHED, ON_LOCKS, BUSY, IDLE };

struct placed {
	const struct wait *wait;
	size_t stack; /* number of its stack group */
	size_t order; /* of the thread */
};

static enum importance importance(const struct wait *wait)
{
	if (wait->activity == THREAD_CRASHED)
		return CRASHED;
	if (wait->activity != THREAD_BLOCKED)
		return BUSY;
	return wait->idle ? IDLE : ON_LOCKS;
}

static int compare(uint64_t left, uint64_t right)
{
	return left < right ? -1 : left > right;
}

/* Equal for members of one group. */
static int compare_key(const struct placed *left, const struct placed *right)
{
	const struct wait *a = left->wait, *b = right->wait;
	int order = compare(left->stack, right->stack);
	if (order == 0)
		order = compare((uint64_t)a->activity, (uint64_t)b->activity);
	if (order == 0)
		order = compare((uint64_t)a->kind, (uint64_t)b->kind);
	if (order == 0)
		order = compare(a->object, b->object);
	if (order == 0)
		order = compare((uint64_t)a->owner_state, (uint64_t)b->owner_state);
	if (order == 0)
		order = compare((uint64_t)a->owner, (uint64_t)b->owner);
	if (order == 0)
		order = compare((uint64_t)a->idle, (uint64_t)b->idle);
	return order;
}

static int compare_placed(const void *left, const void *right)
{
	const struct placed *a = left, *b = right;
	int order = compare_key(a, b);
	return order != 0 ? order : compare(a->order, b->order);
}

static int compare_groups(const void *left, const void *right)
{
	const struct wait_group *a = left, *b = right;
	int order = compare(importance(a->members[0]), importance(b->members[0]));
	if (order == 0)
		order = compare(b->count, a->count);
	if (order == 0)
		order = compare((uint64_t)a->members[0]->thread->tid,
				(uint64_t)b->members[0]->thread->tid);
	return order;
}

static struct placed *place_all(const struct waits *waits, const struct stack_groups *stacks)
{
	struct placed *placed = calloc(waits->count + 1, sizeof *placed);
	if (placed == NULL)
		return NULL;
	const struct thread *first = waits->count > 0 ? waits->items[0].thread : NULL;
	for (size_t i = 0; i < waits->count; i++)
		placed[i] = (struct placed){ &waits->items[i], SIZE_MAX, i };
	/* The waits are in the order of the threads, which lie in one array. */
	for (size_t group = 0; group < stacks->count; group++) {
		for (size_t i = 0; i < stacks->items[group].count; i++) {
			size_t index = (size_t)(stacks->items[group].members[i] - first);
			if (index < waits->count)
				placed[index].stack = group;
		}
	}
	if (waits->count > 0)
		qsort(placed, waits->count, sizeof *placed, compare_placed);
	return placed;
}

static bool add_group(struct wait_groups *groups, const struct placed *placed, size_t count)
{
	struct wait_group *group = &groups->items[groups->count];
	group->members = calloc(count, sizeof *group->members);
	if (group->members == NULL)
		return false;
	group->count = count;
	for (size_t i = 0; i < count; i++)
		group->members[i] = placed[i].wait;
	groups->count++;
	return true;
}

struct error *wait_groups_make(const struct waits *waits, const struct stack_groups *stacks,
			       struct wait_groups *groups)
{
	struct wait_groups result = { .items = calloc(waits->count + 1, sizeof *result.items) };
	struct placed *placed = place_all(waits, stacks);
	bool done = result.items != NULL && placed != NULL;
	for (size_t start = 0; done && start < waits->count;) {
		size_t end = start + 1;
		while (end < waits->count && compare_key(&placed[start], &placed[end]) == 0)
			end++;
		done = add_group(&result, placed + start, end - start);
		start = end;
	}
	free(placed);
	if (!done) {
		wait_groups_free(&result);
		return error_no_memory();
	}
	if (result.count > 0)
		qsort(result.items, result.count, sizeof *result.items, compare_groups);
	*groups = result;
	return NULL;
}

void wait_groups_free(struct wait_groups *groups)
{
	for (size_t i = 0; i < groups->count; i++)
		free(groups->items[i].members);
	free(groups->items);
	*groups = (struct wait_groups){ 0 };
}
