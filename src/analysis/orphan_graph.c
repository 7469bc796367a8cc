/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "analysis/orphan_graph.h"

#include "base/bytes.h"
#include "heap/chunk_lookup.h"

#include <elf.h>
#include <inttypes.h>

#define PROGRESS_CHUNKS 65536
#define COUNT_MAX	(UINT32_MAX - 1)

/* A place in a node's words. */
struct words_left {
	struct address_space *space;
	const struct arch *arch;
	uint64_t at, end;
	const uint8_t *bytes;
	size_t left;
};

/* The next word. Missing pages are passed over; the mark has counted them. */
static bool next_word(struct words_left *words, uint64_t *word)
{
	size_t size = words->arch->word_size;
	while (words->left < size) {
		words->at += words->left;
		if (words->at + size > words->end)
			return false;
		words->left = address_space_span(words->space, words->at, words->end - words->at,
						 &words->bytes);
		if (words->left >= size)
			break;
		uint64_t page = words->arch->page_size;
		words->at += page - words->at % page;
		words->left = 0;
	}
	*word = bytes_unsigned(words->bytes, size, words->arch->elf_data == ELFDATA2MSB);
	words->bytes += size;
	words->at += size;
	words->left -= size;
	return true;
}

/* --- building */

struct building {
	struct orphan_graph *graph;
	const struct subject *subject;
	uint32_t *ranks;		     /* how many orphans come before a word of .bits */
	uint64_t words;			     /* of .bits */
	const struct chunk_region **regions; /* in the order of their granules */
	size_t region_count;
};

static struct error *too_many(const char *what)
{
	return error_new(ERROR_UNSUPPORTED, "more than %" PRIu32 " %s", COUNT_MAX, what);
}

static int by_granule(const void *left, const void *right)
{
	const struct chunk_region *const *a = left, *const *b = right;
	return (*a)->first_granule < (*b)->first_granule   ? -1
	       : (*a)->first_granule > (*b)->first_granule ? 1
							   : 0;
}

static bool sort_regions(struct building *building)
{
	size_t count;
	const struct chunk_region *regions = chunk_table_regions(building->graph->table, &count);
	building->regions = malloc((count + 1) * sizeof(const struct chunk_region *));
	if (building->regions == NULL)
		return false;
	for (size_t i = 0; i < count; i++)
		building->regions[i] = &regions[i];
	qsort(building->regions, count, sizeof(const struct chunk_region *), by_granule);
	building->region_count = count;
	return true;
}

static struct error *find_nodes(struct building *building, const struct reachability *reachability)
{
	struct orphan_graph *graph = building->graph;
	const uint64_t *start = chunk_table_start_bits(graph->table);
	const uint64_t *used = chunk_table_used_bits(graph->table);
	building->words = (chunk_table_granules(graph->table) + 63) / 64;
	graph->bits = malloc((building->words + 1) * sizeof *graph->bits);
	building->ranks = malloc((building->words + 1) * sizeof *building->ranks);
	if (graph->bits == NULL || building->ranks == NULL)
		return error_no_memory();
	uint64_t count = 0;
	for (uint64_t i = 0; i < building->words; i++) {
		building->ranks[i] = (uint32_t)count;
		graph->bits[i] =
		    start[i] & used[i] & ~reachability->reachable[i] & ~reachability->possible[i];
		count += (uint64_t)__builtin_popcountll(graph->bits[i]);
		if (count > COUNT_MAX)
			return too_many("orphans");
	}
	graph->count = (uint32_t)count;
	return NULL;
}

/* Whether `word` points into an orphan, and which. */
static bool find_node(const struct building *building, uint64_t word, uint32_t *node)
{
	const struct orphan_graph *graph = building->graph;
	const struct chunk_region *region = chunk_lookup_region(graph->table, word);
	if (region == NULL)
		return false;
	uint64_t number =
	    chunk_lookup_start(graph->table, region, chunk_lookup_granule(region, word));
	if (number == CHUNK_NONE || !chunk_lookup_bit(graph->bits, number) ||
	    word - chunk_lookup_address(region, number) >=
		chunk_lookup_size(graph->table, region, number))
		return false;
	uint64_t before = graph->bits[number / 64] & (((uint64_t)1 << number % 64) - 1);
	*node = building->ranks[number / 64] + (uint32_t)__builtin_popcountll(before);
	return true;
}

