/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "target/proc_descriptors.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

enum { PATH_SIZE = 96 };

static void descriptor_path(struct proc_task task, const char *directory, int32_t fd,
			    char path[PATH_SIZE])
{
	snprintf(path, PATH_SIZE, "/proc/%" PRId32 "/task/%" PRId32 "/%s/%" PRId32, task.pid,
		 task.tid, directory, fd);
}

static int compare_fds(const void *left, const void *right)
{
	const int32_t *a = left, *b = right;
	return *a < *b ? -1 : *a > *b;
}

bool proc_list_fds(struct proc_task task, size_t most, proc_fds *fds)
{
	char path[PATH_SIZE];
	snprintf(path, sizeof path, "/proc/%" PRId32 "/task/%" PRId32 "/fd", task.pid, task.tid);
	DIR *directory = opendir(path);
	if (directory == NULL)
		return false;
	bool complete = true;
	const struct dirent *entry;
	while (complete && fds->count < most && (entry = readdir(directory)) != NULL)
		if (isdigit((unsigned char)entry->d_name[0]))
			complete = array_push(fds, (int32_t)strtol(entry->d_name, NULL, 10));
	closedir(directory);
	if (!complete)
		errno = ENOMEM;
	else if (fds->count > 0)
		qsort(fds->items, fds->count, sizeof *fds->items, compare_fds);
	return complete;
}

bool proc_fd_link(struct proc_task task, int32_t fd, char *link, size_t size)
{
	char path[PATH_SIZE];
	descriptor_path(task, "fd", fd, path);
	ssize_t length = readlink(path, link, size - 1);
	if (length <= 0)
		return false;
	link[length] = '\0';
	return true;
}

FILE *proc_open_fdinfo(struct proc_task task, int32_t fd)
{
	char path[PATH_SIZE];
	descriptor_path(task, "fdinfo", fd, path);
	return fopen(path, "re");
}

bool proc_is_epoll(const char *link)
{
	return strcmp(link, "anon_inode:[eventpoll]") == 0;
}

bool proc_parse_watch(const char *line, struct proc_watch *watch)
{
	struct proc_watch read;
	if (sscanf(line, "tfd: %9" SCNd32 " events: %8" SCNx32 " data: %16" SCNx64, &read.fd,
		   &read.events, &read.data) != 3 ||
	    read.fd < 0)
		return false;
	*watch = read;
	return true;
}

bool proc_parse_timer(const char *line, struct proc_timer *timer)
{
	uint64_t value;
	int32_t id;
	if (sscanf(line, "ID: %9" SCNd32, &id) == 1) {
		timer->id = id;
		return false;
	}
	if (timer->id < 0 || sscanf(line, "signal: %*9d/%16" SCNx64, &value) != 1)
		return false;
	timer->value = value;
	return true;
}
