/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "target/live_descriptors.h"

#include "target/live_back_end.h"
#include "target/live_sockets.h"
#include "target/proc_descriptors.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define EPOLL_NAMED_MAX 8

/* Descriptors that are looked at while the process stands still: some milliseconds' work. The
 * others are looked at when they are asked for. */
#define LINKS_MAX 1024

/* Longer names are cut. */
#define LINK_SIZE 400

/* A descriptor as it was when the process was opened. */
struct descriptor {
	int32_t fd;
	char *link;
	char *epoll; /* of an epoll, what it watches; else NULL */
};

struct live_links {
	ARRAY(struct descriptor) list; /* sorted by fd */
};

struct live_descriptors {
	int32_t pid;
	const struct live_links *links; /* borrowed; or NULL */
	struct live_sockets sockets;
};

struct live_descriptors *live_descriptors_open(const struct target *target)
{
	if (target->kind != TARGET_LIVE || target->pid <= 0)
		return NULL;
	struct live_descriptors *descriptors = calloc(1, sizeof *descriptors);
	if (descriptors != NULL) {
		const struct live_back_end *live = target->back_end;
		descriptors->pid = descriptors->sockets.pid = target->pid;
		descriptors->links = live != NULL ? live->links : NULL;
	}
	return descriptors;
}

void live_descriptors_close(struct live_descriptors *descriptors)
{
	if (descriptors == NULL)
		return;
	live_sockets_free(&descriptors->sockets);
	free(descriptors);
}

/* "epoll of fds 5, 7", "epoll of fd 5": the "tfd:" lines of fdinfo. */
static void describe_epoll(int32_t pid, int32_t fd, char *text, size_t size)
{
	char line[256], list[16 * EPOLL_NAMED_MAX] = "";
	snprintf(text, size, "epoll");
	FILE *file = proc_open_fdinfo((struct proc_task){ pid, pid }, fd);
	if (file == NULL)
		return;
	unsigned count = 0;
	size_t length = 0;
	while (fgets(line, sizeof line, file) != NULL) {
		struct proc_watch watch;
		if (!proc_parse_watch(line, &watch) || ++count > EPOLL_NAMED_MAX)
			continue;
		length += (size_t)snprintf(list + length, sizeof list - length, "%s%" PRId32,
					   count == 1 ? "" : ", ", watch.fd);
	}
	fclose(file);
	if (count > EPOLL_NAMED_MAX)
		snprintf(text, size, "epoll of fds %s and %u more", list, count - EPOLL_NAMED_MAX);
	else if (count > 0)
		snprintf(text, size, "epoll of fd%s %s", count == 1 ? "" : "s", list);
}

/* --- while the process stands still */

static void keep_link(struct live_links *links, int32_t pid, int32_t fd)
{
	char link[LINK_SIZE], epoll[LINK_SIZE];
	if (!proc_fd_link((struct proc_task){ pid, pid }, fd, link, sizeof link))
		return;
	struct descriptor kept = { .fd = fd, .link = strdup(link) };
	if (proc_is_epoll(link)) {
		describe_epoll(pid, fd, epoll, sizeof epoll);
		kept.epoll = strdup(epoll);
	}
	if (kept.link == NULL || !array_push(&links->list, kept)) {
		free(kept.link);
		free(kept.epoll);
	}
}

static int compare_descriptors(const void *left, const void *right)
{
	const struct descriptor *a = left, *b = right;
	return a->fd < b->fd ? -1 : a->fd > b->fd;
}

struct live_links *live_links_read(int32_t pid)
{
	proc_fds fds = { 0 };
	struct live_links *links = calloc(1, sizeof *links);
	if (links != NULL && proc_list_fds((struct proc_task){ pid, pid }, LINKS_MAX, &fds))
		for (size_t i = 0; i < fds.count; i++)
			keep_link(links, pid, fds.items[i]);
	array_free(&fds);
	return links;
}

void live_links_free(struct live_links *links)
{
	if (links == NULL)
		return;
	for (size_t i = 0; i < links->list.count; i++) {
		free(links->list.items[i].link);
		free(links->list.items[i].epoll);
	}
	array_free(&links->list);
	free(links);
}

/* --- one descriptor */