/* The edges of a node, without those to itself; runs of the same target are one edge. */
static struct error *add_edges(struct building *building, uint32_t node, uint64_t address,
			       uint64_t size)
{
	struct orphan_graph *graph = building->graph;
	struct words_left words = { .space = building->subject->target->space,
				    .arch = building->subject->target->arch,
				    .at = address,
				    .end = address + size };
	uint64_t word;
	uint32_t target, last = node;
	while (next_word(&words, &word)) {
		if (word == 0 || !find_node(building, word, &target) || target == node ||
		    target == last)
			continue;
		if (graph->edges.count == COUNT_MAX)
			return too_many("pointers in orphans");
		if (!array_push(&graph->edges, target))
			return error_no_memory();
		last = target;
	}
	return NULL;
}

static struct error *find_region_edges(struct building *building, const struct chunk_region *region,
				       uint32_t *node)
{
	struct orphan_graph *graph = building->graph;
	uint64_t limit = chunk_lookup_limit(region), number = region->first_granule;
	struct error *error = NULL;
	while (error == NULL && number < limit) {
		uint64_t bits = graph->bits[number / 64] & (UINT64_MAX << number % 64);
		number = number / 64 * 64;
		if (bits == 0) {
			number += 64;
			continue;
		}
		number += (uint64_t)__builtin_ctzll(bits);
		if (number >= limit)
			break;
		if (*node % PROGRESS_CHUNKS == 0)
			progress_tell(building->subject->progress, "folding orphaned chunks", *node,
				      graph->count);
		const uint64_t size = chunk_lookup_size(graph->table, region, number);
		graph->first[*node] = (uint32_t)graph->edges.count;
		graph->sizes[*node] = size < UINT32_MAX ? (uint32_t)size : UINT32_MAX;
		error = add_edges(building, *node, chunk_lookup_address(region, number), size);
		(*node)++;
		number++;
	}
	return error;
}

static struct error *find_edges(struct building *building)
{
	struct orphan_graph *graph = building->graph;
	uint32_t node = 0;
	struct error *error = NULL;
	graph->first = malloc(((size_t)graph->count + 1) * sizeof *graph->first);
	graph->sizes = malloc(((size_t)graph->count + 1) * sizeof *graph->sizes);
	if (graph->first == NULL || graph->sizes == NULL)
		return error_no_memory();
	for (size_t i = 0; error == NULL && i < building->region_count; i++)
		error = find_region_edges(building, building->regions[i], &node);
	graph->first[node] = (uint32_t)graph->edges.count;
	return error;
}

/* --- components: Tarjan's search in the form of Pearce ("A space-efficient algorithm for finding
 * strongly connected components", 2016), with stacks of our own. */

struct visit {
	uint32_t node, edge;
	bool leads_back; /* to a node of an unfinished component that was visited before */
};

struct search {
	struct orphan_graph *graph;
	ARRAY(struct visit) visits;
	uint32_t index;	  /* of the next node that is visited, from 1 on */
	uint32_t next;	  /* number of the next component + 1: they are counted down */
	uint32_t waiting; /* nodes of unfinished components: in front in graph->order */
	uint32_t placed;  /* from here on graph->order is final */
};

/* Every node that `node` leads to has been visited. While a component is not finished, .component
 * holds the lowest index that its nodes are known to lead to. */
static void finish_node(struct search *search, uint32_t node, bool leads_back)
{
	struct orphan_graph *graph = search->graph;
	if (leads_back) {
		graph->order[search->waiting++] = node;
		return;
	}
	uint32_t own = graph->component[node];
	search->next--;
	graph->component[node] = search->next;
	search->index--;
	while (search->waiting > 0) {
		uint32_t member = graph->order[search->waiting - 1];
		if (graph->component[member] < own)
			break;
		search->waiting--;
		search->index--;
		graph->component[member] = search->next;
		graph->order[--search->placed] = member;
	}
	graph->order[--search->placed] = node;
}

static bool search_from(struct search *search, uint32_t start)
{
	struct orphan_graph *graph = search->graph;
	graph->component[start] = search->index++;
	if (!array_push(&search->visits, (struct visit){ start, graph->first[start], false }))
		return false;
	while (search->visits.count > 0) {
		struct visit *visit = &search->visits.items[search->visits.count - 1];
		uint32_t node = visit->node;
		if (visit->edge == graph->first[node + 1]) {
			finish_node(search, node, visit->leads_back);
			search->visits.count--;
			continue;
		}
		/* An edge is looked at again after its target was visited. */
		uint32_t target = graph->edges.items[visit->edge];
		if (graph->component[target] == 0) {
			graph->component[target] = search->index++;
			if (!array_push(&search->visits,
					(struct visit){ target, graph->first[target], false }))
				return false;
			continue;
		}
		if (graph->component[target] < graph->component[node]) {
			graph->component[node] = graph->component[target];
			visit->leads_back = true;
		}
		visit->edge++;
	}
	return true;
}

