/* Everything that was found, as the reports render it: text and JSON from the same structs.
 * A NULL part was not asked for, or could not be made (a gap says why).
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORESCAN_REPORT_FINDINGS_H
#define CORESCAN_REPORT_FINDINGS_H

#include "analysis/chunk_sizes.h"
#include "analysis/crash.h"
#include "analysis/explain.h"
#include "analysis/go_profiles.h"
#include "analysis/orphans.h"
#include "analysis/reachability.h"
#include "analysis/retained.h"
#include "analysis/sources.h"
#include "analysis/variables/variables.h"
#include "analysis/waits/waits.h"
#include "analysis/waits/lock_list.h"
#include "analysis/waits/wait_graph.h"
#include "analysis/go_lock_holders.h"
#include "analysis/go_resources.h"
#include "analysis/goroutine_leaks.h"
#include "golang/goroutines.h"

/* All borrowed. */
struct findings {
	const struct subject *subject; /* never NULL, nor its target and gaps */
	const struct module *modules;  /* modules_list */
	size_t module_count;
	const struct segment *segments; /* address_space_segments */
	size_t segment_count;
	const char *libc_version; /* "glibc 2.36"; NULL unknown */
	/* What was given to execve (AT_EXECFN, getauxval(3)), where that has another name than the
	 * program: a link such as redis-server, or a script. Else NULL. */
	const char *run_as;
	const struct crash *crash;
	const struct stack_groups *stacks;
	const struct variables *variables; /* --locals */
	const struct sources *sources;	   /* --source */
	const struct waits *waits;
	const struct wait_groups *wait_groups;
	const struct deadlocks *deadlocks;
	const struct convoys *convoys;
	const struct suspicions *suspicions;
	const struct locks *locks;
	const struct reachability *reachability;
	const struct chunk_sizes *sizes;
	const struct orphans *orphans;
	const struct explanation *explanation;
	const struct retained *retained;
	const struct go_process *go; /* the Go runtime in the process */
	const struct goroutines *goroutines;
	const struct go_heap *go_heap;
	const struct go_lock_holders *go_lock_holders;
	const struct goroutine_leaks *goroutine_leaks;
	const struct go_resources *go_resources;
	const struct profile *profile;
	const struct profile_table *profile_table; /* with it; sorted as it is to be shown */
	int exit_status;			   /* that corescan will end with */
};

/* The program itself, or NULL. */
const struct module *findings_executable(const struct findings *findings);

/* Whether a Go runtime is loaded. */
bool findings_have_go(const struct findings *findings);

/* Whether anything at all could not be examined. */
bool findings_partial(const struct findings *findings);

/* Whether there may be chunks, or pointers to them, that were not seen: then nothing can be said of
 * every chunk. */
bool findings_heap_partial(const struct findings *findings);

/* The build-id in hex, `digits` of it at most. Returns `buffer`; "" when it is unknown. */
#define BUILD_ID_TEXT_MAX (2 * MODULE_BUILD_ID_MAX + 1)
char *module_build_id(const struct module *module, size_t digits, char buffer[BUILD_ID_TEXT_MAX]);

/* The names in JSON: "verified" …, "core" …, "thread" …, "main" …, "core" … */
const char *module_match_name(enum module_match match);
const char *segment_origin_name(enum segment_origin origin);
const char *owner_state_name(enum owner_state state);
const char *arena_kind_name(enum arena_kind kind);
const char *thread_look_name(const struct target_thread *thread, bool live); /* or NULL */
const char *target_kind_name(enum target_kind kind);
const char *access_kind_name(enum access_kind kind); /* a jump through memory reads it */

/* Permissions as in /proc/PID/maps: "rw-p", "r-xs"; "????" where they are not known. */
char *segment_permissions(const struct segment *segment, char buffer[5]);

#endif
