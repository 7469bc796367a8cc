/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "target/live_process.h"

#include "base/bytes.h"
#include "base/size_text.h"
#include "target/kernel_words.h"
#include "target/live_back_end.h"
#include "target/live_descriptors.h"
#include "target/live_snapshot.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define STOP_DEADLINE_MS 2000

/* PF_KTHREAD of include/linux/sched.h. */
#define KERNEL_THREAD 0x00200000

/* "1234 (name)" */
static void name_process(int32_t pid, char *text, size_t size)
{
	char name[17];
	proc_read_line((struct proc_task){ pid, pid }, "comm", name, sizeof name);
	snprintf(text, size, "%" PRId32 "%s%s%s", pid, name[0] != '\0' ? " (" : "", name,
		 name[0] != '\0' ? ")" : "");
}

/* A thread of the process that has not ended: its main thread, if it can be. */
static bool living_task(int32_t pid, struct proc_task *task)
{
	proc_tids tids = { 0 };
	bool found = false;
	if (proc_list_threads(pid, &tids)) {
		for (size_t i = 0; i < tids.count && !found; i++) {
			struct proc_stat stat;
			*task = (struct proc_task){ pid, tids.items[i] };
			found =
			    proc_read_stat(*task, &stat) && stat.state != 'Z' && stat.state != 'X';
		}
	}
	array_free(&tids);
	return found;
}

/* Whether `pid` names a process that there is any sense in stopping. */
static struct error *check_is_process(int32_t pid, const struct proc_status *status)
{
	char name[64];
	name_process(status->tgid, name, sizeof name);
	if (status->tgid == getpid())
		return error_new(ERROR_UNSUPPORTED,
				 "%" PRId32 " is corescan itself, which cannot stop itself", pid);
	if (status->tgid != pid)
		return error_new(ERROR_NOT_FOUND,
				 "%" PRId32 " is a thread of process %s: use -p %" PRId32, pid,
				 name, status->tgid);
	struct proc_stat stat;
	struct proc_task task = { pid, pid };
	if (proc_read_stat(task, &stat) && (stat.flags & KERNEL_THREAD) != 0)
		return error_new(ERROR_UNSUPPORTED,
				 "%s is a thread of the kernel: it has no memory of its own", name);
	if (!living_task(pid, &task)) {
		char parent[64];
		name_process(stat.parent, parent, sizeof parent);
		return error_new(ERROR_NOT_FOUND,
				 "process %s has ended, and is only kept for its parent %s to take "
				 "note of: its memory is gone",
				 name, parent);
	}
	return NULL;
}

static struct error *traced_by_another(const char *name, int32_t tracer)
{
	char other[64];
	name_process(tracer, other, sizeof other);
	return error_new(ERROR_OS,
			 "process %s is traced by %s already, and only one can: detach or end that "
			 "first, or take a core with it (gdb: generate-core-file)",
			 name, other);
}

static const char *user_name(uint32_t uid, char *buffer, size_t size)
{
	struct passwd entry, *found = NULL;
	char strings[1024];
	if (getpwuid_r(uid, &entry, strings, sizeof strings, &found) == 0 && found != NULL)
		snprintf(buffer, size, "%s", found->pw_name);
	else
		snprintf(buffer, size, "user %" PRIu32, uid);
	return buffer;
}

/* The setting of the Yama security module: 1 allows a process's ancestors only, 2 root only, 3
 * nobody. Documentation/admin-guide/LSM/Yama.rst. */
static int yama_scope(void)
{
	int scope = 0;
	FILE *file = fopen("/proc/sys/kernel/yama/ptrace_scope", "re");
	if (file == NULL)
		return 0;
	if (fscanf(file, "%d", &scope) != 1)
		scope = 0;
	fclose(file);
	return scope;
}

