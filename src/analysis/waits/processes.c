/* Waits for children, for signals, and on System V's semaphores and message queues.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "analysis/waits/examine.h"
#include "target/live_descriptors.h"

#include <inttypes.h>
#include <string.h>

#define SIGNAL_COUNT 64

static void any_child(struct examined *examined)
{
	examined->wait->target_pid = -1;
}

static void child_of_group(struct examined *examined, int32_t group)
{
	any_child(examined);
	if (group == 0)
		words_add(&examined->detail, "of the caller's process group");
	else
		words_add(&examined->detail, "of process group %" PRId32, group);
}

static void examine_wait4(struct examined *examined)
{
	int32_t pid = (int32_t)examined->arguments[0];
	if (pid > 0)
		examined->wait->target_pid = pid;
	else if (pid == -1 || pid == INT32_MIN)
		any_child(examined);
	else
		child_of_group(examined, -pid);
}

/* Until the child of a vfork runs its program or ends, its parent sleeps in the kernel. */
#define CLONE_FLAG_VFORK 0x4000

static void vfork_child(struct examined *examined, uint64_t flags)
{
	if ((flags & CLONE_FLAG_VFORK) == 0)
		examined->wait->kind = WAIT_OTHER;
}

static void examine_clone(struct examined *examined)
{
	vfork_child(examined, examined->arguments[0]);
}

/* struct clone_args begins with the flags. */
static void examine_clone3(struct examined *examined)
{
	uint64_t flags = 0;
	(void)examined_u64(examined, examined->arguments[0], &flags);
	vfork_child(examined, flags);
}

/* waitid(2)'s idtype. */
enum { ID_ALL = 0, ID_PID = 1, ID_PGID = 2, ID_PIDFD = 3 };

/* A core does not tell which process a pidfd is of. */
static void examine_pidfd(struct examined *examined, int32_t fd)
{
	const struct examination *all = examined->all;
	examined->wait->fd = fd;
	examined->wait->target_pid =
	    live_descriptors_pidfd(all->descriptors, fd, all->subject->target->inner_pid != 0);
	if (examined->wait->target_pid > 0)
		words_add(&examined->detail, "by pidfd %" PRId32, fd);
}

static void examine_waitid(struct examined *examined)
{
	int32_t id = (int32_t)examined->arguments[1];
	switch (examined->arguments[0]) {
	case ID_PID:
		examined->wait->target_pid = id;
		break;
	case ID_PGID:
		child_of_group(examined, id);
		break;
	case ID_PIDFD:
		examine_pidfd(examined, id);
		break;
	default:
		any_child(examined);
	}
}

/* "SIGINT and SIGTERM": the signals of a set, or those that it leaves out. */
static void add_signals(struct words *words, uint64_t set)
{
	unsigned count = 0;
	for (int signal = 1; signal <= SIGNAL_COUNT; signal++) {
		if ((set >> (signal - 1) & 1) == 0)
			continue;
		if (++count > 8)
			continue;
		const char *name = sigabbrev_np(signal);
		words_add(words, count == 1 ? "" : ", ");
		if (name != NULL)
			words_add(words, "SIG%s", name);
		else
			words_add(words, "signal %d", signal);
	}
	if (count > 8)
		words_add(words, " and %u more", count - 8);
}

static void examine_sigtimedwait(struct examined *examined)
{
	uint64_t set;
	if (examined_u64(examined, examined->arguments[0], &set))
		add_signals(&examined->detail, set);
	examined_timeout(examined, examined->arguments[2]);
}

/* struct sembuf: number, operation and flags, of 2 bytes each. */
static void examine_semop(struct examined *examined)
{
	uint64_t operations = examined->arguments[1];
	uint64_t count = examined->arguments[2];
	words_add(&examined->detail, "semaphore set %" PRId32, (int32_t)examined->arguments[0]);
	for (uint64_t i = 0; i < count && i < 4 && operations < UINT64_MAX - 64; i++) {
		uint8_t bytes[6];
		if (!address_space_probe(examined->all->subject->target->space, operations + 6 * i,
					 bytes, sizeof bytes))
			break;
		unsigned number = bytes[0] | (unsigned)bytes[1] << 8;
		int16_t operation = (int16_t)(bytes[2] | (unsigned)bytes[3] << 8);
		words_add(&examined->detail, ", semaphore %u by %+d", number, operation);
	}
	if (count > 4)
		words_add(&examined->detail, " and %" PRIu64 " more", count - 4);
}

static void examine_semtimedop(struct examined *examined)
{
	examine_semop(examined);
	examined_timeout(examined, examined->arguments[3]);
}

static void examine_msgrcv(struct examined *examined)
{
	int64_t type = (int64_t)examined->arguments[3];
	words_add(&examined->detail, "message queue %" PRId32 ", receive",
		  (int32_t)examined->arguments[0]);
	if (type != 0)
		words_add(&examined->detail, " type %" PRId64, type);
}

static void examine_msgsnd(struct examined *examined)
{
	words_add(&examined->detail, "message queue %" PRId32 ", send",
		  (int32_t)examined->arguments[0]);
}

const struct wait_row process_rows[] = {
	{ "wait4", WAIT_CHILD, examine_wait4 },
	{ "waitid", WAIT_CHILD, examine_waitid },
	{ "vfork", WAIT_CHILD, NULL },
	{ "clone", WAIT_CHILD, examine_clone },
	{ "clone3", WAIT_CHILD, examine_clone3 },
	{ "pause", WAIT_SIGNAL, NULL },
	{ "rt_sigsuspend", WAIT_SIGNAL, NULL },
	{ "rt_sigtimedwait", WAIT_SIGNAL, examine_sigtimedwait },
	{ "semop", WAIT_SYSV, examine_semop },
	{ "semtimedop", WAIT_SYSV, examine_semtimedop },
	{ "msgrcv", WAIT_SYSV, examine_msgrcv },
	{ "msgsnd", WAIT_SYSV, examine_msgsnd },
	{ NULL, WAIT_NONE, NULL },
};
