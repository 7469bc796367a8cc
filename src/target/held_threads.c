/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "target/held_threads.h"

#include "target/live_threads.h"
#include "target/signal_kinds.h"

static const struct held_thread *find_held(const struct held_threads *held, int32_t tid,
					   size_t expected)
{
	if (expected < held->list.count && held->list.items[expected].tid == tid)
		return &held->list.items[expected];
	for (size_t i = 0; i < held->list.count; i++)
		if (held->list.items[i].tid == tid)
			return &held->list.items[i];
	return NULL;
}

/* The kernel's words for a tracer's stop say nothing of what the thread did. */
static bool take_thread(struct target_thread *thread, const struct held_thread *held)
{
	const bool stopped = thread->state == 't';
	if (stopped) {
		thread->state = 0;
		thread->wchan[0] = '\0';
	}
	if (!stopped || held == NULL)
		return false;
	thread->stopped = true;
	thread->registers = held->registers;
	thread->signal = held->signal;
	return signal_is_crash(held->signal.number);
}

bool held_threads_take(const struct held_threads *held, int32_t pid, bool inner,
		       struct target *target)
{
	proc_tids tids = { 0 };
	bool fits = proc_list_threads(pid, &tids);
	for (size_t i = 0; i < tids.count && fits; i++) {
		struct target_thread thread = { 0 };
		if (!live_thread_describe((struct proc_task){ pid, tids.items[i] }, inner, &thread))
			continue;
		/* gdb tells of the last one first. */
		const bool crashed =
		    take_thread(&thread, find_held(held, thread.tid, held->list.count - 1 - i));
		if (!crashed)
			thread.signal = (struct target_signal){ 0 };
		fits = array_push(&target->threads, thread);
		if (fits && crashed && target->signal.number == 0) {
			target->signal = thread.signal;
			target->threads.items[target->threads.count - 1] = target->threads.items[0];
			target->threads.items[0] = thread;
		}
	}
	array_free(&tids);
	return fits;
}
