/* What a chunk is, judged by what it holds.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORESCAN_ANALYSIS_CONTENT_H
#define CORESCAN_ANALYSIS_CONTENT_H

#include "analysis/orphans.h"

#include <stdio.h>

/* How a structure hangs together, seen while it was walked from its head. */
struct content_shape {
	uint64_t chunks;     /* in the structure */
	uint64_t link_size;  /* usable bytes of the chunks that most links between equals join */
	uint64_t links;	     /* chunks found from a chunk of equal size */
	uint64_t branchings; /* chunks from which two or more chunks of equal size were found */
	bool cyclic;
};

struct content_recogniser;

/* Borrows the subject, whose .modules it needs. NULL: no memory. */
struct content_recogniser *content_recogniser_new(const struct subject *subject);
void content_recogniser_free(struct content_recogniser *recogniser);

/* The kind of `chunk`, head of a structure of `shape`, and in `*what` a phrase in the modules'
 * string pool, or NULL where the phrase depends on the example (CONTENT_TEXT, CONTENT_DATA). */
enum content_kind content_recognise(struct content_recogniser *recogniser,
				    const struct chunk *chunk, const struct content_shape *shape,
				    const char **what);

/* The phrase for an example of CONTENT_TEXT or CONTENT_DATA; never with bytes that a terminal
 * would obey. In the modules' string pool. */
const char *content_example(struct content_recogniser *recogniser, enum content_kind kind,
			    uint64_t address, uint64_t size);

/* Writes up to `most` characters of the text in `bytes`, up to its NUL, as between quotes: what a
 * terminal would obey, or could not show, is escaped. Ends in "…", and returns true, when there was
 * more. */
bool content_quote(FILE *out, const uint8_t *bytes, size_t size, unsigned most);

#endif
