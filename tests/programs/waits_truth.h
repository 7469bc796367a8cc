/* What the programs that plant waits share: threads that are told of once they really sleep.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORESCAN_TESTS_WAITS_TRUTH_H
#define CORESCAN_TESTS_WAITS_TRUTH_H

#include "truth.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <time.h>

struct planted {
	void (*run)(void *argument);
	void *argument;
	const char *name;
	int tid; /* read and written atomically */
	pthread_t thread;
};

static inline int plant_tid(const struct planted *planted)
{
	return __atomic_load_n(&planted->tid, __ATOMIC_SEQ_CST);
}

static inline void *planted_main(void *argument)
{
	struct planted *planted = (struct planted *)argument;
	truth_name_thread(planted->name);
	__atomic_store_n(&planted->tid, truth_tid(), __ATOMIC_SEQ_CST);
	planted->run(planted->argument);
	return NULL;
}

/* BALLAST=MB makes the heap so large before anything else is on it. */
__attribute__((constructor)) static inline void plant_ballast(void)
{
	const char *megabytes = getenv("BALLAST");
	for (long i = megabytes != NULL ? atol(megabytes) * 256 : 0; i > 0; i--) {
		char *volatile block = (char *)malloc(4000);
		memset(block, 1, 4000);
	}
}

static inline void plant_pause(void)
{
	struct timespec millisecond = { 0, 1000 * 1000 };
	nanosleep(&millisecond, NULL);
}

/* Whether thread `tid` sleeps in a system call other than the short sleep above, as the kernel
 * tells without stopping it. */
static inline bool plant_sleeps(int tid)
{
	char path[64], line[256];
	snprintf(path, sizeof path, "/proc/self/task/%d/syscall", tid);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	ssize_t got = read(fd, line, sizeof line - 1);
	close(fd);
	if (got <= 0)
		return false;
	line[got] = '\0';
	return line[0] >= '0' && line[0] <= '9';
}

/* Waits until `tid` is seen asleep three times in a row. */
static inline void plant_wait_asleep(int tid)
{
	for (int seen = 0; seen < 3;) {
		plant_pause();
		seen = plant_sleeps(tid) ? seen + 1 : 0;
	}
}

/* Starts a thread named `name` that runs `run`; returns its tid once it has begun. */
static inline int plant_start(struct planted *planted, const char *name, void (*run)(void *),
			      void *argument)
{
	planted->run = run;
	planted->argument = argument;
	planted->name = name;
	__atomic_store_n(&planted->tid, 0, __ATOMIC_SEQ_CST);
	if (pthread_create(&planted->thread, NULL, planted_main, planted) != 0)
		abort();
	while (plant_tid(planted) == 0)
		plant_pause();
	return plant_tid(planted);
}

/* As plant_start, and waits until the thread sleeps. */
static inline int plant_asleep(struct planted *planted, const char *name, void (*run)(void *),
			       void *argument)
{
	int tid = plant_start(planted, name, run, argument);
	plant_wait_asleep(tid);
	return tid;
}

/* An absolute time a day from now. */
static inline struct timespec plant_tomorrow(clockid_t clock)
{
	struct timespec time;
	clock_gettime(clock, &time);
	time.tv_sec += 86400;
	return time;
}

/* Tells that all is planted, and stays. */
__attribute__((noreturn)) static inline void plant_done(void)
{
	truth_ready();
	for (;;)
		pause();
}

#endif
