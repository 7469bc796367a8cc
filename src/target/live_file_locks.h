/* Who holds the lock on a file that a thread of a live process waits for, from /proc/locks. A core
 * records nothing of this.
 *
 * Source of the format: proc(5), and fs/locks.c (lock_get_status, locks_show) of Linux: behind a
 * lock stand, marked by an arrow and under the same number, those that wait for it. The process
 * that is told is the one that asked for the lock: for flock(2) it may have ended since, or have
 * shared it by fork; for locks of open files (F_OFD_SETLK) none is told.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORESCAN_TARGET_LIVE_FILE_LOCKS_H
#define CORESCAN_TARGET_LIVE_FILE_LOCKS_H

#include <stdbool.h>
#include <stdint.h>

enum file_lock_class {
	FILE_LOCK_FLOCK,     /* flock(2): of an open file */
	FILE_LOCK_PROCESS,   /* fcntl F_SETLK: of a process */
	FILE_LOCK_OPEN_FILE, /* fcntl F_OFD_SETLK: of an open file */
};

struct file_lock_query {
	enum file_lock_class class;
	int32_t pid;	       /* of the process that waits */
	unsigned major, minor; /* of the device that the file is on */
	uint64_t inode;
	int64_t start; /* of the range that is asked for; -1: not known */
};

struct file_lock_holder {
	enum file_lock_class class; /* need not be that of the wait: the two fcntl ones conflict */
	int32_t pid;		    /* 0: not told */
	char name[17];		    /* of that process; "" when it is gone, or was not looked for */
	bool write;		    /* else it is held for reading, or shared */
	int64_t first, last;	    /* the bytes; last -1: up to the end */
	bool waits_back; /* it waits itself for a lock on a file that the asking process took */
};

/* Looks the holder up in `text`, the contents of /proc/locks. False: it is not there. */
bool file_lock_find(const char *text, const struct file_lock_query *query,
		    struct file_lock_holder *holder);

/* The same in the system, with the name of the process, for the file that `fd` of process `pid` has
 * open. */
bool live_file_lock_holder(int32_t pid, int32_t fd, enum file_lock_class class, int64_t start,
			   struct file_lock_holder *holder);

/* The descriptor (not `fd`) through which process `pid` itself holds a lock of the class on the
 * file that its `fd` has open; -1: none. */
int32_t live_file_lock_descriptor(int32_t pid, int32_t fd, enum file_lock_class class);

#endif
