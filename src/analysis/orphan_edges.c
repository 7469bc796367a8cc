/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "analysis/orphan_edges.h"

#include "analysis/chunk_bytes.h"
#include "analysis/span_walk.h"
#include "base/workers.h"
#include "heap/chunk_lookup.h"

#include <inttypes.h>

#define PROGRESS_CHUNKS 65536
#define COUNT_MAX	(UINT32_MAX - 1)
#define BATCH		64    /* words that are looked up at once */
#define WORTH_SHARING	32768 /* orphans */

struct building {
	struct orphan_graph *graph;
	const struct subject *subject;
	struct word_form form;
	uint32_t *ranks; /* how many orphans come before a word of .bits */
	uint64_t words;	 /* of .bits */
	const uint8_t **region_bytes;
	uint64_t low, span; /* all regions lie in [low, low + span) */
};

/* A word of a node that points into a region; the bitmap words it needs are on their way. */
struct candidate {
	uint64_t address, granule;
	const struct chunk_region *region;
	uint32_t node;
};

/* One worker's part: the nodes of some words of the bitmap, and what leads from them. */
struct search {
	const struct building *building;
	bool is_main;
	uint64_t begin, end;	   /* words of .bits */
	uint32_t node, node_count; /* that is looked at; of this part */
	uint32_t opened;	   /* the nodes below it have their .first */
	uint32_t last;		   /* target of the node before .opened */
	ARRAY(uint32_t) edges;
	bool no_memory;
	uint64_t words[2 * BATCH];
	uint32_t nodes[2 * BATCH]; /* that the words are of */
	unsigned word_count;
	struct candidate waiting[2 * BATCH];
	unsigned waiting_count;
};

static struct error *too_many(const char *what)
{
	return error_new(ERROR_UNSUPPORTED, "more than %" PRIu32 " %s", COUNT_MAX, what);
}

/* --- nodes */

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
	building->ranks[building->words] = (uint32_t)count;
	graph->count = (uint32_t)count;
	return NULL;
}

/* --- edges */

/* The node that the candidate leads to, or false. */
static inline bool find_node(const struct building *building, const struct candidate *candidate,
			     uint32_t *node)
{
	const struct orphan_graph *graph = building->graph;
	const struct chunk_region *region = candidate->region;
	uint64_t number = chunk_lookup_start(graph->table, region, candidate->granule);
	if (number == CHUNK_NONE || !chunk_lookup_bit(graph->bits, number))
		return false;
	uint64_t offset = candidate->address - chunk_lookup_address(region, number);
	if (offset != 0 && offset >= chunk_lookup_size(graph->table, region, number))
		return false;
	uint64_t before = graph->bits[number / 64] & (((uint64_t)1 << number % 64) - 1);
	*node = building->ranks[number / 64] + (uint32_t)__builtin_popcountll(before);
	return true;
}

/* The nodes up to `node` begin with the edge that comes next. */
static void open_nodes(struct search *search, uint32_t node)
{
	for (; search->opened <= node; search->opened++) {
		search->building->graph->first[search->opened] = (uint32_t)search->edges.count;
		search->last = search->opened;
	}
}

/* Edges without those to the node itself; runs of the same target are one edge. */
static inline void add_edge(struct search *search, const struct candidate *candidate)
{
	uint32_t target;
	if (!find_node(search->building, candidate, &target) || target == candidate->node)
		return;
	open_nodes(search, candidate->node);
	if (target == search->last)
		return;
	search->last = target;
	if (search->edges.count <= COUNT_MAX && !array_push(&search->edges, target))
		search->no_memory = true;
}

/* Asks for what the words that were gathered need, after it has seen to those before them. */
static void advance(struct search *search)
{
	const struct orphan_graph *graph = search->building->graph;
	unsigned count = 0;
	for (unsigned i = 0; i < search->waiting_count; i++)
		add_edge(search, &search->waiting[i]);
	for (unsigned i = 0; i < search->word_count; i++) {
		const uint64_t word = search->words[i];
		const struct chunk_region *region = chunk_lookup_region(graph->table, word);
		if (region == NULL)
			continue;
		const uint64_t granule = chunk_lookup_granule(region, word);
		__builtin_prefetch(&graph->bits[granule / 64]);
		__builtin_prefetch(&graph->table->levels[0][granule / 64]);
		search->waiting[count++] =
		    (struct candidate){ word, granule, region, search->nodes[i] };
	}
	search->waiting_count = count;
	search->word_count = 0;
}

static void scan_bytes(struct search *search, const uint8_t *bytes, uint64_t size)
{
	const struct building *building = search->building;
	const uint64_t step = building->form.size;
	for (uint64_t left = size / step; left > 0;) {
		const uint64_t part = left < BATCH ? left : BATCH;
		const unsigned before = search->word_count;
		search->word_count += word_form_gather(&building->form, bytes, part, building->low,
						       building->span, search->words + before);
		for (unsigned i = before; i < search->word_count; i++)
			search->nodes[i] = search->node;
		bytes += part * step;
		left -= part;
		if (search->word_count >= BATCH)
			advance(search);
	}
}

