/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "analysis/content_pointers.h"

#include "analysis/span_walk.h"
#include "base/prefetch.h"
#include "heap/chunk_lookup.h"

#define BATCH	    64 /* words */
#define LINE	    64
#define ASKED_BYTES 192 /* of a chunk, ahead of its turn */

/* What the bitmaps say of a word that points into a region. */
static inline void ask_granule(const struct chunk_table *table, const struct chunk_region *region,
			       uint64_t word)
{
	const uint64_t granule = chunk_lookup_granule(region, word);
	prefetch(&table->levels[0][granule / 64]);
	prefetch(&table->used[granule / 64]);
}

/* Counts some words, at most BATCH: those that may be pointers are asked for before the first of
 * them is looked up. */
static void count_words(const struct chunk_table *table, const struct word_form *form,
			const uint8_t *bytes, unsigned words, struct content_pointers *count)
{
	uint64_t pointers[BATCH];
	unsigned found = 0;
	struct chunk target;
	for (unsigned i = 0; i < words; i++) {
		const uint64_t word = word_form_load(form, bytes + (size_t)i * form->size);
		const struct chunk_region *region = chunk_lookup_region(table, word);
		count->words += word != 0;
		if (region == NULL)
			continue;
		ask_granule(table, region, word);
		pointers[found++] = word;
	}
	for (unsigned i = 0; i < found; i++) {
		if (!chunk_table_find(table, pointers[i], &target) || !target.used)
			continue;
		if (count->pointers++ == 0)
			count->target_size = target.size;
		else if (count->target_size != target.size)
			count->target_size = 0;
	}
}

struct content_pointers content_pointers_count(const struct subject *subject,
					       const struct chunk *chunk)
{
	const struct word_form form = word_form_of(subject->target->arch);
	struct content_pointers count = { 0 };
	const uint64_t size =
	    chunk->size < CONTENT_EXAMINED_BYTES ? chunk->size : CONTENT_EXAMINED_BYTES;
	struct span_walk walk =
	    span_walk_over(subject->target, chunk->address, chunk->address + size);
	const uint8_t *bytes;
	uint64_t address;
	for (size_t got; (got = span_walk_next(&walk, BATCH * form.size, &address, &bytes)) != 0;)
		count_words(subject->heap->chunks, &form, bytes, (unsigned)(got / form.size),
			    &count);
	return count;
}

void content_pointers_ask(const struct subject *subject, uint64_t address)
{
	const uint8_t *bytes;
	const size_t got = address_space_span(subject->target->space, address, ASKED_BYTES, &bytes);
	for (size_t at = 0; at < got; at += LINE)
		prefetch(bytes + at);
}

void content_pointers_ask_targets(const struct subject *subject, uint64_t address, uint64_t size)
{
	const struct word_form form = word_form_of(subject->target->arch);
	const struct chunk_table *table = subject->heap->chunks;
	const uint8_t *bytes;
	const size_t got = address_space_span(subject->target->space, address,
					      size < ASKED_BYTES ? size : ASKED_BYTES, &bytes);
	for (size_t at = 0; at + form.size <= got; at += form.size) {
		const uint64_t word = word_form_load(&form, bytes + at);
		const struct chunk_region *region = chunk_lookup_region(table, word);
		if (region != NULL)
			ask_granule(table, region, word);
	}
}
