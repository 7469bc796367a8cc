/* Waits for another thread that runs an initialisation: pthread_once, call_once, and C++'s static
 * variables. Neither records who runs it; the runner's stack tells.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "analysis/waits/futex.h"
#include "threads/call_target.h"
#include "threads/unwind_entry.h"

#include <string.h>

/* Largest frame of pthread_once that is searched for its control word. */
#define ONCE_FRAME_MAX 512

/* A guard variable in the form in which a second thread waits for it: "pending" and "waiting". */
#define GUARD_WAITING 0x10100

static void runner_found(struct examined *examined, const struct thread *runner, const char *how)
{
	examined->wait->owner_state = OWNER_THREAD;
	examined->wait->owner = runner->tid;
	examined->wait->inferred_owner = true;
	examined_evidence(examined, "%s", how);
}

static void runner_unknown(struct examined *examined)
{
	examined_no_owner(examined, OWNER_UNKNOWN,
			  "another thread runs it; which one could not be told");
}

/* Where its name is unknown: a frame of libc that pthread_once has called, or that has called back
 * into the program. */
static bool maybe_once(const struct examined *examined, const struct thread *thread, size_t index)
{
	const struct subject *subject = examined->all->subject;
	const struct frame *frame = &thread->frames[index];
	const char *name = frame_called_as(subject->target, subject->modules, thread->frames,
					   thread->frame_count, index);
	if (name != NULL && (plain_name_is(plain_name(name), "pthread_once_slow") ||
			     plain_name_is(plain_name(name), "pthread_once")))
		return true;
	return frame->function == NULL && frame_in_runtime(frame) && !frame_in_runtime(frame - 1);
}

/* While pthread_once runs the routine, its frame keeps the address of the control word, for the
 * case of a cancellation. A waiter has no frame above that one but its wait. */
static bool runs_once(const struct examined *examined, const struct thread *thread, size_t first,
		      uint64_t control)
{
	for (size_t i = first; i + 1 < thread->frame_count; i++) {
		const struct frame *frame = &thread->frames[i];
		if (!maybe_once(examined, thread, i))
			continue;
		uint64_t end = thread->frames[i + 1].sp;
		if (frame->sp == 0 || end <= frame->sp || end - frame->sp > ONCE_FRAME_MAX)
			continue;
		for (uint64_t at = frame->sp; at + 8 <= end; at += 8) {
			uint64_t value;
			if (examined_u64(examined, at, &value) && value == control)
				return true;
		}
	}
	return false;
}

/* Whether the thread itself is one of those that wait for this futex. */
static bool waits_for(const struct examined *examined, const struct thread *thread, uint64_t word)
{
	const struct arch *arch = examined->all->subject->target->arch;
	int64_t number;
	return thread->raw->registers.general_size != 0 &&
	       arch_syscall(arch, &thread->raw->registers, &number) &&
	       arch_syscall_argument(arch, &thread->raw->registers, 0) == word;
}

/* Whether a thread runs the initialisation at `word`, by its frames from `first` on. */
typedef bool runs_function(const struct examined *examined, const struct thread *thread,
			   size_t first, uint64_t word);

/* Behind the functions that wait, named or not: the routine from which a thread that waits for
 * itself came. */
static size_t behind_wait(const struct examined *examined, const struct thread *thread)
{
	const struct frame *frame = known_call_find(examined->all->subject, thread).frame;
	size_t index = frame != NULL ? (size_t)(frame - thread->frames) + 1 : 1;
	while (index < thread->frame_count &&
	       (frame_in_runtime(&thread->frames[index]) || maybe_once(examined, thread, index)))
		index++;
	return index;
}

/* The only other thread for which `runs` holds, or NULL. */
static const struct thread *only_runner(const struct examined *examined, uint64_t word,
					runs_function *runs)
{
	const struct threads *threads = examined->all->subject->threads;
	struct known_runner *known = &examined->all->memory->runner;
	if (known->word == word && word != 0)
		return known->runner;
	size_t found = 0;
	*known = (struct known_runner){ .word = word };
	for (size_t i = 0; i < threads->count; i++) {
		const struct thread *thread = &threads->items[i];
		size_t first_frame =
		    waits_for(examined, thread, word) ? behind_wait(examined, thread) : 1;
		if (!runs(examined, thread, first_frame, word))
			continue;
		known->runner = found++ == 0 ? thread : NULL;
	}
	return known->runner;
}

static void find_runner(struct examined *examined, const struct futex_call *futex,
			runs_function *runs, const char *how)
{
	if (runs(examined, examined->thread, behind_wait(examined, examined->thread),
		 futex->address)) {
		runner_found(examined, examined->thread, how);
		examined->wait->owner_state = OWNER_SELF;
		return;
	}
	const struct thread *runner = only_runner(examined, futex->address, runs);
	if (runner != NULL)
		runner_found(examined, runner, how);
	else
		runner_unknown(examined);
}

bool resolve_once(struct examined *examined, const struct futex_call *futex, bool named)
{
	/* A word of 1 alone is no evidence. */
	if (!named)
		return false;
	examined->wait->kind = WAIT_ONCE;
	examined_object(examined, futex->address);
	find_runner(examined, futex, runs_once, "pthread_once on the runner's stack");
	return true;
}

/* The function whose static variable is initialised: the caller of __cxa_guard_acquire. */
static const struct frame *guarded_function(const struct thread *thread)
{
	for (size_t i = 0; i + 1 < thread->frame_count; i++)
		if (frame_is_function(&thread->frames[i], "cxa_guard_acquire"))
			return &thread->frames[i + 1];
	return NULL;
}

static const char *linkage_of(const struct frame *frame)
{
	return frame->linkage != NULL ? frame->linkage : frame->function;
}

/* Whether both frames are in one function: by its name, else by its entry in the unwind
 * information, which a stripped program keeps. */
static bool same_function(const struct examined *examined, const struct frame *one,
			  const struct frame *other)
{
	struct address_space *space = examined->all->subject->target->space;
	uint64_t start, other_start;
	if (one->module == NULL || one->module != other->module)
		return false;
	if (linkage_of(one) != NULL && linkage_of(other) != NULL)
		return strcmp(linkage_of(one), linkage_of(other)) == 0;
	if (linkage_of(one) != NULL || linkage_of(other) != NULL || one->guessed || other->guessed)
		return false;
	return unwind_entry_start(space, one->module, one->lookup_pc, &start) &&
	       unwind_entry_start(space, one->module, other->lookup_pc, &other_start) &&
	       start == other_start;
}

/* The runner is inside the same function, and not on its way into the guard. */
static bool runs_static_init(const struct examined *examined, const struct thread *thread,
			     size_t first, uint64_t word)
{
	(void)word;
	const struct frame *function = guarded_function(examined->thread);
	if (function == NULL)
		return false;
	for (size_t i = first; i < thread->frame_count; i++)
		if (same_function(examined, function, &thread->frames[i]) &&
		    !frame_is_function(&thread->frames[i - 1], "cxa_guard_acquire"))
			return true;
	return false;
}

bool resolve_static_init(struct examined *examined, const struct futex_call *futex, bool named)
{
	if (!named && !(futex->command == FUTEX_COMMAND_WAIT && futex->value == GUARD_WAITING &&
			futex->word == GUARD_WAITING))
		return false;
	examined->wait->kind = WAIT_STATIC_INIT;
	examined_object(examined, futex->address);
	if (!named)
		examined_evidence(examined, "the memory has the form of a static variable's guard");
	find_runner(examined, futex, runs_static_init, "the same function on the runner's stack");
	return true;
}
