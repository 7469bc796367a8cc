/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cli/run.h"

#include "cli/messages.h"
#include "cli/render.h"
#include "cli/run_state.h"
#include "modules/glibc_version.h"
#include "target/live_process.h"

#include <elf.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* --- opening */

/* What is looked at in all of the process's memory, which a live one changes all the while. */
#define NEED_MEMORY ((unsigned)NEED_HEAP | NEED_GO)
/* Copying this much takes about as long as looking at threads and waits does. */
#define SMALL_COPY (128ul << 20)

/* A live process is stopped only for as long as its memory is copied; without the heap, what its
 * threads point to. Where that does not fit it stays stopped until it was looked at. */
static void copy_memory(struct run *run)
{
	const struct progress *progress = &run->progress.progress;
	run->by_threads = !run->unstopped && !run->options->locals &&
			  (run->needs & NEED_MEMORY) == 0 && (run->needs & NEED_THREADS) != 0;
	struct error *error =
	    run->by_threads
		? live_process_snapshot_threads(run->target, SMALL_COPY, progress, &run->gaps)
		: live_process_snapshot(run->target,
					(run->needs & NEED_MEMORY) != 0 ? UINT64_MAX : SMALL_COPY,
					progress, &run->gaps);
	run->copied = error == NULL;
	if (error != NULL && error->code != ERROR_UNSUPPORTED && !run->unstopped)
		message(&run->progress, "warning: %s; it is stopped while corescan looks at it",
			error->message);
	error_free(error);
}

/* A running thread has nothing to tell without a stop: that needs no copy to be seen. */
static void check_asleep(struct run *run)
{
	for (size_t i = 0; run->unstopped && i < run->target->threads.count; i++) {
		const struct target_thread *thread = &run->target->threads.items[i];
		if (run->options->stop != STOP_NEVER && !thread->asleep) {
			snprintf(run->why_stop, sizeof run->why_stop, "thread %d ran",
				 (int)thread->tid);
			return;
		}
	}
}

static struct error *open_target(struct run *run)
{
	const struct options *options = run->options;
	const struct target_options how = {
		.progress = &run->progress.progress,
		.snapshot = (run->needs & NEED_MEMORY) != 0,
		.descriptors = (run->needs & NEED_WAITS) != 0,
		.kernel_words = (run->needs & NEED_REACHABILITY) != 0,
		.without_stop = run->unstopped,
		.max_pause_ms = options->max_pause_ms,
		.held = options->held,
	};
	if (options->core != NULL)
		return target_open_core(options->core, &how, &run->gaps, &run->target);
	struct error *error = target_open_live(options->pid, &how, &run->gaps, &run->target);
	if (error != NULL || options->held != NULL)
		return error;
	check_asleep(run);
	if (run->why_stop[0] == '\0')
		copy_memory(run);
	if (run->why_stop[0] == '\0' && run->copied)
		run_check_stayed(run);
	return NULL;
}

/* An EXE of another build is a gap, which stands at the end of the report: too late for a reader
 * who takes it for the program. */
static void warn_of_exe(struct run *run)
{
	const char *exe = run->options->exe;
	for (size_t i = 0; exe != NULL && i < run->gaps.list.count; i++) {
		const struct gap *gap = &run->gaps.list.items[i];
		if (gap->kind == GAP_MODULE && strncmp(gap->text, exe, strlen(exe)) == 0)
			message(&run->progress, "WARNING: %s", gap->text);
	}
}

/* A name without a directory that is no file may have been meant for a command. */
static void tell_commands(struct run *run, const char *name)
{
	char names[256] = "";
	size_t count, length = 0;
	const struct view *views = view_list(&count);
	if (strchr(name, '/') != NULL || access(name, F_OK) == 0)
		return;
	for (size_t i = 0; i < count && length < sizeof names; i++)
		length += (size_t)snprintf(names + length, sizeof names - length, "%s%s",
					   i == 0 ? "" : ", ", views[i].name);
	message(&run->progress, "'%s' is no command either: these are %s", name, names);
}

