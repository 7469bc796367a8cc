/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "target/live_snapshot.h"

#include "base/size_text.h"
#include "target/live_back_end.h"
#include "target/live_pointed.h"
#include "target/live_process.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

#define MEGABYTE ((uint64_t)1 << 20)
#define GIGABYTE ((uint64_t)1 << 30)

/* The start of a mapped ELF file, which holds its headers and mostly its build-id. */
#define FILE_HEAD 65536

/* Shared memory is not copied when a process has touched more of it: buffers of a database, say,
 * which would hold the process up for what no analysis reads. */
#define SHARED_MAX (256 * MEGABYTE)

/* Private writable mappings of files up to this size (.data) are copied with the pages that were
 * never touched, so that nothing depends on the file. */
#define DATA_MAX (64 * MEGABYTE)

/* Untouched pages of anonymous memory belong to the snapshot as zeros, for holes up to this size:
 * what a sanitizer or a runtime reserves beyond is left absent. */
#define HOLE_MAX GIGABYTE

/* What is copied at once: so much is lost more than must be when the stop ends meanwhile. */
#define PIECE (4 * MEGABYTE)

/* File pages between copied ones that it is cheaper to copy too. */
#define FILE_HOLE_MAX 65536

/* For threads alone, mappings in which more than this was touched are not copied whole. */
#define LARGE_MAPPING MEGABYTE

/* What is to be copied. */
struct plan {
	ARRAY(struct page_run) runs;
	uint64_t bytes; /* that really have to be read, and be held in our memory */
	bool for_threads;
	ARRAY(struct page_run) large; /* for threads: what is left out, in address order */
};

static void plan_free(struct plan *plan)
{
	array_free(&plan->runs);
	array_free(&plan->large);
}

static bool plan_run(struct plan *plan, uint64_t start, uint64_t end)
{
	return start >= end || array_push(&plan->runs, (struct page_run){ start, end });
}

static bool plan_all(struct plan *plan, const struct proc_mapping *mapping, uint64_t limit)
{
	uint64_t size = mapping->end - mapping->start;
	size = size < limit ? size : limit;
	plan->bytes += size;
	return plan_run(plan, mapping->start, mapping->start + size);
}

/* Plans the pages of `kind`, and with them the holes of up to `hole` bytes between them. Holes at
 * the ends of the mapping count when they are `zeros`. */
static bool plan_pages(struct plan *plan, const struct live_memory *memory,
		       const struct proc_mapping *mapping, enum page_kind kind, uint64_t hole,
		       bool zeros)
{
	struct page_run runs[256], open = { mapping->start, mapping->start };
	for (uint64_t at = mapping->start; at < mapping->end;) {
		size_t count = live_memory_find_pages(memory, kind, at, mapping->end, runs,
						      sizeof runs / sizeof *runs, &at);
		for (size_t i = 0; i < count; i++) {
			plan->bytes += runs[i].end - runs[i].start;
			if (runs[i].start - open.end > hole || (open.start == open.end && !zeros)) {
				if (!plan_run(plan, open.start, open.end))
					return false;
				open.start = runs[i].start;
			}
			open.end = runs[i].end;
		}
	}
	if (zeros && mapping->end - open.end <= hole)
		open.end = mapping->end;
	return plan_run(plan, open.start, open.end);
}

/* Whether the mapped file can still be opened under its name. */
static bool has_file(const struct target *target, const struct proc_mapping *mapping)
{
	char path[PATH_MAX];
	int length = snprintf(path, sizeof path, "%s%s", target->root != NULL ? target->root : "",
			      mapping->name);
	return !mapping->deleted && length < (int)sizeof path && access(path, R_OK) == 0;
}

/* Adds what was planned of a mapping; for threads only where that is little. */
static bool plan_part(struct plan *plan, const struct plan *part,
		      const struct proc_mapping *mapping)
{
	bool fits = true;
	if (plan->for_threads && part->bytes > LARGE_MAPPING)
		return array_push(&plan->large, (struct page_run){ mapping->start, mapping->end });
	plan->bytes += part->bytes;
	for (size_t i = 0; i < part->runs.count && fits; i++)
		fits = array_push(&plan->runs, part->runs.items[i]);
	return fits;
}

