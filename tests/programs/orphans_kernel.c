/* Chunks that nothing in memory points to, but the kernel does: registered with an epoll, or with a
 * timer. Truth, one line each:
 *     {"kernel":"0x…","size":N,"text":"…"}   what corescan calls the place, of a live process
 * Chunks whose last pointer is in the array of a thread that waits in epoll_wait, at places that
 * are aligned and not, since events are packed on x86:
 *     {"event":"0x…","size":N,"tid":T}
 * And chunks that once were registered, but are not any more:
 *     {"orphan":"0x…","size":N,"why":"…"}
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "truth.h"

#include <signal.h>
#include <sys/epoll.h>
#include <time.h>

#define SIZE   72
#define EVENTS 4

static void *chunk(void)
{
	void *bytes = malloc(SIZE);
	memset(bytes, 0x11, SIZE);
	return bytes;
}

/* A pipe: one end to watch, one to write to. */
struct ends {
	int watched, other;
};

static struct ends ends(void)
{
	int fds[2];
	if (pipe(fds) != 0)
		abort();
	return (struct ends){ fds[0], fds[1] };
}

static void watch(int epoll, int fd, void *pointer)
{
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = pointer };
	if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) != 0)
		abort();
	explicit_bzero(&event, sizeof event);
}

__attribute__((noinline)) static void plant_registered(int epoll, size_t offset)
{
	int fd = ends().watched;
	char *bytes = chunk();
	truth("{\"kernel\":\"%p\",\"size\":%d,\"text\":\"held by the kernel: epoll fd %d's "
	      "registration of fd %d\"}",
	      bytes, SIZE, epoll, fd);
	watch(epoll, fd, bytes + offset);
}

__attribute__((noinline)) static void plant_removed(int epoll)
{
	int fd = ends().watched;
	void *bytes = chunk();
	truth("{\"orphan\":\"%p\",\"size\":%d,\"why\":\"registered once\"}", bytes, SIZE);
	watch(epoll, fd, bytes);
	epoll_ctl(epoll, EPOLL_CTL_DEL, fd, NULL);
}

__attribute__((noinline)) static void plant_timer(int number)
{
	timer_t timer;
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1 };
	event.sigev_value.sival_ptr = chunk();
	if (timer_create(CLOCK_MONOTONIC, &event, &timer) != 0)
		abort();
	truth("{\"kernel\":\"%p\",\"size\":%d,\"text\":\"held by the kernel: sigev_value of POSIX "
	      "timer %d\"}",
	      event.sigev_value.sival_ptr, SIZE, number);
	explicit_bzero(&event, sizeof event);
}

/* Watches pipes that have something to read, until all their events have come at once. */
__attribute__((noinline)) static void plant_events(int epoll, struct ends pipes[EVENTS])
{
	for (int i = 0; i < EVENTS; i++) {
		void *bytes = chunk();
		pipes[i] = ends();
		truth("{\"event\":\"%p\",\"size\":%d,\"tid\":%d}", bytes, SIZE, truth_tid());
		watch(epoll, pipes[i].watched, bytes);
		if (write(pipes[i].other, "x", 1) != 1)
			abort();
	}
}

static pthread_barrier_t planted;

static void *wait_for_events(void *unused)
{
	struct epoll_event events[EVENTS] = { 0 };
	struct ends pipes[EVENTS];
	int epoll = epoll_create1(0);
	plant_events(epoll, pipes);
	if (epoll_wait(epoll, events, EVENTS, -1) != EVENTS)
		abort();
	for (int i = 0; i < EVENTS; i++)
		epoll_ctl(epoll, EPOLL_CTL_DEL, pipes[i].watched, NULL);
	truth_wipe_stack();
	pthread_barrier_wait(&planted);
	for (;;)
		epoll_wait(epoll, events, EVENTS, -1);
	return unused;
}

int main(void)
{
	pthread_t thread;
	int epoll = epoll_create1(0);
	pthread_barrier_init(&planted, NULL, 2);
	pthread_create(&thread, NULL, wait_for_events, NULL);
	for (int i = 0; i < 20; i++)
		plant_registered(epoll, 0);
	plant_registered(epoll, 1); /* with a tag */
	plant_removed(epoll);
	plant_timer(0);
	plant_timer(1);
	pthread_barrier_wait(&planted);
	truth_wipe_stack();
	truth_ready();
	for (;;)
		pause();
	return 0;
}
