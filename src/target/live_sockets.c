/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "target/live_sockets.h"

#include "base/sorted.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

/* Sockets kept at most; a host can have millions. */
#define SOCKETS_MAX (1 << 20)

static void add_socket(struct live_sockets *sockets, uint64_t inode, const char *text)
{
	struct live_socket socket = { .inode = inode, .text = strdup(text) };
	if (inode == 0 || socket.text == NULL || sockets->list.count >= SOCKETS_MAX ||
	    !array_push(&sockets->list, socket))
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

static void internet_line(struct live_sockets *sockets, const char *line, const char *protocol,
			  int family)
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
	add_socket(sockets, inode, text);
}

static void unix_line(struct live_sockets *sockets, const char *line)
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
	add_socket(sockets, inode, text);
}

static void read_table(struct live_sockets *sockets, const char *name, const char *protocol,
		       int family)
{
	char path[64], line[512];
	snprintf(path, sizeof path, "/proc/%" PRId32 "/net/%s", sockets->pid, name);
	FILE *file = fopen(path, "re");
	if (file == NULL)
		return;
	bool heading = true;
	while (fgets(line, sizeof line, file) != NULL) {
		if (!heading && family == AF_UNIX)
			unix_line(sockets, line);
		else if (!heading)
			internet_line(sockets, line, protocol, family);
		heading = false;
	}
	fclose(file);
}

static int compare_sockets(const void *left, const void *right)
{
	const struct live_socket *a = left, *b = right;
	return a->inode < b->inode ? -1 : a->inode > b->inode;
}

static void read_sockets(struct live_sockets *sockets)
{
	static const struct {
		const char *name, *protocol;
		int family;
	} tables[] = {
		{ "tcp", "TCP", AF_INET },   { "tcp6", "TCP", AF_INET6 }, { "udp", "UDP", AF_INET },
		{ "udp6", "UDP", AF_INET6 }, { "unix", "unix", AF_UNIX },
	};
	sockets->read = true;
	for (size_t i = 0; i < sizeof tables / sizeof tables[0]; i++)
		read_table(sockets, tables[i].name, tables[i].protocol, tables[i].family);
	sorted_make(sockets->list.items, sockets->list.count, sizeof *sockets->list.items,
		    compare_sockets);
}

void live_sockets_describe(struct live_sockets *sockets, uint64_t inode, char *text, size_t size)
{
	if (!sockets->read)
		read_sockets(sockets);
	const struct live_socket key = { .inode = inode };
	const struct live_socket *found = NULL;
	if (sockets->list.count > 0)
		found = bsearch(&key, sockets->list.items, sockets->list.count, sizeof key,
				compare_sockets);
	snprintf(text, size, "%s", found != NULL ? found->text : "socket");
}

void live_sockets_free(struct live_sockets *sockets)
{
	for (size_t i = 0; i < sockets->list.count; i++)
		free(sockets->list.items[i].text);
	array_free(&sockets->list);
	sockets->read = false;
}

/* --- the peers of Unix sockets, which no table has */

static bool ask_for_peer(int fd, uint32_t inode)
{
	struct {
		struct nlmsghdr header;
		struct unix_diag_req request;
	} message = {
		.header = { .nlmsg_len = sizeof message,
			    .nlmsg_type = SOCK_DIAG_BY_FAMILY,
			    .nlmsg_flags = NLM_F_REQUEST },
		.request = { .sdiag_family = AF_UNIX,
			     .udiag_states = UINT32_MAX,
			     .udiag_ino = inode,
			     .udiag_show = UDIAG_SHOW_PEER,
			     .udiag_cookie = { UINT32_MAX, UINT32_MAX } },
	};
	struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
	return sendto(fd, &message, sizeof message, 0, (struct sockaddr *)&kernel, sizeof kernel) ==
	       (ssize_t)sizeof message;
}

/* The attribute UNIX_DIAG_PEER of an answer about `inode`; 0: there is none. */
static uint32_t peer_of_answer(const struct nlmsghdr *header, size_t size, uint32_t inode)
{
	const struct unix_diag_msg *answer = NLMSG_DATA(header);
	uint32_t peer = 0;
	if (!NLMSG_OK(header, size) || header->nlmsg_type != SOCK_DIAG_BY_FAMILY ||
	    header->nlmsg_len < NLMSG_LENGTH(sizeof *answer) || answer->udiag_ino != inode)
		return 0;
	int left = (int)(header->nlmsg_len - NLMSG_LENGTH(sizeof *answer));
	for (const struct rtattr *attribute = (const struct rtattr *)(answer + 1);
	     RTA_OK(attribute, left); attribute = RTA_NEXT(attribute, left))
		if (attribute->rta_type == UNIX_DIAG_PEER && RTA_PAYLOAD(attribute) >= sizeof peer)
			memcpy(&peer, RTA_DATA(attribute), sizeof peer);
	return peer;
}

uint64_t live_unix_peer(uint64_t inode)
{
	_Alignas(struct nlmsghdr) char buffer[1024];
	const struct timeval patience = { .tv_sec = 1 };
	ssize_t got = -1;
	if (inode > UINT32_MAX)
		return 0;
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
	if (fd < 0)
		return 0;
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
	if (ask_for_peer(fd, (uint32_t)inode))
		got = recv(fd, buffer, sizeof buffer, 0);
	close(fd);
	if (got < (ssize_t)sizeof(struct nlmsghdr))
		return 0;
	return peer_of_answer((const struct nlmsghdr *)buffer, (size_t)got, (uint32_t)inode);
}
