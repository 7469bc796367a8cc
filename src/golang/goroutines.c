/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "golang/goroutines.h"

#include "golang/goroutine_groups.h"
#include "golang/goroutine_record.h"
#include "golang/goroutine_stacks.h"

#include <inttypes.h>
#include <string.h>
#include <time.h>

/* Goroutines that are believed in; each has at least 2 KB of stack. */
#define GOROUTINES_MAX (1u << 26)

/* Of each processor's timers so many are looked at: one of the runtime's own among more than that
 * changes nothing. */
#define TIMERS_EXAMINED 64

struct reading {
	const struct go_process *process;
	struct goroutines *result;
	struct goroutine_reader reader;
	struct go_stack_table stacks;
	ARRAY(struct goroutine) items;
};

const char *go_state_name(enum go_state state)
{
	static const char *const names[GO_STATE_COUNT] = {
		[GO_RUNNABLE] = "runnable",   [GO_RUNNING] = "running",
		[GO_IN_SYSCALL] = "syscall",  [GO_WAITING] = "waiting",
		[GO_PREEMPTED] = "preempted", [GO_STARTING] = "in transition",
	};
	return names[state];
}

static int by_id(const void *a, const void *b)
{
	const struct goroutine *left = a, *right = b;
	return left->id < right->id ? -1 : left->id > right->id;
}

/* Whether one of the runtime's that runs finalizers or cleanups is in a function of the program's:
 * the runtime counts it with the program's then. */
static bool calls_program(const struct reading *reading, const struct goroutine *one)
{
	static const char *const callers[] = { "runtime.runfinq", "runtime.runFinalizers",
					       "runtime.runCleanups" };
	struct go_function function;
	struct go_unwind unwind;
	struct go_frame frame;
	bool calls = false;
	const char *start = go_function_at(reading->process, one->start_pc, &function)
				? go_function_name(reading->process, &function)
				: NULL;
	for (size_t i = 0; start != NULL && i < sizeof callers / sizeof *callers; i++)
		calls = calls || strcmp(callers[i], start) == 0;
	if (!calls)
		return false;
	goroutine_unwind(reading->process, &reading->result->places, one, &unwind);
	while (go_unwind_next(&unwind, &frame)) {
		const char *name = go_function_name(reading->process, &frame.place->function);
		if (name != NULL && strncmp(name, "runtime.", 8) != 0 &&
		    strncmp(name, "internal/", 9) != 0)
			return true;
	}
	return false;
}

static bool read_all(struct reading *reading)
{
	const struct go_process *process = reading->process;
	struct goroutines *result = reading->result;
	uint64_t address;
	bool dead;
	for (uint64_t i = 0; i < result->total; i++) {
		struct goroutine one;
		if (!address_space_u64(process->space, process->goroutines.address + 8 * i,
				       &address) ||
		    !goroutine_read(&reading->reader, address, &one, &dead)) {
			result->unreadable++;
			continue;
		}
		if (dead) {
			result->dead++;
			continue;
		}
		one.system = one.system && !calls_program(reading, &one);
		if (!go_stack_table_add(&reading->stacks, &result->places, &one, &one.stack) ||
		    !go_wait_find(process, &one, &result->places, &result->objects, &one.wait) ||
		    !array_push(&reading->items, one))
			return false;
	}
	return true;
}

/* A moment before which nothing was read: the latest that the runtime wrote down anywhere; of a
 * live process its clock, which is the kernel's monotonic one. */
