/* waits_sleeps [plain]: a thread for every way to sleep, to wait for a child, for a signal, and on
 * System V's objects. With "plain" none whose stack glibc 2.31 lets nobody walk by SP alone.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "waits_truth.h"

#include <aio.h>
#include <signal.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/wait.h>

static struct planted planted[64];
static size_t used;

static int plant(const char *name, void (*run)(void *), void *argument)
{
	return plant_asleep(&planted[used++], name, run, argument);
}

static void tell(const char *wait, int tid, const char *detail, long long timeout_ns, int target)
{
	truth("{\"wait\":\"%s\",\"tid\":%d,\"detail\":\"%s\",\"timeout_ns\":%lld,\"target\":%d}",
	      wait, tid, detail, timeout_ns, target);
}

#define SECOND 1000000000LL

static void run_nanosleep(void *argument)
{
	(void)argument;
	nanosleep(&(struct timespec){ .tv_sec = 5000, .tv_nsec = 250000000 }, NULL);
}

static void run_sleep(void *argument)
{
	(void)argument;
	sleep(6000);
}

static void run_usleep(void *argument)
{
	(void)argument;
	usleep(4000U * 1000 * 1000);
}

static void run_absolute(void *argument)
{
	(void)argument;
	struct timespec until = plant_tomorrow(CLOCK_REALTIME);
	clock_nanosleep(CLOCK_REALTIME, TIMER_ABSTIME, &until, NULL);
}

static void run_waitpid(void *argument)
{
	waitpid(*(pid_t *)argument, NULL, 0);
}

static void run_wait(void *argument)
{
	(void)argument;
	wait(NULL);
}

static void run_waitid(void *argument)
{
	siginfo_t info;
	waitid(P_PID, (id_t) * (pid_t *)argument, &info, WEXITED);
}

static void run_pause(void *argument)
{
	(void)argument;
	pause();
}

static void run_sigsuspend(void *argument)
{
	(void)argument;
	sigset_t set;
	sigfillset(&set);
	sigsuspend(&set);
}

static void run_sigwait(void *argument)
{
	(void)argument;
	sigset_t set;
	int number;
	sigemptyset(&set);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGUSR2);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	sigwait(&set, &number);
}

static void run_sigtimedwait(void *argument)
{
	(void)argument;
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	while (sigtimedwait(&set, NULL, &(struct timespec){ .tv_sec = 7000 }) < 0 && errno == EINTR)
		continue;
}

static void run_sigwaitinfo(void *argument)
{
	(void)argument;
	sigset_t set;
	siginfo_t info;
	sigemptyset(&set);
	sigaddset(&set, SIGALRM);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	while (sigwaitinfo(&set, &info) < 0 && errno == EINTR)
		continue;
}

static void run_wait_group(void *argument)
{
	(void)argument;
	waitpid(0, NULL, 0);
}

static void run_wait_pidfd(void *argument)
{
	siginfo_t info;
	waitid((idtype_t)3, (id_t) * (int *)argument, &info, WEXITED);
}

static void run_until_uptime(void *argument)
{
	(void)argument;
	struct timespec until = plant_tomorrow(CLOCK_MONOTONIC);
	clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL);
}

static int semaphores, queue, full_queue;

static void run_msgsnd(void *argument)
{
	(void)argument;
	struct {
		long type;
		char text[4096];
	} message = { .type = 1 };
	for (;;)
		msgsnd(full_queue, &message, sizeof message.text, 0);
}

static void run_semop(void *argument)
{
	(void)argument;
	struct sembuf operation = { .sem_num = 1, .sem_op = -2 };
	while (semop(semaphores, &operation, 1) < 0 && errno == EINTR)
		continue;
}

static void run_semtimedop(void *argument)
{
	(void)argument;
	struct sembuf operation = { .sem_num = 0, .sem_op = -1 };
	while (semtimedop(semaphores, &operation, 1, &(struct timespec){ .tv_sec = 3000 }) < 0 &&
	       errno == EINTR)
		continue;
}

static void run_msgrcv(void *argument)
{
	(void)argument;
	struct {
		long type;
		char text[8];
	} message;
	msgrcv(queue, &message, sizeof message.text, 42, 0);
}

static struct aiocb request;

static void run_aio_suspend(void *argument)
{
	(void)argument;
	const struct aiocb *list[] = { &request };
	while (aio_suspend(list, 1, NULL) < 0 && errno == EINTR)
		continue;
}

static pid_t start_child(void)
{
	pid_t child = fork();
	if (child < 0)
		abort();
	if (child == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;)
			pause();
	}
	return child;
}

static void plant_sleeps_and_signals(void)
{
	tell("sleep", plant("nanosleep", run_nanosleep, NULL), "", 5000 * SECOND + SECOND / 4, 0);
	tell("sleep", plant("sleep", run_sleep, NULL), "left", -1, 0);
	tell("sleep", plant("usleep", run_usleep, NULL), "", 4000 * SECOND, 0);
	tell("sleep", plant("absolute", run_absolute, NULL), "", -1, 0);
	tell("signal", plant("pause", run_pause, NULL), "", -1, 0);
	tell("signal", plant("sigsuspend", run_sigsuspend, NULL), "", -1, 0);
	tell("signal", plant("sigwait", run_sigwait, NULL), "SIGHUP, SIGUSR2", -1, 0);
	tell("signal", plant("sigtimedwait", run_sigtimedwait, NULL), "SIGUSR1", 7000 * SECOND, 0);
	tell("signal", plant("sigwaitinfo", run_sigwaitinfo, NULL), "SIGALRM", -1, 0);
	tell("sleep", plant("uptime", run_until_uptime, NULL), "", -1, 0);
}

static void plant_children(void)
{
	static pid_t child;
	child = start_child();
	tell("child", plant("waitpid", run_waitpid, &child), "", -1, child);
	tell("child", plant("wait", run_wait, NULL), "", -1, -1);
	tell("child", plant("waitid", run_waitid, &child), "", -1, child);
	tell("child", plant("wait group", run_wait_group, NULL), "of the caller's process group",
	     -1, -1);
	static int pidfd;
	pidfd = (int)syscall(434, child, 0); /* pidfd_open */
	if (pidfd >= 0)
		truth("{\"wait\":\"child\",\"tid\":%d,\"fd\":%d,\"pidfd_of\":%d}",
		      plant("wait pidfd", run_wait_pidfd, &pidfd), pidfd, child);
}

