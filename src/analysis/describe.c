/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "analysis/describe.h"

#include "analysis/words.h"

#include <inttypes.h>
#include <string.h>

/* Addresses below this are taken for a null pointer plus an offset; the kernel's default of
 * vm.mmap_min_addr. */
#define NULL_AREA 65536

/* How far below a stack, or SP, an access is still taken for an overflow of that stack. */
#define OVERFLOW_REACH (64 * 1024)

/* How far a frame of Go's may reach above its SP that begins a stack: runtime.goexit, and what
 * begins threads. */
#define GO_OUTERMOST_MAX 256

static bool in_module(const struct subject *subject, uint64_t address, struct place *place)
{
	if (subject->modules == NULL)
		return false;
	const struct module *module = modules_find(subject->modules, address);
	if (module == NULL)
		return false;
	place->module = module;
	if (modules_symbol_at(subject->modules, address, &place->symbol)) {
		place->kind = PLACE_SYMBOL;
		place->offset = address - place->symbol.address;
	} else {
		place->kind = PLACE_MODULE;
		place->offset = address - module->start;
	}
	return true;
}

/* A guard made by madvise (glibc 2.42 on) lies in the stack's own mapping. */
static bool in_guard(const struct subject *subject, const struct thread *thread, uint64_t address)
{
	const struct glibc_pthread *pthread =
	    subject->pthreads != NULL ? glibc_pthreads_at(subject->pthreads, thread->thread_pointer)
				      : NULL;
	return pthread != NULL && address < pthread->stack_start &&
	       pthread->stack_start - address <= pthread->guard_size;
}

/* A goroutine's stack lies in the midst of Go's heap, where the end of the mapping bounds nothing:
 * it ends with its outermost frame. */
static bool is_beyond_goroutine(const struct subject *subject, const struct thread *thread,
				uint64_t address)
{
	if (subject->modules == NULL || !modules_have_go(subject->modules) ||
	    thread->frame_count == 0)
		return false;
	const struct frame *outermost = &thread->frames[thread->frame_count - 1];
	return outermost->sp != 0 && address > outermost->sp &&
	       address - outermost->sp > GO_OUTERMOST_MAX;
}

static bool in_stack(const struct subject *subject, uint64_t address, struct place *place)
{
	if (subject->threads == NULL)
		return false;
	place->thread = threads_stack_owner(subject->threads, address);
	if (place->thread == NULL)
		return false;
	if (in_guard(subject, place->thread, address) ||
	    is_beyond_goroutine(subject, place->thread, address))
		return false;
	place->kind = PLACE_STACK;
	place->offset = address - place->thread->stack_start;
	return true;
}

static bool in_heap(const struct subject *subject, uint64_t address, struct place *place)
{
	const struct heap *heap = subject->heap;
	if (heap == NULL)
		return false;
	if (heap->chunks != NULL && chunk_table_find(heap->chunks, address, &place->chunk)) {
		place->kind = PLACE_CHUNK;
		place->offset = address - place->chunk.address;
		return true;
	}
	for (size_t i = 0; i < heap->own.count; i++) {
		const struct heap_own_range *range = &heap->own.items[i];
		if (address >= range->start && address < range->end) {
			place->kind = PLACE_HEAP;
			place->offset = address - range->start;
			return true;
		}
	}
	return false;
}

void describe_address(const struct subject *subject, uint64_t address, struct place *place)
{
	*place = (struct place){ .kind = PLACE_UNMAPPED, .address = address, .offset = address };
	place->segment = address_space_find(subject->target->space, address);
	if (place->segment == NULL)
		return;
	if (in_module(subject, address, place) || in_stack(subject, address, place) ||
	    in_heap(subject, address, place))
		return;
	place->kind = PLACE_MAPPING;
	place->offset = address - place->segment->start;
}

bool describe_canonical(const struct subject *subject, uint64_t address)
{
	if (subject->target->arch == NULL)
		return true;
	if (subject->target->arch->word_size != 8)
		return address <= UINT32_MAX;
	uint64_t high = address >> 47;
	return high == 0 || high == 0x1ffff;
}

