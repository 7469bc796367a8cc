/* The live back end, on children of this test. Each child does one thing, says so on a pipe, and
 * must go on as if nobody had looked.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "target/live_descriptors.h"
#include "target/live_file_locks.h"
#include "target/live_process.h"
#include "target/proc_descriptors.h"
#include "target/proc_files.h"
#include "target/target.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* What a child shares with the test. */
struct shared {
	_Atomic uint64_t count;	  /* goes up as long as the child runs */
	_Atomic uint64_t handled; /* signals */
	_Atomic int ready;
	_Atomic int go; /* set by the test */
	_Atomic int32_t tid;
	_Atomic uint64_t address;
	int pipe[2];
};

static struct shared *shared;

static void sleep_ms(long duration)
{
	struct timespec time = { duration / 1000, duration % 1000 * 1000000 };
	nanosleep(&time, NULL);
}

/* Forks a child that runs `work`, and waits until it has set shared->ready. */
static pid_t start(void (*work)(void))
{
	shared =
	    mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ck_assert_ptr_ne(shared, MAP_FAILED);
	ck_assert_int_eq(pipe(shared->pipe), 0);
	pid_t pid = fork();
	if (pid == 0) {
		/* Should the test fail, nothing is left behind. */
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		work();
		_exit(0);
	}
	ck_assert_int_gt(pid, 0);
	while (!shared->ready)
		sleep_ms(1);
	return pid;
}

static void end(pid_t pid)
{
	kill(pid, SIGKILL);
	ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
	close(shared->pipe[0]);
	close(shared->pipe[1]);
	munmap(shared, sizeof *shared);
}

static struct target *open_live(pid_t pid, struct gaps *gaps)
{
	struct target *target = NULL;
	struct error *error = target_open_live(pid, NULL, gaps, &target);
	ck_assert_msg(error == NULL, "%s", error != NULL ? error->message : "");
	return target;
}

static char state_of(pid_t pid)
{
	struct proc_stat stat;
	ck_assert(proc_read_stat((struct proc_task){ pid, pid }, &stat));
	return stat.state;
}

static int32_t tracer_of(pid_t pid)
{
	struct proc_status status;
	ck_assert(proc_read_status(pid, &status));
	return status.tracer;
}

static void count_in_a_loop(void)
{
	shared->ready = 1;
	for (;;)
		shared->count++;
}

static void check_counts_on(void)
{
	uint64_t before = shared->count;
	for (int i = 0; i < 5000 && shared->count == before; i++)
		sleep_ms(1);
	ck_assert_uint_gt(shared->count, before);
}

START_TEST(a_running_process_is_stopped_and_goes_on)
{
	pid_t pid = start(count_in_a_loop);
	struct gaps gaps = { 0 };
	struct target *target = open_live(pid, &gaps);
	uint64_t before = shared->count;
	sleep_ms(20);
	ck_assert_uint_eq(shared->count, before);
	ck_assert_int_eq(target->kind, TARGET_LIVE);
	ck_assert_int_eq(target->pid, pid);
	ck_assert_uint_eq(target->threads.count, 1);
	ck_assert(target->threads.items[0].stopped);
	ck_assert_int_eq(target->threads.items[0].state, 'R');
	const struct segment *code = address_space_find(
	    target->space, arch_pc(target->arch, &target->threads.items[0].registers));
	ck_assert_ptr_nonnull(code);
	ck_assert(code->permissions & SEGMENT_EXECUTE);
	ck_assert_uint_eq(gaps.list.count, 0);

	target_resume(target);
	ck_assert_uint_ge(target->paused_us, 20000);
	check_counts_on();
	ck_assert_int_eq(tracer_of(pid), 0);
	target_close(target);
	gaps_free(&gaps);
	end(pid);
}
END_TEST

static void sleep_long(void)
{
	shared->ready = 1;
	for (;;)
		pause();
}

START_TEST(memory_and_auxv_are_read)
{
	static char text[] = "written before the fork";
	pid_t pid = start(sleep_long);
	struct gaps gaps = { 0 };
	struct target *target = open_live(pid, &gaps);
	char read[sizeof text];
	struct error *error =
	    address_space_read(target->space, (uint64_t)(uintptr_t)text, read, sizeof read);
	ck_assert_ptr_null(error);
	ck_assert_str_eq(read, text);
	uint64_t page;
	ck_assert(target_auxv(target, 6 /* AT_PAGESZ */, &page));
	ck_assert_uint_eq(page, (uint64_t)sysconf(_SC_PAGESIZE));
	char *exe = realpath("/proc/self/exe", NULL);
	ck_assert_str_eq(target->exe, exe);
	free(exe);
	ck_assert_ptr_null(target->root);
	target_close(target);
	gaps_free(&gaps);
	ck_assert_int_eq(tracer_of(pid), 0);
	end(pid);
}
END_TEST

