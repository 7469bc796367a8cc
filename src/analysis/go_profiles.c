/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "analysis/go_profiles.h"

#include <math.h>
#include <string.h>

/* --- the heap profile */

static int64_t to_count(double value)
{
	return value >= 9.2e18 ? INT64_MAX : value <= -9.2e18 ? INT64_MIN : (int64_t)value;
}

/* A sample of `size` bytes is taken with the probability 1 - exp(-size / rate): so many times as
 * much was there. As runtime/pprof computes it, to the last digit. */
static void scale(uint64_t count, uint64_t bytes, int64_t rate, int64_t *objects, int64_t *space)
{
	int64_t found = (int64_t)count, size = (int64_t)bytes;
	*objects = *space = 0;
	if (found == 0 || size == 0)
		return;
	if (rate <= 1) {
		*objects = found;
		*space = size;
		return;
	}
	double average = (double)size / (double)found;
	double factor = 1 / (1 - exp(-average / (double)rate));
	*objects = to_count((double)found * factor);
	*space = to_count((double)size * factor);
}

/* What return addresses stand for: stacks share most of theirs. */
struct known_pc {
	uint64_t pc; /* 0: an empty slot */
	struct go_call call;
	bool runtime;
};

struct making {
	const struct go_process *process;
	struct profile *profile;
	struct known_pc *known;
	size_t count, slots;
};

static struct known_pc *slot_of(const struct making *making, uint64_t pc)
{
	uint64_t hash = pc * UINT64_C(0x9e3779b97f4a7c15);
	size_t at = (hash ^ hash >> 29) & (making->slots - 1);
	while (making->known[at].pc != 0 && making->known[at].pc != pc)
		at = (at + 1) & (making->slots - 1);
	return &making->known[at];
}

static bool grow(struct making *making)
{
	struct making larger = *making;
	larger.slots = making->slots == 0 ? 1024 : 2 * making->slots;
	larger.known = calloc(larger.slots, sizeof *larger.known);
	if (larger.known == NULL)
		return false;
	for (size_t i = 0; i < making->slots; i++)
		if (making->known[i].pc != 0)
			*slot_of(&larger, making->known[i].pc) = making->known[i];
	free(making->known);
	*making = larger;
	return true;
}

/* NULL when memory is exhausted; until the next one is asked for. */
static const struct known_pc *know(struct making *making, uint64_t pc)
{
	if (2 * (making->count + 1) >= making->slots && !grow(making))
		return NULL;
	struct known_pc *known = slot_of(making, pc);
	if (known->pc == 0 && pc != 0) {
		known->pc = pc;
		known->call = (struct go_call){ .pc = pc };
		go_return_call(making->process, pc, &known->call);
		known->runtime = go_runtime_call(making->process, pc);
		making->count++;
	}
	return known;
}

static bool is_end(const struct go_call *call)
{
	return call->function != NULL && strcmp(call->function, "runtime.goexit") == 0;
}

/* Where the runtime records as many calls as it may, those that the last one was inlined into are
 * missing: they are added. */
static bool add_last(const struct go_process *process, struct profile *profile, uint64_t pc)
{
	struct go_call calls[GO_INLINE_MAX];
	struct go_function function;
	struct go_call unknown = { .pc = pc };
	if (!go_function_at(process, pc - 1, &function))
		return profile_add_call(profile, &unknown);
	size_t count = go_calls_at(process, &function, pc, pc - 1, calls);
	for (size_t i = 0; i < count; i++)
		if (!is_end(&calls[i]) && !profile_add_call(profile, &calls[i]))
			return false;
	return true;
}

static bool add_calls(struct making *making, const uint64_t *pcs, size_t count)
{
	for (size_t i = 0; i + 1 < count; i++) {
		const struct known_pc *known = know(making, pcs[i]);
		if (known == NULL ||
		    (!is_end(&known->call) && !profile_add_call(making->profile, &known->call)))
			return false;
	}
	return count == 0 || add_last(making->process, making->profile, pcs[count - 1]);
}