/* Why the kernel does not let us trace the process, and what to do. */
static struct error *not_permitted(const char *name, const struct proc_status *status)
{
	char owner[64], me[64];
	uint32_t own = (uint32_t)geteuid();
	int scope = yama_scope();
	if (scope == 3)
		return error_new(
		    ERROR_OS,
		    "process %s may not be traced: kernel.yama.ptrace_scope is 3, which "
		    "forbids it to everybody until the next boot",
		    name);
	if (own == 0)
		return error_new(
		    ERROR_OS,
		    "process %s may not be traced, even by root here: mostly this is a "
		    "container without the capability SYS_PTRACE (docker run --cap-add=SYS_PTRACE)",
		    name);
	if (status->uid == 0)
		return error_new(ERROR_OS, "process %s belongs to root: run corescan as root",
				 name);
	if (status->uid != own)
		return error_new(
		    ERROR_OS,
		    "process %s belongs to %s, and corescan runs as %s: run it as %s or as root",
		    name, user_name(status->uid, owner, sizeof owner),
		    user_name(own, me, sizeof me), owner);
	if (scope > 0)
		return error_new(
		    ERROR_OS,
		    "process %s may not be traced: kernel.yama.ptrace_scope is %d; run "
		    "corescan as root, or \"sysctl kernel.yama.ptrace_scope=0\"",
		    name, scope);
	return error_new(ERROR_OS,
			 "process %s may not be traced: it runs with more rights than corescan, or "
			 "forbids it (prctl PR_SET_DUMPABLE); run corescan as root",
			 name);
}

/* Whether we may: opening mem asks the kernel the same question as tracing, and stops nothing. */
static struct error *check_permission(struct proc_task task, const struct proc_status *status,
				      bool to_stop)
{
	char name[64];
	name_process(task.pid, name, sizeof name);
	if (to_stop && status->tracer != 0)
		return traced_by_another(name, status->tracer);
	int mem = proc_open(task, "mem");
	if (mem >= 0) {
		close(mem);
		return NULL;
	}
	if (errno == EACCES || errno == EPERM)
		return not_permitted(name, status);
	return error_os(errno, "cannot open the memory of process %s", name);
}

/* The row of the program's architecture, by the header of its executable. */
static struct error *find_arch(struct proc_task task, const struct arch **arch)
{
	unsigned char header[20];
	int exe = proc_open(task, "exe");
	if (exe < 0)
		return error_os(errno, "cannot open the executable of process %" PRId32, task.pid);
	ssize_t got = pread(exe, header, sizeof header, 0);
	close(exe);
	if (got != (ssize_t)sizeof header || memcmp(header, ELFMAG, SELFMAG) != 0)
		return error_new(ERROR_BAD_DATA, "process %" PRId32 " does not run an ELF file",
				 task.pid);
	uint16_t machine = (uint16_t)bytes_unsigned(header + 18, 2, header[EI_DATA] == ELFDATA2MSB);
	*arch = arch_find(machine, header[EI_CLASS], header[EI_DATA]);
	if (*arch != NULL)
		return NULL;
	char buffer[32];
	return error_new(ERROR_UNSUPPORTED,
			 "process %" PRId32 " is a %s-bit %s program: corescan reads 64-bit x86-64 "
			 "programs only (gdb reads this one)",
			 task.pid, header[EI_CLASS] == ELFCLASS32 ? "32" : "64",
			 arch_machine_name(machine, buffer, sizeof buffer));
}

/* Everything that can be refused before the process is disturbed. */
static struct error *check_before(int32_t pid, bool to_stop, const struct arch **arch)
{
	struct proc_status status;
	struct proc_task task;
	if (pid <= 0)
		return error_new(ERROR_NOT_FOUND, "%" PRId32 " is not a process id", pid);
	if (!proc_read_status(pid, &status)) {
		if (errno == ENOENT || errno == ESRCH)
			return error_new(ERROR_NOT_FOUND, "there is no process %" PRId32, pid);
		return error_os(errno, "cannot read /proc/%" PRId32 "/status", pid);
	}
	struct error *error = check_is_process(pid, &status);
	if (error != NULL)
		return error;
	if (!living_task(pid, &task))
		return error_new(ERROR_NOT_FOUND, "process %" PRId32 " has ended", pid);
	error = check_permission(task, &status, to_stop);
	return error != NULL ? error : find_arch(task, arch);
}

