/* Chunks that lie in what another's size covers. A size that was overwritten so that the walk still
 * comes to a header contradicts nothing by itself: but what it covers may still be known, by a free
 * list, or by a variable that points to it, and has its own header there, from which a chain leads
 * to the same end.
 *
 * A header may also be left over from a chunk that was free when this one was given its memory:
 * then what lies behind it are the links that it had in a list, unless the program has written
 * there.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "heap/glibc/glibc.h"

#include <inttypes.h>
#include <stdio.h>

#define CHAIN_MOST	4096		     /* chunks that one may cover */
#define SCANNED_AT_MOST ((uint64_t)64 << 20) /* bytes of modules' data */
#define NAMED_AT_MOST	8

/* Whether a header lies right before `user`, in the middle of the chunk, from which a chain leads
 * exactly to the chunk's end. */
static bool has_header(struct glibc_walk *walk, const struct chunk *chunk, uint64_t user)
{
	const uint64_t end = chunk->address + chunk->size + CHUNK_TRAILER - CHUNK_HEADER;
	const bool thread = walk->heap->arenas.items[chunk->region->arena].kind == ARENA_THREAD;
	const uint64_t flags = PREV_IN_USE | (thread ? NON_MAIN_ARENA : 0);
	uint64_t at = user - CHUNK_HEADER, head;
	if (user % CHUNK_GRANULE != 0 || user - chunk->address < CHUNK_MINIMUM ||
	    chunk->region->single)
		return false;
	for (unsigned i = 0; i < CHAIN_MOST && at < end; i++) {
		if (!heap_reader_word(&walk->reader, at + CHUNK_SIZE, &head) ||
		    (head & 15) != flags || (head & ~(uint64_t)15) < CHUNK_MINIMUM ||
		    (head & ~(uint64_t)15) > end - at)
			return false;
		at += head & ~(uint64_t)15;
	}
	return at == end;
}

static bool is_arenas(const struct glibc_walk *walk, uint64_t address)
{
	for (size_t i = 0; i < walk->copies.count; i++)
		for (size_t j = 0; j < walk->copies.items[i].arenas.count; j++)
			if (address - walk->copies.items[i].arenas.items[j].address <
			    walk->copies.items[i].layout.state.size)
				return true;
	return false;
}

/* Whether the first words at `user` are, or were, links of a free list. */
static bool was_listed(struct glibc_walk *walk, uint64_t user)
{
	uint64_t words[2];
	struct chunk chunk;
	for (unsigned i = 0; i < 2; i++)
		if (!heap_reader_word(&walk->reader, user + i * 8ULL, &words[i]))
			return true;
	const uint64_t link = glibc_link(walk, user, words[0]);
	for (unsigned i = 0; i < 2; i++)
		if (is_arenas(walk, words[i]) ||
		    (words[i] <= UINT64_MAX - CHUNK_HEADER && words[i] % CHUNK_GRANULE == 0 &&
		     chunk_table_find(walk->heap->chunks, words[i] + CHUNK_HEADER, &chunk) &&
		     chunk.address == words[i] + CHUNK_HEADER))
			return true;
	/* 0: memory that nothing was written to, as far as is known. */
	return words[0] == 0 || link == 0 || (words[1] != 0 && words[1] == walk->tcache_key) ||
	       (link % CHUNK_GRANULE == 0 && chunk_table_find(walk->heap->chunks, link, &chunk));
}

static void tell(struct glibc_walk *walk, const struct chunk *chunk, uint64_t user, bool in_flux,
		 const char *who)
{
	const uint64_t header = chunk->address - CHUNK_HEADER;
	struct glibc_place place = glibc_at(
	    HEAP_DAMAGED_SIZE, chunk->region->arena, chunk->address, header + CHUNK_SIZE,
	    string_pool_format(walk->strings, "0x%" PRIx64 ", and flags", user - chunk->address));
	place.in_flux = in_flux;
	if (!glibc_has_finding(walk, HEAP_DAMAGED_SIZE, chunk->address))
		glibc_finding(walk, &place,
			      "the size of the chunk at 0x%" PRIx64 " covers another, at 0x%" PRIx64
			      ": that has a header, from which a chain leads to the same end, and "
			      "%s leads to it",
			      chunk->address, user, who);
}

bool glibc_tell_covered(struct glibc_walk *walk, uint64_t user, bool in_flux, const char *who)
{
	struct chunk chunk;
	if (!chunk_table_find(walk->heap->chunks, user, &chunk) || chunk.address == user ||
	    !has_header(walk, &chunk, user))
		return false;
	tell(walk, &chunk, user, in_flux, who);
	return true;
}

/* The words of a module's data that point to what another chunk covers. */
static bool scan_span(struct glibc_walk *walk, uint64_t start, const uint8_t *bytes, size_t size,
		      unsigned *named)
{
	char variable[64];
	struct chunk chunk;
	for (size_t i = 0; i + 8 <= size; i += 8) {
		uint64_t word;
		memcpy(&word, bytes + i, sizeof word);
		if (walk->reader.swap)
			word = __builtin_bswap64(word);
		if (word % CHUNK_GRANULE != 0 || word == 0 ||
		    !chunk_table_find(walk->heap->chunks, word, &chunk) || !chunk.used ||
		    chunk.address == word || !has_header(walk, &chunk, word) ||
		    was_listed(walk, word) ||
		    glibc_has_finding(walk, HEAP_DAMAGED_SIZE, chunk.address))
			continue;
		snprintf(variable, sizeof variable, "the variable at 0x%" PRIx64, start + i);
		tell(walk, &chunk, word, false, variable);
		if (++*named == NAMED_AT_MOST)
			return false;
	}
	return true;
}

void glibc_find_covered(struct glibc_walk *walk)
{
	size_t count;
	unsigned named = 0;
	uint64_t left = SCANNED_AT_MOST;
	const struct segment *segments = address_space_segments(walk->space, &count);
	for (size_t i = 0; i < count; i++) {
		const struct segment *segment = &segments[i];
		if (segment->origin == SEGMENT_ABSENT || segment->shared ||
		    !segment->permissions_known || (segment->permissions & SEGMENT_WRITE) == 0 ||
		    modules_find(walk->context->modules, segment->start) == NULL)
			continue;
		for (uint64_t at = segment->start; at < segment->end && left > 0;) {
			const uint8_t *bytes;
			const uint64_t want = segment->end - at < left ? segment->end - at : left;
			const size_t got = address_space_span(walk->space, at, want, &bytes);
			if (got == 0)
				break;
			if (!scan_span(walk, at, bytes, got & ~(size_t)7, &named))
				return;
			left -= got;
			at += got;
		}
	}
}
