/* Tops without a depth-first walk, where few rounds tell them.
 *
 * A breadth-first walk from all items at once makes a forest: a tree below each item. Where two
 * trees lead to a node, there are two ways to it that share nothing, so no item holds it alone: it
 * is a head, and the root of a tree of its own from then on. That goes on, in rounds over all
 * pointers, until every pointer stays within its tree or leads to a root: then nothing leads into a
 * tree but through its root, which is the top of all nodes in it. Any forest ends there; this one
 * is made in an order in which memory can be asked for ahead of time.
 *
 * A chain that several items lead to from both ends takes as many rounds as it is long: those are
 * left to semidominators (dominators.c).
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "analysis/flow.h"
#include "base/prefetch.h"
#include "base/workers.h"

#include <stdlib.h>

#define SEEN	      FLOW_LAST /* of an edge: it says nothing any more */
#define ASKED_AHEAD   12	/* nodes, between one thing that is asked for and the next */
#define EDGES_ASKED   16	/* of a node */
#define TARGETS_AHEAD 32	/* edges */
#define ROUNDS_MAX    32
#define ROUNDS_FREE   4	    /* that need not find less than half of what the one before found */
#define WORTH_SHARING 16384 /* chunks */

struct forest {
	struct flow *flow;
	const uint32_t *first; /* of the graph */
	uint32_t *edges;
	uint32_t *tops;
	uint32_t *order; /* the ranks of all nodes, as they were found; room for one more */
	uint64_t count;
	uint64_t root_count; /* that items point to: they come first */
	/* Of each node in .order: a 1 for each node that was found from it, then a 0. These nodes
	 * stand side by side in .order, behind those found from the node before. */
	uint64_t *children;
	uint64_t child_bits;
	uint64_t *found; /* bits, by rank: of all nodes, and of what does not count */
	uint64_t *heads; /* bits, by rank */
	uint64_t cut;	 /* heads that the last round found */
};

/* Returns whether it was none before. */
static bool make_head(struct forest *forest, uint32_t rank)
{
	const uint64_t bit = (uint64_t)1 << rank % 64;
	uint64_t *word = &forest->heads[rank / 64];
	return (__atomic_load_n(word, __ATOMIC_RELAXED) & bit) == 0 &&
	       (__atomic_fetch_or(word, bit, __ATOMIC_RELAXED) & bit) == 0;
}

/* --- the walk */

static void enter(void *context, uint32_t item, uint32_t rank)
{
	struct forest *forest = context;
	uint32_t *top = &forest->tops[rank];
	if (*top == FLOW_INTERNAL)
		return;
	if (*top == FLOW_NOT_FOUND) {
		*top = FLOW_TOP_ITEM | item;
		forest->found[rank / 64] |= (uint64_t)1 << rank % 64;
		forest->order[forest->count++] = rank;
	} else if (*top != (FLOW_TOP_ITEM | item)) {
		make_head(forest, rank);
	}
}

/* Asks for what the nodes whose turn comes soon need. */
static inline void ask_nodes(const struct forest *forest, uint64_t at)
{
	const uint32_t *order = forest->order, *first = forest->first;
	if (at + 3 * ASKED_AHEAD < forest->count)
		prefetch(&first[order[at + 3 * ASKED_AHEAD]]);
	if (at + 2 * ASKED_AHEAD < forest->count)
		prefetch(&forest->edges[first[order[at + 2 * ASKED_AHEAD]]]);
	if (at + ASKED_AHEAD >= forest->count)
		return;
	const uint32_t rank = order[at + ASKED_AHEAD];
	uint32_t end = first[rank + 1];
	if (end - first[rank] > EDGES_ASKED)
		end = first[rank] + EDGES_ASKED;
	for (uint32_t edge = first[rank]; edge < end; edge++)
		prefetch(&forest->found[(forest->edges[edge] & ~SEEN) / 64]);
}

/* Follows the edges of one node. Which of them lead to new ones cannot be foreseen: so no branch
 * depends on it, and what is written behind the end of .order is written over. */
static inline void follow_edges(struct forest *forest, uint32_t *edge, const uint32_t *end)
{
	uint64_t count = forest->count, child_bits = forest->child_bits;
	for (; edge < end; edge++) {
		const uint32_t to = *edge;
		uint64_t *word = &forest->found[to / 64];
		const uint64_t is_new = ~(*word >> to % 64) & 1;
		*word |= is_new << to % 64;
		*edge = to | (uint32_t)is_new * SEEN;
		forest->order[count] = to;
		count += is_new;
		forest->children[child_bits / 64] |= is_new << child_bits % 64;
		child_bits += is_new;
	}
	forest->count = count;
	forest->child_bits = child_bits + 1;
}

static void walk(struct forest *forest)
{
	for (uint64_t at = 0; at < forest->count; at++) {
		const uint32_t rank = forest->order[at];
		ask_nodes(forest, at);
		follow_edges(forest, forest->edges + forest->first[rank],
			     forest->edges + forest->first[rank + 1]);
		if (at % FLOW_PROGRESS_NODES == 0)
			progress_tell(forest->flow->subject->progress,
				      "following what the roots hold", at, forest->flow->nodes);
	}
}

/* --- the rounds */

