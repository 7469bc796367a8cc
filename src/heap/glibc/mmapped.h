/* What looks like chunks that are mappings of their own, and which of it malloc counts.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORESCAN_HEAP_GLIBC_MMAPPED_H
#define CORESCAN_HEAP_GLIBC_MMAPPED_H

#include "heap/glibc/glibc.h"

/* What looks like an mmapped chunk. */
struct mmapped_candidate {
	uint64_t start, end; /* the pages */
	uint64_t header;     /* of the chunk in them: past .start where memalign moved it */
	uint8_t edges;	     /* how many of its two ends are ends of a mapping, or neighbours' */
	bool dropped;
	bool doubted; /* it may as well be a page that looks like one */
};

typedef ARRAY(struct mmapped_candidate) mmapped_candidates;

static inline uint64_t mmapped_bytes(const struct mmapped_candidate *candidate)
{
	return candidate->end - candidate->start;
}

/* What mp_ counts. `drifts`: .bytes is 16 too many for each time that mremap changed a chunk, for
 * ever (2.43). */
struct mmapped_count {
	uint64_t chunks, bytes;
	bool drifts;
	uint64_t par, chunks_at, bytes_at; /* where they lie, of the first copy of malloc */
};

/* lookalikes.c: drops what is too many, sorting `found`. No set is kept whose bytes contradict
 * malloc's; where they do not single out one set, the chunks that may be look-alikes are doubted,
 * and that is a gap. */
void glibc_drop_lookalikes(struct glibc_walk *walk, mmapped_candidates *found,
			   const struct mmapped_count *count);

/* mmapped_damage.c: before that: finds the one whose header is overwritten, where malloc's counters
 * tell that one is missing or has another size, and tells of it; or that a counter is, which is
 * corrected. `found` is in the order of addresses. False: no memory. */
bool glibc_mend_mmapped(struct glibc_walk *walk, mmapped_candidates *found,
			struct mmapped_count *count, uint32_t arena, bool excludes_header);

/* mmapped_damage.c: tells of a chunk whose header is overwritten. */
void glibc_tell_mmapped(struct glibc_walk *walk, const struct mmapped_candidate *candidate,
			uint32_t arena, bool excludes_header);

/* mmapped.c: whether a mapping, or a part of the heap, ends between the two addresses next to each
 * other. */
bool glibc_is_edge(const struct glibc_walk *walk, uint64_t below, uint64_t above);

#endif
