/* What sockets are, by their inodes, from /proc/PID/net and the kernel's socket diagnosis.
 *
 * Source of the formats: proc(5), sock_diag(7).
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORESCAN_TARGET_LIVE_SOCKETS_H
#define CORESCAN_TARGET_LIVE_SOCKETS_H

#include "base/array.h"

#include <stdint.h>

struct live_socket {
	uint64_t inode;
	char *text;
};

/* The sockets that a process can see; all zero but .pid before the first use. */
struct live_sockets {
	int32_t pid;
	bool read;			/* the tables were */
	ARRAY(struct live_socket) list; /* sorted by inode */
};

/* "TCP 10.0.0.1:5432 to 10.0.0.9:41234", "unix socket /run/app.sock"; "socket" of what no table
 * has. Reads the tables the first time. */
void live_sockets_describe(struct live_sockets *sockets, uint64_t inode, char *text, size_t size);
void live_sockets_free(struct live_sockets *sockets);

/* The inode of the socket that a Unix socket is connected with, in our network namespace; 0: none,
 * or not known. */
uint64_t live_unix_peer(uint64_t inode);

#endif
