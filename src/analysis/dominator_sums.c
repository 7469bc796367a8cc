/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "analysis/flow.h"
#include "base/workers.h"

#include <stdlib.h>
#include <string.h>

#define FILTER_BITS   65536
#define PAGE_SHIFT    12
#define WORTH_SHARING 16384 /* chunks */

/* The reachable chunks in address order: `*granule` goes on from chunk to chunk. */
struct chunk_walk {
	size_t region;
	uint64_t granule;
	uint64_t address, size;
	uint32_t rank;
};

static bool next_chunk(const struct flow *flow, struct chunk_walk *walk)
{
	size_t count;
	const struct chunk_region *regions = chunk_table_regions(flow->table, &count);
	for (; walk->region < count; walk->region++, walk->granule = 0) {
		const struct chunk_region *region = &regions[walk->region];
		uint64_t limit = chunk_lookup_limit(region);
		uint64_t at =
		    walk->granule > region->first_granule ? walk->granule : region->first_granule;
		while (at < limit) {
			uint64_t bits = flow->set.words[at / 64].bits & (UINT64_MAX << at % 64);
			if (bits == 0) {
				at = (at / 64 + 1) * 64;
				continue;
			}
			at = at / 64 * 64 + (uint64_t)__builtin_ctzll(bits);
			if (at >= limit || !chunk_set_rank(&flow->set, at, &walk->rank))
				break;
			walk->granule = at + 1;
			walk->address = chunk_lookup_address(region, at);
			walk->size = chunk_lookup_size(flow->table, region, at);
			return true;
		}
	}
	return false;
}

static void count_chunk(struct chunk_total *total, uint64_t size)
{
	total->chunks++;
	total->bytes += size;
}

/* What the chunk with each rank holds alone, where that is a head. */
struct held {
	uint64_t *bytes;
	uint32_t *chunks;
};

static void sum_up(const struct flow *flow, struct dominators *result, const struct held *held)
{
	struct chunk_walk walk = { 0 };
	while (next_chunk(flow, &walk)) {
		const uint32_t top = flow->tops[walk.rank];
		if (!flow_is_found(flow, walk.rank)) {
			count_chunk(top == FLOW_NOT_FOUND ? &result->pinned : &result->internal,
				    walk.size);
			continue;
		}
		if ((top & FLOW_TOP_ITEM) == 0) {
			held->bytes[top] += walk.size;
			held->chunks[top]++;
			count_chunk(&result->shared, walk.size);
			continue;
		}
		struct dominator_item *item = &result->items[top & ~FLOW_TOP_ITEM];
		count_chunk(&item->held, walk.size);
		if (walk.size > item->largest_size || item->held.chunks == 1) {
			item->largest = walk.address;
			item->largest_size = walk.size;
		}
	}
}

/* Keeps the `limit` largest heads, largest first. */
static bool keep_head(struct dominators *result, const struct dominator_head *head, size_t limit)
{
	size_t at = result->heads.count;
	if (at == limit &&
	    (limit == 0 || result->heads.items[at - 1].held.bytes >= head->held.bytes))
		return true;
	if (at < limit) {
		if (!array_push(&result->heads, *head))
			return false;
	} else {
		at--;
	}
	struct dominator_head *heads = result->heads.items;
	for (; at > 0 && heads[at - 1].held.bytes < head->held.bytes; at--)
		heads[at] = heads[at - 1];
	heads[at] = *head;
	return true;
}

static bool find_heads(const struct flow *flow, const struct held *held, size_t limit,
		       struct dominators *result)
{
	struct chunk_walk walk = { 0 };
	while (next_chunk(flow, &walk)) {
		const uint32_t rank = walk.rank;
		if (flow->tops[rank] != rank)
			continue;
		result->head_count++;
		struct dominator_head head = { .address = walk.address,
					       .size = walk.size,
					       .rank = rank,
					       .held = { held->chunks[rank], held->bytes[rank] } };
		if (!keep_head(result, &head, limit))
			return false;
	}
	return true;
}

/* Who leads to the heads. A holder that is a chunk is told by its rank until it is named. */

