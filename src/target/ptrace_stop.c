/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "target/ptrace_stop.h"

#include "target/live_threads.h"

#include <elf.h>
#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>

#define MICROSECONDS 1000000
#define NANOSECONDS  1000000000

/* How long the rest of the process is held for threads that all stay in D state: those that began
 * that sleep while they were told to stop, and those that were found in it (the parent of a vfork,
 * a file system that does not answer), which will hardly end it now. */
#define LET_GO_US	   3 /* for a thread to be detached: 3 ms for 1,000 threads were seen */
#define PATIENCE_US	   500000
#define PATIENCE_BEFORE_US 100000

/* What it takes to detach a thread: 3 ms for 1,000 threads were seen. */
#define LET_GO_US 3

/* How long a stop may take until a tie with exec is suspected. */
#define TIE_NS 200000000

/* The extended registers are 2.7 KB with AVX-512 and 11 KB with AMX. */
#define EXTENDED_MAX 65536

enum tracee_state {
	TRACEE_NEW,
	TRACEE_SEIZED, /* told to stop */
	TRACEE_STOPPED,
	TRACEE_STUCK, /* did not stop in time */
	TRACEE_GONE,
};

struct tracee {
	enum tracee_state state;
	int signal;	   /* that it was about to handle; 0: none */
	uint8_t *extended; /* registers */
	struct target_thread thread;
};

struct ptrace_stop {
	int32_t pid;
	bool inner;	      /* it has a PID namespace of its own */
	uint64_t deadline_us; /* on the clock of now_us */
	struct ptrace_stop_limit limit;
	_Atomic bool cut_short;
	sigset_t signals; /* of the caller, before those of job control were held back */
	uint64_t start_us, end_us;
	ARRAY(struct tracee) tracees; /* in the order in which they were found */
	uint8_t *buffer;	      /* EXTENDED_MAX bytes to read registers into */
	struct error *error;
	pthread_t tracer;
	bool ended;
	sem_t stopped, end;
};

static uint64_t now_us(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * MICROSECONDS + (uint64_t)now.tv_nsec / 1000;
}

static void sleep_us(uint64_t duration)
{
	struct timespec time = { .tv_nsec = (long)duration * 1000 };
	nanosleep(&time, NULL);
}

static struct proc_task task_of(const struct ptrace_stop *stop, const struct tracee *tracee)
{
	return (struct proc_task){ stop->pid, tracee->thread.tid };
}

static bool is_known(const struct ptrace_stop *stop, int32_t tid)
{
	for (size_t i = stop->tracees.count; i-- > 0;)
		if (stop->tracees.items[i].thread.tid == tid &&
		    stop->tracees.items[i].state != TRACEE_GONE)
			return true;
	return false;
}

static bool has_ended(struct proc_task task, struct proc_stat *stat)
{
	return !proc_read_stat(task, stat) || stat->state == 'Z' || stat->state == 'X';
}

/* Adds a thread with what /proc tells of it: much of that only while it runs, and all of it before
 * anything is stopped, as it takes longer than the stop. False when memory is exhausted. */
static bool add_thread(struct ptrace_stop *stop, int32_t tid)
{
	struct tracee tracee = { 0 };
	return !live_thread_describe((struct proc_task){ stop->pid, tid }, stop->inner,
				     &tracee.thread) ||
	       array_push(&stop->tracees, tracee);
}

/* Adds the threads that are not known yet to the end. */
static struct error *add_new_threads(struct ptrace_stop *stop)
{
	proc_tids tids = { 0 };
	struct error *error = NULL;
	/* A process that is gone has no new threads. */
	if (!proc_list_threads(stop->pid, &tids) && errno == ENOMEM)
		error = error_no_memory();
	size_t expected = 0, known = stop->tracees.count;
	for (size_t i = 0; i < tids.count && error == NULL; i++) {
		/* The kernel lists threads in the order of their creation, so that a known one is
		 * mostly the next; else it is looked for. */
		while (expected < known && stop->tracees.items[expected].state == TRACEE_GONE)
			expected++;
		if (expected < known && stop->tracees.items[expected].thread.tid == tids.items[i])
			expected++;
		else if (!is_known(stop, tids.items[i]) && !add_thread(stop, tids.items[i]))
			error = error_no_memory();
	}
	array_free(&tids);
	return error;
}

