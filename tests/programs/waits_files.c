/* Who is held up by locks on files: by another process's, and by those that the process holds
 * itself through another descriptor, for which the kernel looks for no deadlock.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "waits_truth.h"

#include <sys/file.h>
#include <signal.h>

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static int files[2][2]; /* two files, each opened twice */
static struct planted planted[8];

static void check(int result)
{
	if (result < 0)
		abort();
}

static void open_files(void)
{
	for (int i = 0; i < 2; i++) {
		char path[] = "/tmp/waits-files-XXXXXX";
		check(files[i][0] = mkstemp(path));
		check(files[i][1] = open(path, O_RDWR));
		check(unlink(path));
	}
}

static void run_flock(void *argument)
{
	check(flock(*(int *)argument, LOCK_EX));
}

static void run_locked_flock(void *argument)
{
	pthread_mutex_lock(&mutex);
	run_flock(argument);
}

static void run_mutex(void *argument)
{
	pthread_mutex_lock(argument);
}

/* Locks its own file, and then waits for the other's. */
static void run_crosswise(void *argument)
{
	int own = *(int *)argument;
	check(flock(files[own][0], LOCK_EX));
	sleep(1);
	check(flock(files[1 - own][1], LOCK_EX));
}

/* A child that locks the first file until this process ends. */
static pid_t lock_in_child(void)
{
	int ready[2];
	char byte, path[64];
	snprintf(path, sizeof path, "/proc/self/fd/%d", files[0][0]);
	check(pipe(ready));
	pid_t child = fork();
	check(child);
	if (child == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		int fd = open(path, O_RDWR);
		check(flock(fd, LOCK_EX));
		check((int)write(ready[1], "x", 1));
		for (;;)
			pause();
	}
	check((int)read(ready[0], &byte, 1));
	return child;
}

static void plant_convoy(void)
{
	pid_t child = lock_in_child();
	plant_asleep(&planted[0], "locked", run_locked_flock, &files[0][0]);
	for (int i = 1; i < 4; i++)
		plant_asleep(&planted[i], "flock", run_flock, &files[0][i % 2]);
	for (int i = 4; i < 6; i++)
		plant_asleep(&planted[i], "mutex", run_mutex, &mutex);
	truth("{\"head_state\":\"process\",\"head\":0,\"process\":%d,\"count\":6}", child);
	plant_done();
}

static void plant_chain(void)
{
	pid_t child = lock_in_child();
	int tid = plant_asleep(&planted[0], "locked", run_locked_flock, &files[0][0]);
	for (int i = 1; i < 3; i++)
		plant_asleep(&planted[i], "mutex", run_mutex, &mutex);
	truth("{\"head_state\":\"thread\",\"head\":%d,\"process\":%d,\"count\":2}", tid, child);
	plant_done();
}

static void plant_crosswise(bool at_work)
{
	static int numbers[2] = { 0, 1 };
	for (int i = 0; i < 2; i++)
		plant_start(&planted[i], "crosswise", run_crosswise, &numbers[i]);
	sleep(2);
	if (at_work)
		plant_done(); /* a thread that may do anything: nothing is suspected */
	truth("{\"suspicion\":\"stall\",\"count\":3}");
	truth_ready();
	pthread_join(planted[0].thread, NULL);
}

static void plant_own(void)
{
	check(flock(files[0][0], LOCK_EX));
	truth("{\"suspicion\":\"stall\",\"count\":1,\"through\":%d}", files[0][0]);
	truth_ready();
	check(flock(files[0][1], LOCK_EX));
}

/* A lock of an open file stands in the way of the process's own, too. */
static void plant_mixed(void)
{
	struct flock lock = { .l_type = F_WRLCK, .l_start = 100, .l_len = 28 };
	check(fcntl(files[0][0], F_OFD_SETLK, &lock));
	truth("{\"suspicion\":\"stall\",\"count\":1,\"through\":%d}", files[0][0]);
	truth_ready();
	check(fcntl(files[0][1], F_SETLKW, &lock));
}

/* Two processes, each with a file locked that the other waits for. */
static void plant_two(void)
{
	char path[64];
	pid_t child;
	int ready[2];
	char byte;
	snprintf(path, sizeof path, "/proc/self/fd/%d", files[0][0]);
	check(flock(files[1][0], LOCK_EX));
	check(pipe(ready));
	check(child = fork());
	if (child == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		int own = open(path, O_RDWR);
		snprintf(path, sizeof path, "/proc/self/fd/%d", files[1][0]);
		int other = open(path, O_RDWR);
		check(flock(own, LOCK_EX));
		check((int)write(ready[1], "x", 1));
		check(flock(other, LOCK_EX));
	}
	check((int)read(ready[0], &byte, 1));
	sleep(1);
	truth("{\"waits_back\":%d}", child);
	truth_ready();
	check(flock(files[0][0], LOCK_EX));
}

int main(int count, char **arguments)
{
	const char *which = count > 1 ? arguments[1] : "";
	open_files();
	if (strcmp(which, "convoy") == 0)
		plant_convoy();
	else if (strcmp(which, "chain") == 0)
		plant_chain();
	else if (strcmp(which, "crosswise") == 0)
		plant_crosswise(false);
	else if (strcmp(which, "at work") == 0)
		plant_crosswise(true);
	else if (strcmp(which, "own") == 0)
		plant_own();
	else if (strcmp(which, "mixed") == 0)
		plant_mixed();
	else if (strcmp(which, "two") == 0)
		plant_two();
	return 1;
}
