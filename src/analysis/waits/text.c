/* The words of a wait.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "analysis/waits/examine.h"

#include <inttypes.h>
#include <string.h>

/* How each kind is said. `verb` goes before the object or fd; `noun` names the object. */
static const struct {
	const char *name; /* wait_kind_name's */
	const char *verb;
	const char *noun;
	bool idle;
} kinds[WAIT_KIND_COUNT] = {
	[WAIT_NONE] = { "none", "", "", false },
	[WAIT_MUTEX] = { "mutex", "waits for", "mutex", false },
	[WAIT_CONDITION] = { "condition variable", "waits on", "condition variable", true },
	[WAIT_RWLOCK_READ] = { "rwlock (read)", "waits to read-lock", "rwlock", false },
	[WAIT_RWLOCK_WRITE] = { "rwlock (write)", "waits to write-lock", "rwlock", false },
	[WAIT_SEMAPHORE] = { "semaphore", "waits for", "semaphore", true },
	[WAIT_BARRIER] = { "barrier", "waits at", "barrier", false },
	[WAIT_JOIN] = { "join", "waits for the end of", "thread", false },
	[WAIT_ONCE] = { "once", "waits for", "once-initialisation", false },
	[WAIT_STATIC_INIT] = { "static initialisation", "waits for", "static initialisation",
			       false },
	[WAIT_FILE_LOCK] = { "stdio lock", "waits for the stdio lock of", "FILE", false },
	[WAIT_LOADER_LOCK] = { "loader lock", "waits for", "loader lock", false },
	[WAIT_FUTURE] = { "future", "waits for", "std::future state", false },
	[WAIT_ATOMIC] = { "atomic", "waits for a change of", "std::atomic", false },
	[WAIT_PARK] = { "park", "is parked at", "token", true },
	[WAIT_FUTEX] = { "futex", "waits on", "futex", false },
	[WAIT_READ] = { "read", "reads from", NULL, false },
	[WAIT_WRITE] = { "write", "writes to", NULL, false },
	[WAIT_ACCEPT] = { "accept", "waits for a connection on", NULL, true },
	[WAIT_CONNECT] = { "connect", "connects", NULL, false },
	[WAIT_RECEIVE] = { "receive", "receives from", NULL, false },
	[WAIT_SEND] = { "send", "sends to", NULL, false },
	[WAIT_POLL] = { "poll", "polls", NULL, true },
	[WAIT_SELECT] = { "select", "selects on", NULL, true },
	[WAIT_EPOLL] = { "epoll", "waits for events of epoll", NULL, true },
	[WAIT_FILE_RANGE_LOCK] = { "file lock", "waits for a lock on", NULL, false },
	[WAIT_SLEEP] = { "sleep", "sleeps", NULL, true },
	[WAIT_CHILD] = { "child", "waits for", NULL, false },
	[WAIT_SIGNAL] = { "signal", "waits for a signal", NULL, true },
	[WAIT_SYSV] = { "System V IPC", "waits on", NULL, false },
	[WAIT_IO] = { "I/O", "waits for I/O", NULL, false },
	[WAIT_OTHER] = { "system call", "waits", NULL, false },
};

/* The same of several objects, where the kind has a word for them. */
static const struct {
	const char *before, *after;
} many[WAIT_KIND_COUNT] = {
	[WAIT_MUTEX] = { "wait for ", " mutexes" },
	[WAIT_CONDITION] = { "wait on ", " condition variables" },
	[WAIT_RWLOCK_READ] = { "wait to read-lock ", " rwlocks" },
	[WAIT_RWLOCK_WRITE] = { "wait to write-lock ", " rwlocks" },
	[WAIT_SEMAPHORE] = { "wait for ", " semaphores" },
	[WAIT_BARRIER] = { "wait at ", " barriers" },
	[WAIT_JOIN] = { "wait for the end of ", " threads" },
	[WAIT_ONCE] = { "wait for ", " once-initialisations" },
	[WAIT_STATIC_INIT] = { "wait for ", " static initialisations" },
	[WAIT_FILE_LOCK] = { "wait for the stdio locks of ", " FILEs" },
	[WAIT_FUTURE] = { "wait for ", " std::future states" },
	[WAIT_ATOMIC] = { "wait for changes of ", " std::atomics" },
	[WAIT_PARK] = { "are parked at ", " tokens" },
	[WAIT_FUTEX] = { "wait on ", " futexes" },
	[WAIT_READ] = { "read from ", " fds" },
	[WAIT_WRITE] = { "write to ", " fds" },
	[WAIT_ACCEPT] = { "wait for connections on ", " fds" },
	[WAIT_CONNECT] = { "connect ", " fds" },
	[WAIT_RECEIVE] = { "receive from ", " fds" },
	[WAIT_SEND] = { "send to ", " fds" },
	[WAIT_EPOLL] = { "wait for events of ", " epolls" },
};