/* After a refused stop: says why, if another tracer came first. */
static struct error *explain_refusal(int32_t pid, struct error *error)
{
	struct proc_status status;
	char name[64];
	if (error->code != ERROR_OS || !proc_read_status(pid, &status))
		return error;
	name_process(pid, name, sizeof name);
	if (status.tracer == 0)
		return error_prefix(error, "process %s", name);
	error_free(error);
	return traced_by_another(name, status.tracer);
}

/* /proc/PID/cmdline has a NUL behind each argument. */
static char *read_command(struct proc_task task)
{
	size_t size = 0;
	char *text = proc_read(task, "cmdline", &size);
	if (text == NULL)
		return NULL;
	while (size > 0 && text[size - 1] == '\0')
		size--;
	for (size_t i = 0; i < size; i++)
		if (text[i] == '\0')
			text[i] = ' ';
	if (size > 0)
		return text;
	free(text);
	return NULL;
}

/* Where the process's own paths begin for us: NULL where they begin at our root too. */
static char *find_root(struct proc_task task, struct gaps *gaps)
{
	char *theirs = proc_link(task, "ns/mnt");
	char *ours = proc_link((struct proc_task){ getpid(), getpid() }, "ns/mnt");
	bool same = theirs != NULL && ours != NULL && strcmp(theirs, ours) == 0;
	free(theirs);
	free(ours);

	char path[64];
	if (task.tid == task.pid)
		snprintf(path, sizeof path, "/proc/%" PRId32 "/root", task.pid);
	else /* the main thread has ended, and has none */
		snprintf(path, sizeof path, "/proc/%" PRId32 "/task/%" PRId32 "/root", task.pid,
			 task.tid);
	struct stat root, own;
	if (stat(path, &root) != 0) {
		gaps_add(gaps, GAP_MODULE, 0, 0,
			 "the files that process %" PRId32 " sees cannot be opened (%s: %s)",
			 task.pid, path, strerror(errno));
		return NULL;
	}
	if (same && stat("/", &own) == 0 && root.st_dev == own.st_dev && root.st_ino == own.st_ino)
		return NULL;
	return strdup(path);
}

static struct error *read_auxv(struct proc_task task, struct target *target)
{
	size_t size = 0, word = target->arch->word_size;
	char *bytes = proc_read(task, "auxv", &size);
	if (bytes == NULL)
		return NULL;
	size_t count = size / (2 * word);
	target->auxv = calloc(count + 1, sizeof *target->auxv);
	if (target->auxv == NULL) {
		free(bytes);
		return error_no_memory();
	}
	bool big_endian = target->arch->elf_data == ELFDATA2MSB;
	for (size_t i = 0; i < count; i++) {
		const char *entry = bytes + i * 2 * word;
		uint64_t type = bytes_unsigned(entry, word, big_endian);
		if (type == AT_NULL)
			break;
		target->auxv[target->auxv_count].type = type;
		target->auxv[target->auxv_count++].value =
		    bytes_unsigned(entry + word, word, big_endian);
	}
	free(bytes);
	return NULL;
}

/* What the process is called and was started with. Any of it may be missing. */
static struct error *describe_process(struct proc_task task, struct target *target,
				      struct gaps *gaps)
{
	char comm[17], path[32];
	struct proc_task leader = { task.pid, task.pid };
	proc_read_line(leader, "comm", comm, sizeof comm);
	snprintf(path, sizeof path, "/proc/%" PRId32, task.pid);
	target->pid = task.pid;
	target->path = strdup(path);
	target->comm = strdup(comm);
	target->command = read_command(task);
	char *exe = proc_link(task, "exe");
	if (exe != NULL)
		target->deleted = proc_cut_deleted(exe);
	target->exe = exe;
	struct proc_task_status status;
	if (live_other_namespace(task) && proc_read_task_status(leader, &status))
		target->inner_pid = status.inner_tid;
	struct proc_status process;
	if (proc_read_status(task.pid, &process))
		target->caught_signals = process.caught;
	target->root = find_root(task, gaps);
	if (target->path == NULL || target->comm == NULL)
		return error_no_memory();
	return read_auxv(task, target);
}

