/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "heap/glibc/mmapped.h"

#include "base/bytes.h"

#include <inttypes.h>

#define PAGE	       4096
#define CANDIDATES_MAX ((size_t)1 << 20)
#define PROBES_MAX     ((uint64_t)1 << 26)

struct search {
	struct glibc_walk *walk;
	/* Sizes leave out the header (2.43). */
	bool excludes_header;
	uint64_t probes_left; /* pages that may still be looked at for headers that were moved up */
	uint32_t arena;	      /* of the mmapped chunks, in heap.arenas */
	mmapped_candidates found;
};

static bool read_header(const struct search *search, uint64_t header, uint64_t *lead,
			uint64_t *size)
{
	uint64_t words[2];
	uint8_t bytes[16];
	if (!address_space_probe(search->walk->space, header, bytes, sizeof bytes))
		return false;
	for (unsigned i = 0; i < 2; i++)
		words[i] = bytes_unsigned(bytes + i * 8ULL, 8, search->walk->big_endian);
	if ((words[1] & 15) != IS_MMAPPED)
		return false;
	*lead = search->excludes_header ? words[0] & ~(uint64_t)1 : words[0];
	*size = (words[1] & ~(uint64_t)15) + (search->excludes_header ? CHUNK_HEADER : 0);
	return true;
}

/* Whether a whole mapped chunk has its header at `header`, `lead` bytes into the pages. */
static bool chunk_at(const struct search *search, uint64_t header,
		     struct mmapped_candidate *candidate)
{
	uint64_t lead, size;
	if (!read_header(search, header, &lead, &size) || size < CHUNK_MINIMUM || lead > header ||
	    (header - lead) % PAGE != 0 || size > UINT64_MAX - header)
		return false;
	*candidate = (struct mmapped_candidate){ .start = header - lead,
						 .end = header + size,
						 .header = header };
	return candidate->end % PAGE == 0 &&
	       glibc_mapped_end(search->walk, candidate->start, candidate->end) == candidate->end;
}

/* Whether a whole mapped chunk whose pages begin with `page` has its header at `header`. */
static bool moved_at(const struct search *search, uint64_t page, uint64_t header,
		     struct mmapped_candidate *candidate)
{
	return chunk_at(search, header, candidate) && candidate->start == page;
}

/* Of a header that memalign moved up, one word of the two; what is left at the page's start tells
 * both. Where there is one such place, it is one whose other word was overwritten. */
struct half_header {
	struct mmapped_candidate candidate;
	size_t count;
};

static void note_half(const struct search *search, uint64_t page, uint64_t total, uint64_t header,
		      struct half_header *half)
{
	uint64_t words[2];
	const uint64_t lead = header - page;
	if (lead + CHUNK_MINIMUM > total || search->excludes_header ||
	    !address_space_u64(search->walk->space, header, &words[0]) ||
	    !address_space_u64(search->walk->space, header + CHUNK_SIZE, &words[1]) ||
	    (words[0] == lead) == (words[1] == ((total - lead) | IS_MMAPPED)))
		return;
	half->count++;
	half->candidate =
	    (struct mmapped_candidate){ .start = page, .end = page + total, .header = header };
}

/* memalign moves the chunk up to an aligned user address, and leaves the old header behind at the
 * page's start: the real one tells how far it was moved. mremap, in realloc, keeps the distance but
 * not the alignment, and renews the real header alone: the old one then tells how many bytes there
 * once were. It leads the search all the same: the real header lay within them. */
static bool moved_up(struct search *search, uint64_t page, struct mmapped_candidate *candidate,
		     struct half_header *half)
{
	uint64_t lead, size;
	if (!read_header(search, page, &lead, &size) || lead != 0 || size < PAGE ||
	    size % PAGE != 0 || size > UINT64_MAX - page)
		return false;
	for (uint64_t up = CHUNK_MINIMUM; up < PAGE; up *= 2) {
		if (moved_at(search, page, page + up - CHUNK_HEADER, candidate))
			return true;
		note_half(search, page, size, page + up - CHUNK_HEADER, half);
	}
	uint64_t end = glibc_mapped_end(search->walk, page, page + size);
	for (uint64_t user = page + PAGE; user <= end - CHUNK_MINIMUM; user += PAGE) {
		if (search->probes_left == 0)
			return false;
		search->probes_left--;
		if (moved_at(search, page, user - CHUNK_HEADER, candidate))
			return true;
		note_half(search, page, size, user - CHUNK_HEADER, half);
	}
	return false;
}