static bool find_components(struct orphan_graph *graph)
{
	/* Component numbers stay above every index, so they begin at the count. */
	struct search search = {
		.graph = graph, .index = 1, .next = graph->count + 1, .placed = graph->count
	};
	size_t size = (size_t)graph->count + 1;
	graph->component = calloc(size, sizeof *graph->component);
	graph->order = malloc(size * sizeof *graph->order);
	bool fits = graph->component != NULL && graph->order != NULL;
	for (uint32_t node = 0; fits && node < graph->count; node++)
		if (graph->component[node] == 0)
			fits = search_from(&search, node);
	array_free(&search.visits);
	if (!fits)
		return false;
	for (uint32_t node = 0; node < graph->count; node++)
		graph->component[node] -= search.next;
	graph->component_count = graph->count + 1 - search.next;
	return true;
}

/* --- owners */

/* What leads to a component has been decided before: the numbers go up along the edges. Where all
 * that lead to it have the same owner, that one dominates it; else only what is outside does. */
static bool find_owners(struct orphan_graph *graph)
{
	const size_t count = graph->component_count;
	graph->owner = malloc((count + 1) * sizeof *graph->owner);
	graph->shared = calloc(count / 64 + 1, sizeof *graph->shared);
	if (graph->owner == NULL || graph->shared == NULL)
		return false;
	for (size_t i = 0; i < count; i++)
		graph->owner[i] = UINT32_MAX;
	for (uint32_t i = 0; i < graph->count; i++) {
		uint32_t node = graph->order[i], from = graph->component[node];
		if (graph->owner[from] == UINT32_MAX)
			graph->owner[from] = from;
		for (uint32_t edge = graph->first[node]; edge < graph->first[node + 1]; edge++) {
			uint32_t to = graph->component[graph->edges.items[edge]];
			if (to == from || graph->owner[to] == graph->owner[from])
				continue;
			if (graph->owner[to] == UINT32_MAX) {
				graph->owner[to] = graph->owner[from];
				continue;
			}
			graph->owner[to] = to;
			graph->shared[to / 64] |= (uint64_t)1 << to % 64;
		}
	}
	return true;
}

static bool find_addresses(const struct building *building)
{
	struct orphan_graph *graph = building->graph;
	uint32_t node = 0;
	graph->addresses = malloc(((size_t)graph->count + 1) * sizeof *graph->addresses);
	if (graph->addresses == NULL)
		return false;
	for (size_t i = 0; i < building->region_count; i++) {
		const struct chunk_region *region = building->regions[i];
		uint64_t limit = chunk_lookup_limit(region), number = region->first_granule;
		while (number < limit) {
			uint64_t bits = graph->bits[number / 64] & (UINT64_MAX << number % 64);
			number = number / 64 * 64;
			for (; bits != 0 && number + (uint64_t)__builtin_ctzll(bits) < limit;
			     bits &= bits - 1)
				graph->addresses[node++] = chunk_lookup_address(
				    region, number + (uint64_t)__builtin_ctzll(bits));
			number += 64;
		}
	}
	return true;
}

struct error *orphan_graph_make(const struct subject *subject,
				const struct reachability *reachability, struct orphan_graph *graph)
{
	struct orphan_graph made = { .table = subject->heap->chunks };
	struct building building = { .graph = &made, .subject = subject };
	struct error *error =
	    sort_regions(&building) ? find_nodes(&building, reachability) : error_no_memory();
	if (error == NULL)
		error = find_edges(&building);
	free(building.ranks);
	if (error == NULL &&
	    !(find_components(&made) && find_owners(&made) && find_addresses(&building)))
		error = error_no_memory();
	free(building.regions);
	if (error != NULL) {
		orphan_graph_free(&made);
		return error;
	}
	*graph = made;
	return NULL;
}

void orphan_graph_free(struct orphan_graph *graph)
{
	free(graph->bits);
	free(graph->addresses);
	free(graph->sizes);
	free(graph->first);
	array_free(&graph->edges);
	free(graph->component);
	free(graph->order);
	free(graph->owner);
	free(graph->shared);
	*graph = (struct orphan_graph){ 0 };
}

void orphan_graph_chunk(const struct orphan_graph *graph, uint32_t node, struct chunk *chunk)
{
	uint64_t address = graph->addresses[node];
	const struct chunk_region *region = chunk_lookup_region(graph->table, address);
	uint64_t number = chunk_lookup_granule(region, address);
	*chunk = (struct chunk){
		.address = address,
		.size = chunk_lookup_size(graph->table, region, number),
		.number = number,
		.used = true,
		.region = region,
	};
}

uint64_t orphan_graph_size(const struct orphan_graph *graph, uint32_t node)
{
	struct chunk chunk;
	if (graph->sizes[node] != UINT32_MAX)
		return graph->sizes[node];
	orphan_graph_chunk(graph, node, &chunk);
	return chunk.size;
}
