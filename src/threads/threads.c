/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "threads/threads.h"

#include "threads/frames.h"
#include "threads/unwind.h"

#include <inttypes.h>
#include <signal.h>
#include <string.h>

#define FRAME_LIMIT 256

struct opening {
	struct target *target;
	struct modules *modules;
	struct unwinder *unwinder;
	struct frame_namer *namer;
	unsigned frame_limit;
	struct unwound_stack stack;
	struct frame_array frames;
	/* Stacks that end early for one reason in one place, told as one gap. */
	ARRAY(struct early_end {
		enum stack_end end;
		const struct module *module;
		const char *reason; /* the first thread's */
		int32_t tid;
		size_t count;
		bool is_go;
	})
	early_ends;
};

/* Whether the last frame that is known, but for a wrong return address, is Go's. */
static bool ends_in_go(const struct thread *thread)
{
	for (size_t i = thread->frame_count; i > 0 && i + 2 > thread->frame_count; i--)
		if (thread->frames[i - 1].module != NULL && thread->frames[i - 1].module->is_go)
			return true;
	return false;
}

static bool note_early_end(struct opening *opening, const struct thread *thread)
{
	const struct unwound_stack *stack = &opening->stack;
	bool is_go = ends_in_go(thread);
	for (size_t i = 0; i < opening->early_ends.count; i++) {
		struct early_end *known = &opening->early_ends.items[i];
		if (known->end == stack->end && known->module == stack->module &&
		    known->is_go == is_go) {
			known->count++;
			return true;
		}
	}
	return array_push(
	    &opening->early_ends,
	    (struct early_end){ stack->end, stack->module, stack->reason, thread->tid, 1, is_go });
}

static void tell_early_ends(const struct opening *opening, struct gaps *gaps)
{
	for (size_t i = 0; i < opening->early_ends.count; i++) {
		const struct early_end *end = &opening->early_ends.items[i];
		/* Go's runtime tells the stacks of its goroutines itself, and describes those of
		 * its threads to nobody. */
		if (end->is_go)
			continue;
		enum gap_kind kind = end->end == STACK_LIMIT ? GAP_LIMIT : GAP_THREAD;
		if (end->count == 1)
			gaps_add(gaps, kind, 0, 0, "the stack of thread %" PRId32 " ends early: %s",
				 end->tid, end->reason);
		else
			gaps_add(gaps, kind, 0, 0,
				 "the stacks of %zu threads end early; thread %" PRId32 ": %s",
				 end->count, end->tid, end->reason);
	}
}

/* "frame limit of 256 reached, and more than 524288 frames beyond it" */
static const char *limit_reason(const struct opening *opening)
{
	return string_pool_format(modules_strings(opening->modules),
				  "frame limit of %u reached, and more than %zu frames beyond it",
				  opening->frame_limit, opening->stack.left_out);
}

static bool keep_registers(const struct unwound_stack *stack, struct thread *thread)
{
	const size_t count = stack->registers.count;
	if (count == 0)
		return true;
	thread->registers = malloc(count * sizeof *thread->registers);
	if (thread->registers == NULL)
		return false;
	memcpy(thread->registers, stack->registers.items, count * sizeof *thread->registers);
	return true;
}

/* Appends the frames of `raw` to opening->frames. */
static bool name_frame(struct opening *opening, const struct thread *thread,
		       const struct raw_frame *raw)
{
	const size_t first = opening->frames.count;
	if (!frame_namer_append(opening->namer, raw, &opening->frames))
		return false;
	for (size_t i = first; raw->registers != 0 && i < opening->frames.count; i++)
		opening->frames.items[i].registers = &thread->registers[raw->registers - 1];
	return true;
}

/* Copies the frames [from, from + count) of opening->frames to the end of the thread's. */
static void keep_frames(const struct opening *opening, struct thread *thread, size_t from,
			size_t count)
{
	memcpy(thread->frames + thread->frame_count, opening->frames.items + from,
	       count * sizeof *thread->frames);
	thread->frame_count += count;
}

/* Of more frames than the limit: the innermost ones, and the outermost, which led there. Those
 * that were walked and not even named are `unnamed`. */