const char *wait_kind_name(enum wait_kind kind)
{
	return (unsigned)kind < WAIT_KIND_COUNT ? kinds[kind].name : "unknown";
}

const char *wait_kind_many(enum wait_kind kind, const char *count, char *buffer, size_t size)
{
	if ((unsigned)kind >= WAIT_KIND_COUNT || many[kind].before == NULL)
		return NULL;
	snprintf(buffer, size, "%s%s%s", many[kind].before, count, many[kind].after);
	return buffer;
}

static const char *behind_words(const char *text, const char *words)
{
	const size_t length = strlen(words);
	if (strncmp(text, words, length) != 0 || text[length] != ' ')
		return text;
	return text + length + 1;
}

const char *wait_object_text(const struct wait *wait)
{
	const char *text = wait->text;
	if ((unsigned)wait->kind >= WAIT_KIND_COUNT)
		return text;
	text = behind_words(text, kinds[wait->kind].verb);
	if (text != wait->text && kinds[wait->kind].noun != NULL)
		text = behind_words(text, kinds[wait->kind].noun);
	return text;
}

bool wait_kind_is_lock(enum wait_kind kind)
{
	switch (kind) {
	case WAIT_MUTEX:
	case WAIT_RWLOCK_READ:
	case WAIT_RWLOCK_WRITE:
	case WAIT_ONCE:
	case WAIT_STATIC_INIT:
	case WAIT_FILE_LOCK:
	case WAIT_LOADER_LOCK:
	case WAIT_FILE_RANGE_LOCK:
		return true;
	default:
		return false;
	}
}

bool wait_kind_idle(enum wait_kind kind)
{
	return (unsigned)kind < WAIT_KIND_COUNT && kinds[kind].idle;
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
	if (thread->name != NULL && thread->name[0] != '\0')
		words_add(words, " \"%s\"", thread->name);
}

void words_add_object(struct words *words, const struct wait *wait)
{
	words_add(words, "%s 0x%" PRIx64, kinds[wait->kind].noun, wait->object);
	if (wait->object_name == NULL)
		return;
	words_add(words, wait->object_name[0] == '<' ? " %s" : " (%s)", wait->object_name);
}

void words_add_wait(struct words *words, const struct wait *wait)
{
	words_add(words, "%s ", kinds[wait->kind].verb);
	words_add_object(words, wait);
}

