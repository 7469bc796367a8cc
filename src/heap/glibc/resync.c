/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "heap/glibc/chain.h"

#define PAGE		4096
#define CHAIN_ENOUGH	((uint64_t)1 << 16) /* chunks in a row that are no accident */
#define CHUNKS_EXAMINED 64		    /* of a guess, for evidence against it */
#define STRICT_AT_MOST	((uint64_t)1 << 20) /* bytes behind the damage: nearby */

/* Follows a guess, within what is left of the bound on all guesses. */
static enum chain_end try_guess(struct glibc_walk *walk, struct chain *chain, uint64_t start,
				uint64_t most)
{
	if (!chain_begin(&walk->reader, chain, start))
		return CHAIN_BROKEN;
	bool bounded = most > walk->guesses_left;
	enum chain_end end =
	    chain_follow(&walk->reader, chain, NULL, 0, bounded ? walk->guesses_left : most);
	walk->guesses_left -=
	    chain->chunks < walk->guesses_left ? chain->chunks : walk->guesses_left;
	if (bounded && end == CHAIN_LONG) {
		gaps_add(walk->gaps, GAP_LIMIT, 0, 0,
			 "The search for intact chunks behind damaged ones was ended at its bound");
		return CHAIN_BROKEN;
	}
	return end;
}

enum chain_end glibc_chain(struct glibc_walk *walk, uint64_t start, uint64_t limit, uint64_t top,
			   uint64_t most, uint64_t *end, uint64_t *chunks)
{
	bool has_top = top > start && top < limit;
	struct chain chain = chain_new(has_top ? top : limit, has_top, false);
	enum chain_end result = start == top ? CHAIN_TOP : try_guess(walk, &chain, start, most);
	*end = start == top ? top : chain.at;
	*chunks = chain.chunks;
	return result == CHAIN_BROKEN && chain.absent ? CHAIN_ABSENT : result;
}

bool glibc_leads_on(struct glibc_walk *walk, uint64_t start, uint64_t end, bool thread)
{
	struct chain chain = chain_new(end, false, thread);
	return try_guess(walk, &chain, start, UINT64_MAX) == CHAIN_LIMIT && chain.chunks > 0;
}

bool glibc_is_linked(struct glibc_walk *walk, uint64_t header)
{
	uint64_t forward, back, from_forward, from_back;
	return heap_reader_word(&walk->reader, header + 16, &forward) &&
	       heap_reader_word(&walk->reader, header + 24, &back) && forward <= UINT64_MAX - 32 &&
	       back <= UINT64_MAX - 32 &&
	       address_space_u64(walk->space, forward + 24, &from_forward) &&
	       address_space_u64(walk->space, back + 16, &from_back) && from_forward == header &&
	       from_back == header;
}

/* Whether what lies at `at` speaks against a header: what it says of the chunk before it cannot
 * be, or one of the first free chunks that it leads to is in no list. Stale headers, which damaged
 * or freed memory is full of, mostly fail here. */
static bool is_refuted(struct glibc_walk *walk, uint64_t at, const struct chain *broken)
{
	uint64_t head, next, size;
	if (!heap_reader_word(&walk->reader, at + CHUNK_SIZE, &head))
		return true;
	if ((head & PREV_IN_USE) == 0 &&
	    (!heap_reader_word(&walk->reader, at, &size) || size % 16 != 0 ||
	     size < CHUNK_MINIMUM || size > at - broken->at || !glibc_is_linked(walk, at - size)))
		return true;
	for (unsigned i = 0; i < CHUNKS_EXAMINED; i++) {
		next = at + (head & ~(uint64_t)15);
		if (next <= at || next >= broken->end ||
		    !heap_reader_word(&walk->reader, next + CHUNK_SIZE, &head))
			return false;
		if ((head & PREV_IN_USE) == 0 && !glibc_is_linked(walk, at))
			return true;
		at = next;
	}
	return false;
}

/* The first header at or after `from` from which a chain leads to the end, or on for long. 0: none.
 * With a footer that does not repeat its chunk's size a guess is none. `strict`: nor with other
 * evidence against it. */
static uint64_t search_header(struct glibc_walk *walk, uint64_t from, const struct chain *broken,
			      bool strict)
{
	uint64_t end = broken->end;
	if (strict && end > from && end - from > STRICT_AT_MOST)
		end = from + STRICT_AT_MOST;
	for (uint64_t at = (from + 15) & ~(uint64_t)15; at < end; at += 16) {
		uint64_t head;
		if (!heap_reader_word(&walk->reader, at + CHUNK_SIZE, &head)) {
			at = (at | (PAGE - 1)) - 15;
			continue;
		}
		if (head < CHUNK_MINIMUM || (head & (8 | IS_MMAPPED)) != 0)
			continue;
		struct chain chain = chain_new(broken->end, broken->has_top, broken->thread);
		if (try_guess(walk, &chain, at, CHAIN_ENOUGH) != CHAIN_BROKEN && chain.chunks > 0 &&
		    chain.wrong_footer == 0 && !(strict && is_refuted(walk, at, broken)))
			return at;
	}
	return broken->has_top && !strict ? broken->end : 0;
}

uint64_t glibc_resynchronise(struct glibc_walk *walk, uint64_t from, const struct chain *broken)
{
	uint64_t strict = search_header(walk, from, broken, true);
	return strict != 0 ? strict : search_header(walk, from, broken, false);
}
