/* mmapped chunks whose header is overwritten: malloc's counters tell that one is missing, or that
 * one has another size, and where mappings and other chunks end tells which.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "heap/glibc/mmapped.h"

#include <inttypes.h>
#include <stdlib.h>

#define PAGE	   4096
#define PROBES_MAX ((uint64_t)1 << 22) /* pages that are looked at for headers in chunks */

/* How sure it is that a place is that of a chunk whose header is overwritten. */
enum {
	LIKE_NONE,
	LIKE_EMPTY,   /* zeros lie there */
	LIKE_WRITTEN, /* there is something at its start */
	LIKE_HEADER,  /* its size word differs in one byte from what it should be */
};

struct mending {
	struct glibc_walk *walk;
	mmapped_candidates *found;
	uint32_t arena;
	bool excludes_header;
};

static bool word(const struct mending *mending, uint64_t address, uint64_t *value)
{
	return address_space_u64(mending->walk->space, address, value);
}

/* The size word of a chunk whose header lies at `header` and whose pages end at `end`. */
static uint64_t size_word(uint64_t header, uint64_t end, bool excludes_header)
{
	return (end - header - (excludes_header ? CHUNK_HEADER : 0)) | IS_MMAPPED;
}

void glibc_tell_mmapped(struct glibc_walk *walk, const struct mmapped_candidate *candidate,
			uint32_t arena, bool excludes_header)
{
	const uint64_t header = candidate->header, lead = header - candidate->start;
	const uint64_t size = size_word(header, candidate->end, excludes_header);
	uint64_t words[2] = { 0 };
	address_space_u64(walk->space, header, &words[0]);
	address_space_u64(walk->space, header + CHUNK_SIZE, &words[1]);
	const bool is_lead = words[1] == size;
	struct glibc_place place = glibc_at(
	    HEAP_DAMAGED_SIZE, arena, header + CHUNK_HEADER, is_lead ? header : header + CHUNK_SIZE,
	    string_pool_format(walk->strings, "0x%" PRIx64 "%s", is_lead ? lead : size,
			       is_lead ? ", how far into its pages the chunk begins"
				       : ", as malloc's counters and the mappings tell"));
	glibc_finding(walk, &place,
		      "the mmapped chunk at 0x%" PRIx64 " has the %s 0x%" PRIx64
		      "; its pages are 0x%" PRIx64 "-0x%" PRIx64,
		      header + CHUNK_HEADER, is_lead ? "wrong prev_size" : "wrong size word",
		      words[is_lead ? 0 : 1], candidate->start, candidate->end);
}

static void tell(const struct mending *mending, const struct mmapped_candidate *candidate)
{
	glibc_tell_mmapped(mending->walk, candidate, mending->arena, mending->excludes_header);
}

/* --- one is missing */

/* Where a missing chunk may lie. */
struct gap_place {
	uint64_t start, end; /* of its pages */
	unsigned likeness;
};

static int by_start(const void *left, const void *right)
{
	const struct range *a = left, *b = right;
	return a->start < b->start ? -1 : a->start > b->start;
}

typedef ARRAY(struct range) range_array;

/* What is taken of memory: other parts of the heap, and the mmapped chunks that were found. */
static bool collect_taken(const struct mending *mending, range_array *taken)
{
	const struct glibc_walk *walk = mending->walk;
	for (size_t i = 0; i < walk->claims.count; i++)
		if (!array_push(taken, walk->claims.items[i]))
			return false;
	for (size_t i = 0; i < mending->found->count; i++) {
		struct range range = { mending->found->items[i].start,
				       mending->found->items[i].end };
		if (!array_push(taken, range))
			return false;
	}
	if (taken->count > 1)
		qsort(taken->items, taken->count, sizeof *taken->items, by_start);
	return true;
}

static unsigned differing_bytes(uint64_t a, uint64_t b)
{
	unsigned count = 0;
	for (uint64_t differing = a ^ b; differing != 0; differing >>= 8)
		count += (differing & 0xff) != 0;
	return count;
}

static unsigned likeness_at(const struct mending *mending, uint64_t start, uint64_t end)
{
	uint64_t lead, size;
	if (!word(mending, start, &lead) || !word(mending, start + CHUNK_SIZE, &size))
		return LIKE_NONE;
	if (size != 0 &&
	    differing_bytes(size, size_word(start, end, mending->excludes_header)) <= 1)
		return LIKE_HEADER;
	return lead != 0 || size != 0 ? LIKE_WRITTEN : LIKE_EMPTY;
}