/* One worker's part. */
struct holder_search {
	const struct flow *flow;
	struct dominator_head *heads; /* all of them, by address; the holders are those it found */
	size_t count;
	uint64_t filter[FILTER_BITS / 64]; /* a bit for each page of a head, modulo their number */
	struct dominator_holder holder;	   /* whose words are being read */
	struct chunk_set_walk walk;	   /* over the part's chunks */
	bool is_main;
};

static int by_address(const void *left, const void *right)
{
	const struct dominator_head *a = left, *b = right;
	return a->address < b->address ? -1 : a->address > b->address;
}

/* Unless it is known already. */
static void add_holder(struct dominator_head *head, const struct dominator_holder *holder)
{
	for (size_t i = 0; i < head->holder_count; i++)
		if (head->holders[i].is_item == holder->is_item &&
		    head->holders[i].item == holder->item)
			return;
	if (head->holder_count < DOMINATOR_HOLDERS)
		head->holders[head->holder_count++] = *holder;
	else
		head->more_holders = true;
}

static void note_holder(struct holder_search *search, uint64_t word)
{
	size_t low = 0, high = search->count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (search->heads[middle].address <= word)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == 0)
		return;
	struct dominator_head *head = &search->heads[low - 1];
	if (word != head->address && word - head->address >= head->size)
		return;
	if (!search->holder.is_item && search->holder.item == head->rank)
		return;
	add_holder(head, &search->holder);
}

static void search_words(struct holder_search *search, const uint8_t *bytes, size_t size)
{
	const struct word_form *form = &search->flow->form;
	for (size_t i = 0; i + form->size <= size; i += form->size) {
		uint64_t word = word_form_load(form, bytes + i), page = word >> PAGE_SHIFT;
		if ((search->filter[page % FILTER_BITS / 64] >> page % 64 & 1) != 0)
			note_holder(search, word);
	}
}

static void search_range(struct holder_search *search, uint64_t start, uint64_t end)
{
	struct span_walk walk = span_walk_over(search->flow->subject->target, start, end);
	const uint8_t *bytes;
	for (size_t got; (got = span_walk_next(&walk, UINT64_MAX, &start, &bytes)) != 0;)
		search_words(search, bytes, got);
}

static void search_sources(struct holder_search *search, const struct dominator_source *sources,
			   size_t source_count)
{
	for (size_t i = 0; i < source_count; i++) {
		search->holder = (struct dominator_holder){ true, sources[i].item };
		if (sources[i].bytes != NULL)
			search_words(search, sources[i].bytes, sources[i].size);
		else
			search_range(search, sources[i].start, sources[i].end);
	}
}

static void *search_chunks(void *argument)
{
	struct holder_search *search = argument;
	const struct flow *flow = search->flow;
	uint64_t rank = flow->set.words[search->walk.word].before;
	for (; chunk_set_next(&flow->set, &search->walk); rank++) {
		if (!flow_is_found(flow, rank))
			continue;
		const uint32_t top = flow->tops[rank];
		const uint64_t address =
		    chunk_lookup_address(search->walk.region, search->walk.number);
		search->holder =
		    (struct dominator_holder){ (top & FLOW_TOP_ITEM) != 0, top & ~FLOW_TOP_ITEM };
		search_range(search, address,
			     address + chunk_lookup_size(flow->table, search->walk.region,
							 search->walk.number));
		if (search->is_main && rank % FLOW_PROGRESS_NODES == 0)
			progress_tell(flow->subject->progress, "finding who shares", rank,
				      flow->set.count);
	}
	return NULL;
}

/* From the ranks of the holders that are chunks to their addresses. */
static void name_holders(const struct flow *flow, struct dominators *result)
{
	for (size_t i = 0; i < result->heads.count; i++)
		for (size_t j = 0; j < result->heads.items[i].holder_count; j++) {
			struct dominator_holder *holder = &result->heads.items[i].holders[j];
			if (!holder->is_item)
				holder->item =
				    chunk_set_address(&flow->set, (uint32_t)holder->item);
		}
}

