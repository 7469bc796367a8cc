/* waits_loader PLUGIN: a thread is in the constructor of PLUGIN, under the dynamic loader's lock;
 * another one waits for that lock. The same source, compiled as a library with -DPLUGIN, is the
 * plugin.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "waits_truth.h"

#ifdef PLUGIN

__attribute__((constructor)) static void stay(void)
{
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

int main(int count, char **arguments)
{
	if (count != 2)
		return 64;
	int owner = plant_asleep(&planted[0], "loads", open_library, arguments[1]);
	int waiter = plant_asleep(&planted[1], "waits", open_library, "libm.so.6");
	truth("{\"wait\":\"loader lock\",\"tid\":%d,\"name\":\"_rtld_\",\"owner\":%d}", waiter,
	      owner);
	plant_done();
}

#endif
