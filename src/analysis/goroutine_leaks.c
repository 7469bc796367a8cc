/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "analysis/goroutine_leaks.h"

#include "analysis/goroutine_roots.h"
#include "analysis/goroutine_suspicions.h"

#include <string.h>

enum { CAN_RUN, MAY_BE_LEAKED }; /* of a goroutine, in search.states */

/* A goroutine and an object of the heap that it waits for, or that is its own record. */
struct link {
	uint64_t object;
	uint32_t goroutine;
};

struct link_array {
	ARRAY(struct link);
};

struct search {
	const struct go_process *process;
	struct goroutines *goroutines;
	struct go_mark *mark;
	struct goroutine_roots roots;
	uint8_t *states;
	ARRAY(struct link) awaited; /* by object */
	ARRAY(struct link) records; /* their g: by object */
	ARRAY(uint32_t) woken;	    /* can run, and are to be gone through */
	bool no_memory;
};

/* --- who may be leaked */

/* Main waits for ever on purpose where nothing else is left for it to do. */
static bool waits_on_purpose(const struct goroutine *one)
{
	return one->id == 1 && one->wait.kind == GO_WAIT_EMPTY_SELECT;
}

static bool may_be_leaked(const struct search *search, const struct goroutine *one)
{
	const struct go_wait *wait = &one->wait;
	if (one->system || one->state != GO_WAITING || !go_wait_needs_object(wait->kind) ||
	    waits_on_purpose(one) || !search->goroutines->stacks[one->stack].complete)
		return false;
	return wait->count > 0 || wait->kind == GO_WAIT_NIL_CHANNEL ||
	       wait->kind == GO_WAIT_EMPTY_SELECT;
}

/* The record of a wait leads from the channel's queue to the goroutine, and back: that is not how
 * anybody would come to it. */
static bool hide_sudog(struct search *search, uint64_t sudog)
{
	uint64_t channel, element;
	if (sudog == 0 || go_mark_note(search->mark, sudog) == 0)
		return true;
	return go_offset(search->process, GO_SUDOG_C, &channel) &&
	       go_offset(search->process, GO_SUDOG_ELEM, &element) &&
	       go_mark_hide(search->mark, sudog + channel) &&
	       go_mark_hide(search->mark, sudog + element);
}

/* True where all that it waits for lies in the heap; else others may come to it unseen. */
static bool note_objects(struct search *search, uint32_t index)
{
	const struct goroutine *one = &search->goroutines->items[index];
	const struct go_wait_objects *objects = &search->goroutines->objects;
	for (uint32_t i = 0; i < one->wait.count; i++) {
		const struct go_wait_case *at = &objects->cases.items[one->wait.first + i];
		uint64_t address = objects->objects.items[at->object].address;
		uint64_t object = go_mark_note(search->mark, address);
		if (object == 0)
			return false;
		if (!array_push(&search->awaited, (struct link){ object, index }) ||
		    !hide_sudog(search, at->sudog))
			search->no_memory = true;
	}
	uint64_t record = go_mark_note(search->mark, one->address);
	if (record == 0)
		return false;
	if (!array_push(&search->records, (struct link){ record, index }))
		search->no_memory = true;
	return true;
}

static int by_object(const void *a, const void *b)
{
	const struct link *left = a, *right = b;
	if (left->object != right->object)
		return left->object < right->object ? -1 : 1;
	return left->goroutine < right->goroutine ? -1 : left->goroutine > right->goroutine;
}

/* The first link of `object`; `count` where there is none. */
static size_t first_link(const struct link *links, size_t count, uint64_t object)
{
	size_t low = 0, high = count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (links[middle].object < object)
			low = middle + 1;
		else
			high = middle;
	}
	return low < count && links[low].object == object ? low : count;
}

static void divide(struct search *search)
{
	for (uint32_t i = 0; i < search->goroutines->count; i++) {
		bool may =
		    may_be_leaked(search, &search->goroutines->items[i]) && note_objects(search, i);
		search->states[i] = may ? MAY_BE_LEAKED : CAN_RUN;
	}
	if (search->awaited.count > 1)
		qsort(search->awaited.items, search->awaited.count, sizeof *search->awaited.items,
		      by_object);
	if (search->records.count > 1)
		qsort(search->records.items, search->records.count, sizeof *search->records.items,
		      by_object);
}