/* Begins to trace a thread. A refusal may pass: a thread on its way through exec is refused while
 * the kernel gives it the process's id. Returns 0 or errno. */
static int seize_thread(const struct tracee *tracee)
{
	for (int attempt = 0;; attempt++) {
		if (ptrace(PTRACE_SEIZE, tracee->thread.tid, NULL, NULL) == 0)
			return 0;
		if (errno != EPERM || attempt == 5)
			return errno;
		sleep_us(200);
	}
}

/* Tells the threads from index `first` on to stop. */
static struct error *seize(struct ptrace_stop *stop, size_t first)
{
	for (size_t i = first; i < stop->tracees.count; i++) {
		struct tracee *tracee = &stop->tracees.items[i];
		struct proc_stat stat;
		int reason = seize_thread(tracee);
		if (reason == 0) {
			tracee->state = TRACEE_SEIZED;
			continue;
		}
		if (reason != ESRCH && !has_ended(task_of(stop, tracee), &stat))
			return error_os(reason, "cannot trace thread %" PRId32, tracee->thread.tid);
		tracee->state = TRACEE_GONE;
	}
	/* In a second pass, so that the threads stop at about the same time. One that has stopped
	 * already, or has ended, may refuse; the wait finds out. */
	for (size_t i = first; i < stop->tracees.count; i++)
		if (stop->tracees.items[i].state == TRACEE_SEIZED)
			ptrace(PTRACE_INTERRUPT, stop->tracees.items[i].thread.tid, NULL, NULL);
	return NULL;
}

static bool is_stop(const siginfo_t *info)
{
	return info->si_code == CLD_TRAPPED || info->si_code == CLD_STOPPED;
}

/* What the kernel has to report of a thread, which is left to be reported again: .si_pid is 0 when
 * that is nothing. Stops are reported whether they are asked for or not. False: it is not traced
 * by us any more. */
static bool peek(const struct tracee *tracee, siginfo_t *info)
{
	*info = (siginfo_t){ .si_pid = 0 };
	return waitid(P_PID, (id_t)tracee->thread.tid, info,
		      WSTOPPED | WEXITED | WNOHANG | WNOWAIT | __WALL) == 0 ||
	       errno != ECHILD;
}

/* A thread that ended while it was traced stays until its end is taken note of. The main thread's
 * end is left to the process's parent, which may be us: the end of the tracer hands it over. */
static void reap(const struct ptrace_stop *stop, const struct tracee *tracee)
{
	siginfo_t info;
	if (tracee->thread.tid != stop->pid && peek(tracee, &info) && info.si_pid != 0 &&
	    !is_stop(&info))
		waitid(P_PID, (id_t)tracee->thread.tid, &info, WEXITED | WNOHANG | __WALL);
}

/* Looks whether a thread that was told to stop has done so, or has ended. */
static void look_at(const struct ptrace_stop *stop, struct tracee *tracee)
{
	siginfo_t info;
	if (!peek(tracee, &info)) {
		tracee->state = TRACEE_GONE;
	} else if (info.si_pid == 0) {
		return;
	} else if (is_stop(&info)) {
		tracee->state = TRACEE_STOPPED;
		/* Without an event in the upper byte the thread is about to handle a signal. */
		tracee->signal = info.si_status >> 8 == 0 ? info.si_status & 0x7f : 0;
	} else {
		tracee->state = TRACEE_GONE;
		reap(stop, tracee);
	}
}

/* Looks at the threads from `first` on; returns how many are still to stop. `*patience_us`: how
 * long these are waited for if they stay as they are; 0 when one of them is not in D state. */
static size_t look_at_all(struct ptrace_stop *stop, size_t first, uint64_t *patience_us)
{
	size_t pending = 0;
	*patience_us = PATIENCE_BEFORE_US;
	for (size_t i = first; i < stop->tracees.count; i++) {
		struct tracee *tracee = &stop->tracees.items[i];
		if (tracee->state == TRACEE_SEIZED)
			look_at(stop, tracee);
		if (tracee->state != TRACEE_SEIZED)
			continue;
		struct proc_stat stat;
		pending++;
		if (!proc_read_stat(task_of(stop, tracee), &stat) || stat.state != 'D')
			*patience_us = 0;
		else if (*patience_us != 0 && tracee->thread.state != 'D')
			*patience_us = PATIENCE_US;
	}
	return pending;
}

