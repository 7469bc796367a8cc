/* Which chunks can still be reached: mark from the roots over aligned words; pointers into a
 * chunk's interior count. Knows nothing of any allocator: it sees a chunk table and roots.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORESCAN_ANALYSIS_REACHABILITY_H
#define CORESCAN_ANALYSIS_REACHABILITY_H

#include "analysis/roots.h"

enum chunk_state {
	CHUNK_FREE,
	CHUNK_REACHABLE, /* a strong root leads to it */
	CHUNK_POSSIBLE,	 /* only weak evidence leads to it: a weak root, or on every way a pointer
			    into a chunk's interior that no idiom explains (interior.h); or
			    nothing does, and what could not be read may (.doubt) */
	CHUNK_ORPHANED,	 /* in use, and nothing leads to it */
	CHUNK_STATE_COUNT,
};

const char *chunk_state_name(enum chunk_state state); /* "free", "reachable" … */

#define REACHABILITY_WORDS 240

struct reachability {
	uint64_t *reachable; /* bitmaps over chunk_table granules; owned */
	uint64_t *possible;  /* by weak evidence */
	struct chunk_total {
		uint64_t chunks, bytes; /* usable bytes */
	} totals[CHUNK_STATE_COUNT];
	struct chunk_total unheld; /* in use, and nothing that was read leads to them: orphaned, or
				      where there is doubt, possible */
	/* What could not be read and may hold pointers to these: "4 kB of private memory at 0x…";
	 * "" where nothing is in doubt. */
	char doubt[REACHABILITY_WORDS];
	/* What may hold some of them, though nothing says so of one or the other: a sentence for
	 * their reader; or "". */
	char caution[REACHABILITY_WORDS];
	uint64_t unread_bytes; /* of chunks whose own memory was absent: what they point to counts
				  as unknown, and a gap says so */
};

/* ERROR_NO_MEMORY, ERROR_INTERRUPTED. */
struct error *reachability_compute(const struct subject *subject, const struct roots *roots,
				   struct reachability *result);
void reachability_free(struct reachability *result);

enum chunk_state reachability_state(const struct reachability *result, const struct chunk *chunk);

/* Whether nothing that was read leads to a chunk in use. */
bool reachability_unheld(const struct reachability *result, const struct chunk *chunk);

#endif
