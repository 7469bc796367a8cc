/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "analysis/go_lock_holders.h"

#include "golang/deferred_calls.h"

#include <string.h>

/* Code of a deferred function that is looked through. */
#define CODE_MAX 4096
/* Goroutines whose deferred calls are looked at. */
#define GOROUTINES_MAX 100000

struct search {
	const struct go_process *process;
	struct goroutines *goroutines;
	struct go_lock_holders *result;
	const struct goroutine *one; /* whose deferred calls are being visited */
	bool no_memory;
};

static bool is_lock(const struct go_object *object)
{
	return object->kind == GO_WAIT_MUTEX || object->kind == GO_WAIT_RWMUTEX;
}

/* --- deferred calls that unlock */

/* What unlocking comes down to; some of it is expanded where it is called. */
static bool unlocks(const char *function)
{
	static const char *const names[] = {
		"sync.(*Mutex).Unlock",		 "sync.(*Mutex).unlockSlow",
		"internal/sync.(*Mutex).Unlock", "internal/sync.(*Mutex).unlockSlow",
		"sync.(*RWMutex).Unlock",	 "sync.(*RWMutex).RUnlock",
		"sync.(*RWMutex).rUnlockSlow",
	};
	for (size_t i = 0; function != NULL && i < sizeof names / sizeof *names; i++)
		if (strcmp(function, names[i]) == 0)
			return true;
	return false;
}

static bool calls_unlock(const struct go_process *process, uint64_t target)
{
	struct go_function function;
	return go_function_at(process, target, &function) && function.entry == target &&
	       unlocks(go_function_name(process, &function));
}

/* A distance of 32 bits from its own end, as in x86-64's calls and addresses of variables. */
static uint64_t target_of(const uint8_t *code, uint64_t address)
{
	return address + 4 + (uint64_t)(int64_t)(int32_t)bytes_unsigned(code, 4, false);
}

enum { CALL_OPCODE = 0xe8 };

struct code {
	uint8_t bytes[CODE_MAX];
	uint64_t address, size;
};

static bool read_code(const struct go_process *process, const struct go_function *function,
		      struct code *code)
{
	code->address = function->entry;
	code->size = function->end - function->entry;
	return code->size <= sizeof code->bytes &&
	       address_space_probe(process->space, code->address, code->bytes, code->size);
}

static bool code_unlocks(const struct go_process *process, const struct go_function *function,
			 const struct code *code)
{
	if (unlocks(go_function_name(process, function)))
		return true;
	for (uint64_t i = 1; i + 4 <= code->size; i++)
		if (code->bytes[i - 1] == CALL_OPCODE &&
		    calls_unlock(process, target_of(code->bytes + i, code->address + i)))
			return true;
	return false;
}

/* --- holders */

/* The SP of the frame that called the outermost function of package sync: 0 where there is none. */
static uint64_t caller_of_lock(const struct search *search, const struct goroutine *one,
			       bool *in_condition)
{
	struct go_unwind unwind;
	struct go_frame frame;
	uint64_t caller = 0;
	goroutine_unwind(search->process, &search->goroutines->places, one, &unwind);
	while (go_unwind_next(&unwind, &frame)) {
		const char *name = go_function_name(search->process, &frame.place->function);
		bool inner = name != NULL && (strncmp(name, "sync.", 5) == 0 ||
					      strncmp(name, "internal/sync.", 14) == 0 ||
					      strncmp(name, "runtime.", 8) == 0);
		*in_condition =
		    *in_condition || (name != NULL && strcmp(name, "sync.(*Cond).Wait") == 0);
		if (!inner)
			return frame.fp;
	}
	return caller;
}

static bool waits_for(const struct search *search, const struct goroutine *one, uint32_t object)
{
	const struct go_wait_case *cases = search->goroutines->objects.cases.items;
	return one->wait.count == 1 && cases[one->wait.first].object == object;
}

/* Notes that the goroutine holds the lock at `address`, if one is waited for there. */
static void note(struct search *search, const struct go_deferred_call *call, uint64_t address)
{
	struct go_wait_objects *objects = &search->goroutines->objects;
	struct go_object *object = go_wait_object_at(objects, address);
	bool in_condition = false;
	if (object == NULL || !is_lock(object))
		return;
	uint32_t number = (uint32_t)(object - objects->objects.items);
	uint64_t caller = caller_of_lock(search, search->one, &in_condition);
	/* It may have unlocked it by itself, to lock it again, with the deferred call still to
	 * come: so does a Cond. Only what waits in a function that was called with the lock held
	 * waits for itself. */
	if (in_condition ||
	    (waits_for(search, search->one, number) && (call->frame == 0 || call->frame == caller)))
		return;
	if (!array_push(&search->result->holders, (struct go_lock_holder){ number, search->one }))
		search->no_memory = true;
}

/* A deferred function that unlocks has captured the lock's address, or it is a global variable
 * whose address the code has. */
