/* What is big though reachable: which variable, frame or register keeps how much of the heap alive
 * alone, so that all of it would be gone with that one pointer.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORESCAN_ANALYSIS_RETAINED_H
#define CORESCAN_ANALYSIS_RETAINED_H

#include "analysis/root_items.h"

struct retained_root {
	struct root_item item;
	const char *name; /* root_item_name */
	struct chunk_total held;
	uint64_t largest, largest_size; /* of the chunks that it holds alone */
	const char *what;		/* that chunk's content, or NULL */
};

/* A chunk that several lead to, and what is reached only through it. */
struct retained_head {
	uint64_t address, size;	 /* usable bytes */
	struct chunk_total held; /* itself included */
	const char *what;	 /* its content, or NULL */
	/* "<cache>", or "chunk 0x…" for another shared chunk. */
	const char *holders[DOMINATOR_HOLDERS];
	size_t holder_count;
	bool more_holders;
};

struct retained {
	ARRAY(struct retained_root) roots; /* those that hold something alone, largest first */
	struct chunk_total shared;	   /* what several roots lead to by different ways */
	uint64_t head_count;		   /* chunks that begin something shared */
	ARRAY(struct retained_head) heads; /* the largest of these, largest first */
	struct chunk_total internal; /* the allocator's own chunks, which no root needs to hold */
	struct chunk_total departed; /* kept by the C library for threads that are gone */
	struct chunk_total total;    /* the sum of all: the reachable chunks */
	struct string_pool *strings; /* holds the names */
};

/* ERROR_NO_MEMORY; ERROR_UNSUPPORTED as in
 * dominators_find. */
struct error *retained_find(const struct subject *subject, const struct roots *roots,
			    const struct reachability *reachability,
			    const struct dominator_options *options, struct retained *retained);
void retained_free(struct retained *retained);

#endif