/* A chunk that memalign of 2.43 put into the page (there is no header at the page's start): its
 * user address is aligned to less than a page, or is the next page's start. */
static bool aligned_in_page(const struct search *search, uint64_t page,
			    struct mmapped_candidate *candidate)
{
	for (uint64_t alignment = CHUNK_MINIMUM; alignment <= PAGE; alignment *= 2)
		if (chunk_at(search, page + alignment - CHUNK_HEADER, candidate) &&
		    candidate->start <= page && candidate->header > candidate->start)
			return true;
	return false;
}

bool glibc_is_edge(const struct glibc_walk *walk, uint64_t below, uint64_t above)
{
	const struct segment *left = address_space_find(walk->space, below);
	const struct segment *right = address_space_find(walk->space, above);
	return left == NULL || right == NULL ||
	       (left != right && (left->permissions != right->permissions ||
				  left->name != right->name || left->shared != right->shared)) ||
	       glibc_claimed(walk, below) != NULL || glibc_claimed(walk, above) != NULL;
}

/* Whether the chunk ends where a mapping does, or where another chunk begins. */
static bool ends_well(const struct search *search, const struct mmapped_candidate *candidate)
{
	struct mmapped_candidate next;
	return glibc_is_edge(search->walk, candidate->end - 1, candidate->end) ||
	       (chunk_at(search, candidate->end, &next) && next.start == candidate->end) ||
	       (search->excludes_header && aligned_in_page(search, candidate->end, &next));
}

/* The chunk whose pages begin with `page`, or (2.43) whose header lies in it. Of a header at the
 * page's start and one that was moved up the first is stale, but where its end alone makes sense:
 * then the second is the program's data. */
static bool chunk_from(struct search *search, uint64_t page, struct mmapped_candidate *candidate)
{
	struct mmapped_candidate first, moved;
	bool has_first = chunk_at(search, page, &first) && first.start == page;
	struct half_header half = { .count = 0 };
	bool has_moved = moved_up(search, page, &moved, &half);
	if (has_moved && (!has_first || first.end == moved.end || ends_well(search, &moved) ||
			  !ends_well(search, &first)))
		*candidate = moved;
	else if (has_first)
		*candidate =
		    half.count == 1 && half.candidate.end == first.end ? half.candidate : first;
	else
		return search->excludes_header && aligned_in_page(search, page, candidate);
	return true;
}

/* Tells of a header that was moved up if one of its words is overwritten. */
static void tell_half(const struct search *search, const struct mmapped_candidate *candidate)
{
	struct mmapped_candidate whole;
	if (!chunk_at(search, candidate->header, &whole) || whole.start != candidate->start ||
	    whole.end != candidate->end)
		glibc_tell_mmapped(search->walk, candidate, search->arena, search->excludes_header);
}

static bool search_segment(struct search *search, const struct segment *segment)
{
	struct glibc_walk *walk = search->walk;
	for (uint64_t page = (segment->start + PAGE - 1) & -(uint64_t)PAGE; page < segment->end;) {
		const struct range *claim = glibc_claimed(walk, page);
		struct mmapped_candidate candidate;
		if (claim != NULL) {
			page = (claim->end + PAGE - 1) & -(uint64_t)PAGE;
			continue;
		}
		bool found = chunk_from(search, page, &candidate);
		if (!found) {
			page += PAGE;
			continue;
		}
		if (candidate.header != candidate.start)
			tell_half(search, &candidate);
		bool joins = search->found.count > 0 &&
			     search->found.items[search->found.count - 1].end == candidate.start;
		candidate.edges = (uint8_t)(joins +
					    (!joins && glibc_is_edge(walk, candidate.start - 1,
								     candidate.start)) +
					    glibc_is_edge(walk, candidate.end - 1, candidate.end));
		if (joins)
			search->found.items[search->found.count - 1].edges++;
		if (search->found.count >= CANDIDATES_MAX || !array_push(&search->found, candidate))
			return false;
		page = candidate.end;
	}
	return true;
}