static void check_refused(pid_t pid, enum error_code code, const char *words)
{
	struct gaps gaps = { 0 };
	struct target *target = NULL;
	struct error *error = target_open_live(pid, NULL, &gaps, &target);
	ck_assert_ptr_nonnull(error);
	ck_assert_int_eq(error->code, code);
	ck_assert_msg(strstr(error->message, words) != NULL, "\"%s\" lacks \"%s\"", error->message,
		      words);
	ck_assert_ptr_null(target);
	error_free(error);
	gaps_free(&gaps);
}

START_TEST(what_is_no_process_is_refused)
{
	check_refused(0, ERROR_NOT_FOUND, "not a process id");
	check_refused(-5, ERROR_NOT_FOUND, "not a process id");
	check_refused(INT32_MAX, ERROR_NOT_FOUND, "there is no process 2147483647");
	check_refused(getpid(), ERROR_UNSUPPORTED, "corescan itself");
	pid_t pid = start(sleep_long);
	kill(pid, SIGKILL);
	siginfo_t info;
	waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT);
	check_refused(pid, ERROR_NOT_FOUND, "has ended, and is only kept for its parent");
	end(pid);
}
END_TEST

START_TEST(a_stopped_process_stays_stopped)
{
	pid_t pid = start(count_in_a_loop);
	kill(pid, SIGSTOP);
	int status;
	ck_assert_int_eq(waitpid(pid, &status, WUNTRACED), pid);
	for (int i = 0; i < 20; i++) {
		struct gaps gaps = { 0 };
		struct target *target = open_live(pid, &gaps);
		ck_assert(target->threads.items[0].stopped);
		ck_assert_int_eq(target->threads.items[0].state, 'T');
		ck_assert_int_eq(target->threads.items[0].signal.number, 0);
		target_close(target);
		gaps_free(&gaps);
		for (int wait = 0; wait < 1000 && state_of(pid) != 'T'; wait++)
			sleep_ms(1);
		ck_assert_int_eq(state_of(pid), 'T');
		ck_assert_int_eq(tracer_of(pid), 0);
	}
	uint64_t before = shared->count;
	sleep_ms(10);
	ck_assert_uint_eq(shared->count, before);
	kill(pid, SIGCONT);
	check_counts_on();
	end(pid);
}
END_TEST

static void await(_Atomic int *flag)
{
	for (int i = 0; i < 10000 && !*flag; i++)
		sleep_ms(1);
	ck_assert(*flag);
}

/* Opens and closes the process `times` times; each of its threads must stop. */
static void look_often(pid_t pid, int times)
{
	for (int i = 0; i < times; i++) {
		struct gaps gaps = { 0 };
		struct target *target = open_live(pid, &gaps);
		ck_assert_msg(gaps.list.count == 0, "%s",
			      gaps.list.count > 0 ? gaps.list.items[0].text : "");
		for (size_t t = 0; t < target->threads.count; t++)
			ck_assert(target->threads.items[t].stopped);
		target_close(target);
		gaps_free(&gaps);
	}
}

static int outcome[4];
static pthread_mutex_t locked = PTHREAD_MUTEX_INITIALIZER;

static void *block_in_read(void *unused)
{
	char byte = 0;
	outcome[0] = read(shared->pipe[0], &byte, 1) == 1 && byte == 'x';
	return unused;
}

static void *block_in_lock(void *unused)
{
	outcome[1] = pthread_mutex_lock(&locked) == 0;
	return unused;
}

static void *block_in_sleep(void *unused)
{
	struct timespec before, after, time = { .tv_sec = 2 };
	clock_gettime(CLOCK_MONOTONIC, &before);
	int result = nanosleep(&time, NULL);
	clock_gettime(CLOCK_MONOTONIC, &after);
	int64_t took = (after.tv_sec - before.tv_sec) * 1000000000 + after.tv_nsec - before.tv_nsec;
	outcome[2] = result == 0 && took >= 2000000000;
	return unused;
}

/* The kernel lets epoll_wait return early with EINTR after any stop; programs call it again. */
static void *block_in_epoll(void *unused)
{
	struct epoll_event event = { .events = EPOLLIN };
	int epoll = epoll_create1(0), ends[2], result;
	if (pipe(ends) != 0)
		return unused;
	epoll_ctl(epoll, EPOLL_CTL_ADD, ends[0], &event);
	while ((result = epoll_wait(epoll, &event, 1, -1)) < 0 && errno == EINTR && !shared->go)
		;
	outcome[3] = result <= 0;
	return unused;
}

static void block_in_many_ways(void)
{
	void *(*const ways[])(void *) = { block_in_read, block_in_lock, block_in_sleep,
					  block_in_epoll };
	pthread_t threads[4];
	pthread_mutex_lock(&locked);
	for (int i = 0; i < 4; i++)
		pthread_create(&threads[i], NULL, ways[i], NULL);
	shared->ready = 1;
	while (!shared->go)
		sleep_ms(1);
	pthread_mutex_unlock(&locked);
	for (int i = 0; i < 3; i++)
		pthread_join(threads[i], NULL);
	shared->count = (uint64_t)(outcome[0] + outcome[1] + outcome[2]);
	shared->ready = 2;
	pause();
}

