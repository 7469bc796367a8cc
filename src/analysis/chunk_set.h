/* A set of chunks, numbered by rank: in the order of the table's granules, from 0 on.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORESCAN_ANALYSIS_CHUNK_SET_H
#define CORESCAN_ANALYSIS_CHUNK_SET_H

#include "heap/chunk_lookup.h"

struct chunk_set {
	const struct chunk_table *table;
	/* 64 granules: which begin a chunk of the set, and how many of these come before. Side by
	 * side, so that a rank costs one cache miss and not two. */
	struct chunk_set_word {
		uint64_t bits, before;
	} * words;
	uint64_t word_count;
	uint64_t count;
};

/* An empty set; the table is borrowed. Its maker sets bits of words[], start bits of chunks, and
 * calls chunk_set_count. False: no memory. */
bool chunk_set_new(const struct chunk_table *table, struct chunk_set *set);
void chunk_set_count(struct chunk_set *set);
void chunk_set_free(struct chunk_set *set);

/* The rank of the chunk that begins at granule `number`; false: the set does not have it. */
static inline bool chunk_set_rank(const struct chunk_set *set, uint64_t number, uint32_t *rank)
{
	const struct chunk_set_word *word = &set->words[number / 64];
	if ((word->bits >> number % 64 & 1) == 0)
		return false;
	const uint64_t below = word->bits & (((uint64_t)1 << number % 64) - 1);
	*rank = (uint32_t)(word->before + (uint64_t)__builtin_popcountll(below));
	return true;
}

/* The user address of the chunk with that rank, which the set has. */
uint64_t chunk_set_address(const struct chunk_set *set, uint32_t rank);

/* The chunks of words[word] to words[end - 1], in the order of their ranks:
 *     struct chunk_set_walk walk = { .end = set->word_count };
 *     while (chunk_set_next(set, &walk)) … */
struct chunk_set_walk {
	uint64_t word, end;
	uint64_t bits; /* of the word before .word, that are still to come */
	uint64_t number;
	const struct chunk_region *region;
};

static inline bool chunk_set_next(const struct chunk_set *set, struct chunk_set_walk *walk)
{
	while (walk->bits == 0) {
		if (walk->word >= walk->end)
			return false;
		walk->bits = set->words[walk->word++].bits;
	}
	walk->number = (walk->word - 1) * 64 + (uint64_t)__builtin_ctzll(walk->bits);
	walk->bits &= walk->bits - 1;
	if (walk->region == NULL || walk->number >= chunk_lookup_limit(walk->region))
		walk->region = chunk_lookup_numbered(set->table, walk->number);
	return true;
}

#endif
