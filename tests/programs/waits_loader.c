/* waits_loader PLUGIN [deadlock]: a thread is in the constructor of PLUGIN, under the dynamic
 * loader's lock; another one waits for that lock. With "deadlock" the constructor waits for a mutex
 * that the other one holds. The same source, compiled as a library with -DPLUGIN, is the
 * plugin.
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

static struct planted planted[2];

static void open_library(void *argument)
{
	dlopen(argument, RTLD_NOW);
}

pthread_mutex_t wanted = PTHREAD_MUTEX_INITIALIZER;

static void deadlock(char *plugin)
{
	char address[32];
	snprintf(address, sizeof address, "%p", (void *)&wanted);
	setenv("WANTED_LOCK", address, 1);
	pthread_mutex_lock(&wanted);
	int other = plant_asleep(&planted[0], "loads", open_library, plugin);
	truth("{\"deadlock\":[%d,%d],\"timed\":false}", truth_tid(), other);
	truth_ready();
	dlopen("libm.so.6", RTLD_NOW);
}

int main(int count, char **arguments)
{
	if (count < 2)
		return 64;
	if (count > 2)
		deadlock(arguments[1]);
	int owner = plant_asleep(&planted[0], "loads", open_library, arguments[1]);
	int waiter = plant_asleep(&planted[1], "waits", open_library, "libm.so.6");
	truth("{\"wait\":\"loader lock\",\"tid\":%d,\"name\":\"_rtld_\",\"owner\":%d}", waiter,
	      owner);
	plant_done();
}

#endif