static void plant_system_v(void)
{
	char detail[80];
	semaphores = semget(IPC_PRIVATE, 2, 0600);
	queue = msgget(IPC_PRIVATE, 0600);
	full_queue = msgget(IPC_PRIVATE, 0600);
	if (semaphores < 0 || queue < 0 || full_queue < 0)
		abort();
	/* Whoever wakes the child up at this process's end removes them. */
	pid_t parent = getpid();
	if (fork() == 0) {
		prctl(PR_SET_PDEATHSIG, SIGTERM);
		sigset_t set;
		int number;
		sigemptyset(&set);
		sigaddset(&set, SIGTERM);
		sigprocmask(SIG_BLOCK, &set, NULL);
		if (getppid() == parent)
			sigwait(&set, &number);
		semctl(semaphores, 0, IPC_RMID);
		msgctl(queue, IPC_RMID, NULL);
		msgctl(full_queue, IPC_RMID, NULL);
		_exit(0);
	}
	snprintf(detail, sizeof detail, "semaphore set %d, semaphore 1 by -2", semaphores);
	tell("System V IPC", plant("semop", run_semop, NULL), detail, -1, 0);
	snprintf(detail, sizeof detail, "semaphore set %d, semaphore 0 by -1", semaphores);
	tell("System V IPC", plant("semtimedop", run_semtimedop, NULL), detail, 3000 * SECOND, 0);
	snprintf(detail, sizeof detail, "message queue %d, receive type 42", queue);
	tell("System V IPC", plant("msgrcv", run_msgrcv, NULL), detail, -1, 0);
	snprintf(detail, sizeof detail, "message queue %d, send", full_queue);
	tell("System V IPC", plant("msgsnd", run_msgsnd, NULL), detail, -1, 0);
}

/* Lists of requests that are waited for as a whole. */

static void run_lio_listio(void *argument)
{
	struct aiocb *list[] = { argument };
	lio_listio(LIO_WAIT, list, 1, NULL);
}

static void plant_asynchronous_io(bool plain)
{
	static char byte;
	int ends[2];
	if (pipe(ends) != 0)
		abort();
	request = (struct aiocb){ .aio_fildes = ends[0], .aio_buf = &byte, .aio_nbytes = 1 };
	if (aio_read(&request) != 0)
		abort();
	tell("I/O", plant("aio_suspend", run_aio_suspend, NULL), "aio_suspend", -1, 0);
	if (plain)
		return;
	static struct aiocb listed;
	listed = request;
	listed.aio_lio_opcode = LIO_READ;
	tell("I/O", plant("lio_listio", run_lio_listio, &listed), "lio_listio", -1, 0);
}

int main(int count, char **arguments)
{
	(void)arguments;
	plant_sleeps_and_signals();
	plant_children();
	plant_system_v();
	plant_asynchronous_io(count > 1);
	plant_done();
}
