/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "heap/glibc/glibc.h"

#include <inttypes.h>

#define FORWARD	       16 /* offset of fd in a free chunk, from its header */
#define BACK	       24
#define UNLISTED_NAMED 4

/* The lists of one arena under way. */
struct bin_walk {
	struct glibc_walk *walk;
	const struct malloc_arena *arena;
	uint64_t listed; /* free chunks that were found in the bins */
};

/* The chunk with its header at `header`, if it is one of this arena's. */
static bool chunk_of_arena(const struct bin_walk *state, uint64_t header, struct chunk *chunk)
{
	return header % 16 == 0 &&
	       chunk_table_find(state->walk->heap->chunks, header + CHUNK_HEADER, chunk) &&
	       chunk->address == header + CHUNK_HEADER &&
	       chunk->region->arena == state->arena->index;
}

/* Follows one bin. A free chunk is in no two lists, so the marks also end every cycle. */
static void walk_bin(struct bin_walk *state, unsigned number, uint64_t links)
{
	struct glibc_walk *walk = state->walk;
	uint32_t index = state->arena->index;
	uint64_t bin = links - FORWARD, previous = bin, at, back;
	struct chunk chunk;
	if (!address_space_u64(walk->space, links, &at) || at == 0)
		return;
	while (at != bin) {
		if (!chunk_of_arena(state, at, &chunk)) {
			glibc_finding(walk, index, previous + FORWARD,
				      "bin %u leads from 0x%" PRIx64 " to 0x%" PRIx64
				      ", where no chunk of the arena begins",
				      number, previous, at);
			return;
		}
		if (glibc_mark_listed(walk, chunk.number)) {
			glibc_finding(walk, index, chunk.address,
				      "bin %u comes twice to the free chunk at 0x%" PRIx64, number,
				      chunk.address);
			return;
		}
		if (chunk.used) {
			glibc_finding(walk, index, chunk.address,
				      "the chunk at 0x%" PRIx64
				      " is in bin %u, but its neighbour says that it is in use",
				      chunk.address, number);
			glibc_set_free(walk, &chunk);
		}
		state->listed++;
		if (!heap_reader_word(&walk->reader, at + BACK, &back) || back != previous)
			glibc_finding(walk, index, chunk.address,
				      "the free chunk at 0x%" PRIx64
				      " in bin %u does not lead back to 0x%" PRIx64,
				      chunk.address, number, previous);
		previous = at;
		if (!heap_reader_word(&walk->reader, at + FORWARD, &at))
			return;
	}
}

/* Names the free chunks of a region that no bin holds. Returns how many there are. */
static uint64_t name_unlisted(struct bin_walk *state, const struct chunk_region *region,
			      uint64_t said)
{
	struct glibc_walk *walk = state->walk;
	const uint64_t *starts = chunk_table_start_bits(walk->heap->chunks);
	const uint64_t *used = chunk_table_used_bits(walk->heap->chunks);
	uint64_t first = region->first_granule;
	uint64_t last = first + (region->end - region->start) / CHUNK_GRANULE;
	uint64_t count = 0;
	struct chunk chunk;
	for (uint64_t word = first / 64; word * 64 < last; word++) {
		uint64_t bits = starts[word] & ~used[word] & ~walk->listed[word];
		for (; bits != 0; bits &= bits - 1) {
			uint64_t number = word * 64 + (unsigned)__builtin_ctzll(bits);
			if (number < first || number >= last)
				continue;
			if (said + count++ < UNLISTED_NAMED &&
			    chunk_table_numbered(walk->heap->chunks, number, &chunk))
				glibc_finding(walk, state->arena->index, chunk.address,
					      "the free chunk at 0x%" PRIx64 " (%" PRIu64
					      " usable bytes) is in no bin",
					      chunk.address, chunk.size);
		}
	}
	return count;
}

static void find_unlisted(struct bin_walk *state)
{
	struct glibc_walk *walk = state->walk;
	size_t count;
	const struct chunk_region *regions = chunk_table_regions(walk->heap->chunks, &count);
	uint64_t unlisted = 0;
	for (size_t i = 0; i < count; i++)
		if (regions[i].arena == state->arena->index && !regions[i].single)
			unlisted += name_unlisted(state, &regions[i], unlisted);
	if (unlisted > UNLISTED_NAMED)
		glibc_finding(walk, state->arena->index, state->arena->address,
			      "%" PRIu64 " free chunks are in no bin", unlisted);
}