static bool choose_frames(struct opening *opening, struct thread *thread, size_t unnamed)
{
	const size_t count = opening->frames.count, limit = opening->frame_limit;
	const bool all = count <= limit && unnamed == 0;
	const size_t half = limit / 2;
	const size_t outer = all || opening->stack.end == STACK_LIMIT ? 0
			     : half < STACK_OUTERMOST		      ? half
								      : STACK_OUTERMOST;
	const size_t inner = all ? count : limit - outer;
	if (count == 0)
		return true;
	thread->frames = malloc((inner + outer) * sizeof *thread->frames);
	if (thread->frames == NULL)
		return false;
	keep_frames(opening, thread, 0, inner);
	if (outer == 0)
		return true;
	thread->left_out = unnamed + count - inner - outer;
	thread->left_out_before = inner;
	keep_frames(opening, thread, count - outer, outer);
	return true;
}

/* Code in executable memory that no file was loaded to. */
static void mark_generated(const struct target *target, struct frame *frame)
{
	if (frame->module != NULL)
		return;
	const struct segment *segment = address_space_find(target->space, frame->lookup_pc);
	frame->generated = segment != NULL && segment->permissions_known &&
			   (segment->permissions & SEGMENT_EXECUTE) != 0;
}

/* Names and expands the frames of opening->stack into `thread`. */
static bool take_frames(struct opening *opening, struct thread *thread)
{
	struct unwound_stack *stack = &opening->stack;
	const bool to_the_end = stack->end != STACK_LIMIT;
	size_t outermost = stack->left_out < STACK_OUTERMOST ? stack->left_out : STACK_OUTERMOST;
	if (!to_the_end)
		outermost = 0;
	opening->frames.count = 0;
	if (!keep_registers(stack, thread))
		return false;
	for (size_t i = 0; i < stack->frames.count; i++)
		if (!name_frame(opening, thread, &stack->frames.items[i]))
			return false;
	for (size_t back = outermost; back-- > 0;)
		if (!name_frame(opening, thread, unwound_outermost(stack, back)))
			return false;
	if (!choose_frames(opening, thread, to_the_end ? stack->left_out - outermost : 0))
		return false;
	for (size_t i = 0; i < thread->frame_count; i++)
		mark_generated(opening->target, &thread->frames[i]);
	if (!to_the_end)
		stack->reason = limit_reason(opening);
	thread->stop_reason = stack->reason;
	return true;
}

static void find_stack(struct target *target, struct thread *thread)
{
	if (thread->raw->registers.general_size == 0)
		return;
	uint64_t sp = arch_sp(target->arch, &thread->raw->registers);
	const struct segment *segment = address_space_find(target->space, sp);
	if (segment == NULL)
		return;
	thread->stack_start = sp;
	thread->stack_end = segment->end;
}

/* Whether another process sent the fatal signal: kill, sigqueue, tgkill. */
static bool sent_from_outside(const struct target *target)
{
	const struct target_signal *signal = &target->signal;
	return signal->has_details && signal->sender != target->pid &&
	       (signal->code == SI_USER || signal->code == SI_QUEUE || signal->code == SI_TKILL);
}

static const char *thread_name(const struct target *target, const struct target_thread *raw,
			       struct modules *modules)
{
	if (raw->name[0] != '\0')
		return string_pool_add(modules_strings(modules), raw->name);
	if (raw->tid == target->pid && target->comm != NULL)
		return string_pool_add(modules_strings(modules), target->comm);
	return "";
}

static struct error *open_thread(struct opening *opening, const struct target_thread *raw,
				 struct thread *thread)
{
	struct target *target = opening->target;
	thread->raw = raw;
	thread->tid = raw->tid;
	thread->name = thread_name(target, raw, opening->modules);
	thread->is_main = raw->tid == target->pid;
	thread->crashed = raw == target->threads.items && target->signal.number != 0;
	thread->killed_from_outside = thread->crashed && sent_from_outside(target);
	thread->thread_pointer = arch_thread_pointer(target->arch, &raw->registers);
	find_stack(target, thread);
	struct error *error = unwinder_unwind(opening->unwinder, raw, &opening->stack);
	if (error != NULL)
		return error;
	if (!take_frames(opening, thread))
		return error_no_memory();
	if (opening->stack.reason != NULL && !note_early_end(opening, thread))
		return error_no_memory();
	return NULL;
}