static void fill_filter(struct holder_search *search)
{
	for (size_t i = 0; i < search->count; i++) {
		const struct dominator_head *head = &search->heads[i];
		const uint64_t page = head->address >> PAGE_SHIFT;
		const uint64_t last =
		    (head->address + (head->size > 0 ? head->size - 1 : 0)) >> PAGE_SHIFT;
		for (uint64_t n = 0; page + n <= last && n < FILTER_BITS; n++)
			search->filter[(page + n) % FILTER_BITS / 64] |= (uint64_t)1
									 << (page + n) % 64;
	}
}

/* What the parts found, in their order, becomes what one search would have found. */
static void join_holders(struct holder_search *searches, unsigned count)
{
	for (unsigned part = 1; part < count; part++)
		for (size_t i = 0; i < searches[0].count; i++) {
			const struct dominator_head *from = &searches[part].heads[i];
			struct dominator_head *into = &searches[0].heads[i];
			for (size_t j = 0; j < from->holder_count; j++)
				add_holder(into, &from->holders[j]);
			into->more_holders |= from->more_holders;
		}
}

/* Puts the heads into the order that the result tells them in. */
static int by_size(const void *left, const void *right)
{
	const struct dominator_head *a = left, *b = right;
	if (a->held.bytes != b->held.bytes)
		return a->held.bytes > b->held.bytes ? -1 : 1;
	return by_address(left, right);
}
/* The searches of all parts of the chunks; the first one finds in the result itself. */
static bool begin_searches(const struct flow *flow, struct dominators *result,
			   struct holder_search *searches, unsigned count)
{
	const size_t heads = result->heads.count;
	for (unsigned i = 0; i < count; i++) {
		struct holder_search *search = &searches[i];
		search->flow = flow;
		search->is_main = i == 0;
		search->walk.word = flow->set.word_count * i / count;
		search->walk.end = flow->set.word_count * (i + 1) / count;
		search->count = heads;
		search->heads =
		    i == 0 ? result->heads.items : malloc(heads * sizeof *search->heads);
		if (search->heads == NULL)
			return false;
		if (i > 0)
			memcpy(search->heads, result->heads.items, heads * sizeof *search->heads);
		fill_filter(search);
	}
	return true;
}

static bool find_holders(const struct flow *flow, const struct dominator_source *sources,
			 size_t source_count, struct dominators *result)
{
	const unsigned count = flow->set.count < WORTH_SHARING ? 1 : workers_available();
	if (result->heads.count == 0)
		return true;
	struct holder_search *searches = calloc(count, sizeof *searches);
	if (searches == NULL)
		return false;
	qsort(result->heads.items, result->heads.count, sizeof *result->heads.items, by_address);
	const bool fits = begin_searches(flow, result, searches, count);
	if (fits) {
		search_sources(&searches[0], sources, source_count);
		workers_run(search_chunks, searches, sizeof *searches, count);
		join_holders(searches, count);
		qsort(result->heads.items, result->heads.count, sizeof *result->heads.items,
		      by_size);
		name_holders(flow, result);
	}
	for (unsigned i = 1; i < count; i++)
		free(searches[i].heads);
	free(searches);
	return fits;
}

struct error *flow_sum_up(const struct flow *flow, const struct dominator_source *sources,
			  size_t source_count, size_t item_count, struct dominators *result)
{
	const size_t chunks = (size_t)flow->set.count + 1;
	struct held held = { large_array_new(chunks, sizeof *held.bytes),
			     large_array_new(chunks, sizeof *held.chunks) };
	result->items = calloc(item_count + 1, sizeof *result->items);
	result->item_count = item_count;
	bool fits = held.bytes != NULL && held.chunks != NULL && result->items != NULL;
	if (fits)
		sum_up(flow, result, &held);
	fits = fits && (result->shared.chunks == 0 ||
			find_heads(flow, &held, flow->options->heads, result));
	large_array_free(held.bytes, chunks, sizeof *held.bytes);
	large_array_free(held.chunks, chunks, sizeof *held.chunks);
	fits = fits && find_holders(flow, sources, source_count, result);
	return fits ? NULL : error_no_memory();
}
