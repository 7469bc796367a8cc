/* The shortest way along pointers from where a search starts to a chunk: breadth first, over the
 * same words as the mark. Takes 8 bytes and 2 bits of memory for each chunk that is found on the
 * way, and a bit for each granule of the heap.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORESCAN_ANALYSIS_CHUNK_PATHS_H
#define CORESCAN_ANALYSIS_CHUNK_PATHS_H

#include "analysis/mark.h"
#include "analysis/subject.h"

/* Numbers of chunks: the one that a source points to first, the goal last. */
typedef ARRAY(uint64_t) chunk_path;

/* The shortest path from the sources to chunk `goal`; of several the one whose source comes first,
 * then whose first word comes first. `passed` is a bitmap over granules of the chunks not to go
 * through (free ones, for a start); it is changed. To the chunks in `exact`, another such bitmap,
 * or NULL, a pointer into the interior leads only where an idiom explains it (interior.h). An empty
 * path where there is none. ERROR_NO_MEMORY. */
struct error *chunk_path_find(const struct subject *subject, const struct mark_source *sources,
			      size_t count, const uint64_t *exact, uint64_t *passed, uint64_t goal,
			      chunk_path *path);

#endif
