/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "golang/unwind.h"

#include <string.h>

static size_t slot_of(const struct go_places *places, uint64_t lookup)
{
	size_t i = (lookup * UINT64_C(0x9e3779b97f4a7c15)) >> 20 & (places->capacity - 1);
	while (places->slots[i].lookup != 0 && places->slots[i].lookup != lookup)
		i = (i + 1) & (places->capacity - 1);
	return i;
}

static bool grow(struct go_places *places)
{
	struct go_places grown = { .capacity = places->capacity == 0 ? 256 : places->capacity * 2 };
	grown.slots = calloc(grown.capacity, sizeof *grown.slots);
	if (grown.slots == NULL)
		return false;
	for (size_t i = 0; i < places->capacity; i++)
		if (places->slots[i].lookup != 0)
			grown.slots[slot_of(&grown, places->slots[i].lookup)] = places->slots[i];
	grown.count = places->count;
	free(places->slots);
	*places = grown;
	return true;
}

void go_places_free(struct go_places *places)
{
	free(places->slots);
	*places = (struct go_places){ 0 };
}

static void look_up(const struct go_process *process, struct go_place *place)
{
	place->known = go_function_at(process, place->lookup, &place->function);
	if (!place->known)
		return;
	place->sized = go_frame_size(&place->function, place->lookup, &place->size);
	const char *name = go_function_name(process, &place->function);
	place->interrupts = name != NULL && (strcmp(name, "runtime.asyncPreempt") == 0 ||
					     strcmp(name, "runtime.sigpanic") == 0);
}

/* NULL when memory is exhausted. */
static const struct go_place *place_at(const struct go_process *process, struct go_places *places,
				       uint64_t lookup)
{
	if (2 * places->count >= places->capacity && !grow(places))
		return NULL;
	struct go_place *place = &places->slots[slot_of(places, lookup)];
	if (place->lookup == 0) {
		place->lookup = lookup;
		places->count++;
		look_up(process, place);
	}
	return place;
}

void go_unwind_begin(struct go_unwind *unwind, const struct go_process *process,
		     struct go_places *places, uint64_t low, uint64_t high, uint64_t pc,
		     uint64_t sp, bool exact)
{
	*unwind = (struct go_unwind){
		.process = process,
		.places = places,
		.end = high,
		.pc = pc,
		.sp = sp,
		.exact = exact,
	};
	if (sp < low || sp >= high || (sp & 7) != 0) {
		unwind->pc = 0;
		unwind->stopped = "its stack pointer is not in its stack";
	}
}

static bool stop(struct go_unwind *unwind, const char *why)
{
	unwind->pc = 0;
	unwind->stopped = why;
	return false;
}

/* A function's first instruction was not called yet, or it begins a goroutine: no call lies before
 * it. */
static bool is_entry(const struct go_process *process, uint64_t pc)
{
	struct go_function function;
	return go_function_at(process, pc, &function) && function.entry == pc;
}

/* To the caller of `frame`. */
static void step(struct go_unwind *unwind, const struct go_frame *frame)
{
	if ((frame->place->function.flags & GO_FUNCTION_TOP) != 0) {
		unwind->complete = true;
		unwind->pc = 0;
		return;
	}
	unwind->exact = frame->place->interrupts;
	unwind->sp = frame->fp;
	if (!address_space_u64(unwind->process->space, frame->fp - 8, &unwind->pc))
		stop(unwind, "a return address was not dumped");
	else if (unwind->pc == 0)
		stop(unwind, "a return address is 0");
}

bool go_unwind_next(struct go_unwind *unwind, struct go_frame *frame)
{
	if (unwind->pc == 0)
		return false;
	uint64_t lookup = unwind->pc - 1;
	if (unwind->exact || is_entry(unwind->process, unwind->pc))
		lookup = unwind->pc;
	const struct go_place *place = place_at(unwind->process, unwind->places, lookup);
	if (place == NULL)
		return stop(unwind, "memory is exhausted");
	if (!place->known)
		return stop(unwind, "a return address is in no Go function");
	*frame = (struct go_frame){ place, unwind->pc, lookup, unwind->sp, 0 };
	if (!place->sized) {
		stop(unwind, "the size of a frame is not known");
		return true;
	}
	/* The outermost function has no caller whose SP could be asked for. */
	if ((uint64_t)place->size + 8 > unwind->end - unwind->sp &&
	    (place->function.flags & GO_FUNCTION_TOP) == 0) {
		stop(unwind, "a frame reaches beyond the stack's end");
		return true;
	}
	frame->fp = unwind->sp + place->size + 8;
	step(unwind, frame);
	return true;
}
