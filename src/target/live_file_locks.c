/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "target/live_file_locks.h"

#include "target/proc_descriptors.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

/* Descriptors of a process that are looked at. */
#define DESCRIPTORS_MAX 4096

/* Longer lists of locks are not read to their end. */
#define LOCKS_MAX_BYTES (4 << 20)

struct lock_line {
	uint64_t number;
	bool waits;
	enum file_lock_class class;
	struct file_lock_holder lock;
	unsigned major, minor;
	uint64_t inode;
};

static bool parse_class(const char *word, enum file_lock_class *class)
{
	static const char *const names[] = {
		[FILE_LOCK_FLOCK] = "FLOCK",
		[FILE_LOCK_PROCESS] = "POSIX",
		[FILE_LOCK_OPEN_FILE] = "OFDLCK",
	};
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		if (strcmp(names[i], word) == 0) {
			*class = (enum file_lock_class)i;
			return true;
		}
	}
	return false; /* leases, delegations */
}

/* `3: -> POSIX  ADVISORY  READ 31065 fe:00:10952719 200 EOF` */
static bool parse_line(const char *text, struct lock_line *line)
{
	char class[16], type[16], last[24];
	int end = 0;
	*line = (struct lock_line){ 0 };
	if (sscanf(text, " %" SCNu64 ": %n", &line->number, &end) != 1 || end == 0)
		return false;
	text += end;
	line->waits = strncmp(text, "->", 2) == 0;
	if (line->waits)
		text += 2;
	if (sscanf(text, " %15s %*s %15s %" SCNd32 " %x:%x:%" SCNu64 " %" SCNd64 " %23s", class,
		   type, &line->lock.pid, &line->major, &line->minor, &line->inode,
		   &line->lock.first, last) != 8 ||
	    !parse_class(class, &line->class))
		return false;
	line->lock.write = strcmp(type, "WRITE") == 0;
	line->lock.last = strcmp(last, "EOF") == 0 ? -1 : strtoll(last, NULL, 10);
	if (line->lock.pid < 0)
		line->lock.pid = 0;
	return true;
}

static bool same_file(const struct lock_line *line, const struct file_lock_query *query)
{
	return line->class == query->class && line->inode == query->inode &&
	       line->major == query->major && line->minor == query->minor;
}

static bool is_asked_for(const struct lock_line *line, const struct file_lock_query *query)
{
	return line->waits && same_file(line, query) &&
	       (line->lock.pid == 0 || line->lock.pid == query->pid) &&
	       (query->start < 0 || line->lock.first == query->start);
}

static const char *next_line(const char *text)
{
	const char *end = strchr(text, '\n');
	return end != NULL ? end + 1 : text + strlen(text);
}

/* Whether process `waiter` waits for a lock on any file that `owner` took. */
static bool waits_for(const char *text, int32_t waiter, int32_t owner)
{
	struct lock_line head = { 0 }, line;
	for (; *text != '\0'; text = next_line(text)) {
		if (!parse_line(text, &line))
			continue;
		if (!line.waits)
			head = line;
		else if (head.number == line.number && line.lock.pid == waiter &&
			 head.lock.pid == owner)
			return true;
	}
	return false;
}

bool file_lock_find(const char *text, const struct file_lock_query *query,
		    struct file_lock_holder *holder)
{
	struct lock_line head = { 0 }, line;
	const char *all = text;
	for (bool known = false; *text != '\0'; text = next_line(text)) {
		if (!parse_line(text, &line))
			continue;
		if (!line.waits) {
			head = line;
			known = true;
		} else if (known && head.number == line.number && is_asked_for(&line, query)) {
			*holder = head.lock;
			holder->class = head.class;
			holder->waits_back = holder->pid > 0 && holder->pid != query->pid &&
					     waits_for(all, holder->pid, query->pid);
			return true;
		}
	}
	return false;
}

/* The whole of a file that does not tell its size; the caller frees it. */
static char *read_text(const char *path)
{
	FILE *file = fopen(path, "re");
	size_t size = 0, room = 4096;
	char *text = file != NULL ? malloc(room) : NULL;
	while (text != NULL) {
		size += fread(text + size, 1, room - 1 - size, file);
		if (size < room - 1 || room >= LOCKS_MAX_BYTES)
			break;
		char *larger = realloc(text, 2 * room);
		if (larger == NULL)
			break;
		text = larger;
		room *= 2;
	}
	if (text != NULL)
		text[size] = '\0';
	if (file != NULL)
		fclose(file);
	return text;
}

static bool file_of(int32_t pid, int32_t fd, struct file_lock_query *query)
{
	char path[64];
	struct stat stat_of_file;
	snprintf(path, sizeof path, "/proc/%" PRId32 "/fd/%" PRId32, pid, fd);
	if (stat(path, &stat_of_file) != 0)
		return false;
	query->pid = pid;
	query->inode = stat_of_file.st_ino;
	query->major = major(stat_of_file.st_dev);
	query->minor = minor(stat_of_file.st_dev);
	return true;
}

bool live_file_lock_holder(int32_t pid, int32_t fd, enum file_lock_class class, int64_t start,
			   struct file_lock_holder *holder)
{
	struct file_lock_query query = { .class = class, .start = start };
	if (!file_of(pid, fd, &query))
		return false;
	char *text = read_text("/proc/locks");
	bool found = text != NULL && file_lock_find(text, &query, holder);
	free(text);
	if (found && holder->pid > 0)
		proc_read_line((struct proc_task){ holder->pid, holder->pid }, "comm", holder->name,
			       sizeof holder->name);
	return found;
}

/* The "lock:" lines of /proc/PID/fdinfo/FD have the form of those of /proc/locks. */
static bool holds_lock(int32_t pid, int32_t fd, const struct file_lock_query *query)
{
	char path[64];
	struct lock_line line;
	bool holds = false;
	snprintf(path, sizeof path, "/proc/%" PRId32 "/fdinfo/%" PRId32, pid, fd);
	char *text = read_text(path);
	for (const char *at = text; at != NULL && *at != '\0' && !holds; at = next_line(at))
		holds = strncmp(at, "lock:", 5) == 0 && parse_line(at + 5, &line) && !line.waits &&
			same_file(&line, query);
	free(text);
	return holds;
}

int32_t live_file_lock_descriptor(int32_t pid, int32_t fd, enum file_lock_class class)
{
	struct file_lock_query query = { .class = class, .start = -1 }, other;
	proc_fds fds = { 0 };
	int32_t found = -1;
	if (file_of(pid, fd, &query))
		proc_list_fds((struct proc_task){ pid, pid }, DESCRIPTORS_MAX, &fds);
	for (size_t i = 0; i < fds.count && found < 0; i++)
		if (fds.items[i] != fd && file_of(pid, fds.items[i], &other) &&
		    other.inode == query.inode && holds_lock(pid, fds.items[i], &query))
			found = fds.items[i];
	array_free(&fds);
	return found;
}