static void scan_node(struct search *search, const struct chunk_region *region, uint64_t number)
{
	const struct building *building = search->building;
	struct orphan_graph *graph = building->graph;
	uint64_t address = chunk_lookup_address(region, number);
	const uint64_t size = chunk_lookup_size(graph->table, region, number);
	const uint8_t *bytes = building->region_bytes[region - graph->table->regions];
	graph->addresses[search->node] = address;
	graph->sizes[search->node] = size < UINT32_MAX ? (uint32_t)size : UINT32_MAX;
	if (bytes != NULL) {
		scan_bytes(search, bytes + (address - region->start), size);
		return;
	}
	/* Missing pages are passed over; the mark has counted them. */
	struct span_walk walk = span_walk_over(building->subject->target, address, address + size);
	for (size_t got; (got = span_walk_next(&walk, UINT64_MAX, &address, &bytes)) != 0;)
		scan_bytes(search, bytes, got);
}

static void *run_search(void *argument)
{
	struct search *search = argument;
	const struct orphan_graph *graph = search->building->graph;
	const struct chunk_region *region = NULL;
	const uint32_t last = search->building->ranks[search->end];
	for (uint64_t i = search->begin; i < search->end; i++) {
		for (uint64_t bits = graph->bits[i]; bits != 0; bits &= bits - 1) {
			const uint64_t number = i * 64 + (uint64_t)__builtin_ctzll(bits);
			if (region == NULL || number >= chunk_lookup_limit(region))
				region = chunk_lookup_numbered(graph->table, number);
			if (search->is_main && search->node % PROGRESS_CHUNKS == 0)
				progress_tell(search->building->subject->progress,
					      "folding orphaned chunks", search->node, last);
			scan_node(search, region, number);
			search->node++;
		}
	}
	advance(search);
	advance(search);
	if (search->node > 0)
		open_nodes(search, search->node - 1);
	return NULL;
}

/* The word of the bitmap from which on about `part` of `parts` of the orphans lie behind. */
static uint64_t cut(const struct building *building, unsigned part, unsigned parts)
{
	const uint64_t wanted = (uint64_t)building->graph->count * part / parts;
	uint64_t low = 0, high = building->words;
	while (low < high) {
		const uint64_t middle = low + (high - low) / 2;
		if (building->ranks[middle] < wanted)
			low = middle + 1;
		else
			high = middle;
	}
	return part == parts ? building->words : low;
}

/* Puts the edges of all parts one after the other. */
static struct error *join(struct orphan_graph *graph, struct search *searches, unsigned count)
{
	uint64_t total = 0;
	for (unsigned i = 0; i < count; i++) {
		if (searches[i].no_memory)
			return error_no_memory();
		total += searches[i].edges.count;
	}
	if (total > COUNT_MAX)
		return too_many("pointers in orphans");
	graph->edges.items = searches[0].edges.items;
	graph->edges.count = searches[0].edges.count;
	graph->edges.capacity = searches[0].edges.capacity;
	searches[0].edges.items = NULL;
	if (!array_reserve(&graph->edges, total - graph->edges.count))
		return error_no_memory();
	for (unsigned i = 1; i < count; i++) {
		const size_t before = graph->edges.count;
		for (uint32_t node = searches[i].node_count; node > 0; node--)
			graph->first[searches[i].node - node] += (uint32_t)before;
		if (searches[i].edges.count > 0)
			memcpy(graph->edges.items + before, searches[i].edges.items,
			       searches[i].edges.count * sizeof *graph->edges.items);
		graph->edges.count += searches[i].edges.count;
		array_free(&searches[i].edges);
	}
	graph->first[graph->count] = (uint32_t)total;
	return NULL;
}

static struct error *find_edges(struct building *building)
{
	struct orphan_graph *graph = building->graph;
	const size_t size = (size_t)graph->count + 1;
	const unsigned count = graph->count < WORTH_SHARING ? 1 : workers_available();
	graph->first = malloc(size * sizeof *graph->first);
	graph->sizes = malloc(size * sizeof *graph->sizes);
	graph->addresses = malloc(size * sizeof *graph->addresses);
	struct search *searches = calloc(count, sizeof *searches);
	struct error *error = NULL;
	if (graph->first == NULL || graph->sizes == NULL || graph->addresses == NULL ||
	    searches == NULL)
		error = error_no_memory();
	for (unsigned i = 0; error == NULL && i < count; i++) {
		const uint64_t begin = cut(building, i, count), end = cut(building, i + 1, count);
		const uint32_t node = building->ranks[begin];
		searches[i] = (struct search){ .building = building,
					       .is_main = i == 0,
					       .begin = begin,
					       .end = end,
					       .node = node,
					       .node_count = building->ranks[end] - node,
					       .opened = node };
	}
	if (error == NULL) {
		workers_run(run_search, searches, sizeof *searches, count);
		error = join(graph, searches, count);
	}
	for (unsigned i = 0; searches != NULL && i < count; i++)
		array_free(&searches[i].edges);
	free(searches);
	return error;
}

struct error *orphan_edges_find(const struct subject *subject,
				const struct reachability *reachability, struct orphan_graph *graph)
{
	struct building building = { .graph = graph,
				     .subject = subject,
				     .form = word_form_of(subject->target->arch) };
	size_t count;
	const struct chunk_region *regions = chunk_table_regions(graph->table, &count);
	if (count > 0) {
		building.low = regions[0].start;
		building.span = regions[count - 1].end - regions[0].start;
	}
	building.region_bytes = chunk_bytes_new(subject->target, graph->table);
	struct error *error =
	    building.region_bytes != NULL ? find_nodes(&building, reachability) : error_no_memory();
	if (error == NULL)
		error = find_edges(&building);
	free(building.region_bytes);
	free(building.ranks);
	return error;
}
