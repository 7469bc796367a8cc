/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "analysis/orphans.h"

#include "analysis/content.h"
#include "base/bytes.h"
#include "heap/chunk_lookup.h"

#include <elf.h>
#include <inttypes.h>
#include <string.h>

#define PROGRESS_CHUNKS 65536

/* An orphan, while it waits to be looked at. */
struct node {
	uint64_t number;
	const struct chunk_region *region;
};

typedef ARRAY(struct node) node_list;

/* The graph of the orphans: its nodes are the bits of .orphans, its edges are the words in them. */
struct graph {
	const struct subject *subject;
	const struct chunk_table *table;
	uint64_t words;	   /* of each bitmap */
	uint64_t *orphans; /* start bits of orphaned chunks */
	uint64_t *claimed; /* orphans that belong to a structure */
	node_list pending; /* of a walk */
	/* Where only one structure is asked for: an orphan in it, and the structure once found. */
	const struct chunk *wanted;
	struct orphan_structure *wanted_structure;
	bool wanted_found;
	uint64_t total, told; /* orphans; of these, walked: for the progress */
};

/* A place in a node's words. */
struct edges {
	struct address_space *space;
	const struct arch *arch;
	uint64_t at, end;
	const uint8_t *bytes;
	size_t left;
};

static struct edges edges_of(const struct graph *graph, const struct node *node)
{
	uint64_t address = chunk_lookup_address(node->region, node->number);
	return (struct edges){ .space = graph->subject->target->space,
			       .arch = graph->subject->target->arch,
			       .at = address,
			       .end = address +
				      chunk_lookup_size(graph->table, node->region, node->number) };
}

/* The next word of the node. Missing pages are passed over; the mark has counted them. */
static bool next_word(struct edges *edges, uint64_t *word)
{
	size_t size = edges->arch->word_size;
	while (edges->left < size) {
		edges->at += edges->left;
		if (edges->at + size > edges->end)
			return false;
		edges->left = address_space_span(edges->space, edges->at, edges->end - edges->at,
						 &edges->bytes);
		if (edges->left >= size)
			break;
		uint64_t page = edges->arch->page_size;
		edges->at += page - edges->at % page;
		edges->left = 0;
	}
	*word = bytes_unsigned(edges->bytes, size, edges->arch->elf_data == ELFDATA2MSB);
	edges->bytes += size;
	edges->at += size;
	edges->left -= size;
	return true;
}

/* The next orphan, not `from` itself, that a word of the node points to. */
static bool next_edge(const struct graph *graph, struct edges *edges, const struct node *from,
		      struct node *target)
{
	uint64_t word;
	while (next_word(edges, &word)) {
		const struct chunk_region *region = chunk_lookup_region(graph->table, word);
		if (region == NULL)
			continue;
		uint64_t number =
		    chunk_lookup_start(graph->table, region, chunk_lookup_granule(region, word));
		if (number == CHUNK_NONE || number == from->number ||
		    !chunk_lookup_bit(graph->orphans, number) ||
		    word - chunk_lookup_address(region, number) >=
			chunk_lookup_size(graph->table, region, number))
			continue;
		*target = (struct node){ number, region };
		return true;
	}
	return false;
}

static void set_bit(uint64_t *bits, uint64_t number)
{
	bits[number / 64] |= (uint64_t)1 << number % 64;
}

/* The next orphan after `node` in address order that is set in `bits`; from the first one when
 * node->region is NULL. */
static bool next_orphan(const struct graph *graph, const uint64_t *without, struct node *node)
{
	size_t count;
	const struct chunk_region *regions = chunk_table_regions(graph->table, &count);
	size_t at = node->region != NULL ? (size_t)(node->region - regions) : 0;
	uint64_t number = node->region != NULL ? node->number + 1
			  : count > 0	       ? regions[0].first_granule
					       : 0;
	for (; at < count; at++, number = at < count ? regions[at].first_granule : 0) {
		uint64_t limit = chunk_lookup_limit(&regions[at]);
		while (number < limit) {
			uint64_t bits = graph->orphans[number / 64] & ~without[number / 64] &
					(UINT64_MAX << number % 64);
			if (bits == 0) {
				number = (number / 64 + 1) * 64;
				continue;
			}
			number = number / 64 * 64 + (uint64_t)__builtin_ctzll(bits);
			if (number >= limit)
				break;
			*node = (struct node){ number, &regions[at] };
			return true;
		}
	}
	return false;
}

