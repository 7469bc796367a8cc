/* The runtime's own heap profile: where the program allocated what it sampled, and how much of it
 * has been freed. It is what runtime.MemProfile would have published at that moment.
 *
 * Facts: every record of runtime.mbuckets (a list by .allnext) is a struct bucket, behind it its
 * stack of .nstk return addresses, and behind that a memRecord: what is published (.active), and a
 * ring of three cycles that are not yet. An allocation is entered two cycles ahead, one that is
 * freed one cycle ahead; the cycle runtime.mProfCycle (shifted by one since Go 1.19, where bit 0
 * tells that it was added already) belongs to what is published. Each bucket carries a hash of its
 * stack and size, which tells buckets from anything else.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORESCAN_GOLANG_MEMORY_PROFILE_H
#define CORESCAN_GOLANG_MEMORY_PROFILE_H

#include "base/gaps.h"
#include "golang/functions.h"

/* The runtime's numbers for one place and size: of what was sampled, not scaled. */
struct go_allocations {
	uint64_t size;		   /* of each object */
	uint64_t allocated, freed; /* objects */
	uint64_t allocated_bytes, freed_bytes;
	size_t first, count; /* its stack in .pcs, innermost first */
};

struct go_memory_profile {
	/* Bytes between two samples (runtime.MemProfileRate); at most 1: each allocation is in. */
	int64_t rate;
	ARRAY(struct go_allocations) sites; /* the newest first, as the runtime has them */
	ARRAY(uint64_t) pcs;
	/* NULL, or why the runtime has no such profile: a sentence, in the pool or a literal. */
	const char *missing;
};

/* Reads the list of buckets that begins at `first`, of a runtime that is in `cycle`, into
 * `*profile`, whose .rate stays. Errors as below. */
struct error *go_buckets_read(const struct go_process *process, uint64_t first, unsigned cycle,
			      struct gaps *gaps, struct go_memory_profile *profile);

/* Reads it. What is damaged is told in a gap. ERROR_UNSUPPORTED: the list or the rate cannot be
 * found. ERROR_NO_MEMORY. */
struct error *go_memory_profile_read(const struct go_process *process, struct gaps *gaps,
				     struct go_memory_profile *profile);
void go_memory_profile_free(struct go_memory_profile *profile);

/* What runtime.CallersFrames makes of one return address of such a stack: a single call, the
 * innermost there; calls that were inlined have addresses of their own, behind each other. False
 * where no Go function is. */
bool go_return_call(const struct go_process *process, uint64_t pc, struct go_call *call);

/* Whether `pc` counts as the runtime's own to runtime/pprof, which leaves out those that a stack of
 * the heap profile begins with. */
bool go_runtime_call(const struct go_process *process, uint64_t pc);

#endif
