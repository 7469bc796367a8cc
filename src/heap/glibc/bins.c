/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "heap/glibc/glibc.h"

#include <inttypes.h>
#include <stdio.h>

#define FORWARD	       16 /* offset of fd in a free chunk, from its header */
#define BACK	       24
#define FORWARD_SIZE   32 /* fd_nextsize */
#define BACK_SIZE      40
#define UNLISTED_NAMED 4
#define FIRST_SMALL    2 /* bin 1 is the unsorted one */
#define FIRST_LARGE    64
#define LAST_BIN       126
#define LARGE_SIZE     1024
#define STATE_SIZE_MAX 65536

/* The lists of one arena under way. */
struct bin_walk {
	struct glibc_walk *walk;
	const struct malloc_arena *arena;
	uint64_t listed; /* free chunks that were found in the bins */
	bool incomplete; /* a list led through memory that is not there, or could not be walked */
};

/* The chunk with its header at `header`, if it is one of this arena's. */
static bool chunk_of_arena(const struct bin_walk *state, uint64_t header, struct chunk *chunk)
{
	return header % 16 == 0 &&
	       chunk_table_find(state->walk->heap->chunks, header + CHUNK_HEADER, chunk) &&
	       chunk->address == header + CHUNK_HEADER &&
	       chunk->region->arena == state->arena->index;
}

/* The place of a finding of this arena. */
static struct glibc_place place(const struct bin_walk *state, enum heap_finding_kind kind,
				uint64_t address, uint64_t word, const char *expected)
{
	return glibc_at(kind, state->arena->index, address, word, expected);
}

/* Whether a bin may hold chunks of `size` bytes: the first holds any, the small ones one size
 * each, the large ones a range, which grows eightfold. */
static bool fits_bin(unsigned number, uint64_t size)
{
	static const struct {
		unsigned shift, most, base;
	} ranges[] = {
		{ 6, 48, 48 }, { 9, 20, 91 }, { 12, 10, 110 }, { 15, 4, 119 }, { 18, 2, 124 }
	};
	if (number < FIRST_SMALL)
		return true;
	if (size < LARGE_SIZE)
		return size / 16 == number;
	for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++)
		if (size >> ranges[i].shift <= ranges[i].most)
			return number == ranges[i].base + (size >> ranges[i].shift);
	return number == LAST_BIN;
}

/* The links between chunks of different sizes in a large bin: the first chunk of each size has
 * them. */
static void check_size_links(const struct bin_walk *state, const struct chunk *chunk)
{
	struct glibc_walk *walk = state->walk;
	uint64_t header = chunk->address - CHUNK_HEADER, link, back;
	struct chunk next;
	if (!heap_reader_word(&walk->reader, header + FORWARD_SIZE, &link) || link == 0 ||
	    glibc_is_lost(walk, link))
		return;
	bool is_chunk = chunk_of_arena(state, link, &next);
	if (is_chunk &&
	    (!heap_reader_word(&walk->reader, link + BACK_SIZE, &back) || back == header))
		return;
	struct glibc_place where =
	    place(state, HEAP_DAMAGED_SIZE_LINKS, chunk->address, header + FORWARD_SIZE,
		  "a free chunk of another size, whose bk_nextsize leads back");
	glibc_finding(walk, &where,
		      "the large free chunk at 0x%" PRIx64 " has fd_nextsize 0x%" PRIx64 ", %s",
		      chunk->address, link,
		      is_chunk ? "which does not lead back" : "where no chunk of the arena begins");
}

/* Takes a chunk that a bin lists. */
static void take_listed(struct bin_walk *state, unsigned number, const struct chunk *chunk)
{
	struct glibc_walk *walk = state->walk;
	uint64_t size = chunk->size + CHUNK_TRAILER, header = chunk->address - CHUNK_HEADER;
	if (chunk->used) {
		struct glibc_place where =
		    place(state, HEAP_DAMAGED_IN_USE_BIT, header + size + CHUNK_HEADER,
			  header + size + CHUNK_SIZE, "bit 0 clear: the chunk before it is free");
		glibc_finding(walk, &where,
			      "the chunk at 0x%" PRIx64
			      " is in bin %u, but the next header says that it is in use",
			      chunk->address, number);
		glibc_set_free(walk, chunk);
	}
	state->listed++;
	if (!fits_bin(number, size)) {
		struct glibc_place where = place(state, HEAP_DAMAGED_LIST_SIZE, chunk->address,
						 header + CHUNK_SIZE, "a size of that bin's");
		glibc_finding(walk, &where,
			      "the free chunk at 0x%" PRIx64 " of 0x%" PRIx64
			      " bytes is in bin %u, which is for others",
			      chunk->address, size, number);
	}
	if (number >= FIRST_LARGE)
		check_size_links(state, chunk);
}

