/* waits_loader PLUGIN [THREADS]: a thread is in the constructor of PLUGIN, under the dynamic
 * loader's lock; another one waits for that lock. With THREADS the constructor waits for a mutex
 * that begins a ring of so many threads: 2: the holder opens a library; 3: it wants a write lock,
 * whose holder does; 5: mutex, write lock, stream, join. The same source, compiled as a library
 * with -DPLUGIN, is the plugin.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "waits_truth.h"

#ifdef PLUGIN

__attribute__((constructor)) static void stay(void)
{
	const char *lock = getenv("WANTED_LOCK"); /* its address in this process */
	if (lock != NULL)
		pthread_mutex_lock((pthread_mutex_t *)strtoull(lock, NULL, 16));
	for (;;)
		pause();
}

#else

#include <dlfcn.h>

static struct planted planted[6];

static void open_library(void *argument)
{
	dlopen(argument, RTLD_NOW);
}

pthread_mutex_t wanted = PTHREAD_MUTEX_INITIALIZER;
pthread_rwlock_t table = PTHREAD_RWLOCK_INITIALIZER;
static pthread_barrier_t all_hold;

static void hold_mutex(void *argument)
{
	pthread_mutex_lock(&wanted);
	pthread_barrier_wait(&all_hold);
	if (argument == NULL)
		open_library("libm.so.6");
	else
		pthread_rwlock_rdlock(&table);
}

static void hold_table(void *argument)
{
	pthread_rwlock_wrlock(&table);
	pthread_barrier_wait(&all_hold);
	if (argument == NULL)
		open_library("libm.so.6");
	else
		flockfile(stderr);
}

static void hold_stream(void *argument)
{
	flockfile(stderr);
	pthread_barrier_wait(&all_hold);
	pthread_join(*(pthread_t *)argument, NULL);
}

static void hold_nothing(void *argument)
{
	pthread_barrier_wait(&all_hold);
	open_library(argument);
}

/* The threads hold what is theirs when the first one comes to open the plugin, whose constructor
 * runs under the loader's lock before any of the others wants that. */
static void open_plugin(void *argument)
{
	char address[32];
	snprintf(address, sizeof address, "%p", (void *)&wanted);
	setenv("WANTED_LOCK", address, 1);
	open_library(argument);
}

static void deadlock(char *plugin, int count)
{
	char tids[100] = "";
	pthread_barrier_init(&all_hold, NULL, (unsigned)count);
	if (count == 5)
		plant_start(&planted[4], "ends", hold_nothing, "libm.so.6");
	if (count == 5)
		plant_start(&planted[3], "stream", hold_stream, &planted[4].thread);
	if (count > 2)
		plant_start(&planted[2], "table", hold_table, count > 3 ? plugin : NULL);
	plant_start(&planted[1], "mutex", hold_mutex, count > 2 ? plugin : NULL);
	for (int i = 1; i < count; i++)
		plant_wait_asleep(plant_tid(&planted[i]));
	plant_asleep(&planted[0], "loads", open_plugin, plugin);
	pthread_barrier_wait(&all_hold);
	for (int i = 0; i < count; i++) {
		plant_wait_asleep(plant_tid(&planted[i]));
		snprintf(tids + strlen(tids), sizeof tids - strlen(tids), "%s%d", i == 0 ? "" : ",",
			 plant_tid(&planted[i]));
	}
	truth("{\"deadlock\":[%s],\"timed\":false}", tids);
	plant_done();
}

int main(int count, char **arguments)
{
	if (count < 2)
		return 64;
	if (count > 2)
		deadlock(arguments[1], atoi(arguments[2]));
	int owner = plant_asleep(&planted[0], "loads", open_library, arguments[1]);
	int waiter = plant_asleep(&planted[1], "waits", open_library, "libm.so.6");
	truth("{\"wait\":\"loader lock\",\"tid\":%d,\"name\":\"_rtld_\",\"owner\":%d}", waiter,
	      owner);
	plant_done();
}

#endif
