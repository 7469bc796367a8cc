/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "analysis/flow.h"
#include "base/prefetch.h"

#define BATCH	    64 /* words of a source */
#define ASKED_AHEAD 16 /* edges of a chunk */
#define ASKED_BELOW 4  /* chunks on the stack */

/* Edges are numbered ranks from here on, the last one of each chunk is told. */
static bool take_graph(struct flow *flow)
{
	struct chunk_graph *graph = &flow->graph;
	flow->chunks = large_array_new(flow->set.count + 1, sizeof *flow->chunks);
	if (flow->chunks == NULL)
		return false;
	for (uint64_t rank = 0; rank < flow->set.count; rank++) {
		const uint32_t first = graph->first[rank], end = graph->first[rank + 1];
		if (flow->tops[rank] == FLOW_INTERNAL)
			flow->chunks[rank].number = FLOW_INTERNAL;
		flow->chunks[rank].next = first < end ? first : FLOW_NOTHING;
		if (first < end)
			graph->edges[end - 1] |= FLOW_LAST;
	}
	chunk_graph_free_first(graph);
	flow->parent = large_array_new(flow->nodes, sizeof *flow->parent);
	flow->semi = large_array_new(flow->nodes, sizeof *flow->semi);
	flow->label = large_array_new(flow->nodes, sizeof *flow->label);
	return flow->parent != NULL && flow->semi != NULL && flow->label != NULL;
}

/* Sees to an edge between nodes; true when it has to be kept: it leads to a node with a lower
 * number in the same interval. */
static inline bool see_edge(struct flow *flow, uint32_t from, uint32_t to)
{
	if (to == from || to == FLOW_INTERNAL)
		return false;
	if (to > from) {
		if (flow->semi[to] > from)
			flow->semi[to] = from;
		return false;
	}
	if (to >= flow->item_node)
		return true;
	flow->semi[to] = 0;
	return false;
}

/* A new node; its edges are looked at from the top of the stack on. */
static inline void visit(struct flow *flow, uint32_t rank, uint32_t from, size_t *depth)
{
	struct flow_chunk *chunk = &flow->chunks[rank];
	const uint32_t number = ++flow->count;
	chunk->number = number;
	flow->parent[number] = flow->semi[number] = from;
	if (chunk->next != FLOW_NOTHING)
		flow->label[(*depth)++] = rank;
	if (number % FLOW_PROGRESS_NODES == 0)
		progress_tell(flow->subject->progress, "following what the roots hold", number,
			      flow->nodes);
}

/* What the newest chunk leads to, on the top of the stack, is asked for at once. The edges to nodes
 * that there are already are seen to, and moved to the front; the edges of the others are asked
 * for. */
static inline void settle(struct flow *flow, size_t *depth)
{
	struct flow_chunk *chunk = &flow->chunks[flow->label[*depth - 1]];
	uint32_t *edges = flow->graph.edges + chunk->next, last;
	unsigned count = 0, seen = 0;
	do {
		last = edges[count] & FLOW_LAST;
		prefetch(&flow->chunks[edges[count] & ~FLOW_LAST]);
	} while (last == 0 && ++count < ASKED_AHEAD);
	count += last != 0;
	for (unsigned i = 0; i < count; i++) {
		const struct flow_chunk *to = &flow->chunks[edges[i] & ~FLOW_LAST];
		if (to->number == 0) {
			if (to->next != FLOW_NOTHING)
				prefetch(&flow->graph.edges[to->next]);
			continue;
		}
		const uint32_t node = see_edge(flow, chunk->number, to->number) ? to->number : 0;
		const uint32_t flag = edges[i] & FLOW_LAST, other = edges[seen] & ~FLOW_LAST;
		edges[i] = other | flag;
		edges[seen] = node | (edges[seen] & FLOW_LAST);
		seen++;
	}
	chunk->next += seen;
	if (last != 0 && seen == count)
		--*depth;
}

