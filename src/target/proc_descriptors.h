/* What /proc tells of a process's file descriptors, and of the words that the kernel keeps for the
 * process. Nothing here stops or changes it.
 *
 * Source of the formats: proc(5), and Documentation/filesystems/proc.rst of Linux, 3.8 of it for
 * fdinfo; /proc/PID/timers is there from Linux 3.10 on.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORESCAN_TARGET_PROC_DESCRIPTORS_H
#define CORESCAN_TARGET_PROC_DESCRIPTORS_H

#include "target/proc_files.h"

#include <stdio.h>

/* A file descriptor that an epoll watches. */
struct proc_watch {
	int32_t fd;
	uint32_t events;
	uint64_t data; /* epoll_event.data, which the program chose: mostly a pointer */
};

/* A POSIX timer (timer_create). */
struct proc_timer {
	int32_t id;
	uint64_t value; /* sigev_value, which the program chose */
};

typedef ARRAY(int32_t) proc_fds;

/* Appends the open descriptors, in rising order, `most` at most. False, with errno set, when they
 * cannot be listed, or memory is exhausted. */
bool proc_list_fds(struct proc_task task, size_t most, proc_fds *fds);

/* What descriptor `fd` is ("/var/log/a", "socket:[123]", "anon_inode:[eventpoll]"), cut to `size`
 * - 1 bytes. False when it is not open. */
bool proc_fd_link(struct proc_task task, int32_t fd, char *link, size_t size);

/* Opens /proc/…/fdinfo/FD for reading; the caller closes it. NULL with errno set. */
FILE *proc_open_fdinfo(struct proc_task task, int32_t fd);

bool proc_is_epoll(const char *link);

/* A line of an epoll's fdinfo. False: it tells of no watched descriptor. */
bool proc_parse_watch(const char *line, struct proc_watch *watch);

/* Takes in a line of /proc/PID/timers. True: it was the one that completes `timer`. `timer->id`
 * starts as -1. */
bool proc_parse_timer(const char *line, struct proc_timer *timer);

#endif
