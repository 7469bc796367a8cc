/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "analysis/chunk_graph.h"

#include "analysis/chunk_bytes.h"
#include "analysis/span_walk.h"
#include "base/large_array.h"
#include "base/prefetch.h"
#include "base/workers.h"

#include <inttypes.h>
#include <stdlib.h>

#define PROGRESS_CHUNKS 65536
#define BATCH		64 /* words that are looked up at once */
#define EDGES_FIRST	4096
#define WORTH_SHARING	32768 /* chunks */

#define LINE		   64
#define LINES_ASKED_AHEAD  3
#define CHUNKS_ASKED_AHEAD 12

struct building {
	const struct subject *subject;
	const struct chunk_set *set;
	const char *what;
	struct chunk_graph *graph;
	struct word_form form;
	const uint8_t **region_bytes;
	uint64_t low, span; /* all regions lie in [low, low + span) */
};

/* A chunk's word that points into a region; the bitmap words it needs are on their way. */
struct candidate {
	uint64_t address, granule;
	const struct chunk_region *region;
	uint32_t from;
};

/* One worker's part: the chunks of some words of the set, and what leads from them. */
struct part {
	const struct building *building;
	bool is_main;
	uint64_t begin, end;  /* words of the set */
	uint32_t lowest, top; /* ranks of the part: [lowest, top) */
	uint32_t rank;	      /* that is looked at */
	uint32_t opened;      /* the chunks below it have their .first */
	uint32_t last;	      /* target of the edge before, or the chunk itself */
	uint32_t *edges;
	uint64_t edge_count, edge_room;
	bool no_memory;
	uint64_t words[2 * BATCH];
	uint32_t from[2 * BATCH]; /* that the words are of */
	unsigned word_count;
	struct candidate waiting[2 * BATCH];
	unsigned waiting_count;
};

static struct error *too_many(const char *what)
{
	return error_new(ERROR_UNSUPPORTED, "there are more than %" PRIu32 " %s", CHUNK_GRAPH_MAX,
			 what);
}

/* Where a chunk lies that the candidate leads to, or false. */
static inline bool find_target(const struct building *building, const struct candidate *candidate,
			       uint32_t *target)
{
	const struct chunk_table *table = building->set->table;
	const struct chunk_region *region = candidate->region;
	uint64_t number = chunk_lookup_start(table, region, candidate->granule);
	if (number == CHUNK_NONE || !chunk_set_rank(building->set, number, target))
		return false;
	uint64_t offset = candidate->address - chunk_lookup_address(region, number);
	return offset == 0 || offset < chunk_lookup_size(table, region, number);
}

/* The chunks up to `rank` begin with the edge that comes next. */
static void open_chunks(struct part *part, uint32_t rank)
{
	for (; part->opened <= rank; part->opened++) {
		part->building->graph->first[part->opened] = (uint32_t)part->edge_count;
		part->last = part->opened;
	}
}

static inline void add_edge(struct part *part, const struct candidate *candidate)
{
	uint32_t target;
	if (!find_target(part->building, candidate, &target) || target == candidate->from)
		return;
	open_chunks(part, candidate->from);
	if (target == part->last || part->no_memory || part->edge_count > CHUNK_GRAPH_MAX)
		return;
	part->last = target;
	if (part->edge_count == part->edge_room) {
		uint32_t *grown = large_array_grow(part->edges, part->edge_room,
						   part->edge_room * 2, sizeof *grown);
		part->no_memory = grown == NULL;
		if (grown == NULL)
			return;
		part->edges = grown;
		part->edge_room *= 2;
	}
	part->edges[part->edge_count++] = target;
}