/* The search for the place of the one that is missing, of `bytes`. */
struct gap_search {
	const struct mending *mending;
	uint64_t bytes;
	struct gap_place best;
	size_t equals; /* places as likely as the best one */
};

static void weigh(struct gap_search *search, uint64_t start, uint64_t end, bool exact)
{
	const unsigned likeness = likeness_at(search->mending, start, end);
	if (likeness == LIKE_NONE || (likeness != LIKE_HEADER && !exact) ||
	    likeness < search->best.likeness)
		return;
	search->equals = likeness == search->best.likeness ? search->equals + 1 : 1;
	search->best = (struct gap_place){ start, end, likeness };
}

/* Memory without a hole that nothing has taken. */
static void weigh_gap(struct gap_search *search, uint64_t start, uint64_t end)
{
	start = glibc_align_up(start, PAGE);
	end &= -(uint64_t)PAGE;
	if (end < start || end - start < search->bytes)
		return;
	const bool exact = end - start == search->bytes;
	weigh(search, start, start + search->bytes, exact);
	if (!exact)
		weigh(search, end - search->bytes, end, false);
}

static void weigh_segment(struct gap_search *search, const struct segment *segment,
			  const range_array *taken)
{
	uint64_t at = segment->start;
	for (size_t i = 0; i < taken->count && taken->items[i].start < segment->end; i++) {
		if (taken->items[i].end <= at)
			continue;
		if (taken->items[i].start > at)
			weigh_gap(search, at, taken->items[i].start);
		at = taken->items[i].end;
	}
	if (at < segment->end)
		weigh_gap(search, at, segment->end);
}

/* One chunk of `bytes` is missing: where its header must have been overwritten. What is found may
 * still be a mapping of the program's own: it is doubted. */
static bool mend_missing(const struct mending *mending, uint64_t bytes)
{
	const struct glibc_walk *walk = mending->walk;
	struct gap_search search = { .mending = mending, .bytes = bytes };
	range_array taken = { 0 };
	size_t count;
	bool fits = collect_taken(mending, &taken);
	const struct segment *segments = address_space_segments(walk->space, &count);
	for (size_t i = 0; fits && i < count; i++)
		if (glibc_segment_is_anonymous(&segments[i]))
			weigh_segment(&search, &segments[i], &taken);
	array_free(&taken);
	if (!fits || search.equals != 1)
		return fits;
	struct mmapped_candidate candidate = { .start = search.best.start,
					       .end = search.best.end,
					       .header = search.best.start,
					       .edges = 2,
					       .doubted = search.best.likeness != LIKE_HEADER };
	tell(mending, &candidate);
	return array_push(mending->found, candidate);
}

/* --- one covers another */

/* Whether a whole chunk lies at the end of `outer`'s pages, so that they are malloc's `bytes`
 * together. */
static bool holds_another(const struct mending *mending, const struct mmapped_candidate *outer,
			  uint64_t *probes, struct mmapped_candidate *inner)
{
	uint64_t lead, size;
	for (uint64_t page = outer->start + PAGE; page < outer->end; page += PAGE) {
		if ((*probes)-- == 0) {
			*probes = 0;
			return false;
		}
		if (!word(mending, page, &lead) || !word(mending, page + CHUNK_SIZE, &size) ||
		    lead != 0 || size != size_word(page, outer->end, mending->excludes_header))
			continue;
		*inner = (struct mmapped_candidate){
			.start = page, .end = outer->end, .header = page, .edges = 1
		};
		return true;
	}
	return false;
}

/* There are as many bytes as malloc counts, but in one chunk less: one has grown over the next. */
static bool mend_covering(const struct mending *mending)
{
	struct mmapped_candidate inner, other;
	size_t covering = 0, which = 0;
	uint64_t probes = PROBES_MAX;
	for (size_t i = 0; i < mending->found->count; i++)
		if (holds_another(mending, &mending->found->items[i], &probes, &other)) {
			covering++;
			which = i;
			inner = other;
		}
	if (covering != 1)
		return true;
	struct mmapped_candidate *outer = &mending->found->items[which];
	outer->end = inner.start;
	tell(mending, outer);
	return array_push(mending->found, inner);
}

