/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "analysis/reachability.h"

#include "analysis/mark.h"
#include "base/size_text.h"
#include "heap/chunk_lookup.h"

#include <inttypes.h>
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
	for (size_t i = 0; i < subject->heap->in_hand.count; i++)
		marking_pin(marking, subject->heap->in_hand.items[i], &chunk);
	for (uint64_t i = 0; i < words && error == NULL; i++)
		result->possible[i] = marking_word(marking, i) & ~result->reachable[i];
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

static enum chunk_state state_of(const struct reachability *result, uint64_t number, bool used)
{
	if (!used)
		return CHUNK_FREE;
	if (chunk_lookup_bit(result->reachable, number))
		return CHUNK_REACHABLE;
	return chunk_lookup_bit(result->possible, number) ? CHUNK_POSSIBLE : CHUNK_ORPHANED;
}

/* Counts the region's chunks by state: each ends where the next one begins. */
static void count_region(const struct chunk_table *table, const struct chunk_region *region,
			 struct reachability *result)
{
	const uint64_t *used = chunk_table_used_bits(table);
	uint64_t number = chunk_lookup_following(table, region, region->first_granule);
	while (number != CHUNK_NONE) {
		uint64_t following = chunk_lookup_following(table, region, number + 1);
		uint64_t end =
		    following != CHUNK_NONE ? chunk_lookup_address(region, following) : region->end;
		uint64_t size = end - chunk_lookup_address(region, number);
		struct chunk_total *total =
		    &result->totals[state_of(result, number, chunk_lookup_bit(used, number))];
		total->chunks++;
		total->bytes += size > region->trailer ? size - region->trailer : 0;
		number = following;
	}
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
	size_t count;
	const struct chunk_region *regions = chunk_table_regions(subject->heap->chunks, &count);
	for (size_t i = 0; i < count; i++)
		count_region(subject->heap->chunks, &regions[i], &made);
	if (made.unread_bytes != 0)
		gaps_add(subject->gaps, GAP_MEMORY, 0, 0,
			 "%s of heap chunks in use could not be read: what only they lead to is "
			 "counted as orphaned",
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
