/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "analysis/chunk_bytes.h"
#include "analysis/mark_private.h"
#include "base/large_array.h"

#include <stdlib.h>

#define STACK_LIMIT    ((size_t)1 << 16)
#define STACK_LEAST    ((size_t)1 << 10)
#define PROGRESS_STEPS 1000
#define WORTH_SHARING  ((uint64_t)16 << 20)
#define SWEEP_WORTH    32 /* a sweep is worth another that finds one in so many chunks */

/* Phases. */

/* Scans what is marked and was not scanned: in sweeps as long as they find much, then from each
 * chunk on as far as it leads. */
static struct error *scan_marked(struct marking *marking)
{
	struct error *error = NULL;
	do {
		do {
			atomic_store(&marking->crowded, true);
			error = mark_run_phase(marking, NULL, 0, true);
		} while (error == NULL && marking->swept_chunks > marking->chunks / SWEEP_WORTH);
		atomic_store(&marking->crowded, false);
		if (error == NULL)
			error = mark_run_phase(marking, NULL, 0, true);
	} while (error == NULL && atomic_load(&marking->crowded));
	return error;
}

struct error *marking_run(struct marking *marking, const struct mark_source *sources, size_t count)
{
	atomic_store(&marking->crowded, false);
	struct error *error = mark_run_phase(marking, sources, count, false);
	if (error == NULL && atomic_load(&marking->crowded))
		error = scan_marked(marking);
	return error;
}

struct error *marking_accept_interior(struct marking *marking)
{
	bool any = false;
	if (marking->held == NULL)
		return NULL;
	for (uint64_t i = 0; i < marking->words; i++) {
		any |= (marking->held[i] & ~marking->granules[i].marks) != 0;
		marking->granules[i].marks |= marking->held[i];
	}
	free(marking->held);
	marking->held = NULL;
	return any ? scan_marked(marking) : NULL;
}

bool marking_pin(struct marking *marking, uint64_t address, struct chunk *chunk)
{
	if (!chunk_table_find(marking->table, address, chunk) || !chunk->used)
		return false;
	const uint64_t word = chunk->number / 64, bit = (uint64_t)1 << chunk->number % 64;
	marking->granules[word].marks |= bit;
	marking->scanned[word] |= bit;
	return true;
}

/* Life. */

static unsigned count_workers(const struct mark_options *options, uint64_t total)
{
	if (options->workers != 0)
		return options->workers < WORKERS_MAX ? options->workers : WORKERS_MAX;
	return total < WORTH_SHARING ? 1 : workers_available();
}

/* The bytes of each region, where they are one span; and what all regions span. */
static bool take_regions(struct marking *marking)
{
	size_t count;
	const struct chunk_region *regions = chunk_table_regions(marking->table, &count);
	marking->region_bytes = chunk_bytes_new(marking->target, marking->table);
	if (marking->region_bytes == NULL)
		return false;
	for (size_t i = 0; i < count; i++) {
		uint64_t size = regions[i].end - regions[i].start;
		marking->total += size > regions[i].trailer ? size - regions[i].trailer : 0;
	}
	if (count > 0) {
		marking->low = regions[0].start;
		marking->span = regions[count - 1].end - regions[0].start;
	}
	return true;
}

static bool take_bitmaps(struct marking *marking, bool exact)
{
	const struct chunk_table *table = marking->table;
	const uint64_t *starts = chunk_table_start_bits(table);
	const uint64_t *used = chunk_table_used_bits(table);
	marking->words = (chunk_table_granules(table) + 63) / 64;
	marking->granules = large_array_new(marking->words + 1, sizeof *marking->granules);
	marking->scanned = large_array_new(marking->words + 1, sizeof *marking->scanned);
	/* Few of its pages are ever touched. */
	if (exact)
		marking->held = calloc(marking->words + 1, sizeof *marking->held);
	if (marking->granules == NULL || marking->scanned == NULL ||
	    (exact && marking->held == NULL))
		return false;
	for (uint64_t i = 0; i < marking->words; i++) {
		const uint64_t freed = starts[i] & ~used[i];
		marking->granules[i] = (struct granules){ starts[i], freed };
		marking->scanned[i] = freed;
		marking->chunks += (uint64_t)__builtin_popcountll(starts[i] & used[i]);
	}
	return true;
}

struct error *marking_new(struct target *target, const struct chunk_table *table,
			  const struct mark_options *options, struct marking **marking)
{
	struct marking *made = calloc(1, sizeof *made);
	if (made == NULL)
		return error_no_memory();
	pthread_mutex_init(&made->lock, NULL);
	pthread_cond_init(&made->changed, NULL);
	made->target = target;
	made->table = table;
	made->progress = options->progress;
	made->stack_limit = options->stack_limit != 0 ? options->stack_limit : STACK_LIMIT;
	if (made->stack_limit < STACK_LEAST)
		made->stack_limit = STACK_LEAST;
	made->form = word_form_of(target->arch);
	if (!take_regions(made) || !take_bitmaps(made, options->exact)) {
		marking_free(made);
		return error_no_memory();
	}
	made->workers_wanted = count_workers(options, made->total);
	made->progress_step = made->total / PROGRESS_STEPS + MARK_SLICE;
	*marking = made;
	return NULL;
}

void marking_free(struct marking *marking)
{
	if (marking == NULL)
		return;
	pthread_mutex_destroy(&marking->lock);
	pthread_cond_destroy(&marking->changed);
	large_array_free(marking->granules, marking->words + 1, sizeof *marking->granules);
	large_array_free(marking->scanned, marking->words + 1, sizeof *marking->scanned);
	free(marking->held);
	free(marking->region_bytes);
	free(marking->pool);
	free(marking);
}

uint64_t marking_word(const struct marking *marking, uint64_t word)
{
	return marking->granules[word].marks;
}

uint64_t marking_unread_sources(const struct marking *marking)
{
	return marking->unread_sources;
}

uint64_t marking_unread_chunks(const struct marking *marking)
{
	return marking->unread_chunks;
}