static void tell_progress(struct graph *graph)
{
	if (++graph->told % PROGRESS_CHUNKS == 0)
		progress_tell(graph->subject->progress, "folding orphaned chunks",
			      graph->told < graph->total ? graph->told : graph->total,
			      graph->total);
}

/* Sets a bit for each orphan that another one refers to. */
static void find_referred(struct graph *graph, uint64_t *referred)
{
	const uint64_t *nothing = graph->claimed; /* still empty */
	struct node node = { 0 }, target;
	while (next_orphan(graph, nothing, &node)) {
		struct edges edges = edges_of(graph, &node);
		while (next_edge(graph, &edges, &node, &target))
			set_bit(referred, target.number);
	}
}

/* What a walk learns of the structure. */
struct survey {
	struct orphan_structure structure;
	struct content_shape shape;
	uint64_t votes; /* for shape.link_size: the size of most links stays ahead */
};

static void survey_link(struct survey *survey, uint64_t size)
{
	survey->shape.links++;
	if (survey->votes == 0)
		survey->shape.link_size = size;
	if (survey->shape.link_size == size)
		survey->votes++;
	else
		survey->votes--;
}

/* Adds to `seen` what `head` leads to, itself included. `survey` may be NULL. */
static bool walk(struct graph *graph, const struct node *head, uint64_t *seen,
		 struct survey *survey)
{
	graph->pending.count = 0;
	set_bit(seen, head->number);
	if (!array_push(&graph->pending, *head))
		return false;
	while (graph->pending.count > 0) {
		struct node node = graph->pending.items[--graph->pending.count], target;
		uint64_t size = chunk_lookup_size(graph->table, node.region, node.number);
		uint64_t equals = 0;
		struct edges edges = edges_of(graph, &node);
		while (next_edge(graph, &edges, &node, &target)) {
			if (chunk_lookup_bit(seen, target.number))
				continue;
			set_bit(seen, target.number);
			if (!array_push(&graph->pending, target))
				return false;
			if (survey == NULL ||
			    chunk_lookup_size(graph->table, target.region, target.number) != size)
				continue;
			survey_link(survey, size);
			equals++;
		}
		if (survey != NULL) {
			survey->structure.chunks++;
			survey->structure.bytes += size;
			survey->shape.branchings += equals > 1;
			tell_progress(graph);
		}
	}
	return true;
}

/* Groups. */

struct grouping {
	struct orphans *orphans;
	struct content_recogniser *recogniser;
	uint32_t *buckets; /* index of a group + 1; a power of two, open addressing */
	size_t bucket_count;
};

static size_t bucket_of(const struct grouping *grouping, enum content_kind content,
			const char *what, uint64_t head_size)
{
	uint64_t hash = ((uint64_t)(uintptr_t)what * 31 + head_size) * 31 + (uint64_t)content;
	hash *= 0x9e3779b97f4a7c15U;
	size_t mask = grouping->bucket_count - 1, at = (size_t)(hash >> 32) & mask;
	for (; grouping->buckets[at] != 0; at = (at + 1) & mask) {
		const struct orphan_group *group =
		    &grouping->orphans->groups.items[grouping->buckets[at] - 1];
		if (group->content == content && group->what == what &&
		    group->head_size == head_size)
			break;
	}
	return at;
}

