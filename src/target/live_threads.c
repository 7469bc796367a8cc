/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "target/live_threads.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The longest line of "syscall" has nine numbers. */
enum { LINE_MAX_BYTES = 200 };

/* struct pthread is smaller, and holds the head of the list of robust futexes. */
#define PTHREAD_SIZE_MAX 4096

struct looked {
	struct target_thread thread;
	uint64_t switches;
	char line[LINE_MAX_BYTES];
};

struct live_threads {
	int32_t pid;
	ARRAY(struct looked) list;
};

/* Of lines `[<0>] folio_wait_bit+0x1a/0x40` the functions, as many as fit; root only. */
static void read_kernel_stack(struct proc_task task, char *stack, size_t size)
{
	size_t length = 0;
	char *text = proc_read(task, "stack", NULL), *rest = text;
	stack[0] = '\0';
	for (char *line; rest != NULL && (line = strsep(&rest, "\n")) != NULL;) {
		const char *name = strstr(line, "] ");
		if (name == NULL)
			continue;
		name += 2;
		int bytes = (int)strcspn(name, "+.");
		if (length + (size_t)bytes + 3 > size)
			break;
		length += (size_t)snprintf(stack + length, size - length, "%s%.*s",
					   length > 0 ? ", " : "", bytes, name);
	}
	free(text);
}

bool live_thread_describe(struct proc_task task, bool inner, struct target_thread *thread)
{
	struct proc_stat stat;
	struct proc_task_status status;
	if (!proc_read_stat(task, &stat) || stat.state == 'Z' || stat.state == 'X')
		return false;
	thread->tid = task.tid;
	thread->state = stat.state;
	proc_read_line(task, "comm", thread->name, sizeof thread->name);
	proc_read_line(task, "wchan", thread->wchan, sizeof thread->wchan);
	if (strcmp(thread->wchan, "0") == 0)
		thread->wchan[0] = '\0';
	if (thread->state == 'D')
		read_kernel_stack(task, thread->kernel_stack, sizeof thread->kernel_stack);
	if (inner && proc_read_task_status(task, &status))
		thread->inner_tid = status.inner_tid;
	return true;
}

bool live_other_namespace(struct proc_task task)
{
	char *theirs = proc_link(task, "ns/pid");
	char *ours = proc_link((struct proc_task){ getpid(), getpid() }, "ns/pid");
	bool other = theirs != NULL && ours != NULL && strcmp(theirs, ours) != 0;
	free(theirs);
	free(ours);
	return other;
}

/* What the thread sleeps in. False: it runs, or is gone. */
static bool read_sleep(struct proc_task task, uint64_t *switches, char line[LINE_MAX_BYTES],
		       struct proc_syscall *call)
{
	struct proc_task_status status;
	if (!proc_read_task_status(task, &status))
		return false;
	*switches = status.switches;
	proc_read_line(task, "syscall", line, LINE_MAX_BYTES);
	return proc_parse_syscall(line, call);
}

static void set_registers(const struct arch *arch, const struct proc_syscall *call,
			  struct registers *registers)
{
	arch_forget_registers(arch, registers);
	arch_set_register(arch, registers, arch->pc, call->pc);
	arch_set_register(arch, registers, arch->sp, call->sp);
	arch_set_register(arch, registers, arch->syscall_number, (uint64_t)call->number);
	for (size_t i = 0; i < 6 && call->number >= 0; i++)
		arch_set_register(arch, registers, arch->syscall_arguments[i], call->arguments[i]);
}

void live_thread_describe_stuck(struct proc_task task, const struct arch *arch,
				struct target_thread *thread)
{
	struct proc_stat stat;
	struct proc_syscall call;
	char line[LINE_MAX_BYTES];
	uint64_t switches;
	if (!proc_read_stat(task, &stat))
		return;
	thread->state = stat.state;
	if (stat.state != 'D')
		return;
	proc_read_line(task, "wchan", thread->wchan, sizeof thread->wchan);
	read_kernel_stack(task, thread->kernel_stack, sizeof thread->kernel_stack);
	thread->asleep = read_sleep(task, &switches, line, &call);
	if (thread->asleep)
		set_registers(arch, &call, &thread->registers);
}

/* Adds a thread, unless it has ended. False when memory is exhausted. */
static bool look_at(struct live_threads *threads, int32_t tid, bool inner, const struct arch *arch)
{
	struct looked looked = { 0 };
	struct proc_syscall call;
	struct proc_task task = { threads->pid, tid };
	if (!live_thread_describe(task, inner, &looked.thread))
		return true;
	/* It may be on its way into its sleep. */
	for (int attempt = 0; attempt < 3 && !looked.thread.asleep; attempt++) {
		if (attempt > 0)
			usleep(500);
		looked.thread.asleep = read_sleep(task, &looked.switches, looked.line, &call);
	}
	if (looked.thread.asleep)
		set_registers(arch, &call, &looked.thread.registers);
	return array_push(&threads->list, looked);
}

struct error *live_threads_look(int32_t pid, const struct arch *arch, struct live_threads **result)
{
	struct live_threads *threads = calloc(1, sizeof *threads);
	struct error *error = NULL;
	proc_tids tids = { 0 };
	if (threads == NULL)
		return error_no_memory();
	threads->pid = pid;
	bool inner = live_other_namespace((struct proc_task){ pid, pid });
	if (!proc_list_threads(pid, &tids))
		error = errno == ENOMEM
			    ? error_no_memory()
			    : error_new(ERROR_NOT_FOUND, "process %" PRId32 " has ended", pid);
	for (size_t i = 0; i < tids.count && error == NULL; i++)
		if (!look_at(threads, tids.items[i], inner, arch))
			error = error_no_memory();
	array_free(&tids);
	if (error == NULL && threads->list.count == 0)
		error = error_new(ERROR_NOT_FOUND, "process %" PRId32 " has ended", pid);
	if (error != NULL)
		live_threads_free(threads);
	else
		*result = threads;
	return error;
}