static const struct descriptor *find_descriptor(const struct live_descriptors *descriptors,
						int32_t fd)
{
	const struct descriptor key = { .fd = fd };
	const struct live_links *links = descriptors->links;
	if (links == NULL || links->list.count == 0)
		return NULL;
	return bsearch(&key, links->list.items, links->list.count, sizeof key, compare_descriptors);
}

/* The access mode that a descriptor was opened with; -1: not known. */
static int access_mode(int32_t pid, int32_t fd)
{
	char line[64];
	unsigned flags = 0;
	bool known = false;
	FILE *file = proc_open_fdinfo((struct proc_task){ pid, pid }, fd);
	if (file == NULL)
		return -1;
	while (!known && fgets(line, sizeof line, file) != NULL)
		known = sscanf(line, "flags: %o", &flags) == 1;
	fclose(file);
	return known ? (int)(flags & O_ACCMODE) : -1;
}

/* The process's own descriptor that is something else's end: `link`, opened for more than `mode`,
 * which -1 leaves open. -1: it has none. */
static int32_t other_end(const struct live_descriptors *descriptors, const char *link, int mode)
{
	const struct live_links *links = descriptors->links;
	for (size_t i = 0; links != NULL && i < links->list.count; i++) {
		const struct descriptor *other = &links->list.items[i];
		if (strcmp(other->link, link) == 0 &&
		    (mode < 0 || access_mode(descriptors->pid, other->fd) != mode))
			return other->fd;
	}
	return -1;
}

static void add_end(const struct live_descriptors *descriptors, int32_t fd, char *text, size_t size)
{
	size_t length = strlen(text);
	const struct live_links *links = descriptors->links;
	if (fd >= 0)
		snprintf(text + length, size - length, ", whose other end is fd %" PRId32, fd);
	else if (links != NULL && links->list.count < LINKS_MAX)
		snprintf(text + length, size - length, ", whose other end is not in this process");
}

static void describe_pipe(const struct live_descriptors *descriptors, int32_t fd, const char *link,
			  char *text, size_t size)
{
	int mode = access_mode(descriptors->pid, fd);
	snprintf(text, size, "%s", link);
	if (mode == O_RDONLY || mode == O_WRONLY)
		add_end(descriptors, other_end(descriptors, link, mode), text, size);
}

static void describe_socket(struct live_descriptors *descriptors, uint64_t inode, char *text,
			    size_t size)
{
	char link[40];
	live_sockets_describe(&descriptors->sockets, inode, text, size);
	uint64_t peer = strncmp(text, "unix", 4) == 0 ? live_unix_peer(inode) : 0;
	if (peer == 0)
		return;
	snprintf(link, sizeof link, "socket:[%" PRIu64 "]", peer);
	add_end(descriptors, other_end(descriptors, link, -1), text, size);
}

/* "[timerfd], which expires in 399.250 s": the lines "it_value: (399, 250000000)", which is what is
 * left of it, and "ticks: 0", how often it has expired since it was read. */
static void describe_timer(int32_t pid, int32_t fd, char *text, size_t size)
{
	char line[128];
	unsigned long long ticks = 0, seconds = 0, nanoseconds = 0;
	bool known = false;
	snprintf(text, size, "[timerfd]");
	FILE *file = proc_open_fdinfo((struct proc_task){ pid, pid }, fd);
	if (file == NULL)
		return;
	while (fgets(line, sizeof line, file) != NULL) {
		if (sscanf(line, "ticks: %llu", &ticks) == 1)
			continue;
		known =
		    known || sscanf(line, "it_value: (%llu, %llu)", &seconds, &nanoseconds) == 2;
	}
	fclose(file);
	if (known && ticks > 0)
		snprintf(text, size, "[timerfd], which has expired");
	else if (known && seconds == 0 && nanoseconds == 0)
		snprintf(text, size, "[timerfd], which is not armed");
	else if (known)
		snprintf(text, size, "[timerfd], which expires in %llu.%03llu s", seconds,
			 nanoseconds / 1000000);
}