/* Waits for the threads from `first` on; those that do not stop become stuck. */
static void wait_for(struct ptrace_stop *stop, size_t first)
{
	uint64_t pause = 20, asleep_since = 0, patience;
	for (;;) {
		if (look_at_all(stop, first, &patience) == 0)
			return;
		uint64_t now = now_us();
		if (patience == 0)
			asleep_since = 0;
		else if (asleep_since == 0)
			asleep_since = now;
		if (now >= stop->deadline_us || (patience != 0 && now - asleep_since >= patience))
			break;
		sleep_us(pause);
		pause = pause < 2000 ? pause * 2 : pause;
	}
	for (size_t i = first; i < stop->tracees.count; i++)
		if (stop->tracees.items[i].state == TRACEE_SEIZED)
			stop->tracees.items[i].state = TRACEE_STUCK;
}

static bool may_have_address(int number)
{
	return number == SIGSEGV || number == SIGBUS || number == SIGILL || number == SIGFPE ||
	       number == SIGTRAP;
}

static void read_signal(struct tracee *tracee)
{
	siginfo_t info;
	struct target_signal *signal = &tracee->thread.signal;
	signal->number = tracee->signal;
	if (ptrace(PTRACE_GETSIGINFO, tracee->thread.tid, NULL, &info) != 0)
		return;
	signal->has_details = true;
	signal->code = info.si_code;
	if (may_have_address(info.si_signo) && info.si_code > 0)
		signal->address = (uint64_t)(uintptr_t)info.si_addr;
	if (info.si_code == SI_USER || info.si_code == SI_TKILL || info.si_code == SI_QUEUE)
		signal->sender = info.si_pid;
}

/* The size of the extended registers in stop->buffer; 0 when they cannot be read. */
static size_t read_extended(const struct ptrace_stop *stop, int32_t tid)
{
	struct iovec extended = { stop->buffer, EXTENDED_MAX };
#ifdef __x86_64__
	if (ptrace(PTRACE_GETREGSET, tid, NT_X86_XSTATE, &extended) == 0)
		return extended.iov_len;
#endif
	return ptrace(PTRACE_GETREGSET, tid, NT_PRFPREG, &extended) == 0 ? extended.iov_len : 0;
}

/* False when memory is exhausted. A thread that was killed meanwhile has no registers. */
static bool read_registers(struct ptrace_stop *stop, struct tracee *tracee)
{
	struct registers *registers = &tracee->thread.registers;
	int32_t tid = tracee->thread.tid;
	struct iovec general = { registers->general, sizeof registers->general };
	if (ptrace(PTRACE_GETREGSET, tid, NT_PRSTATUS, &general) != 0)
		return true;
	registers->general_size = (uint32_t)general.iov_len;

	size_t size = read_extended(stop, tid);
	if (size == 0)
		return true;
	tracee->extended = malloc(size);
	if (tracee->extended == NULL)
		return false;
	memcpy(tracee->extended, stop->buffer, size);
	registers->extended = tracee->extended;
	registers->extended_size = (uint32_t)size;
	return true;
}

static struct error *read_stopped(struct ptrace_stop *stop)
{
	for (size_t i = 0; i < stop->tracees.count; i++) {
		struct tracee *tracee = &stop->tracees.items[i];
		if (tracee->state != TRACEE_STOPPED)
			continue;
		tracee->thread.stopped = true;
		if (!read_registers(stop, tracee))
			return error_no_memory();
		if (tracee->thread.registers.general_size == 0)
			look_at(stop, tracee); /* it may be gone */
		if (tracee->signal != 0)
			read_signal(tracee);
	}
	return NULL;
}

static size_t threads_left(const struct ptrace_stop *stop)
{
	size_t left = 0;
	for (size_t i = 0; i < stop->tracees.count; i++)
		left += stop->tracees.items[i].state != TRACEE_GONE;
	return left;
}

