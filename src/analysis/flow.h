/* The inside of the dominators: flow_walk.c numbers all that the root items lead to, dominators.c
 * finds who dominates whom, dominator_sums.c adds it up.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORESCAN_ANALYSIS_FLOW_H
#define CORESCAN_ANALYSIS_FLOW_H

#include "analysis/chunk_bytes.h"
#include "analysis/chunk_graph.h"
#include "analysis/dominators.h"
#include "analysis/span_walk.h"
#include "base/large_array.h"

#define FLOW_INTERNAL	    UINT32_MAX
#define FLOW_NOTHING	    UINT32_MAX
#define FLOW_LAST	    ((uint32_t)1 << 31)
#define FLOW_TOP_ITEM	    ((uint32_t)1 << 31) /* the top is an item: the other bits are its index */
#define FLOW_PROGRESS_NODES 65536

/* A reachable chunk. */
struct flow_chunk {
	uint32_t number; /* of its node; 0: not found yet; FLOW_INTERNAL: the allocator's own */
	uint32_t next;	 /* index of the edge to be looked at next; FLOW_NOTHING: it has none. Once
			    the chunk was left: whether it has any. In the end its top: an item, or
			    the rank of a head */
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

	struct chunk_set set;	   /* the reachable chunks */
	struct flow_chunk *chunks; /* by rank */
	/* Of each chunk in turn that has any, the last one with FLOW_LAST. Until the walk has come
	 * to it an edge is the rank that it leads to. Then it is the number of a node that leads on
	 * to the chunk's own in the same interval; or 0, and has been seen to. Of chunks that the
	 * walk did not find edges mean nothing. */
	struct chunk_graph graph;

	uint64_t nodes;	  /* that there may be */
	uint32_t *parent; /* from here on by number */
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

static inline bool flow_is_found(const struct flow_chunk *chunk)
{
	return chunk->number != 0 && chunk->number != FLOW_INTERNAL;
}

/* flow_walk.c: makes the graph, and numbers all that the sources lead to. ERROR_NO_MEMORY,
 * ERROR_UNSUPPORTED. */
struct error *flow_walk(struct flow *flow, const struct dominator_source *sources, size_t count);

/* dominator_sums.c: adds up, once the chunks have their tops. ERROR_NO_MEMORY. */
struct error *flow_sum_up(const struct flow *flow, const struct dominator_source *sources,
			  size_t source_count, size_t item_count, struct dominators *result);

#endif
