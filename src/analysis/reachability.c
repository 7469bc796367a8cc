/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "analysis/reachability.h"

#include "analysis/mark.h"
#include "analysis/words.h"
#include "base/size_text.h"
#include "heap/chunk_lookup.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* Bounds what is read of a pinned chunk: a dtv has two words for each module. */
#define PINNED_WORDS_MAX 65536

/* A chunk of the C library for a thread that is gone, and the chunks its words point to: marked,
 * not scanned. */
static void pin_with_children(struct marking *marking, struct target *target, uint64_t address)
{
	struct chunk chunk, child;
	uint64_t word = target->arch->word_size, value;
	if (!marking_pin(marking, address, &chunk))
		return;
	for (uint64_t i = 0; i < chunk.size / word && i < PINNED_WORDS_MAX; i++)
		if (address_space_u64(target->space, chunk.address + i * word, &value))
			marking_pin(marking, value, &child);
}

static struct error *mark_roots(struct marking *marking, const struct roots *roots,
				enum root_strength strength)
{
	ARRAY(struct mark_source) sources = { 0 };
	if (!array_reserve(&sources, roots->list.count))
		return error_no_memory();
	for (size_t i = 0; i < roots->list.count; i++) {
		const struct root *root = &roots->list.items[i];
		if (root->strength == strength)
			sources.items[sources.count++] =
			    (struct mark_source){ root->start, root->end, root->bytes, root->size };
	}
	struct error *error = marking_run(marking, sources.items, sources.count);
	array_free(&sources);
	return error;
}

/* What the chunks lead to of which the heap itself does not know whether they are such. */
static struct error *mark_doubted(struct marking *marking, const struct heap *heap)
{
	ARRAY(struct mark_source) sources = { 0 };
	struct chunk chunk;
	if (!array_reserve(&sources, heap->doubted.count))
		return error_no_memory();
	for (size_t i = 0; i < heap->doubted.count; i++)
		sources.items[sources.count++] =
		    (struct mark_source){ .start = heap->doubted.items[i].start,
					  .end = heap->doubted.items[i].end };
	struct error *error = marking_run(marking, sources.items, sources.count);
	for (size_t i = 0; i < heap->doubted.count; i++)
		marking_pin(marking, heap->doubted.items[i].start, &chunk);
	array_free(&sources);
	return error;
}

static struct error *mark_all(const struct subject *subject, const struct roots *roots,
			      struct reachability *result)
{
	const struct chunk_table *table = subject->heap->chunks;
	struct mark_options options = { .exact = true, .progress = subject->progress };
	struct marking *marking;
	struct error *error = marking_new(subject->target, table, &options, &marking);
	if (error != NULL)
		return error;
	uint64_t words = (chunk_table_granules(table) + 63) / 64;
	const uint64_t *used = chunk_table_used_bits(table);
	result->reachable = calloc(words + 1, sizeof *used);
	result->possible = calloc(words + 1, sizeof *used);
	if (result->reachable == NULL || result->possible == NULL)
		error = error_no_memory();

	struct chunk chunk;
	for (size_t i = 0; i < subject->heap->internal.count; i++)
		marking_pin(marking, subject->heap->internal.items[i], &chunk);
	if (error == NULL)
		error = mark_roots(marking, roots, ROOT_STRONG);
	for (uint64_t i = 0; i < words && error == NULL; i++)
		result->reachable[i] = marking_word(marking, i);
	if (error == NULL)
		error = marking_accept_interior(marking);
	if (error == NULL)
		error = mark_roots(marking, roots, ROOT_WEAK);
	if (error == NULL)
		error = mark_doubted(marking, subject->heap);
	for (size_t i = 0; i < subject->heap->in_hand.count; i++)
		marking_pin(marking, subject->heap->in_hand.items[i], &chunk);
	/* Mostly there are none, and pages that are not written take no memory. */
	for (uint64_t i = 0; i < words && error == NULL; i++) {
		const uint64_t bits = marking_word(marking, i) & ~result->reachable[i];
		if (bits != 0)
			result->possible[i] = bits;
	}
	/* Last, so that nothing that anything else leads to stays without its scan. */
	for (size_t i = 0; i < roots->pinned.count; i++)
		pin_with_children(marking, subject->target, roots->pinned.items[i]);
	for (uint64_t i = 0; i < words && error == NULL; i++)
		result->reachable[i] = marking_word(marking, i) & used[i] & ~result->possible[i];

	result->unread_bytes = marking_unread_chunks(marking);
	uint64_t unread = marking_unread_sources(marking);
	if (unread != 0)
		gaps_add(subject->gaps, GAP_MEMORY, 0, 0,
			 "%s of mappings could not be read: pointers from there are unknown",
			 size_text(unread).text);
	marking_free(marking);
	return error;
}

/* --- what may hold what nothing leads to */

static void add_memory(struct words *words, const struct unseen_memory *unseen)
{
	if (unseen->bytes == 0)
		return;
	words_add(words, "%s of private memory ", size_text(unseen->bytes).text);
	if (unseen->mappings == 1)
		words_add(words, "at 0x%" PRIx64, unseen->start);
	else
		words_add(words, "in %" PRIu64 " mappings, the largest at 0x%" PRIx64 ",",
			  unseen->mappings, unseen->start);
}

static void tell_doubt(const struct subject *subject, const struct roots *roots,
		       struct reachability *result)
{
	struct words words = { 0 };
	add_memory(&words, &roots->unseen);
	if (result->unread_bytes != 0) {
		words_separate(&words, " and ");
		words_add(&words, "%s of chunks in use", size_text(result->unread_bytes).text);
	}
	if (subject->target->kernel_words_missing) {
		words_separate(&words, " and ");
		words_add(&words, "words that the kernel holds");
	}
	snprintf(result->doubt, sizeof result->doubt, "%.*s", REACHABILITY_WORDS - 1, words.text);
}