/* Whether the kernel counts more threads than are known, or may do so. As the known ones are
 * stopped, the rest can only be new, or a main thread that has ended. */
static bool may_have_more(const struct ptrace_stop *stop)
{
	struct proc_stat stat;
	return !proc_read_stat((struct proc_task){ stop->pid, stop->pid }, &stat) ||
	       stat.threads != threads_left(stop);
}

static struct error *stop_all(struct ptrace_stop *stop)
{
	size_t first;
	do {
		first = stop->tracees.count;
		struct error *error = add_new_threads(stop);
		if (stop->start_us == 0)
			stop->start_us = now_us();
		if (error == NULL)
			error = seize(stop, first);
		if (error != NULL)
			return error;
		wait_for(stop, first);
	} while (stop->tracees.count > first && may_have_more(stop) &&
		 now_us() < stop->deadline_us);
	return read_stopped(stop);
}

static void let_go(struct ptrace_stop *stop)
{
	for (size_t i = 0; i < stop->tracees.count; i++) {
		struct tracee *tracee = &stop->tracees.items[i];
		if (tracee->state == TRACEE_SEIZED || tracee->state == TRACEE_STUCK)
			look_at(stop, tracee); /* it may have stopped since, with a signal */
		if (tracee->state == TRACEE_NEW || tracee->state == TRACEE_GONE)
			continue;
		/* Refused for one that did not stop (the end of the tracer lets it go), and for one
		 * that was killed. */
		uintptr_t signal = (uintptr_t)tracee->signal;
		if (ptrace(PTRACE_DETACH, tracee->thread.tid, NULL, signal) != 0)
			reap(stop, tracee);
	}
	stop->end_us = now_us();
}

static struct timespec in_future(uint64_t nanoseconds)
{
	struct timespec until;
	clock_gettime(CLOCK_REALTIME, &until);
	nanoseconds += (uint64_t)until.tv_nsec;
	until.tv_sec += (time_t)(nanoseconds / NANOSECONDS);
	until.tv_nsec = (long)(nanoseconds % NANOSECONDS);
	return until;
}

/* How long the stop may last before its threads are let go: each of them takes its time, which
 * belongs to the pause. 0: no bound. */
static uint64_t bound_us(const struct ptrace_stop *stop)
{
	const uint64_t bound = (uint64_t)stop->limit.max_pause_ms * 1000;
	const uint64_t letting_go = LET_GO_US * stop->tracees.count;
	return bound - (letting_go < bound / 2 ? letting_go : bound / 2);
}

/* Waits for the stop's end, or for its bound. All signals are blocked here, but a debugger of ours
 * may still interrupt the wait. */
static void await_end(struct ptrace_stop *stop)
{
	const uint64_t bound = bound_us(stop);
	for (;;) {
		uint64_t passed = now_us() - stop->start_us;
		if (bound == 0) {
			if (sem_wait(&stop->end) == 0)
				return;
			continue;
		}
		if (passed >= bound)
			break;
		struct timespec until = in_future((bound - passed) * 1000);
		if (sem_timedwait(&stop->end, &until) == 0)
			return;
	}
	stop->cut_short = true;
	stop->limit.cut_short(stop->limit.context);
}

static void *trace(void *context)
{
	struct ptrace_stop *stop = context;
	stop->error = stop_all(stop);
	sem_post(&stop->stopped);
	if (stop->error == NULL)
		await_end(stop);
	let_go(stop);
	return NULL;
}

/* Starts the tracer with all signals blocked, so that handlers run in the caller's threads. */
static int start_tracer(struct ptrace_stop *stop)
{
	sigset_t all, before;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	int reason = pthread_create(&stop->tracer, NULL, trace, stop);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return reason;
}

/* Takes note of threads that ended while they were traced. */
static void reap_ended(int32_t pid)
{
	proc_tids tids = { 0 };
	proc_list_threads(pid, &tids);
	for (size_t i = 0; i < tids.count; i++) {
		struct proc_stat stat;
		siginfo_t info;
		if (tids.items[i] != pid &&
		    proc_read_stat((struct proc_task){ pid, tids.items[i] }, &stat) &&
		    stat.state == 'Z')
			waitid(P_PID, (id_t)tids.items[i], &info, WEXITED | WNOHANG | __WALL);
	}
	array_free(&tids);
}

