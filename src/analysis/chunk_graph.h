/* Who of a set of chunks points to whom: each chunk's words, and the chunks of the set that they
 * lead to. A pointer to anywhere in a chunk counts.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORESCAN_ANALYSIS_CHUNK_GRAPH_H
#define CORESCAN_ANALYSIS_CHUNK_GRAPH_H

#include "analysis/chunk_set.h"
#include "analysis/subject.h"

#define CHUNK_GRAPH_MAX (UINT32_MAX - 1) /* chunks, and edges */

struct chunk_graph {
	/* The edges of the chunk with rank r: .edges[first[r]] to .edges[first[r + 1] - 1], ranks.
	 * Without those to itself; runs of the same one are one edge. */
	uint32_t *first;
	uint32_t *edges;
	uint64_t node_room, edge_count, edge_room;
};

/* `what` is told of as progress. Memory that is not there is passed over. About 4 bytes for each
 * chunk and 4 for each edge. ERROR_NO_MEMORY; ERROR_UNSUPPORTED when there are more than
 * CHUNK_GRAPH_MAX of either. */
struct error *chunk_graph_make(const struct subject *subject, const struct chunk_set *set,
			       const char *what, struct chunk_graph *graph);
void chunk_graph_free_first(struct chunk_graph *graph);
void chunk_graph_free(struct chunk_graph *graph);

#endif