static void tell_gaps(const struct target *target, struct gaps *gaps)
{
	const struct live_back_end *live = target->back_end;
	for (size_t i = 0; i < target->threads.count && live->threads == NULL; i++) {
		const struct target_thread *thread = &target->threads.items[i];
		if (!thread->stopped && live->held != NULL)
			gaps_add(gaps, GAP_THREAD, 0, 0,
				 "the debugger told no registers of thread %" PRId32
				 " \"%s\": its stack was not read",
				 thread->tid, thread->name);
		else if (!thread->stopped)
			gaps_add(
			    gaps, GAP_THREAD, 0, 0,
			    "thread %" PRId32 " \"%s\" did not stop in time (state %c%s%s): %s",
			    thread->tid, thread->name, thread->state,
			    thread->wchan[0] != '\0' ? ", in the kernel's " : "", thread->wchan,
			    thread->asleep
				? "of its registers only those are known that the kernel tells of "
				  "its system call"
				: "its registers and stack were not read");
		else if (thread->registers.general_size == 0)
			gaps_add(gaps, GAP_THREAD, 0, 0,
				 "thread %" PRId32 " \"%s\" was killed while it was stopped",
				 thread->tid, thread->name);
	}
	size_t count;
	const struct segment *segments = address_space_segments(target->space, &count);
	for (size_t i = 0; i < count && i < live->memory.maps.list.count; i++)
		if (segments[i].origin == SEGMENT_ABSENT &&
		    live_memory_is_readable(&live->memory.maps.list.items[i]))
			gaps_add(gaps, GAP_LIMIT, segments[i].start, segments[i].end,
				 "%s at 0x%" PRIx64 " are too large to be looked at",
				 size_text(segments[i].end - segments[i].start).text,
				 segments[i].start);
}

static void resume_live(struct target *target)
{
	struct live_back_end *live = target->back_end;
	if (live->stop != NULL) {
		target->paused_us = ptrace_stop_end(live->stop);
		target->cut_short = ptrace_stop_cut_short(live->stop);
	}
	page_pool_free(live->pool);
	live->pool = NULL;
}

static void close_live(struct target *target)
{
	struct live_back_end *live = target->back_end;
	ptrace_stop_free(live->stop);
	live_threads_free(live->threads);
	live_links_free(live->links);
	page_pool_free(live->pool);
	array_free(&live->missed);
	live_memory_close(&live->memory);
	pthread_mutex_destroy(&live->reading);
	free(live);
}

static bool take_threads(const struct live_back_end *live, struct proc_task task,
			 struct target *target)
{
	if (live->held != NULL)
		return held_threads_take(live->held, live->pid, live_other_namespace(task), target);
	return live->stop != NULL ? ptrace_stop_threads(live->stop, target)
				  : live_threads_take(live->threads, target);
}

/* Fills the target from the process. */
static struct error *read_process(struct target *target, struct gaps *gaps)
{
	struct live_back_end *live = target->back_end;
	struct proc_task task;
	if (!living_task(live->pid, &task))
		return error_new(ERROR_NOT_FOUND, "process %" PRId32 " has ended", live->pid);
	const struct arch *arch = NULL;
	struct error *error = find_arch(task, &arch);
	if (error == NULL && arch != target->arch)
		error = error_new(ERROR_OS, "process %" PRId32 " began to run another program",
				  live->pid);
	if (error == NULL)
		error = live_memory_open(task, &live->memory);
	if (error == NULL)
		error = describe_process(task, target, gaps);
	if (error == NULL)
		error = live_memory_add_segments(&live->memory, target->space, gaps);
	if (error == NULL && !take_threads(live, task, target))
		error = error_no_memory();
	if (error == NULL)
		live_threads_find_pointers(target);
	if (error == NULL)
		tell_gaps(target, gaps);
	return error;
}

