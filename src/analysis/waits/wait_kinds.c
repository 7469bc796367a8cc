/* What is known of each kind of wait: the one table of them.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "analysis/waits/waits.h"

#include <stdio.h>

/* For things that one thread holds at a time, or runs. */
#define LOCK WAIT_FOR_LOCK

/* For an object in memory: another thread ends the wait, of this process where it is not shared. */
#define MEMORY WAIT_FOR_MEMORY

/* Mostly for something to do; and then those that mostly hold no lock meanwhile. */
#define IDLE WAIT_IDLE
#define WORK (WAIT_IDLE | WAIT_FOR_WORK)

static const struct wait_kind_words kinds[WAIT_KIND_COUNT] = {
	[WAIT_NONE] = { .name = "none", .verb = "" },
	[WAIT_MUTEX] = { .name = "mutex",
			 .verb = "waits for",
			 .noun = "mutex",
			 .before = "wait for ",
			 .after = " mutexes",
			 .traits = LOCK | MEMORY },
	[WAIT_CONDITION] = { .name = "condition variable",
			     .verb = "waits on",
			     .noun = "condition variable",
			     .before = "wait on ",
			     .after = " condition variables",
			     .traits = MEMORY | WORK },
	[WAIT_RWLOCK_READ] = { .name = "rwlock (read)",
			       .verb = "waits to read-lock",
			       .noun = "rwlock",
			       .before = "wait to read-lock ",
			       .after = " rwlocks",
			       .traits = LOCK | MEMORY },
	[WAIT_RWLOCK_WRITE] = { .name = "rwlock (write)",
				.verb = "waits to write-lock",
				.noun = "rwlock",
				.before = "wait to write-lock ",
				.after = " rwlocks",
				.traits = LOCK | MEMORY },
	[WAIT_SEMAPHORE] = { .name = "semaphore",
			     .verb = "waits for",
			     .noun = "semaphore",
			     .before = "wait for ",
			     .after = " semaphores",
			     .traits = MEMORY | WORK },
	[WAIT_BARRIER] = { .name = "barrier",
			   .verb = "waits at",
			   .noun = "barrier",
			   .before = "wait at ",
			   .after = " barriers",
			   .traits = MEMORY },
	[WAIT_LATCH] = { .name = "latch",
			 .verb = "waits for",
			 .noun = "std::latch",
			 .before = "wait for ",
			 .after = " std::latches",
			 .traits = MEMORY },
	[WAIT_JOIN] = { .name = "join",
			.verb = "waits for the end of",
			.noun = "thread",
			.before = "wait for the end of ",
			.after = " threads" },
	[WAIT_ONCE] = { .name = "once",
			.verb = "waits for",
			.noun = "once-initialisation",
			.before = "wait for ",
			.after = " once-initialisations",
			.traits = LOCK | MEMORY | WAIT_FOR_RUNNER },
	[WAIT_STATIC_INIT] = { .name = "static initialisation",
			       .verb = "waits for",
			       .noun = "static initialisation",
			       .before = "wait for ",
			       .after = " static initialisations",
			       .traits = LOCK | MEMORY | WAIT_FOR_RUNNER },
	[WAIT_FILE_LOCK] = { .name = "stdio lock",
			     .verb = "waits for the stdio lock of",
			     .noun = "FILE",
			     .before = "wait for the stdio locks of ",
			     .after = " FILEs",
			     .traits = LOCK | MEMORY },
	[WAIT_LOADER_LOCK] = { .name = "loader lock",
			       .verb = "waits for",
			       .noun = "loader lock",
			       .traits = LOCK | MEMORY },
	[WAIT_FUTURE] = { .name = "future",
			  .verb = "waits for",
			  .noun = "std::future state",
			  .before = "wait for ",
			  .after = " std::future states",
			  .traits = MEMORY },
	[WAIT_ATOMIC] = { .name = "atomic",
			  .verb = "waits for a change of",
			  .noun = "std::atomic",
			  .before = "wait for changes of ",
			  .after = " std::atomics",
			  .traits = MEMORY },
	[WAIT_PARK] = { .name = "park",
			.verb = "is parked at",
			.noun = "token",
			.before = "are parked at ",
			.after = " tokens",
			.traits = MEMORY | IDLE },
	[WAIT_FUTEX] = { .name = "futex",
			 .verb = "waits on",
			 .noun = "futex",
			 .before = "wait on ",
			 .after = " futexes",
			 .traits = MEMORY },
	[WAIT_READ] = { .name = "read",
			.verb = "reads from",
			.before = "read from ",
			.after = " fds" },
	[WAIT_WRITE] = { .name = "write",
			 .verb = "writes to",
			 .before = "write to ",
			 .after = " fds" },
	[WAIT_ACCEPT] = { .name = "accept",
			  .verb = "waits for a connection on",
			  .before = "wait for connections on ",
			  .after = " fds",
			  .traits = WORK },
	[WAIT_CONNECT] = { .name = "connect",
			   .verb = "connects",
			   .before = "connect ",
			   .after = " fds" },
	[WAIT_RECEIVE] = { .name = "receive",
			   .verb = "receives from",
			   .before = "receive from ",
			   .after = " fds" },
	[WAIT_SEND] = { .name = "send", .verb = "sends to", .before = "send to ", .after = " fds" },
	[WAIT_POLL] = { .name = "poll", .verb = "polls", .traits = WORK | WAIT_LISTS_FDS },
	[WAIT_SELECT] = { .name = "select", .verb = "selects on", .traits = WORK | WAIT_LISTS_FDS },
	[WAIT_EPOLL] = { .name = "epoll",
			 .verb = "waits for events of epoll",
			 .before = "wait for events of ",
			 .after = " epolls",
			 .traits = WORK },
	[WAIT_FILE_RANGE_LOCK] = { .name = "file lock",
				   .verb = "waits for a lock on",
				   .traits = LOCK },
	[WAIT_SLEEP] = { .name = "sleep", .verb = "sleeps", .traits = IDLE },
	[WAIT_CHILD] = { .name = "child", .verb = "waits for" },
	[WAIT_SIGNAL] = { .name = "signal", .verb = "waits for a signal", .traits = IDLE },
	[WAIT_SYSV] = { .name = "System V IPC", .verb = "waits on" },
	[WAIT_IO] = { .name = "I/O", .verb = "waits for I/O" },
	[WAIT_OTHER] = { .name = "system call", .verb = "waits" },
};

const struct wait_kind_words *wait_kind_words(enum wait_kind kind)
{
	static const struct wait_kind_words unknown = { .name = "unknown", .verb = "waits" };
	return (unsigned)kind < WAIT_KIND_COUNT ? &kinds[kind] : &unknown;
}

const char *wait_kind_name(enum wait_kind kind)
{
	return wait_kind_words(kind)->name;
}

bool wait_kind_is(enum wait_kind kind, unsigned traits)
{
	return (wait_kind_words(kind)->traits & traits) != 0;
}

bool wait_kind_is_lock(enum wait_kind kind)
{
	return wait_kind_is(kind, WAIT_FOR_LOCK);
}

const char *wait_kind_many(enum wait_kind kind, const char *count, char *buffer, size_t size)
{
	const struct wait_kind_words *words = wait_kind_words(kind);
	if (words->before == NULL)
		return NULL;
	snprintf(buffer, size, "%s%s%s", words->before, count, words->after);
	return buffer;
}