/* "[signalfd] of SIGHUP, SIGUSR2": the line "sigmask: 0000000000000801". */
static void describe_signals(int32_t pid, int32_t fd, char *text, size_t size)
{
	char line[128];
	unsigned long long mask = 0;
	snprintf(text, size, "[signalfd]");
	FILE *file = proc_open_fdinfo((struct proc_task){ pid, pid }, fd);
	if (file == NULL)
		return;
	while (mask == 0 && fgets(line, sizeof line, file) != NULL)
		(void)sscanf(line, "sigmask: %llx", &mask);
	fclose(file);
	const char *before = " of ";
	for (int signal = 1; signal <= 64; signal++) {
		const size_t length = strlen(text);
		const char *name = sigabbrev_np(signal);
		if ((mask >> (signal - 1) & 1) == 0)
			continue;
		if (name != NULL)
			snprintf(text + length, size - length, "%sSIG%s", before, name);
		else
			snprintf(text + length, size - length, "%ssignal %d", before, signal);
		before = ", ";
	}
}

/* "inotify, 2 watches": a line "inotify wd:…" each. */
static void describe_watches(int32_t pid, int32_t fd, char *text, size_t size)
{
	char line[256];
	unsigned count = 0;
	snprintf(text, size, "inotify");
	FILE *file = proc_open_fdinfo((struct proc_task){ pid, pid }, fd);
	if (file == NULL)
		return;
	while (fgets(line, sizeof line, file) != NULL)
		count += strncmp(line, "inotify ", 8) == 0;
	fclose(file);
	snprintf(text, size, "inotify, %u watch%s", count, count == 1 ? "" : "es");
}

bool live_descriptors_describe(struct live_descriptors *descriptors, int32_t fd, char *text,
			       size_t size)
{
	char now[LINK_SIZE];
	uint64_t inode;
	if (descriptors == NULL || fd < 0)
		return false;
	const struct descriptor *kept = find_descriptor(descriptors, fd);
	if (kept == NULL && !proc_fd_link((struct proc_task){ descriptors->pid, descriptors->pid },
					  fd, now, sizeof now))
		return false;
	const char *link = kept != NULL ? kept->link : now;
	if (sscanf(link, "socket:[%" SCNu64 "]", &inode) == 1)
		describe_socket(descriptors, inode, text, size);
	else if (kept != NULL && kept->epoll != NULL)
		snprintf(text, size, "%s", kept->epoll);
	else if (proc_is_epoll(link))
		describe_epoll(descriptors->pid, fd, text, size);
	else if (strncmp(link, "pipe:", 5) == 0)
		describe_pipe(descriptors, fd, link, text, size);
	else if (strcmp(link, "anon_inode:[timerfd]") == 0)
		describe_timer(descriptors->pid, fd, text, size);
	else if (strcmp(link, "anon_inode:[signalfd]") == 0)
		describe_signals(descriptors->pid, fd, text, size);
	else if (strcmp(link, "anon_inode:inotify") == 0)
		describe_watches(descriptors->pid, fd, text, size);
	else if (strncmp(link, "anon_inode:", 11) == 0)
		snprintf(text, size, "%s", link + 11);
	else
		snprintf(text, size, "%s", link);
	return true;
}

/* The first number of a list, or the last one. */
static int32_t one_of_list(const char *list, bool last)
{
	char *end;
	long number = strtol(list, &end, 10);
	while (last && end != list) {
		list = end;
		long next = strtol(list, &end, 10);
		if (end != list)
			number = next;
	}
	return number > 0 && number <= INT32_MAX ? (int32_t)number : 0;
}

bool live_descriptors_offset(const struct live_descriptors *descriptors, int32_t fd,
			     int64_t *offset)
{
	char line[128];
	bool known = false;
	if (descriptors == NULL || fd < 0)
		return false;
	FILE *file = proc_open_fdinfo((struct proc_task){ descriptors->pid, descriptors->pid }, fd);
	while (file != NULL && !known && fgets(line, sizeof line, file) != NULL)
		known = sscanf(line, "pos: %" SCNd64, offset) == 1 && *offset >= 0;
	if (file != NULL)
		fclose(file);
	return known;
}

int32_t live_descriptors_pidfd(const struct live_descriptors *descriptors, int32_t fd, bool inner)
{
	char line[256];
	int32_t pid = 0;
	if (descriptors == NULL || fd < 0)
		return 0;
	FILE *file = proc_open_fdinfo((struct proc_task){ descriptors->pid, descriptors->pid }, fd);
	if (file == NULL)
		return 0;
	while (pid == 0 && fgets(line, sizeof line, file) != NULL)
		if (strncmp(line, "NSpid:", 6) == 0)
			pid = one_of_list(line + 6, inner);
	fclose(file);
	return pid;
}
