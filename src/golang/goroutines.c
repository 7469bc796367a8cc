/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "golang/goroutines.h"

#include <inttypes.h>
#include <string.h>
#include <time.h>

/* Goroutines that are believed in; each has at least 2 KB of stack. */
#define GOROUTINES_MAX (1u << 26)
#define REASONS_MAX    64
/* Physical frames that are kept of one stack: of a longer one the innermost and the outermost. */
#define FRAMES_MAX  128
#define FRAMES_LAST 16
#define G_SIZE_MAX  1024

/* Of runtime.g's .atomicstatus; the collector adds a bit while it scans the stack. */
enum {
	STATUS_IDLE,
	STATUS_RUNNABLE,
	STATUS_RUNNING,
	STATUS_SYSCALL,
	STATUS_WAITING,
	STATUS_DEAD = 6,
	STATUS_COPYSTACK = 8,
	STATUS_PREEMPTED = 9,
	STATUS_LEAKED = 10,	/* since Go 1.26: waits, and was found to be leaked */
	STATUS_DEAD_EXTRA = 11, /* since Go 1.26 */
	STATUS_SCAN = 0x1000,
};

/* A stack in the making. */
struct pcs {
	uint64_t lookup[FRAMES_MAX]; /* as go_frame's */
	uint64_t pc[FRAMES_MAX];
	size_t count, left_out;
	bool complete;
	const char *stopped;
};

struct stack_key {
	size_t first, count, left_out; /* in .pcs, pairs of lookup and pc */
	bool complete;
	const char *stopped;
};

