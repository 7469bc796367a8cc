/* A thread for each wait that takes more than a descriptor to tell: the kernel's asynchronous I/O,
 * lockf from where the file stands, semaphores with names.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "waits_truth.h"

#include <linux/aio_abi.h>
#include <linux/io_uring.h>
#include <semaphore.h>
#include <signal.h>
#include <sys/inotify.h>

static struct planted planted[16];
static size_t used;

static int plant(const char *name, void (*run)(void *), void *argument)
{
	return plant_asleep(&planted[used++], name, run, argument);
}

static void check(int result)
{
	if (result < 0)
		abort();
}

/* What a core tells less of stands in `detail` as it does. */
static void tell(const char *wait, int tid, int fd, const char *detail, const char *live_detail)
{
	truth("{\"wait\":\"%s\",\"tid\":%d,\"fd\":%d,\"detail\":\"%s\",\"live_detail\":\"%s\"}",
	      wait, tid, fd, detail, live_detail);
}

/* --- asynchronous I/O */

static aio_context_t context;

static void run_events(void *argument)
{
	struct io_event event;
	while (syscall(SYS_io_getevents, context, 1, 1, &event, argument) < 0 && errno == EINTR)
		continue;
}

static void run_ring(void *argument)
{
	while (syscall(SYS_io_uring_enter, *(int *)argument, 0, 1, IORING_ENTER_GETEVENTS, NULL,
		       0) <= 0)
		continue;
}

static void plant_events(void)
{
	static struct timespec long_time = { .tv_sec = 6000 };
	static struct io_uring_params parameters;
	static int ring;
	char detail[80];
	check((int)syscall(SYS_io_setup, 4, &context));
	snprintf(detail, sizeof detail, "io_getevents of 1 at least, of context 0x%lx",
		 (unsigned long)context);
	tell("I/O", plant("io_getevents", run_events, NULL), -1, detail, "");
	truth("{\"wait\":\"I/O\",\"tid\":%d,\"detail\":\"io_getevents\",\"timeout_ns\":%ld}",
	      plant("io_getevents 2", run_events, &long_time), 6000000000000);
	ring = (int)syscall(SYS_io_uring_setup, 4, &parameters);
	if (ring >= 0) /* it may be forbidden */
		tell("I/O", plant("io_uring", run_ring, &ring), ring,
		     "io_uring_enter for 1 at least", "");
}

static void run_read(void *argument)
{
	char event[4096];
	check((int)read(*(int *)argument, event, sizeof event));
}

static void plant_watch(void)
{
	static int watch;
	check(watch = inotify_init1(0));
	check(inotify_add_watch(watch, "/proc/self", IN_DELETE_SELF));
	check(inotify_add_watch(watch, "/proc", IN_DELETE_SELF));
	truth("{\"wait\":\"read\",\"tid\":%d,\"fd\":%d,\"fd_name\":\"inotify, 2 watches\"}",
	      plant("inotify", run_read, &watch), watch);
}

/* --- lockf */

struct section {
	int fd;
	off_t length;
};

static void run_lockf(void *argument)
{
	struct section *section = argument;
	check(lockf(section->fd, F_LOCK, section->length));
}

/* A child that has locked the whole file, until this process ends. */
static pid_t lock_in_child(const char *path)
{
	int ready[2];
	char byte;
	check(pipe(ready));
	pid_t child = fork();
	check(child);
	if (child == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		int fd = open(path, O_RDWR);
		check(lockf(fd, F_LOCK, 0));
		check((int)write(ready[1], "x", 1));
		for (;;)
			pause();
	}
	check((int)read(ready[0], &byte, 1));
	return child;
}

static void plant_lockf(const char *path, pid_t child, off_t offset, off_t length,
			const char *detail, const char *live_detail)
{
	static struct section sections[4];
	static size_t next;
	struct section *section = &sections[next++];
	check(section->fd = open(path, O_RDWR));
	check((int)lseek(section->fd, offset, SEEK_SET));
	section->length = length;
	int tid = plant("lockf", run_lockf, section);
	truth("{\"wait\":\"file lock\",\"tid\":%d,\"fd\":%d,\"live_owner\":%d,\"detail\":\"%s\","
	      "\"live_detail\":\"%s\"}",
	      tid, section->fd, child, detail, live_detail);
}

static void plant_sections(void)
{
	char path[] = "/tmp/waits-events-XXXXXX";
	check(mkstemp(path));
	pid_t child = lock_in_child(path);
	plant_lockf(path, child, 100, 50, "", "fcntl write lock, bytes 100..149");
	plant_lockf(path, child, 120, -30, "", "fcntl write lock, bytes 90..119");
	plant_lockf(path, child, 7, 0, "", "fcntl write lock, bytes 7 to the end");
	check(unlink(path));
}

/* --- semaphores with names */

static void run_semaphore(void *argument)
{
	while (sem_wait(argument) < 0 && errno == EINTR)
		continue;
}

static void plant_semaphores(void)
{
	char name[40], live[64];
	snprintf(name, sizeof name, "/waits-events-%d", (int)getpid());
	sem_t *semaphore = sem_open(name, O_CREAT | O_EXCL, 0600, 0);
	if (semaphore == SEM_FAILED)
		abort();
	check(sem_unlink(name));
	tell("semaphore", plant("unlinked", run_semaphore, semaphore), -1, "a named semaphore",
	     "a named semaphore that was unlinked");
	semaphore = sem_open(name, O_CREAT | O_EXCL, 0600, 0);
	if (semaphore == SEM_FAILED)
		abort();
	snprintf(live, sizeof live, "a named semaphore: %s", name);
	tell("semaphore", plant("named", run_semaphore, semaphore), -1, "a named semaphore", live);
	truth("{\"semaphore\":\"%s\"}", name);
}

int main(void)
{
	plant_events();
	plant_watch();
	plant_sections();
	plant_semaphores();
	plant_done();
}
