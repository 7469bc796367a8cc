/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "analysis/go_object_names.h"
#include "cli/messages.h"
#include "cli/run_state.h"
#include "target/live_process.h"

#include <stdio.h>

/* Shared chunks that --retained tells of. */
#define RETAINED_HEADS 40
/* Reachable chunks up to which the report says who holds the most: some tens of milliseconds. */
#define LARGEST_ROOTS_CHUNKS 2000000

/* A part that failed: told at once and in the report. True when it was there. */
bool run_part_made(struct run *run, struct error *error, enum gap_kind kind, const char *what)
{
	if (error == NULL)
		return true;
	message(&run->progress, "warning: %s: %s", what, error->message);
	gaps_add(&run->gaps, kind, 0, 0, "%s: %s", what, error->message);
	error_free(error);
	return false;
}

/* Whether all threads slept while memory was read, without a stop. Else the process has to be
 * stopped, unless that is forbidden: then what can be told of the others is. */
void run_check_stayed(struct run *run)
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

/* Whether every stack was unwound, and every thread pointer found, by the few registers that are
 * known without a stop. A thread in state D does not stop, so that no more would be known of it. */
static void check_stacks(struct run *run)
{
	if (!run->unstopped || run->options->stop == STOP_NEVER)
		return;
	for (size_t i = 0; i < run->threads.count; i++) {
		const struct thread *thread = &run->threads.items[i];
		if (thread->raw->state != 'D' &&
		    (thread->stop_reason != NULL || thread->thread_pointer == 0)) {
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
		.registers = run->options->locals || run->options->serve,
		.progress = &run->progress.progress,
	};
	if (!run_part_made(run,
			   threads_open(run->target, run->modules, &how, &run->gaps, &run->threads),
			   GAP_THREAD, "the stacks were not unwound"))
		return;
	run->subject.threads = &run->threads;
	check_stacks(run);
	if (run_part_made(
		run, glibc_pthreads_open(run->target, run->modules, &run->gaps, &run->pthreads),
		GAP_THREAD, "libc's threads were not read"))
		run->subject.pthreads = &run->pthreads;
}

/* A program without Go has nothing to say of it; one whose Go cannot be read does. */
bool run_open_go(struct run *run)
{
	struct error *error = NULL;
	if (run->go == NULL && !run->looked_for_go)
		error = go_process_open(run->target, run->modules, &run->go);
	run->looked_for_go = true;
	if (error != NULL && error->code != ERROR_NOT_FOUND)
		gaps_add(&run->gaps, GAP_THREAD, 0, 0, "%s", error->message);
	error_free(error);
	run->findings.go = run->go;
	return run->go != NULL;
}

void run_find_goroutines(struct run *run)
{
	if (!run_open_go(run) || run->findings.goroutines != NULL)
		return;
	if (!run_part_made(run, goroutines_open(run->go, &run->gaps, &run->goroutines), GAP_THREAD,
			   "the goroutines were not read"))
		return;
	run->findings.goroutines = &run->goroutines;
	run_part_made(run, go_object_names_find(run->go, &run->goroutines), GAP_THREAD,
		      "what goroutines wait for was not named");
	if (run_part_made(run,
			  go_lock_holders_find(run->go, &run->goroutines, &run->go_lock_holders),
			  GAP_WAIT, "who holds Go's mutexes was not looked for"))
		run->findings.go_lock_holders = &run->go_lock_holders;
	const bool heap = run_part_made(run, go_heap_open(run->go, &run->go_heap), GAP_HEAP,
					"leaked goroutines were not looked for");
	if (heap)
		run->findings.go_heap = &run->go_heap;
	if (heap &&
	    run_part_made(run,
			  goroutine_leaks_find(run->go, &run->goroutines, &run->go_heap,
					       &run->progress.progress, &run->goroutine_leaks),
			  GAP_HEAP, "leaked goroutines were not looked for"))
		run->findings.goroutine_leaks = &run->goroutine_leaks;
	if (run_part_made(run,
			  go_resources_find(run->go, &run->goroutines, heap ? &run->go_heap : NULL,
					    &run->go_resources),
			  GAP_HEAP, "what the Go program holds open was not looked for"))
		run->findings.go_resources = &run->go_resources;
}

static void group_stacks(struct run *run)
{
	if (run_part_made(run, stack_groups_make(&run->threads, &run->stacks), GAP_THREAD,
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
	else if (run_part_made(run, heap_open(&context, &run->gaps, &run->heap), GAP_HEAP,
			       "the heap was not walked"))
		run->subject.heap = &run->heap;
}

/* What follows from the waits. */
static void find_graph(struct run *run)
{
	const struct subject *subject = &run->subject;
	if (run_part_made(run, deadlocks_find(subject, &run->waits, &run->deadlocks), GAP_WAIT,
			  "deadlocks were not looked for"))
		run->findings.deadlocks = &run->deadlocks;
	if (run_part_made(run, convoys_find(subject, &run->waits, &run->convoys), GAP_WAIT,
			  "who holds up others was not looked for"))
		run->findings.convoys = &run->convoys;
	if (run->findings.deadlocks != NULL &&
	    run_part_made(run,
			  suspicions_find(subject, &run->waits, &run->deadlocks, &run->suspicions),
			  GAP_WAIT, "lost wake-ups were not looked for"))
		run->findings.suspicions = &run->suspicions;
}

static void list_locks(struct run *run)
{
	if (run_part_made(run,
			  locks_find(&run->subject, &run->waits, run->options->all, &run->locks),
			  GAP_WAIT, "the locks were not listed"))
		run->findings.locks = &run->locks;
}

static void find_waits(struct run *run)
{
	if (run_part_made(run, waits_find(&run->subject, &run->waits), GAP_WAIT,
			  "the waits were not examined"))
		run->findings.waits = &run->waits;
}

/* What was read on and on of a process that is not stopped holds for the threads that slept all
 * the while. */
static void forget_moved(struct run *run)
{
	run_check_stayed(run);
	threads_forget_moved(&run->threads);
	waits_forget_moved(&run->waits);
}

static void judge_waits(struct run *run)
{
	waits_tell_owners(&run->subject, &run->waits);
	find_graph(run);
	if (run->findings.stacks != NULL &&
	    run_part_made(
		run, wait_groups_make(&run->subject, &run->waits, &run->stacks, &run->wait_groups),
		GAP_WAIT, "the waits were not grouped"))
		run->findings.wait_groups = &run->wait_groups;
}

static void find_variables(struct run *run)
{
	if (run_part_made(run, variables_find(&run->subject, &run->stacks, &run->variables),
			  GAP_THREAD, "arguments and locals were not read"))
		run->findings.variables = &run->variables;
}

static void find_retained(struct run *run)
{
	const struct dominator_options options = { .heads = RETAINED_HEADS };
	if (run_part_made(run,
			  retained_find(&run->subject, &run->roots, &run->reachability, &options,
					&run->retained),
			  GAP_HEAP, "who holds what was not found"))
		run->findings.retained = &run->retained;
}

static void find_sources(struct run *run)
{
	if (run_part_made(
		run,
		sources_find(&run->subject, &run->stacks, run->options->sysroot, &run->sources),
		GAP_THREAD, "source lines were not read"))
		run->findings.sources = &run->sources;
}

static void find_reachability(struct run *run)
{
	if (run_part_made(run, roots_collect(&run->subject, &run->roots), GAP_HEAP,
			  "the roots were not collected") &&
	    run_part_made(run, reachability_compute(&run->subject, &run->roots, &run->reachability),
			  GAP_HEAP, "reachability was not computed"))
		run->findings.reachability = &run->reachability;
}

static void count_sizes(struct run *run)
{
	chunk_sizes_count(run->heap.chunks, &run->sizes);
	run->findings.sizes = &run->sizes;
}

static void find_orphans(struct run *run)
{
	if (run_part_made(run,
			  orphans_find(&run->subject, &run->reachability, run->options->grouping,
				       &run->orphans),
			  GAP_HEAP, "the orphans were not grouped"))
		run->findings.orphans = &run->orphans;
}

static void explain(struct run *run)
{
	const bool whole = run->findings.reachability != NULL;
	if (run_part_made(run,
			  explain_find(&run->subject, whole ? &run->roots : NULL,
				       run->findings.reachability, run->options->address,
				       &run->explanation),
			  GAP_HEAP, "the address was not examined"))
		run->findings.explanation = &run->explanation;
}

static void find_crash(struct run *run)
{
	crash_find(&run->subject, &run->crash);
	run->findings.crash = &run->crash;
}

/* --- which of them, and in what order */

static bool needs_threads(const struct run *run)
{
	return (run->needs & NEED_THREADS) != 0;
}

static bool needs_heap(const struct run *run)
{
	return (run->needs & NEED_HEAP) != 0;
}

static bool needs_go(const struct run *run)
{
	return (run->needs & NEED_GO) != 0;
}

static bool needs_waits(const struct run *run)
{
	return (run->needs & NEED_WAITS) != 0 && run->subject.threads != NULL;
}

static bool has_waits(const struct run *run)
{
	return run->findings.waits != NULL;
}

static bool needs_locks(const struct run *run)
{
	return (run->needs & NEED_LOCKS) != 0 && has_waits(run);
}

static bool went_unstopped(const struct run *run)
{
	return run->unstopped && !run->copied;
}

static bool has_threads(const struct run *run)
{
	return run->subject.threads != NULL;
}

static bool needs_variables(const struct run *run)
{
	return run->options->locals && run->findings.stacks != NULL;
}

static bool needs_sources(const struct run *run)
{
	return run->options->source && run->findings.stacks != NULL;
}

static bool needs_reachability(const struct run *run)
{
	return (run->needs & NEED_REACHABILITY) != 0 && run->subject.heap != NULL &&
	       run->heap.chunks != NULL;
}

static bool needs_sizes(const struct run *run)
{
	return (run->needs & NEED_SIZES) != 0 && run->subject.heap != NULL &&
	       run->heap.chunks != NULL;
}

static bool needs_orphans(const struct run *run)
{
	return (run->needs & NEED_ORPHANS) != 0 && run->findings.reachability != NULL;
}

static bool needs_retained(const struct run *run)
{
	bool quick = run->reachability.totals[CHUNK_REACHABLE].chunks <= LARGEST_ROOTS_CHUNKS;
	return run->findings.reachability != NULL &&
	       ((run->needs & NEED_RETAINED) != 0 ||
		((run->needs & NEED_LARGEST_ROOTS) != 0 && quick));
}

static bool needs_profile(const struct run *run)
{
	return (run->needs & NEED_PROFILE) != 0;
}

static bool needs_explanation(const struct run *run)
{
	return (run->needs & NEED_EXPLANATION) != 0;
}

/* To add a part: its place is behind those that it is made from. */
static const struct part {
	bool (*wanted)(const struct run *run);
	void (*make)(struct run *run);
} parts[] = {
	{ needs_threads, find_threads },     { needs_heap, walk_heap },
	{ needs_go, run_find_goroutines },   { needs_threads, find_crash },
	{ needs_waits, find_waits },	     { went_unstopped, forget_moved },
	{ has_threads, group_stacks },	     { has_waits, judge_waits },
	{ needs_locks, list_locks },	     { needs_variables, find_variables },
	{ needs_sources, find_sources },     { needs_reachability, find_reachability },
	{ needs_sizes, count_sizes },	     { needs_orphans, find_orphans },
	{ needs_retained, find_retained },   { needs_explanation, explain },
	{ needs_profile, run_find_profile },
};

void run_make_parts(struct run *run)
{
	run->subject.target = run->target;
	run->subject.modules = run->modules;
	run->subject.progress = &run->progress.progress;
	run->subject.gaps = &run->gaps;
	for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
		if ((run->made & 1u << i) != 0 || !parts[i].wanted(run))
			continue;
		run->made |= 1u << i;
		parts[i].make(run);
	}
}
