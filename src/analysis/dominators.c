/* Semidominators as Lengauer and Tarjan define them, by a depth-first walk and, in the reverse of
 * its order, the lowest of what a path compression finds. The immediate dominator of a node is the
 * nearest dominator of its parent that is not numbered above its semidominator; here only the one
 * just below the virtual root is asked for, so one comparison for each node finds it:
 *
 *     top(n) = n's semidominator lies below top(parent(n)) ? n : top(parent(n))
 *
 * Nodes are numbered in the order of the walk: 0 is the virtual root, an item's number is below
 * those of all chunks that were first found from it, so that these are an interval. A pointer from
 * a later interval into an earlier one makes its target's semidominator 0 at once; most others that
 * become 0 are found in a few rounds over all pointers, so that little is left to compress paths
 * for.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "analysis/flow.h"
#include "base/prefetch.h"

#include <inttypes.h>
#include <stdlib.h>

#define NODES_MAX    ((uint64_t)UINT32_MAX / 2)
#define ASKED_AHEAD  16 /* chunks */
#define ROUNDS_MAX   16
#define ROUND_WORTH  16 /* a round goes on that cuts one in so many edges, */
#define ROUND_GROWTH 2	/* … or grew so much since the one before */

/* Heads that are found at once. Where a node's semidominator is 0, the virtual root might as well
 * lead to it: that changes no dominator. So it is the root of a tree of its own; and what a pointer
 * from another tree leads to is such a node, too, for there are two ways to it that share nothing.
 */

/* Each node's tree. Pointers from ancestors (the lowest is in .semi) are seen to on the way down.
 */
static void find_labels(struct flow *flow)
{
	for (uint32_t node = 1; node <= flow->count; node++) {
		uint32_t above = flow->label[flow->parent[node]];
		if (flow->semi[node] < above)
			flow->semi[node] = 0;
		flow->label[node] = flow->semi[node] == 0 ? node : above;
	}
}

/* Whether the edge still says anything: not what leads to the root of a tree. What leads there from
 * another tree makes it one. */
static inline bool keep_edge(struct flow *flow, uint32_t from, uint32_t to, uint64_t *cut)
{
	const uint32_t label = flow->label[to];
	if (to == 0 || label == to)
		return false;
	if (flow->label[from] == label)
		return true;
	flow->semi[to] = 0;
	++*cut;
	return false;
}

/* Drops the edges that say nothing any more. Returns how many nodes became roots of trees. */
static uint64_t cut_edges(struct flow *flow)
{
	uint32_t *edges = flow->graph.edges, edge;
	uint64_t at = 0, kept = 0, cut = 0;
	for (uint64_t rank = 0; rank < flow->set.count; rank++) {
		struct flow_chunk *chunk = &flow->chunks[rank];
		const uint64_t begin = kept;
		if (chunk->next == FLOW_NOTHING)
			continue;
		do {
			edge = edges[at++];
			if (flow_is_numbered(chunk) &&
			    keep_edge(flow, chunk->number, edge & ~FLOW_LAST, &cut))
				edges[kept++] = edge & ~FLOW_LAST;
		} while ((edge & FLOW_LAST) == 0);
		if (kept == begin)
			chunk->next = FLOW_NOTHING;
		else
			edges[kept - 1] |= FLOW_LAST;
	}
	flow->graph.edge_count = kept;
	return cut;
}

/* True when no tree has a pointer from another: then the labels are the tops. Else the rest is
 * better left to the semidominators: a round costs as much as all nodes and edges. */
static bool cut_trees(struct flow *flow)
{
	const unsigned wanted = flow->options->rounds,
		       rounds = wanted != 0 ? wanted - 1 : ROUNDS_MAX;
	uint64_t before = 0;
	for (unsigned round = 0; round < rounds; round++) {
		progress_tell(flow->subject->progress, "finding who holds what alone", round,
			      rounds);
		find_labels(flow);
		const uint64_t cut = cut_edges(flow);
		if (cut == 0)
			return true;
		if (cut < flow->graph.edge_count / ROUND_WORTH && cut <= before * ROUND_GROWTH)
			break;
		before = cut;
	}
	find_labels(flow);
	return false;
}

/* Semidominators, within the trees. */

/* The lowest semidominator on the way from `node` up to, and without, the first ancestor that is
 * numbered `limit` or lower. Each node passed is linked to its grandparent. */
static inline uint32_t lowest_above(struct flow *flow, uint32_t node, uint32_t limit)
{
	struct flow_link *links = flow->links;
	uint32_t lowest = links[node].best, ancestor;
	while ((ancestor = links[node].ancestor) > limit) {
		struct flow_link above = links[ancestor];
		if (above.best < lowest)
			lowest = above.best;
		if (above.ancestor > limit) {
			if (above.best < links[node].best)
				links[node].best = above.best;
			links[node].ancestor = above.ancestor;
		}
		node = ancestor;
	}
	return lowest;
}

