/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "target/kernel_words.h"

#include "target/proc_descriptors.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* Bounds what is kept: descriptors, and words. */
#define FDS_MAX	  ((size_t)1 << 20)
#define WORDS_MAX ((size_t)1 << 20)

/* Smaller words are no addresses (vm.mmap_min_addr), but descriptors and indexes. */
#define ADDRESS_MIN 65536

struct plain_fds {
	proc_fds list; /* sorted */
};

struct plain_fds *plain_fds_find(struct proc_task task)
{
	char link[64];
	struct plain_fds *plain = calloc(1, sizeof *plain);
	if (plain == NULL || !proc_list_fds(task, FDS_MAX, &plain->list)) {
		plain_fds_free(plain);
		return NULL;
	}
	size_t kept = 0;
	for (size_t i = 0; i < plain->list.count; i++)
		if (proc_fd_link(task, plain->list.items[i], link, sizeof link) &&
		    !proc_is_epoll(link))
			plain->list.items[kept++] = plain->list.items[i];
	plain->list.count = kept;
	return plain;
}

void plain_fds_free(struct plain_fds *plain)
{
	if (plain == NULL)
		return;
	array_free(&plain->list);
	free(plain);
}

static bool is_plain(const struct plain_fds *plain, int32_t fd)
{
	size_t low = 0, high = plain != NULL ? plain->list.count : 0;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (plain->list.items[middle] < fd)
			low = middle + 1;
		else
			high = middle;
	}
	return plain != NULL && low < plain->list.count && plain->list.items[low] == fd;
}

struct reading {
	struct proc_task task;
	struct target *target;
	struct gaps *gaps;
};

static void miss(struct reading *reading, const char *what, const char *why)
{
	reading->target->kernel_words_missing = true;
	gaps_add(reading->gaps, GAP_MEMORY, 0, 0,
		 "%s of process %" PRId32 " could not be read (%s): pointers that the kernel holds "
		 "for it are unknown",
		 what, reading->task.pid, why);
}

/* False: there is no room for more. */
static bool keep(struct reading *reading, struct target_kernel_word word)
{
	struct target *target = reading->target;
	if (word.value < ADDRESS_MIN)
		return true;
	if (target->kernel_words.count < WORDS_MAX && array_push(&target->kernel_words, word))
		return true;
	miss(reading, "some of the registrations", "there are too many");
	return false;
}

static void read_epoll(struct reading *reading, int32_t fd)
{
	char line[256], what[64];
	struct proc_watch watch;
	snprintf(what, sizeof what, "the registrations of epoll fd %" PRId32, fd);
	FILE *file = proc_open_fdinfo(reading->task, fd);
	if (file == NULL) {
		miss(reading, what, strerror(errno));
		return;
	}
	bool room = true;
	while (room && fgets(line, sizeof line, file) != NULL)
		if (proc_parse_watch(line, &watch))
			room = keep(reading, (struct target_kernel_word){ KERNEL_WORD_EPOLL, fd,
									  watch.fd, watch.data });
	if (ferror(file))
		miss(reading, what, strerror(errno));
	fclose(file);
}

static void read_epolls(struct reading *reading, const struct plain_fds *plain)
{
	proc_fds fds = { 0 };
	char link[64];
	if (!proc_list_fds(reading->task, FDS_MAX, &fds))
		miss(reading, "the file descriptors", strerror(errno));
	else if (fds.count == FDS_MAX)
		miss(reading, "some of the file descriptors", "there are too many");
	for (size_t i = 0; i < fds.count; i++)
		if (!is_plain(plain, fds.items[i]) &&
		    proc_fd_link(reading->task, fds.items[i], link, sizeof link) &&
		    proc_is_epoll(link))
			read_epoll(reading, fds.items[i]);
	array_free(&fds);
}

/* Timers belong to the process: the file is that of its leader, who may have ended. A kernel
 * without the file has no POSIX timers, or was built not to tell of them. */
static void read_timers(struct reading *reading)
{
	char path[64], line[256];
	struct proc_timer timer = { .id = -1 };
	snprintf(path, sizeof path, "/proc/%" PRId32 "/timers", reading->task.pid);
	FILE *file = fopen(path, "re");
	if (file == NULL) {
		if (errno != ENOENT)
			miss(reading, "the timers", strerror(errno));
		return;
	}
	bool room = true;
	while (room && fgets(line, sizeof line, file) != NULL)
		if (proc_parse_timer(line, &timer))
			room = keep(reading, (struct target_kernel_word){
						 KERNEL_WORD_TIMER, timer.id, -1, timer.value });
	if (ferror(file))
		miss(reading, "the timers", strerror(errno));
	fclose(file);
}

void kernel_words_read(struct proc_task task, const struct plain_fds *plain, struct target *target,
		       struct gaps *gaps)
{
	struct reading reading = { task, target, gaps };
	read_epolls(&reading, plain);
	read_timers(&reading);
}