/* Asks for what the words that were gathered need, after it has seen to those before them. */
static void advance(struct part *part)
{
	const struct chunk_set *set = part->building->set;
	unsigned count = 0;
	for (unsigned i = 0; i < part->waiting_count; i++)
		add_edge(part, &part->waiting[i]);
	for (unsigned i = 0; i < part->word_count; i++) {
		const uint64_t word = part->words[i];
		const struct chunk_region *region = chunk_lookup_region(set->table, word);
		if (region == NULL)
			continue;
		const uint64_t granule = chunk_lookup_granule(region, word);
		prefetch(&set->words[granule / 64]);
		prefetch(&set->table->levels[0][granule / 64]);
		part->waiting[count++] = (struct candidate){ word, granule, region, part->from[i] };
	}
	part->waiting_count = count;
	part->word_count = 0;
}

static void scan_bytes(struct part *part, const uint8_t *bytes, uint64_t size)
{
	const struct building *building = part->building;
	const uint64_t step = building->form.size;
	for (uint64_t left = size / step; left > 0;) {
		const uint64_t some = left < BATCH ? left : BATCH;
		const unsigned before = part->word_count;
		part->word_count += word_form_gather(&building->form, bytes, some, building->low,
						     building->span, part->words + before);
		for (unsigned i = before; i < part->word_count; i++)
			part->from[i] = part->rank;
		bytes += some * step;
		left -= some;
		if (part->word_count >= BATCH)
			advance(part);
	}
}

static void scan_chunk(struct part *part, const struct chunk_region *region, uint64_t number)
{
	const struct building *building = part->building;
	const struct chunk_table *table = building->set->table;
	uint64_t address = chunk_lookup_address(region, number);
	const uint64_t size = chunk_lookup_size(table, region, number);
	const uint8_t *bytes = building->region_bytes[region - table->regions];
	if (bytes != NULL) {
		scan_bytes(part, bytes + (address - region->start), size);
		return;
	}
	struct span_walk walk = span_walk_over(building->subject->target, address, address + size);
	for (size_t got; (got = span_walk_next(&walk, UINT64_MAX, &address, &bytes)) != 0;)
		scan_bytes(part, bytes, got);
}

/* Asks for the first bytes of the chunk that `ahead` comes to. */
static void ask_ahead(const struct building *building, struct chunk_set_walk *ahead)
{
	if (!chunk_set_next(building->set, ahead))
		return;
	const struct chunk_region *region = ahead->region;
	const uint8_t *bytes = building->region_bytes[region - building->set->table->regions];
	if (bytes == NULL)
		return;
	bytes += chunk_lookup_address(region, ahead->number) - region->start;
	for (unsigned line = 0; line < LINES_ASKED_AHEAD; line++)
		prefetch(bytes + (size_t)line * LINE);
}

static void *scan_part(void *argument)
{
	struct part *part = argument;
	const struct building *building = part->building;
	struct chunk_set_walk walk = { .word = part->begin, .end = part->end }, ahead = walk;
	for (unsigned i = 0; i < CHUNKS_ASKED_AHEAD; i++)
		ask_ahead(building, &ahead);
	while (chunk_set_next(building->set, &walk)) {
		ask_ahead(building, &ahead);
		if (part->is_main && part->rank % PROGRESS_CHUNKS == 0)
			progress_tell(building->subject->progress, building->what, part->rank,
				      part->top);
		scan_chunk(part, walk.region, walk.number);
		part->rank++;
	}
	advance(part);
	advance(part);
	if (part->top > part->lowest)
		open_chunks(part, part->top - 1);
	return NULL;
}

/* The word of the set from which on about `share` of `shares` of the chunks lie behind. */
static uint64_t cut(const struct chunk_set *set, unsigned share, unsigned shares)
{
	const uint64_t wanted = set->count * share / shares;
	uint64_t low = 0, high = set->word_count;
	while (low < high) {
		const uint64_t middle = low + (high - low) / 2;
		if (set->words[middle].before < wanted)
			low = middle + 1;
		else
			high = middle;
	}
	return share == shares ? set->word_count : low;
}

