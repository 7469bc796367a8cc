/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "heap/glibc/reader.h"

/* The span from the segment's start where that reaches `address`, so that lists which jump back
 * and forth stay in it. */
static bool take_span(struct heap_reader *reader, uint64_t start, uint64_t end, uint64_t address)
{
	const uint8_t *bytes;
	size_t size = address_space_span(reader->space, start, end - start, &bytes);
	if (size < 8 || address - start > size - 8)
		return false;
	reader->span = bytes;
	reader->start = start;
	reader->last = size - 8;
	return true;
}

bool heap_reader_move(struct heap_reader *reader, uint64_t address, uint64_t *value)
{
	const struct segment *segment = address_space_find(reader->space, address);
	if (segment == NULL || segment->origin == SEGMENT_ABSENT)
		return false;
	if (take_span(reader, segment->start, segment->end, address) ||
	    take_span(reader, address, segment->end, address))
		return heap_reader_word(reader, address, value);
	reader->span = NULL;
	return address_space_u64(reader->space, address, value);
}
