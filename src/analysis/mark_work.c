/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "analysis/mark_private.h"

#include <stdlib.h>
#include <string.h>

#define STACK_FIRST  ((size_t)1 << 10)
#define SOURCE_SLICE ((uint64_t)1 << 20)
#define GIVEN	     256 /* pieces that change hands at once */

/* Work that changes hands. */

static bool reserve_pool(struct marking *marking)
{
	if (marking->pool_count + GIVEN <= marking->pool_capacity)
		return true;
	size_t capacity = marking->pool_capacity * 2 + GIVEN * 4;
	struct piece *grown = reallocarray(marking->pool, capacity, sizeof *grown);
	if (grown == NULL)
		return false;
	marking->pool = grown;
	marking->pool_capacity = capacity;
	return true;
}

/* The older half of the stack, as much as changes hands at once. */
void mark_share(struct worker *worker)
{
	struct marking *marking = worker->marking;
	size_t count = worker->count / 2 < GIVEN ? worker->count / 2 : GIVEN;
	pthread_mutex_lock(&marking->lock);
	if (marking->pool_count < GIVEN && reserve_pool(marking)) {
		memcpy(marking->pool + marking->pool_count, worker->stack,
		       count * sizeof *worker->stack);
		marking->pool_count += count;
		worker->count -= count;
		memmove(worker->stack, worker->stack + count,
			worker->count * sizeof *worker->stack);
		pthread_cond_signal(&marking->changed);
	}
	pthread_mutex_unlock(&marking->lock);
}

void mark_tell_progress(struct worker *worker)
{
	struct marking *marking = worker->marking;
	if (!worker->is_main || worker->scanned < marking->progress_step)
		return;
	marking->scanned_bytes += worker->scanned * marking->worker_count;
	worker->scanned = 0;
	progress_tell(marking->progress, "marking reachable chunks",
		      marking->scanned_bytes < marking->total ? marking->scanned_bytes
							      : marking->total,
		      marking->total);
}

/* Scans until this worker has nothing left: what waits for its memory may lead to more. */
static void drain(struct worker *worker)
{
	do {
		mark_pop(worker);
		mark_flush(worker);
	} while (worker->count > 0);
}

/* The next slice of the sources. The lock is held. */
static bool take_source(struct marking *marking, struct mark_source *slice)
{
	while (marking->next_source < marking->source_count) {
		const struct mark_source *source = &marking->sources[marking->next_source];
		uint64_t size = source->bytes != NULL ? source->size : source->end - source->start;
		uint64_t offset = marking->source_offset;
		uint64_t left = size - offset;
		uint64_t take = left < SOURCE_SLICE ? left : SOURCE_SLICE;
		marking->source_offset += take;
		if (marking->source_offset == size) {
			marking->next_source++;
			marking->source_offset = 0;
		}
		if (take == 0)
			continue;
		*slice = *source;
		if (source->bytes != NULL) {
			slice->bytes += offset;
			slice->size = take;
		} else {
			slice->start += offset;
			slice->end = slice->start + take;
		}
		return true;
	}
	return false;
}

static void scan_source(struct worker *worker, const struct mark_source *source)
{
	if (source->bytes != NULL) {
		mark_scan(worker, (struct piece){ source->bytes, source->size });
		return;
	}
	struct span_walk walk = span_walk_over(worker->marking->target, source->start, source->end);
	const uint8_t *bytes;
	uint64_t address;
	for (size_t got; (got = span_walk_next(&walk, UINT64_MAX, &address, &bytes)) != 0;)
		mark_scan(worker, (struct piece){ bytes, got });
	worker->unread_sources += walk.missing;
}

/* In address order: memory comes fastest that way. */
static void scan_block(struct worker *worker, uint64_t block)
{
	struct marking *marking = worker->marking;
	const struct chunk_region *region = NULL;
	uint64_t end = (block + 1) * MARK_BLOCK_GRANULES / 64;
	if (end > marking->words)
		end = marking->words;
	for (uint64_t i = block * MARK_BLOCK_GRANULES / 64; i < end; i++) {
		const struct granules *word = &marking->granules[i];
		uint64_t bits = word->starts & __atomic_load_n(&word->marks, __ATOMIC_RELAXED) &
				~__atomic_load_n(&marking->scanned[i], __ATOMIC_RELAXED);
		if (bits == 0)
			continue;
		bits &= ~__atomic_fetch_or(&marking->scanned[i], bits, __ATOMIC_RELAXED);
		worker->swept_chunks += (uint64_t)__builtin_popcountll(bits);
		for (; bits != 0; bits &= bits - 1) {
			uint64_t number = i * 64 + (uint64_t)__builtin_ctzll(bits);
			if (region == NULL || number >= chunk_lookup_limit(region))
				region = chunk_lookup_numbered(marking->table, number);
			mark_scan_chunk(worker, region, number);
		}
		mark_pop(worker);
	}
	drain(worker);
	mark_tell_progress(worker);
}

