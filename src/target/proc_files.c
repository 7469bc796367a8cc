/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "target/proc_files.h"

#include "target/address_space.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* "/proc/", two ids, "/task/", and the longest name that is asked for. */
enum { PROC_PATH_MAX = 96 };

static void proc_path(struct proc_task task, const char *name, char path[PROC_PATH_MAX])
{
	snprintf(path, PROC_PATH_MAX, "/proc/%" PRId32 "/task/%" PRId32 "/%s", task.pid, task.tid,
		 name);
}

int proc_open(struct proc_task task, const char *name)
{
	char path[PROC_PATH_MAX];
	proc_path(task, name, path);
	return open(path, O_RDONLY | O_CLOEXEC);
}

/* All of an open file, with a NUL behind it. */
static char *read_all(int fd, size_t *size)
{
	ARRAY(char) text = { 0 };
	ssize_t got;
	do {
		/* A file of /proc/PID is made a page or more at a time: big reads, few calls. */
		if (!array_reserve(&text, 65536)) {
			array_free(&text);
			errno = ENOMEM;
			return NULL;
		}
		got = read(fd, text.items + text.count, text.capacity - text.count - 1);
		if (got > 0)
			text.count += (size_t)got;
	} while (got > 0 || (got < 0 && errno == EINTR));
	if (got < 0) {
		int reason = errno;
		array_free(&text);
		errno = reason;
		return NULL;
	}
	text.items[text.count] = '\0';
	if (size != NULL)
		*size = text.count;
	return text.items;
}

static char *read_path(const char *path, size_t *size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return NULL;
	char *text = read_all(fd, size);
	int reason = errno;
	close(fd);
	errno = reason;
	return text;
}

char *proc_read(struct proc_task task, const char *name, size_t *size)
{
	char path[PROC_PATH_MAX];
	proc_path(task, name, path);
	return read_path(path, size);
}

char *proc_link(struct proc_task task, const char *name)
{
	char path[PROC_PATH_MAX], target[PATH_MAX];
	proc_path(task, name, path);
	ssize_t length = readlink(path, target, sizeof target);
	return length < 0 ? NULL : strndup(target, (size_t)length);
}

/* As much as fits into `text`; for files that are known to be short. */
static bool read_short(const char *path, char *text, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	ssize_t got;
	do
		got = read(fd, text, size - 1);
	while (got < 0 && errno == EINTR);
	int reason = errno;
	close(fd);
	errno = reason;
	if (got < 0)
		return false;
	text[got] = '\0';
	return true;
}

bool proc_read_stat(struct proc_task task, struct proc_stat *stat)
{
	char path[PROC_PATH_MAX], text[1024];
	proc_path(task, "stat", path);
	if (!read_short(path, text, sizeof text))
		return false;
	/* The name in parentheses may hold anything, parentheses and spaces included. */
	const char *after = strrchr(text, ')');
	struct proc_stat read;
	if (after == NULL ||
	    sscanf(after + 1,
		   " %c %" SCNd32 " %*d %*d %*d %*d %" SCNu32 " %*u %*u %*u %*u %*u %*u %*d %*d"
		   " %*d %*d %" SCNu32,
		   &read.state, &read.parent, &read.flags, &read.threads) != 4) {
		errno = EINVAL;
		return false;
	}
	*stat = read;
	return true;
}

/* The text behind "NAME:" at the start of a line, or NULL. */
static const char *field(const char *text, const char *name)
{
	size_t length = strlen(name);
	for (const char *line = text; line != NULL; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (strncmp(line, name, length) == 0 && line[length] == ':')
			return line + length + 1;
	}
	return NULL;
}

bool proc_field(const char *text, const char *name, uint64_t *value)
{
	const char *start = field(text, name);
	uint64_t number;
	int length = 0;
	if (start == NULL || sscanf(start, " %" SCNu64 "%n", &number, &length) != 1)
		return false;
	*value = strncmp(start + length, " kB", 3) == 0 ? number * 1024 : number;
	return true;
}

bool proc_read_status(int32_t pid, struct proc_status *status)
{
	char path[PROC_PATH_MAX];
	snprintf(path, sizeof path, "/proc/%" PRId32 "/status", pid);
	char *text = read_path(path, NULL);
	if (text == NULL)
		return false;
	uint64_t tgid, tracer;
	const char *uids = field(text, "Uid");
	uint32_t uid;
	const char *caught = field(text, "SigCgt");
	uint64_t signals = 0;
	if (caught != NULL)
		(void)sscanf(caught, "%" SCNx64, &signals);
	bool complete = proc_field(text, "Tgid", &tgid) && proc_field(text, "TracerPid", &tracer) &&
			uids != NULL && sscanf(uids, " %*u %" SCNu32, &uid) == 1;
	if (complete)
		*status = (struct proc_status){ (int32_t)tgid, (int32_t)tracer, uid, signals };
	else
		errno = EINVAL;
	free(text);
	return complete;
}

