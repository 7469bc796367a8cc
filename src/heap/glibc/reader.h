/* Words of the target's memory through one borrowed span at a time, so that a walk costs no call
 * for each word.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORESCAN_HEAP_GLIBC_READER_H
#define CORESCAN_HEAP_GLIBC_READER_H

#include "target/address_space.h"

#include <string.h>

struct heap_reader {
	struct address_space *space;
	bool swap;	     /* the target's byte order is not ours */
	uint64_t start;	     /* of the span */
	uint64_t last;	     /* offset of the last whole word in it */
	const uint8_t *span; /* NULL: none yet */
};

/* Moves the span so that it holds the word at `address`. False when the word is absent. A word
 * that lies in two spans ends up in `*value` and leaves the reader without a span. */
bool heap_reader_move(struct heap_reader *reader, uint64_t address, uint64_t *value);

/* The word at `address`, or false where the target has none. */
static inline bool heap_reader_word(struct heap_reader *reader, uint64_t address, uint64_t *value)
{
	uint64_t offset = address - reader->start;
	if (__builtin_expect(reader->span == NULL || offset > reader->last, 0))
		return heap_reader_move(reader, address, value);
	uint64_t word;
	memcpy(&word, reader->span + offset, sizeof word);
	*value = reader->swap ? __builtin_bswap64(word) : word;
	return true;
}

#endif