/* Without the runtime's own calls in front, unless there are no others. */
static bool add_stack(struct making *making, const uint64_t *pcs, size_t count,
		      struct profile_sample *sample)
{
	struct profile *profile = making->profile;
	const struct known_pc *known = NULL;
	size_t own = 0;
	while (own < count && (known = know(making, pcs[own])) != NULL && known->runtime)
		own++;
	if (own < count && known == NULL)
		return false;
	own = own == count ? 0 : own;
	sample->first = profile->stacks.count;
	bool added = add_calls(making, pcs + own, count - own);
	if (added && profile->stacks.count == sample->first)
		added = add_calls(making, pcs, count);
	sample->count = profile->stacks.count - sample->first;
	return added;
}

static bool add_site(struct making *making, const struct go_memory_profile *memory,
		     const struct go_allocations *site)
{
	struct profile_sample sample = { .block_size = (int64_t)site->size };
	scale(site->allocated, site->allocated_bytes, memory->rate, &sample.values[0],
	      &sample.values[1]);
	scale(site->allocated - site->freed, site->allocated_bytes - site->freed_bytes,
	      memory->rate, &sample.values[2], &sample.values[3]);
	return add_stack(making, memory->pcs.items + site->first, site->count, &sample) &&
	       array_push(&making->profile->samples, sample);
}

static struct profile profile_of(const struct go_process *process, enum profile_kind kind)
{
	return (struct profile){
		.kind = kind,
		.type = profile_form(kind)->standard,
		.period = 1,
		.module = process->module,
	};
}

struct error *profile_heap(const struct go_process *process, const struct go_memory_profile *memory,
			   struct profile *profile)
{
	struct profile made = profile_of(process, PROFILE_HEAP);
	struct making making = { .process = process, .profile = &made };
	bool complete = true;
	made.period = memory->rate;
	for (size_t i = 0; i < memory->sites.count && complete; i++)
		complete = add_site(&making, memory, &memory->sites.items[i]);
	free(making.known);
	if (!complete) {
		profile_free(&made);
		return error_no_memory();
	}
	*profile = made;
	return NULL;
}

/* --- goroutines */

static bool is_wrapper(const struct go_process *process, const struct go_call *call)
{
	struct go_function function;
	return !call->inlined && go_function_at(process, call->pc - 1, &function) &&
	       function.wrapper;
}

/* Without what Go leaves out too: what stands below every goroutine, and what the compiler wrapped
 * around a function; where that was inlined there, it stands for itself. */
static bool add_goroutines(const struct go_process *process, struct profile *profile,
			   const struct go_group *group, struct profile_sample *sample)
{
	const struct go_stack *stack = group->stack;
	sample->first = profile->stacks.count;
	sample->wait_reason = group->members[0]->reason;
	for (size_t i = 0; i < stack->count; i++) {
		struct go_call call = stack->calls[i];
		if (is_end(&call) || (i > 0 && is_wrapper(process, &call)))
			continue;
		call.inlined = call.inlined && i + 1 < stack->count &&
			       !is_wrapper(process, &stack->calls[i + 1]);
		if (!profile_add_call(profile, &call))
			return false;
	}
	sample->count = profile->stacks.count - sample->first;
	return array_push(&profile->samples, *sample);
}

struct error *profile_goroutines(const struct go_process *process,
				 const struct goroutines *goroutines,
				 const struct goroutine_leaks *leaks, struct profile *profile)
{
	struct profile made =
	    profile_of(process, leaks != NULL ? PROFILE_LEAKED : PROFILE_GOROUTINES);
	bool complete = true;
	for (size_t i = 0; leaks == NULL && i < goroutines->group_count && complete; i++) {
		struct profile_sample sample = {
			.values = { (int64_t)goroutines->groups[i].count },
		};
		if (!goroutines->groups[i].members[0]->system)
			complete = add_goroutines(process, &made, &goroutines->groups[i], &sample);
	}
	for (size_t i = 0; leaks != NULL && i < leaks->group_count && complete; i++) {
		const struct goroutine_leak *leak = &leaks->groups[i];
		struct profile_sample sample = {
			.values = { (int64_t)leak->count, (int64_t)leak->objects,
				    (int64_t)leak->bytes },
		};
		complete = add_goroutines(process, &made, leak->group, &sample);
	}
	if (!complete) {
		profile_free(&made);
		return error_no_memory();
	}
	*profile = made;
	return NULL;
}
