/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "golang/goroutine_groups.h"

#include <string.h>

#define ORDER(a, b)                                                                                \
	if ((a) != (b))                                                                            \
	return (a) < (b) ? -1 : 1

static int order_of(const struct goroutine *left, const struct goroutine *right)
{
	ORDER(left->system, right->system);
	ORDER(left->stack, right->stack);
	ORDER(left->state, right->state);
	ORDER((uintptr_t)left->reason, (uintptr_t)right->reason);
	ORDER(left->creator_pc, right->creator_pc);
	return 0;
}

static int by_group(const void *a, const void *b)
{
	const struct goroutine *const *left = a, *const *right = b;
	int order = order_of(*left, *right);
	if (order != 0)
		return order;
	ORDER((*left)->id, (*right)->id);
	return 0;
}

static int by_size(const void *a, const void *b)
{
	const struct go_group *left = a, *right = b;
	ORDER(left->members[0]->system, right->members[0]->system);
	ORDER(right->count, left->count);
	ORDER(left->members[0]->id, right->members[0]->id);
	return 0;
}

static void find_creator(const struct go_process *process, uint64_t pc, struct go_call *creator)
{
	struct go_call calls[GO_INLINE_MAX];
	struct go_function function;
	*creator = (struct go_call){ .pc = pc };
	if (pc == 0 || !go_function_at(process, pc, &function))
		return;
	uint64_t lookup = pc > function.entry ? pc - 1 : pc;
	go_calls_at(process, &function, pc, lookup, calls);
	/* Main, and the runtime's own, were made by it: that tells nobody anything. */
	if (calls[0].function == NULL || strncmp(calls[0].function, "runtime.", 8) != 0)
		*creator = calls[0];
}

bool goroutine_groups_make(const struct go_process *process, struct goroutines *result)
{
	ARRAY(struct go_group) groups = { 0 };
	result->members = calloc(result->count + 1, sizeof *result->members);
	if (result->members == NULL)
		return false;
	for (size_t i = 0; i < result->count; i++)
		result->members[i] = &result->items[i];
	qsort(result->members, result->count, sizeof *result->members, by_group);
	for (size_t i = 0; i < result->count; i++) {
		const struct goroutine *one = result->members[i];
		if (i > 0 && order_of(result->members[i - 1], one) == 0) {
			groups.items[groups.count - 1].count++;
			continue;
		}
		struct go_group group = { .members = &result->members[i],
					  .count = 1,
					  .stack = &result->stacks[one->stack] };
		find_creator(process, one->creator_pc, &group.creator);
		if (!array_push(&groups, group)) {
			array_free(&groups);
			return false;
		}
	}
	if (groups.count > 0)
		qsort(groups.items, groups.count, sizeof *groups.items, by_size);
	result->groups = groups.items;
	result->group_count = groups.count;
	return true;
}
