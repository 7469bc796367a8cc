/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "analysis/interior.h"
#include "analysis/mark_private.h"
#include "base/prefetch.h"

#define LINE		  64
#define LINES_ASKED_AHEAD 2

/* chunk_lookup_start, from the word at hand where it has the answer. */
static inline uint64_t find_start(const struct marking *marking, const struct chunk_region *region,
				  uint64_t granule)
{
	uint64_t bits =
	    marking->granules[granule / 64].starts & (UINT64_MAX >> (63 - granule % 64));
	if (bits == 0)
		return chunk_lookup_start(marking->table, region, granule);
	uint64_t found = granule / 64 * 64 + 63 - (uint64_t)__builtin_clzll(bits);
	return found < region->first_granule ? CHUNK_NONE : found;
}

/* chunk_lookup_size, from the word at hand where it has the answer. */
static inline uint64_t find_size(const struct marking *marking, const struct chunk_region *region,
				 uint64_t number)
{
	uint64_t above = marking->granules[number / 64].starts & (UINT64_MAX << number % 64 << 1);
	if (above == 0)
		return chunk_lookup_size(marking->table, region, number);
	uint64_t following = number / 64 * 64 + (uint64_t)__builtin_ctzll(above);
	if (following >= chunk_lookup_limit(region))
		return chunk_lookup_size(marking->table, region, number);
	uint64_t size = (following - number) * CHUNK_GRANULE;
	return size > region->trailer ? size - region->trailer : 0;
}

static const uint8_t *bytes_of(const struct marking *marking, const struct chunk_region *region,
			       uint64_t address)
{
	const uint8_t *bytes = marking->region_bytes[region - marking->table->regions];
	return bytes != NULL ? bytes + (address - region->start) : NULL;
}

/* The stack. */

static bool push_piece(struct worker *worker, const uint8_t *bytes, uint64_t size)
{
	if (worker->count == worker->capacity) {
		size_t capacity = worker->capacity * 2;
		if (capacity > worker->marking->stack_limit)
			capacity = worker->marking->stack_limit;
		if (capacity <= worker->count)
			return false;
		struct piece *grown = reallocarray(worker->stack, capacity, sizeof *grown);
		if (grown == NULL)
			return false;
		worker->stack = grown;
		worker->capacity = capacity;
	}
	worker->stack[worker->count++] = (struct piece){ bytes, size };
	return true;
}

/* A chunk whose region's bytes are not one span. */
static bool push_spans(struct worker *worker, uint64_t address, uint64_t size)
{
	const size_t before = worker->count;
	const uint8_t *bytes;
	struct span_walk walk = span_walk_over(worker->marking->target, address, address + size);
	for (size_t got; (got = span_walk_next(&walk, UINT64_MAX, &address, &bytes)) != 0;)
		if (!push_piece(worker, bytes, got)) {
			worker->count = before;
			return false;
		}
	worker->unread_chunks += walk.missing;
	return true;
}

/* A marked chunk goes onto the stack, or is left to a sweep. */
static void push_chunk(struct worker *worker, const struct chunk_region *region, uint64_t number)
{
	struct marking *marking = worker->marking;
	if (atomic_load_explicit(&marking->crowded, memory_order_relaxed) ||
	    !mark_set_once(&marking->scanned[number / 64], number % 64))
		return;
	uint64_t address = chunk_lookup_address(region, number);
	uint64_t size = find_size(marking, region, number);
	const uint8_t *bytes = bytes_of(marking, region, address);
	if (bytes != NULL ? push_piece(worker, bytes, size) : push_spans(worker, address, size))
		return;
	__atomic_fetch_and(&marking->scanned[number / 64], ~((uint64_t)1 << number % 64),
			   __ATOMIC_RELAXED);
	atomic_store_explicit(&marking->crowded, true, memory_order_relaxed);
}

/* Words, candidates, chunks. */

/* Whether a pointer `offset` bytes into chunk `number` leads to it. */
static bool interior_counts(struct marking *marking, const struct candidate *candidate,
			    uint64_t number, uint64_t offset)
{
	uint64_t size = find_size(marking, candidate->region, number);
	if (!interior_reaches(size, offset))
		return false;
	if (marking->held == NULL ||
	    interior_idiom(marking->target, marking->table, candidate->address - offset, size,
			   offset) != NULL)
		return true;
	mark_set_once(&marking->held[number / 64], number % 64);
	return false;
}

/* The chunk around the candidate, which does not begin there, if that is not marked and the
 * pointer counts; else CHUNK_NONE. */
