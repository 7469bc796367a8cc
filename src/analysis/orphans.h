/* Orphaned chunks folded into structures and the structures grouped by what they are.
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
	bool cyclic;	    /* the head is referred to by a member: nothing is outermost */
	uint64_t shared_by; /* so many other structures lead to it; 0: nothing does */
};

/* What a chunk's content looks like. */
enum content_kind {
	CONTENT_EMPTY,	   /* all zeros */
	CONTENT_OBJECT,	   /* has a vtable or function pointer: .what has its symbol */
	CONTENT_CONTAINER, /* a container of the C++ library's, by idiom: "looks like …" */
	CONTENT_SYSTEM,	   /* of the C library or the kernel: FILE, DIR, a socket's address */
	CONTENT_TEXT,	   /* printable: .what has its quoted beginning */
	CONTENT_POINTERS, /* holds pointers: .what says to what ("list of nodes", "pointers to …")
			   */
	CONTENT_DATA,	  /* none of these */
};

/* What makes two structures one group. */
enum orphan_grouping {
	GROUP_BY_KIND,	/* what the head is, and its size; texts by how they begin */
	GROUP_BY_SIZE,	/* the usable bytes of the head */
	GROUP_BY_TYPE,	/* what the head is, whatever its size */
	GROUP_BY_SHAPE, /* how the chunks hang together, whatever is in them */
};

#define ORPHAN_EXAMPLES	  3  /* besides the largest */
#define ORPHAN_HEAD_BYTES 32 /* of the largest's head */

struct orphan_group {
	enum content_kind content; /* of the largest one's head, where they differ */
	const char *what;	   /* one phrase: "class Session (vtable)", "list of 24-byte nodes",
				      "text \"HTTP/1.1 200 OK\r\n…\"" ; in the modules' string pool */
	uint64_t head_size;	   /* usable bytes of each head; 0 where they differ */
	uint64_t structures, chunks, bytes;
	struct orphan_structure largest; /* an example to look at */
	uint64_t head_size_min, head_size_max;
	uint64_t shared; /* of the structures: led to by several others */
	struct orphan_structure examples[ORPHAN_EXAMPLES]; /* the next largest */
	unsigned example_count;
	uint8_t head_bytes[ORPHAN_HEAD_BYTES]; /* what the largest's head begins with */
	unsigned head_byte_count;	       /* fewer where it is shorter, or was not dumped */
};

struct orphans {
	ARRAY(struct orphan_group) groups; /* most bytes first */
	uint64_t structures, chunks, bytes;
};

/* A structure is a chunk, or a cycle of chunks, that nothing outside refers to, and all that it
 * alone leads to. What several structures lead to is a structure of its own, told once
 * (.shared_by). ERROR_NO_MEMORY; ERROR_UNSUPPORTED with more than four billion orphans. */
struct error *orphans_find(const struct subject *subject, const struct reachability *reachability,
			   enum orphan_grouping grouping, struct orphans *orphans);
void orphans_free(struct orphans *orphans);

/* The structure that `orphan` was folded into. ERROR_NO_MEMORY; ERROR_BAD_DATA when the chunk is
 * no orphan. */
struct error *orphans_structure_of(const struct subject *subject,
				   const struct reachability *reachability,
				   const struct chunk *orphan, struct orphan_structure *structure);

const char *content_kind_name(enum content_kind kind);

#endif