void live_threads_free(struct live_threads *threads)
{
	if (threads == NULL)
		return;
	array_free(&threads->list);
	free(threads);
}

bool live_threads_take(const struct live_threads *threads, struct target *target)
{
	for (size_t i = 0; i < threads->list.count; i++)
		if (!array_push(&target->threads, threads->list.items[i].thread))
			return false;
	return true;
}

/* --- thread pointers */

/* The address of the list of robust futexes that the thread registered; 0: none. */
static uint64_t robust_list(int32_t tid)
{
	void *head = NULL;
	size_t length;
	return syscall(SYS_get_robust_list, tid, &head, &length) == 0 ? (uint64_t)(uintptr_t)head
								      : 0;
}

/* glibc's struct pthread begins with two pointers to itself, at 0 and 16 (tcbhead_t), and has the
 * list's head in it. */
static uint64_t pthread_around(struct address_space *space, uint64_t head, unsigned word)
{
	uint64_t self;
	for (uint64_t at = head & -(uint64_t)word; at > 0 && head - at < PTHREAD_SIZE_MAX;
	     at -= word)
		if (at != head && address_space_u64(space, at, &self) && self == at &&
		    address_space_u64(space, at + 16, &self) && self == at)
			return at;
	return 0;
}

void live_threads_find_pointers(struct target *target)
{
	const struct arch *arch = target->arch;
	if (arch->word_size != 8 || !arch->tls_below_thread_pointer)
		return;
	for (size_t i = 0; i < target->threads.count; i++) {
		struct target_thread *thread = &target->threads.items[i];
		uint64_t head = thread->asleep ? robust_list(thread->tid) : 0;
		uint64_t pointer =
		    head != 0 ? pthread_around(target->space, head, arch->word_size) : 0;
		if (pointer != 0)
			arch_set_register(arch, &thread->registers, arch->thread_pointer, pointer);
	}
}

/* --- whether they stayed as they were */

static void mark_moved(struct target *target, int32_t tid)
{
	for (size_t i = 0; i < target->threads.count; i++) {
		struct target_thread *thread = &target->threads.items[i];
		if (thread->tid != tid || !thread->asleep)
			continue;
		thread->asleep = false;
		thread->moved = true;
		thread->registers = (struct registers){ 0 };
	}
}

static bool slept_on(const struct live_threads *threads, const struct looked *looked)
{
	char line[LINE_MAX_BYTES];
	uint64_t switches;
	struct proc_syscall call;
	return read_sleep((struct proc_task){ threads->pid, looked->thread.tid }, &switches, line,
			  &call) &&
	       switches == looked->switches && strcmp(line, looked->line) == 0;
}

/* The switches are counted again behind the line: a thread may wake up between the two. */
static bool same_switches(const struct live_threads *threads, const struct looked *looked)
{
	struct proc_task_status status;
	return proc_read_task_status((struct proc_task){ threads->pid, looked->thread.tid },
				     &status) &&
	       status.switches == looked->switches;
}

static bool is_looked_at(const struct live_threads *threads, int32_t tid, size_t expected)
{
	if (expected < threads->list.count && threads->list.items[expected].thread.tid == tid)
		return true;
	for (size_t i = 0; i < threads->list.count; i++)
		if (threads->list.items[i].thread.tid == tid)
			return true;
	return false;
}

/* Whether there is a thread that was not there. */
static int32_t new_thread(const struct live_threads *threads)
{
	proc_tids tids = { 0 };
	int32_t found = 0;
	proc_list_threads(threads->pid, &tids);
	for (size_t i = 0; i < tids.count && found == 0; i++) {
		struct proc_stat stat;
		if (!is_looked_at(threads, tids.items[i], i) &&
		    proc_read_stat((struct proc_task){ threads->pid, tids.items[i] }, &stat) &&
		    stat.state != 'Z' && stat.state != 'X')
			found = tids.items[i];
	}
	array_free(&tids);
	return found;
}

bool live_threads_stayed(const struct live_threads *threads, struct target *target, char *why,
			 size_t size)
{
	size_t moved = 0;
	int32_t first = 0;
	bool ran = false;
	for (size_t i = 0; i < threads->list.count; i++) {
		const struct looked *looked = &threads->list.items[i];
		if (looked->thread.asleep && slept_on(threads, looked) &&
		    same_switches(threads, looked))
			continue;
		mark_moved(target, looked->thread.tid);
		if (moved++ == 0) {
			first = looked->thread.tid;
			ran = !looked->thread.asleep;
		}
	}
	int32_t begun = new_thread(threads);
	if (moved > 1)
		snprintf(why, size, "%zu threads, %" PRId32 " first, %s", moved, first,
			 ran ? "ran" : "woke up");
	else if (moved == 1)
		snprintf(why, size, "thread %" PRId32 " %s", first, ran ? "ran" : "woke up");
	else if (begun != 0)
		snprintf(why, size, "thread %" PRId32 " began", begun);
	return moved == 0 && begun == 0;
}
