/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "analysis/waits/waits.h"

#include "analysis/waits/examine.h"
#include "analysis/waits/syscalls.h"

#include <inttypes.h>
#include <string.h>

/* The families of waits. */
static const struct wait_row *const families[] = {
	futex_rows, descriptor_rows, file_lock_rows, sleep_rows, process_rows,
};

static const struct wait_row *find_row(const char *syscall)
{
	for (size_t family = 0; syscall != NULL && family < sizeof families / sizeof families[0];
	     family++)
		for (const struct wait_row *row = families[family]; row->syscall != NULL; row++)
			if (strcmp(row->syscall, syscall) == 0)
				return row;
	return NULL;
}

/* A write or send that was taken out of its wait halfway tells what it did so far. */
static bool partly_done(const struct examined *examined, const struct wait_row *row)
{
	return row != NULL && (row->kind == WAIT_WRITE || row->kind == WAIT_SEND) &&
	       examined->result > 0 && (uint64_t)examined->result < examined_asked(examined);
}

static void read_call(struct examined *examined, int64_t number)
{
	const struct target *target = examined->all->subject->target;
	const struct registers *registers = &examined->thread->raw->registers;
	for (unsigned i = 0; i < 6; i++)
		examined->arguments[i] = arch_syscall_argument(target->arch, registers, i);
	examined->result =
	    (int64_t)arch_register_value(target->arch, registers, target->arch->return_value);
	examined->number = number;
	examined->name = syscall_name(target->arch, number);
}

static void undo_restart(struct examined *examined)
{
	const char *evidence;
	int64_t number;
	if (examined->name == NULL || strcmp(examined->name, "restart_syscall") != 0)
		return;
	const struct subject *subject = examined->all->subject;
	if (!syscall_restarted(subject, examined->thread, &number, &evidence)) {
		gaps_add(subject->gaps, GAP_WAIT, 0, 0,
			 "thread %" PRId32 " waits in a system call that the kernel restarted; "
			 "which one could not be told",
			 examined->thread->tid);
		return;
	}
	examined->number = number;
	examined->name = syscall_name(subject->target->arch, number);
	examined_evidence(examined, "%s", evidence);
}

/* A sleep that no signal ends, and no stop either. */
static void note_kernel(struct examined *examined)
{
	const struct target_thread *raw = examined->thread->raw;
	if (raw->state != 'D' || !raw->asleep)
		return;
	words_separate(&examined->detail, ", ");
	words_add(&examined->detail, "in state D (it sleeps in the kernel%s%s)",
		  raw->kernel_stack[0] != '\0' ? ": " : "", raw->kernel_stack);
}

/* Of a thread that is blocked: kind, object, owner. */
static void examine_wait(struct examined *examined, const struct wait_row *row)
{
	struct wait *wait = examined->wait;
	if (wait->activity != THREAD_CRASHED)
		wait->activity = THREAD_BLOCKED;
	wait->kind = row != NULL ? row->kind : WAIT_OTHER;
	if (row != NULL && row->examine != NULL)
		row->examine(examined);
	if (wait->timed && wait->timeout_ns < 0 && !examined->told_time) {
		words_separate(&examined->detail, ", ");
		words_add(&examined->detail, "with a timeout");
	}
	wait->idle = wait->idle || wait_kind_is(wait->kind, WAIT_IDLE);
	wait->site = wait_site(examined->thread);
	struct program_wait known = program_wait_find(examined->all->subject, wait);
	if (known.detail != NULL) {
		words_separate(&examined->detail, ", ");
		words_add(&examined->detail, "for %s", known.detail);
		wait->idle = known.idle;
	}
	if (known.frame != NULL)
		wait->site = known.frame;
	note_kernel(examined);
	/* A thread that crashed is not idle, whatever it did. */
	if (wait->activity == THREAD_CRASHED)
		wait->idle = false;
}

static void examine_thread(struct examined *examined)
{
	struct wait *wait = examined->wait;
	const struct target_thread *raw = examined->thread->raw;
	const struct arch *arch = examined->all->subject->target->arch;
	int64_t number;
	const bool crashed = examined->thread->crashed && !examined->thread->killed_from_outside;
	wait->activity = crashed ? THREAD_CRASHED : THREAD_RUNNING;
	if (!raw->stopped && !raw->asleep && examined->all->subject->target->kind == TARGET_LIVE) {
		wait->activity = THREAD_NOT_STOPPED;
		return;
	}
	if (raw->registers.general_size == 0) {
		gaps_add(examined->all->subject->gaps, GAP_WAIT, 0, 0,
			 "thread %" PRId32 " has no registers: whether it waits is not known",
			 examined->thread->tid);
		return;
	}
	if (!arch_syscall(arch, &raw->registers, &number))
		return;
	read_call(examined, number);
	undo_restart(examined);
	wait->syscall = examined->number;
	const struct wait_row *row = find_row(examined->name);
	if (raw->asleep || syscall_interrupted(examined->result) || partly_done(examined, row))
		examine_wait(examined, row);
	else if (wait->activity != THREAD_CRASHED)
		wait->activity = THREAD_IN_SYSCALL;
}

static void find_all(const struct examination *all, struct wait *items)
{
	const struct threads *threads = all->subject->threads;
	for (size_t i = 0; i < threads->count; i++) {
		struct examined examined = {
			.all = all,
			.thread = &threads->items[i],
			.wait = &items[i],
			.number = -1,
		};
		items[i] = (struct wait){
			.thread = &threads->items[i],
			.fd = -1,
			.held_through = -1,
			.timeout_ns = -1,
			.syscall = -1,
		};
		examine_thread(&examined);
		if (items[i].site == NULL)
			items[i].site = wait_site(&threads->items[i]);
		wait_texts(&examined);
		if ((i & 63) == 0)
			progress_tell(all->subject->progress, "examining waits", i, threads->count);
	}
}

struct error *waits_find(const struct subject *subject, struct waits *waits)
{
	size_t count = subject->threads->count;
	struct examination_memory memory;
	struct examination all;
	struct wait *items = calloc(count + 1, sizeof *items);
	if (items == NULL || !examination_begin(&all, subject, &memory)) {
		free(items);
		return error_no_memory();
	}
	find_all(&all, items);
	examination_end(&all);
	waits->items = items;
	waits->count = count;
	return NULL;
}

void waits_forget_moved(struct waits *waits)
{
	for (size_t i = 0; i < waits->count; i++) {
		struct wait *wait = &waits->items[i];
		if (wait->thread->raw->moved)
			*wait = (struct wait){
				.thread = wait->thread,
				.activity = THREAD_NOT_STOPPED,
				.fd = -1,
				.held_through = -1,
				.timeout_ns = -1,
				.syscall = -1,
				.brief = "ran while it was looked at",
				.text = "ran while it was looked at",
			};
	}
}

void waits_free(struct waits *waits)
{
	free(waits->items);
	*waits = (struct waits){ 0 };
}
