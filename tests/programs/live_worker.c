/* Threads at work in system calls that a stop lets go on as if nothing had been: none of them may
 * ever fail. Each counts its rounds in the file argv[1], an array of 64-bit words: first the
 * failures, then one word a thread.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#define _GNU_SOURCE
#include "truth.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <semaphore.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <time.h>

static _Atomic uint64_t *words;
static int pipes[2];
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t condition = PTHREAD_COND_INITIALIZER;
static sem_t handled;

static void check(int ok, const char *what)
{
	if (ok)
		return;
	words[0]++;
	truth("{\"failed\":\"%s: %s\"}", what, strerror(errno));
}

static void sleeping(void)
{
	struct timespec time = { 0, 1000000 };
	check(nanosleep(&time, NULL) == 0, "nanosleep");
}

static void polling(void)
{
	check(poll(NULL, 0, 2) == 0, "poll");
}

static void writing(void)
{
	char byte = 'x';
	check(write(pipes[1], &byte, 1) == 1, "write");
	sleeping();
}

static void reading(void)
{
	char byte = 0;
	check(read(pipes[0], &byte, 1) == 1 && byte == 'x', "read");
}

/* A stop ends epoll_wait early, with EINTR: nothing else may. */
static void watching(void)
{
	static int epoll = -1;
	struct epoll_event event;
	if (epoll < 0)
		epoll = epoll_create1(0);
	int count = epoll_wait(epoll, &event, 1, 2);
	check(count == 0 || (count < 0 && errno == EINTR), "epoll_wait");
}

static void waiting(void)
{
	struct timespec until;
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_nsec += 1000000;
	until.tv_sec += until.tv_nsec / 1000000000;
	until.tv_nsec %= 1000000000;
	pthread_mutex_lock(&mutex);
	check(pthread_cond_timedwait(&condition, &mutex, &until) == ETIMEDOUT, "condition");
	pthread_mutex_unlock(&mutex);
}

static void handle(int number)
{
	(void)number;
	sem_post(&handled);
}

/* Real-time signals are queued: each one has to arrive. */
static void signalling(void)
{
	check(pthread_kill(pthread_self(), SIGRTMIN) == 0, "pthread_kill");
	check(sem_trywait(&handled) == 0, "signal");
}

static void counting(void)
{
}

static void (*const work[])(void) = { sleeping, polling, writing,    reading,
				      watching, waiting, signalling, counting };

static void *run(void *number)
{
	size_t index = (size_t)number;
	for (;;) {
		work[index]();
		words[1 + index]++;
	}
	return NULL;
}

int main(int argc, char **argv)
{
	enum { COUNT = sizeof work / sizeof *work };
	int file = argc > 1 ? open(argv[1], O_RDWR | O_CREAT | O_TRUNC, 0600) : -1;
	if (file < 0 || ftruncate(file, 4096) != 0 || pipe(pipes) != 0)
		return 1;
	words = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
	if (words == MAP_FAILED)
		return 1;
	sem_init(&handled, 0, 0);
	signal(SIGRTMIN, handle);
	for (size_t i = 0; i < COUNT; i++) {
		pthread_t thread;
		pthread_create(&thread, NULL, run, (void *)i);
	}
	truth("{\"threads\":%d}", (int)COUNT);
	truth_ready();
	for (;;)
		pause();
}