/* Without the EXE that is none of this target's: the process's own files may still be found. */
static struct error *open_modules(struct run *run)
{
	struct modules_options how = {
		.exe = run->options->exe,
		.sysroot = run->options->sysroot,
		.debug_dir = run->options->debug_dir,
		.progress = &run->progress.progress,
	};
	struct error *error = modules_open(run->target, &how, &run->gaps, &run->modules);
	if (error == NULL)
		warn_of_exe(run);
	if (error == NULL || how.exe == NULL || error->code == ERROR_NO_MEMORY)
		return error;
	message(&run->progress, "WARNING: %s; going on without it", error->message);
	tell_commands(run, how.exe);
	gaps_add(&run->gaps, GAP_MODULE, 0, 0, "%s; it was not used", error->message);
	error_free(error);
	how.exe = NULL;
	return modules_open(run->target, &how, &run->gaps, &run->modules);
}

/* --- the end */

void run_end(struct run *run)
{
	profile_table_free(&run->profile_table);
	profile_free(&run->profile);
	go_memory_profile_free(&run->memory_profile);
	go_resources_free(&run->go_resources);
	go_lock_holders_free(&run->go_lock_holders);
	goroutine_leaks_free(&run->goroutine_leaks);
	go_heap_free(&run->go_heap);
	goroutines_free(&run->goroutines);
	go_process_free(run->go);
	explain_free(&run->explanation);
	retained_free(&run->retained);
	orphans_free(&run->orphans);
	reachability_free(&run->reachability);
	roots_free(&run->roots);
	locks_free(&run->locks);
	suspicions_free(&run->suspicions);
	convoys_free(&run->convoys);
	deadlocks_free(&run->deadlocks);
	wait_groups_free(&run->wait_groups);
	waits_free(&run->waits);
	sources_free(&run->sources);
	variables_free(&run->variables);
	stack_groups_free(&run->stacks);
	heap_free(&run->heap);
	glibc_pthreads_free(&run->pthreads);
	threads_free(&run->threads);
	modules_free(run->modules);
	target_close(run->target);
	gaps_free(&run->gaps);
	progress_line_erase(&run->progress);
}

unsigned run_needs(const struct options *options)
{
	unsigned needs = options->view->needs;
	if (options->dot)
		needs &= ~(unsigned)(NEED_HEAP | NEED_REACHABILITY | NEED_ORPHANS | NEED_GO);
	if (options->all)
		needs |= NEED_HEAP;
	/* Where it is read by a program: the text does not tell them. */
	if (options->json && strcmp(options->view->name, "heap") == 0)
		needs |= NEED_SIZES;
	if (options->retained)
		needs |= NEED_RETAINED;
	/* The heap profile is small, and read while a process stands still. */
	if ((needs & NEED_PROFILE) != 0 && options->profile != PROFILE_HEAP)
		needs |= NEED_GO;
	if ((options->fail_on & FAIL_ON_DEADLOCK) != 0)
		needs |= NEED_THREADS | NEED_WAITS;
	if ((options->fail_on & FAIL_ON_ORPHANS) != 0)
		needs |= NEED_THREADS | NEED_HEAP | NEED_REACHABILITY | NEED_ORPHANS;
	if ((options->fail_on & FAIL_ON_CORRUPTION) != 0)
		needs |= NEED_THREADS | NEED_HEAP;
	return needs;
}

static bool condition_found(const struct run *run)
{
	const struct findings *findings = &run->findings;
	const unsigned fail_on = run->options->fail_on;
	return ((fail_on & FAIL_ON_DEADLOCK) != 0 && findings->deadlocks != NULL &&
		findings->deadlocks->count > 0) ||
	       ((fail_on & FAIL_ON_ORPHANS) != 0 && findings->orphans != NULL &&
		findings->reachability->totals[CHUNK_ORPHANED].chunks > 0) ||
	       ((fail_on & FAIL_ON_CORRUPTION) != 0 && findings->subject->heap != NULL &&
		heap_corruption_count(findings->subject->heap) > 0);
}

/* A stream, or a graph, has no place for its gaps. */
static void tell_gaps(struct run *run)
{
	for (size_t i = 0; i < run->gaps.list.count; i++)
		message(&run->progress, "not examined: %s", run->gaps.list.items[i].text);
}

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');
	return slash != NULL ? slash + 1 : path;
}

/* What was given to execve, where it tells more: python3, for python3.11, does not. */
static const char *run_as(const struct run *run)
{
	char path[4096];
	uint64_t address;
	const char *exe = run->target->exe;
	if (exe == NULL || !target_auxv(run->target, AT_EXECFN, &address) ||
	    !address_space_string(run->target->space, address, path, sizeof path))
		return NULL;
	const char *name = base_name(path);
	return name[0] == '\0' || strncmp(base_name(exe), name, strlen(name)) == 0
		   ? NULL
		   : string_pool_add(modules_strings(run->modules), path);
}

