/* Waits on file descriptors: read, write, sockets, poll, select, epoll.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "analysis/waits/examine.h"

#include <inttypes.h>
#include <string.h>
#include <time.h>

/* More descriptors than these are counted, not named. */
#define NAMED_MAX 8

/* What more descriptors than these are is not told. */
#define DESCRIBED_MAX 4

/* More entries of a pollfd array are not looked at. */
#define POLL_MAX 65536

/* select's sets hold at most so many descriptors in all C libraries. */
#define SELECT_MAX 1024

#define MILLISECOND INT64_C(1000000)

static void examine_descriptor(struct examined *examined)
{
	examined_descriptor(examined, (int32_t)examined->arguments[0]);
}

/* No call takes more parts (IOV_MAX). */
#define PARTS_MAX 1024

/* struct iovec: start and length. */
static uint64_t sum_of_parts(const struct examined *examined, uint64_t parts, uint64_t count)
{
	uint64_t sum = 0, length;
	if (count > PARTS_MAX || parts > UINT64_MAX - 16 * PARTS_MAX)
		return 0;
	for (uint64_t i = 0; i < count; i++)
		if (examined_u64(examined, parts + 16 * i + 8, &length))
			sum += length < INT64_MAX / PARTS_MAX ? length : 0;
	return sum;
}

/* struct msghdr, of which the parts stand at 16 and their count at 24. */
static uint64_t sum_of_message(const struct examined *examined, uint64_t message)
{
	uint64_t parts, count;
	if (message > UINT64_MAX - 64 || !examined_u64(examined, message + 16, &parts) ||
	    !examined_u64(examined, message + 24, &count))
		return 0;
	return sum_of_parts(examined, parts, count);
}

uint64_t examined_asked(const struct examined *examined)
{
	static const char *const vectors[] = { "writev", "pwritev", "pwritev2" };
	const uint64_t *arguments = examined->arguments;
	if (strcmp(examined->name, "sendmsg") == 0)
		return sum_of_message(examined, arguments[1]);
	if (strcmp(examined->name, "sendfile") == 0)
		return arguments[3];
	for (size_t i = 0; i < sizeof vectors / sizeof vectors[0]; i++)
		if (strcmp(examined->name, vectors[i]) == 0)
			return sum_of_parts(examined, arguments[1], arguments[2]);
	return arguments[2];
}

/* poll(2)'s events. */
enum { EVENT_IN = 1, EVENT_PRIORITY = 2, EVENT_OUT = 4 };

/* " (in, out)"; to read alone is the usual, and not said. */
static void add_events(struct words *words, uint16_t events)
{
	static const struct {
		uint16_t event;
		const char *name;
	} rows[] = { { EVENT_IN, "in" }, { EVENT_OUT, "out" }, { EVENT_PRIORITY, "priority" } };
	const char *before = " (";
	events &= EVENT_IN | EVENT_OUT | EVENT_PRIORITY;
	if (events == EVENT_IN || events == 0)
		return;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		if ((events & rows[i].event) == 0)
			continue;
		words_add(words, "%s%s", before, rows[i].name);
		before = ", ";
	}
	words_add(words, ")");
}

static void milliseconds(struct examined *examined, int32_t timeout)
{
	if (timeout < 0)
		return;
	examined->wait->timed = true;
	examined->wait->timeout_ns = timeout * MILLISECOND;
}

/* `timeout` points to a timespec, or is 0. pselect6 and ppoll are known to write what is left of
 * the time back where they are interrupted, so that it tells not what was asked for; and of a call
 * that was not, not what is left. */
static void remaining(struct examined *examined, uint64_t timeout)
{
	int64_t left;
	if (timeout == 0)
		return;
	examined->wait->timed = true;
	if (examined_timespec(examined, timeout, &left)) {
		words_separate(&examined->detail, ", ");
		if (examined->thread->raw->asleep)
			words_add(&examined->detail, "at most ");
		words_add_duration(&examined->detail, left / MILLISECOND * MILLISECOND);
		words_add(&examined->detail, " left");
		examined->told_time = true;
	}
}

struct descriptor_list {
	struct words words;
	uint32_t count;
	int32_t fds[NAMED_MAX];
};

static bool list_add(struct descriptor_list *list, int32_t fd)
{
	if (list->count++ >= NAMED_MAX)
		return false;
	list->fds[list->count - 1] = fd;
	words_separate(&list->words, ", ");
	words_add(&list->words, "%" PRId32, fd);
	return true;
}

