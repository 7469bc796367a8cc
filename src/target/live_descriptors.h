/* What the file descriptors of a live process are, from /proc/PID/fd, fdinfo and net. A core
 * records nothing of this.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORESCAN_TARGET_LIVE_DESCRIPTORS_H
#define CORESCAN_TARGET_LIVE_DESCRIPTORS_H

#include "target/target.h"

struct live_descriptors;
struct live_links;

/* What the descriptors of process `pid` are, for later: a number may be used anew once it runs on.
 * NULL when memory is exhausted. */
struct live_links *live_links_read(int32_t pid);
void live_links_free(struct live_links *links);

/* NULL for any target that is not live, and when memory is exhausted: all functions take that. The
 * tables of sockets are read when the first socket is asked for, and only once. */
struct live_descriptors *live_descriptors_open(const struct target *target);
void live_descriptors_close(struct live_descriptors *descriptors);

/* Describes `fd`: "/var/log/app.log", "pipe", "TCP 10.0.0.1:5432 to 10.0.0.9:41234",
 * "unix socket /run/app.sock", "epoll of fds 5, 7 and 9", "[timerfd], which is not armed",
 * "[signalfd] of SIGHUP". False when it is not known. */
bool live_descriptors_describe(struct live_descriptors *descriptors, int32_t fd, char *text,
			       size_t size);

/* The offset that the open file of `fd` stands at. False: it is not known. */
bool live_descriptors_offset(const struct live_descriptors *descriptors, int32_t fd,
			     int64_t *offset);

/* The process that a pidfd is of, by the "NSpid:" line of its fdinfo (Linux 5.5 on): its number for
 * us, or with `inner` in its own PID namespace. 0: the descriptor is none, or the process has ended
 * and was waited for. */
int32_t live_descriptors_pidfd(const struct live_descriptors *descriptors, int32_t fd, bool inner);

#endif
