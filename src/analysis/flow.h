/* The inside of the dominators: flow_forest.c finds who dominates whom where that takes few rounds;
 * else flow_walk.c numbers all that the root items lead to, and dominators.c finds it by
 * semidominators. dominator_sums.c adds it up.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORESCAN_ANALYSIS_FLOW_H
#define CORESCAN_ANALYSIS_FLOW_H

#include "analysis/chunk_bytes.h"
#include "analysis/chunk_graph.h"
#include "analysis/dominators.h"
#include "analysis/span_walk.h"
#include "base/large_array.h"

#define FLOW_NOTHING	    UINT32_MAX
#define FLOW_LAST	    ((uint32_t)1 << 31)
#define FLOW_TOP_ITEM	    ((uint32_t)1 << 31) /* the top is an item: the other bits are its index */
#define FLOW_NOT_FOUND	    UINT32_MAX		/* a top: nothing leads there */
#define FLOW_INTERNAL	    (UINT32_MAX - 1)	/* a top: the allocator's own */
#define FLOW_PROGRESS_NODES 65536

/* A reachable chunk. */
struct flow_chunk {
	uint32_t number; /* of its node; 0: not found yet; FLOW_INTERNAL: the allocator's own */
	uint32_t next;	 /* index of the edge to be looked at next; FLOW_NOTHING: it has none. Once
			    the chunk was left: whether it has any */
};

/* Of a node in the forest of those already looked at: an ancestor, and the lowest semidominator on
 * the way up to it, itself excluded. */
struct flow_link {
	uint32_t ancestor, best;
};

struct flow {
	const struct subject *subject;
	const struct dominator_options *options;
	const struct chunk_table *table;
	const struct chunk_region *regions;
	struct word_form form;
	uint64_t low, span; /* all regions lie in [low, low + span) */

	struct chunk_set set; /* the reachable chunks */
	/* By rank, what is asked for: an item, or the rank of a head (its own where it is one), or
	 * FLOW_NOT_FOUND, or FLOW_INTERNAL. */
	uint32_t *tops;
	uint64_t *heads; /* bits, by rank: those that are known to be heads */
	struct chunk_graph graph;

	/* Where the forest did not tell: from here on by rank, … */
	struct flow_chunk *chunks;
	/* The edges of .graph: of each chunk in turn that has any, the last one with FLOW_LAST.
	 * Until the walk has come to it an edge is the rank that it leads to. Then it is the number
	 * of a node that leads on to the chunk's own in the same interval; or 0, and has been seen
	 * to. Of chunks that the walk did not find edges mean nothing. */
	uint64_t nodes;	  /* that there may be */
	uint32_t *parent; /* … and by number */
	uint32_t *semi;
	uint32_t *label; /* the nearest head that is known, upwards from the node; while walking,
			    the stack of ranks */
	struct flow_link *links;
	uint32_t *into; /* where the list of those that lead to the node begins in .from */
	uint32_t *from;
	uint32_t count;	      /* the highest number that was given */
	uint32_t item_node;   /* whose interval is being made */
	uint32_t *item_nodes; /* of each item; 0: it leads nowhere */
};

/* Once the tops are known: whether an item leads to the chunk. */
static inline bool flow_is_found(const struct flow *flow, uint64_t rank)
{
	return flow->tops[rank] != FLOW_NOT_FOUND && flow->tops[rank] != FLOW_INTERNAL;
}

/* Whether the walk came to the chunk. */
static inline bool flow_is_numbered(const struct flow_chunk *chunk)
{
	return chunk->number != 0 && chunk->number != FLOW_INTERNAL;
}

/* Calls `enter` with the ranks of the chunks that the source's words point to, in their order. */
typedef void flow_enter(void *context, uint32_t item, uint32_t rank);
void flow_scan_source(const struct flow *flow, const struct dominator_source *source,
		      flow_enter *enter, void *context);

/* flow_forest.c: finds the tops, in few rounds. `*found`: false where it gave up; then only the
 * heads that it came to know are kept. False: no memory. */
bool flow_find_in_forest(struct flow *flow, const struct dominator_source *sources, size_t count,
			 bool *found);

/* flow_walk.c: numbers all that the sources lead to. False: no memory. */
bool flow_walk(struct flow *flow, const struct dominator_source *sources, size_t count);

/* dominator_sums.c: adds up, once the chunks have their tops. ERROR_NO_MEMORY. */
struct error *flow_sum_up(const struct flow *flow, const struct dominator_source *sources,
			  size_t source_count, size_t item_count, struct dominators *result);

#endif