/* ": 3 is pipe:[1234], 6 is TCP listening on 0.0.0.0:80", where that is known. */
static void describe_some(struct examined *examined, const struct descriptor_list *list)
{
	bool first = true;
	for (uint32_t i = 0; list->count <= DESCRIBED_MAX && i < list->count; i++) {
		const char *name = examined_descriptor_name(examined, list->fds[i]);
		if (name == NULL)
			continue;
		words_add(&examined->detail, "%s %" PRId32 " is %s", first ? ":" : ";",
			  list->fds[i], name);
		first = false;
	}
}

static void list_end(struct examined *examined, struct descriptor_list *list)
{
	struct words *detail = &examined->detail;
	if (list->count == 1)
		examined_descriptor(examined, list->fds[0]);
	if (list->count == 0)
		words_add(detail, "no fd");
	else
		words_add(detail, list->count == 1 ? "fd %s" : "fds %s", list->words.text);
	if (list->count == 1 && examined->wait->fd_name != NULL)
		words_add(detail, " (%s)", examined->wait->fd_name);
	else if (list->count > NAMED_MAX)
		words_add(detail, " and %" PRIu32 " more", list->count - NAMED_MAX);
	else
		describe_some(examined, list);
}

static void poll_array(struct examined *examined)
{
	uint64_t array = examined->arguments[0], count = examined->arguments[1];
	struct descriptor_list list = { 0 };
	uint64_t readable = 0;
	if (array > UINT64_MAX - 8 * POLL_MAX)
		count = 0;
	for (uint64_t i = 0; i < count && i < POLL_MAX; i++) {
		uint32_t fd, events;
		if (!examined_u32(examined, array + 8 * i, &fd) ||
		    !examined_u32(examined, array + 8 * i + 4, &events))
			break;
		readable++;
		if ((int32_t)fd >= 0 && list_add(&list, (int32_t)fd))
			add_events(&list.words, (uint16_t)events);
	}
	if (readable < examined->arguments[1] && readable < POLL_MAX) {
		words_add(&examined->detail, "%" PRIu64 " fds, whose list could not be read",
			  examined->arguments[1]);
		return;
	}
	list_end(examined, &list);
}

static void examine_poll(struct examined *examined)
{
	poll_array(examined);
	milliseconds(examined, (int32_t)examined->arguments[2]);
}

static void examine_ppoll(struct examined *examined)
{
	poll_array(examined);
	remaining(examined, examined->arguments[2]);
}

/* The three sets as one list; what each fd is waited for in. */
static void select_sets(struct examined *examined)
{
	static const uint16_t set_events[3] = { EVENT_IN, EVENT_OUT, EVENT_PRIORITY };
	uint64_t limit = examined->arguments[0] < SELECT_MAX ? examined->arguments[0] : SELECT_MAX;
	struct descriptor_list list = { 0 };
	uint64_t words[3] = { 0 };
	for (uint64_t fd = 0; fd < limit; fd++) {
		for (size_t set = 0; fd % 64 == 0 && set < 3; set++) {
			uint64_t at = examined->arguments[1 + set];
			words[set] = 0;
			if (at != 0 && (at > UINT64_MAX - SELECT_MAX ||
					!examined_u64(examined, at + fd / 8, &words[set]))) {
				words_add(&examined->detail, "sets that could not be read");
				return;
			}
		}
		uint64_t bit = UINT64_C(1) << fd % 64;
		uint16_t events = 0;
		for (size_t set = 0; set < 3; set++)
			events |= (words[set] & bit) != 0 ? set_events[set] : 0;
		if (events != 0 && list_add(&list, (int32_t)fd))
			add_events(&list.words, events);
	}
	list_end(examined, &list);
}

static void examine_select(struct examined *examined)
{
	select_sets(examined);
	if (examined->arguments[4] != 0)
		examined->wait->timed = true;
}

static void examine_pselect6(struct examined *examined)
{
	select_sets(examined);
	remaining(examined, examined->arguments[4]);
}

static void examine_epoll(struct examined *examined)
{
	examine_descriptor(examined);
	milliseconds(examined, (int32_t)examined->arguments[3]);
}

static void examine_epoll2(struct examined *examined)
{
	examine_descriptor(examined);
	examined_timeout(examined, examined->arguments[3]);
}

/* mq_timedsend, mq_timedreceive: (queue, message, length, priority, timeout), a time of
 * CLOCK_REALTIME. */
static void examine_message_queue(struct examined *examined)
{
	examine_descriptor(examined);
	examined_deadline_at(examined, examined->arguments[4], CLOCK_REALTIME);
}

static void examine_path(struct examined *examined, uint64_t address)
{
	char path[256];
	if (address_space_string(examined->all->subject->target->space, address, path, sizeof path))
		words_add(&examined->detail, "opening %s", path);
}

static void examine_open(struct examined *examined)
{
	examine_path(examined, examined->arguments[0]);
}

