/* A chain of chunks: from header to header by the sizes in them.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORESCAN_HEAP_GLIBC_CHAIN_H
#define CORESCAN_HEAP_GLIBC_CHAIN_H

#include "heap/glibc/glibc.h"

/* A chain of chunks under way. */
struct chain {
	uint64_t at;   /* header of the chunk that it has come to; its head is plausible */
	uint64_t head; /* its size word */
	uint64_t next; /* when broken: where .at leads */
	uint64_t end;  /* header of top, or the end of the memory */
	bool has_top;
	bool thread;	    /* of a thread arena */
	bool absent;	    /* broken because .next is not there */
	uint64_t forbidden; /* bits that no size word here has */
	uint64_t chunks, bytes, used_chunks, used_bytes;
	uint64_t wrong_arena;  /* chunks whose NON_MAIN_ARENA bit is not this arena's */
	uint64_t wrong_footer; /* address of the first free chunk whose size is not repeated */
};

/* A chain that ends at `end`, with nothing behind it yet. */
struct chain chain_new(uint64_t end, bool has_top, bool thread);

/* Puts the chain onto its first header. False: there is none. */
bool chain_begin(struct heap_reader *reader, struct chain *chain, uint64_t start);

/* Follows the chain for up to `most` chunks, adding them to `table` unless it is NULL. Afterwards
 * chain->at is top, or the fencepost, or (limit, broken) the last chunk, which was not added. */
enum chain_end chain_follow(struct heap_reader *reader, struct chain *chain,
			    struct chunk_table *table, uint32_t region, uint64_t most);

/* Follows a chain that was begun at the start of `region`, which has room up to chain->end, adding
 * its chunks to the table. A long one is followed by two threads: one of them begins at what looks
 * like a header in its middle. That counts only when the other comes to just there, so the result
 * is that of one. */
enum chain_end chain_follow_region(struct heap_reader *reader, struct chain *chain,
				   struct chunk_table *table, uint32_t region);

/* resync.c: where intact chunks go on, after damage, at or after `from`: the first place nearby
 * that no evidence speaks against; else, as what is damaged further on may spoil the evidence, the
 * first place at all. 0: nowhere. */
uint64_t glibc_resynchronise(struct glibc_walk *walk, uint64_t from, const struct chain *broken);

/* Whether the free chunk at `header` stands between its neighbours in a list. */
bool glibc_is_linked(struct glibc_walk *walk, uint64_t header);

/* Whether a size word may be that of the chunk at `at`. */
static inline bool chain_plausible(const struct chain *chain, uint64_t at, uint64_t head)
{
	uint64_t size = head & ~(uint64_t)15;
	return (head & chain->forbidden) == 0 && size >= CHUNK_MINIMUM && size <= chain->end - at;
}

/* Notes the chunk at chain->at and goes on to the one at chain->next, whose size word is
 * `next_head`. */
static inline __attribute__((always_inline)) void chain_take(struct chain *chain,
							     struct chunk_table *table,
							     uint32_t region, uint64_t next_head)
{
	uint64_t used = next_head & PREV_IN_USE;
	uint64_t size = chain->head & ~(uint64_t)15;
	if (table != NULL)
		chunk_table_add(table, region, chain->at + CHUNK_HEADER, used != 0);
	chain->chunks++;
	chain->bytes += size;
	chain->used_chunks += used;
	chain->used_bytes += size & -used;
	chain->wrong_arena += used & (chain->head / NON_MAIN_ARENA ^ (uint64_t)chain->thread);
	chain->at = chain->next;
	chain->head = next_head;
}

#endif