static bool grow_buckets(struct grouping *grouping)
{
	struct grouping grown = *grouping;
	grown.bucket_count = grouping->bucket_count == 0 ? 256 : grouping->bucket_count * 2;
	grown.buckets = calloc(grown.bucket_count, sizeof *grown.buckets);
	if (grown.buckets == NULL)
		return false;
	for (size_t i = 0; i < grouping->orphans->groups.count; i++) {
		const struct orphan_group *group = &grouping->orphans->groups.items[i];
		grown.buckets[bucket_of(&grown, group->content, group->what, group->head_size)] =
		    (uint32_t)i + 1;
	}
	free(grouping->buckets);
	*grouping = grown;
	return true;
}

static bool group_structure(struct grouping *grouping, const struct chunk *head,
			    const struct survey *survey)
{
	const struct orphan_structure *structure = &survey->structure;
	struct orphans *orphans = grouping->orphans;
	const char *what;
	enum content_kind content =
	    content_recognise(grouping->recogniser, head, &survey->shape, &what);
	if ((orphans->groups.count + 1) * 2 > grouping->bucket_count && !grow_buckets(grouping))
		return false;
	size_t bucket = bucket_of(grouping, content, what, head->size);
	if (grouping->buckets[bucket] == 0) {
		if (!array_push(&orphans->groups, (struct orphan_group){ .content = content,
									 .what = what,
									 .head_size = head->size }))
			return false;
		grouping->buckets[bucket] = (uint32_t)orphans->groups.count;
	}
	struct orphan_group *group = &orphans->groups.items[grouping->buckets[bucket] - 1];
	group->structures++;
	group->chunks += structure->chunks;
	group->bytes += structure->bytes;
	if (structure->bytes > group->largest.bytes || group->structures == 1)
		group->largest = *structure;
	orphans->structures++;
	orphans->chunks += structure->chunks;
	orphans->bytes += structure->bytes;
	return true;
}

/* Folding. */

static bool claim(struct graph *graph, const struct node *head, bool cyclic,
		  struct grouping *grouping)
{
	struct chunk chunk = {
		.address = chunk_lookup_address(head->region, head->number),
		.size = chunk_lookup_size(graph->table, head->region, head->number),
		.number = head->number,
		.used = true,
		.region = head->region,
	};
	struct survey survey = {
		.structure = { .head = chunk.address, .head_size = chunk.size, .cyclic = cyclic },
	};
	if (!walk(graph, head, graph->claimed, &survey))
		return false;
	if (graph->wanted != NULL) {
		graph->wanted_found = chunk_lookup_bit(graph->claimed, graph->wanted->number);
		*graph->wanted_structure = survey.structure;
		return true;
	}
	survey.shape.chunks = survey.structure.chunks;
	survey.shape.cyclic = cyclic;
	return group_structure(grouping, &chunk, &survey);
}

/* What no unreferred head leads to is led to by cycles alone. Walks from every node not yet seen,
 * in address order, start at the lowest node of each cycle that no other leads to, and at some
 * more. Going through those starts backwards tells them apart: a start that a later one leads to
 * is none; and no earlier one leads to it, else the earlier walk had seen it. */
static bool find_cycle_heads(struct graph *graph, node_list *heads)
{
	size_t size = graph->words * sizeof *graph->claimed;
	uint64_t *seen = malloc(size + 1);
	node_list starts = { 0 };
	struct node node = { 0 };
	bool fits = seen != NULL;
	if (fits)
		memcpy(seen, graph->claimed, size);
	while (fits && next_orphan(graph, seen, &node))
		fits = array_push(&starts, node) && walk(graph, &node, seen, NULL);
	if (fits)
		memcpy(seen, graph->claimed, size);
	for (size_t i = starts.count; fits && i-- > 0;)
		if (!chunk_lookup_bit(seen, starts.items[i].number))
			fits = array_push(heads, starts.items[i]) &&
			       walk(graph, &starts.items[i], seen, NULL);
	array_free(&starts);
	free(seen);
	return fits;
}

