/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "heap/glibc/chain.h"

#include "base/prefetch.h"
#include "base/workers.h"

#define PREFETCH      1024 /* bytes ahead of the walk, which goes faster than memory comes */
#define WORTH_SHARING ((uint64_t)16 << 20) /* bytes */
#define MIDDLE_SOUGHT ((uint64_t)1 << 20)  /* bytes */
#define MIDDLE_CHUNKS 4096		   /* in a row from what looks like a header */
/* That a word of the table's bitmaps is for. */
#define BITMAP_BYTES ((uint64_t)64 * CHUNK_GRANULE)

struct chain chain_new(uint64_t end, bool has_top, bool thread)
{
	return (struct chain){
		.end = end,
		.has_top = has_top,
		.thread = thread,
		.forbidden = 8 | IS_MMAPPED | (thread ? 0 : NON_MAIN_ARENA),
	};
}

/* Whether the header at `at` is the first of the two fenceposts that end a region. */
static bool is_fence(struct heap_reader *reader, const struct chain *chain, uint64_t at,
		     uint64_t head)
{
	uint64_t second;
	uint64_t second_size = chain->thread ? 0 : CHUNK_HEADER;
	return (head & ~(uint64_t)SIZE_FLAGS) == CHUNK_HEADER && (head & IS_MMAPPED) == 0 &&
	       heap_reader_word(reader, at + CHUNK_HEADER + CHUNK_SIZE, &second) &&
	       second == (second_size | PREV_IN_USE);
}

/* In a thread arena's old heap the last chunk may itself be the fencepost, of size 0x20. */
static bool is_closing(const struct chain *chain, uint64_t next, uint64_t head)
{
	return chain->thread && head == PREV_IN_USE && chain->end - next <= CHUNK_MINIMUM;
}

/* Why the chain cannot go on at chain->next, whose size word is `head`; the chunk at chain->at is
 * not counted yet. `*count`: it is a chunk. */
static enum chain_end explain_stop(struct heap_reader *reader, struct chain *chain, uint64_t head,
				   bool *count)
{
	uint64_t second;
	*count = false;
	if (is_fence(reader, chain, chain->next, head)) {
		*count = true;
		return CHAIN_FENCE;
	}
	/* Of two fenceposts the second may be what is not there. */
	chain->absent =
	    (head & ~(uint64_t)SIZE_FLAGS) == CHUNK_HEADER &&
	    !heap_reader_word(reader, chain->next + CHUNK_HEADER + CHUNK_SIZE, &second);
	return is_closing(chain, chain->next, head) ? CHAIN_FENCE : CHAIN_BROKEN;
}

/* Memory of ours, whatever the target says: the address goes through an integer, as it may lie
 * outside of the span. */
static inline void ask_ahead(const struct heap_reader *reader, uint64_t address)
{
	prefetch((const void *)((uintptr_t)reader->span + (address - reader->start)));
}

static inline __attribute__((always_inline)) enum chain_end follow(struct heap_reader *reader,
								   struct chain *chain,
								   struct chunk_table *table,
								   uint32_t region, uint64_t most)
{
	uint64_t head, footer;
	bool count;
	while (most-- > 0) {
		uint64_t size = chain->head & ~(uint64_t)15;
		chain->next = chain->at + size;
		ask_ahead(reader, chain->next + PREFETCH);
		ask_ahead(reader, chain->next + PREFETCH + 64);
		if (__builtin_expect(chain->next == chain->end && !chain->has_top, 0))
			return CHAIN_LIMIT;
		if (!heap_reader_word(reader, chain->next + CHUNK_SIZE, &head)) {
			chain->absent = true;
			return CHAIN_BROKEN;
		}
		if (__builtin_expect(chain->next == chain->end, 0)) {
			chain_take(chain, table, region, head);
			return CHAIN_TOP;
		}
		if (__builtin_expect(!chain_plausible(chain, chain->next, head), 0)) {
			enum chain_end end = explain_stop(reader, chain, head, &count);
			if (count)
				chain_take(chain, table, region, head);
			return end;
		}
		if ((head & PREV_IN_USE) == 0 &&
		    (!heap_reader_word(reader, chain->next, &footer) || footer != size) &&
		    chain->wrong_footer == 0)
			chain->wrong_footer = chain->at;
		chain_take(chain, table, region, head);
	}
	return CHAIN_LONG;
}