/* Puts the edges of all parts one after the other. */
static struct error *join(struct chunk_graph *graph, struct part *parts, unsigned count,
			  uint32_t nodes)
{
	uint64_t total = 0;
	for (unsigned i = 0; i < count; i++) {
		if (parts[i].no_memory)
			return error_no_memory();
		total += parts[i].edge_count;
	}
	if (total > CHUNK_GRAPH_MAX)
		return too_many("pointers between the chunks");
	if (total > parts[0].edge_room) {
		uint32_t *grown =
		    large_array_grow(parts[0].edges, parts[0].edge_room, total, sizeof *grown);
		if (grown == NULL)
			return error_no_memory();
		parts[0].edges = grown;
		parts[0].edge_room = total;
	}
	uint64_t before = parts[0].edge_count;
	for (unsigned i = 1; i < count; i++) {
		for (uint32_t rank = parts[i].lowest; rank < parts[i].top; rank++)
			graph->first[rank] += (uint32_t)before;
		memcpy(parts[0].edges + before, parts[i].edges,
		       parts[i].edge_count * sizeof *graph->edges);
		before += parts[i].edge_count;
		large_array_free(parts[i].edges, parts[i].edge_room, sizeof *graph->edges);
		parts[i].edges = NULL;
	}
	graph->first[nodes] = (uint32_t)total;
	graph->edges = parts[0].edges;
	graph->edge_count = total;
	graph->edge_room = parts[0].edge_room;
	parts[0].edges = NULL;
	return NULL;
}

static struct error *find_edges(struct building *building)
{
	const struct chunk_set *set = building->set;
	const unsigned count = set->count < WORTH_SHARING ? 1 : workers_available();
	struct part *parts = calloc(count, sizeof *parts);
	bool fits = parts != NULL;
	for (unsigned i = 0; fits && i < count; i++) {
		const uint64_t begin = cut(set, i, count), end = cut(set, i + 1, count);
		parts[i] = (struct part){
			.building = building,
			.is_main = i == 0,
			.begin = begin,
			.end = end,
			.lowest = (uint32_t)set->words[begin].before,
			.top = (uint32_t)set->words[end].before,
			.edge_room = EDGES_FIRST,
		};
		parts[i].rank = parts[i].opened = parts[i].lowest;
		parts[i].edges = large_array_new(EDGES_FIRST, sizeof *parts[i].edges);
		fits = parts[i].edges != NULL;
	}
	struct error *error = fits ? NULL : error_no_memory();
	if (error == NULL) {
		workers_run(scan_part, parts, sizeof *parts, count);
		error = join(building->graph, parts, count, (uint32_t)set->count);
	}
	for (unsigned i = 0; parts != NULL && i < count; i++)
		large_array_free(parts[i].edges, parts[i].edge_room, sizeof *parts[i].edges);
	free(parts);
	return error;
}

struct error *chunk_graph_make(const struct subject *subject, const struct chunk_set *set,
			       const char *what, struct chunk_graph *graph)
{
	struct chunk_graph made = { .node_room = set->count + 1 };
	struct building building = { .subject = subject,
				     .set = set,
				     .what = what,
				     .graph = &made,
				     .form = word_form_of(subject->target->arch) };
	if (set->count > CHUNK_GRAPH_MAX)
		return too_many("chunks");
	size_t count;
	const struct chunk_region *regions = chunk_table_regions(set->table, &count);
	if (count > 0) {
		building.low = regions[0].start;
		building.span = regions[count - 1].end - regions[0].start;
	}
	building.region_bytes = chunk_bytes_new(subject->target, set->table);
	made.first = large_array_new(made.node_room, sizeof *made.first);
	struct error *error = building.region_bytes != NULL && made.first != NULL
				  ? find_edges(&building)
				  : error_no_memory();
	free(building.region_bytes);
	if (error != NULL)
		chunk_graph_free(&made);
	else
		*graph = made;
	return error;
}

void chunk_graph_free_first(struct chunk_graph *graph)
{
	large_array_free(graph->first, graph->node_room, sizeof *graph->first);
	graph->first = NULL;
}

void chunk_graph_free(struct chunk_graph *graph)
{
	chunk_graph_free_first(graph);
	large_array_free(graph->edges, graph->edge_room, sizeof *graph->edges);
	*graph = (struct chunk_graph){ 0 };
}