bool describe_kernels(const struct subject *subject, uint64_t address)
{
	return subject->target->arch != NULL && subject->target->arch->word_size == 8 &&
	       address >> 63 != 0 && describe_canonical(subject, address);
}

static void add_thread(struct words *words, const struct thread *thread)
{
	words_add(words, "%" PRId32, thread->tid);
	if (thread->name != NULL && thread->name[0] != '\0')
		words_add(words, " \"%s\"", thread->name);
}

/* The first writable segment above `address`: a stack, if something ran over its end. */
static const struct segment *next_writable(const struct address_space *space, uint64_t address)
{
	size_t count;
	const struct segment *segments = address_space_segments(space, &count);
	size_t low = 0, high = count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (segments[middle].start <= address)
			low = middle + 1;
		else
			high = middle;
	}
	/* Guards lie between. */
	while (low < count && (segments[low].permissions & SEGMENT_WRITE) == 0 &&
	       segments[low].permissions_known && segments[low].permissions == 0)
		low++;
	return low < count && (segments[low].permissions & SEGMENT_WRITE) != 0 ? &segments[low]
									       : NULL;
}

/* Whether `segment` is known to hold this thread's stack, without asking SP. */
static bool holds_stack(const struct thread *thread, const struct segment *segment)
{
	if (thread->is_main && segment->name != NULL && strcmp(segment->name, "[stack]") == 0)
		return true;
	return thread->thread_pointer >= segment->start && thread->thread_pointer < segment->end;
}

static uint64_t distance(uint64_t left, uint64_t right)
{
	return left > right ? left - right : right - left;
}

/* The thread whose SP shows that it ran over the end of its stack into `address`. */
static const struct thread *overflowed(const struct subject *subject, uint64_t address)
{
	const struct target *target = subject->target;
	const struct segment *stack = next_writable(target->space, address);
	if (subject->threads == NULL || stack == NULL)
		return NULL;
	for (size_t i = 0; i < subject->threads->count; i++) {
		const struct thread *thread = &subject->threads->items[i];
		if (thread->raw == NULL || thread->raw->registers.general_size == 0)
			continue;
		uint64_t sp = arch_sp(target->arch, &thread->raw->registers);
		bool at_end =
		    sp < stack->start + OVERFLOW_REACH && distance(sp, address) <= OVERFLOW_REACH;
		if (at_end &&
		    (holds_stack(thread, stack) || stack->start - address <= OVERFLOW_REACH))
			return thread;
	}
	return NULL;
}

/* The thread in whose stack mapping, below the used part, or guard `address` lies. */
static bool around_stack(const struct subject *subject, uint64_t address,
			 const struct thread **thread, bool *guard)
{
	if (subject->pthreads == NULL || subject->threads == NULL)
		return false;
	for (size_t i = 0; i < subject->pthreads->count; i++) {
		const struct glibc_pthread *pthread = &subject->pthreads->items[i];
		if (pthread->state != GLIBC_STACK_RUNNING || pthread->stack_start == 0 ||
		    pthread->guard_size > pthread->stack_start)
			continue;
		if (address < pthread->stack_start - pthread->guard_size ||
		    address >= pthread->stack_end)
			continue;
		*guard = address < pthread->stack_start;
		*thread = threads_find(subject->threads, pthread->tid);
		return *thread != NULL;
	}
	return false;
}

static void describe_unmapped(const struct subject *subject, const struct place *place,
			      struct words *words)
{
	if (place->address < NULL_AREA) {
		words_add(words, "not mapped (null");
		if (place->address != 0)
			words_add(words, " + %" PRIu64, place->address);
		words_add(words, ")");
		return;
	}
	if (!describe_canonical(subject, place->address)) {
		words_add(words, "not a canonical address");
		return;
	}
	if (describe_kernels(subject, place->address)) {
		words_add(words, "not mapped, in the kernel's half");
		return;
	}
	const struct thread *thread = overflowed(subject, place->address);
	if (thread == NULL) {
		words_add(words, "not mapped");
		return;
	}
	words_add(words, "just below the stack of ");
	add_thread(words, thread);
	words_add(words, ": stack overflow");
}