enum chain_end chain_follow(struct heap_reader *reader, struct chain *chain,
			    struct chunk_table *table, uint32_t region, uint64_t most)
{
	return table != NULL ? follow(reader, chain, table, region, most)
			     : follow(reader, chain, NULL, 0, most);
}

bool chain_begin(struct heap_reader *reader, struct chain *chain, uint64_t start)
{
	chain->at = start;
	chain->next = start;
	chain->absent = !heap_reader_word(reader, start + CHUNK_SIZE, &chain->head);
	return !chain->absent && chain_plausible(chain, start, chain->head);
}

/* --- two threads */

/* The part behind the middle. */
struct upper_part {
	struct heap_reader reader;
	struct chain chain;
	struct chunk_table *table;
	uint32_t region;
	enum chain_end end;
};

static void *follow_upper(void *argument)
{
	struct upper_part *part = argument;
	part->end =
	    chain_follow(&part->reader, &part->chain, part->table, part->region, UINT64_MAX);
	return NULL;
}

/* Goes on to the first chunk at or behind `bound` that follows one in use: whether a free one
 * before it is whole is not asked where the parts meet. */
static bool go_on_to(struct upper_part *upper, struct chain *chain, uint64_t bound)
{
	while (chain->at < bound || (chain->head & PREV_IN_USE) == 0)
		if (chain_follow(&upper->reader, chain, NULL, 0, 1) != CHAIN_LONG)
			return false;
	return true;
}

/* Puts `upper`, whose chain is the whole one, onto what looks like the first header at or behind
 * `bound`. */
static bool find_middle(struct upper_part *upper, uint64_t bound)
{
	const struct chain whole = upper->chain;
	for (uint64_t at = bound - BITMAP_BYTES; at < bound + MIDDLE_SOUGHT; at += CHUNK_GRANULE) {
		struct chain chain = chain_new(whole.end, whole.has_top, whole.thread);
		struct chain longer = chain;
		if (chain_begin(&upper->reader, &longer, at) &&
		    chain_follow(&upper->reader, &longer, NULL, 0, MIDDLE_CHUNKS) == CHAIN_LONG)
			return chain_begin(&upper->reader, &chain, at) &&
			       go_on_to(upper, &chain, bound) &&
			       chain_begin(&upper->reader, &upper->chain, chain.at);
	}
	return false;
}

/* What the whole chain is once its lower part has come to where the upper one began. */
static void join(struct chain *lower, const struct chain *upper)
{
	struct chain whole = *upper;
	whole.chunks += lower->chunks;
	whole.bytes += lower->bytes;
	whole.used_chunks += lower->used_chunks;
	whole.used_bytes += lower->used_bytes;
	whole.wrong_arena += lower->wrong_arena;
	if (lower->wrong_footer != 0)
		whole.wrong_footer = lower->wrong_footer;
	*lower = whole;
}

enum chain_end chain_follow_region(struct heap_reader *reader, struct chain *chain,
				   struct chunk_table *table, uint32_t region)
{
	const uint64_t start = chain->at, user = start + CHUNK_HEADER;
	const uint64_t half = (chain->end - start) / 2 / BITMAP_BYTES * BITMAP_BYTES;
	struct upper_part parts[2] = { 0 }, *upper = &parts[1];
	struct workers workers;
	*upper = (struct upper_part){ *reader, *chain, table, region, CHAIN_BROKEN };
	/* The two must not write to the same word of the bitmaps. */
	const uint64_t bound = start + half + chunk_table_bytes_to_word(table, region, user + half);
	if (chain->end - start < WORTH_SHARING || workers_available() < 2 ||
	    !find_middle(upper, bound))
		return chain_follow(reader, chain, table, region, UINT64_MAX);
	struct chain lower = *chain;
	lower.end = upper->chain.at;
	lower.has_top = true;
	workers_start(&workers, follow_upper, parts, sizeof *parts, 2);
	const enum chain_end end = chain_follow(reader, &lower, table, region, UINT64_MAX);
	const bool shared = workers.started == 1;
	workers_join(&workers);
	if (shared && end == CHAIN_TOP) {
		join(&lower, &upper->chain);
		*chain = lower;
		return upper->end;
	}
	chunk_table_empty(table, region);
	return chain_follow(reader, chain, table, region, UINT64_MAX);
}