/* Asks for what is looked at once the walk has come back to the chunks below the top. */
static inline void ask_below(const struct flow *flow, size_t depth)
{
	const struct flow_chunk *chunks = flow->chunks;
	const uint32_t *edges = flow->graph.edges;
	if (depth > 3 * ASKED_BELOW)
		prefetch(&chunks[flow->label[depth - 1 - 3 * ASKED_BELOW]]);
	if (depth > 2 * ASKED_BELOW)
		prefetch(&edges[chunks[flow->label[depth - 1 - 2 * ASKED_BELOW]].next]);
	if (depth <= ASKED_BELOW)
		return;
	edges += chunks[flow->label[depth - 1 - ASKED_BELOW]].next;
	for (unsigned i = 0; i < ASKED_AHEAD; i++) {
		prefetch(&chunks[edges[i] & ~FLOW_LAST]);
		if ((edges[i] & FLOW_LAST) != 0)
			break;
	}
}

/* Looks at the edges of the chunk on the top of the stack, up to one that leads to a new node with
 * edges, which is the top then. */
static inline void look(struct flow *flow, size_t *depth)
{
	const size_t own = *depth;
	struct flow_chunk *chunk = &flow->chunks[flow->label[own - 1]];
	const uint32_t node = chunk->number;
	uint32_t *edge = flow->graph.edges + chunk->next, last;
	do {
		const uint32_t to = *edge & ~FLOW_LAST, number = flow->chunks[to].number;
		last = *edge & FLOW_LAST;
		if (number == 0) {
			/* What is looked at for the last time makes room for what it leads to. */
			if (last != 0)
				*depth = own - 1;
			visit(flow, to, node, depth);
			*edge++ = last;
			if (*depth == own + 1 || last != 0)
				break;
			continue;
		}
		*edge++ = (see_edge(flow, node, number) ? number : 0) | last;
		if (last != 0)
			*depth = own - 1;
	} while (last == 0);
	chunk->next = (uint32_t)(edge - flow->graph.edges);
}

/* Follows a pointer of the item to the chunk with that rank: into the item's interval, which is
 * made now. */
static void enter(void *context, uint32_t item, uint32_t rank)
{
	struct flow *flow = context;
	size_t depth = 0;
	(void)item;
	uint32_t seen = flow->count;
	if (flow->chunks[rank].number != 0) {
		see_edge(flow, flow->item_node, flow->chunks[rank].number);
		return;
	}
	visit(flow, rank, flow->item_node, &depth);
	while (depth > 0) {
		if (flow->count != seen) {
			seen = flow->count;
			settle(flow, &depth);
		} else {
			ask_below(flow, depth);
			look(flow, &depth);
		}
	}
}

struct source_scan {
	const struct flow *flow;
	uint32_t item;
	flow_enter *enter;
	void *context;
};

static void scan_bytes(const struct source_scan *scan, const uint8_t *bytes, uint64_t size)
{
	const struct flow *flow = scan->flow;
	uint64_t words[BATCH];
	const uint64_t step = flow->form.size;
	for (uint64_t left = size / step; left > 0;) {
		const uint64_t some = left < BATCH ? left : BATCH;
		const unsigned count =
		    word_form_gather(&flow->form, bytes, some, flow->low, flow->span, words);
		for (unsigned i = 0; i < count; i++) {
			struct chunk chunk;
			uint32_t rank;
			if (chunk_table_find(flow->table, words[i], &chunk) &&
			    chunk_set_rank(&flow->set, chunk.number, &rank))
				scan->enter(scan->context, scan->item, rank);
		}
		bytes += some * step;
		left -= some;
	}
}

void flow_scan_source(const struct flow *flow, const struct dominator_source *source,
		      flow_enter *enter_rank, void *context)
{
	const struct source_scan scan = { flow, source->item, enter_rank, context };
	if (source->bytes != NULL) {
		scan_bytes(&scan, source->bytes, source->size);
		return;
	}
	struct span_walk walk = span_walk_over(flow->subject->target, source->start, source->end);
	const uint8_t *bytes;
	uint64_t address;
	for (size_t got; (got = span_walk_next(&walk, UINT64_MAX, &address, &bytes)) != 0;)
		scan_bytes(&scan, bytes, got);
}

bool flow_walk(struct flow *flow, const struct dominator_source *sources, size_t count)
{
	if (!take_graph(flow))
		return false;
	for (size_t i = 0; i < count; i++) {
		uint32_t *node = &flow->item_nodes[sources[i].item];
		if (*node == 0) {
			*node = flow->item_node = ++flow->count;
			flow->parent[*node] = flow->semi[*node] = 0;
		}
		flow_scan_source(flow, &sources[i], enter, flow);
	}
	return true;
}
