/* The nodes and edges of the orphan graph: which chunks are orphans, and who of them points to
 * whom. Private to orphan_graph.c.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORESCAN_ANALYSIS_ORPHAN_EDGES_H
#define CORESCAN_ANALYSIS_ORPHAN_EDGES_H

#include "analysis/orphan_graph.h"

/* Fills .count, .bits, .addresses, .sizes, .first and .edges of `graph`, whose .table is set, as
 * far as it comes. Errors as orphan_graph_make. */
struct error *orphan_edges_find(const struct subject *subject,
				const struct reachability *reachability,
				struct orphan_graph *graph);

#endif