struct reading {
	const struct go_process *process;
	struct goroutines *result;
	const char *reasons[REASONS_MAX];
	size_t g_size; /* bytes of a g that are read */
	ARRAY(uint64_t) pcs;
	ARRAY(struct stack_key) keys;
	uint32_t *slots; /* hash of keys: index + 1 */
	size_t slot_count;
	ARRAY(struct goroutine) items;
	struct pcs stack;
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

/* --- one goroutine */

static uint64_t field(const struct reading *reading, const uint8_t *g, enum go_field which,
		      size_t size)
{
	uint64_t offset;
	if (!go_offset(reading->process, which, &offset) || offset + size > reading->g_size)
		return 0;
	return bytes_unsigned(g + offset, size, false);
}

static bool state_of(uint64_t status, enum go_state *state)
{
	switch (status & ~(uint64_t)STATUS_SCAN) {
	case STATUS_RUNNABLE:
		*state = GO_RUNNABLE;
		return true;
	case STATUS_RUNNING:
		*state = GO_RUNNING;
		return true;
	case STATUS_SYSCALL:
		*state = GO_IN_SYSCALL;
		return true;
	case STATUS_WAITING:
	case STATUS_LEAKED:
		*state = GO_WAITING;
		return true;
	case STATUS_PREEMPTED:
		*state = GO_PREEMPTED;
		return true;
	case STATUS_IDLE:
	case STATUS_COPYSTACK:
		*state = GO_STARTING;
		return true;
	default:
		return false;
	}
}

const struct target_thread *goroutine_thread(const struct target *target, uint64_t procid)
{
	for (size_t i = 0; procid != 0 && i < target->threads.count; i++) {
		const struct target_thread *thread = &target->threads.items[i];
		if ((uint64_t)thread->tid == procid || (uint64_t)thread->inner_tid == procid)
			return thread;
	}
	return NULL;
}

/* Whether a goroutine that runs can stand at `pc` and `sp`. */
static bool plausible(const struct go_process *process, const struct goroutine *goroutine,
		      uint64_t pc, uint64_t sp)
{
	struct go_function function;
	return sp >= goroutine->stack_low && sp < goroutine->stack_high &&
	       go_function_at(process, pc, &function);
}

/* The registers that the kernel saved when a signal came: struct ucontext names the signal stack,
 * which is the m's gsignal's, at 16; on x86-64 RSP and RIP are the 16th and 17th of its general
 * registers, which begin at 40. */
static bool before_signal(const struct go_process *process, uint64_t m, struct goroutine *goroutine)
{
	uint64_t gsignal = go_pointer(process, m, GO_M_GSIGNAL), low, high, stack, size, pc, sp;
	if (gsignal == 0)
		return false;
	low = go_pointer(process, gsignal, GO_G_STACK_LO);
	high = go_pointer(process, gsignal, GO_G_STACK_HI);
	if (low == 0 || high - low > 1 << 20)
		return false;
	for (uint64_t at = low; at + 160 <= high; at += 8) {
		if (!address_space_u64(process->space, at, &stack) || stack != low ||
		    !address_space_u64(process->space, at + 16, &size) || size > high - low ||
		    !address_space_u64(process->space, at + 24 + 15 * 8, &sp) ||
		    !address_space_u64(process->space, at + 24 + 16 * 8, &pc) ||
		    !plausible(process, goroutine, pc, sp))
			continue;
		goroutine->pc = pc;
		goroutine->sp = sp;
		return true;
	}
	return false;
}

/* A running goroutine's place is in its thread's registers; in the signal frame, where the thread
 * handles a signal; or saved, where the thread does the runtime's work on a stack of its own. */
static void place_running(const struct go_process *process, uint64_t m, struct goroutine *goroutine)
{
	const struct target *target = process->target;
	uint64_t procid = go_pointer(process, m, GO_M_PROCID);
	const struct target_thread *thread = goroutine_thread(target, procid);
	goroutine->tid = thread != NULL ? thread->tid : 0;
	goroutine->exact = true;
	if (thread != NULL) {
		uint64_t pc = arch_pc(target->arch, &thread->registers);
		uint64_t sp = arch_sp(target->arch, &thread->registers);
		if (plausible(process, goroutine, pc, sp)) {
			goroutine->pc = pc;
			goroutine->sp = sp;
			return;
		}
	}
	if (before_signal(process, m, goroutine))
		return;
	uint64_t pc = go_pointer(process, goroutine->address, GO_G_SCHED_PC);
	uint64_t sp = go_pointer(process, goroutine->address, GO_G_SCHED_SP);
	goroutine->exact = false;
	if (plausible(process, goroutine, pc, sp)) {
		goroutine->pc = pc;
		goroutine->sp = sp;
	}
}

static void place(const struct reading *reading, const uint8_t *g, struct goroutine *goroutine)
{
	uint64_t m = field(reading, g, GO_G_M, 8);
	uint64_t call = field(reading, g, GO_G_SYSCALLSP, 8);
	if (goroutine->state == GO_RUNNING && m != 0) {
		place_running(reading->process, m, goroutine);
		return;
	}
	goroutine->pc = field(reading, g, GO_G_SCHED_PC, 8);
	goroutine->sp = field(reading, g, GO_G_SCHED_SP, 8);
	if (goroutine->state == GO_IN_SYSCALL && call != 0) {
		goroutine->pc = field(reading, g, GO_G_SYSCALLPC, 8);
		goroutine->sp = call;
	}
	if (goroutine->state == GO_IN_SYSCALL && m != 0) {
		uint64_t procid = go_pointer(reading->process, m, GO_M_PROCID);
		const struct target_thread *thread =
		    goroutine_thread(reading->process->target, procid);
		goroutine->tid = thread != NULL ? thread->tid : 0;
	}
}

/* The runtime's own begin in it, but for the one that runs main. */
static bool is_system(const struct go_process *process, uint64_t start)
{
	struct go_function function;
	const char *name =
	    go_function_at(process, start, &function) ? go_function_name(process, &function) : NULL;
	return name != NULL && strncmp(name, "runtime.", 8) == 0 &&
	       strcmp(name, "runtime.main") != 0;
}

/* False where it is no goroutine's g; `*dead` where the goroutine has ended. */
static bool read_goroutine(const struct reading *reading, uint64_t address,
			   struct goroutine *goroutine, bool *dead)
{
	uint8_t g[G_SIZE_MAX];
	const struct go_process *process = reading->process;
	*dead = false;
	if (!address_space_probe(process->space, address, g, reading->g_size) ||
	    field(reading, g, GO_G_SCHED_G, 8) != address)
		return false;
	*goroutine = (struct goroutine){
		.address = address,
		.id = field(reading, g, GO_G_GOID, 8),
		.parent = field(reading, g, GO_G_PARENTGOID, 8),
		.wait_since = (int64_t)field(reading, g, GO_G_WAITSINCE, 8),
		.stack_low = field(reading, g, GO_G_STACK_LO, 8),
		.stack_high = field(reading, g, GO_G_STACK_HI, 8),
		.creator_pc = field(reading, g, GO_G_GOPC, 8),
		.start_pc = field(reading, g, GO_G_STARTPC, 8),
	};
	uint64_t status = field(reading, g, GO_G_ATOMICSTATUS, 4);
	if (!state_of(status, &goroutine->state)) {
		*dead = (status & ~(uint64_t)STATUS_SCAN) == STATUS_DEAD ||
			(status & ~(uint64_t)STATUS_SCAN) == STATUS_DEAD_EXTRA;
		return *dead;
	}
	/* One that was just made, and is not in use yet. */
	if (goroutine->state == GO_STARTING && goroutine->stack_low == 0)
		return *dead = true;
	unsigned reason = (unsigned)field(reading, g, GO_G_WAITREASON, 1);
	if (goroutine->state == GO_WAITING && reason < REASONS_MAX)
		goroutine->reason = reading->reasons[reason];
	goroutine->system = is_system(process, goroutine->start_pc);
	place(reading, g, goroutine);
	return true;
}

/* --- stacks */

void goroutine_unwind(const struct go_process *process, struct go_places *places,
		      const struct goroutine *goroutine, struct go_unwind *unwind)
{
	go_unwind_begin(unwind, process, places, goroutine->stack_low, goroutine->stack_high,
			goroutine->pc, goroutine->sp, goroutine->exact);
}

/* Of a stack longer than FRAMES_MAX the last ones go round in the end of the array. */
static void keep(struct pcs *stack, size_t number, const struct go_frame *frame)
{
	size_t at = number;
	if (number >= FRAMES_MAX) {
		at = FRAMES_MAX - FRAMES_LAST + (number - FRAMES_MAX) % FRAMES_LAST;
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

static void walk(struct reading *reading, const struct goroutine *goroutine)
{
	struct pcs *stack = &reading->stack;
	struct go_unwind unwind;
	struct go_frame frame;
	size_t number = 0;
	stack->left_out = 0;
	goroutine_unwind(reading->process, &reading->result->places, goroutine, &unwind);
	for (; go_unwind_next(&unwind, &frame); number++)
		keep(stack, number, &frame);
	stack->count = number < FRAMES_MAX ? number : FRAMES_MAX;
	stack->complete = unwind.complete;
	stack->stopped = unwind.stopped;
	if (stack->left_out > 0) {
		rotate(stack->lookup + FRAMES_MAX - FRAMES_LAST, stack->left_out % FRAMES_LAST);
		rotate(stack->pc + FRAMES_MAX - FRAMES_LAST, stack->left_out % FRAMES_LAST);
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

static bool same_stack(const struct reading *reading, const struct stack_key *key)
{
	const struct pcs *stack = &reading->stack;
	if (key->count != stack->count || key->left_out != stack->left_out ||
	    key->stopped != stack->stopped || key->complete != stack->complete)
		return false;
	for (size_t i = 0; i < key->count; i++)
		if (reading->pcs.items[key->first + 2 * i] != stack->lookup[i])
			return false;
	return true;
}

static bool grow_slots(struct reading *reading)
{
	size_t count = reading->slot_count == 0 ? 1024 : reading->slot_count * 2;
	uint32_t *slots = calloc(count, sizeof *slots);
	if (slots == NULL)
		return false;
	for (size_t i = 0; i < reading->keys.count; i++) {
		const struct stack_key *key = &reading->keys.items[i];
		size_t at = hash_pcs(reading->pcs.items + key->first, key->count, key->left_out) &
			    (count - 1);
		while (slots[at] != 0)
			at = (at + 1) & (count - 1);
		slots[at] = (uint32_t)i + 1;
	}
	free(reading->slots);
	reading->slots = slots;
	reading->slot_count = count;
	return true;
}

static bool add_stack(struct reading *reading)
{
	const struct pcs *stack = &reading->stack;
	struct stack_key key = { reading->pcs.count, stack->count, stack->left_out, stack->complete,
				 stack->stopped };
	for (size_t i = 0; i < stack->count; i++)
		if (!array_push(&reading->pcs, stack->lookup[i]) ||
		    !array_push(&reading->pcs, stack->pc[i]))
			return false;
	return array_push(&reading->keys, key);
}

/* The number of the stack that was walked last. False when memory is exhausted. */
static bool intern_stack(struct reading *reading, uint32_t *number)
{
	if (2 * reading->keys.count >= reading->slot_count && !grow_slots(reading))
		return false;
	uint64_t hash = reading->stack.left_out;
	for (size_t i = 0; i < reading->stack.count; i++)
		hash = mix(hash, reading->stack.lookup[i]);
	size_t at = hash & (reading->slot_count - 1);
	for (; reading->slots[at] != 0; at = (at + 1) & (reading->slot_count - 1)) {
		*number = reading->slots[at] - 1;
		if (same_stack(reading, &reading->keys.items[*number]))
			return true;
	}
	*number = (uint32_t)reading->keys.count;
	if (!add_stack(reading))
		return false;
	reading->slots[at] = *number + 1;
	return true;
}

/* The calls of one kept stack. */
static bool resolve_stack(const struct reading *reading, const struct stack_key *key,
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
		uint64_t lookup = reading->pcs.items[key->first + 2 * i];
		uint64_t pc = reading->pcs.items[key->first + 2 * i + 1];
		if (i == FRAMES_MAX - FRAMES_LAST)
			stack->left_out_before = calls.count;
		if (!go_function_at(reading->process, lookup, &function))
			continue;
		size_t count = go_calls_at(reading->process, &function, pc, lookup, here);
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

static bool resolve_stacks(struct reading *reading)
{
	struct goroutines *result = reading->result;
	result->stacks = calloc(reading->keys.count + 1, sizeof *result->stacks);
	if (result->stacks == NULL)
		return false;
	for (; result->stack_count < reading->keys.count; result->stack_count++)
		if (!resolve_stack(reading, &reading->keys.items[result->stack_count],
				   &result->stacks[result->stack_count]))
			return false;
	return true;
}

/* --- groups */

static int by_id(const void *a, const void *b)
{
	const struct goroutine *left = a, *right = b;
	return left->id < right->id ? -1 : left->id > right->id;
}

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
	return order != 0 ? order : by_id(*left, *right);
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

static bool make_groups(const struct go_process *process, struct goroutines *result)
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

/* --- all of them */

static size_t g_size(const struct go_process *process)
{
	uint64_t offset, size = 0;
	for (enum go_field i = GO_G_STACK_LO; i <= GO_G_TIMER; i++)
		if (go_offset(process, i, &offset) && offset + 8 > size)
			size = offset + 8;
	return size < G_SIZE_MAX ? size : G_SIZE_MAX;
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
		    !read_goroutine(reading, address, &one, &dead)) {
			result->unreadable++;
			continue;
		}
		if (dead) {
			result->dead++;
			continue;
		}
		walk(reading, &one);
		if (!intern_stack(reading, &one.stack) ||
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

/* Every processor has a heap of them: a slice, since Go 1.23 in a struct. */
static void count_timers(const struct go_process *process, struct goroutines *result)
{
	struct go_slice timers;
	uint64_t p;
	for (uint64_t i = 0; i < process->processors.count && i < 4096; i++)
		if (address_space_u64(process->space, process->processors.address + 8 * i, &p) &&
		    (go_read_slice(process, p, GO_P_TIMERS_HEAP, &timers) ||
		     go_read_slice(process, p, GO_P_TIMERS, &timers)))
			result->timers += timers.count;
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
	reading->g_size = g_size(process);
	for (unsigned i = 0; i < REASONS_MAX; i++)
		reading->reasons[i] = go_wait_reason(process, i);
	if (!read_all(reading))
		return error_no_memory();
	result->items = reading->items.items;
	result->count = reading->items.count;
	reading->items.items = NULL;
	if (result->count > 0)
		qsort(result->items, result->count, sizeof *result->items, by_id);
	if (!resolve_stacks(reading) || !make_groups(process, result))
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
	struct reading reading = { .process = process, .result = &result };
	struct error *error = read_goroutines(&reading, gaps);
	array_free(&reading.pcs);
	array_free(&reading.keys);
	array_free(&reading.items);
	free(reading.slots);
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
