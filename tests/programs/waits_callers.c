/* Three threads wait on semaphores at one place, called from three, and one sleeps there alone.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <unistd.h>

#define KEEP_CALL __asm__ volatile("")

static sem_t semaphores[3];

__attribute__((noinline)) static void take(sem_t *semaphore)
{
	sem_wait(semaphore);
	KEEP_CALL;
}

__attribute__((noinline)) static void shared_caller(sem_t *semaphore)
{
	take(semaphore);
	KEEP_CALL;
}

__attribute__((noinline)) static void *first_caller(void *unused)
{
	shared_caller(&semaphores[0]);
	KEEP_CALL;
	return unused;
}

__attribute__((noinline)) static void *second_caller(void *unused)
{
	shared_caller(&semaphores[1]);
	KEEP_CALL;
	return unused;
}

__attribute__((noinline)) static void *third_caller(void *unused)
{
	shared_caller(&semaphores[2]);
	KEEP_CALL;
	return unused;
}

int main(void)
{
	void *(*const callers[])(void *) = { first_caller, second_caller, third_caller };
	pthread_t thread;
	for (int i = 0; i < 3; i++)
		pthread_create(&thread, NULL, callers[i], NULL);
	sleep(1);
	printf("{\"ready\":true}\n");
	fflush(stdout);
	sleep(600);
	return 0;
}
