/* The graph of the orphans: its nodes are the orphaned chunks, its edges the words
 * in them that point into another orphan. Its strongly connected components, and which of them
 * alone leads to which.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORESCAN_ANALYSIS_ORPHAN_GRAPH_H
#define CORESCAN_ANALYSIS_ORPHAN_GRAPH_H

#include "analysis/chunk_graph.h"
#include "analysis/reachability.h"

struct orphan_graph {
	const struct chunk_table *table;
	uint32_t count;	     /* of nodes, in the order of the table's granules */
	uint64_t *addresses; /* user address of each node */
	uint32_t *sizes;     /* usable bytes; UINT32_MAX: so many or more */
	struct chunk_graph chunks;
	const uint32_t *first, *edges; /* of .chunks: those of node n begin at edges[first[n]] */

	/* Components are numbered so that every edge leads from a lower to a higher one. */
	uint32_t component_count;
	uint32_t *component; /* of each node */
	uint32_t *order;     /* all nodes, those of component 0 first */

	/* Of each component: the one whose structure it belongs to, which is itself (a head, or
	 * what several structures lead to) or the one without which nothing would lead to it. */
	uint32_t *owner;
	uint64_t *shared; /* bits of the components that several structures lead to */
};

/* ERROR_NO_MEMORY; ERROR_UNSUPPORTED when there are more than four billion orphans, or pointers in
 * them. About 30 bytes for each orphan and 4 for each edge. */
struct error *orphan_graph_make(const struct subject *subject,
				const struct reachability *reachability,
				struct orphan_graph *graph);
void orphan_graph_free(struct orphan_graph *graph);

/* The chunk of node `node`. */
void orphan_graph_chunk(const struct orphan_graph *graph, uint32_t node, struct chunk *chunk);

/* Usable bytes of the chunk of node `node`. */
uint64_t orphan_graph_size(const struct orphan_graph *graph, uint32_t node);

#endif