/* Each node's tree: that of the node that it was found from, but heads have their own. */
static void label(struct forest *forest)
{
	const uint32_t *order = forest->order;
	uint64_t child = forest->root_count, bit = 0;
	for (uint64_t i = 0; i < forest->root_count; i++)
		if (chunk_lookup_bit(forest->heads, order[i]))
			forest->tops[order[i]] = order[i];
	for (uint64_t at = 0; at < forest->count; at++, bit++) {
		if (at + ASKED_AHEAD < forest->count)
			prefetch(&forest->tops[order[at + ASKED_AHEAD]]);
		const uint32_t top = forest->tops[order[at]];
		for (; chunk_lookup_bit(forest->children, bit); bit++, child++) {
			const uint32_t rank = order[child];
			if (child + ASKED_AHEAD < forest->count) {
				const uint32_t later = order[child + ASKED_AHEAD];
				prefetch(&forest->tops[later]);
				prefetch(&forest->heads[later / 64]);
			}
			forest->tops[rank] = chunk_lookup_bit(forest->heads, rank) ? rank : top;
		}
	}
}

/* One worker's chunks, [begin, end). */
struct cutting {
	struct forest *forest;
	uint32_t begin, end;
	uint64_t cut;
};

/* Whether an edge from the tree `top` has to be looked at again. */
static inline bool keep_edge(struct cutting *cutting, uint32_t top, uint32_t to)
{
	const uint32_t other = cutting->forest->tops[to];
	if (other == to || other == FLOW_INTERNAL)
		return false;
	if (other == top)
		return true;
	cutting->cut += make_head(cutting->forest, to);
	return false;
}

static void *cut_part(void *argument)
{
	struct cutting *cutting = argument;
	struct forest *forest = cutting->forest;
	const uint32_t *first = forest->first, last = first[cutting->end];
	for (uint32_t rank = cutting->begin; rank < cutting->end; rank++) {
		const uint32_t top = forest->tops[rank];
		if (top == FLOW_NOT_FOUND || top == FLOW_INTERNAL)
			continue;
		for (uint32_t edge = first[rank]; edge < first[rank + 1]; edge++) {
			if (last - edge > TARGETS_AHEAD &&
			    (forest->edges[edge + TARGETS_AHEAD] & SEEN) == 0)
				prefetch(&forest->tops[forest->edges[edge + TARGETS_AHEAD]]);
			const uint32_t to = forest->edges[edge];
			if ((to & SEEN) == 0 && !keep_edge(cutting, top, to))
				forest->edges[edge] = to | SEEN;
		}
	}
	return NULL;
}

/* Pointers from one tree into another make heads of what they lead to. */
static void cut(struct forest *forest)
{
	struct cutting parts[WORKERS_MAX];
	const uint64_t nodes = forest->flow->set.count;
	const unsigned count = nodes < WORTH_SHARING ? 1 : workers_available();
	for (unsigned i = 0; i < count; i++)
		parts[i] = (struct cutting){ .forest = forest,
					     .begin = (uint32_t)(nodes * i / count),
					     .end = (uint32_t)(nodes * (i + 1) / count) };
	workers_run(cut_part, parts, sizeof parts[0], count);
	forest->cut = 0;
	for (unsigned i = 0; i < count; i++)
		forest->cut += parts[i].cut;
}

/* Whether the rounds came to their end. */
static bool cut_in_rounds(struct forest *forest)
{
	uint64_t before = UINT64_MAX;
	for (unsigned round = 0; round < ROUNDS_MAX; round++) {
		progress_tell(forest->flow->subject->progress, "finding who holds what alone",
			      round, ROUNDS_MAX);
		label(forest);
		cut(forest);
		if (forest->cut == 0)
			return true;
		if (round >= ROUNDS_FREE && forest->cut > before / 2)
			return false;
		before = forest->cut;
	}
	return false;
}

/* --- life */

/* The allocator's own chunks are no nodes. */
static void pass_over_internal(struct forest *forest)
{
	for (uint64_t rank = 0; rank < forest->flow->set.count; rank++)
		if (forest->tops[rank] == FLOW_INTERNAL)
			forest->found[rank / 64] |= (uint64_t)1 << rank % 64;
}

/* As if nothing had been found, but for the heads. */
static void forget(struct forest *forest)
{
	struct flow *flow = forest->flow;
	for (uint64_t edge = 0; edge < flow->graph.edge_count; edge++)
		forest->edges[edge] &= ~SEEN;
	for (uint64_t rank = 0; rank < flow->set.count; rank++)
		if (forest->tops[rank] != FLOW_INTERNAL)
			forest->tops[rank] = FLOW_NOT_FOUND;
}

bool flow_find_in_forest(struct flow *flow, const struct dominator_source *sources, size_t count,
			 bool *found)
{
	const size_t nodes = (size_t)flow->set.count + 1, words = nodes / 64 + 1;
	struct forest forest = { .flow = flow,
				 .first = flow->graph.first,
				 .edges = flow->graph.edges,
				 .tops = flow->tops,
				 .heads = flow->heads };
	forest.order = large_array_new(nodes, sizeof *forest.order);
	forest.children = large_array_new(2 * words, sizeof *forest.children);
	forest.found = large_array_new(words, sizeof *forest.found);
	const bool fits = forest.order != NULL && forest.children != NULL && forest.found != NULL;
	if (fits) {
		pass_over_internal(&forest);
		for (size_t i = 0; i < count; i++)
			flow_scan_source(flow, &sources[i], enter, &forest);
		forest.root_count = forest.count;
		walk(&forest);
		*found = cut_in_rounds(&forest);
		if (!*found)
			forget(&forest);
	}
	large_array_free(forest.order, nodes, sizeof *forest.order);
	large_array_free(forest.found, words, sizeof *forest.found);
	large_array_free(forest.children, 2 * words, sizeof *forest.children);
	return fits;
}
