/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/workers.h"

#include <sched.h>
#include <signal.h>

unsigned workers_available(void)
{
	cpu_set_t set;
	if (sched_getaffinity(0, sizeof set, &set) != 0)
		return 1;
	const int count = CPU_COUNT(&set);
	return count < 1 ? 1 : count < WORKERS_MAX ? (unsigned)count : WORKERS_MAX;
}

void workers_start(struct workers *workers, void *(*function)(void *), void *items,
		   size_t item_size, unsigned count)
{
	sigset_t all, before;
	workers->started = 0;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	while (workers->started + 1 < count && workers->started < WORKERS_MAX &&
	       pthread_create(&workers->threads[workers->started], NULL, function,
			      (char *)items + (workers->started + 1) * item_size) == 0)
		workers->started++;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
}

void workers_join(struct workers *workers)
{
	for (unsigned i = 0; i < workers->started; i++)
		pthread_join(workers->threads[i], NULL);
}

void workers_run(void *(*function)(void *), void *items, size_t item_size, unsigned count)
{
	struct workers workers;
	workers_start(&workers, function, items, item_size, count);
	function(items);
	for (unsigned i = workers.started + 1; i < count; i++)
		function((char *)items + i * item_size);
	workers_join(&workers);
}