static void walk_fastbin(struct bin_walk *state, unsigned number, uint64_t head)
{
	struct glibc_walk *walk = state->walk;
	uint64_t at, stored;
	struct chunk chunk;
	if (!address_space_u64(walk->space, head, &at))
		return;
	while (at != 0) {
		if (!chunk_of_arena(state, at, &chunk)) {
			glibc_finding(walk, state->arena->index, head,
				      "fastbin %u leads to 0x%" PRIx64
				      ", where no chunk of the arena begins",
				      number, at);
			return;
		}
		if (glibc_mark_listed(walk, chunk.number)) {
			glibc_finding(walk, state->arena->index, chunk.address,
				      "fastbin %u comes to the chunk at 0x%" PRIx64
				      ", which is free already",
				      number, chunk.address);
			return;
		}
		glibc_set_free(walk, &chunk);
		if (!heap_reader_word(&walk->reader, at + FORWARD, &stored))
			return;
		at = glibc_link(walk, at + FORWARD, stored);
	}
}

void glibc_read_bins(struct glibc_walk *walk, const struct malloc_copy *copy,
		     const struct malloc_arena *arena)
{
	struct bin_walk state = { .walk = walk, .arena = arena };
	const struct heap_arena *row = &walk->heap->arenas.items[arena->index];
	const struct state_layout *layout = &copy->layout.state;
	uint64_t free_chunks = row->free_chunks;
	if (arena->segments.count == 0)
		return;
	for (unsigned bin = 0; bin < MALLOC_BINS; bin++)
		walk_bin(&state, bin + 1, arena->address + layout->bins + (uint64_t)bin * 16);
	if (state.listed != free_chunks)
		find_unlisted(&state);
}

void glibc_vote_by_fastbins(struct glibc_walk *walk, const struct malloc_copy *copy,
			    const struct malloc_arena *arena)
{
	const struct state_layout *layout = &copy->layout.state;
	if (layout->fastbins == MALLOC_NO_FIELD || arena->segments.count == 0)
		return;
	for (unsigned bin = 0; bin < layout->fastbin_count; bin++) {
		uint64_t head;
		if (address_space_u64(walk->space,
				      arena->address + layout->fastbins + (uint64_t)bin * 8,
				      &head) &&
		    head != 0)
			glibc_vote_on_links(walk, head + CHUNK_HEADER);
	}
}

void glibc_read_fastbins(struct glibc_walk *walk, const struct malloc_copy *copy,
			 const struct malloc_arena *arena)
{
	struct bin_walk state = { .walk = walk, .arena = arena };
	const struct state_layout *layout = &copy->layout.state;
	if (layout->fastbins == MALLOC_NO_FIELD || arena->segments.count == 0)
		return;
	for (unsigned bin = 0; bin < layout->fastbin_count; bin++)
		walk_fastbin(&state, bin, arena->address + layout->fastbins + (uint64_t)bin * 8);
}

/* A cached chunk's link as a vote: 1 for mangled, -1 for plain, 0 for neither. `user` is its user
 * address, where the link lies. */
static int link_vote(struct glibc_walk *walk, uint64_t user)
{
	uint64_t stored;
	struct chunk chunk;
	if (user % 16 != 0 || !chunk_table_find(walk->heap->chunks, user, &chunk) ||
	    chunk.address != user || !heap_reader_word(&walk->reader, user, &stored))
		return 0;
	if (stored == 0)
		return -1;
	uint64_t decoded = stored ^ (user >> 12);
	if (decoded == 0 || chunk_table_find(walk->heap->chunks, decoded, &chunk))
		return 1;
	return chunk_table_find(walk->heap->chunks, stored, &chunk) ? -1 : 0;
}

void glibc_vote_on_links(struct glibc_walk *walk, uint64_t user)
{
	int vote = link_vote(walk, user);
	walk->link_votes += vote;
	walk->links_are_mangled = walk->link_votes > 0;
}