static void examine_openat(struct examined *examined)
{
	examine_path(examined, examined->arguments[1]);
}

static void examine_splice(struct examined *examined)
{
	examine_descriptor(examined);
	words_add(&examined->detail, "to fd %" PRId32, (int32_t)examined->arguments[2]);
}

static void examine_sendfile(struct examined *examined)
{
	examine_descriptor(examined);
	words_add(&examined->detail, "from fd %" PRId32, (int32_t)examined->arguments[1]);
}

static void examine_sync(struct examined *examined)
{
	examine_descriptor(examined);
	words_add(&examined->detail, "%s", examined->name);
}

/* io_getevents(context, least, most, events, timeout). Event loops, unlike fsync, wait for work. */
static void examine_events(struct examined *examined)
{
	words_add(&examined->detail, "%s of %" PRIu64 " at least, of context 0x%" PRIx64,
		  examined->name, examined->arguments[1], examined->arguments[0]);
	examined->wait->idle = true;
	examined_timeout(examined, examined->arguments[4]);
}

/* io_uring_enter's flags IORING_ENTER_EXT_ARG and IORING_ENTER_ABS_TIMER: then the fifth argument
 * is a struct io_uring_getevents_arg, which has the address of the timeout at 16. */
#define RING_EXTENDED 8u
#define RING_ABSOLUTE 32u

static void examine_ring(struct examined *examined)
{
	uint64_t flags = examined->arguments[3], extended = examined->arguments[4], timeout;
	examine_descriptor(examined);
	words_add(&examined->detail, "io_uring_enter for %" PRIu64 " at least",
		  examined->arguments[2]);
	examined->wait->idle = true;
	if ((flags & RING_EXTENDED) == 0 || extended > UINT64_MAX - 24 ||
	    !examined_u64(examined, extended + 16, &timeout))
		return;
	if ((flags & RING_ABSOLUTE) == 0)
		examined_timeout(examined, timeout);
	else
		examined->wait->timed = timeout != 0;
}

const struct wait_row descriptor_rows[] = {
	{ "read", WAIT_READ, examine_descriptor },
	{ "readv", WAIT_READ, examine_descriptor },
	{ "pread64", WAIT_READ, examine_descriptor },
	{ "preadv", WAIT_READ, examine_descriptor },
	{ "preadv2", WAIT_READ, examine_descriptor },
	{ "splice", WAIT_READ, examine_splice },
	{ "write", WAIT_WRITE, examine_descriptor },
	{ "writev", WAIT_WRITE, examine_descriptor },
	{ "pwrite64", WAIT_WRITE, examine_descriptor },
	{ "pwritev", WAIT_WRITE, examine_descriptor },
	{ "pwritev2", WAIT_WRITE, examine_descriptor },
	{ "sendfile", WAIT_WRITE, examine_sendfile },
	{ "accept", WAIT_ACCEPT, examine_descriptor },
	{ "accept4", WAIT_ACCEPT, examine_descriptor },
	{ "connect", WAIT_CONNECT, examine_descriptor },
	{ "recvfrom", WAIT_RECEIVE, examine_descriptor },
	{ "recvmsg", WAIT_RECEIVE, examine_descriptor },
	{ "recvmmsg", WAIT_RECEIVE, examine_descriptor },
	{ "mq_timedreceive", WAIT_RECEIVE, examine_message_queue },
	{ "sendto", WAIT_SEND, examine_descriptor },
	{ "sendmsg", WAIT_SEND, examine_descriptor },
	{ "sendmmsg", WAIT_SEND, examine_descriptor },
	{ "mq_timedsend", WAIT_SEND, examine_message_queue },
	{ "poll", WAIT_POLL, examine_poll },
	{ "ppoll", WAIT_POLL, examine_ppoll },
	{ "select", WAIT_SELECT, examine_select },
	{ "pselect6", WAIT_SELECT, examine_pselect6 },
	{ "epoll_wait", WAIT_EPOLL, examine_epoll },
	{ "epoll_pwait", WAIT_EPOLL, examine_epoll },
	{ "epoll_pwait2", WAIT_EPOLL, examine_epoll2 },
	{ "io_uring_enter", WAIT_IO, examine_ring },
	{ "fsync", WAIT_IO, examine_sync },
	{ "fdatasync", WAIT_IO, examine_sync },
	{ "io_getevents", WAIT_IO, examine_events },
	{ "io_pgetevents", WAIT_IO, examine_events },
	{ "ioctl", WAIT_OTHER, examine_descriptor },
	{ "open", WAIT_OTHER, examine_open },
	{ "openat", WAIT_OTHER, examine_openat },
	{ NULL, WAIT_NONE, NULL },
};