void words_add_owner(struct words *words, const struct threads *threads, const struct wait *wait)
{
	bool runs = wait->kind == WAIT_ONCE || wait->kind == WAIT_STATIC_INIT;
	switch (wait->owner_state) {
	case OWNER_THREAD:
		words_add(words, runs ? ", which is run by " : ", held by ");
		words_add_thread(words, threads_find(threads, wait->owner));
		break;
	case OWNER_SELF:
		words_add(words, ", which it holds itself");
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
	bool plain = wait->owner_state != OWNER_THREAD && wait->owner_state != OWNER_SELF;
	words_add(words, plain ? ", %s" : " (%s)", wait->owner_note);
}

static void join_text(const struct examined *examined, struct words *words)
{
	const struct thread *joined = examined_thread(examined->all, examined->wait->target_pid);
	words_add(words, "waits for the end of ");
	if (joined != NULL) {
		words_add(words, "thread ");
		words_add_thread(words, joined);
	} else {
		words_add(words, "a thread");
	}
	words_add(words, " (join)");
}

static void child_text(const struct examined *examined, struct words *words)
{
	const struct wait *wait = examined->wait;
	bool inner = examined->all->subject->target->inner_pid != 0;
	if (wait->target_pid > 0)
		words_add(words, "waits for child process %" PRId32 "%s", wait->target_pid,
			  inner ? " (its own number for it)" : "");
	else
		words_add(words, "waits for any child process");
}

static void descriptor_text(const struct wait *wait, struct words *words)
{
	words_add(words, "%s", kinds[wait->kind].verb);
	bool listed = wait->kind == WAIT_POLL || wait->kind == WAIT_SELECT;
	if (listed || wait->fd < 0)
		return;
	words_add(words, wait->kind == WAIT_IO ? " on fd %" PRId32 : " fd %" PRId32, wait->fd);
}

static void other_text(const struct examined *examined, struct words *words)
{
	words_add(words, "waits in ");
	if (examined->name != NULL)
		words_add(words, "%s", examined->name);
	else
		words_add(words, "system call %" PRId64, examined->number);
	if (examined->wait->fd >= 0)
		words_add(words, " on fd %" PRId32, examined->wait->fd);
}

/* The wait itself, without what is added to any kind. */
static void kind_text(const struct examined *examined, struct words *words)
{
	const struct wait *wait = examined->wait;
	switch (wait->kind) {
	case WAIT_JOIN:
		join_text(examined, words);
		break;
	case WAIT_CHILD:
		child_text(examined, words);
		break;
	case WAIT_OTHER:
		other_text(examined, words);
		break;
	case WAIT_SLEEP:
		words_add(words, "sleeps");
		if (wait->timeout_ns >= 0) {
			words_add(words, " for ");
			words_add_duration(words, wait->timeout_ns);
		}
		break;
	default:
		if (wait->object != 0 && kinds[wait->kind].noun != NULL) {
			words_add_wait(words, wait);
			words_add_owner(words, examined->all->subject->threads, wait);
		} else {
			descriptor_text(wait, words);
		}
	}
}

static void add_timeout(const struct wait *wait, struct words *words)
{
	if (wait->timeout_ns >= 0 && wait->kind != WAIT_SLEEP) {
		words_add(words, ", for at most ");
		words_add_duration(words, wait->timeout_ns);
	}
}

static void blocked_text(const struct examined *examined, struct words *words)
{
	const struct wait *wait = examined->wait;
	bool listed =
	    wait->kind == WAIT_POLL || wait->kind == WAIT_SELECT || wait->kind == WAIT_SYSV;
	kind_text(examined, words);
	if (listed && examined->detail.length > 0)
		words_add(words, " %s", examined->detail.text);
	if (wait->fd_name != NULL)
		words_add(words, " (%s)", wait->fd_name);
	if (!listed && examined->detail.length > 0)
		words_add(words, ", %s", examined->detail.text);
	add_timeout(wait, words);
}

static void unblocked_text(const struct examined *examined, struct words *words)
{
	switch (examined->wait->activity) {
	case THREAD_CRASHED:
		words_add(words, "crashed");
		break;
	case THREAD_NOT_STOPPED:
		if (examined->all->subject->target->unstopped) {
			words_add(words, examined->thread->raw->moved ? "ran while it was looked at"
								      : "runs");
			break;
		}
		words_add(words, "could not be stopped");
		if (examined->thread->raw->state != 0)
			words_add(words, ", in state %c", examined->thread->raw->state);
		if (examined->thread->raw->wchan[0] != '\0')
			words_add(words, ", in the kernel's %s", examined->thread->raw->wchan);
		if (strcmp(examined->thread->raw->wchan, "kernel_clone") == 0)
			words_add(words, ": a vfork whose child has not yet run its program");
		break;
	case THREAD_IN_SYSCALL:
		words_add(words, "is in ");
		if (examined->name != NULL)
			words_add(words, "%s", examined->name);
		else
			words_add(words, "system call %" PRId64, examined->number);
		break;
	default:
		words_add(words, "runs");
	}
}

static const char *pooled(const struct examined *examined, const struct words *words)
{
	if (words->length == 0)
		return NULL;
	return string_pool_add(modules_strings(examined->all->subject->modules), words->text);
}

void wait_notes(struct examined *examined)
{
	struct wait *wait = examined->wait;
	wait->owner_note = pooled(examined, &examined->owner_note);
	wait->evidence = pooled(examined, &examined->evidence);
	wait->detail = pooled(examined, &examined->detail);
}

void wait_texts(struct examined *examined)
{
	struct wait *wait = examined->wait;
	struct words text = { 0 };
	wait_notes(examined);
	if (wait->kind == WAIT_NONE)
		unblocked_text(examined, &text);
	else
		blocked_text(examined, &text);
	wait->text = pooled(examined, &text);
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
		words_add(words, has_site && strchr(wait->text, ',') != NULL ? "%s," : "%s",
			  wait->text);
	if (has_site)
		add_site(words, wait->site);
}

static bool ends_with(const char *text, const char *end)
{
	size_t length = strlen(text), end_length = strlen(end);
	return length >= end_length && strcmp(text + length - end_length, end) == 0;
}

static void owner_text(struct string_pool *strings, struct wait *wait, const struct wait *owner)
{
	struct words doing = { 0 }, name = { 0 }, text = { 0 };
	words_add_doing(&doing, owner);
	wait->owner_does = string_pool_add(strings, doing.text);
	words_add_thread(&name, owner->thread);
	words_add(&text, "%s", wait->text);
	if (ends_with(wait->text, name.text))
		words_add(&text, ", which %s", doing.text);
	else
		words_add(&text, "; %" PRId32 " %s", owner->thread->tid, doing.text);
	wait->text = string_pool_add(strings, text.text);
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
			owner_text(modules_strings(subject->modules), wait,
				   &waits->items[owner - threads->items]);
	}
}
