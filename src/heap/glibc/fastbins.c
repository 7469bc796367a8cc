/* Chunks in the arenas' fastbins, and what their links tell of how links are stored.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "heap/glibc/glibc.h"

#define FASTBIN_LARGEST 0x80 /* of their chunks, unless mallopt raised it */

/* Whether what lies in the chunk in use may be the link of one in a fastbin: its end, or another
 * chunk of its size. */
static bool may_be_listed(struct glibc_walk *walk, const struct chunk *chunk)
{
	uint64_t stored;
	struct chunk next;
	if (!heap_reader_word(&walk->reader, chunk->address, &stored))
		return false;
	const uint64_t link = glibc_link(walk, chunk->address, stored);
	return link == 0 || (link % CHUNK_GRANULE == 0 && link <= UINT64_MAX - CHUNK_HEADER &&
			     chunk_table_find(walk->heap->chunks, link + CHUNK_HEADER, &next) &&
			     next.address == link + CHUNK_HEADER && next.size == chunk->size);
}

/* Where fastbins are overwritten: those of the arena's chunks that may be in one are doubted, as
 * nothing leads to them, but they are no orphans. */
static void doubt_listed(struct glibc_walk *walk, const struct malloc_arena *arena,
			 uint64_t smallest, uint64_t largest)
{
	struct chunk chunk;
	for (uint64_t at = 0; chunk_table_next(walk->heap->chunks, at, &chunk);
	     at = chunk.address + 1) {
		const uint64_t size = chunk.size + CHUNK_TRAILER;
		struct heap_doubt doubt = { chunk.address, chunk.address + chunk.size,
					    HEAP_DOUBT_STATE };
		if (chunk.region->arena == arena->index && chunk.used && size >= smallest &&
		    size <= largest && may_be_listed(walk, &chunk) &&
		    !array_push(&walk->heap->doubted, doubt))
			walk->no_memory = true;
	}
}

static void walk_fastbin(struct glibc_walk *walk, const struct malloc_arena *arena, unsigned number,
			 uint64_t head)
{
	const struct glibc_free_list list = {
		.name = "fastbin",
		.number = number,
		.owner = arena->address,
		.arena = arena->index,
		.smallest = CHUNK_MINIMUM + number * 16ULL,
		.largest = CHUNK_MINIMUM + number * 16ULL,
		.header = CHUNK_HEADER,
	};
	uint64_t at;
	bool broken = false;
	if (address_space_u64(walk->space, head, &at))
		glibc_walk_free_list(walk, &list, head, at, &broken);
	if (broken)
		doubt_listed(walk, arena, list.smallest, list.largest);
}

void glibc_vote_by_fastbins(struct glibc_walk *walk, const struct malloc_copy *copy,
			    const struct malloc_arena *arena)
{
	const struct state_layout *layout = &copy->layout.state;
	if (layout->fastbins == MALLOC_NO_FIELD || arena->segments.count == 0 ||
	    arena->is_overwritten)
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
	const struct state_layout *layout = &copy->layout.state;
	if (layout->fastbins == MALLOC_NO_FIELD || arena->segments.count == 0)
		return;
	if (arena->is_overwritten) {
		doubt_listed(walk, arena, CHUNK_MINIMUM, FASTBIN_LARGEST);
		return;
	}
	for (unsigned bin = 0; bin < layout->fastbin_count; bin++)
		walk_fastbin(walk, arena, bin,
			     arena->address + layout->fastbins + (uint64_t)bin * 8);
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
