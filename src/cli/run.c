/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cli/run.h"

#include "cli/messages.h"
#include "cli/render.h"
#include "modules/glibc_version.h"
#include "target/live_process.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Shared chunks that --retained tells of. */
#define RETAINED_HEADS 40
/* Reachable chunks up to which the report says who holds the most: some tens of milliseconds. */
#define LARGEST_ROOTS_CHUNKS 100000

enum { WHY_MAX = 160 };

/* Everything of one run; run_end releases it in the opposite order. */
struct run {
	const struct options *options;
	unsigned needs; /* enum finding_need: of the view and of --fail-on */
	struct progress_line progress;
	struct gaps gaps;
	struct target *target;
	struct modules *modules;
	struct threads threads;
	struct glibc_pthreads pthreads;
	struct heap heap;
	struct crash crash;
	struct stack_groups stacks;
	struct variables variables;
	struct sources sources;
	struct waits waits;
	struct wait_groups wait_groups;
	struct deadlocks deadlocks;
	struct convoys convoys;
	struct suspicions suspicions;
	struct locks locks;
	struct roots roots;
	struct reachability reachability;
	struct orphans orphans;
	struct explanation explanation;
	struct retained retained;
	struct go_process *go;
	struct goroutines goroutines;
	struct subject subject;
	struct findings findings;
	/* A process that is looked at without a stop: why that does not do, so that it has to be
	 * stopped; "" if it does. */
	bool unstopped;
	bool copied; /* the analyses read a copy of the process's memory */
	char why_stop[WHY_MAX];
};