static void find_semidominators(struct flow *flow)
{
	for (uint32_t node = flow->count; node > 0; node--) {
		uint32_t lowest = flow->semi[node];
		for (uint32_t i = flow->into[node]; i < flow->into[node + 1] && lowest != 0; i++) {
			uint32_t found = lowest_above(flow, flow->from[i], node);
			if (found < lowest)
				lowest = found;
		}
		flow->semi[node] = flow->links[node].best = lowest;
		if (node % FLOW_PROGRESS_NODES == 0)
			progress_tell(flow->subject->progress, "finding who holds what alone",
				      flow->count - node, flow->count);
	}
}

/* The edges that are left, by the node that they lead to; the graph is gone then. `from` is NULL
 * while they are counted. */
static void go_over_edges(struct flow *flow, uint32_t *from)
{
	const uint32_t *edges = flow->graph.edges;
	uint32_t edge;
	uint64_t at = 0;
	for (uint64_t rank = 0; rank < flow->set.count; rank++) {
		const struct flow_chunk *chunk = &flow->chunks[rank];
		if (chunk->next == FLOW_NOTHING)
			continue;
		do {
			edge = edges[at++];
			const uint32_t to = edge & ~FLOW_LAST;
			if (!flow_is_numbered(chunk) || to == 0)
				continue;
			if (from == NULL)
				flow->into[to]++;
			else
				from[--flow->into[to]] = chunk->number;
		} while ((edge & FLOW_LAST) == 0);
	}
}

static bool sort_edges(struct flow *flow)
{
	flow->into = large_array_new((size_t)flow->count + 2, sizeof *flow->into);
	flow->from = malloc((flow->graph.edge_count + 1) * sizeof *flow->from);
	if (flow->into == NULL || flow->from == NULL)
		return false;
	go_over_edges(flow, NULL);
	for (uint32_t node = 1; node <= flow->count + 1; node++)
		flow->into[node] += flow->into[node - 1];
	go_over_edges(flow, flow->from);
	chunk_graph_free(&flow->graph);
	return true;
}

/* .label becomes the top of each node. */
static bool refine_labels(struct flow *flow)
{
	flow->links = large_array_new((size_t)flow->count + 1, sizeof *flow->links);
	if (flow->links == NULL || !sort_edges(flow))
		return false;
	for (uint32_t node = 0; node <= flow->count; node++)
		flow->links[node] = (struct flow_link){ flow->parent[node], flow->semi[node] };
	find_semidominators(flow);
	find_labels(flow);
	return true;
}

/* The label of the node with each chunk in turn, which lies anywhere, is asked for ahead. */
static inline uint32_t label_of(const struct flow *flow, uint64_t rank)
{
	if (rank + ASKED_AHEAD < flow->set.count &&
	    flow_is_numbered(&flow->chunks[rank + ASKED_AHEAD]))
		prefetch(&flow->label[flow->chunks[rank + ASKED_AHEAD].number]);
	return flow_is_numbered(&flow->chunks[rank]) ? flow->label[flow->chunks[rank].number] : 0;
}

/* From labels to tops: items by their index, heads by their rank. */
static void name_tops(struct flow *flow, size_t item_count)
{
	uint32_t *label = flow->label, *ranks = flow->parent;
	for (uint64_t rank = 0; rank < flow->set.count; rank++) {
		const uint32_t head = label_of(flow, rank);
		if (head != 0 && head == flow->chunks[rank].number)
			ranks[head] = (uint32_t)rank;
	}
	for (size_t item = 0; item < item_count; item++)
		if (flow->item_nodes[item] != 0)
			ranks[flow->item_nodes[item]] = FLOW_TOP_ITEM | (uint32_t)item;
	for (uint32_t node = 1; node <= flow->count; node++)
		label[node] = ranks[label[node]];
	for (uint64_t rank = 0; rank < flow->set.count; rank++)
		if (flow_is_numbered(&flow->chunks[rank]))
			flow->tops[rank] = label_of(flow, rank);
}

/* What the forest came to know. */
static void take_heads(struct flow *flow)
{
	for (uint64_t rank = 0; rank < flow->set.count; rank++)
		if (chunk_lookup_bit(flow->heads, rank) && flow_is_numbered(&flow->chunks[rank]))
			flow->semi[flow->chunks[rank].number] = 0;
}

