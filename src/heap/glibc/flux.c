/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "heap/glibc/glibc.h"
#include "heap/glibc/malloc_frames.h"

#include "modules/abort_message.h"
#include "threads/call_target.h"

#include <signal.h>
#include <string.h>

#define STACK_NEAR 0x10000 /* bytes around SP */

/* What malloc's checks say before they end the process begins with one of these. */
static const char *const verdicts[] = {
	"malloc(): ",
	"free(): ",
	"realloc(): ",
	"calloc(): ",
	"corrupted ",
	"double free",
	"invalid ",
	"munmap_chunk(): ",
	"mremap_chunk()",
	"break adjusted",
	"memalign",
	"malloc_consolidate(): ",
	"unaligned ",
	"tcache_thread_shu",
	"chunk_",
	"int_mallinfo(): ",
	/* Assertions of malloc's own, from 2.36 and from 2.37 on. */
	"Fatal glibc error: malloc assertion",
	"Fatal glibc error: malloc.c:",
	"Fatal glibc error: arena.c:",
};

/* Functions that walk the heap under malloc's locks, and change nothing. */
static const char *const readers[] = { "mallinfo", "mallinfo2", "malloc_info", "malloc_stats",
				       "int_mallinfo" };

bool glibc_is_malloc_frame(const struct glibc_walk *walk, const struct thread *thread, size_t index)
{
	return glibc_malloc_function(walk->context->target, walk->context->modules, thread->frames,
				     thread->frame_count, index) != NULL;
}

static bool is_in_malloc(const struct glibc_walk *walk, const struct thread *thread)
{
	for (size_t i = 0; i < thread->frame_count && i < GLIBC_MALLOC_FRAMES; i++)
		if (glibc_is_malloc_frame(walk, thread, i))
			return true;
	return false;
}

static bool is_verdict(const char *message)
{
	for (size_t i = 0; message != NULL && i < sizeof verdicts / sizeof *verdicts; i++)
		if (strncmp(message, verdicts[i], strlen(verdicts[i])) == 0)
			return true;
	return false;
}

/* The frame's function without the underscores and marks in front: "abort" of "__GI_abort". */
static const char *plain_name(const struct glibc_walk *walk, const struct thread *thread, size_t i)
{
	const char *name = frame_called_as(walk->context->target, walk->context->modules,
					   thread->frames, thread->frame_count, i);
	if (name == NULL)
		return "";
	name += strspn(name, "_");
	if (strncmp(name, "GI_", 3) == 0)
		name += 3;
	return name + strspn(name, "_");
}

static bool is_reader(const char *name)
{
	for (size_t i = 0; i < sizeof readers / sizeof *readers; i++)
		if (strcmp(name, readers[i]) == 0)
			return true;
	return false;
}

/* Whether the thread was stopped by libc's own code, called from malloc's: no frame of the
 * program's, and no handler, lies between. `by_abort`: and that called abort. */
static bool stopped_below_malloc(const struct glibc_walk *walk, const struct thread *thread,
				 bool by_abort)
{
	bool aborts = false;
	for (size_t i = 0; i < thread->frame_count && i < GLIBC_MALLOC_FRAMES; i++) {
		const struct frame *frame = &thread->frames[i];
		if (frame->module == NULL || !frame->module->is_libc || frame->signal_frame)
			return false;
		const char *name = plain_name(walk, thread, i);
		if (glibc_is_malloc_frame(walk, thread, i) || is_reader(name))
			return aborts || !by_abort;
		aborts = aborts || strcmp(name, "abort") == 0;
	}
	return false;
}

/* A stack that is full lets any function fault, just below its SP. */
static bool is_stack_overflow(const struct glibc_walk *walk, const struct thread *thread)
{
	const struct target_signal *signal = &walk->context->target->signal;
	if (!signal->has_details || thread->raw == NULL || thread->raw->registers.general_size == 0)
		return false;
	const uint64_t sp = arch_sp(walk->context->target->arch, &thread->raw->registers);
	return signal->address - sp + STACK_NEAR < 2 * STACK_NEAR;
}

/* Whether the process died of its heap: malloc's checks ended it, or malloc itself faulted. What is
 * locked then was locked by the thread that died, and did not become damaged by being locked. */
static bool has_died_of_it(struct glibc_walk *walk)
{
	const struct threads *threads = walk->context->threads;
	const struct target_signal *signal = &walk->context->target->signal;
	const struct thread *thread = threads != NULL && threads->count > 0 ? threads->items : NULL;
	const bool has_stack = thread != NULL && thread->crashed && thread->frame_count > 0;
	if (signal->number == SIGABRT)
		return is_verdict(
			   modules_abort_message(walk->context->modules, walk->context->target)) ||
		       (has_stack && stopped_below_malloc(walk, thread, true));
	/* A signal of the kernel's own (si_code above 0): none that another process sent. */
	return (signal->number == SIGSEGV || signal->number == SIGBUS) && signal->code > 0 &&
	       has_stack && stopped_below_malloc(walk, thread, false) &&
	       !is_stack_overflow(walk, thread);
}

void glibc_find_flux(struct glibc_walk *walk)
{
	const struct threads *threads = walk->context->threads;
	walk->malloc_died = has_died_of_it(walk);
	walk->in_malloc = !walk->malloc_died && threads != NULL && threads->count == 1 &&
			  is_in_malloc(walk, &threads->items[0]);
}

bool glibc_thread_in_malloc(const struct glibc_walk *walk, uint64_t thread_pointer)
{
	const struct threads *threads = walk->context->threads;
	for (size_t i = 0; threads != NULL && i < threads->count; i++)
		if (threads->items[i].thread_pointer == thread_pointer)
			return !(walk->malloc_died && threads->items[i].crashed) &&
			       is_in_malloc(walk, &threads->items[i]);
	return false;
}

bool glibc_any_in_malloc(const struct glibc_walk *walk)
{
	const struct threads *threads = walk->context->threads;
	for (size_t i = 0; threads != NULL && i < threads->count; i++)
		if (!(walk->malloc_died && threads->items[i].crashed) &&
		    is_in_malloc(walk, &threads->items[i]))
			return true;
	return false;
}