/* --- marking */

static void wake(struct search *search, uint32_t index)
{
	if (search->states[index] == CAN_RUN)
		return;
	search->states[index] = CAN_RUN;
	if (!array_push(&search->woken, index))
		search->no_memory = true;
}

/* A goroutine's own record is followed only where it can run. */
static bool reached(void *context, uint64_t object)
{
	struct search *search = context;
	size_t at = first_link(search->awaited.items, search->awaited.count, object);
	for (; at < search->awaited.count && search->awaited.items[at].object == object; at++)
		wake(search, search->awaited.items[at].goroutine);
	at = first_link(search->records.items, search->records.count, object);
	return at == search->records.count ||
	       search->states[search->records.items[at].goroutine] == CAN_RUN;
}

static void mark_live(struct search *search)
{
	const struct goroutines *goroutines = search->goroutines;
	go_mark_roots(search->mark);
	for (uint32_t i = 0; i < goroutines->count; i++)
		if (search->states[i] == CAN_RUN && !array_push(&search->woken, i))
			search->no_memory = true;
	while (search->woken.count > 0 && !search->no_memory)
		goroutine_roots_mark(
		    &search->roots, &goroutines->items[search->woken.items[--search->woken.count]]);
}

/* The main goroutine often waits for ever on purpose. What it holds is no garbage, but it wakes
 * nobody. */
static bool spare_main(struct search *search)
{
	const struct goroutines *goroutines = search->goroutines;
	for (size_t i = 0; i < goroutines->count; i++) {
		if (goroutines->items[i].id != 1 || search->states[i] != MAY_BE_LEAKED)
			continue;
		search->states[i] = CAN_RUN;
		search->mark->reached = NULL;
		goroutine_roots_mark(&search->roots, &goroutines->items[i]);
		return true;
	}
	return false;
}

/* --- what the leaked ones keep */

static size_t leaked_members(const struct search *search, const struct go_group *group)
{
	size_t count = 0;
	for (size_t i = 0; i < group->count; i++)
		count +=
		    search->states[group->members[i] - search->goroutines->items] == MAY_BE_LEAKED;
	return count;
}

static void mark_group(struct search *search, struct goroutine_leak *leak)
{
	const struct go_group *group = leak->group;
	for (size_t i = 0; i < group->count; i++) {
		const struct goroutine *one = group->members[i];
		if (search->states[one - search->goroutines->items] != MAY_BE_LEAKED)
			continue;
		leak->count++;
		leak->stack_bytes += one->stack_high - one->stack_low;
		go_mark_pointer(search->mark, one->address);
		goroutine_roots_mark(&search->roots, one);
	}
}

static int by_count(const void *a, const void *b)
{
	const struct goroutine_leak *left = a, *right = b;
	if (left->count != right->count)
		return left->count > right->count ? -1 : 1;
	return left->group < right->group ? -1 : left->group > right->group;
}

static bool weigh(struct search *search, struct goroutine_leaks *leaks)
{
	struct go_mark *mark = search->mark;
	const struct goroutines *goroutines = search->goroutines;
	mark->reached = NULL;
	mark->hidden_count = 0;
	leaks->live_bytes = mark->bytes;
	leaks->live_objects = mark->objects;
	leaks->groups = calloc(goroutines->group_count + 1, sizeof *leaks->groups);
	if (leaks->groups == NULL)
		return false;
	for (size_t i = 0; i < goroutines->group_count; i++) {
		const struct go_group *group = &goroutines->groups[i];
		if (leaked_members(search, group) == 0)
			continue;
		struct goroutine_leak *leak = &leaks->groups[leaks->group_count++];
		leak->group = group;
		/* What is beyond the colors' number shares the last one. */
		size_t color = leaks->group_count < GO_SHARED ? leaks->group_count : GO_SHARED - 1;
		if (!go_mark_color(mark, (uint16_t)color))
			return false;
		mark_group(search, leak);
		leaks->count += leak->count;
		leaks->stack_bytes += leak->stack_bytes;
	}
	for (size_t i = 0; i < leaks->group_count && i + 1 < GO_SHARED - 1; i++) {
		leaks->groups[i].bytes = mark->color_bytes[i + 1];
		leaks->groups[i].objects = mark->color_objects[i + 1];
	}
	leaks->bytes = mark->bytes - leaks->live_bytes;
	leaks->objects = mark->objects - leaks->live_objects;
	leaks->shared_bytes = mark->color_bytes[GO_SHARED];
	if (leaks->group_count > 1)
		qsort(leaks->groups, leaks->group_count, sizeof *leaks->groups, by_count);
	return true;
}

