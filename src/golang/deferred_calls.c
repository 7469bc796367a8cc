/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "golang/deferred_calls.h"

/* Of one chain; where more have piled up, the last ones tell enough. */
#define CHAIN_MAX  4096
#define FRAMES_MAX 1000
/* A frame has a bit for each call. */
#define OPEN_MAX 8

static bool visit_chain(const struct go_process *process, const struct goroutine *goroutine,
			go_deferred_visitor *visit, void *context)
{
	uint64_t at = go_pointer(process, goroutine->address, GO_G_DEFER);
	for (unsigned i = 0; at != 0 && i < CHAIN_MAX; i++) {
		struct go_deferred_call call = { go_pointer(process, at, GO_DEFER_FN), 0 };
		if (call.closure != 0 && !visit(context, &call))
			return false;
		at = go_pointer(process, at, GO_DEFER_LINK);
	}
	return true;
}

/* A number of seven bits a byte, the least first. */
static bool varint(const struct go_process *process, uint64_t *at, uint32_t *value)
{
	uint8_t byte;
	*value = 0;
	for (unsigned shift = 0; shift < 35; shift += 7) {
		if (!address_space_probe(process->space, (*at)++, &byte, 1))
			return false;
		*value |= shift < 32 ? (uint32_t)(byte & 0x7f) << shift : 0;
		if ((byte & 0x80) == 0)
			return true;
	}
	return false;
}

/* Where a frame keeps the bits of the calls that are due, and the closures, as distances below its
 * locals' end. Since Go 1.22 the closures are an array, before there is a distance for each. */
static unsigned read_slots(const struct go_process *process, uint64_t info, uint32_t *bits,
			   uint32_t slots[OPEN_MAX])
{
	uint32_t count;
	if (!varint(process, &info, bits) || !varint(process, &info, &count))
		return 0;
	if (process->minor >= 22) {
		for (unsigned i = 0; i < OPEN_MAX; i++)
			slots[i] = count - 8 * i;
		return OPEN_MAX;
	}
	if (count > OPEN_MAX)
		return 0;
	for (unsigned i = count; i-- > 0;) /* the last call first */
		if (!varint(process, &info, &slots[i]))
			return 0;
	return count;
}

static bool visit_frame(const struct go_process *process, const struct go_frame *frame,
			go_deferred_visitor *visit, void *context)
{
	uint64_t info = go_funcdata(process, &frame->place->function, GO_FUNCDATA_OPEN_DEFERS);
	uint64_t end = frame->fp - 16;
	uint32_t at_bits, slots[OPEN_MAX];
	uint8_t bits;
	if (info == 0 || frame->fp == 0)
		return true;
	unsigned count = read_slots(process, info, &at_bits, slots);
	if (!address_space_probe(process->space, end - at_bits, &bits, 1))
		return true;
	for (unsigned i = 0; i < count; i++) {
		struct go_deferred_call call = { 0, frame->fp };
		if ((bits >> i & 1) != 0 && slots[i] <= at_bits + 4096 &&
		    address_space_u64(process->space, end - slots[i], &call.closure) &&
		    call.closure != 0 && !visit(context, &call))
			return false;
	}
	return true;
}

void go_deferred_calls_visit(const struct go_process *process, struct go_places *places,
			     const struct goroutine *goroutine, go_deferred_visitor *visit,
			     void *context)
{
	struct go_unwind unwind;
	struct go_frame frame;
	if (!visit_chain(process, goroutine, visit, context))
		return;
	goroutine_unwind(process, places, goroutine, &unwind);
	for (unsigned i = 0; i < FRAMES_MAX && go_unwind_next(&unwind, &frame); i++)
		if (!visit_frame(process, &frame, visit, context))
			return;
}
