/* Pointers in a chunk that is to be recognised: how many, and to what.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORESCAN_ANALYSIS_CONTENT_POINTERS_H
#define CORESCAN_ANALYSIS_CONTENT_POINTERS_H

#include "analysis/subject.h"

#define CONTENT_EXAMINED_BYTES 4096 /* of a chunk, for text and pointers */

struct content_pointers {
	uint64_t words, pointers; /* that are not zero; of these, into chunks in use */
	uint64_t target_size;	  /* of the chunks pointed to; 0: of different sizes */
};

struct content_pointers content_pointers_count(const struct subject *subject,
					       const struct chunk *chunk);

/* Where many chunks are recognised, their memory comes too late unless it is asked for: the first
 * bytes of the chunk at `address`; and a while later what is to be known of the chunks that these
 * point to. */
void content_pointers_ask(const struct subject *subject, uint64_t address);
void content_pointers_ask_targets(const struct subject *subject, uint64_t address, uint64_t size);

#endif
