/* Who points to an object: one scan of registers and of all memory that may have been written.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORESCAN_ANALYSIS_REFERRERS_H
#define CORESCAN_ANALYSIS_REFERRERS_H

#include "analysis/reachability.h"
#include "analysis/storage.h"

enum referrer_class {
	REFERRER_ROOT,	/* a strong root */
	REFERRER_WEAK,	/* a weak root */
	REFERRER_CHUNK, /* a chunk in use; .state tells which */
	REFERRER_SELF,	/* the object itself */
	REFERRER_STALE, /* what keeps nothing: a free chunk, unused stack, the allocator's own */
	REFERRER_CLASS_COUNT,
};

/* A word that points to something. */
struct reference {
	struct storage storage; /* of the word */
	uint64_t at;		/* its address; 0 for a register */
	uint64_t value;		/* the word; interior where it is not its object's start */
	const char *text;	/* of .storage; in the modules' pool */
	const char *content;	/* what the chunk that holds the word is, or NULL */
};

struct referrer {
	enum referrer_class class;
	struct reference word;
	enum chunk_state state; /* REFERRER_CHUNK */
	uint64_t sequence;	/* private: in which order they were seen */
};

struct referrers {
	uint64_t counts[REFERRER_CLASS_COUNT];
	ARRAY(struct referrer)
	list; /* by class, then registers first, then by address; of each
		 class the first ones only */
};

#define REFERRERS_KEPT 1000 /* of each class */

/* All words that point into [start, start + size); .text and .content are left NULL.
 * ERROR_NO_MEMORY. */
struct error *referrers_find(const struct subject *subject, const struct roots *roots,
			     const struct reachability *reachability, const struct storage_map *map,
			     uint64_t start, uint64_t size, struct referrers *referrers);
void referrers_free(struct referrers *referrers);

const char *referrer_class_name(enum referrer_class class); /* for JSON */

#endif