bool proc_read_task_status(struct proc_task task, struct proc_task_status *status)
{
	char path[PROC_PATH_MAX];
	proc_path(task, "status", path);
	char *text = read_path(path, NULL);
	if (text == NULL)
		return false;
	uint64_t voluntary, forced;
	bool complete = proc_field(text, "voluntary_ctxt_switches", &voluntary) &&
			proc_field(text, "nonvoluntary_ctxt_switches", &forced);
	if (complete) {
		*status = (struct proc_task_status){ voluntary + forced, task.tid };
		/* The ids in all namespaces that the thread is in, the innermost last. */
		const char *ids = field(text, "NSpid");
		size_t length = ids != NULL ? strcspn(ids, "\n") : 0;
		while (length > 0 && isdigit((unsigned char)ids[length - 1]))
			length--;
		int32_t inner;
		if (length > 0 && sscanf(ids + length, "%" SCNd32, &inner) == 1)
			status->inner_tid = inner;
	} else {
		errno = EINVAL;
	}
	free(text);
	return complete;
}

bool proc_parse_syscall(const char *line, struct proc_syscall *syscall)
{
	struct proc_syscall read = { .number = -1 };
	uint64_t *a = read.arguments;
	if (sscanf(line,
		   "%" SCNd64 " %" SCNx64 " %" SCNx64 " %" SCNx64 " %" SCNx64 " %" SCNx64
		   " %" SCNx64 " %" SCNx64 " %" SCNx64,
		   &read.number, &a[0], &a[1], &a[2], &a[3], &a[4], &a[5], &read.sp,
		   &read.pc) != 9) {
		read = (struct proc_syscall){ .number = -1 };
		if (sscanf(line, "-1 %" SCNx64 " %" SCNx64, &read.sp, &read.pc) != 2)
			return false;
	}
	*syscall = read;
	return true;
}

void proc_read_line(struct proc_task task, const char *name, char *line, size_t size)
{
	char path[PROC_PATH_MAX];
	proc_path(task, name, path);
	if (!read_short(path, line, size))
		line[0] = '\0';
	line[strcspn(line, "\n")] = '\0';
}

bool proc_list_threads(int32_t pid, proc_tids *tids)
{
	char path[PROC_PATH_MAX];
	snprintf(path, sizeof path, "/proc/%" PRId32 "/task", pid);
	DIR *directory = opendir(path);
	if (directory == NULL)
		return false;
	bool complete = true;
	int reason = 0;
	while (complete) {
		errno = 0;
		const struct dirent *entry = readdir(directory);
		if (entry == NULL) {
			reason = errno;
			complete = reason == 0;
			break;
		}
		if (isdigit((unsigned char)entry->d_name[0]) &&
		    !array_push(tids, (int32_t)strtol(entry->d_name, NULL, 10))) {
			reason = ENOMEM;
			complete = false;
		}
	}
	closedir(directory);
	errno = reason;
	return complete;
}

bool proc_cut_deleted(char *path)
{
	static const char suffix[] = " (deleted)";
	size_t length = strlen(path), tail = sizeof suffix - 1;
	if (length <= tail || strcmp(path + length - tail, suffix) != 0)
		return false;
	path[length - tail] = '\0';
	return true;
}

/* The kernel writes a newline in a path as \012, and nothing else in another way than it is. */
static void undo_escapes(char *path)
{
	char *to = path;
	for (const char *from = path; *from != '\0';) {
		if (strncmp(from, "\\012", 4) == 0) {
			*to++ = '\n';
			from += 4;
		} else {
			*to++ = *from++;
		}
	}
	*to = '\0';
}

static bool parse_mapping(char *line, struct proc_mapping *mapping)
{
	char permissions[5];
	int name = 0;
	struct proc_mapping read = { 0 };
	if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %4s %" SCNx64 " %*x:%*x %" SCNu64 "%n",
		   &read.start, &read.end, permissions, &read.file_offset, &read.inode,
		   &name) != 5 ||
	    read.start >= read.end || strlen(permissions) != 4)
		return false;
	read.permissions = (uint8_t)((permissions[0] == 'r' ? SEGMENT_READ : 0) |
				     (permissions[1] == 'w' ? SEGMENT_WRITE : 0) |
				     (permissions[2] == 'x' ? SEGMENT_EXECUTE : 0));
	read.shared = permissions[3] == 's';
	char *path = line + name + strspn(line + name, " ");
	if (*path != '\0') {
		undo_escapes(path);
		read.deleted = proc_cut_deleted(path);
		read.name = path;
	}
	*mapping = read;
	return true;
}