static void describe_symbol(const struct place *place, struct words *words)
{
	words_add(words, "<%s>", place->symbol.name);
	if (place->offset != 0)
		words_add(words, "+%" PRIu64, place->offset);
}

const char *describe_module_part(const struct place *place)
{
	if (!place->segment->permissions_known)
		return "memory";
	if ((place->segment->permissions & SEGMENT_EXECUTE) != 0)
		return "code";
	if ((place->segment->permissions & SEGMENT_WRITE) == 0)
		return "read-only data";
	return place->segment->name != NULL ? "data" : "bss";
}

static void describe_chunk(const struct place *place, struct words *words)
{
	const struct chunk *chunk = &place->chunk;
	if (place->offset == 0)
		words_add(words, "%" PRIu64 "-byte %sheap chunk", chunk->size,
			  chunk->used ? "" : "free ");
	else
		words_add(words,
			  "%" PRIu64 " bytes into a %" PRIu64 "-byte %sheap chunk at 0x%" PRIx64,
			  place->offset, chunk->size, chunk->used ? "" : "free ", chunk->address);
}

static void describe_own(const struct subject *subject, const struct place *place,
			 struct words *words)
{
	for (size_t i = 0; i < subject->heap->own.count; i++) {
		const struct heap_own_range *range = &subject->heap->own.items[i];
		if (place->address >= range->start && place->address < range->end) {
			words_add(words, "the allocator's %s", range->what);
			return;
		}
	}
	words_add(words, "the allocator's own memory");
}

static void add_permissions(struct words *words, const struct segment *segment)
{
	if (!segment->permissions_known)
		return;
	words_add(words, ", %c%c%c", (segment->permissions & SEGMENT_READ) != 0 ? 'r' : '-',
		  (segment->permissions & SEGMENT_WRITE) != 0 ? 'w' : '-',
		  (segment->permissions & SEGMENT_EXECUTE) != 0 ? 'x' : '-');
	if (segment->shared)
		words_add(words, " shared");
}

static void describe_mapping(const struct subject *subject, const struct place *place,
			     struct words *words)
{
	const struct segment *segment = place->segment;
	const struct thread *thread = NULL;
	bool guard = false;
	bool inaccessible = segment->permissions_known && segment->permissions == 0;
	if (around_stack(subject, place->address, &thread, &guard)) {
		words_add(words, guard ? "in the guard of the stack of " : "unused stack of ");
		add_thread(words, thread);
		if (guard)
			words_add(words, ": stack overflow");
		return;
	}
	if (inaccessible && (thread = overflowed(subject, place->address)) != NULL) {
		words_add(words, "just below the stack of ");
		add_thread(words, thread);
		words_add(words, ": stack overflow");
		return;
	}
	if (segment->name == NULL)
		words_add(words, "anonymous mapping");
	else if (segment->name[0] == '[')
		words_add(words, "%s", segment->name);
	else
		words_add(words, "mapping of %s", segment->name);
	add_permissions(words, segment);
}

const char *describe_place(const struct subject *subject, const struct place *place)
{
	struct words words = { 0 };
	switch (place->kind) {
	case PLACE_UNMAPPED:
		describe_unmapped(subject, place, &words);
		break;
	case PLACE_SYMBOL:
		describe_symbol(place, &words);
		break;
	case PLACE_MODULE:
		words_add(&words, "%s of %s", describe_module_part(place), place->module->name);
		break;
	case PLACE_STACK:
		words_add(&words, "stack of ");
		add_thread(&words, place->thread);
		break;
	case PLACE_CHUNK:
		describe_chunk(place, &words);
		break;
	case PLACE_HEAP:
		describe_own(subject, place, &words);
		break;
	case PLACE_MAPPING:
		describe_mapping(subject, place, &words);
		break;
	}
	return string_pool_add(modules_strings(subject->modules), words.text);
}