static bool find_by_walk(struct flow *flow, const struct dominator_source *sources,
			 size_t source_count, size_t item_count)
{
	if (!flow_walk(flow, sources, source_count))
		return false;
	flow->label[0] = 0;
	take_heads(flow);
	if (!cut_trees(flow) && !refine_labels(flow))
		return false;
	name_tops(flow, item_count);
	return true;
}

/* Life. */

/* The allocator's own chunks are there, and what they point to does not count. */
static void take_internal(struct flow *flow)
{
	const struct heap *heap = flow->subject->heap;
	struct chunk chunk;
	uint32_t rank;
	for (size_t i = 0; i < heap->internal.count; i++)
		if (chunk_table_find(flow->table, heap->internal.items[i], &chunk) &&
		    chunk_set_rank(&flow->set, chunk.number, &rank))
			flow->tops[rank] = FLOW_INTERNAL;
}

static struct error *flow_begin(struct flow *flow, const struct subject *subject,
				const struct reachability *reachability, size_t item_count)
{
	size_t count;
	flow->subject = subject;
	flow->table = subject->heap->chunks;
	flow->regions = chunk_table_regions(flow->table, &count);
	flow->form = word_form_of(subject->target->arch);
	if (count > 0) {
		flow->low = flow->regions[0].start;
		flow->span = flow->regions[count - 1].end - flow->low;
	}
	if (!chunk_set_new(flow->table, &flow->set))
		return error_no_memory();
	for (uint64_t i = 0; i < flow->set.word_count; i++)
		flow->set.words[i].bits = reachability->reachable[i];
	chunk_set_count(&flow->set);
	flow->nodes = flow->set.count + item_count + 1;
	if (flow->nodes >= NODES_MAX)
		return error_new(ERROR_UNSUPPORTED,
				 "%" PRIu64 " reachable chunks are more than can be told apart",
				 flow->set.count);
	flow->tops = large_array_new(flow->set.count + 1, sizeof *flow->tops);
	flow->heads = large_array_new(flow->set.count / 64 + 1, sizeof *flow->heads);
	flow->item_nodes = calloc(item_count + 1, sizeof *flow->item_nodes);
	if (flow->tops == NULL || flow->heads == NULL || flow->item_nodes == NULL)
		return error_no_memory();
	for (uint64_t rank = 0; rank < flow->set.count; rank++)
		flow->tops[rank] = FLOW_NOT_FOUND;
	take_internal(flow);
	return chunk_graph_make(subject, &flow->set, "finding who points to whom", &flow->graph);
}

/* What the tops were found by. */
static void free_tree(struct flow *flow)
{
	chunk_graph_free(&flow->graph);
	large_array_free(flow->heads, flow->set.count / 64 + 1, sizeof *flow->heads);
	large_array_free(flow->chunks, flow->set.count + 1, sizeof *flow->chunks);
	large_array_free(flow->parent, flow->nodes, sizeof *flow->parent);
	large_array_free(flow->semi, flow->nodes, sizeof *flow->semi);
	large_array_free(flow->label, flow->nodes, sizeof *flow->label);
	large_array_free(flow->links, (size_t)flow->count + 1, sizeof *flow->links);
	large_array_free(flow->into, (size_t)flow->count + 2, sizeof *flow->into);
	free(flow->from);
	flow->parent = flow->semi = flow->label = flow->into = flow->from = NULL;
	flow->links = NULL;
	flow->chunks = NULL;
	flow->heads = NULL;
}

static void flow_end(struct flow *flow)
{
	free_tree(flow);
	large_array_free(flow->tops, flow->set.count + 1, sizeof *flow->tops);
	chunk_set_free(&flow->set);
	free(flow->item_nodes);
}

struct error *dominators_find(const struct subject *subject,
			      const struct reachability *reachability,
			      const struct dominator_source *sources, size_t source_count,
			      size_t item_count, const struct dominator_options *options,
			      struct dominators *result)
{
	struct flow flow = { .options = options };
	struct dominators made = { 0 };
	struct error *error = flow_begin(&flow, subject, reachability, item_count);
	bool found = false;
	if (error == NULL && !options->depth_first &&
	    !flow_find_in_forest(&flow, sources, source_count, &found))
		error = error_no_memory();
	if (error == NULL && !found && !find_by_walk(&flow, sources, source_count, item_count))
		error = error_no_memory();
	free_tree(&flow);
	if (error == NULL)
		error = flow_sum_up(&flow, sources, source_count, item_count, &made);
	flow_end(&flow);
	if (error != NULL)
		dominators_free(&made);
	else
		*result = made;
	return error;
}

void dominators_free(struct dominators *result)
{
	free(result->items);
	array_free(&result->heads);
	*result = (struct dominators){ 0 };
}