static void run_end(struct run *run)
{
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

/* A part that failed: told at once and in the report. True when it was there. */
static bool part_made(struct run *run, struct error *error, enum gap_kind kind, const char *what)
{
	if (error == NULL)
		return true;
	message(&run->progress, "warning: %s: %s", what, error->message);
	gaps_add(&run->gaps, kind, 0, 0, "%s: %s", what, error->message);
	error_free(error);
	return false;
}

/* --- opening */

/* What is looked at in all of the process's memory, which a live one changes all the while. */
#define NEED_MEMORY ((unsigned)NEED_HEAP | NEED_GO)
/* Copying this much takes about as long as looking at threads and waits does. */
#define SMALL_COPY (128ul << 20)

/* A live process is stopped only for as long as its memory is copied. Where the copy does not fit,
 * or, without the heap, is the longer way, it stays stopped until it was looked at. */
static void copy_memory(struct run *run)
{
	struct error *error = live_process_snapshot(
	    run->target, (run->needs & NEED_MEMORY) != 0 ? UINT64_MAX : SMALL_COPY,
	    &run->progress.progress, &run->gaps);
	run->copied = error == NULL;
	if (error != NULL && error->code != ERROR_UNSUPPORTED && !run->unstopped)
		message(&run->progress, "warning: %s; it is stopped while corescan looks at it",
			error->message);
	error_free(error);
}

/* Whether all threads slept while memory was read, without a stop. Else the process has to be
 * stopped, unless that is forbidden: then what can be told of the others is. */
static void check_stayed(struct run *run)
{
	char why[WHY_MAX] = "";
	if (!run->unstopped || live_process_stayed(run->target, why, sizeof why))
		return;
	if (run->options->stop == STOP_NEVER)
		gaps_add(&run->gaps, GAP_THREAD, 0, 0,
			 "the process was not stopped, and %s meanwhile: what was changed then may "
			 "be told as it was or as it became",
			 why);
	else
		snprintf(run->why_stop, sizeof run->why_stop, "%s", why);
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
		check_stayed(run);
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
	gaps_add(&run->gaps, GAP_MODULE, 0, 0, "%s; it was not used", error->message);
	error_free(error);
	how.exe = NULL;
	return modules_open(run->target, &how, &run->gaps, &run->modules);
}

/* --- analyses */

/* Whether every stack was unwound, and every thread pointer found, by the few registers that are
 * known without a stop. */
static void check_stacks(struct run *run)
{
	if (!run->unstopped || run->options->stop == STOP_NEVER)
		return;
	for (size_t i = 0; i < run->threads.count; i++) {
		const struct thread *thread = &run->threads.items[i];
		if (thread->stop_reason != NULL || thread->thread_pointer == 0) {
			snprintf(run->why_stop, sizeof run->why_stop,
				 "more registers of thread %d are needed", (int)thread->tid);
			return;
		}
	}
}

static void find_threads(struct run *run)
{
	const struct threads_options how = {
		.inlines = true,
		.registers = run->options->locals,
		.progress = &run->progress.progress,
	};
	if (!part_made(run,
		       threads_open(run->target, run->modules, &how, &run->gaps, &run->threads),
		       GAP_THREAD, "the stacks were not unwound"))
		return;
	run->subject.threads = &run->threads;
	check_stacks(run);
	if (part_made(run,
		      glibc_pthreads_open(run->target, run->modules, &run->gaps, &run->pthreads),
		      GAP_THREAD, "libc's threads were not read"))
		run->subject.pthreads = &run->pthreads;
}

/* A program without Go has nothing to say of it; one whose Go cannot be read does. */
static void find_goroutines(struct run *run)
{
	struct error *error = go_process_open(run->target, run->modules, &run->go);
	if (error != NULL && error->code == ERROR_NOT_FOUND) {
		error_free(error);
		return;
	}
	if (error != NULL) {
		gaps_add(&run->gaps, GAP_THREAD, 0, 0, "%s", error->message);
		error_free(error);
		return;
	}
	run->findings.go = run->go;
	if (part_made(run, goroutines_open(run->go, &run->gaps, &run->goroutines), GAP_THREAD,
		      "the goroutines were not read"))
		run->findings.goroutines = &run->goroutines;
}

static void group_stacks(struct run *run)
{
	if (run->subject.threads != NULL &&
	    part_made(run, stack_groups_make(&run->threads, &run->stacks), GAP_THREAD,
		      "the stacks were not grouped"))
		run->findings.stacks = &run->stacks;
}

static void walk_heap(struct run *run)
{
	const struct heap_context context = {
		.target = run->target,
		.modules = run->modules,
		.threads = run->subject.threads,
		.pthreads = run->subject.pthreads,
		.progress = &run->progress.progress,
	};
	if (context.threads == NULL || context.pthreads == NULL)
		gaps_add(&run->gaps, GAP_HEAP, 0, 0,
			 "the heap was not walked: what its threads hold is not known");
	else if (part_made(run, heap_open(&context, &run->gaps, &run->heap), GAP_HEAP,
			   "the heap was not walked"))
		run->subject.heap = &run->heap;
}

/* What follows from the waits. */
static void find_graph(struct run *run)
{
	const struct subject *subject = &run->subject;
	if (part_made(run, deadlocks_find(subject, &run->waits, &run->deadlocks), GAP_WAIT,
		      "deadlocks were not looked for"))
		run->findings.deadlocks = &run->deadlocks;
	if (part_made(run, convoys_find(subject, &run->waits, &run->convoys), GAP_WAIT,
		      "who holds up others was not looked for"))
		run->findings.convoys = &run->convoys;
	if (run->findings.deadlocks != NULL &&
	    part_made(run, suspicions_find(subject, &run->waits, &run->deadlocks, &run->suspicions),
		      GAP_WAIT, "lost wake-ups were not looked for"))
		run->findings.suspicions = &run->suspicions;
	if ((run->needs & NEED_LOCKS) != 0 &&
	    part_made(run, locks_find(subject, &run->waits, run->options->all, &run->locks),
		      GAP_WAIT, "the locks were not listed"))
		run->findings.locks = &run->locks;
}

static void find_waits(struct run *run)
{
	if ((run->needs & NEED_WAITS) != 0 && run->subject.threads != NULL &&
	    part_made(run, waits_find(&run->subject, &run->waits), GAP_WAIT,
		      "the waits were not examined"))
		run->findings.waits = &run->waits;
}

/* What was read on and on of a process that is not stopped holds for the threads that slept all
 * the while. */
static void forget_moved(struct run *run)
{
	if (!run->unstopped || run->copied)
		return;
	check_stayed(run);
	threads_forget_moved(&run->threads);
	waits_forget_moved(&run->waits);
}

static void judge_waits(struct run *run)
{
	if (run->findings.waits == NULL)
		return;
	waits_tell_owners(&run->subject, &run->waits);
	find_graph(run);
	if (run->findings.stacks != NULL &&
	    part_made(
		run, wait_groups_make(&run->subject, &run->waits, &run->stacks, &run->wait_groups),
		GAP_WAIT, "the waits were not grouped"))
		run->findings.wait_groups = &run->wait_groups;
}

static void find_variables(struct run *run)
{
	if (part_made(run, variables_find(&run->subject, &run->stacks, &run->variables), GAP_THREAD,
		      "arguments and locals were not read"))
		run->findings.variables = &run->variables;
}

static void find_retained(struct run *run)
{
	const struct dominator_options options = { .heads = RETAINED_HEADS };
	bool quick = run->reachability.totals[CHUNK_REACHABLE].chunks <= LARGEST_ROOTS_CHUNKS;
	if ((run->needs & NEED_RETAINED) == 0 && ((run->needs & NEED_LARGEST_ROOTS) == 0 || !quick))
		return;
	if (part_made(run,
		      retained_find(&run->subject, &run->roots, &run->reachability, &options,
				    &run->retained),
		      GAP_HEAP, "who holds what was not found"))
		run->findings.retained = &run->retained;
}

static void find_sources(struct run *run)
{
	if (part_made(
		run,
		sources_find(&run->subject, &run->stacks, run->options->sysroot, &run->sources),
		GAP_THREAD, "source lines were not read"))
		run->findings.sources = &run->sources;
}

static void find_orphans(struct run *run)
{
	if (!part_made(run, roots_collect(&run->subject, &run->roots), GAP_HEAP,
		       "the roots were not collected") ||
	    !part_made(run, reachability_compute(&run->subject, &run->roots, &run->reachability),
		       GAP_HEAP, "reachability was not computed"))
		return;
	run->findings.reachability = &run->reachability;
	if ((run->needs & NEED_ORPHANS) != 0 &&
	    part_made(run,
		      orphans_find(&run->subject, &run->reachability, run->options->grouping,
				   &run->orphans),
		      GAP_HEAP, "the orphans were not grouped"))
		run->findings.orphans = &run->orphans;
	find_retained(run);
}

static void explain(struct run *run)
{
	const bool whole = run->findings.reachability != NULL;
	if (part_made(run,
		      explain_find(&run->subject, whole ? &run->roots : NULL,
				   run->findings.reachability, run->options->address,
				   &run->explanation),
		      GAP_HEAP, "the address was not examined"))
		run->findings.explanation = &run->explanation;
}

static void analyse(struct run *run)
{
	run->subject = (struct subject){
		.target = run->target,
		.modules = run->modules,
		.progress = &run->progress.progress,
		.gaps = &run->gaps,
	};
	if ((run->needs & NEED_THREADS) != 0)
		find_threads(run);
	if ((run->needs & NEED_HEAP) != 0)
		walk_heap(run);
	if ((run->needs & NEED_GO) != 0)
		find_goroutines(run);
	if ((run->needs & NEED_THREADS) != 0) {
		crash_find(&run->subject, &run->crash);
		run->findings.crash = &run->crash;
	}
	find_waits(run);
	forget_moved(run);
	group_stacks(run);
	judge_waits(run);
	if (run->options->locals && run->findings.stacks != NULL)
		find_variables(run);
	if (run->options->source && run->findings.stacks != NULL)
		find_sources(run);
	if ((run->needs & NEED_REACHABILITY) != 0 && run->subject.heap != NULL &&
	    run->heap.chunks != NULL)
		find_orphans(run);
	if ((run->needs & NEED_EXPLANATION) != 0)
		explain(run);
}

/* --- the end */

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

static enum exit_status show(struct run *run)
{
	struct findings *findings = &run->findings;
	bool reader_gone;
	findings->subject = &run->subject;
	findings->modules = modules_list(run->modules, &findings->module_count);
	findings->libc_version = glibc_version(run->target->space, run->modules);
	findings->segments = address_space_segments(run->target->space, &findings->segment_count);
	findings->exit_status = condition_found(run)	     ? EXIT_CONDITION
				: findings_partial(findings) ? EXIT_PARTIAL
							     : EXIT_COMPLETE;
	progress_line_erase(&run->progress);
	if (run->options->view->stream != NULL || run->options->dot)
		tell_gaps(run);
	struct error *error = render(run->options, findings, &reader_gone);
	if (error == NULL)
		return (enum exit_status)findings->exit_status;
	if (!reader_gone)
		message(&run->progress, "%s", error->message);
	error_free(error);
	return EXIT_NOTHING;
}

static unsigned needs_of(const struct options *options)
{
	unsigned needs = options->view->needs;
	if (options->dot)
		needs &= ~(unsigned)(NEED_HEAP | NEED_REACHABILITY | NEED_ORPHANS | NEED_GO);
	if (options->all)
		needs |= NEED_HEAP;
	if (options->retained)
		needs |= NEED_RETAINED;
	if ((options->fail_on & FAIL_ON_DEADLOCK) != 0)
		needs |= NEED_THREADS | NEED_WAITS;
	if ((options->fail_on & FAIL_ON_ORPHANS) != 0)
		needs |= NEED_THREADS | NEED_HEAP | NEED_REACHABILITY | NEED_ORPHANS;
	if ((options->fail_on & FAIL_ON_CORRUPTION) != 0)
		needs |= NEED_THREADS | NEED_HEAP;
	return needs;
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
	       (needs_of(options) & NEED_MEMORY) == 0;
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

static enum exit_status examine(struct run *run, const char *why_stop)
{
	enum exit_status status = EXIT_NOTHING;
	struct error *error = open_target(run);
	if (error == NULL && run->why_stop[0] == '\0')
		error = open_modules(run);
	if (error != NULL) {
		message(&run->progress, "%s", error->message);
		error_free(error);
		return status;
	}
	if (run->why_stop[0] == '\0')
		analyse(run);
	if (run->why_stop[0] == '\0') {
		target_resume(run->target);
		tell_cut_short(run);
		keep_reason(run, why_stop);
		status = show(run);
	}
	return status;
}

/* One look at the target, with or without a stop. True when it has to be stopped, and why. */
static bool look(const struct options *options, bool unstopped, char why_stop[WHY_MAX],
		 enum exit_status *status)
{
	struct run run = {
		.options = options,
		.needs = needs_of(options),
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