static void tell_caution(const struct roots *roots, struct reachability *result)
{
	const struct thread *thread = roots->kernel.unseen;
	if (thread != NULL)
		snprintf(result->caution, sizeof result->caution,
			 "thread %" PRId32 " waits in epoll_wait: chunks that only the kernel "
			 "points to (epoll_event.data) cannot be told from orphans in a core",
			 thread->tid);
	else if (roots->kernel.requests)
		snprintf(result->caution, sizeof result->caution,
			 "the program uses io_uring or io_submit: chunks that only requests under "
			 "way point to (user_data) cannot be told from orphans");
}

/* --- states */

static bool is_held(const struct reachability *result, uint64_t number)
{
	return chunk_lookup_bit(result->reachable, number) ||
	       chunk_lookup_bit(result->possible, number);
}

static enum chunk_state state_of(const struct reachability *result, uint64_t number, bool used)
{
	if (!used)
		return CHUNK_FREE;
	if (chunk_lookup_bit(result->reachable, number))
		return CHUNK_REACHABLE;
	return is_held(result, number) || result->doubt[0] != '\0' ? CHUNK_POSSIBLE
								   : CHUNK_ORPHANED;
}

static void count_chunk(struct chunk_total *total, uint64_t size)
{
	total->chunks++;
	total->bytes += size;
}

/* The starts of the region's chunks among the 64 granules of `word`. */
static uint64_t starts_in(const struct chunk_table *table, const struct chunk_region *region,
			  uint64_t word)
{
	const uint64_t limit = chunk_lookup_limit(region);
	uint64_t starts = chunk_table_start_bits(table)[word];
	if (word == region->first_granule / 64)
		starts &= UINT64_MAX << region->first_granule % 64;
	if (limit / 64 == word)
		starts &= ((uint64_t)1 << limit % 64) - 1;
	return starts;
}

/* Counts the region's chunks by state. Most are reachable: only the others are looked at one by
 * one, the sizes of all follow from where the first one begins and the region ends. */
static void count_region(const struct chunk_table *table, const struct chunk_region *region,
			 struct reachability *result)
{
	const uint64_t *used = chunk_table_used_bits(table);
	const uint64_t limit = chunk_lookup_limit(region);
	const uint64_t first = chunk_lookup_following(table, region, region->first_granule);
	struct chunk_total all = { 0 }, others = { 0 };
	uint64_t last = first;
	if (first == CHUNK_NONE)
		return;
	for (uint64_t word = region->first_granule / 64; word * 64 < limit; word++) {
		const uint64_t starts = starts_in(table, region, word);
		if (starts == 0)
			continue;
		all.chunks += (uint64_t)__builtin_popcountll(starts);
		last = word * 64 + 63 - (uint64_t)__builtin_clzll(starts);
		for (uint64_t left = starts & ~result->reachable[word]; left != 0;
		     left &= left - 1) {
			const uint64_t number = word * 64 + (uint64_t)__builtin_ctzll(left);
			const uint64_t size = chunk_lookup_size(table, region, number);
			const bool is_used = chunk_lookup_bit(used, number);
			count_chunk(&result->totals[state_of(result, number, is_used)], size);
			count_chunk(&others, size);
			if (is_used && !is_held(result, number))
				count_chunk(&result->unheld, size);
		}
	}
	all.bytes = chunk_lookup_address(region, last) - chunk_lookup_address(region, first) -
		    (all.chunks - 1) * region->trailer + chunk_lookup_size(table, region, last);
	result->totals[CHUNK_REACHABLE].chunks += all.chunks - others.chunks;
	result->totals[CHUNK_REACHABLE].bytes += all.bytes - others.bytes;
}

struct error *reachability_compute(const struct subject *subject, const struct roots *roots,
				   struct reachability *result)
{
	struct reachability made = { 0 };
	struct error *error = mark_all(subject, roots, &made);
	if (error != NULL) {
		reachability_free(&made);
		return error;
	}
	tell_doubt(subject, roots, &made);
	tell_caution(roots, &made);
	size_t count;
	const struct chunk_region *regions = chunk_table_regions(subject->heap->chunks, &count);
	for (size_t i = 0; i < count; i++)
		count_region(subject->heap->chunks, &regions[i], &made);
	if (made.unread_bytes != 0)
		gaps_add(subject->gaps, GAP_MEMORY, 0, 0,
			 "%s of heap chunks in use could not be read: what only they lead to is "
			 "counted as possible",
			 size_text(made.unread_bytes).text);
	*result = made;
	return NULL;
}

void reachability_free(struct reachability *result)
{
	free(result->reachable);
	free(result->possible);
	*result = (struct reachability){ 0 };
}

enum chunk_state reachability_state(const struct reachability *result, const struct chunk *chunk)
{
	return state_of(result, chunk->number, chunk->used);
}

bool reachability_unheld(const struct reachability *result, const struct chunk *chunk)
{
	return chunk->used && !is_held(result, chunk->number);
}

const char *chunk_state_name(enum chunk_state state)
{
	static const char *const names[CHUNK_STATE_COUNT] = {
		[CHUNK_FREE] = "free",
		[CHUNK_REACHABLE] = "reachable",
		[CHUNK_POSSIBLE] = "possible",
		[CHUNK_ORPHANED] = "orphaned",
	};
	return names[state];
}
