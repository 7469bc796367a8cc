/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "golang/stack_maps.h"

#include <string.h>

#define STACK_MAX   (1ull << 30)
#define OBJECTS_MAX 65536 /* of one function */
#define DEFERS_MAX  (1u << 22)

void go_stack_scan_free(struct go_stack_scan *scan)
{
	array_free(&scan->objects);
	array_free(&scan->inner);
}

static void visit(struct go_stack_scan *scan, uint64_t word)
{
	if (word >= scan->low && word < scan->high) {
		if (!array_push(&scan->inner, word))
			scan->no_memory = true;
		return;
	}
	if (word >= 4096)
		scan->visit(scan->context, word);
}

/* Words of [start, end), those whose bit of `mask` is set; all where it is NULL. */
static void visit_words(struct go_stack_scan *scan, uint64_t start, uint64_t end,
			const uint8_t *mask)
{
	const uint8_t *bytes;
	for (uint64_t at = start, i = 0; at + 8 <= end;) {
		size_t size = address_space_span(scan->process->space, at, end - at, &bytes) & ~7ul;
		if (size == 0) {
			at += 8;
			i++;
			continue;
		}
		for (size_t k = 0; k < size; k += 8, i++)
			if (mask == NULL || (mask[i / 8] >> i % 8 & 1) != 0)
				visit(scan, bytes_unsigned(bytes + k, 8, false));
		at += size;
	}
}

void go_scan_words(struct go_stack_scan *scan, uint64_t start, uint64_t end)
{
	if (start < end && end - start <= STACK_MAX)
		visit_words(scan, (start + 7) & ~7ull, end, NULL);
	scan->guessed += start < end ? end - start : 0;
}

/* A bitmap of the target's memory over words from `start` on. False where it cannot be read. */
static bool visit_masked(struct go_stack_scan *scan, uint64_t start, uint64_t words, uint64_t mask)
{
	const uint8_t *bytes;
	uint8_t copy[512];
	uint64_t size = (words + 7) / 8;
	if (size == 0)
		return true;
	if (address_space_span(scan->process->space, mask, size, &bytes) < size) {
		if (size > sizeof copy ||
		    !address_space_probe(scan->process->space, mask, copy, size))
			return false;
		bytes = copy;
	}
	visit_words(scan, start, start + 8 * words, bytes);
	return true;
}

/* --- frames */

/* The map for `which` at the frame's place: `*bits` words, the bits at `*mask`. False: there is
 * none. A map's header is the number of maps, and the bits of each. */
static bool stack_map(const struct go_process *process, const struct go_frame *frame,
		      enum go_funcdata which, uint64_t *mask, uint32_t *bits)
{
	uint64_t maps = go_funcdata(process, &frame->place->function, which);
	uint32_t count;
	int32_t index =
	    go_pcdata(process, &frame->place->function, GO_PCDATA_STACK_MAP, frame->lookup);
	if (maps == 0 || !address_space_u32(process->space, maps, &count) ||
	    !address_space_u32(process->space, maps + 4, bits) || (int32_t)*bits < 0)
		return false;
	if (index < 0)
		index = 0;
	if ((uint32_t)index >= count)
		return false;
	*mask = maps + 8 + (uint64_t)index * ((*bits + 7) / 8);
	return true;
}

/* Variables whose address was taken: in use only where a pointer to them is. */
static void note_objects(struct go_stack_scan *scan, const struct go_frame *frame,
			 uint64_t locals_end)
{
	const struct go_process *process = scan->process;
	const struct go_function *function = &frame->place->function;
	uint64_t at = go_funcdata(process, function, GO_FUNCDATA_STACK_OBJECTS), count;
	if (at == 0 || !address_space_u64(process->space, at, &count) || count > OBJECTS_MAX)
		return;
	for (uint64_t i = 0; i < count; i++) {
		uint8_t bytes[16];
		if (!address_space_probe(process->space, at + 8 + 16 * i, bytes, sizeof bytes))
			return;
		int32_t offset = (int32_t)bytes_unsigned(bytes, 4, false);
		int32_t size = (int32_t)bytes_unsigned(bytes + 4, 4, false);
		/* Up to Go 1.23 a negative one says that the mask is a program. */
		int32_t pointers = (int32_t)bytes_unsigned(bytes + 8, 4, false);
		uint64_t mask = function->module->rodata + bytes_unsigned(bytes + 12, 4, false);
		if (size <= 0 || pointers == 0)
			continue;
		struct go_stack_object object = {
			.address =
			    (offset < 0 ? locals_end : frame->fp) + (uint64_t)(int64_t)offset,
			.size = (uint64_t)size,
			.mask = pointers > 0 ? mask : 0,
			.pointers =
			    pointers > 0 && pointers <= size ? (uint64_t)pointers : (uint64_t)size,
		};
		if (object.address >= scan->low && object.address < scan->high &&
		    object.size <= scan->high - object.address &&
		    !array_push(&scan->objects, object))
			scan->no_memory = true;
	}
}

