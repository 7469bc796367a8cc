/* The profiles of a Go program.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORESCAN_ANALYSIS_GO_PROFILES_H
#define CORESCAN_ANALYSIS_GO_PROFILES_H

#include "analysis/goroutine_leaks.h"
#include "analysis/profile.h"
#include "golang/memory_profile.h"

/* What pprof.WriteHeapProfile would write: the runtime's numbers, scaled to what the program
 * allocated of which so much was sampled; without the runtime's calls that a stack begins with.
 * `memory` is one that is not .missing. ERROR_NO_MEMORY. */
struct error *profile_heap(const struct go_process *process, const struct go_memory_profile *memory,
			   struct profile *profile);

/* The program's own goroutines by their stacks, as pprof.Lookup("goroutine") has them; with
 * `leaks` only those that are leaked, and what they keep. The profile borrows from both. */
struct error *profile_goroutines(const struct go_process *process,
				 const struct goroutines *goroutines,
				 const struct goroutine_leaks *leaks, struct profile *profile);

/* What is alive in the heap: one sample for each class of sizes and, where the runtime notes it
 * with the objects (since Go 1.22, those with pointers of more than 512 bytes), their type. Errors
 * as goroutine_leaks_find. */
struct error *profile_live(const struct go_process *process, struct goroutines *goroutines,
			   struct go_heap *heap, struct profile *profile);

#endif
