/* heap_arenas [THREADS]: threads with arenas of their own, of several heaps each; chunks in every
 * kind of free list; chunks of one arena in the tcache of another's thread.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "heap_truth.h"

#define THREADS_MAX 64
#define SMALL	    300
#define LARGE	    900 /* of 96 KB: more than one heap of 64 MB */

static pthread_barrier_t turn;
static void *passed_on[THREADS_MAX][40];
static int thread_count = 5;

/* Free lists of all kinds: tcache, fastbins, unsorted, small and large bins. */
static void use_heap(unsigned seed)
{
	static _Thread_local void *small[SMALL];
	for (unsigned i = 0; i < SMALL; i++)
		small[i] = malloc(seed % 16 + i * 5 % 2000);
	for (unsigned i = 0; i < SMALL; i++)
		if (i % 3 == 0)
			heap_truth_free(small[i]);
		else
			heap_truth_keep(small[i]);
	void *fast[24];
	for (unsigned i = 0; i < 24; i++)
		fast[i] = malloc(40);
	heap_truth_keep(malloc(40));
	for (unsigned i = 0; i < 24; i++)
		heap_truth_free(fast[i]);
	heap_truth_keep(memalign(256, 1000));
	heap_truth_keep(memalign(8192, 100));
	heap_truth_keep(realloc(malloc(100), 3000));
	heap_truth_keep(calloc(10, 30));
	heap_truth_keep(malloc(0));
}

static void *work(void *argument)
{
	unsigned number = (unsigned)(uintptr_t)argument;
	/* pthread_create and a thread's first malloc allocate for themselves, too: nothing is freed
	 * before they have done so. */
	heap_truth_free(malloc(1));
	pthread_barrier_wait(&turn);
	for (unsigned i = 0; i < (number % 2 == 0 ? LARGE : 10); i++) {
		void *large = malloc(96 * 1024 + number * 16 + i);
		if (i % 7 == 3)
			heap_truth_free(large);
		else
			heap_truth_keep(large);
	}
	use_heap(number);
	for (unsigned i = 0; i < 40; i++)
		passed_on[number][i] = malloc(200 + 16 * i);
	pthread_barrier_wait(&turn);
	/* The neighbour's chunks: into this thread's tcache, or back to the neighbour's arena. */
	void **others = passed_on[(number + 1) % (unsigned)thread_count];
	for (unsigned i = 0; i < 40; i++)
		if (i % 2 == 0)
			heap_truth_free(others[i]);
		else
			heap_truth_keep(others[i]);
	pthread_barrier_wait(&turn);
	for (;;)
		pause();
	return NULL;
}

int main(int argc, char **argv)
{
	pthread_t thread;
	heap_truth_begin();
	if (argc > 1)
		thread_count = atoi(argv[1]);
	if (thread_count < 1 || thread_count > THREADS_MAX)
		return 64;
	pthread_barrier_init(&turn, NULL, (unsigned)thread_count + 1);
	for (int i = 0; i < thread_count; i++)
		pthread_create(&thread, NULL, work, (void *)(uintptr_t)i);
	for (int i = 0; i < 3; i++)
		pthread_barrier_wait(&turn);
	use_heap(7);
	heap_truth_tell();
	for (;;)
		pause();
}