/* `word` of the chunk (or bin) with its header at `header` leads to `to`, where no chunk is. */
static void tell_bad_link(struct bin_walk *state, unsigned number, uint64_t header, uint64_t word,
			  uint64_t to)
{
	char name[48];
	snprintf(name, sizeof name, "bin %u of 0x%" PRIx64, number, state->arena->address);
	if (glibc_tell_covered(state->walk, to + CHUNK_HEADER, false, name))
		return;
	bool is_bin =
	    header >= state->arena->address && header - state->arena->address < STATE_SIZE_MAX;
	struct glibc_place where =
	    place(state, HEAP_DAMAGED_BIN, is_bin ? state->arena->address : header + CHUNK_HEADER,
		  word, "a free chunk of the arena, or the bin");
	glibc_finding(state->walk, &where,
		      "%s of %s0x%" PRIx64 " in bin %u leads to 0x%" PRIx64
		      ", where no chunk of the arena begins",
		      word == header + BACK ? "bk" : "fd",
		      is_bin ? "the bin itself at " : "the free chunk at ",
		      is_bin ? header : header + CHUNK_HEADER, number, to);
}

/* Where a broken bin is followed from its other end: what bk finds up to the break. */
static void walk_bin_back(struct bin_walk *state, unsigned number, uint64_t bin)
{
	struct glibc_walk *walk = state->walk;
	uint64_t at, previous = bin;
	struct chunk chunk;
	if (!address_space_u64(walk->space, bin + BACK, &at) || at == 0)
		return;
	while (at != bin && chunk_of_arena(state, at, &chunk)) {
		if (glibc_mark_listed(walk, chunk.number))
			return;
		take_listed(state, number, &chunk);
		previous = at;
		if (!heap_reader_word(&walk->reader, at + BACK, &at))
			return;
	}
	if (at != bin && !glibc_is_lost(walk, at))
		tell_bad_link(state, number, previous, previous + BACK, at);
}

/* `at` is in the bin, or the bin itself, and should lead back to `previous`. */
static void check_back(struct bin_walk *state, unsigned number, uint64_t at, uint64_t previous)
{
	struct glibc_walk *walk = state->walk;
	uint64_t back;
	const bool is_there = address_space_u64(walk->space, at + BACK, &back);
	const bool is_bin =
	    at >= state->arena->address && at - state->arena->address < STATE_SIZE_MAX;
	if (is_there && back == previous)
		return;
	struct glibc_place where = place(
	    state, HEAP_DAMAGED_BIN, is_bin ? state->arena->address : at + CHUNK_HEADER, at + BACK,
	    string_pool_format(walk->strings, "0x%" PRIx64 ", from which fd leads here", previous));
	if (is_bin && is_there)
		glibc_finding(walk, &where,
			      "the end of bin %u, at 0x%" PRIx64
			      ", does not lead back to 0x%" PRIx64,
			      number, at, previous);
	else if (!is_bin)
		glibc_finding(walk, &where,
			      "the free chunk at 0x%" PRIx64
			      " in bin %u does not lead back to 0x%" PRIx64,
			      at + CHUNK_HEADER, number, previous);
}

/* Follows one bin. A free chunk is in no two lists, so the marks also end every cycle. Where the
 * list is broken the rest of it is found from its other end. */
static void walk_bin(struct bin_walk *state, unsigned number, uint64_t links)
{
	struct glibc_walk *walk = state->walk;
	uint64_t bin = links - FORWARD, previous = bin, at;
	struct chunk chunk;
	if (!address_space_u64(walk->space, links, &at)) {
		state->incomplete = true;
		return;
	}
	if (at == 0)
		return;
	while (at != bin) {
		if (!chunk_of_arena(state, at, &chunk)) {
			if (glibc_is_lost(walk, at))
				state->incomplete = true;
			else
				tell_bad_link(state, number, previous, previous + FORWARD, at);
			walk_bin_back(state, number, bin);
			return;
		}
		if (glibc_mark_listed(walk, chunk.number)) {
			struct glibc_place where =
			    place(state, HEAP_DAMAGED_BIN, chunk.address, previous + FORWARD,
				  "a free chunk that is not in a list yet, or the bin");
			glibc_finding(walk, &where,
				      "bin %u comes twice to the free chunk at 0x%" PRIx64, number,
				      chunk.address);
			walk_bin_back(state, number, bin);
			return;
		}
		take_listed(state, number, &chunk);
		check_back(state, number, at, previous);
		previous = at;
		if (!heap_reader_word(&walk->reader, at + FORWARD, &at)) {
			state->incomplete = true;
			return;
		}
	}
	check_back(state, number, bin, previous);
}

