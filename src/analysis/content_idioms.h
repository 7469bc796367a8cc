/* Chunks known by how libraries lay out what they allocate: containers of libstdc++, and what the
 * C library hands out. An idiom is named only where several facts agree; one that a program's own
 * type could have too is told as "looks like …".
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORESCAN_ANALYSIS_CONTENT_IDIOMS_H
#define CORESCAN_ANALYSIS_CONTENT_IDIOMS_H

#include "analysis/content.h"
#include "analysis/words.h"

#define IDIOM_WORDS 16

/* The chunk that is looked at, with its first words. */
struct idiom_chunk {
	const struct subject *subject;
	const struct chunk *chunk;
	uint64_t words[IDIOM_WORDS];
	unsigned count; /* of the words that could be read */
};

struct idiom {
	enum content_kind kind;
	bool owner;		 /* its other chunks refer back to it */
	bool sized;		 /* the phrase takes the usable size of the nodes */
	const char *what, *type; /* `what` is a format with the size of the nodes when .sized */
	/* Whether the chunk is one; adds what is to be told of this one to `detail`, and the usable
	 * size of the nodes to `*nodes`. */
	bool (*matches)(const struct idiom_chunk *chunk, struct words *detail, uint64_t *nodes);
};

/* Reads the words of a chunk. False: not even the first one is there, or the architecture has no
 * idioms. */
bool idiom_look(const struct subject *subject, const struct chunk *chunk, struct idiom_chunk *look);

/* The idiom that the chunk matches, or NULL. `detail` is what matches told of it. */
const struct idiom *idiom_find(const struct idiom_chunk *look, struct words *detail,
			       uint64_t *nodes);

#endif
