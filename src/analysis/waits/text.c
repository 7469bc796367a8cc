/* The words of a wait.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "analysis/waits/examine.h"
#include "analysis/waits/syscalls.h"

#include <inttypes.h>
#include <string.h>

static const char *behind_words(const char *text, const char *words)
{
	const size_t length = strlen(words);
	if (strncmp(text, words, length) != 0 || text[length] != ' ')
		return text;
	return text + length + 1;
}

const char *wait_object_text(const struct wait *wait)
{
	const struct wait_kind_words *kind = wait_kind_words(wait->kind);
	const char *text = behind_words(wait->brief, kind->verb);
	if (text != wait->brief && kind->noun != NULL)
		text = behind_words(text, kind->noun);
	return text;
}

const char *thread_activity_name(enum thread_activity activity)
{
	switch (activity) {
	case THREAD_CRASHED:
		return "crashed";
	case THREAD_RUNNING:
		return "running";
	case THREAD_BLOCKED:
		return "blocked";
	case THREAD_IN_SYSCALL:
		return "in a system call";
	case THREAD_NOT_STOPPED:
		return "not stopped";
	}
	return "unknown";
}

void words_add_thread(struct words *words, const struct thread *thread)
{
	words_add(words, "%" PRId32, thread->tid);
	if (thread->raw != NULL && thread->raw->inner_tid != 0)
		words_add(words, " (%" PRId32 " inside)", thread->raw->inner_tid);
	if (thread->name != NULL && thread->name[0] != '\0')
		words_add(words, " \"%s\"", thread->name);
}

void words_add_object(struct words *words, const struct wait *wait)
{
	words_add(words, "%s 0x%" PRIx64, wait_kind_words(wait->kind)->noun, wait->object);
	if (wait->object_name == NULL)
		return;
	words_add(words, wait->object_name[0] == '<' ? " %s" : " (%s)", wait->object_name);
}

void words_add_lock(struct words *words, const struct wait *wait)
{
	if (wait->kind == WAIT_FILE_LOCK)
		words_add(words, "stdio lock of ");
	if (wait->kind != WAIT_FILE_RANGE_LOCK) {
		words_add_object(words, wait);
		return;
	}
	words_add(words, "file lock on fd %" PRId32, wait->fd);
	if (wait->fd_name != NULL)
		words_add(words, " (%s)", wait->fd_name);
}

void words_add_wait(struct words *words, const struct wait *wait)
{
	words_add(words, "%s ", wait_kind_words(wait->kind)->verb);
	words_add_object(words, wait);
}

void words_add_owner(struct words *words, const struct threads *threads, const struct wait *wait)
{
	bool runs = wait_kind_is(wait->kind, WAIT_FOR_RUNNER);
	switch (wait->owner_state) {
	case OWNER_THREAD:
		words_add(words, runs ? ", which is run by " : ", held by ");
		words_add_thread(words, threads_find(threads, wait->owner));
		break;
	case OWNER_SELF:
		words_add(words, ", which it holds itself");
		break;
	case OWNER_PROCESS:
		words_add(words, ", held by process %" PRId32, wait->owner);
		if (wait->owner_name != NULL)
			words_add(words, " \"%s\"", wait->owner_name);
		break;
	case OWNER_GONE:
		if (wait->owner != 0)
			words_add(words, ", held by %" PRId32, wait->owner);
		break;
	case OWNER_NONE:
	case OWNER_UNKNOWN:
		break;
	}
	if (wait->owner_note == NULL)
		return;
	bool plain = wait->owner_state != OWNER_THREAD && wait->owner_state != OWNER_SELF &&
		     wait->owner_state != OWNER_PROCESS;
	words_add(words, plain ? ", %s" : " (%s)", wait->owner_note);
}

/* --- the clauses of a blocked thread: what it does, with what; what else is known; until when;
 * who holds it */

static void add_join(struct words *words, const struct subject *subject, const struct wait *wait)
{
	const struct thread *joined = threads_find(subject->threads, wait->owner);
	words_add(words, "waits for the end of ");
	if (wait->owner_state != OWNER_GONE && joined != NULL) {
		words_add(words, "thread ");
		words_add_thread(words, joined);
	} else {
		words_add(words, "a thread");
	}
	words_add(words, " (join)");
	if (wait->owner_state == OWNER_GONE && wait->owner_note != NULL)
		words_add(words, ", %s", wait->owner_note);
}

static void add_child(struct words *words, const struct subject *subject, const struct wait *wait)
{
	if (wait->target_pid > 0)
		words_add(words, "waits for child process %" PRId32 "%s", wait->target_pid,
			  subject->target->inner_pid != 0 ? " (its own number for it)" : "");
	else if (wait->target_pid < 0)
		words_add(words, "waits for any child process");
	else if (wait->fd >= 0)
		words_add(words, "waits for the child process of pidfd %" PRId32, wait->fd);
	else
		words_add(words, "waits until the child of its vfork runs a program or ends");
}

static void add_other(struct words *words, const struct subject *subject, const struct wait *wait)
{
	const char *name = syscall_name(subject->target->arch, wait->syscall);
	words_add(words, "waits in ");
	if (name != NULL)
		words_add(words, "%s", name);
	else
		words_add(words, "system call %" PRId64, wait->syscall);
	if (wait->fd >= 0)
		words_add(words, " on fd %" PRId32, wait->fd);
}

static void add_sleep(struct words *words, const struct wait *wait)
{
	words_add(words, "sleeps");
	if (wait->timeout_ns >= 0) {
		words_add(words, " for ");
		words_add_duration(words, wait->timeout_ns);
	}
}