static void find_now(const struct go_process *process, struct goroutines *result)
{
	uint64_t p, value;
	struct timespec time;
	for (size_t i = 0; i < result->count; i++)
		if (result->items[i].wait_since > result->now)
			result->now = result->items[i].wait_since;
	for (uint64_t i = 0; i < process->processors.count && i < 4096; i++) {
		if (!address_space_u64(process->space, process->processors.address + 8 * i, &p))
			break;
		for (enum go_field at = GO_P_SCHEDWHEN; at <= GO_P_SYSCALLWHEN; at++)
			if (go_read(process, p, at, 8, &value) && (int64_t)value > result->now)
				result->now = (int64_t)value;
	}
	if (process->target->kind == TARGET_LIVE && clock_gettime(CLOCK_MONOTONIC, &time) == 0)
		result->now = (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

/* The runtime's own timer, by which it gives memory back. */
static bool is_scavengers(const struct go_process *process, uint64_t timer)
{
	struct go_function function;
	uint64_t closure = go_pointer(process, timer, GO_TIMER_F), pc;
	if (closure == 0 || !address_space_u64(process->space, closure, &pc) ||
	    !go_function_at(process, pc, &function))
		return false;
	const char *name = go_function_name(process, &function);
	return name != NULL && strncmp(name, "runtime.(*scavengerState)", 25) == 0;
}

/* Every processor has a heap of them: a slice of pointers; since Go 1.23, in a struct, of pairs of
 * pointer and time. */
static void count_timers(const struct go_process *process, struct goroutines *result)
{
	struct go_slice timers;
	uint64_t p, timer;
	for (uint64_t i = 0; i < process->processors.count && i < 4096; i++) {
		uint64_t step = 16;
		if (!address_space_u64(process->space, process->processors.address + 8 * i, &p))
			continue;
		if (!go_read_slice(process, p, GO_P_TIMERS_HEAP, &timers)) {
			step = 8;
			if (!go_read_slice(process, p, GO_P_TIMERS, &timers))
				continue;
		}
		result->timers += timers.count;
		for (uint64_t k = 0; k < timers.count && k < TIMERS_EXAMINED; k++)
			if (address_space_u64(process->space, timers.address + step * k, &timer) &&
			    is_scavengers(process, timer))
				result->timers--;
	}
}

static void tell_gaps(const struct goroutines *result, struct gaps *gaps)
{
	size_t early = 0, program = 0;
	for (size_t i = 0; i < result->count; i++) {
		program += !result->items[i].system;
		early +=
		    !result->items[i].system && !result->stacks[result->items[i].stack].complete;
	}
	if (result->unreadable > 0)
		gaps_add(gaps, GAP_THREAD, 0, 0,
			 "%zu of %" PRIu64 " goroutines could not be read: their memory was not "
			 "dumped, or contradicts itself",
			 result->unreadable, result->total);
	if (early > 0)
		gaps_add(gaps, GAP_THREAD, 0, 0,
			 "the stacks of %zu of %zu goroutines could not be walked to their end",
			 early, program);
}

static struct error *read_goroutines(struct reading *reading, struct gaps *gaps)
{
	struct goroutines *result = reading->result;
	const struct go_process *process = reading->process;
	result->total = process->goroutines.count;
	if (result->total > GOROUTINES_MAX) {
		gaps_add(gaps, GAP_LIMIT, 0, 0, "only %u of %" PRIu64 " goroutines were read",
			 GOROUTINES_MAX, result->total);
		result->total = GOROUTINES_MAX;
	}
	goroutine_reader_init(process, &reading->reader);
	if (!read_all(reading))
		return error_no_memory();
	result->items = reading->items.items;
	result->count = reading->items.count;
	reading->items.items = NULL;
	if (result->count > 0)
		qsort(result->items, result->count, sizeof *result->items, by_id);
	if (!go_stack_table_resolve(&reading->stacks, &result->stacks, &result->stack_count) ||
	    !goroutine_groups_make(process, result))
		return error_no_memory();
	find_now(process, result);
	count_timers(process, result);
	tell_gaps(result, gaps);
	return NULL;
}

struct error *goroutines_open(const struct go_process *process, struct gaps *gaps,
			      struct goroutines *goroutines)
{
	struct goroutines result = { 0 };
	struct reading reading = { .process = process,
				   .result = &result,
				   .stacks = { .process = process } };
	struct error *error = read_goroutines(&reading, gaps);
	go_stack_table_free(&reading.stacks);
	array_free(&reading.items);
	if (error != NULL) {
		goroutines_free(&result);
		return error;
	}
	*goroutines = result;
	return NULL;
}

void goroutines_free(struct goroutines *goroutines)
{
	for (size_t i = 0; i < goroutines->stack_count; i++)
		free(goroutines->stacks[i].calls);
	free(goroutines->stacks);
	free(goroutines->items);
	free(goroutines->groups);
	free(goroutines->members);
	go_wait_objects_free(&goroutines->objects);
	go_places_free(&goroutines->places);
	*goroutines = (struct goroutines){ 0 };
}

size_t goroutines_in(const struct goroutines *goroutines, enum go_state state)
{
	size_t count = 0;
	for (size_t i = 0; i < goroutines->count; i++)
		count += !goroutines->items[i].system && goroutines->items[i].state == state;
	return count;
}
