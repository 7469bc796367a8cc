/* One run of corescan on its way: what was opened, and what was made of it. Private to cli/.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORESCAN_CLI_RUN_STATE_H
#define CORESCAN_CLI_RUN_STATE_H

#include "cli/options.h"
#include "cli/progress.h"

enum { WHY_MAX = 160 };

/* Everything of one run; run_end releases it in the opposite order. */
struct run {
	const struct options *options;
	unsigned needs; /* enum finding_need: of the view and of --fail-on */
	unsigned made;	/* of the parts in parts.c: bits 1 << index */
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
	struct chunk_sizes sizes;
	struct explanation explanation;
	struct retained retained;
	struct go_process *go;
	bool looked_for_go;
	struct goroutines goroutines;
	struct go_heap go_heap;
	struct go_lock_holders go_lock_holders;
	struct goroutine_leaks goroutine_leaks;
	struct go_resources go_resources;
	struct go_memory_profile memory_profile;
	struct profile profile;
	struct profile_table profile_table;
	struct subject subject;
	struct findings findings;
	/* A process that is looked at without a stop: why that does not do, so that it has to be
	 * stopped; "" if it does. */
	bool unstopped;
	bool copied;	 /* the analyses read a copy of the process's memory */
	bool by_threads; /* of it, only what its threads point to */
	char why_stop[WHY_MAX];
};

/* What the options ask for, as enum finding_need. */
unsigned run_needs(const struct options *options);

/* Opens the target and its modules by run->options; what stands in the way was told. False: there
 * is nothing to look at, or .why_stop says why the process has to be stopped. */
bool run_open(struct run *run);

/* Makes the parts that are needed and not made yet, each from the ones before it. */
void run_make_parts(struct run *run);

/* Whether a part was made; one that failed is told at once, and in the report as a gap. */
bool run_part_made(struct run *run, struct error *error, enum gap_kind kind, const char *what);

/* The Go runtime, its goroutines and who of them is leaked; what was made already stays. */
bool run_open_go(struct run *run); /* false: there is none, or it cannot be read, as a gap says */
void run_find_goroutines(struct run *run);

/* The profile that the options ask for. */
void run_find_profile(struct run *run);

/* Writes the profile to the file that --pprof names. */
struct error *run_write_pprof(struct run *run);

/* Whether that is standard output, so that nothing else may stand there. */
bool run_pprof_is_output(const struct run *run);

/* Puts into the findings what every report tells. */
void run_settle(struct run *run);

/* Renders what was made to standard output. */
enum exit_status run_show(struct run *run);

/* Whether all threads slept while memory was read, without a stop; else notes why the process has
 * to be stopped, or, where that is forbidden, a gap. */
void run_check_stayed(struct run *run);

void run_end(struct run *run);

#endif