static struct error *take(struct search *search, const struct mmapped_candidate *candidate,
			  uint32_t arena)
{
	struct glibc_walk *walk = search->walk;
	struct heap_arena *row = &walk->heap->arenas.items[arena];
	uint32_t region;
	uint64_t end = candidate->end - (search->excludes_header ? CHUNK_TRAILER : 0);
	struct error *error = chunk_table_add_region(
	    walk->heap->chunks, candidate->header + CHUNK_HEADER, end, 0, arena, true, &region);
	if (error != NULL && error->code == ERROR_BAD_DATA) {
		struct glibc_place place = { .kind = HEAP_DAMAGED_LAYOUT,
					     .arena = arena,
					     .address = candidate->header };
		glibc_finding(walk, &place, "%s", error->message);
		error_free(error);
		return NULL;
	}
	if (error != NULL)
		return error;
	glibc_own(walk, candidate->start, candidate->header + CHUNK_HEADER,
		  "mmapped chunk's header");
	glibc_own(walk, end, candidate->end, "mmapped chunk's end");
	struct heap_doubt doubt = { candidate->header + CHUNK_HEADER, end, HEAP_DOUBT_LOOKALIKE };
	if (candidate->doubted && !array_push(&walk->heap->doubted, doubt))
		return error_no_memory();
	row->used_chunks++;
	row->used_bytes += mmapped_bytes(candidate);
	return NULL;
}

static struct error *take_all(struct search *search, uint32_t arena,
			      const struct mmapped_count *count)
{
	struct error *error = NULL;
	bool doubted = false;
	for (size_t i = 0; i < search->found.count && error == NULL; i++) {
		doubted = doubted || search->found.items[i].doubted;
		if (!search->found.items[i].dropped)
			error = take(search, &search->found.items[i], arena);
	}
	const struct heap_arena *row = &search->walk->heap->arenas.items[arena];
	const uint64_t bytes = row->used_bytes;
	/* Where it is look-alikes that cannot be told from them, that was said. */
	if (row->used_chunks < count->chunks && search->found.count <= count->chunks)
		gaps_add(search->walk->gaps, GAP_HEAP, 0, 0,
			 "malloc has %" PRIu64 " mmapped chunks of %" PRIu64 " bytes; %" PRIu64
			 " of %" PRIu64 " bytes were found: the headers of the others are "
			 "overwritten, or not there",
			 count->chunks, count->bytes, row->used_chunks, bytes);
	else if (row->used_chunks >= count->chunks && bytes != count->bytes &&
		 (doubted || !count->drifts || bytes > count->bytes))
		gaps_add(search->walk->gaps, GAP_HEAP, 0, 0,
			 "malloc's mmapped chunks have %" PRIu64 " bytes; those that were found "
			 "have %" PRIu64,
			 count->bytes, bytes);
	return error;
}

struct error *glibc_find_mmapped(struct glibc_walk *walk)
{
	struct search search = { .walk = walk, .probes_left = PROBES_MAX };
	struct mmapped_count total = { 0 };
	bool known = false;
	for (size_t i = 0; i < walk->copies.count; i++) {
		const struct malloc_copy *copy = &walk->copies.items[i];
		if (copy->par == 0)
			continue;
		if (!known) {
			total.par = copy->par;
			total.chunks_at = copy->par + copy->layout.par.n_mmaps;
			total.bytes_at = copy->par + copy->layout.par.mmapped_mem;
		}
		known = true;
		total.chunks += copy->n_mmaps;
		total.bytes += copy->mmapped_mem;
		search.excludes_header = copy->layout.par.mmapped_size_excludes_header;
		total.drifts = search.excludes_header;
	}
	if (!known) {
		gaps_add(walk->gaps, GAP_HEAP, 0, 0,
			 "malloc's parameters (mp_) were not found, so that mmapped chunks could "
			 "not be told from other mappings");
		return NULL;
	}
	struct heap_arena row = { .kind = ARENA_MMAPPED, .system_bytes = total.bytes };
	uint32_t arena = (uint32_t)walk->heap->arenas.count;
	if (!array_push(&walk->heap->arenas, row))
		return error_no_memory();
	if (total.chunks == 0 && total.bytes == 0)
		return NULL;
	search.arena = arena;
	size_t count;
	const struct segment *segments = address_space_segments(walk->space, &count);
	bool complete = true;
	for (size_t i = 0; i < count && complete; i++)
		if (glibc_segment_is_anonymous(&segments[i]))
			complete = search_segment(&search, &segments[i]);
	if (!complete || search.probes_left == 0)
		gaps_add(walk->gaps, GAP_LIMIT, 0, 0,
			 "The search for mmapped chunks was ended at its bound");
	if (!glibc_mend_mmapped(walk, &search.found, &total, arena, search.excludes_header)) {
		array_free(&search.found);
		return error_no_memory();
	}
	walk->heap->arenas.items[arena].system_bytes = total.bytes;
	glibc_drop_lookalikes(walk, &search.found, &total);
	struct error *error = take_all(&search, arena, &total);
	array_free(&search.found);
	return error;
}
