/* What /proc tells of a process and its threads. Nothing here stops or changes the process.
 *
 * Source of the formats: proc(5), and Documentation/filesystems/proc.rst of Linux.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORESCAN_TARGET_PROC_FILES_H
#define CORESCAN_TARGET_PROC_FILES_H

#include "base/array.h"
#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A thread is named by the process it belongs to and its own id; the main thread's are equal. */
struct proc_task {
	int32_t pid, tid;
};

/* From /proc/PID/task/TID/stat. */
struct proc_stat {
	char state; /* R, S, D, T (stopped), t (traced), Z (zombie), X … */
	int32_t parent;
	uint32_t flags;	  /* PF_… of the kernel */
	uint32_t threads; /* of the process, zombies included */
};

/* From /proc/PID/status. */
struct proc_status {
	int32_t tgid;	/* the process that this thread belongs to */
	int32_t tracer; /* the thread that traces it; 0: none */
	uint32_t uid;	/* the effective one */
	uint64_t caught; /* the signals that have a handler, signal 1 in bit 0 */
};

/* From /proc/PID/task/TID/status. */
struct proc_task_status {
	uint64_t switches; /* how often the thread left the processor: a sleeping thread that has
			      run since has more */
	int32_t inner_tid; /* its id in its own PID namespace */
};

/* /proc/PID/task/TID/syscall of a thread that sleeps. */
struct proc_syscall {
	int64_t number; /* -1: it sleeps outside of system calls */
	uint64_t arguments[6];
	uint64_t sp, pc;
};

/* One line of /proc/PID/maps. */
struct proc_mapping {
	uint64_t start, end; /* [start, end) */
	uint8_t permissions; /* enum segment_permission */
	bool shared;
	bool deleted; /* the file was unlinked, or replaced by another one of its name */
	uint64_t file_offset;
	uint64_t inode;	  /* 0: no file */
	const char *name; /* without " (deleted)"; NULL for anonymous; in proc_maps.text */
};

struct proc_maps {
	ARRAY(struct proc_mapping) list; /* in address order, disjoint */
	char *text;
};

/* The whole of "/proc/PID/task/TID/NAME", with a NUL behind it; the caller frees it. NULL, with
 * errno set, when it cannot be read. `*size` may be NULL. */
char *proc_read(struct proc_task task, const char *name, size_t *size);

/* Opens "/proc/PID/task/TID/NAME" for reading, close-on-exec. -1 with errno set. */
int proc_open(struct proc_task task, const char *name);

/* Where the link "/proc/PID/task/TID/NAME" points to; the caller frees it. NULL with errno set. */
char *proc_link(struct proc_task task, const char *name);

/* False, with errno set, when the task is gone. */
bool proc_read_stat(struct proc_task task, struct proc_stat *stat);

/* /proc/PID/status, which exists for thread ids too. False, with errno set, when it is gone. */
bool proc_read_status(int32_t pid, struct proc_status *status);

/* False, with errno set, when the task is gone. */
bool proc_read_task_status(struct proc_task task, struct proc_task_status *status);

/* Takes the line apart that is read from "syscall". False: the thread runs, or that is no such
 * line. */
bool proc_parse_syscall(const char *line, struct proc_syscall *syscall);

/* The first line of a short file, cut to `size` - 1 bytes; "" when it cannot be read. */
void proc_read_line(struct proc_task task, const char *name, char *line, size_t size);

/* Appends the thread ids of /proc/PID/task, in the kernel's order (the oldest first). False, with
 * errno set, when the process is gone or memory is exhausted. */
typedef ARRAY(int32_t) proc_tids;
bool proc_list_threads(int32_t pid, proc_tids *tids);

/* The mappings of the memory of `task`. A zombie main thread shows none: ask another thread. */
struct error *proc_read_maps(struct proc_task task, struct proc_maps *maps);
void proc_maps_free(struct proc_maps *maps);

/* The line that starts with "NAME:" of a text such as /proc/meminfo, as a number of bytes where
 * the line says kB. False when there is no such line. */
bool proc_field(const char *text, const char *name, uint64_t *value);

/* How many bytes the memory controllers of the control groups in `groups`, the text of
 * /proc/PID/cgroup, still allow; they are mounted at `mount`. UINT64_MAX: no limit. */
uint64_t proc_group_allows(const char *groups, const char *mount);

/* What may be used of memory: MemAvailable of /proc/meminfo, or what our control group allows, in
 * bytes; 0 when it cannot be read. */
uint64_t proc_memory_available(void);

/* Cuts " (deleted)" off the end of a path, and says whether it stood there. */
bool proc_cut_deleted(char *path);

#endif