void run_settle(struct run *run)
{
	struct findings *findings = &run->findings;
	findings->subject = &run->subject;
	findings->modules = modules_list(run->modules, &findings->module_count);
	findings->libc_version = glibc_version(run->target->space, run->modules);
	findings->run_as = run_as(run);
	findings->segments = address_space_segments(run->target->space, &findings->segment_count);
	findings->exit_status = condition_found(run)	     ? EXIT_CONDITION
				: findings_partial(findings) ? EXIT_PARTIAL
							     : EXIT_COMPLETE;
}

enum exit_status run_show(struct run *run)
{
	struct findings *findings = &run->findings;
	bool reader_gone = false;
	run_settle(run);
	progress_line_erase(&run->progress);
	struct error *error = run_write_pprof(run);
	if (run->options->view->stream != NULL || run->options->dot || run_pprof_is_output(run))
		tell_gaps(run);
	if (error == NULL && !run_pprof_is_output(run))
		error = render(run->options, findings, &reader_gone);
	if (error == NULL)
		return (enum exit_status)findings->exit_status;
	if (!reader_gone)
		message(&run->progress, "%s", error->message);
	error_free(error);
	return EXIT_NOTHING;
}

static bool shows_progress(void)
{
	const char *term = getenv("TERM");
	return isatty(STDERR_FILENO) && term != NULL && strcmp(term, "dumb") != 0;
}

/* The first look at a process is one without a stop. Most variables lie in registers, or where
 * those lead, which only a stopped thread tells. */
static bool may_go_unstopped(const struct options *options)
{
	if (options->held != NULL || (options->locals && options->stop != STOP_NEVER))
		return false;
	return options->core == NULL && options->stop != STOP_ALWAYS &&
	       (run_needs(options) & NEED_MEMORY) == 0;
}

/* The bound of a stop during which things were read as they were asked for. */
static void tell_cut_short(struct run *run)
{
	if (run->target->cut_short && !run->copied)
		gaps_add(&run->gaps, GAP_LIMIT, 0, 0,
			 "the stop ended at its bound (--max-pause): what had not been read by "
			 "then was not examined");
}

/* Notes why the process had to be stopped. */
static void keep_reason(struct run *run, const char *why_stop)
{
	if (why_stop[0] != '\0')
		run->target->stopped_because = strdup(why_stop);
}

/* The loader's list was read: the process runs on. */
static struct error *let_go(struct run *run)
{
	struct error *error = live_process_release(run->target, &run->gaps);
	return error != NULL ? error : modules_settle(run->modules);
}

bool run_open(struct run *run)
{
	struct error *error = open_target(run);
	if (error == NULL && run->why_stop[0] == '\0')
		error = open_modules(run);
	if (error == NULL && run->modules != NULL && run->copied && run->by_threads)
		error = let_go(run);
	if (error == NULL)
		return run->why_stop[0] == '\0';
	message(&run->progress, "%s", error->message);
	error_free(error);
	return false;
}

static enum exit_status examine(struct run *run, const char *why_stop)
{
	enum exit_status status = EXIT_NOTHING;
	if (run_open(run))
		run_make_parts(run);
	else
		return status;
	if (run->why_stop[0] == '\0') {
		target_resume(run->target);
		tell_cut_short(run);
		keep_reason(run, why_stop);
		status = run_show(run);
	}
	return status;
}

/* One look at the target, with or without a stop. True when it has to be stopped, and why. */
static bool look(const struct options *options, bool unstopped, char why_stop[WHY_MAX],
		 enum exit_status *status)
{
	struct run run = {
		.options = options,
		.needs = run_needs(options),
		.unstopped = unstopped,
	};
	progress_line_begin(&run.progress, shows_progress());
	*status = examine(&run, why_stop);
	memcpy(why_stop, run.why_stop, WHY_MAX);
	run_end(&run);
	return why_stop[0] != '\0';
}

enum exit_status run(const struct options *options)
{
	enum exit_status status = EXIT_NOTHING;
	char why_stop[WHY_MAX] = "";
	if (!may_go_unstopped(options) || look(options, true, why_stop, &status))
		look(options, false, why_stop, &status);
	return status;
}