/* A thread that runs exec kills the others and waits for their tracer to take note of it; the
 * tracer may wait in PTRACE_SEIZE for the exec to end. Any thread of ours may break that tie. */
static void await_stop(struct ptrace_stop *stop)
{
	for (;;) {
		struct timespec until = in_future(TIE_NS);
		if (sem_timedwait(&stop->stopped, &until) == 0)
			return;
		if (errno == ETIMEDOUT)
			reap_ended(stop->pid);
	}
}

/* While the process is held, nothing may hold us: Ctrl-Z, and writing to the terminal from the
 * background, wait until it runs on. */
static void hold_back_job_control(struct ptrace_stop *stop)
{
	sigset_t signals;
	sigemptyset(&signals);
	sigaddset(&signals, SIGTSTP);
	sigaddset(&signals, SIGTTIN);
	sigaddset(&signals, SIGTTOU);
	pthread_sigmask(SIG_BLOCK, &signals, &stop->signals);
}

struct error *ptrace_stop_process(int32_t pid, unsigned deadline_ms,
				  const struct ptrace_stop_limit *limit,
				  struct ptrace_stop **result)
{
	struct ptrace_stop *stop = calloc(1, sizeof *stop);
	if (stop == NULL)
		return error_no_memory();
	stop->pid = pid;
	stop->inner = live_other_namespace((struct proc_task){ pid, pid });
	if (limit != NULL)
		stop->limit = *limit;
	stop->deadline_us = now_us() + (uint64_t)deadline_ms * 1000;
	stop->ended = true;
	sem_init(&stop->stopped, 0, 0);
	sem_init(&stop->end, 0, 0);
	stop->buffer = malloc(EXTENDED_MAX);
	struct error *error = NULL;
	if (stop->buffer == NULL) {
		error = error_no_memory();
		goto out;
	}
	hold_back_job_control(stop);
	int reason = start_tracer(stop);
	if (reason != 0) {
		pthread_sigmask(SIG_SETMASK, &stop->signals, NULL);
		error = error_os(reason, "cannot start the tracing thread");
		goto out;
	}
	stop->ended = false;
	await_stop(stop);
	error = stop->error;
	if (error == NULL && threads_left(stop) == 0)
		error = error_new(ERROR_NOT_FOUND, "process %" PRId32 " has ended", pid);
out:
	if (error != NULL)
		ptrace_stop_free(stop);
	else
		*result = stop;
	return error;
}

bool ptrace_stop_threads(const struct ptrace_stop *stop, struct target *target)
{
	for (size_t i = 0; i < stop->tracees.count; i++) {
		const struct tracee *tracee = &stop->tracees.items[i];
		struct target_thread thread = tracee->thread;
		if (tracee->state == TRACEE_GONE)
			continue;
		if (tracee->state == TRACEE_STUCK)
			live_thread_describe_stuck(task_of(stop, tracee), target->arch, &thread);
		if (!array_push(&target->threads, thread))
			return false;
	}
	return true;
}

uint64_t ptrace_stop_end(struct ptrace_stop *stop)
{
	if (!stop->ended) {
		sem_post(&stop->end);
		pthread_join(stop->tracer, NULL);
		stop->ended = true;
		pthread_sigmask(SIG_SETMASK, &stop->signals, NULL);
	}
	return stop->end_us - stop->start_us;
}

bool ptrace_stop_is_over(struct ptrace_stop *stop)
{
	const uint64_t bound = bound_us(stop);
	if (!stop->ended && bound > 0 && now_us() - stop->start_us >= bound)
		stop->cut_short = true;
	return stop->cut_short;
}

bool ptrace_stop_cut_short(const struct ptrace_stop *stop)
{
	return stop->cut_short;
}

void ptrace_stop_free(struct ptrace_stop *stop)
{
	if (stop == NULL)
		return;
	ptrace_stop_end(stop);
	for (size_t i = 0; i < stop->tracees.count; i++)
		free(stop->tracees.items[i].extended);
	array_free(&stop->tracees);
	free(stop->buffer);
	sem_destroy(&stop->stopped);
	sem_destroy(&stop->end);
	free(stop);
}
