/* Threads with equal stacks and equal waits.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "analysis/waits/wait_graph.h"
#include "base/sorted.h"

/* The order in which groups are shown. */
enum importance { CRASHED, DEADLOCKED, WAITED_FOR, ON_LOCKS, BUSY, IDLE };

#define NOWHERE WAIT_NOWHERE

struct placed {
	const struct wait *wait;
	bool waited_for; /* others wait for this thread: it is told apart from those like it */
	size_t stack;	 /* number of its stack group */
	size_t order;	 /* of the thread */
};

static enum importance importance(const struct wait_group *group)
{
	const struct wait *wait = group->members[0];
	if (wait->activity == THREAD_CRASHED)
		return CRASHED;
	if (group->deadlocked)
		return DEADLOCKED;
	if (group->behind > 0)
		return WAITED_FOR;
	if (wait->activity != THREAD_BLOCKED)
		return BUSY;
	return wait->idle ? IDLE : ON_LOCKS;
}

/* Equal for members of one group. */
static int compare_key(const void *left, const void *right)
{
	const struct placed *one = left, *other = right;
	const struct wait *a = one->wait, *b = other->wait;
	int order = sorted_order(one->stack, other->stack);
	if (order == 0)
		order = sorted_order(a->activity, b->activity);
	if (order == 0)
		order = sorted_order(a->kind, b->kind);
	if (order == 0)
		order = sorted_order(a->object, b->object);
	if (order == 0)
		order = sorted_order(a->owner_state, b->owner_state);
	if (order == 0)
		order = sorted_order(a->owner, b->owner);
	if (order == 0)
		order = sorted_order(a->idle, b->idle);
	return order != 0 ? order : sorted_order(one->waited_for, other->waited_for);
}

static int compare_placed(const void *left, const void *right)
{
	const struct placed *a = left, *b = right;
	int order = compare_key(a, b);
	return order != 0 ? order : sorted_order(a->order, b->order);
}

static int compare_groups(const void *left, const void *right)
{
	const struct wait_group *a = left, *b = right;
	int order = sorted_order(importance(a), importance(b));
	if (order == 0)
		order = sorted_order(b->behind, a->behind);
	if (order == 0)
		order = sorted_order(b->count, a->count);
	return order != 0 ? order
			  : sorted_order(a->members[0]->thread->tid, b->members[0]->thread->tid);
}

/* --- who waits behind whom */

struct chains {
	size_t *next;	/* the wait of the thread that each waits for, by index, or NOWHERE */
	size_t *behind; /* how many threads wait for each, directly or through others */
	size_t *open;	/* how many of those that wait for it directly were not counted yet */
	bool *settled;	/* false at the end: it is on a cycle */
};

static void find_next(const struct subject *subject, const struct waits *waits,
		      struct chains *chains)
{
	for (size_t i = 0; i < waits->count; i++) {
		chains->next[i] = wait_next(subject, waits, i);
		if (chains->next[i] != NOWHERE)
			chains->open[chains->next[i]]++;
	}
}

/* From the ends of the chains inwards: a thread counts once all behind it were counted. */
static void count_behind(const struct waits *waits, struct chains *chains)
{
	for (size_t i = 0; i < waits->count; i++) {
		for (size_t at = i; at != NOWHERE && !chains->settled[at] && chains->open[at] == 0;
		     at = chains->next[at]) {
			const size_t next = chains->next[at];
			chains->settled[at] = true;
			if (next == NOWHERE)
				break;
			chains->behind[next] += chains->behind[at] + 1;
			chains->open[next]--;
		}
	}
}

static void chains_free(struct chains *chains)
{
	free(chains->next);
	free(chains->behind);
	free(chains->open);
	free(chains->settled);
}

static bool chains_make(const struct subject *subject, const struct waits *waits,
			struct chains *chains)
{
	const size_t count = waits->count + 1;
	*chains = (struct chains){
		.next = calloc(count, sizeof *chains->next),
		.behind = calloc(count, sizeof *chains->behind),
		.open = calloc(count, sizeof *chains->open),
		.settled = calloc(count, sizeof *chains->settled),
	};
	if (chains->next == NULL || chains->behind == NULL || chains->open == NULL ||
	    chains->settled == NULL)
		return false;
	find_next(subject, waits, chains);
	count_behind(waits, chains);
	return true;
}

/* --- groups */

static struct placed *place_all(const struct waits *waits, const struct stack_groups *stacks,
				const struct chains *chains)
{
	struct placed *placed = calloc(waits->count + 1, sizeof *placed);
	if (placed == NULL)
		return NULL;
	const struct thread *first = waits->count > 0 ? waits->items[0].thread : NULL;
	for (size_t i = 0; i < waits->count; i++)
		placed[i] = (struct placed){
			.wait = &waits->items[i],
			.waited_for = chains->behind[i] > 0 || !chains->settled[i],
			.stack = SIZE_MAX,
			.order = i,
		};
	/* The waits are in the order of the threads, which lie in one array. */
	for (size_t group = 0; group < stacks->count; group++) {
		for (size_t i = 0; i < stacks->items[group].count; i++) {
			size_t index = (size_t)(stacks->items[group].members[i] - first);
			if (index < waits->count)
				placed[index].stack = group;
		}
	}
	sorted_make(placed, waits->count, sizeof *placed, compare_placed);
	return placed;
}

static bool add_group(struct wait_groups *groups, const struct chains *chains,
		      const struct placed *placed, size_t count)
{
	struct wait_group *group = &groups->items[groups->count];
	group->members = calloc(count, sizeof *group->members);
	if (group->members == NULL)
		return false;
	group->count = count;
	for (size_t i = 0; i < count; i++) {
		group->members[i] = placed[i].wait;
		group->behind += chains->behind[placed[i].order];
		group->deadlocked |= !chains->settled[placed[i].order];
	}
	groups->count++;
	return true;
}

struct error *wait_groups_make(const struct subject *subject, const struct waits *waits,
			       const struct stack_groups *stacks, struct wait_groups *groups)
{
	struct wait_groups result = { .items = calloc(waits->count + 1, sizeof *result.items) };
	struct placed *placed = NULL;
	struct chains chains;
	bool done = chains_make(subject, waits, &chains) && result.items != NULL;
	if (done)
		placed = place_all(waits, stacks, &chains);
	done = placed != NULL;
	for (size_t start = 0, end; done && start < waits->count; start = end) {
		end = sorted_run(placed, waits->count, sizeof *placed, start, compare_key);
		done = add_group(&result, &chains, placed + start, end - start);
	}
	free(placed);
	chains_free(&chains);
	if (!done) {
		wait_groups_free(&result);
		return error_no_memory();
	}
	sorted_make(result.items, result.count, sizeof *result.items, compare_groups);
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