/* --- all of it */

/* Whether no goroutine of the program can do anything by itself. Timers may still fire. */
static bool all_wait(const struct search *search)
{
	const struct goroutines *goroutines = search->goroutines;
	size_t program = 0;
	for (size_t i = 0; i < goroutines->count; i++) {
		const struct goroutine *one = &goroutines->items[i];
		if (one->system)
			continue;
		program++;
		if (one->state != GO_WAITING || !go_wait_needs_object(one->wait.kind))
			return false;
	}
	return program > 0 && goroutines->timers == 0;
}

static bool find(struct search *search, struct goroutine_leaks *leaks)
{
	size_t count = search->goroutines->count;
	search->states = calloc(count + 1, 1);
	leaks->leaked = calloc(count + 1, 1);
	if (search->states == NULL || leaks->leaked == NULL)
		return false;
	divide(search);
	mark_live(search);
	leaks->main_waits_forever = spare_main(search);
	for (size_t i = 0; i < count; i++)
		leaks->leaked[i] = search->states[i] == MAY_BE_LEAKED;
	leaks->all_wait = all_wait(search);
	return goroutine_suspicions_find(search->goroutines, leaks) && weigh(search, leaks) &&
	       !search->no_memory && !search->mark->no_memory && !search->roots.scan.no_memory;
}

struct error *goroutine_leaks_find(const struct go_process *process, struct goroutines *goroutines,
				   struct go_heap *heap, const struct progress *progress,
				   struct goroutine_leaks *leaks)
{
	struct goroutine_leaks result = { 0 };
	struct search search = { .process = process, .goroutines = goroutines };
	if (heap->absent_bytes > 0)
		return error_new(ERROR_UNSUPPORTED,
				 "%llu kB of Go's heap are missing, which may lead to what "
				 "goroutines wait for",
				 (unsigned long long)(heap->absent_bytes + 1023) / 1024);
	if (goroutines->unreadable > 0)
		return error_new(ERROR_UNSUPPORTED,
				 "some goroutines could not be read, which may wake others");
	progress_tell(progress, "looking for leaked goroutines", 0, 0);
	search.mark = go_mark_new(heap);
	bool found = false;
	if (search.mark != NULL) {
		search.mark->reached = reached;
		search.mark->context = &search;
		goroutine_roots_init(process, goroutines, search.mark, &search.roots);
		found = find(&search, &result);
	}
	goroutine_roots_free(&search.roots);
	go_mark_free(search.mark);
	array_free(&search.awaited);
	array_free(&search.records);
	array_free(&search.woken);
	free(search.states);
	if (!found) {
		goroutine_leaks_free(&result);
		return error_no_memory();
	}
	*leaks = result;
	return NULL;
}

void goroutine_leaks_free(struct goroutine_leaks *leaks)
{
	free(leaks->leaked);
	free(leaks->groups);
	free(leaks->suspicions);
	*leaks = (struct goroutine_leaks){ 0 };
}

const char *goroutine_leak_reason(const struct goroutine *goroutine)
{
	switch (goroutine->wait.kind) {
	case GO_WAIT_NIL_CHANNEL:
		return "the channel is nil: this wait never ends";
	case GO_WAIT_EMPTY_SELECT:
		return "the select has no cases: this wait never ends";
	case GO_WAIT_CHANNEL:
		return "nothing that can run leads to the channel";
	case GO_WAIT_SELECT:
		return "nothing that can run leads to any of the channels";
	default:
		return "nothing that can run leads to what it waits for";
	}
}