START_TEST(blocked_calls_end_as_if_nobody_had_looked)
{
	pid_t pid = start(block_in_many_ways);
	look_often(pid, 50);
	struct gaps gaps = { 0 };
	struct target *target = open_live(pid, &gaps);
	ck_assert_uint_eq(target->threads.count, 5);
	target_close(target);
	gaps_free(&gaps);
	ck_assert_int_eq(write(shared->pipe[1], "x", 1), 1);
	shared->go = 1;
	for (int i = 0; i < 5000 && shared->ready != 2; i++)
		sleep_ms(1);
	ck_assert_int_eq(shared->ready, 2);
	ck_assert_uint_eq(shared->count, 3);
	end(pid);
}
END_TEST

static void handle_signal(int number)
{
	(void)number;
	shared->handled++;
}

static void *idle(void *unused)
{
	for (;;)
		pause();
	return unused;
}

/* Sends itself one signal after the other and counts them, until the test says so. With many
 * threads it takes a while from the first one's being traced to its being told to stop, so that
 * it is mostly caught on its way to the handler. */
static void handle_signals(void)
{
	struct sigaction action = { .sa_handler = handle_signal };
	sigaction(SIGUSR1, &action, NULL);
	for (int i = 0; i < 40; i++) {
		pthread_t thread;
		pthread_create(&thread, NULL, idle, NULL);
	}
	shared->ready = 1;
	while (!shared->go) {
		syscall(SYS_tgkill, getpid(), getpid(), SIGUSR1);
		shared->count++;
	}
	shared->ready = 2;
	pause();
}

static void check_all_handled(void)
{
	shared->go = 1;
	for (int i = 0; i < 5000 && shared->ready != 2; i++)
		sleep_ms(1);
	ck_assert_int_eq(shared->ready, 2);
	ck_assert_uint_eq(shared->handled, shared->count);
}

START_TEST(no_signal_is_lost)
{
	pid_t pid = start(handle_signals);
	int caught = 0;
	/* On a loaded machine it may take more looks until one catches a signal. */
	for (int i = 0; i < 60 || (caught == 0 && i < 1000); i++) {
		struct gaps gaps = { 0 };
		struct target *target = open_live(pid, &gaps);
		caught += target->threads.items[0].signal.number == SIGUSR1;
		target_close(target);
		gaps_free(&gaps);
		check_counts_on();
	}
	ck_assert_int_gt(caught, 0);
	check_all_handled();
	end(pid);
}
END_TEST

/* A corescan-like child that looks again and again, until it is killed. */
static pid_t start_looking(pid_t pid)
{
	pid_t looking = fork();
	if (looking != 0)
		return looking;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (;;) {
		struct gaps gaps = { 0 };
		struct target *target = NULL;
		error_free(target_open_live(pid, NULL, &gaps, &target));
		if (target != NULL)
			error_free(live_process_snapshot(target, UINT64_MAX, NULL, &gaps));
		target_close(target);
		gaps_free(&gaps);
	}
}

START_TEST(a_killed_corescan_leaves_the_process_as_it_was)
{
	static const int signals[] = { SIGKILL, SIGTERM, SIGINT, SIGQUIT, SIGSEGV };
	/* Check's handlers would end the whole test, and a sanitizer's turn SIGSEGV into an exit.
	 */
	for (size_t i = 0; i < sizeof signals / sizeof *signals; i++)
		signal(signals[i], SIG_DFL);
	pid_t pid = start(handle_signals);
	for (long i = 0; i < 60; i++) {
		pid_t looking = start_looking(pid);
		struct timespec time = { .tv_nsec = 100000 + i * 7919 % 3001 * 1000 };
		nanosleep(&time, NULL);
		kill(looking, signals[i % 5]);
		int status;
		ck_assert_int_eq(waitpid(looking, &status, 0), looking);
		ck_assert(WIFSIGNALED(status));
		ck_assert_int_eq(tracer_of(pid), 0);
		check_counts_on();
	}
	check_all_handled();
	end(pid);
}
END_TEST

static void *end_at_once(void *unused)
{
	return unused;
}

static void come_and_go(void)
{
	shared->ready = 1;
	for (;;) {
		pthread_t threads[4];
		for (int i = 0; i < 4; i++)
			pthread_create(&threads[i], NULL, end_at_once, NULL);
		for (int i = 0; i < 4; i++)
			pthread_join(threads[i], NULL);
		shared->count++;
	}
}

START_TEST(threads_that_come_and_go_are_stopped)
{
	pid_t pid = start(come_and_go);
	look_often(pid, 100);
	check_counts_on();
	ck_assert_int_eq(tracer_of(pid), 0);
	end(pid);
}
END_TEST

static void wait_in_vfork(void)
{
	shared->ready = 1;
	pid_t child = vfork();
	if (child == 0) {
		while (!shared->go)
			sleep_ms(1);
		_exit(0);
	}
	for (;;)
		shared->count++;
}

