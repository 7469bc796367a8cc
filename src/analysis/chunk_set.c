/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "analysis/chunk_set.h"

#include "base/large_array.h"

bool chunk_set_new(const struct chunk_table *table, struct chunk_set *set)
{
	struct chunk_set made = { .table = table,
				  .word_count = (chunk_table_granules(table) + 63) / 64 };
	made.words = large_array_new(made.word_count + 1, sizeof *made.words);
	if (made.words == NULL)
		return false;
	*set = made;
	return true;
}

void chunk_set_count(struct chunk_set *set)
{
	set->count = 0;
	for (uint64_t i = 0; i < set->word_count; i++) {
		set->words[i].before = set->count;
		set->count += (uint64_t)__builtin_popcountll(set->words[i].bits);
	}
	set->words[set->word_count].before = set->count;
}

uint64_t chunk_set_address(const struct chunk_set *set, uint32_t rank)
{
	uint64_t low = 0, high = set->word_count;
	while (high - low > 1) {
		const uint64_t middle = low + (high - low) / 2;
		if (set->words[middle].before <= rank)
			low = middle;
		else
			high = middle;
	}
	uint64_t bits = set->words[low].bits;
	for (uint64_t before = set->words[low].before; before < rank; before++)
		bits &= bits - 1;
	const uint64_t number = low * 64 + (uint64_t)__builtin_ctzll(bits);
	return chunk_lookup_address(chunk_lookup_numbered(set->table, number), number);
}

void chunk_set_free(struct chunk_set *set)
{
	large_array_free(set->words, set->word_count + 1, sizeof *set->words);
	*set = (struct chunk_set){ 0 };
}
