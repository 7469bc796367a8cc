/* Which root item holds which chunks alone: the first level of the dominator tree of the graph
 * that leads from the roots' items over their words to chunks, and from chunk to chunk.
 *
 * A chunk that one item dominates is freed when that item lets go of it. What two items reach by
 * different ways is dominated by neither: its head is the first chunk that all ways pass through.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORESCAN_ANALYSIS_DOMINATORS_H
#define CORESCAN_ANALYSIS_DOMINATORS_H

#include "analysis/reachability.h"

/* Words of one item: target memory, or (bytes != NULL) bytes of our own. */
struct dominator_source {
	uint32_t item;
	uint64_t start, end;
	const uint8_t *bytes;
	size_t size;
};

struct dominator_item {
	struct chunk_total held;
	uint64_t largest, largest_size; /* of the chunks it holds; user address, usable bytes */
};

#define DOMINATOR_HOLDERS 4

/* A chunk that no item holds alone, with what it holds. */
struct dominator_head {
	uint64_t address, size;
	uint32_t rank;		 /* private */
	struct chunk_total held; /* the chunk itself included */
	/* Who leads to it: items, or other such chunks. */
	struct dominator_holder {
		bool is_item;
		uint64_t item; /* its index, or the address of the chunk */
	} holders[DOMINATOR_HOLDERS];
	size_t holder_count;
	bool more_holders;
};

struct dominators {
	struct dominator_item *items; /* one for each */
	size_t item_count;
	struct chunk_total shared; /* under no item alone */
	uint64_t head_count;
	ARRAY(struct dominator_head) heads; /* the largest, largest first */
	struct chunk_total internal;	    /* the allocator's own chunks */
	/* Reachable chunks that no word of the sources leads to: those that the C library keeps for
	 * threads that are gone. */
	struct chunk_total pinned;
};

struct dominator_options {
	size_t heads; /* how many of them are told of */
	/* Semidominators at once, without a forest first; the answer is the same. */
	bool depth_first;
	/* Rounds over all pointers before semidominators are asked for; the answer is the same.
	 * 0: as many as are worth it; else that number less one. */
	unsigned rounds;
};

/* `sources` are grouped by item, item numbers rise. All reachable chunks are in exactly one of
 * .items, .shared, .internal and .pinned. Needs about 25 bytes of
 * memory a chunk, or 35 where it takes semidominators. ERROR_NO_MEMORY; ERROR_UNSUPPORTED for more
 * than 2^31 chunks or 2^32 pointers. */
struct error *dominators_find(const struct subject *subject,
			      const struct reachability *reachability,
			      const struct dominator_source *sources, size_t source_count,
			      size_t item_count, const struct dominator_options *options,
			      struct dominators *result);
void dominators_free(struct dominators *result);

#endif
