/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "analysis/orphan_graph.h"

#include "heap/chunk_lookup.h"

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
		uint32_t target = graph->edges[visit->edge];
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
			uint32_t to = graph->component[graph->edges[edge]];
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

static void find_places(struct orphan_graph *graph, const struct chunk_set *orphans)
{
	struct chunk_set_walk walk = { .end = orphans->word_count };
	for (uint32_t node = 0; chunk_set_next(orphans, &walk); node++) {
		const uint64_t size = chunk_lookup_size(graph->table, walk.region, walk.number);
		graph->addresses[node] = chunk_lookup_address(walk.region, walk.number);
		graph->sizes[node] = size < UINT32_MAX ? (uint32_t)size : UINT32_MAX;
	}
}

static struct error *find_nodes(const struct subject *subject,
				const struct reachability *reachability, struct orphan_graph *graph)
{
	struct chunk_set orphans;
	const uint64_t *start = chunk_table_start_bits(graph->table);
	const uint64_t *used = chunk_table_used_bits(graph->table);
	if (!chunk_set_new(graph->table, &orphans))
		return error_no_memory();
	for (uint64_t i = 0; i < orphans.word_count; i++)
		orphans.words[i].bits =
		    start[i] & used[i] & ~reachability->reachable[i] & ~reachability->possible[i];
	chunk_set_count(&orphans);
	struct error *error =
	    chunk_graph_make(subject, &orphans, "folding orphaned chunks", &graph->chunks);
	if (error == NULL) {
		graph->count = (uint32_t)orphans.count;
		graph->first = graph->chunks.first;
		graph->edges = graph->chunks.edges;
		graph->addresses = malloc((orphans.count + 1) * sizeof *graph->addresses);
		graph->sizes = malloc((orphans.count + 1) * sizeof *graph->sizes);
		if (graph->addresses == NULL || graph->sizes == NULL)
			error = error_no_memory();
		else
			find_places(graph, &orphans);
	}
	chunk_set_free(&orphans);
	return error;
}

struct error *orphan_graph_make(const struct subject *subject,
				const struct reachability *reachability, struct orphan_graph *graph)
{
	struct orphan_graph made = { .table = subject->heap->chunks };
	struct error *error = find_nodes(subject, reachability, &made);
	if (error == NULL && !(find_components(&made) && find_owners(&made)))
		error = error_no_memory();
	if (error != NULL) {
		orphan_graph_free(&made);
		return error;
	}
	*graph = made;
	return NULL;
}

void orphan_graph_free(struct orphan_graph *graph)
{
	free(graph->addresses);
	free(graph->sizes);
	chunk_graph_free(&graph->chunks);
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
