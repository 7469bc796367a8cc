/* Threads in every state that struct pthread knows: running, on a stack of our own, detached,
 * exited but not joined, joined (its stack is kept for reuse), and waiting to join another.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#define _GNU_SOURCE /* pthread_getattr_np */
#include "truth.h"

#include <sys/mman.h>

#define RESULT ((void *)0x5eed5eed5eed)

static pthread_barrier_t ready;

static void *pause_for_ever(void *unused)
{
	truth("{\"pthread\":\"0x%lx\",\"state\":\"running\",\"tid\":%d}",
	      (unsigned long)pthread_self(), truth_tid());
	pthread_barrier_wait(&ready);
	for (;;)
		pause();
	return unused;
}

static void *end_at_once(void *result)
{
	return result;
}

static void *join_other(void *thread)
{
	pthread_join((pthread_t)thread, NULL);
	return NULL;
}

static pthread_t started(const pthread_attr_t *attributes, void *(*start)(void *), void *argument)
{
	pthread_t thread;
	if (pthread_create(&thread, attributes, start, argument) != 0)
		abort();
	return thread;
}

static void tell_stack(pthread_t thread)
{
	pthread_attr_t attributes;
	void *start;
	size_t size;
	if (pthread_getattr_np(thread, &attributes) != 0 ||
	    pthread_attr_getstack(&attributes, &start, &size) != 0)
		abort();
	truth("{\"stack_of\":\"0x%lx\",\"start\":\"0x%lx\",\"end\":\"0x%lx\"}",
	      (unsigned long)thread, (unsigned long)start, (unsigned long)start + size);
	pthread_attr_destroy(&attributes);
}

static void start_running(void)
{
	pthread_attr_t attributes;
	pthread_attr_init(&attributes);
	tell_stack(started(&attributes, pause_for_ever, NULL));
	size_t size = 256 * 1024;
	void *own = mmap(NULL, size, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
	if (own == MAP_FAILED || pthread_attr_setstack(&attributes, own, size) != 0)
		abort();
	tell_stack(started(&attributes, pause_for_ever, NULL));
	pthread_attr_init(&attributes);
	pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
	truth("{\"detached\":\"0x%lx\"}",
	      (unsigned long)started(&attributes, pause_for_ever, NULL));
}

int main(void)
{
	truth("{\"pthread\":\"0x%lx\",\"state\":\"running\",\"tid\":%d}",
	      (unsigned long)pthread_self(), truth_tid());
	pthread_barrier_init(&ready, NULL, 4);
	start_running();
	pthread_barrier_wait(&ready);
	pthread_t exited = started(NULL, end_at_once, RESULT);
	/* Both must have stacks at once, so that the second does not reuse the first's. */
	pthread_t joined = started(NULL, end_at_once, NULL);
	pthread_t joiner = started(NULL, join_other, (void *)pthread_self());
	pthread_join(joined, NULL);
	sleep(1);
	truth("{\"pthread\":\"0x%lx\",\"state\":\"exited\",\"result\":\"0x%lx\"}",
	      (unsigned long)exited, (unsigned long)RESULT);
	truth("{\"pthread\":\"0x%lx\",\"state\":\"cached\"}", (unsigned long)joined);
	truth("{\"pthread\":\"0x%lx\",\"state\":\"running\"}", (unsigned long)joiner);
	truth_ready();
	for (;;)
		pause();
}
