/* A thread in state D: the parent of a vfork whose child waits. Meanwhile the main thread holds a
 * lock that another thread waits for.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "waits_truth.h"

#include <signal.h>
#include <sys/wait.h>

static struct planted planted[2];
pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

__attribute__((noinline)) static void run_vfork(void *argument)
{
#ifdef BY_FRAME_POINTER
	/* Its frame varies in size, so that its caller is found by a register. */
	volatile char room[argument == NULL ? 32 : 64];
	room[0] = 0;
	(void)room[0];
#else
	(void)argument;
#endif
	pid_t child = vfork();
	if (child == 0) {
		/* It has its parent's memory: nothing but system calls. */
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;)
			pause();
	}
	waitpid(child, NULL, 0);
}

static void run_lock(void *argument)
{
	pthread_mutex_lock(argument);
}

int main(void)
{
	pthread_mutex_lock(&lock);
	int waits = plant_asleep(&planted[0], "waits", run_lock, &lock);
	int forks = plant_start(&planted[1], "forks", run_vfork, NULL);
	plant_wait_asleep(forks);
	truth("{\"waits\":%d,\"forks\":%d,\"main\":%d}", waits, forks, truth_tid());
	plant_done();
}
