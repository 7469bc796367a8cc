/* heap_churn THREADS: allocates and frees without end, each thread for itself and for the others;
 * with 0 threads the main thread alone does. A snapshot finds its heap in the middle of a call.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "truth.h"

#include <stdatomic.h>

#define SLOTS 4096

static void *_Atomic slots[SLOTS];

static void *churn(void *argument)
{
	uint64_t random = (uintptr_t)argument * 2654435761u + 1;
	for (;;) {
		random = random * 6364136223846793005u + 1442695040888963407u;
		size_t size = random >> 33 & 63 ? random >> 40 & 1023 : random >> 36 & 65535;
		void *mine = malloc(size);
		memset(mine, (int)random, size);
		free(atomic_exchange(&slots[random >> 52], mine));
	}
	return NULL;
}

int main(int argc, char **argv)
{
	int threads = argc > 1 ? atoi(argv[1]) : 0;
	pthread_t id;
	for (int i = 0; i < threads; i++)
		pthread_create(&id, NULL, churn, (void *)(uintptr_t)(i + 1));
	truth_ready();
	if (threads == 0)
		churn(NULL);
	for (;;)
		pause();
}