/* Below the return address a frame keeps its caller's frame pointer. */
static void scan_frame(struct go_stack_scan *scan, const struct go_frame *frame, bool guess)
{
	uint64_t mask, locals_end = frame->fp - 8;
	uint32_t bits;
	if (frame->place->size >= 8)
		locals_end -= 8;
	note_objects(scan, frame, locals_end);
	if (guess) {
		go_scan_words(scan, frame->sp, frame->fp + frame->place->function.args);
		return;
	}
	if (locals_end > frame->sp) {
		if (!stack_map(scan->process, frame, GO_FUNCDATA_LOCALS, &mask, &bits) ||
		    8ull * bits > locals_end - frame->sp ||
		    !visit_masked(scan, locals_end - 8ull * bits, bits, mask))
			go_scan_words(scan, frame->sp, locals_end);
	}
	if (!stack_map(scan->process, frame, GO_FUNCDATA_ARGS, &mask, &bits))
		return;
	if (8ull * bits > scan->high - frame->fp || !visit_masked(scan, frame->fp, bits, mask))
		go_scan_words(scan, frame->fp, frame->fp + frame->place->function.args);
}

/* --- what the frames' pointers lead to in the stack */

static int by_address(const void *a, const void *b)
{
	const struct go_stack_object *left = a, *right = b;
	return left->address < right->address ? -1 : left->address > right->address;
}

static struct go_stack_object *object_at(struct go_stack_scan *scan, uint64_t address)
{
	size_t low = 0, high = scan->objects.count; /* the first that begins above */
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (scan->objects.items[middle].address <= address)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == 0)
		return NULL;
	struct go_stack_object *object = &scan->objects.items[low - 1];
	return address - object->address < object->size ? object : NULL;
}

static void follow(struct go_stack_scan *scan)
{
	if (scan->objects.count > 1)
		qsort(scan->objects.items, scan->objects.count, sizeof *scan->objects.items,
		      by_address);
	while (scan->inner.count > 0) {
		uint64_t pointer = scan->inner.items[--scan->inner.count];
		struct go_stack_object *object = object_at(scan, pointer);
		if (object == NULL || object->seen)
			continue;
		object->seen = true;
		if (object->mask == 0 ||
		    !visit_masked(scan, object->address, object->pointers / 8, object->mask))
			go_scan_words(scan, object->address, object->address + object->size);
	}
}

/* --- deferred calls */

static void scan_defers(struct go_stack_scan *scan, const struct goroutine *goroutine)
{
	const struct go_process *process = scan->process;
	uint64_t at = go_pointer(process, goroutine->address, GO_G_DEFER);
	for (unsigned i = 0; at != 0 && i < DEFERS_MAX; i++) {
		visit(scan, go_pointer(process, at, GO_DEFER_FN));
		if (at < scan->low || at >= scan->high)
			visit(scan, at);
		at = go_pointer(process, at, GO_DEFER_LINK);
	}
}

void go_stack_scan(struct go_stack_scan *scan, const struct goroutine *goroutine)
{
	struct go_unwind unwind;
	struct go_frame frame;
	bool interrupted = goroutine->exact;
	uint64_t reached = goroutine->sp;
	scan->objects.count = scan->inner.count = 0;
	scan->low = goroutine->stack_low;
	scan->high = goroutine->stack_high;
	if (scan->low >= scan->high || scan->high - scan->low > STACK_MAX)
		return;
	goroutine_unwind(scan->process, scan->places, goroutine, &unwind);
	while (go_unwind_next(&unwind, &frame)) {
		if (frame.fp == 0)
			break;
		scan_frame(scan, &frame, interrupted || frame.place->interrupts);
		interrupted = frame.place->interrupts;
		reached = frame.fp;
	}
	if (!unwind.complete)
		go_scan_words(scan,
			      reached >= scan->low && reached < scan->high ? reached : scan->low,
			      scan->high);
	visit(scan, go_pointer(scan->process, goroutine->address, GO_G_SCHED_CTXT));
	scan_defers(scan, goroutine);
	follow(scan);
}
