/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "heap/glibc/glibc.h"
#include "heap/glibc/malloc_frames.h"

#include "modules/abort_message.h"

#include <signal.h>

/* What malloc's checks say before they end the process begins with one of these. */
static const char *const verdicts[] = {
	"malloc(): ",	  "free(): ",	       "realloc(): ", "calloc(): ",
	"corrupted ",	  "double free",       "invalid ",    "munmap_chunk(): ",
	"mremap_chunk()", "break adjusted",    "memalign",    "malloc_consolidate(): ",
	"unaligned ",	  "tcache_thread_shu", "chunk_",
};

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

/* Whether the process died of its heap: malloc's checks ended it, or malloc itself faulted. What is
 * locked then was locked by the thread that died, and did not become damaged by being locked. */
static bool has_died_of_it(struct glibc_walk *walk)
{
	const struct threads *threads = walk->context->threads;
	const struct target_signal *signal = &walk->context->target->signal;
	if (signal->number == SIGABRT)
		return is_verdict(
		    modules_abort_message(walk->context->modules, walk->context->target));
	/* A signal of the kernel's own (si_code above 0): none that another process sent. */
	return (signal->number == SIGSEGV || signal->number == SIGBUS) && signal->code > 0 &&
	       threads != NULL && threads->count > 0 && threads->items[0].crashed &&
	       threads->items[0].frame_count > 0 &&
	       glibc_is_malloc_frame(walk, &threads->items[0], 0);
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
