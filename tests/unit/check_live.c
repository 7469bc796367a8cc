/* The live back end, on children of this test. Each child does one thing, says so on a pipe, and
 * must go on as if nobody had looked.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "target/live_process.h"
#include "target/proc_files.h"
#include "target/target.h"

#include <check.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* What a child shares with the test. */
struct shared {
	_Atomic uint64_t count;
	_Atomic uint64_t handled;
	_Atomic int ready;
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
	pid_t pid = fork();
	if (pid == 0) {
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

int main(void)
{
	Suite *suite = suite_create("live");
	TCase *all = tcase_create("all");
	tcase_set_timeout(all, 30);
	tcase_add_test(all, a_running_process_is_stopped_and_goes_on);
	tcase_add_test(all, memory_and_auxv_are_read);
	tcase_add_test(all, what_is_no_process_is_refused);
	tcase_add_test(all, a_stopped_process_stays_stopped);
	suite_add_tcase(suite, all);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
