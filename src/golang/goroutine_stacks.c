/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "golang/goroutine_stacks.h"

#include <string.h>

/* Of a stack that has more frames than are kept so many are the outermost ones. */
#define FRAMES_LAST 16

void goroutine_unwind(const struct go_process *process, struct go_places *places,
		      const struct goroutine *goroutine, struct go_unwind *unwind)
{
	go_unwind_begin(unwind, process, places, goroutine->stack_low, goroutine->stack_high,
			goroutine->pc, goroutine->sp, goroutine->exact);
}

/* Of a stack longer than GO_FRAMES_MAX the last ones go round in the end of the array. */
static void keep(struct go_stack_pcs *stack, size_t number, const struct go_frame *frame)
{
	size_t at = number;
	if (number >= GO_FRAMES_MAX) {
		at = GO_FRAMES_MAX - FRAMES_LAST + (number - GO_FRAMES_MAX) % FRAMES_LAST;
		stack->left_out++;
	}
	stack->lookup[at] = frame->lookup;
	stack->pc[at] = frame->pc;
}

static void rotate(uint64_t *last, size_t by)
{
	uint64_t turned[FRAMES_LAST];
	for (size_t i = 0; i < FRAMES_LAST; i++)
		turned[i] = last[(i + by) % FRAMES_LAST];
	memcpy(last, turned, sizeof turned);
}

static void walk(struct go_stack_table *table, struct go_places *places,
		 const struct goroutine *goroutine)
{
	struct go_stack_pcs *stack = &table->current;
	struct go_unwind unwind;
	struct go_frame frame;
	size_t number = 0;
	stack->left_out = 0;
	goroutine_unwind(table->process, places, goroutine, &unwind);
	for (; go_unwind_next(&unwind, &frame); number++)
		keep(stack, number, &frame);
	stack->count = number < GO_FRAMES_MAX ? number : GO_FRAMES_MAX;
	stack->complete = unwind.complete;
	stack->stopped = unwind.stopped;
	if (stack->left_out > 0) {
		rotate(stack->lookup + GO_FRAMES_MAX - FRAMES_LAST, stack->left_out % FRAMES_LAST);
		rotate(stack->pc + GO_FRAMES_MAX - FRAMES_LAST, stack->left_out % FRAMES_LAST);
	}
}

static uint64_t mix(uint64_t hash, uint64_t value)
{
	hash = (hash ^ value) * UINT64_C(0x9e3779b97f4a7c15);
	return hash ^ hash >> 29;
}

static uint64_t hash_pcs(const uint64_t *pcs, size_t count, uint64_t left_out)
{
	uint64_t hash = left_out;
	for (size_t i = 0; i < count; i++)
		hash = mix(hash, pcs[2 * i]);
	return hash;
}

static bool same_stack(const struct go_stack_table *table, const struct go_stack_key *key)
{
	const struct go_stack_pcs *stack = &table->current;
	if (key->count != stack->count || key->left_out != stack->left_out ||
	    key->stopped != stack->stopped || key->complete != stack->complete)
		return false;
	for (size_t i = 0; i < key->count; i++)
		if (table->pcs.items[key->first + 2 * i] != stack->lookup[i])
			return false;
	return true;
}

static bool grow_slots(struct go_stack_table *table)
{
	size_t count = table->slot_count == 0 ? 1024 : table->slot_count * 2;
	uint32_t *slots = calloc(count, sizeof *slots);
	if (slots == NULL)
		return false;
	for (size_t i = 0; i < table->keys.count; i++) {
		const struct go_stack_key *key = &table->keys.items[i];
		size_t at = hash_pcs(table->pcs.items + key->first, key->count, key->left_out) &
			    (count - 1);
		while (slots[at] != 0)
			at = (at + 1) & (count - 1);
		slots[at] = (uint32_t)i + 1;
	}
	free(table->slots);
	table->slots = slots;
	table->slot_count = count;
	return true;
}

static bool add_stack(struct go_stack_table *table)
{
	const struct go_stack_pcs *stack = &table->current;
	struct go_stack_key key = { table->pcs.count, stack->count, stack->left_out,
				    stack->complete, stack->stopped };
	for (size_t i = 0; i < stack->count; i++)
		if (!array_push(&table->pcs, stack->lookup[i]) ||
		    !array_push(&table->pcs, stack->pc[i]))
			return false;
	return array_push(&table->keys, key);
}

bool go_stack_table_add(struct go_stack_table *table, struct go_places *places,
			const struct goroutine *goroutine, uint32_t *number)
{
	if (2 * table->keys.count >= table->slot_count && !grow_slots(table))
		return false;
	walk(table, places, goroutine);
	uint64_t hash = table->current.left_out;
	for (size_t i = 0; i < table->current.count; i++)
		hash = mix(hash, table->current.lookup[i]);
	size_t at = hash & (table->slot_count - 1);
	for (; table->slots[at] != 0; at = (at + 1) & (table->slot_count - 1)) {
		*number = table->slots[at] - 1;
		if (same_stack(table, &table->keys.items[*number]))
			return true;
	}
	*number = (uint32_t)table->keys.count;
	if (!add_stack(table))
		return false;
	table->slots[at] = *number + 1;
	return true;
}

/* The calls of one kept stack. */
static bool resolve_stack(const struct go_stack_table *table, const struct go_stack_key *key,
			  struct go_stack *stack)
{
	ARRAY(struct go_call) calls = { 0 };
	struct go_call here[GO_INLINE_MAX];
	struct go_function function;
	*stack = (struct go_stack){
		.left_out = key->left_out,
		.complete = key->complete,
		.stopped = key->stopped,
	};
	for (size_t i = 0; i < key->count; i++) {
		uint64_t lookup = table->pcs.items[key->first + 2 * i];
		uint64_t pc = table->pcs.items[key->first + 2 * i + 1];
		if (i == GO_FRAMES_MAX - FRAMES_LAST)
			stack->left_out_before = calls.count;
		if (!go_function_at(table->process, lookup, &function))
			continue;
		size_t count = go_calls_at(table->process, &function, pc, lookup, here);
		for (size_t k = 0; k < count; k++) {
			if (array_push(&calls, here[k]))
				continue;
			array_free(&calls);
			return false;
		}
	}
	stack->calls = calls.items;
	stack->count = calls.count;
	return true;
}

bool go_stack_table_resolve(const struct go_stack_table *table, struct go_stack **stacks,
			    size_t *count)
{
	*count = 0;
	*stacks = calloc(table->keys.count + 1, sizeof **stacks);
	if (*stacks == NULL)
		return false;
	for (; *count < table->keys.count; ++*count)
		if (!resolve_stack(table, &table->keys.items[*count], &(*stacks)[*count]))
			return false;
	return true;
}

void go_stack_table_free(struct go_stack_table *table)
{
	array_free(&table->pcs);
	array_free(&table->keys);
	free(table->slots);
}
