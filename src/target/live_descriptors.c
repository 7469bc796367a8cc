/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "target/live_descriptors.h"

#include "target/live_back_end.h"
#include "target/proc_descriptors.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* Sockets kept at most; a host can have millions. */
#define SOCKETS_MAX (1 << 20)

#define EPOLL_NAMED_MAX 8

/* Descriptors that are looked at while the process stands still: some milliseconds' work. The
 * others are looked at when they are asked for. */
#define LINKS_MAX 1024

/* Longer names are cut. */
#define LINK_SIZE 400

struct socket {
	uint64_t inode;
	char *text;
};

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
	bool sockets_read;
	ARRAY(struct socket) sockets; /* sorted by inode once read */
};

struct live_descriptors *live_descriptors_open(const struct target *target)
{
	if (target->kind != TARGET_LIVE || target->pid <= 0)
		return NULL;
	struct live_descriptors *descriptors = calloc(1, sizeof *descriptors);
	if (descriptors != NULL) {
		const struct live_back_end *live = target->back_end;
		descriptors->pid = target->pid;
		descriptors->links = live != NULL ? live->links : NULL;
	}
	return descriptors;
}

void live_descriptors_close(struct live_descriptors *descriptors)
{
	if (descriptors == NULL)
		return;
	for (size_t i = 0; i < descriptors->sockets.count; i++)
		free(descriptors->sockets.items[i].text);
	array_free(&descriptors->sockets);
	free(descriptors);
}

static void add_socket(struct live_descriptors *descriptors, uint64_t inode, const char *text)
{
	struct socket socket = { .inode = inode, .text = strdup(text) };
	if (inode == 0 || socket.text == NULL || descriptors->sockets.count >= SOCKETS_MAX ||
	    !array_push(&descriptors->sockets, socket))
		free(socket.text);
}

/* "0100007F:1538" of /proc/net/tcp, or 32 digits for IPv6: words in the host's byte order. */
static bool parse_end(const char *hex, int family, char *text, size_t size)
{
	uint8_t address[16];
	size_t words = family == AF_INET ? 1 : 4;
	const char *colon = strchr(hex, ':');
	if (colon == NULL || (size_t)(colon - hex) != 8 * words)
		return false;
	for (size_t i = 0; i < words; i++) {
		char digits[9] = { 0 };
		memcpy(digits, hex + 8 * i, 8);
		uint32_t word = (uint32_t)strtoul(digits, NULL, 16);
		memcpy(address + 4 * i, &word, sizeof word);
	}
	char printed[INET6_ADDRSTRLEN];
	if (inet_ntop(family, address, printed, sizeof printed) == NULL)
		return false;
	unsigned long port = strtoul(colon + 1, NULL, 16);
	snprintf(text, size, family == AF_INET ? "%s:%lu" : "[%s]:%lu", printed, port);
	return true;
}

/* States of /proc/net/tcp. */
#define STATE_LISTEN   0x0a
#define STATE_UNBOUND  0x07 /* UDP: not connected */
#define STATE_SYN_SENT 0x02

static void internet_line(struct live_descriptors *descriptors, const char *line,
			  const char *protocol, int family)
{
	char local[48], remote[48], near[64], far[64], text[192];
	unsigned state;
	uint64_t inode;
	if (sscanf(line, " %*u: %47s %47s %x %*s %*s %*s %*u %*u %" SCNu64, local, remote, &state,
		   &inode) != 4 ||
	    !parse_end(local, family, near, sizeof near) ||
	    !parse_end(remote, family, far, sizeof far))
		return;
	if (state == STATE_LISTEN)
		snprintf(text, sizeof text, "%s listening on %s", protocol, near);
	else if (state == STATE_UNBOUND)
		snprintf(text, sizeof text, "%s on %s", protocol, near);
	else
		snprintf(text, sizeof text, "%s %s %s %s", protocol, near,
			 state == STATE_SYN_SENT ? "connecting to" : "to", far);
	add_socket(descriptors, inode, text);
}

static void unix_line(struct live_descriptors *descriptors, const char *line)
{
	unsigned flags;
	uint64_t inode;
	int end = 0;
	char text[192];
	if (sscanf(line, "%*x: %*x %*x %x %*x %*x %" SCNu64 "%n", &flags, &inode, &end) != 2 ||
	    end == 0)
		return;
	const char *path = line + end;
	while (*path == ' ')
		path++;
	/* __SO_ACCEPTCON: a listening socket. */
	snprintf(text, sizeof text, "unix socket%s%s%.*s",
		 (flags & 0x10000) != 0 ? " listening on" : "",
		 *path != '\0' && *path != '\n' ? " " : "", (int)strcspn(path, "\n"), path);
	add_socket(descriptors, inode, text);
}

static void read_table(struct live_descriptors *descriptors, const char *name, const char *protocol,
		       int family)
{
	char path[64], line[512];
	snprintf(path, sizeof path, "/proc/%" PRId32 "/net/%s", descriptors->pid, name);
	FILE *file = fopen(path, "re");
	if (file == NULL)
		return;
	bool heading = true;
	while (fgets(line, sizeof line, file) != NULL) {
		if (!heading && family == AF_UNIX)
			unix_line(descriptors, line);
		else if (!heading)
			internet_line(descriptors, line, protocol, family);
		heading = false;
	}
	fclose(file);
}

static int compare_sockets(const void *left, const void *right)
{
	const struct socket *a = left, *b = right;
	return a->inode < b->inode ? -1 : a->inode > b->inode;
}

static void read_sockets(struct live_descriptors *descriptors)
{
	static const struct {
		const char *name, *protocol;
		int family;
	} tables[] = {
		{ "tcp", "TCP", AF_INET },   { "tcp6", "TCP", AF_INET6 }, { "udp", "UDP", AF_INET },
		{ "udp6", "UDP", AF_INET6 }, { "unix", "unix", AF_UNIX },
	};
	descriptors->sockets_read = true;
	for (size_t i = 0; i < sizeof tables / sizeof tables[0]; i++)
		read_table(descriptors, tables[i].name, tables[i].protocol, tables[i].family);
	if (descriptors->sockets.count > 0)
		qsort(descriptors->sockets.items, descriptors->sockets.count, sizeof(struct socket),
		      compare_sockets);
}

static void describe_socket(struct live_descriptors *descriptors, uint64_t inode, char *text,
			    size_t size)
{
	if (!descriptors->sockets_read)
		read_sockets(descriptors);
	struct socket key = { .inode = inode };
	const struct socket *found = NULL;
	if (descriptors->sockets.count > 0)
		found = bsearch(&key, descriptors->sockets.items, descriptors->sockets.count,
				sizeof key, compare_sockets);
	snprintf(text, size, "%s", found != NULL ? found->text : "socket");
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
	else if (strncmp(link, "anon_inode:", 11) == 0)
		snprintf(text, size, "%s", link + 11);
	else
		snprintf(text, size, "%s", link);
	return true;
}