static bool plan_anonymous(struct plan *plan, const struct live_memory *memory,
			   const struct proc_mapping *mapping)
{
	struct plan part = { 0 };
	if (!plan->for_threads)
		return plan_pages(plan, memory, mapping, PAGES_TOUCHED, HOLE_MAX, true);
	bool fits = plan_pages(&part, memory, mapping, PAGES_TOUCHED, HOLE_MAX, true) &&
		    plan_part(plan, &part, mapping);
	plan_free(&part);
	return fits;
}

static bool plan_shared(struct plan *plan, const struct live_memory *memory,
			const struct proc_mapping *mapping, struct gaps *gaps)
{
	struct plan part = { 0 };
	bool fits = plan_pages(&part, memory, mapping, PAGES_TOUCHED, FILE_HOLE_MAX, false);
	if (part.bytes > SHARED_MAX && !plan->for_threads) {
		gaps_add(gaps, GAP_LIMIT, mapping->start, mapping->end,
			 "%s of shared memory at 0x%" PRIx64
			 " (%s) were not copied: a core has them",
			 size_text(part.bytes).text, mapping->start,
			 mapping->name != NULL ? mapping->name : "anonymous");
	} else {
		fits = fits && plan_part(plan, &part, mapping);
	}
	plan_free(&part);
	return fits;
}

/* Data that was writable until its relocation: its untouched pages are the file's, but the file
 * stands for no memory that could be written. */
static bool was_relocated(const struct live_memory *memory, const struct proc_mapping *mapping)
{
	struct page_run run;
	uint64_t at;
	return (mapping->permissions & (SEGMENT_WRITE | SEGMENT_EXECUTE)) == 0 &&
	       mapping->end - mapping->start <= DATA_MAX &&
	       live_memory_find_pages(memory, PAGES_COPIED, mapping->start, mapping->end, &run, 1,
				      &at) > 0;
}

static bool plan_file(struct plan *plan, const struct target *target,
		      const struct live_memory *memory, const struct proc_mapping *mapping)
{
	bool writable = (mapping->permissions & SEGMENT_WRITE) != 0;
	if (writable ? mapping->end - mapping->start <= DATA_MAX : !has_file(target, mapping))
		return plan_all(plan, mapping, UINT64_MAX);
	if (mapping->file_offset == 0 && !plan_all(plan, mapping, FILE_HEAD))
		return false;
	if (was_relocated(memory, mapping))
		return plan_all(plan, mapping, UINT64_MAX);
	return plan_pages(plan, memory, mapping, writable ? PAGES_TOUCHED : PAGES_COPIED,
			  FILE_HOLE_MAX, false);
}

/* False when memory is exhausted. */
static bool plan_mapping(struct plan *plan, const struct target *target,
			 const struct proc_mapping *mapping, struct gaps *gaps)
{
	const struct live_back_end *live = target->back_end;
	if ((mapping->permissions & SEGMENT_READ) == 0 || !live_memory_is_readable(mapping))
		return true;
	if (live_memory_starts_as_zero(mapping))
		return plan_anonymous(plan, &live->memory, mapping);
	if (mapping->inode == 0 && !mapping->shared)
		return plan_all(plan, mapping, DATA_MAX); /* [vdso], [uprobes] */
	if (!mapping->shared)
		return plan_file(plan, target, &live->memory, mapping);
	if (mapping->permissions & SEGMENT_WRITE)
		return plan_shared(plan, &live->memory, mapping, gaps);
	return true;
}

/* Whether that much may be taken for a copy. */
static bool fits_in_memory(uint64_t bytes, uint64_t *available)
{
	*available = proc_memory_available();
	return *available == 0 || bytes <= *available / 2;
}