static bool fold(struct graph *graph, struct grouping *grouping)
{
	uint64_t *referred = calloc(graph->words + 1, sizeof *referred);
	node_list cycles = { 0 };
	struct node node = { 0 };
	bool fits = referred != NULL;
	if (fits)
		find_referred(graph, referred);
	while (fits && !graph->wanted_found && next_orphan(graph, referred, &node))
		fits = claim(graph, &node, false, grouping);
	free(referred);
	if (fits && !graph->wanted_found)
		fits = find_cycle_heads(graph, &cycles);
	for (size_t i = cycles.count; fits && !graph->wanted_found && i-- > 0;)
		fits = claim(graph, &cycles.items[i], true, grouping);
	array_free(&cycles);
	return fits;
}

static int by_bytes(const void *left, const void *right)
{
	const struct orphan_group *a = left, *b = right;
	if (a->bytes != b->bytes)
		return a->bytes > b->bytes ? -1 : 1;
	if (a->structures != b->structures)
		return a->structures > b->structures ? -1 : 1;
	return a->largest.head < b->largest.head ? -1 : a->largest.head > b->largest.head;
}

static void finish_groups(struct grouping *grouping)
{
	struct orphans *orphans = grouping->orphans;
	for (size_t i = 0; i < orphans->groups.count; i++) {
		struct orphan_group *group = &orphans->groups.items[i];
		if (group->what == NULL)
			group->what =
			    content_example(grouping->recogniser, group->content,
					    group->largest.head, group->largest.head_size);
	}
	if (orphans->groups.count > 0)
		qsort(orphans->groups.items, orphans->groups.count, sizeof *orphans->groups.items,
		      by_bytes);
}

static bool graph_init(struct graph *graph, const struct subject *subject,
		       const struct reachability *reachability)
{
	const struct chunk_table *table = subject->heap->chunks;
	const uint64_t *start = chunk_table_start_bits(table), *used = chunk_table_used_bits(table);
	*graph = (struct graph){ .subject = subject,
				 .table = table,
				 .words = (chunk_table_granules(table) + 63) / 64,
				 .total = reachability->totals[CHUNK_ORPHANED].chunks };
	graph->orphans = calloc(graph->words + 1, sizeof *graph->orphans);
	graph->claimed = calloc(graph->words + 1, sizeof *graph->claimed);
	if (graph->orphans == NULL || graph->claimed == NULL)
		return false;
	for (uint64_t i = 0; i < graph->words; i++)
		graph->orphans[i] =
		    start[i] & used[i] & ~reachability->reachable[i] & ~reachability->possible[i];
	return true;
}

static void graph_release(struct graph *graph)
{
	free(graph->orphans);
	free(graph->claimed);
	array_free(&graph->pending);
}

struct error *orphans_find(const struct subject *subject, const struct reachability *reachability,
			   struct orphans *orphans)
{
	struct orphans made = { 0 };
	struct graph graph;
	struct grouping grouping = { .orphans = &made,
				     .recogniser = content_recogniser_new(subject) };
	bool fits = graph_init(&graph, subject, reachability) && grouping.recogniser != NULL &&
		    fold(&graph, &grouping);
	if (fits)
		finish_groups(&grouping);
	content_recogniser_free(grouping.recogniser);
	free(grouping.buckets);
	graph_release(&graph);
	if (!fits) {
		orphans_free(&made);
		return error_no_memory();
	}
	*orphans = made;
	return NULL;
}

struct error *orphans_structure_of(const struct subject *subject,
				   const struct reachability *reachability,
				   const struct chunk *orphan, struct orphan_structure *structure)
{
	struct graph graph;
	struct orphan_structure found;
	bool fits = graph_init(&graph, subject, reachability);
	graph.wanted = orphan;
	graph.wanted_structure = &found;
	fits = fits && fold(&graph, NULL);
	graph_release(&graph);
	if (!fits)
		return error_no_memory();
	if (!graph.wanted_found)
		return error_new(ERROR_BAD_DATA, "0x%" PRIx64 " is in no orphaned structure",
				 orphan->address);
	*structure = found;
	return NULL;
}

void orphans_free(struct orphans *orphans)
{
	array_free(&orphans->groups);
	*orphans = (struct orphans){ 0 };
}
