/* What a chunk is, judged by what it holds.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORESCAN_ANALYSIS_CONTENT_H
#define CORESCAN_ANALYSIS_CONTENT_H

#include "analysis/orphans.h"

/* How a structure hangs together, seen while it was walked from its head. A link joins a chunk to
 * an equal one, of the same size, that was found from it; there is one less than there are equals.
 */
struct content_shape {
	uint64_t chunks;    /* in the structure */
	uint64_t link_size; /* usable bytes of the chunks that most links join */
	uint64_t links;
	uint64_t back_links;   /* pointers to an equal chunk that had been found before */
	uint64_t branchings;   /* chunks from which two or more equals were found */
	uint64_t branches_max; /* the most equals found from one chunk */
	bool cyclic;
};

struct content {
	enum content_kind kind;
	const char *what; /* a phrase; NULL where it is all in the example (TEXT, DATA) */
	const char *type; /* the same without sizes: "list", "text" */
};

struct content_recogniser;

/* Borrows the subject, whose .modules it needs. NULL: no memory. */
struct content_recogniser *content_recogniser_new(const struct subject *subject);
void content_recogniser_free(struct content_recogniser *recogniser);

/* Another one for another thread, while both recognise; freed before the first one. */
struct content_recogniser *content_recogniser_sibling(struct content_recogniser *recogniser);

/* What `chunk` is, the head of a structure of `shape`. The phrases are in the modules' string
 * pool. */
void content_recognise(struct content_recogniser *recogniser, const struct chunk *chunk,
		       const struct content_shape *shape, struct content *content);

/* "list of 24-byte nodes", "single 152-byte chunk", "structure of 3 chunks": the shape alone, with
 * a head of `size` usable bytes. In the modules' string pool. */
const char *content_shape_phrase(struct content_recogniser *recogniser,
				 const struct content_shape *shape, uint64_t size);

/* Whether the chunk is a container whose other chunks refer back to it. */
bool content_is_owner(struct content_recogniser *recogniser, const struct chunk *chunk);

/* The phrase for an example of `content`: of TEXT and DATA what the chunk begins with, of others
 * .what with what is to be told of this one: "FILE (fd 5)". `several`: it stands for others, too.
 * Never with bytes that a terminal would obey. In the modules' string pool. */
const char *content_example(struct content_recogniser *recogniser, const struct content *content,
			    const struct chunk *chunk, bool several);

/* What a chunk is by itself, whatever it leads to. In the modules' string pool. */
const char *content_alone(struct content_recogniser *recogniser, const struct chunk *chunk,
			  enum content_kind *kind);

#endif