/* A chunk that only the header behind it calls free. When it does not repeat its size either, that
 * header is what is wrong, and the chunk is in use. */
static void tell_unlisted(struct bin_walk *state, const struct chunk *chunk)
{
	struct glibc_walk *walk = state->walk;
	uint64_t size = chunk->size + CHUNK_TRAILER, next = chunk->address - CHUNK_HEADER + size;
	uint64_t footer = 0, head = 0;
	bool in_flux = walk->heap->arenas.items[state->arena->index].in_flux;
	if (glibc_has_finding(walk, HEAP_DAMAGED_SIZE, chunk->address)) {
		/* It covers the one that is free. */
		glibc_set_used(walk, chunk);
		return;
	}
	if (glibc_has_finding(walk, HEAP_DAMAGED_SIZE, next + CHUNK_HEADER) ||
	    glibc_has_finding(walk, HEAP_DAMAGED_TOP_SIZE, next + CHUNK_HEADER)) {
		/* What is wrong with that header is told. */
		if (!in_flux)
			glibc_set_used(walk, chunk);
		return;
	}
	if (!in_flux && heap_reader_word(&walk->reader, next, &footer) && footer != size &&
	    heap_reader_word(&walk->reader, next + CHUNK_SIZE, &head)) {
		struct glibc_place where =
		    place(state, HEAP_DAMAGED_IN_USE_BIT, next + CHUNK_HEADER, next + CHUNK_SIZE,
			  string_pool_format(walk->strings,
					     "0x%" PRIx64 ", or another size, with bit 0 set: the "
					     "chunk before it is in use",
					     head | PREV_IN_USE));
		glibc_finding(walk, &where,
			      "the header of the chunk at 0x%" PRIx64
			      " says that the chunk before it is free, but no list holds that, and "
			      "its size is not repeated",
			      next + CHUNK_HEADER);
		glibc_set_used(walk, chunk);
		return;
	}
	struct glibc_place where =
	    place(state, HEAP_DAMAGED_UNLISTED, chunk->address, chunk->address, "links of a bin");
	glibc_finding(walk, &where,
		      "the free chunk at 0x%" PRIx64 " (%" PRIu64 " usable bytes) is in no bin",
		      chunk->address, chunk->size);
}

/* Tells the free chunks of a region that no bin holds, the first few by name. Returns how many
 * there are. */
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
				tell_unlisted(state, &chunk);
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
	struct glibc_place where =
	    place(state, HEAP_DAMAGED_UNLISTED, state->arena->address, 0, NULL);
	if (unlisted > UNLISTED_NAMED)
		glibc_finding(walk, &where, "%" PRIu64 " free chunks are in no bin", unlisted);
}

/* Tells the free chunks that are in a list, but do not repeat their size. */
static void tell_footers(const struct bin_walk *state)
{
	struct glibc_walk *walk = state->walk;
	struct chunk chunk;
	for (size_t i = 0; i < walk->footers.count; i++) {
		const struct footer *footer = &walk->footers.items[i];
		if (footer->arena != state->arena->index ||
		    !chunk_of_arena(state, footer->header, &chunk) || chunk.used ||
		    !glibc_is_listed(walk, chunk.number))
			continue;
		uint64_t size = chunk.size + CHUNK_TRAILER;
		struct glibc_place where = place(
		    state, HEAP_DAMAGED_PREV_SIZE, chunk.address, footer->header + size,
		    string_pool_format(walk->strings, "0x%" PRIx64 ", the chunk's size", size));
		glibc_finding(walk, &where,
			      "the free chunk at 0x%" PRIx64 " does not repeat its size 0x%" PRIx64
			      " before the next chunk",
			      chunk.address, size);
	}
}

void glibc_read_bins(struct glibc_walk *walk, const struct malloc_copy *copy,
		     const struct malloc_arena *arena)
{
	struct bin_walk state = { .walk = walk, .arena = arena };
	const struct heap_arena *row = &walk->heap->arenas.items[arena->index];
	const struct state_layout *layout = &copy->layout.state;
	uint64_t free_chunks = row->free_chunks;
	if (arena->segments.count == 0 || arena->is_overwritten)
		return;
	for (unsigned bin = 0; bin < MALLOC_BINS; bin++)
		walk_bin(&state, bin + 1, arena->address + layout->bins + (uint64_t)bin * 16);
	if (state.incomplete)
		gaps_add(walk->gaps, GAP_HEAP, arena->address, arena->address + layout->size,
			 "The free lists of the arena at 0x%" PRIx64
			 " lead through memory that could not be read: they were not compared with "
			 "its free chunks",
			 arena->address);
	else if (state.listed != free_chunks)
		find_unlisted(&state);
	tell_footers(&state);
}
