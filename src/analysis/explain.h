/* What an address is, what keeps it, and who refers to it.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORESCAN_ANALYSIS_EXPLAIN_H
#define CORESCAN_ANALYSIS_EXPLAIN_H

#include "analysis/orphans.h"
#include "analysis/referrers.h"

typedef ARRAY(struct reference) explain_path;

/* A chunk, as one says what it is. */
struct explain_chunk {
	struct chunk chunk;
	enum chunk_state state;
	enum content_kind content;
	const char *what; /* it holds; NULL for a free one */
	bool internal;	  /* the allocator's own */
	enum heap_doubt_kind doubt;
	bool cached;			  /* free, in a thread's cache */
	uint64_t cache;			  /* .cached: that cache's address */
	const struct thread *cache_owner; /* or NULL: unknown */
};

struct explanation {
	uint64_t address;
	struct storage storage;
	const char *text; /* of .storage */

	bool in_chunk;
	struct explain_chunk chunk;
	bool has_before, has_after; /* chunks of the same region next to it */
	struct explain_chunk before, after;

	/* From a root to the chunk, a word for each step; empty for an orphan. */
	explain_path path;
	const char *why; /* one sentence where the path needs one: why it is only possible, or why a
			    reachable chunk has none, how sure an orphan is; or NULL */

	/* Nothing that was read leads to it: the structure it was folded into. */
	bool has_structure;
	struct orphan_structure structure;
	explain_path inside; /* from the structure's head to it; empty: it is the head */

	/* Words that point into the chunk, the variable, or exactly to the address elsewhere. */
	bool has_referrers; /* they were looked for */
	uint64_t object, object_size;
	struct referrers referrers;
};

/* ERROR_NO_MEMORY, ERROR_INTERRUPTED. `reachability` and `roots` may be NULL when the heap was not
 * walked: then there is only what the address is. Strings are in the modules' pool. */
struct error *explain_find(const struct subject *subject, const struct roots *roots,
			   const struct reachability *reachability, uint64_t address,
			   struct explanation *explanation);
void explain_free(struct explanation *explanation);

#endif