static void add_descriptor(struct words *words, const struct wait *wait)
{
	words_add(words, "%s", wait_kind_words(wait->kind)->verb);
	if (!wait_kind_is(wait->kind, WAIT_LISTS_FDS) && wait->fd >= 0)
		words_add(words, wait->kind == WAIT_IO ? " on fd %" PRId32 : " fd %" PRId32,
			  wait->fd);
}

static void add_kind(struct words *words, const struct subject *subject, const struct wait *wait)
{
	switch (wait->kind) {
	case WAIT_JOIN:
		add_join(words, subject, wait);
		break;
	case WAIT_CHILD:
		add_child(words, subject, wait);
		break;
	case WAIT_OTHER:
		add_other(words, subject, wait);
		break;
	case WAIT_SLEEP:
		add_sleep(words, wait);
		break;
	default:
		if (wait->object != 0 && wait_kind_words(wait->kind)->noun != NULL)
			words_add_wait(words, wait);
		else
			add_descriptor(words, wait);
	}
}

static void add_details(struct words *words, const struct wait *wait)
{
	const bool listed = wait_kind_is(wait->kind, WAIT_LISTS_FDS) || wait->kind == WAIT_SYSV;
	if (listed && wait->detail != NULL)
		words_add(words, " %s", wait->detail);
	if (!listed && wait->fd_name != NULL)
		words_add(words, " (%s)", wait->fd_name);
	if (!listed && wait->detail != NULL)
		words_add(words, ", %s", wait->detail);
	if (wait->timeout_ns >= 0 && wait->kind != WAIT_SLEEP) {
		words_add(words, ", for at most ");
		words_add_duration(words, wait->timeout_ns);
	}
}

static void add_blocked(struct words *words, const struct subject *subject, const struct wait *wait)
{
	add_kind(words, subject, wait);
	add_details(words, wait);
	/* Whom a thread joins was told. */
	if (wait->kind != WAIT_JOIN)
		words_add_owner(words, subject->threads, wait);
}

static void add_not_stopped(struct words *words, const struct subject *subject,
			    const struct target_thread *raw)
{
	if (subject->target->unstopped) {
		words_add(words, raw->moved ? "ran while it was looked at" : "runs");
		return;
	}
	words_add(words, "could not be stopped");
	if (raw->state != 0)
		words_add(words, ", in state %c", raw->state);
	if (raw->wchan[0] != '\0')
		words_add(words, ", in the kernel's %s", raw->wchan);
	if (strcmp(raw->wchan, "kernel_clone") == 0)
		words_add(words, ": a vfork whose child has not yet run its program");
}

static void add_unblocked(struct words *words, const struct subject *subject,
			  const struct wait *wait)
{
	const char *name;
	switch (wait->activity) {
	case THREAD_CRASHED:
		words_add(words, "crashed");
		break;
	case THREAD_NOT_STOPPED:
		add_not_stopped(words, subject, wait->thread->raw);
		break;
	case THREAD_IN_SYSCALL:
		name = syscall_name(subject->target->arch, wait->syscall);
		if (name != NULL)
			words_add(words, "is in %s", name);
		else
			words_add(words, "is in system call %" PRId64, wait->syscall);
		break;
	default:
		words_add(words, "runs");
	}
}

static const char *pooled(const struct subject *subject, const struct words *words)
{
	if (words->length == 0)
		return NULL;
	return string_pool_add(modules_strings(subject->modules), words->text);
}

void wait_notes(struct examined *examined)
{
	struct wait *wait = examined->wait;
	const struct subject *subject = examined->all->subject;
	wait->owner_note = pooled(subject, &examined->owner_note);
	wait->evidence = pooled(subject, &examined->evidence);
	wait->detail = pooled(subject, &examined->detail);
}

void wait_texts(struct examined *examined)
{
	struct wait *wait = examined->wait;
	const struct subject *subject = examined->all->subject;
	struct words brief = { 0 };
	wait_notes(examined);
	if (wait->kind == WAIT_NONE)
		add_unblocked(&brief, subject, wait);
	else
		add_blocked(&brief, subject, wait);
	wait->brief = wait->text = pooled(subject, &brief);
}

/* " at work() a.c:12" */
static void add_site(struct words *words, const struct frame *site)
{
	words_add(words, " at %.100s%s", site->function,
		  strchr(site->function, '(') == NULL ? "()" : "");
	if (site->file == NULL)
		return;
	const char *slash = strrchr(site->file, '/');
	words_add(words, " %s:%u", slash != NULL ? slash + 1 : site->file, site->line);
}

void words_add_doing(struct words *words, const struct wait *wait)
{
	bool has_site = wait->site != NULL && wait->site->function != NULL;
	if (wait_kind_is_lock(wait->kind) && wait->object != 0)
		words_add_wait(words, wait);
	else
		words_add(words, has_site && strchr(wait->brief, ',') != NULL ? "%s," : "%s",
			  wait->brief);
	if (has_site)
		add_site(words, wait->site);
}

static void tell_owner(struct string_pool *strings, struct wait *wait, const struct wait *owner)
{
	struct words doing = { 0 };
	words_add_doing(&doing, owner);
	wait->owner_does = string_pool_add(strings, doing.text);
	wait->text = string_pool_format(strings, "%s, which %s", wait->brief, doing.text);
}

void waits_tell_owners(const struct subject *subject, struct waits *waits)
{
	const struct threads *threads = subject->threads;
	for (size_t i = 0; i < waits->count; i++) {
		struct wait *wait = &waits->items[i];
		if (!wait_kind_is_lock(wait->kind) || wait->owner_state != OWNER_THREAD)
			continue;
		const struct thread *owner = threads_find(threads, wait->owner);
		if (owner != NULL)
			tell_owner(modules_strings(subject->modules), wait,
				   &waits->items[owner - threads->items]);
	}
}