START_TEST(a_thread_in_deep_sleep_is_a_gap_and_is_let_go_of)
{
	pid_t pid = start(wait_in_vfork);
	while (state_of(pid) != 'D')
		sleep_ms(1);
	struct target_options options = { .stop_deadline_ms = 5000 };
	struct gaps gaps = { 0 };
	struct target *target = NULL;
	struct timespec begun, done;
	clock_gettime(CLOCK_MONOTONIC, &begun);
	ck_assert_ptr_null(target_open_live(pid, &options, &gaps, &target));
	clock_gettime(CLOCK_MONOTONIC, &done);
	/* It was so before: the others are not kept waiting for it. */
	ck_assert_int_lt(
	    (done.tv_sec - begun.tv_sec) * 1000 + (done.tv_nsec - begun.tv_nsec) / 1000000, 450);
	ck_assert_uint_eq(target->threads.count, 1);
	ck_assert(!target->threads.items[0].stopped);
	ck_assert_int_eq(target->threads.items[0].state, 'D');
	ck_assert_uint_eq(gaps.list.count, 1);
	ck_assert_ptr_nonnull(strstr(gaps.list.items[0].text, "did not stop in time (state D"));
	uint64_t count = 1;
	ck_assert_ptr_null(address_space_read(target->space, (uint64_t)(uintptr_t)&shared->count,
					      &count, sizeof count));
	ck_assert_uint_eq(count, 0);

	target_resume(target);
	for (int i = 0; i < 1000 && tracer_of(pid) != 0; i++)
		sleep_ms(1);
	ck_assert_int_eq(tracer_of(pid), 0);
	shared->go = 1;
	check_counts_on();
	target_close(target);
	gaps_free(&gaps);
	end(pid);
}
END_TEST

static void *outlive_main(void *unused)
{
	struct proc_stat stat;
	do {
		sleep_ms(1);
	} while (proc_read_stat((struct proc_task){ getpid(), getpid() }, &stat) &&
		 stat.state != 'Z');
	shared->tid = (int32_t)syscall(SYS_gettid);
	shared->ready = 1;
	for (;;)
		shared->count++;
	return unused;
}

static void leave_main(void)
{
	pthread_t thread;
	pthread_create(&thread, NULL, outlive_main, NULL);
	pthread_exit(NULL);
}

START_TEST(a_process_whose_main_thread_has_ended_is_read)
{
	static char text[] = "still here";
	pid_t pid = start(leave_main);
	struct gaps gaps = { 0 };
	struct target *target = open_live(pid, &gaps);
	ck_assert_uint_eq(target->threads.count, 1);
	ck_assert_int_eq(target->threads.items[0].tid, shared->tid);
	ck_assert(target->threads.items[0].stopped);
	char read[sizeof text];
	ck_assert_ptr_null(
	    address_space_read(target->space, (uint64_t)(uintptr_t)text, read, sizeof read));
	ck_assert_str_eq(read, text);
	ck_assert_ptr_nonnull(target->exe);
	target_close(target);
	gaps_free(&gaps);
	check_counts_on();

	char words[64];
	snprintf(words, sizeof words, "use -p %d", pid);
	check_refused(shared->tid, ERROR_NOT_FOUND, words);
	end(pid);
}
END_TEST

START_TEST(a_process_traced_by_another_is_refused)
{
	pid_t pid = start(count_in_a_loop);
	pid_t tracer = fork();
	if (tracer == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		shared->tid = ptrace(PTRACE_SEIZE, pid, NULL, NULL) == 0;
		shared->go = 1;
		for (;;)
			pause();
	}
	await(&shared->go);
	ck_assert_int_eq(shared->tid, 1);
	char words[64];
	snprintf(words, sizeof words, "is traced by %d (check_live) already", tracer);
	check_refused(pid, ERROR_OS, words);
	kill(tracer, SIGKILL);
	waitpid(tracer, NULL, 0);
	look_often(pid, 1);
	end(pid);
}
END_TEST

START_TEST(a_process_of_another_user_is_refused)
{
	if (geteuid() != 0)
		return;
	pid_t pid = start(sleep_long);
	/* In a child, as the change of user has no way back. */
	pid_t other = fork();
	if (other == 0) {
		if (setresgid(65534, 65534, 65534) != 0 || setresuid(65534, 65534, 65534) != 0)
			_exit(2);
		struct gaps gaps = { 0 };
		struct target *target = NULL;
		struct error *error = target_open_live(pid, NULL, &gaps, &target);
		bool right = error != NULL && error->code == ERROR_OS &&
			     strstr(error->message, "belongs to root") != NULL;
		error_free(error);
		_exit(right ? 0 : 1);
	}
	int status;
	ck_assert_int_eq(waitpid(other, &status, 0), other);
	ck_assert(WIFEXITED(status));
	ck_assert_int_eq(WEXITSTATUS(status), 0);
	end(pid);
}
END_TEST

START_TEST(a_process_killed_while_it_is_read_is_a_short_read)
{
	pid_t pid = start(sleep_long);
	struct gaps gaps = { 0 };
	struct target *target = open_live(pid, &gaps);
	kill(pid, SIGKILL);
	while (state_of(pid) != 'Z')
		sleep_ms(1);
	char byte;
	struct error *error =
	    address_space_read(target->space, (uint64_t)(uintptr_t)&shared, &byte, 1);
	ck_assert_ptr_nonnull(error);
	ck_assert_int_eq(error->code, ERROR_FAULT);
	error_free(error);
	ck_assert_ptr_null(live_process_snapshot(target, UINT64_MAX, NULL, &gaps));
	ck_assert_uint_eq(gaps.list.count, 1);
	target_close(target);
	gaps_free(&gaps);
	end(pid);
}
END_TEST