static int by_crash_and_tid(const void *a, const void *b)
{
	const struct thread *left = a, *right = b;
	if (left->crashed != right->crashed)
		return left->crashed ? -1 : 1;
	return left->tid < right->tid ? -1 : left->tid > right->tid;
}

static int by_stack_start(const void *a, const void *b)
{
	const struct thread *left = *(struct thread *const *)a;
	const struct thread *right = *(struct thread *const *)b;
	return left->stack_start < right->stack_start ? -1 : left->stack_start > right->stack_start;
}

static struct error *open_all(struct opening *opening, const struct threads_options *options,
			      struct threads *threads)
{
	size_t count = opening->target->threads.count;
	threads->items = calloc(count + 1, sizeof *threads->items);
	threads->by_stack = calloc(count + 1, sizeof *threads->by_stack);
	if (threads->items == NULL || threads->by_stack == NULL)
		return error_no_memory();
	for (size_t i = 0; i < count; i++) {
		struct error *error =
		    open_thread(opening, &opening->target->threads.items[i], &threads->items[i]);
		threads->count = i + 1;
		if (error != NULL)
			return error;
		if (i % 64 == 63 || i + 1 == count)
			progress_tell(options->progress, "unwinding threads", i + 1, count);
	}
	qsort(threads->items, count, sizeof *threads->items, by_crash_and_tid);
	for (size_t i = 0; i < count; i++)
		threads->by_stack[i] = &threads->items[i];
	qsort(threads->by_stack, count, sizeof *threads->by_stack, by_stack_start);
	return NULL;
}

struct error *threads_open(struct target *target, struct modules *modules,
			   const struct threads_options *options, struct gaps *gaps,
			   struct threads *threads)
{
	struct opening opening = { .target = target, .modules = modules };
	struct threads opened = { 0 };
	opening.frame_limit = options->frame_limit != 0 ? options->frame_limit : FRAME_LIMIT;
	struct error *error = unwinder_new(target, modules, opening.frame_limit, options->registers,
					   &opening.unwinder);
	if (error == NULL)
		error = frame_namer_new(modules, options->inlines, &opening.namer);
	if (error == NULL)
		error = open_all(&opening, options, &opened);
	if (error == NULL) {
		tell_early_ends(&opening, gaps);
		*threads = opened;
	} else {
		threads_free(&opened);
	}
	array_free(&opening.stack.frames);
	array_free(&opening.stack.registers);
	array_free(&opening.frames);
	array_free(&opening.early_ends);
	frame_namer_free(opening.namer);
	unwinder_free(opening.unwinder);
	return error;
}

void threads_forget_moved(struct threads *threads)
{
	for (size_t i = 0; i < threads->count; i++) {
		struct thread *thread = &threads->items[i];
		if (!thread->raw->moved || thread->frame_count == 0)
			continue;
		thread->frame_count = thread->left_out = thread->left_out_before = 0;
		thread->stop_reason = "it ran while it was looked at without a stop (--stop)";
	}
}

void threads_free(struct threads *threads)
{
	for (size_t i = 0; i < threads->count; i++) {
		free(threads->items[i].frames);
		free(threads->items[i].registers);
	}
	free(threads->items);
	free(threads->by_stack);
	*threads = (struct threads){ 0 };
}

const struct thread *threads_find(const struct threads *threads, int32_t tid)
{
	size_t low = 0, high = threads->count;
	if (high > 0 && threads->items[0].crashed) {
		if (threads->items[0].tid == tid)
			return &threads->items[0];
		low = 1;
	}
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (threads->items[middle].tid == tid)
			return &threads->items[middle];
		if (threads->items[middle].tid < tid)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

const struct thread *threads_stack_owner(const struct threads *threads, uint64_t address)
{
	size_t low = 0, high = threads->count; /* the first that starts above */
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (threads->by_stack[middle]->stack_start <= address)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == 0 || address >= threads->by_stack[low - 1]->stack_end)
		return NULL;
	return threads->by_stack[low - 1];
}
