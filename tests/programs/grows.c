/* Grows when SIGUSR1 comes: a cache that a variable holds, orphans of one class, threads that wait.
 * Truth before and after:
 *     {"cached":N,"cached_size":N,"leaked":N,"leaked_size":N,"threads":N}
 *     {"grown":true}
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "truth.h"

#include <malloc.h>
#include <signal.h>

#define CACHED_SIZE 200
#define LEAKED_SIZE 72
#define MOST	    100000

static void **cache;
static void **steady; /* stays as it is */
static unsigned cached, leaked, threads;
static size_t cached_size, leaked_size;
static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;

__attribute__((noinline)) static void *waiter(void *unused)
{
	(void)unused;
	pthread_mutex_lock(&gate);
	return NULL;
}

__attribute__((noinline)) static void grow(unsigned more_cached, unsigned more_leaked,
					   unsigned more_threads)
{
	pthread_t thread;
	for (unsigned i = 0; i < more_cached; i++, cached++) {
		cache[cached] = calloc(1, CACHED_SIZE);
		cached_size = malloc_usable_size(cache[cached]);
	}
	for (unsigned i = 0; i < more_leaked; i++, leaked++) {
		void *volatile lost = calloc(1, LEAKED_SIZE);
		leaked_size = malloc_usable_size(lost);
		lost = NULL;
	}
	for (unsigned i = 0; i < more_threads; i++, threads++)
		if (pthread_create(&thread, NULL, waiter, NULL) != 0)
			abort();
}

static void tell(void)
{
	truth_wipe_stack();
	truth("{\"cached\":%u,\"cached_size\":%zu,\"leaked\":%u,\"leaked_size\":%zu,"
	      "\"threads\":%u}",
	      cached, cached_size, leaked, leaked_size, threads);
}

int main(void)
{
	sigset_t wanted;
	int number;
	sigemptyset(&wanted);
	sigaddset(&wanted, SIGUSR1);
	pthread_sigmask(SIG_BLOCK, &wanted, NULL);
	pthread_mutex_lock(&gate);
	cache = calloc(MOST, sizeof *cache);
	steady = calloc(1000, sizeof *steady);
	for (unsigned i = 0; i < 1000; i++)
		steady[i] = calloc(1, 40);
	grow(100, 50, 2);
	tell();
	truth_ready();
	sigwait(&wanted, &number);
	grow(5000, 700, 3);
	tell();
	truth("{\"grown\":true}");
	for (;;)
		pause();
}
