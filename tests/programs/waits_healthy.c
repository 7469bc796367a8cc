/* Threads that contend for locks all the time, and never deadlock: no cycle may be found whenever
 * it is looked at.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "waits_truth.h"

#include <semaphore.h>

#define THREADS 12

static struct planted planted[2 * THREADS + 8];
static size_t used;

pthread_mutex_t outer = PTHREAD_MUTEX_INITIALIZER, inner = PTHREAD_MUTEX_INITIALIZER;
pthread_rwlock_t table = PTHREAD_RWLOCK_INITIALIZER;
pthread_cond_t queue_changed = PTHREAD_COND_INITIALIZER;
sem_t slots;
static volatile unsigned queue, total;

static void spin(unsigned amount)
{
	for (volatile unsigned i = 0; i < amount; i++)
		total += i;
}

/* Always in the same order. */
static void run_ordered(void *argument)
{
	(void)argument;
	for (;;) {
		pthread_mutex_lock(&outer);
		pthread_mutex_lock(&inner);
		spin(200);
		pthread_mutex_unlock(&inner);
		pthread_mutex_unlock(&outer);
		pthread_mutex_lock(&inner);
		spin(100);
		pthread_mutex_unlock(&inner);
	}
}

static void run_table(void *argument)
{
	(void)argument;
	for (unsigned i = 0;; i++) {
		if (i % 4 == 0)
			pthread_rwlock_wrlock(&table);
		else
			pthread_rwlock_rdlock(&table);
		spin(100);
		pthread_rwlock_unlock(&table);
	}
}

static void run_producer(void *argument)
{
	(void)argument;
	for (;;) {
		sem_wait(&slots);
		pthread_mutex_lock(&outer);
		queue++;
		pthread_cond_signal(&queue_changed);
		pthread_mutex_unlock(&outer);
	}
}

static void run_consumer(void *argument)
{
	(void)argument;
	for (;;) {
		pthread_mutex_lock(&outer);
		while (queue == 0)
			pthread_cond_wait(&queue_changed, &outer);
		queue--;
		pthread_mutex_unlock(&outer);
		sem_post(&slots);
	}
}

/* Two locks against the order, by trying. */
static void run_trying(void *argument)
{
	(void)argument;
	for (;;) {
		pthread_mutex_lock(&inner);
		if (pthread_mutex_trylock(&outer) == 0)
			pthread_mutex_unlock(&outer);
		pthread_mutex_unlock(&inner);
		plant_pause();
	}
}

int main(void)
{
	sem_init(&slots, 0, 4);
	for (int i = 0; i < THREADS; i++) {
		static void (*const runs[])(void *) = { run_ordered, run_table, run_producer,
							run_consumer };
		plant_start(&planted[used++], "healthy", runs[i % 4], NULL);
	}
	plant_start(&planted[used++], "trying", run_trying, NULL);
	plant_done();
}
