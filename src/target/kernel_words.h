/* The words that the kernel keeps for a live process and hands back one day: what the program gave
 * epoll_ctl with each descriptor, and timer_create. Where they are pointers, nothing in the
 * process's own memory need hold them.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORESCAN_TARGET_KERNEL_WORDS_H
#define CORESCAN_TARGET_KERNEL_WORDS_H

#include "target/proc_files.h"
#include "target/target.h"

/* The descriptors that need no look while the process stands still. */
struct plain_fds;

/* Looks for them before the process is stopped, so that the stop stays short. NULL when that
 * cannot be done, or memory is exhausted: then all are looked at later. */
struct plain_fds *plain_fds_find(struct proc_task task);
void plain_fds_free(struct plain_fds *plain);

/* Reads target->kernel_words of a process that stands still. What cannot be read is a gap, and
 * makes them incomplete. */
void kernel_words_read(struct proc_task task, const struct plain_fds *plain, struct target *target,
		       struct gaps *gaps);

#endif