struct error *proc_read_maps(struct proc_task task, struct proc_maps *maps)
{
	struct proc_maps read = { 0 };
	read.text = proc_read(task, "maps", NULL);
	if (read.text == NULL)
		return error_os(errno, "cannot read /proc/%" PRId32 "/maps", task.pid);
	uint64_t previous = 0;
	char *next = read.text;
	for (char *line; (line = strsep(&next, "\n")) != NULL;) {
		struct proc_mapping mapping;
		if (!parse_mapping(line, &mapping) || mapping.start < previous)
			continue;
		previous = mapping.end;
		if (!array_push(&read.list, mapping)) {
			proc_maps_free(&read);
			return error_no_memory();
		}
	}
	*maps = read;
	return NULL;
}

void proc_maps_free(struct proc_maps *maps)
{
	array_free(&maps->list);
	free(maps->text);
	maps->text = NULL;
}

/* A number in the first line of a file; UINT64_MAX when it is "max", or there is none. */
static uint64_t read_number(const char *directory, const char *name)
{
	char path[PATH_MAX], text[64];
	uint64_t number;
	int length = snprintf(path, sizeof path, "%s/%s", directory, name);
	if (length >= (int)sizeof path || !read_short(path, text, sizeof text) ||
	    sscanf(text, "%" SCNu64, &number) != 1)
		return UINT64_MAX;
	return number;
}

/* What the memory controller of one group still allows; UINT64_MAX: anything. File pages that were
 * not used of late count as free, as they do in MemAvailable. */
static uint64_t group_allows(const char *directory, const char *limit_name, const char *usage_name)
{
	char path[PATH_MAX];
	uint64_t limit = read_number(directory, limit_name), inactive = 0;
	uint64_t usage = read_number(directory, usage_name);
	if (limit == UINT64_MAX || usage == UINT64_MAX)
		return UINT64_MAX;
	snprintf(path, sizeof path, "%s/memory.stat", directory);
	char *text = read_path(path, NULL);
	const char *line = text != NULL ? strstr(text, "\ninactive_file ") : NULL;
	if (line != NULL && sscanf(line, " inactive_file %" SCNu64, &inactive) != 1)
		inactive = 0;
	free(text);
	usage -= inactive < usage ? inactive : usage;
	return limit > usage ? limit - usage : 0;
}

uint64_t proc_group_allows(const char *groups, const char *mount)
{
	uint64_t least = UINT64_MAX;
	for (const char *line = groups; *line != '\0';
	     line += strcspn(line, "\n"), line += *line == '\n') {
		char directory[PATH_MAX], controllers[256] = "", path[PATH_MAX / 2];
		/* "4:memory:/a/b" of the first version, "0::/a/b" of the second. */
		bool second = sscanf(line, "0::%2047[^\n]", path) == 1;
		if (!second && (sscanf(line, "%*u:%255[^:]:%2047[^\n]", controllers, path) != 2 ||
				strcmp(controllers, "memory") != 0))
			continue;
		/* The group's own limit, and those of all above it. */
		for (char *end = path + strlen(path);; *end = '\0') {
			snprintf(directory, sizeof directory, "%s%s%s", mount,
				 second ? "" : "/memory", path);
			uint64_t allows =
			    second ? group_allows(directory, "memory.max", "memory.current")
				   : group_allows(directory, "memory.limit_in_bytes",
						  "memory.usage_in_bytes");
			least = allows < least ? allows : least;
			if (path[0] == '\0')
				break;
			end = strrchr(path, '/');
			if (end == NULL)
				end = path;
		}
	}
	return least;
}

uint64_t proc_memory_available(void)
{
	char *text = read_path("/proc/meminfo", NULL);
	uint64_t available = 0;
	if (text != NULL && !proc_field(text, "MemAvailable", &available))
		available = 0;
	free(text);
	text = read_path("/proc/self/cgroup", NULL);
	uint64_t allowed = text != NULL ? proc_group_allows(text, "/sys/fs/cgroup") : UINT64_MAX;
	free(text);
	return allowed < available ? allowed : available;
}
