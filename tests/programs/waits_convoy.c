/* A convoy: 80 threads wait for locks of ten others, which wait for one of main, which sleeps.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

#define HOLDERS 10
#define WAITERS 80

static pthread_mutex_t outer = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t inner[HOLDERS];

static void *hold(void *mutex)
{
	pthread_mutex_lock(mutex);
	pthread_mutex_lock(&outer);
	return NULL;
}

static void *wait_for(void *mutex)
{
	pthread_mutex_lock(mutex);
	return NULL;
}

int main(void)
{
	pthread_t thread;
	pthread_mutex_lock(&outer);
	for (int i = 0; i < HOLDERS; i++) {
		pthread_mutex_init(&inner[i], NULL);
		pthread_create(&thread, NULL, hold, &inner[i]);
	}
	sleep(1);
	for (int i = 0; i < WAITERS; i++)
		pthread_create(&thread, NULL, wait_for, &inner[i % HOLDERS]);
	sleep(1);
	printf("{\"ready\":true}\n");
	fflush(stdout);
	sleep(600);
	return 0;
}
