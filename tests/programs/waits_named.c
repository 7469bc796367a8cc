/* waits_named NAME: a thread of that name waits for a mutex of the main thread.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "waits_truth.h"

static struct planted planted;
pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static void lock_mutex(void *argument)
{
	pthread_mutex_lock(argument);
}

int main(int count, char **arguments)
{
	if (count != 2)
		return 64;
	pthread_mutex_lock(&lock);
	plant_asleep(&planted, arguments[1], lock_mutex, &lock);
	plant_done();
}