static bool look_at(void *context, const struct go_deferred_call *call)
{
	struct search *search = context;
	const struct go_process *process = search->process;
	struct go_function function;
	struct code code;
	uint64_t pc, captured;
	if (!address_space_u64(process->space, call->closure, &pc) ||
	    !go_function_at(process, pc, &function) || function.entry != pc ||
	    !read_code(process, &function, &code) || !code_unlocks(process, &function, &code))
		return true;
	if (address_space_u64(process->space, call->closure + 8, &captured))
		note(search, call, captured);
	for (uint64_t i = 0; i + 4 <= code.size; i++)
		note(search, call, target_of(code.bytes + i, code.address + i));
	return !search->no_memory;
}

static int by_object(const void *a, const void *b)
{
	const struct go_lock_holder *left = a, *right = b;
	if (left->object != right->object)
		return left->object < right->object ? -1 : 1;
	return left->holder < right->holder ? -1 : left->holder > right->holder;
}

static void find_holders(struct search *search)
{
	const struct goroutines *goroutines = search->goroutines;
	struct go_lock_holders *result = search->result;
	bool any = false;
	for (size_t i = 0; i < goroutines->objects.objects.count && !any; i++)
		any = is_lock(&goroutines->objects.objects.items[i]);
	for (size_t i = 0; any && i < goroutines->count && i < GOROUTINES_MAX; i++) {
		search->one = &goroutines->items[i];
		if (!search->one->system)
			go_deferred_calls_visit(search->process, &search->goroutines->places,
						search->one, look_at, search);
	}
	if (result->holders.count > 1)
		qsort(result->holders.items, result->holders.count, sizeof *result->holders.items,
		      by_object);
	/* One may have deferred it twice. */
	size_t kept = 0;
	for (size_t i = 0; i < result->holders.count; i++)
		if (kept == 0 ||
		    by_object(&result->holders.items[kept - 1], &result->holders.items[i]) != 0)
			result->holders.items[kept++] = result->holders.items[i];
	result->holders.count = kept;
}

size_t go_lock_holders_of(const struct go_lock_holders *holders, uint32_t object,
			  const struct go_lock_holder **first)
{
	size_t low = 0, high = holders->holders.count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (holders->holders.items[middle].object < object)
			low = middle + 1;
		else
			high = middle;
	}
	*first = holders->holders.items + low;
	for (high = low;
	     high < holders->holders.count && holders->holders.items[high].object == object;)
		high++;
	return high - low;
}

/* --- cycles */

/* Whom it waits for, when it waits for a lock that one alone is known to hold. */
static const struct goroutine *next_of(const struct search *search, const struct goroutine *one,
				       uint32_t *object)
{
	const struct go_lock_holder *first;
	if (one->wait.count != 1)
		return NULL;
	*object = search->goroutines->objects.cases.items[one->wait.first].object;
	return go_lock_holders_of(search->result, *object, &first) == 1 ? first->holder : NULL;
}

static bool add_cycle(struct search *search, const struct goroutine *start)
{
	struct go_lock_holders *result = search->result;
	struct go_deadlock cycle = { result->links.count, 0 };
	const struct goroutine *one = start;
	do {
		uint32_t object = 0;
		const struct goroutine *next = next_of(search, one, &object);
		if (!array_push(&result->links, (struct go_deadlock_link){ one, object }))
			return false;
		cycle.count++;
		one = next;
	} while (one != NULL && one != start);
	return array_push(&result->deadlocks, cycle);
}

/* Everyone has one way to go: along it until it ends, or comes to where this walk, or another one,
 * has been. */
static bool find_cycles(struct search *search)
{
	const struct goroutines *goroutines = search->goroutines;
	uint32_t *walks = calloc(goroutines->count + 1, sizeof *walks), object;
	bool room = walks != NULL;
	for (uint32_t i = 0; room && i < goroutines->count; i++) {
		const struct goroutine *one = &goroutines->items[i];
		while (one != NULL && walks[one - goroutines->items] == 0) {
			walks[one - goroutines->items] = i + 1;
			one = next_of(search, one, &object);
		}
		if (one != NULL && walks[one - goroutines->items] == i + 1)
			room = add_cycle(search, one);
	}
	free(walks);
	return room;
}

struct error *go_lock_holders_find(const struct go_process *process, struct goroutines *goroutines,
				   struct go_lock_holders *holders)
{
	struct go_lock_holders result = { 0 };
	struct search search = { .process = process, .goroutines = goroutines, .result = &result };
	find_holders(&search);
	if (search.no_memory || (result.holders.count > 0 && !find_cycles(&search))) {
		go_lock_holders_free(&result);
		return error_no_memory();
	}
	*holders = result;
	return NULL;
}

void go_lock_holders_free(struct go_lock_holders *holders)
{
	array_free(&holders->holders);
	array_free(&holders->deadlocks);
	array_free(&holders->links);
}