/* The bytes of a read-only shared mapping are those of its file, if that is to be had. */
static struct error *make_plan(const struct target *target, uint64_t most, struct plan *plan,
			       struct gaps *gaps)
{
	const struct live_back_end *live = target->back_end;
	for (size_t i = 0; i < live->memory.maps.list.count; i++)
		if (!plan_mapping(plan, target, &live->memory.maps.list.items[i], gaps))
			return error_no_memory();
	uint64_t available;
	if (plan->bytes > most)
		return error_new(ERROR_UNSUPPORTED, "a copy of process %" PRId32 " needs %s",
				 target->pid, size_text(plan->bytes).text);
	if (fits_in_memory(plan->bytes, &available))
		return NULL;
	return error_new(
	    ERROR_NO_MEMORY,
	    "a copy of the memory of process %" PRId32
	    " needs %s, more than half of the %s that are available: take a core (gcore %" PRId32
	    ") and look at that",
	    target->pid, size_text(plan->bytes).text, size_text(available).text, target->pid);
}

static bool reading_ended(const struct live_back_end *live)
{
	return live->closed;
}

/* Copies a run piece by piece. Returns where it had to end because the stop did, or the run's end.
 */
static uint64_t copy_run(struct target *target, const struct page_run *run)
{
	for (uint64_t at = run->start, size; at < run->end; at += size) {
		size = run->end - at < PIECE ? run->end - at : PIECE;
		if (reading_ended(target->back_end))
			return at;
		uint64_t got = address_space_preload(target->space, at, at + size);
		if (got < size && reading_ended(target->back_end))
			return at;
	}
	return run->end;
}

/* Small runs first: these are stacks and variables, which tell more than a part of a large heap
 * does, should the stop end before all is read. */
static int by_size(const void *a, const void *b)
{
	const struct page_run *left = a, *right = b;
	uint64_t left_size = left->end - left->start, right_size = right->end - right->start;
	if (left_size != right_size)
		return left_size < right_size ? -1 : 1;
	return left->start < right->start ? -1 : left->start > right->start;
}

/* Leaves in the plan what was not copied. */
static void copy(struct target *target, struct plan *plan, const struct progress *progress)
{
	uint64_t total = 0, done = 0;
	size_t left = 0;
	for (size_t i = 0; i < plan->runs.count; i++)
		total += plan->runs.items[i].end - plan->runs.items[i].start;
	if (plan->runs.count > 0)
		qsort(plan->runs.items, plan->runs.count, sizeof *plan->runs.items, by_size);
	for (size_t i = 0; i < plan->runs.count; i++) {
		struct page_run run = plan->runs.items[i];
		progress_tell(progress, "copying memory", done, total);
		uint64_t end = copy_run(target, &run);
		done += end - run.start;
		if (end < run.end)
			plan->runs.items[left++] = (struct page_run){ end, run.end };
	}
	plan->runs.count = left;
}

/* What the stop was too short for must not be taken for what a file says of it. */
static struct error *tell_missed(struct target *target, struct gaps *gaps)
{
	const struct live_back_end *live = target->back_end;
	struct error *error = NULL;
	uint64_t bytes = 0;
	for (size_t i = 0; i < live->missed.count && error == NULL; i++) {
		const struct page_run *run = &live->missed.items[i];
		bytes += run->end - run->start;
		error = address_space_lose(target->space, run->start, run->end);
	}
	if (bytes > 0 && ptrace_stop_cut_short(live->stop))
		gaps_add(gaps, GAP_LIMIT, 0, 0,
			 "%s of memory were not read: the stop of process %" PRId32
			 " ended at its bound (--max-pause)",
			 size_text(bytes).text, target->pid);
	return error;
}

/* What the runs of touched pages would take from a pool. */
static uint64_t large_runs(const struct live_memory *memory, const struct proc_mapping *mapping)
{
	struct page_run runs[256];
	uint64_t bytes = 0;
	for (uint64_t at = mapping->start; at < mapping->end;) {
		size_t count = live_memory_find_pages(memory, PAGES_TOUCHED, at, mapping->end, runs,
						      sizeof runs / sizeof *runs, &at);
		for (size_t i = 0; i < count; i++)
			bytes += page_pool_cost(runs[i].end - runs[i].start);
	}
	return bytes;
}