/* The address space's reader. */
static size_t read_live(void *context, uint64_t start, void *bytes, size_t size)
{
	struct live_back_end *live = context;
	pthread_mutex_lock(&live->reading);
	/* The tracer tells when the time is up, but may itself get no processor in time. */
	if (live->stop != NULL && ptrace_stop_is_over(live->stop))
		live->closed = true;
	size_t got = live->closed ? 0 : live_memory_read(&live->memory, start, bytes, size);
	pthread_mutex_unlock(&live->reading);
	return got;
}

/* The stop is about to end before we are ready: waits for the read that is under way. Who reads one
 * piece after the other would take the lock again before it is ours, so it is told first. */
static void end_reading(void *context)
{
	struct live_back_end *live = context;
	live->closed = true;
	pthread_mutex_lock(&live->reading);
	pthread_mutex_unlock(&live->reading);
}

/* A target that is not filled yet; it owns nothing of the process. */
static struct target *new_target(int32_t pid, const struct arch *arch)
{
	struct live_back_end *live = calloc(1, sizeof *live);
	if (live == NULL)
		return NULL;
	live->pid = pid;
	live->memory.mem = live->memory.pagemap = -1;
	struct target *target = target_new(TARGET_LIVE, arch, read_live, live);
	if (target == NULL) {
		free(live);
		return NULL;
	}
	pthread_mutex_init(&live->reading, NULL);
	target->back_end = live;
	target->close = close_live;
	return target;
}

static struct error *stop_process(struct live_back_end *live, const struct target_options *options)
{
	const struct ptrace_stop_limit limit = {
		.max_pause_ms = options->max_pause_ms,
		.cut_short = end_reading,
		.context = live,
	};
	unsigned deadline =
	    options->stop_deadline_ms != 0 ? options->stop_deadline_ms : STOP_DEADLINE_MS;
	if (limit.max_pause_ms != 0 && limit.max_pause_ms < deadline)
		deadline = limit.max_pause_ms;
	struct proc_task task;
	if (options->snapshot && living_task(live->pid, &task))
		live->pool = live_snapshot_prepare(task, options->progress);
	struct error *error = ptrace_stop_process(live->pid, deadline, &limit, &live->stop);
	return error != NULL ? explain_refusal(live->pid, error) : NULL;
}

/* Where the kernel lets only the debugger read the process, that can write a core. */
static struct error *advise_core(struct error *error)
{
	if (error->code != ERROR_OS)
		return error;
	struct error *advice = error_new(
	    ERROR_OS, "%s; or in the debugger: generate-core-file FILE, then corescan FILE",
	    error->message);
	error_free(error);
	return advice;
}

struct error *target_open_live(int32_t pid, const struct target_options *options, struct gaps *gaps,
			       struct target **result)
{
	static const struct target_options usual = { 0 };
	const struct arch *arch = NULL;
	if (options == NULL)
		options = &usual;
	const bool to_stop = !options->without_stop && options->held == NULL;
	struct error *error = check_before(pid, to_stop, &arch);
	if (error != NULL)
		return options->held != NULL ? advise_core(error) : error;
	struct target *target = new_target(pid, arch);
	if (target == NULL)
		return error_no_memory();
	struct live_back_end *live = target->back_end;
	target->unstopped = options->without_stop;
	target->held = options->held != NULL;
	live->held = options->held;
	struct proc_task task;
	struct plain_fds *plain = NULL;
	if (options->kernel_words && living_task(pid, &task))
		plain = plain_fds_find(task);
	if (to_stop)
		error = stop_process(live, options);
	else if (options->without_stop)
		error = live_threads_look(pid, arch, &live->threads);
	if (error == NULL) {
		target->resume = live->held == NULL ? resume_live : NULL;
		error = read_process(target, gaps);
	}
	if (error == NULL && options->kernel_words)
		kernel_words_read(live->memory.task, plain, target, gaps);
	plain_fds_free(plain);
	if (error == NULL && options->descriptors)
		live->links = live_links_read(pid);
	if (error != NULL)
		target_close(target);
	else
		*result = target;
	return error;
}

bool live_process_stayed(struct target *target, char *why, size_t size)
{
	const struct live_back_end *live = target->back_end;
	return !target->unstopped || live_threads_stayed(live->threads, target, why, size);
}
