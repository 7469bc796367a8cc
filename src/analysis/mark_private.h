/* The inside of the mark: mark.c has its life and its phases, mark_work.c hands out the work,
 * mark_scan.c goes from words to chunks.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORESCAN_ANALYSIS_MARK_PRIVATE_H
#define CORESCAN_ANALYSIS_MARK_PRIVATE_H

#include "analysis/mark.h"
#include "analysis/span_walk.h"
#include "base/workers.h"
#include "heap/chunk_lookup.h"

#include <stdatomic.h>

#define MARK_SLICE	    ((uint64_t)1 << 16) /* a larger piece is scanned in slices, and shared */
#define MARK_BATCH	    64			/* words that are looked up at once */
#define MARK_PIECES	    16			/* that are on their way */
#define MARK_BLOCK_GRANULES ((uint64_t)1 << 16) /* of a sweep, that one worker takes at once */

/* 64 granules: side by side, so that a candidate costs one cache miss and not two. */
struct granules {
	uint64_t starts; /* as in the chunk table */
	uint64_t marks;	 /* accessed by __atomic built-ins while workers run */
};

/* Memory to scan, in our own address space. */
struct piece {
	const uint8_t *bytes;
	uint64_t size;
};

/* A word that points into a region; the bitmap words it needs are on their way. */
struct candidate {
	uint64_t address;
	uint64_t granule;
	const struct chunk_region *region;
};

struct worker {
	struct marking *marking;
	bool is_main;
	struct piece *stack;
	size_t count, capacity;
	uint64_t words[2 * MARK_BATCH]; /* that may point into a region */
	unsigned word_count;
	struct candidate waiting[2 * MARK_BATCH];
	unsigned waiting_count;
	const struct chunk_region *region; /* where the last candidate lay, or NULL */
	struct piece pieces[MARK_PIECES];
	unsigned next_piece;
	uint64_t unread_chunks, unread_sources, scanned, swept_chunks;
};

struct marking {
	struct target *target;
	const struct chunk_table *table;
	const struct progress *progress;
	struct granules *granules;
	uint64_t *scanned; /* chunks whose words were looked at, or will be by who has them; a bit
			      each, atomic as the marks; those of free and of pinned ones are set */
	uint64_t *held;	   /* while interior pointers do not count: chunks that one points to, a
			      bit each as the marks; else NULL */
	uint64_t words;	   /* of each of these bitmaps */
	const uint8_t **region_bytes; /* of a region whose bytes are one span, else NULL */
	uint64_t low, span;	      /* all regions lie in [low, low + span) */
	uint64_t total;		      /* bytes that may be scanned, for the progress */
	uint64_t chunks;	      /* in use */
	uint64_t progress_step;
	struct word_form form;
	unsigned workers_wanted, worker_count;
	size_t stack_limit;
	uint64_t unread_sources, unread_chunks, scanned_bytes;
	uint64_t swept_chunks; /* that the last phase found in its blocks */
	atomic_bool crowded;   /* chunks that are found are marked, and left to a sweep */

	/* The sources of the present phase, handed out in slices, then its blocks. */
	const struct mark_source *sources;
	size_t source_count;
	size_t next_source;
	uint64_t source_offset;
	uint64_t next_block, block_count;

	/* Work that changes hands, guarded by the lock. */
	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct piece *pool;
	size_t pool_count, pool_capacity;
	unsigned idle;
	bool done;
	atomic_uint hungry; /* workers that wait */
};

/* Sets a bit, and says whether it was clear. */
static inline bool mark_set_once(uint64_t *word, uint64_t bit)
{
	uint64_t mask = (uint64_t)1 << bit;
	if ((__atomic_load_n(word, __ATOMIC_RELAXED) & mask) != 0)
		return false;
	return (__atomic_fetch_or(word, mask, __ATOMIC_RELAXED) & mask) == 0;
}

/* mark_scan.c */

/* Scans the piece; of a large one only the first slice, if the rest fits onto the stack. */
void mark_scan(struct worker *worker, struct piece piece);
/* Scans the chunk, soon: once others were asked for, or mark_flush. */
void mark_scan_chunk(struct worker *worker, const struct chunk_region *region, uint64_t number);
/* Scans what is on the stack, but for what waits for its memory. */
void mark_pop(struct worker *worker);
/* Sees to all that waits; that may put more on the stack. */
void mark_flush(struct worker *worker);

/* mark_work.c */

/* Does the sources; and `blocks`: all chunks that are marked and were not scanned.
 * ERROR_NO_MEMORY. */
struct error *mark_run_phase(struct marking *marking, const struct mark_source *sources,
			     size_t count, bool blocks);
/* Gives a part of the stack to workers that wait. */
void mark_share(struct worker *worker);
void mark_tell_progress(struct worker *worker);

#endif