struct page_pool *live_snapshot_prepare(struct proc_task task, const struct progress *progress)
{
	struct live_memory memory;
	uint64_t bytes = 0, available;
	struct error *error = live_memory_open(task, &memory);
	if (error != NULL) {
		error_free(error);
		return NULL;
	}
	for (size_t i = 0; i < memory.maps.list.count; i++) {
		const struct proc_mapping *mapping = &memory.maps.list.items[i];
		if (live_memory_starts_as_zero(mapping) &&
		    (mapping->permissions & SEGMENT_READ) != 0 &&
		    mapping->end - mapping->start >= PAGE_POOL_MIN)
			bytes += large_runs(&memory, mapping);
	}
	live_memory_close(&memory);
	bytes += bytes / 32; /* it may grow until it is stopped */
	return bytes > 0 && fits_in_memory(bytes, &available) ? page_pool_new(bytes, progress)
							      : NULL;
}

static bool is_gone(const struct live_back_end *live)
{
	struct proc_stat stat;
	return !proc_read_stat(live->memory.task, &stat) || stat.state == 'Z';
}

static struct error *take_pointed(struct target *target, const struct plan *plan, uint64_t most)
{
	struct live_back_end *live = target->back_end;
	bool fits = live_pointed_read(target, plan->large.items, plan->large.count, most);
	if (!reading_ended(live)) {
		if (fits)
			return NULL;
		return error_new(ERROR_UNSUPPORTED,
				 "a copy of what the threads of process %" PRId32
				 " point to needs more than %" PRIu64 " MB",
				 target->pid, most / MEGABYTE);
	}
	for (size_t i = 0; i < plan->large.count; i++)
		if (!array_push(&live->missed, plan->large.items[i]))
			return error_no_memory();
	return NULL;
}

/* Copies what the plan says; what it could not is left in live->missed. */
static struct error *take(struct target *target, struct plan *plan, uint64_t most,
			  const struct progress *progress, struct gaps *gaps)
{
	struct live_back_end *live = target->back_end;
	struct error *error = make_plan(target, most, plan, gaps);
	if (error == NULL) {
		live->memory.pool = live->pool;
		copy(target, plan, progress);
		live->memory.pool = NULL;
		for (size_t i = 0; i < plan->runs.count && error == NULL; i++)
			if (!array_push(&live->missed, plan->runs.items[i]))
				error = error_no_memory();
	}
	if (error == NULL && plan->large.count > 0)
		error = take_pointed(target, plan, most);
	if (!is_gone(live))
		return error;
	/* Nothing that was found since then means anything. */
	error_free(error);
	gaps_add(gaps, GAP_MEMORY, 0, 0,
		 "process %" PRId32 " was killed while its memory was copied", target->pid);
	return NULL;
}

struct error *live_process_snapshot_threads(struct target *target, uint64_t most,
					    const struct progress *progress, struct gaps *gaps)
{
	struct plan plan = { .for_threads = true };
	if (target->kind != TARGET_LIVE || target->resume == NULL)
		return NULL;
	struct error *error = take(target, &plan, most, progress, gaps);
	plan_free(&plan);
	return error;
}

struct error *live_process_release(struct target *target, struct gaps *gaps)
{
	target_resume(target);
	struct error *error = address_space_settle(target->space);
	return error != NULL ? error : tell_missed(target, gaps);
}

struct error *live_process_snapshot(struct target *target, uint64_t most,
				    const struct progress *progress, struct gaps *gaps)
{
	struct plan plan = { 0 };
	if (target->kind != TARGET_LIVE || target->resume == NULL)
		return NULL;
	struct error *error = take(target, &plan, most, progress, gaps);
	plan_free(&plan);
	/* The process has waited long enough. */
	return error != NULL ? error : live_process_release(target, gaps);
}