static __attribute__((noinline)) uint64_t find_around(struct marking *marking,
						      const struct candidate *candidate)
{
	uint64_t number = find_start(marking, candidate->region, candidate->granule);
	if (number == CHUNK_NONE)
		return CHUNK_NONE;
	uint64_t marks = __atomic_load_n(&marking->granules[number / 64].marks, __ATOMIC_RELAXED);
	uint64_t offset = candidate->address - chunk_lookup_address(candidate->region, number);
	if ((marks >> number % 64 & 1) != 0 || !interior_counts(marking, candidate, number, offset))
		return CHUNK_NONE;
	return number;
}

static inline void consider(struct worker *worker, const struct candidate *candidate)
{
	struct marking *marking = worker->marking;
	uint64_t number = candidate->granule;
	const struct granules *word = &marking->granules[number / 64];
	if ((word->starts >> number % 64 & 1) == 0 ||
	    chunk_lookup_address(candidate->region, number) != candidate->address) {
		number = find_around(marking, candidate);
		if (number == CHUNK_NONE)
			return;
	}
	if (mark_set_once(&marking->granules[number / 64].marks, number % 64))
		push_chunk(worker, candidate->region, number);
}

/* Asks for what the words that were gathered need, after it has considered those before them. */
static void advance(struct worker *worker)
{
	const struct marking *marking = worker->marking;
	const struct chunk_region *region = worker->region;
	unsigned count = 0;
	for (unsigned i = 0; i < worker->waiting_count; i++)
		consider(worker, &worker->waiting[i]);
	for (unsigned i = 0; i < worker->word_count; i++) {
		const uint64_t word = worker->words[i];
		if (region == NULL || word - region->start >= region->end - region->start) {
			region = chunk_lookup_region(marking->table, word);
			if (region == NULL)
				continue;
		}
		uint64_t granule = chunk_lookup_granule(region, word);
		prefetch(&marking->granules[granule / 64]);
		worker->waiting[count++] = (struct candidate){ word, granule, region };
	}
	worker->region = region;
	worker->waiting_count = count;
	worker->word_count = 0;
}

static void gather(struct worker *worker, const uint8_t *bytes, uint64_t size)
{
	const struct marking *marking = worker->marking;
	const uint64_t step = marking->form.size;
	for (uint64_t left = size / step; left > 0;) {
		const uint64_t part = left < MARK_BATCH ? left : MARK_BATCH;
		worker->word_count +=
		    word_form_gather(&marking->form, bytes, part, marking->low, marking->span,
				     worker->words + worker->word_count);
		bytes += part * step;
		left -= part;
		if (worker->word_count >= MARK_BATCH)
			advance(worker);
	}
}

void mark_scan(struct worker *worker, struct piece piece)
{
	if (piece.size > MARK_SLICE &&
	    push_piece(worker, piece.bytes + MARK_SLICE, piece.size - MARK_SLICE))
		piece.size = MARK_SLICE;
	worker->scanned += piece.size;
	gather(worker, piece.bytes, piece.size);
}

/* Puts `piece` (size 0: nothing) in the ring, and scans the one that waited longest there. */
static void rotate_piece(struct worker *worker, struct piece piece)
{
	for (uint64_t line = 0; line < LINES_ASKED_AHEAD && line * LINE < piece.size; line++)
		prefetch(piece.bytes + line * LINE);
	struct piece waiting = worker->pieces[worker->next_piece];
	worker->pieces[worker->next_piece] = piece;
	worker->next_piece = (worker->next_piece + 1) % MARK_PIECES;
	if (waiting.size != 0)
		mark_scan(worker, waiting);
}

void mark_scan_chunk(struct worker *worker, const struct chunk_region *region, uint64_t number)
{
	const struct marking *marking = worker->marking;
	uint64_t address = chunk_lookup_address(region, number);
	uint64_t size = find_size(marking, region, number);
	const uint8_t *bytes = bytes_of(marking, region, address);
	if (bytes != NULL) {
		rotate_piece(worker, (struct piece){ bytes, size });
		return;
	}
	struct span_walk walk = span_walk_over(marking->target, address, address + size);
	for (size_t got; (got = span_walk_next(&walk, UINT64_MAX, &address, &bytes)) != 0;)
		mark_scan(worker, (struct piece){ bytes, got });
	worker->unread_chunks += walk.missing;
}

void mark_pop(struct worker *worker)
{
	const struct marking *marking = worker->marking;
	while (worker->count > 0) {
		rotate_piece(worker, worker->stack[--worker->count]);
		if (worker->count > 1 &&
		    atomic_load_explicit(&marking->hungry, memory_order_relaxed) > 0)
			mark_share(worker);
		mark_tell_progress(worker);
	}
}

void mark_flush(struct worker *worker)
{
	for (unsigned i = 0; i < MARK_PIECES; i++)
		rotate_piece(worker, (struct piece){ NULL, 0 });
	advance(worker);
	advance(worker);
}
