/* The mark loop: from pieces of memory to the chunks that their words point to, and on from there.
 * It knows neither roots nor allocators. Private to reachability.c.
 *
 * Several workers share the work. Each has a bounded stack of pieces to scan. When one is full, the
 * heap is large and its pointers lead everywhere: from then on chunks are only marked, and sweeps
 * in address order, which memory is fastest in, scan those that are marked and were not scanned.
 * When a sweep finds few, what each leads to is followed again. So any graph is walked in bounded
 * memory, without recursion, and each chunk is scanned once.
 *
 * Every memory access that would miss the cache is asked for ahead of time: words that may be
 * pointers are gathered, and looked up a batch later than the bitmaps were asked for; pieces wait
 * in a ring while their first lines arrive.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORESCAN_ANALYSIS_MARK_H
#define CORESCAN_ANALYSIS_MARK_H

#include "base/progress.h"
#include "heap/chunk_table.h"
#include "target/target.h"

/* Where scanning starts: target memory, or (bytes != NULL) bytes of our own. */
struct mark_source {
	uint64_t start, end;
	const uint8_t *bytes;
	size_t size;
};

struct marking;

struct mark_options {
	unsigned workers;   /* 0: as many as are worth it */
	size_t stack_limit; /* pieces on a worker's stack; 0: 1 << 16 */
	/* A pointer into a chunk's interior leads nowhere until marking_accept_interior, unless an
	 * idiom explains it (interior.h). */
	bool exact;
	const struct progress *progress;
};

/* `table` is frozen; it and the target are borrowed. ERROR_NO_MEMORY. */
struct error *marking_new(struct target *target, const struct chunk_table *table,
			  const struct mark_options *options, struct marking **marking);
void marking_free(struct marking *marking);

/* The marks of 64 granules, granule 64 * `word` in bit 0. From the start the bits of free chunks
 * are set, so that the loop never asks whether a chunk is used. */
uint64_t marking_word(const struct marking *marking, uint64_t word);

/* Marks the chunk that holds `address`, if it is not free, without scanning it. Returns whether
 * there is one; `*chunk` is then filled. */
bool marking_pin(struct marking *marking, uint64_t address, struct chunk *chunk);

/* Marks all that the sources lead to. ERROR_NO_MEMORY. */
struct error *marking_run(struct marking *marking, const struct mark_source *sources, size_t count);

/* From now on interior pointers count, and so do those that led nowhere: marks what they lead to.
 * ERROR_NO_MEMORY. */
struct error *marking_accept_interior(struct marking *marking);

/* Bytes of sources, and of marked chunks, that could not be read, in all runs so far. */
uint64_t marking_unread_sources(const struct marking *marking);
uint64_t marking_unread_chunks(const struct marking *marking);

#endif
