/* Orphaned chunks folded into structures (a head that nothing refers to, and what only it leads
 * to) and the structures grouped by what they are.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORESCAN_ANALYSIS_ORPHANS_H
#define CORESCAN_ANALYSIS_ORPHANS_H

#include "analysis/reachability.h"

struct orphan_structure {
	uint64_t head;	    /* user address */
	uint64_t head_size; /* usable bytes */
	uint64_t chunks;    /* head included */
	uint64_t bytes;
	bool cyclic; /* the head is referred to by a member: nothing is outermost */
};

/* What a chunk's content looks like. */
enum content_kind {
	CONTENT_EMPTY,	  /* all zeros */
	CONTENT_OBJECT,	  /* begins with a vtable or function pointer: hint is its symbol */
	CONTENT_TEXT,	  /* printable: hint is its quoted beginning */
	CONTENT_POINTERS, /* holds pointers: hint says to what ("list of nodes", "pointers to …") */
	CONTENT_DATA,	  /* none of these */
};

struct orphan_group {
	enum content_kind content;
	const char *what;   /* one phrase: "class Session (vtable)", "list of 24-byte nodes",
			       "text \"HTTP/1.1 200 OK\\r\\n…\"" ; in the modules' string pool */
	uint64_t head_size; /* usable bytes of each head; 0 where they differ */
	uint64_t structures, chunks, bytes;
	struct orphan_structure largest; /* an example to look at */
};

struct orphans {
	ARRAY(struct orphan_group) groups; /* most bytes first */
	uint64_t structures, chunks, bytes;
};

/* ERROR_NO_MEMORY, ERROR_INTERRUPTED. */
struct error *orphans_find(const struct subject *subject, const struct reachability *reachability,
			   struct orphans *orphans);
void orphans_free(struct orphans *orphans);

/* The structure that `orphan` was folded into. ERROR_NO_MEMORY; ERROR_BAD_DATA when the chunk is
 * no orphan. */
struct error *orphans_structure_of(const struct subject *subject,
				   const struct reachability *reachability,
				   const struct chunk *orphan, struct orphan_structure *structure);

const char *content_kind_name(enum content_kind kind);

#endif
