/* N threads (the first argument, 1000 when there is none): a third wait on a condition variable,
 * a third for a mutex that main holds, a third sleep. Each is some calls deep.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "truth.h"

#include <limits.h>

static pthread_mutex_t held = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t queue_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t queue_nonempty = PTHREAD_COND_INITIALIZER;

__attribute__((noinline)) static int descend(int levels, int kind)
{
	if (levels > 0)
		return descend(levels - 1, kind) + 1;
	switch (kind) {
	case 0:
		pthread_mutex_lock(&queue_lock);
		for (;;)
			pthread_cond_wait(&queue_nonempty, &queue_lock);
	case 1:
		return pthread_mutex_lock(&held);
	default:
		for (;;)
			sleep(INT_MAX);
	}
}

static void *start(void *number)
{
	return (void *)(intptr_t)descend(8, (int)(intptr_t)number % 3);
}

int main(int count, char **arguments)
{
	int threads = count > 1 ? atoi(arguments[1]) : 1000;
	pthread_attr_t attributes;
	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes, PTHREAD_STACK_MIN + 65536);
	pthread_mutex_lock(&held);
	for (int i = 0; i < threads; i++) {
		pthread_t thread;
		if (pthread_create(&thread, &attributes, start, (void *)(intptr_t)i) != 0)
			abort();
	}
	sleep(1);
	truth("{\"threads\":%d,\"condition\":\"0x%lx\",\"mutex\":\"0x%lx\",\"owner\":%d}",
	      threads + 1, (unsigned long)&queue_nonempty, (unsigned long)&held, truth_tid());
	truth_ready();
	for (;;)
		pause();
}