/* --- one has another size */

static bool is_edge(const struct mending *mending, uint64_t at)
{
	for (size_t i = 0; i < mending->found->count; i++)
		if (mending->found->items[i].start == at)
			return true;
	return glibc_is_edge(mending->walk, at - 1, at);
}

/* Whether the chunk ends where a mapping, or another chunk, does or begins. */
static bool ends_well(const struct mending *mending, size_t number)
{
	const mmapped_candidates *found = mending->found;
	const uint64_t end = found->items[number].end;
	const bool overlaps = number + 1 < found->count && found->items[number + 1].start < end;
	return !overlaps && is_edge(mending, end);
}

/* All are there, but one has `bytes` too many (or, below zero, too few): the one whose end is none,
 * and would be one. */
static void mend_size(const struct mending *mending, uint64_t bytes)
{
	size_t fitting = 0, which = 0;
	for (size_t i = 0; i < mending->found->count; i++) {
		const struct mmapped_candidate *candidate = &mending->found->items[i];
		const uint64_t end = candidate->end - bytes;
		if (end % PAGE == 0 && end > candidate->header + CHUNK_MINIMUM &&
		    !ends_well(mending, i) && is_edge(mending, end) &&
		    glibc_mapped_end(mending->walk, candidate->start, end) == end) {
			fitting++;
			which = i;
		}
	}
	if (fitting != 1)
		return;
	struct mmapped_candidate *candidate = &mending->found->items[which];
	candidate->end -= bytes;
	tell(mending, candidate);
}

/* --- a counter is overwritten */

static void tell_counter(const struct mending *mending, const struct mmapped_count *count,
			 const char *name, uint64_t at, uint64_t told, uint64_t found)
{
	struct glibc_walk *walk = mending->walk;
	struct glibc_place place =
	    glibc_at(HEAP_DAMAGED_PARAMETERS, mending->arena, count->par, at,
		     string_pool_format(walk->strings, "0x%" PRIx64 ", as was found", found));
	place.in_flux = glibc_any_in_malloc(walk);
	glibc_finding(walk, &place,
		      "malloc's parameters at 0x%" PRIx64 " have %s %" PRIu64
		      ", but its mmapped chunks are whole and make it %" PRIu64,
		      count->par, name, told, found);
}

/* Where the bytes agree, it is their number that is wrong; and bytes that are not whole pages, or
 * too few, are. */
static void check_counters(const struct mending *mending, struct mmapped_count *count, uint64_t sum)
{
	const uint64_t found = mending->found->count;
	const bool absurd = (!count->drifts && count->bytes % PAGE != 0) ||
			    count->bytes / PAGE < count->chunks || count->bytes >> 48 != 0;
	if (found != 0 && found != count->chunks && sum == count->bytes) {
		tell_counter(mending, count, "n_mmaps", count->chunks_at, count->chunks, found);
		count->chunks = found;
	} else if (found != 0 && found == count->chunks && absurd) {
		tell_counter(mending, count, "mmapped_mem", count->bytes_at, count->bytes, sum);
		count->bytes = sum;
	}
}

bool glibc_mend_mmapped(struct glibc_walk *walk, mmapped_candidates *found,
			struct mmapped_count *count, uint32_t arena, bool excludes_header)
{
	const struct mending mending = { walk, found, arena, excludes_header };
	/* Chunks are whole pages: what 2.43 counts too much is known, while it is less than one. */
	const uint64_t bytes = count->drifts ? count->bytes & -(uint64_t)PAGE : count->bytes;
	uint64_t sum = 0;
	bool fits = true;
	for (size_t i = 0; i < found->count; i++)
		sum += mmapped_bytes(&found->items[i]);
	if (found->count == count->chunks && sum != bytes && (sum - bytes) % PAGE == 0)
		mend_size(&mending, sum - bytes);
	else if (found->count + 1 == count->chunks && sum == bytes)
		fits = mend_covering(&mending);
	else if (found->count + 1 == count->chunks && sum < bytes && (bytes - sum) % PAGE == 0)
		fits = mend_missing(&mending, bytes - sum);
	check_counters(&mending, count, sum);
	return fits;
}
