/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "threads/threads.h"

#include "base/sorted.h"

#include <string.h>

/* What makes two frames equal. Code without a name is told by its place in its module, since the
 * modules lie elsewhere in every run. Names and files are in one pool: equal means identical. */
struct frame_key {
	const struct module *module;
	const char *function, *file;
	uint64_t place;
	unsigned line;
	bool inlined, signal_frame;
};

static struct frame_key key_of(const struct frame *frame)
{
	uint64_t bias = frame->module != NULL ? frame->module->bias : 0;
	return (struct frame_key){
		.module = frame->module,
		.function = frame->function,
		.file = frame->file,
		.place = frame->function == NULL ? frame->lookup_pc - bias : 0,
		.line = frame->line,
		.inlined = frame->inlined,
		.signal_frame = frame->signal_frame,
	};
}

static bool same_key(const struct frame_key *a, const struct frame_key *b)
{
	return a->module == b->module && a->function == b->function && a->file == b->file &&
	       a->place == b->place && a->line == b->line && a->inlined == b->inlined &&
	       a->signal_frame == b->signal_frame;
}

static bool same_stack(const struct thread *a, const struct thread *b)
{
	if (a->frame_count != b->frame_count)
		return false;
	for (size_t i = 0; i < a->frame_count; i++) {
		struct frame_key left = key_of(&a->frames[i]), right = key_of(&b->frames[i]);
		if (!same_key(&left, &right))
			return false;
	}
	return true;
}

static uint64_t mix(uint64_t hash, uint64_t value)
{
	hash = (hash ^ value) * UINT64_C(0x9e3779b97f4a7c15);
	return hash ^ hash >> 29;
}

static uint64_t hash_stack(const struct thread *thread)
{
	uint64_t hash = thread->frame_count;
	for (size_t i = 0; i < thread->frame_count; i++) {
		struct frame_key key = key_of(&thread->frames[i]);
		hash = mix(hash, (uintptr_t)key.module);
		hash = mix(hash, (uintptr_t)key.function);
		hash = mix(hash, (uintptr_t)key.file ^ key.place ^ (uint64_t)key.line << 32);
	}
	return hash;
}

struct entry {
	uint64_t hash;
	size_t index; /* of the thread */
	size_t group;
};

static int by_hash(const void *a, const void *b)
{
	const struct entry *left = a, *right = b;
	int order = sorted_order(left->hash, right->hash);
	return order != 0 ? order : sorted_order(left->index, right->index);
}

static int by_index(const void *a, const void *b)
{
	const struct entry *left = a, *right = b;
	return sorted_order(left->index, right->index);
}

/* The crashed thread's, then the larger ones, then as the threads come. Members are borrowed in
 * the threads' own order, so that addresses compare as indexes do. */
static int by_size(const void *a, const void *b)
{
	const struct stack_group *left = a, *right = b;
	bool left_crashed = left->members[0]->crashed, right_crashed = right->members[0]->crashed;
	int order = sorted_order(right_crashed, left_crashed);
	if (order == 0)
		order = sorted_order(right->count, left->count);
	return order != 0 ? order : sorted_order(left->members[0], right->members[0]);
}

/* Numbers the groups in `entries`, which are sorted by hash. Returns how many there are. */
static size_t number_groups(const struct threads *threads, struct entry *entries)
{
	size_t groups = 0;
	for (size_t i = 0; i < threads->count; i++) {
		entries[i].group = groups;
		/* Equal hashes of unequal stacks are so rare that a search backwards will do. */
		for (size_t j = i; j-- > 0 && entries[j].hash == entries[i].hash;) {
			if (same_stack(&threads->items[entries[j].index],
				       &threads->items[entries[i].index])) {
				entries[i].group = entries[j].group;
				break;
			}
		}
		if (entries[i].group == groups)
			groups++;
	}
	return groups;
}

/* Hands out the members; `entries` are in the order of the threads. */
static bool fill(const struct threads *threads, const struct entry *entries,
		 struct stack_groups *groups)
{
	for (size_t i = 0; i < threads->count; i++)
		groups->items[entries[i].group].count++;
	for (size_t i = 0; i < groups->count; i++) {
		struct stack_group *group = &groups->items[i];
		group->members = calloc(group->count, sizeof *group->members);
		if (group->members == NULL)
			return false;
		group->count = 0;
	}
	for (size_t i = 0; i < threads->count; i++) {
		struct stack_group *group = &groups->items[entries[i].group];
		group->members[group->count++] = &threads->items[entries[i].index];
	}
	return true;
}

struct error *stack_groups_make(const struct threads *threads, struct stack_groups *groups)
{
	struct stack_groups made = { 0 };
	if (threads->count == 0) {
		*groups = made;
		return NULL;
	}
	struct entry *entries = calloc(threads->count, sizeof *entries);
	if (entries == NULL)
		return error_no_memory();
	for (size_t i = 0; i < threads->count; i++)
		entries[i] = (struct entry){ hash_stack(&threads->items[i]), i, 0 };
	qsort(entries, threads->count, sizeof *entries, by_hash);
	size_t count = number_groups(threads, entries);
	qsort(entries, threads->count, sizeof *entries, by_index);
	made.items = calloc(count, sizeof *made.items);
	made.count = made.items != NULL ? count : 0;
	bool complete = made.items != NULL && fill(threads, entries, &made);
	free(entries);
	if (!complete) {
		stack_groups_free(&made);
		return error_no_memory();
	}
	qsort(made.items, made.count, sizeof *made.items, by_size);
	*groups = made;
	return NULL;
}

void stack_groups_free(struct stack_groups *groups)
{
	for (size_t i = 0; i < groups->count; i++)
		free(groups->items[i].members);
	free(groups->items);
	*groups = (struct stack_groups){ 0 };
}
