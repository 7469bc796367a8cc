/* Threads that share one piece of work: the calling thread and its helpers.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORESCAN_BASE_WORKERS_H
#define CORESCAN_BASE_WORKERS_H

#include <pthread.h>
#include <stddef.h>

#define WORKERS_MAX 8

struct workers {
	pthread_t threads[WORKERS_MAX];
	unsigned started; /* the calling thread not counted */
};

/* How many are worth it: one for each processor that may be used, at most WORKERS_MAX. */
unsigned workers_available(void);

/* Runs `function` on items[1] … items[count - 1] in threads of their own, as many as can be
 * started; items[0] is left to the caller. They take no signals: handlers expect the main thread.
 * Ends in workers_join. */
void workers_start(struct workers *workers, void *(*function)(void *), void *items,
		   size_t item_size, unsigned count);
void workers_join(struct workers *workers);

/* Both, with items[0] in the calling thread in between, and those for which no thread could be
 * started. */
void workers_run(void *(*function)(void *), void *items, size_t item_size, unsigned count);

#endif