/* Waits for work from the others. False: all is done. The lock is held. */
static bool wait_for_pool(struct worker *worker)
{
	struct marking *marking = worker->marking;
	marking->idle++;
	atomic_fetch_add_explicit(&marking->hungry, 1, memory_order_relaxed);
	while (marking->pool_count == 0 && !marking->done) {
		if (marking->idle == marking->worker_count) {
			marking->done = true;
			pthread_cond_broadcast(&marking->changed);
			break;
		}
		pthread_cond_wait(&marking->changed, &marking->lock);
	}
	marking->idle--;
	atomic_fetch_sub_explicit(&marking->hungry, 1, memory_order_relaxed);
	return !marking->done;
}

/* One share of work: pieces of another worker, a slice of a source, a block. False: no more. */
static bool work(struct worker *worker)
{
	struct marking *marking = worker->marking;
	struct mark_source slice = { 0 };
	uint64_t block = UINT64_MAX;
	bool has_slice = false, more = true;
	pthread_mutex_lock(&marking->lock);
	if (marking->pool_count == 0) {
		has_slice = take_source(marking, &slice);
		if (!has_slice && marking->next_block < marking->block_count)
			block = marking->next_block++;
		else if (!has_slice)
			more = wait_for_pool(worker);
	}
	if (more && !has_slice && block == UINT64_MAX) {
		size_t count = marking->pool_count < GIVEN ? marking->pool_count : GIVEN;
		marking->pool_count -= count;
		memcpy(worker->stack, marking->pool + marking->pool_count,
		       count * sizeof *worker->stack);
		worker->count = count;
	}
	pthread_mutex_unlock(&marking->lock);
	if (!more)
		return false;
	if (has_slice)
		scan_source(worker, &slice);
	else if (block != UINT64_MAX)
		scan_block(worker, block);
	drain(worker);
	return true;
}

static void *run_worker(void *argument)
{
	struct worker *worker = argument;
	while (work(worker))
		;
	return NULL;
}

static bool worker_init(struct marking *marking, struct worker *worker)
{
	*worker = (struct worker){ .marking = marking, .capacity = STACK_FIRST };
	worker->stack = calloc(worker->capacity, sizeof *worker->stack);
	return worker->stack != NULL;
}

static void finish_worker(struct marking *marking, struct worker *worker)
{
	marking->unread_chunks += worker->unread_chunks;
	marking->unread_sources += worker->unread_sources;
	marking->swept_chunks += worker->swept_chunks;
	free(worker->stack);
}

struct error *mark_run_phase(struct marking *marking, const struct mark_source *sources,
			     size_t count, bool blocks)
{
	struct worker workers[WORKERS_MAX];
	struct workers helpers;
	unsigned ready = 0;
	while (ready < marking->workers_wanted && worker_init(marking, &workers[ready]))
		ready++;
	if (ready == 0)
		return error_no_memory();
	workers[0].is_main = true;
	marking->sources = sources;
	marking->source_count = count;
	marking->next_source = 0;
	marking->source_offset = 0;
	marking->next_block = 0;
	marking->block_count = blocks ? (marking->words * 64 - 1) / MARK_BLOCK_GRANULES + 1 : 0;
	marking->swept_chunks = 0;
	marking->done = false;
	/* Until all are there, nobody may think that all are idle. */
	pthread_mutex_lock(&marking->lock);
	workers_start(&helpers, run_worker, workers, sizeof workers[0], ready);
	marking->worker_count = 1 + helpers.started;
	pthread_mutex_unlock(&marking->lock);
	run_worker(&workers[0]);
	workers_join(&helpers);
	for (unsigned i = 0; i < ready; i++)
		finish_worker(marking, &workers[i]);
	return NULL;
}
