/* Threads that cannot be looked at without being stopped: argv[1] says which.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#define _GNU_SOURCE
#include "truth.h"

#include <alloca.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static volatile unsigned long count;

static void *run(void *unused)
{
	for (;;)
		count++;
	return unused;
}

static void *wait_for_mutex(void *unused)
{
	pthread_mutex_lock(&mutex);
	return unused;
}

static void *wake_up(void *unused)
{
	for (;;)
		usleep(100);
	return unused;
}

static void start(void *(*work)(void *), const char *name)
{
	pthread_t thread;
	pthread_create(&thread, NULL, work, NULL);
	pthread_setname_np(thread, name);
}

/* Its caller is found by the frame pointer only, which pause() does not save. */
static __attribute__((noinline)) int wait_on_a_moving_stack(int size)
{
	volatile char *bytes = alloca((size_t)size);
	bytes[0] = 1;
	return pause() + bytes[0];
}

int main(int argc, char **argv)
{
	const char *which = argc > 1 ? argv[1] : "";
	if (strcmp(which, "running") == 0) {
		pthread_mutex_lock(&mutex);
		start(run, "runs");
		start(wait_for_mutex, "waits");
	} else if (strcmp(which, "restless") == 0) {
		start(wake_up, "wakes");
	}
	truth_ready();
	return wait_on_a_moving_stack(argc * 100);
}