enum { BLOCK = 8 << 20 };

static void fill_then_change(void)
{
	char *block = mmap(NULL, BLOCK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	memset(block, 'a', BLOCK / 2);
	block[BLOCK - 1] = 'z';
	shared->address = (uint64_t)(uintptr_t)block;
	shared->ready = 1;
	while (!shared->go)
		sleep_ms(1);
	memset(block, 'b', BLOCK);
	shared->ready = 2;
	for (;;)
		shared->count++;
}

START_TEST(a_snapshot_stays_while_the_process_runs_on)
{
	pid_t pid = start(fill_then_change);
	/* With memory that was made ready before, and without. */
	struct target_options options = { .snapshot = _i == 1 };
	struct gaps gaps = { 0 };
	struct target *target = NULL;
	ck_assert_ptr_null(target_open_live(pid, &options, &gaps, &target));
	ck_assert_ptr_null(live_process_snapshot(target, UINT64_MAX, NULL, &gaps));
	ck_assert_uint_eq(gaps.list.count, 0);
	target_resume(target);
	shared->go = 1;
	while (shared->ready != 2)
		sleep_ms(1);

	char *read = malloc(BLOCK);
	ck_assert_ptr_null(address_space_read(target->space, shared->address, read, BLOCK));
	size_t right = 0;
	for (size_t i = 0; i < BLOCK; i++)
		right += read[i] == (i < BLOCK / 2 ? 'a' : i < BLOCK - 1 ? 0 : 'z');
	ck_assert_uint_eq(right, BLOCK);
	free(read);
	uint64_t value;
	ck_assert(address_space_u64(target->space, (uint64_t)(uintptr_t)&shared->address, &value));
	ck_assert_uint_eq(value, shared->address);
	ck_assert(address_space_u64(target->space, (uint64_t)(uintptr_t)&shared, &value));
	uint64_t sp = arch_sp(target->arch, &target->threads.items[0].registers);
	ck_assert(address_space_u64(target->space, sp, &value));
	check_counts_on();
	target_close(target);
	gaps_free(&gaps);
	end(pid);
}
END_TEST

/* The middle of libc's text, which no page of the process's own is near to. */
static uint64_t library_text(const struct target *target)
{
	size_t count;
	const struct segment *segments = address_space_segments(target->space, &count);
	for (size_t i = 0; i < count; i++)
		if ((segments[i].permissions & SEGMENT_EXECUTE) != 0 && segments[i].name != NULL &&
		    strstr(segments[i].name, "/libc.so") != NULL)
			return segments[i].start + (segments[i].end - segments[i].start) / 2;
	return 0;
}

START_TEST(a_file_stands_for_what_a_snapshot_did_not_copy)
{
	static const uint8_t bytes[] = "from the file";
	pid_t pid = start(sleep_long);
	struct gaps gaps = { 0 };
	struct target *target = open_live(pid, &gaps);
	uint64_t text = library_text(target), value;
	if (text != 0) { /* not a static program */
		ck_assert_ptr_null(live_process_snapshot(target, UINT64_MAX, NULL, &gaps));
		ck_assert_int_eq(address_space_find(target->space, text)->origin, SEGMENT_ABSENT);
		ck_assert(!address_space_u64(target->space, text, &value));
		ck_assert_ptr_null(address_space_back(target->space, text, sizeof bytes, bytes,
						      "file", 0, SEGMENT_READ | SEGMENT_EXECUTE));
		char read[sizeof bytes];
		ck_assert_ptr_null(address_space_read(target->space, text, read, sizeof read));
		ck_assert_str_eq(read, (const char *)bytes);
	}
	target_close(target);
	gaps_free(&gaps);
	end(pid);
}
END_TEST

static void *run_exec(void *unused)
{
	execl("/proc/self/exe", "check_live", "exec", (char *)NULL);
	return unused;
}

/* Begins anew all the time, from another thread than the main one. */
static void exec_again(void)
{
	pthread_t thread;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	alarm(60);
	for (int i = 0; i < 4; i++)
		pthread_create(&thread, NULL, idle, NULL);
	pthread_create(&thread, NULL, run_exec, NULL);
	pause();
}

static void exec_first(void)
{
	shared->ready = 1;
	run_exec(NULL);
}

/* Most looks succeed; those that meet an exec may fail, but must not hang. */
START_TEST(a_process_that_runs_exec_all_the_time_is_let_go_of)
{
	pid_t pid = start(exec_first);
	int opened = 0;
	for (int i = 0; i < 300; i++) {
		struct gaps gaps = { 0 };
		struct target *target = NULL;
		error_free(target_open_live(pid, NULL, &gaps, &target));
		opened += target != NULL;
		target_close(target);
		gaps_free(&gaps);
	}
	ck_assert_int_gt(opened, 0);
	for (int i = 0; i < 1000 && tracer_of(pid) != 0; i++)
		sleep_ms(1);
	ck_assert_int_eq(tracer_of(pid), 0);
	ck_assert_int_ne(state_of(pid), 'T');
	end(pid);
}
END_TEST

START_TEST(holder_of_a_file_lock_is_the_one_in_front)
{
	static const char locks[] = "1: OFDLCK ADVISORY  WRITE -1 fe:00:77 100 127\n"
				    "1: -> OFDLCK ADVISORY  WRITE -1 fe:00:77 100 127\n"
				    "2: FLOCK  ADVISORY  WRITE 500 fe:00:77 0 EOF\n"
				    "nonsense\n"
				    "3: LEASE  ACTIVE    READ  510 fe:00:77 0 EOF\n"
				    "4: POSIX  ADVISORY  WRITE 600 fe:00:77 200 200\n"
				    "4: -> POSIX  ADVISORY  READ 700 fe:00:77 200 EOF\n"
				    "4:  -> POSIX  ADVISORY  WRITE 701 fe:00:77 150 EOF\n"
				    "5: POSIX  ADVISORY  READ 601 fe:01:77 0 EOF\n"
				    "5: -> POSIX  ADVISORY  WRITE 700 fe:01:77 0 EOF";
	struct file_lock_holder holder = { 0 };
	struct file_lock_query query = {
		.class = FILE_LOCK_PROCESS, .pid = 700, .major = 0xfe, .inode = 77, .start = 200
	};
	ck_assert(file_lock_find(locks, &query, &holder));
	ck_assert_int_eq(holder.pid, 600);
	ck_assert(holder.write && holder.first == 200 && holder.last == 200);
	query.start = 0;
	ck_assert(!file_lock_find(locks, &query, &holder));
	query.minor = 1;
	ck_assert(file_lock_find(locks, &query, &holder));
	ck_assert(holder.pid == 601 && !holder.write && holder.last == -1);
	query = (struct file_lock_query){ FILE_LOCK_OPEN_FILE, 900, 0xfe, 0, 77, -1 };
	ck_assert(file_lock_find(locks, &query, &holder));
	ck_assert_int_eq(holder.pid, 0);
	/* Nobody waits for it. */
	query.class = FILE_LOCK_FLOCK;
	ck_assert(!file_lock_find(locks, &query, &holder));
	ck_assert(!file_lock_find("", &query, &holder));
}
END_TEST

/* Lets its descriptor number 40 be another file as soon as it is told to. */
static void change_descriptor(void)
{
	int zero = open("/dev/zero", O_RDONLY), null = open("/dev/null", O_RDONLY);
	dup2(zero, 40);
	shared->ready = 1;
	while (!shared->go)
		sleep_ms(1);
	dup2(null, 40);
	shared->ready = 2;
	for (;;)
		pause();
}

START_TEST(descriptors_are_told_as_they_were)
{
	pid_t pid = start(change_descriptor);
	/* With a stop, and without. */
	struct target_options options = { .descriptors = true, .without_stop = _i == 1 };
	struct gaps gaps = { 0 };
	struct target *target = NULL;
	char text[64];
	ck_assert_ptr_null(target_open_live(pid, &options, &gaps, &target));
	target_resume(target);
	shared->go = 1;
	while (shared->ready != 2)
		sleep_ms(1);
	struct live_descriptors *descriptors = live_descriptors_open(target);
	ck_assert(live_descriptors_describe(descriptors, 40, text, sizeof text));
	ck_assert_str_eq(text, "/dev/zero");
	ck_assert(!live_descriptors_describe(descriptors, 41, text, sizeof text));
	live_descriptors_close(descriptors);
	target_close(target);
	gaps_free(&gaps);
	end(pid);
}
END_TEST

static void sleep_on(void)
{
	shared->ready = 1;
	for (;;)
		pause();
}

START_TEST(a_sleeping_process_need_not_be_stopped)
{
	pid_t pid = start(sleep_on);
	while (state_of(pid) != 'S')
		sleep_ms(1);
	struct target_options options = { .without_stop = true };
	struct gaps gaps = { 0 };
	struct target *target = NULL;
	char why[100] = "";
	int64_t number;
	ck_assert_ptr_null(target_open_live(pid, &options, &gaps, &target));
	ck_assert_int_eq(tracer_of(pid), 0);
	ck_assert(target->unstopped);
	ck_assert_uint_eq(target->threads.count, 1);
	const struct target_thread *thread = &target->threads.items[0];
	ck_assert(thread->asleep && !thread->stopped);
	ck_assert(arch_syscall(target->arch, &thread->registers, &number));
	ck_assert_int_eq(number, SYS_pause);
	ck_assert_uint_ne(arch_sp(target->arch, &thread->registers), 0);
	ck_assert(thread->registers.unknown >> target->arch->return_value & 1);
	ck_assert(live_process_stayed(target, why, sizeof why));
	/* A signal is enough: it has run, and sleeps in the same place again. */
	kill(pid, SIGSTOP);
	while (state_of(pid) != 'T')
		sleep_ms(1);
	kill(pid, SIGCONT);
	while (state_of(pid) != 'S')
		sleep_ms(1);
	ck_assert(!live_process_stayed(target, why, sizeof why));
	ck_assert_ptr_nonnull(strstr(why, "woke up"));
	ck_assert(thread->moved && !thread->asleep);
	ck_assert_uint_eq(thread->registers.general_size, 0);
	target_close(target);
	ck_assert_uint_eq(gaps.list.count, 0);
	gaps_free(&gaps);
	end(pid);
}
END_TEST

START_TEST(what_proc_says_of_a_sleep)
{
	struct proc_syscall call;
	ck_assert(proc_parse_syscall("202 0x55 0x80 0x2 0x0 0x0 0xff 0x7ffd10 0x7f04", &call));
	ck_assert_int_eq(call.number, 202);
	ck_assert_uint_eq(call.arguments[0], 0x55);
	ck_assert_uint_eq(call.arguments[5], 0xff);
	ck_assert_uint_eq(call.sp, 0x7ffd10);
	ck_assert_uint_eq(call.pc, 0x7f04);
	ck_assert(proc_parse_syscall("-1 0x7ffd10 0x7f04", &call));
	ck_assert_int_eq(call.number, -1);
	ck_assert_uint_eq(call.sp, 0x7ffd10);
	ck_assert(!proc_parse_syscall("running", &call));
	ck_assert(!proc_parse_syscall("", &call));
	ck_assert(!proc_parse_syscall("202 0x55", &call));
}
END_TEST

START_TEST(what_proc_says_of_an_epoll)
{
	struct proc_watch watch = { .fd = 7 };
	ck_assert(proc_parse_watch(
	    "tfd:       12 events:       19 data:     55c507bcb3c0  pos:0 ino:2f8 sdev:f\n",
	    &watch));
	ck_assert_int_eq(watch.fd, 12);
	ck_assert_uint_eq(watch.events, 0x19);
	ck_assert_uint_eq(watch.data, 0x55c507bcb3c0);
	ck_assert(proc_parse_watch("tfd: 5 events: c0000001 data: ffffffffffffffff pos:0", &watch));
	ck_assert_uint_eq(watch.data, UINT64_MAX);
	static const char *const others[] = { "",
					      "pos:\t0\n",
					      "tfd: 5",
					      "tfd: 5 events: 19",
					      "tfd: 5 events: 19 data:",
					      "tfd: 5 events: 19 data: x",
					      "tfd: -5 events: 19 data: 1",
					      " tfd 5 events 19 data 1" };
	for (size_t i = 0; i < sizeof others / sizeof *others; i++)
		ck_assert_msg(!proc_parse_watch(others[i], &watch), "%s", others[i]);
	ck_assert_int_eq(watch.fd, 5); /* as it was */
	/* Numbers that are too long are cut, and do no more harm than that. */
	if (proc_parse_watch("tfd: 99999999999999 events: 19 data: 1", &watch))
		ck_assert_int_ge(watch.fd, 0);
}
END_TEST

START_TEST(what_proc_says_of_timers)
{
	struct proc_timer timer = { .id = -1 };
	ck_assert(!proc_parse_timer("signal: 10/000055c507bcbaf0\n", &timer)); /* of none */
	ck_assert(!proc_parse_timer("ID: 3\n", &timer));
	ck_assert(proc_parse_timer("signal: 10/000055c507bcbaf0\n", &timer));
	ck_assert_int_eq(timer.id, 3);
	ck_assert_uint_eq(timer.value, 0x55c507bcbaf0);
	ck_assert(!proc_parse_timer("notify: signal/pid.2634\n", &timer));
	ck_assert(!proc_parse_timer("ClockID: 1\n", &timer));
	ck_assert(!proc_parse_timer("signal: 10\n", &timer));
	ck_assert(!proc_parse_timer("signal: /5\n", &timer));
	ck_assert(!proc_parse_timer("", &timer));
}
END_TEST

static void watch_pipe(void)
{
	struct epoll_event event = { .events = EPOLLIN, .data.u64 = 0x123456789abc };
	struct epoll_event number = { .events = EPOLLIN, .data.u64 = 40 };
	int ends[2], epoll = epoll_create1(0);
	timer_t timer;
	struct sigevent notify = { .sigev_notify = SIGEV_NONE };
	notify.sigev_value.sival_ptr = (void *)0x23456789abcd;
	if (pipe(ends) != 0 || dup2(epoll, 50) != 50 || dup2(ends[0], 51) != 51 ||
	    dup2(ends[0], 52) != 52 || epoll_ctl(50, EPOLL_CTL_ADD, 51, &event) != 0 ||
	    epoll_ctl(50, EPOLL_CTL_ADD, 52, &number) != 0 ||
	    timer_create(CLOCK_MONOTONIC, &notify, &timer) != 0)
		abort();
	close(epoll);
	shared->ready = 1;
	for (;;)
		pause();
}

START_TEST(words_that_the_kernel_holds_are_read)
{
	pid_t pid = start(watch_pipe);
	struct target_options options = { .kernel_words = true };
	struct gaps gaps = { 0 };
	struct target *target = NULL;
	ck_assert_ptr_null(target_open_live(pid, &options, &gaps, &target));
	/* What is no address is not kept. */
	ck_assert_uint_eq(target->kernel_words.count, 2);
	const struct target_kernel_word *words = target->kernel_words.items;
	ck_assert_int_eq(words[0].kind, KERNEL_WORD_EPOLL);
	ck_assert_int_eq(words[0].holder, 50);
	ck_assert_int_eq(words[0].watched, 51);
	ck_assert_uint_eq(words[0].value, 0x123456789abc);
	ck_assert_int_eq(words[1].kind, KERNEL_WORD_TIMER);
	ck_assert_uint_eq(words[1].value, 0x23456789abcd);
	ck_assert(!target->kernel_words_missing);
	ck_assert_uint_eq(gaps.list.count, 0);
	target_close(target);
	gaps_free(&gaps);
	end(pid);
}
END_TEST

static void write_file(const char *directory, const char *name, const char *text)
{
	char path[200];
	snprintf(path, sizeof path, "%s/%s", directory, name);
	FILE *file = fopen(path, "w");
	ck_assert_ptr_nonnull(file);
	fputs(text, file);
	fclose(file);
}

START_TEST(a_control_group_bounds_memory)
{
	char mount[] = "/tmp/check-live-XXXXXX", path[100];
	ck_assert_ptr_nonnull(mkdtemp(mount));
	static const char *const directories[] = { "/a", "/a/b", "/memory", "/memory/c" };
	for (size_t i = 0; i < sizeof directories / sizeof *directories; i++) {
		snprintf(path, sizeof path, "%s%s", mount, directories[i]);
		ck_assert_int_eq(mkdir(path, 0700), 0);
	}
	ck_assert_uint_eq(proc_group_allows("0::/a/b\n", mount), UINT64_MAX);
	write_file(mount, "a/b/memory.max", "max\n");
	write_file(mount, "a/b/memory.current", "600\n");
	ck_assert_uint_eq(proc_group_allows("0::/a/b\n", mount), UINT64_MAX);
	/* The limit of a group above counts, and pages of files that are not in use do not. */
	write_file(mount, "a/memory.max", "1000\n");
	write_file(mount, "a/memory.current", "700\n");
	write_file(mount, "a/memory.stat", "anon 5\ninactive_file 200\n");
	ck_assert_uint_eq(proc_group_allows("0::/a/b\n", mount), 500);
	write_file(mount, "memory/c/memory.limit_in_bytes", "900\n");
	write_file(mount, "memory/c/memory.usage_in_bytes", "950\n");
	ck_assert_uint_eq(proc_group_allows("3:cpu,cpuacct:/\n4:memory:/c\n", mount), 0);
	snprintf(path, sizeof path, "rm -r %s", mount);
	ck_assert_int_eq(system(path), 0);
}
END_TEST

int main(int count, char **arguments)
{
	if (count == 2 && strcmp(arguments[1], "exec") == 0)
		exec_again();
	Suite *suite = suite_create("live");
	TCase *all = tcase_create("all");
	tcase_set_timeout(all, 30);
	tcase_add_test(all, a_running_process_is_stopped_and_goes_on);
	tcase_add_test(all, memory_and_auxv_are_read);
	tcase_add_test(all, holder_of_a_file_lock_is_the_one_in_front);
	tcase_add_test(all, what_is_no_process_is_refused);
	tcase_add_test(all, a_stopped_process_stays_stopped);
	tcase_add_test(all, blocked_calls_end_as_if_nobody_had_looked);
	tcase_add_test(all, no_signal_is_lost);
	tcase_add_test(all, a_killed_corescan_leaves_the_process_as_it_was);
	tcase_add_test(all, threads_that_come_and_go_are_stopped);
	tcase_add_test(all, a_thread_in_deep_sleep_is_a_gap_and_is_let_go_of);
	tcase_add_test(all, a_process_whose_main_thread_has_ended_is_read);
	tcase_add_test(all, a_process_traced_by_another_is_refused);
	tcase_add_test(all, a_process_of_another_user_is_refused);
	tcase_add_test(all, a_process_killed_while_it_is_read_is_a_short_read);
	tcase_add_loop_test(all, a_snapshot_stays_while_the_process_runs_on, 0, 2);
	tcase_add_test(all, a_file_stands_for_what_a_snapshot_did_not_copy);
	tcase_add_test(all, a_process_that_runs_exec_all_the_time_is_let_go_of);
	tcase_add_loop_test(all, descriptors_are_told_as_they_were, 0, 2);
	tcase_add_test(all, a_sleeping_process_need_not_be_stopped);
	tcase_add_test(all, what_proc_says_of_a_sleep);
	tcase_add_test(all, what_proc_says_of_an_epoll);
	tcase_add_test(all, what_proc_says_of_timers);
	tcase_add_test(all, words_that_the_kernel_holds_are_read);
	tcase_add_test(all, a_control_group_bounds_memory);
	suite_add_tcase(suite, all);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
