/* What the threads' tcaches hold: their lists against what they count, and where they are damaged
 * the chunks that only their keys tell.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "heap/glibc/glibc.h"

#include "base/bytes.h"

#include <inttypes.h>
#include <stdlib.h>

#define SMALL_BINS 64	/* of one size each; 2.42 has others for ranges besides */
#define LISTS_MAX  4096 /* that are looked at for their key */
#define BINS_MAX   4096
#define BINS_NAMED 4
#define KEY	   8 /* offset of a cached chunk's key, from its user address */

/* What one bin says that it holds, and what its list holds. */
struct bin_count {
	uint64_t told; /* chunks, or free slots */
	uint64_t held;
	bool unknown; /* not there, or its list is broken */
};

static bool is_chunk(struct glibc_walk *walk, uint64_t user, struct chunk *chunk)
{
	return user % 16 == 0 && chunk_table_find(walk->heap->chunks, user, chunk) &&
	       chunk->address == user;
}

/* The arena that the tcache struct itself came from. */
static uint32_t arena_of(struct glibc_walk *walk, uint64_t tcache)
{
	struct chunk chunk;
	return is_chunk(walk, tcache, &chunk) ? chunk.region->arena : 0;
}

/* Whether `word` marks a chunk as cached: nothing else holds a tcache's address. */
static bool is_key(const struct glibc_walk *walk, uint64_t word)
{
	if (word == walk->tcache_key && word > GLIBC_KEY_IS_OWNER)
		return true;
	for (size_t i = 0; i < walk->tcaches.count; i++)
		if (word == walk->tcaches.items[i].address)
			return true;
	return false;
}

/* Whether what lies in the chunk is the link and the key of a cached one. */
static bool looks_cached(struct glibc_walk *walk, const struct chunk *chunk)
{
	uint64_t key, stored;
	struct chunk next;
	if (!heap_reader_word(&walk->reader, chunk->address + KEY, &key) || !is_key(walk, key) ||
	    !heap_reader_word(&walk->reader, chunk->address, &stored))
		return false;
	const uint64_t link = glibc_link(walk, chunk->address, stored);
	return link == 0 || (is_chunk(walk, link, &next) && next.size == chunk->size);
}

/* One list of a tcache. Returns how many chunks it holds. */
static uint64_t read_list(struct glibc_walk *walk, const struct found_tcache *tcache, uint32_t bin,
			  uint64_t first, bool *broken)
{
	const struct tcache_layout *layout = &walk->tcache;
	uint64_t smallest = CHUNK_MINIMUM + (uint64_t)bin * 16;
	bool is_large = layout->counts_are_free_slots && bin >= SMALL_BINS;
	struct chunk chunk;
	/* Up to 2.41 a tunable may raise the sizes, but each list is for one. */
	const struct glibc_free_list list = {
		.name = "tcache bin",
		.number = bin,
		.owner = tcache->address,
		.arena = arena_of(walk, tcache->address),
		.smallest = is_large ? CHUNK_MINIMUM + SMALL_BINS * 16 : smallest,
		.largest = is_large ? UINT64_MAX : smallest,
		.is_tcache = true,
		.in_flux = tcache->in_flux,
	};
	/* That the whole struct is overwritten was told: what it leads to must be marked. */
	if (tcache->is_damaged && first != 0 &&
	    !(is_chunk(walk, first, &chunk) && looks_cached(walk, &chunk))) {
		*broken = true;
		return 0;
	}
	return glibc_walk_free_list(walk, &list, tcache->address + layout->entries + bin * 8ULL,
				    first, broken);
}

static bool first_of(struct glibc_walk *walk, uint64_t tcache, uint32_t bin, uint64_t *first)
{
	return address_space_u64(walk->space, tcache + walk->tcache.entries + bin * 8ULL, first);
}

static uint64_t count_at(const struct glibc_walk *walk, uint64_t tcache, uint32_t bin)
{
	return tcache + walk->tcache.counts + bin * 2ULL;
}

static int by_value(const void *left, const void *right)
{
	const uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;
	return a < b ? -1 : a > b;
}

/* Where bins count free slots: how many slots each has, as most say. False: too few agree. */
static bool slots_of(const struct bin_count *counts, uint32_t bins, uint64_t *slots)
{
	uint64_t *sums = malloc(bins * sizeof *sums);
	uint32_t known = 0, agree = 0;
	if (sums == NULL)
		return false;
	for (uint32_t bin = 0; bin < bins; bin++)
		if (!counts[bin].unknown)
			sums[known++] = counts[bin].told + counts[bin].held;
	qsort(sums, known, sizeof *sums, by_value);
	*slots = known > 0 ? sums[known / 2] : 0;
	for (uint32_t i = 0; i < known; i++)
		agree += sums[i] == *slots;
	free(sums);
	return agree > known / 2;
}

static struct glibc_place place(struct glibc_walk *walk, const struct found_tcache *tcache)
{
	struct glibc_place where = glibc_at(HEAP_DAMAGED_TCACHE, arena_of(walk, tcache->address),
					    tcache->address, 0, NULL);
	where.in_flux = tcache->in_flux;
	return where;
}

static void tell_count(struct glibc_walk *walk, const struct found_tcache *tcache, uint32_t bin,
		       const struct bin_count *count, uint64_t expected)
{
	const bool slots = walk->tcache.counts_are_free_slots;
	struct glibc_place where = place(walk, tcache);
	where.word = count_at(walk, tcache->address, bin);
	where.expected =
	    string_pool_format(walk->strings, "0x%04" PRIx64 " in its low 16 bits", expected);
	glibc_finding(walk, &where,
		      "bin %" PRIu32 " of the tcache at 0x%" PRIx64 " counts %" PRIu64
		      " %s, but its list holds %" PRIu64,
		      bin, tcache->address, count->told, slots ? "free slots" : "chunks",
		      count->held);
}

/* A thread in the middle of malloc is one off in one bin. */
static void check_counts(struct glibc_walk *walk, const struct found_tcache *tcache,
			 const struct bin_count *counts)
{
	const bool are_slots = walk->tcache.counts_are_free_slots;
	uint64_t slots = 0;
	uint32_t unlike = 0, far = 0;
	if (are_slots && !slots_of(counts, walk->tcache.bins, &slots))
		return;
	for (uint32_t bin = 0; bin < walk->tcache.bins; bin++) {
		const struct bin_count *count = &counts[bin];
		if (count->unknown || (are_slots && count->held > slots))
			continue;
		const uint64_t expected = are_slots ? slots - count->held : count->held;
		const uint64_t off = count->told - expected;
		unlike += off != 0;
		if (off + 1 <= 2)
			continue;
		if (far++ < BINS_NAMED)
			tell_count(walk, tcache, bin, count, expected);
	}
	struct glibc_place where = place(walk, tcache);
	if (far > BINS_NAMED || (far == 0 && unlike > 1))
		glibc_finding(walk, &where,
			      "%" PRIu32 " bins of the tcache at 0x%" PRIx64
			      " hold another number of chunks than they count",
			      unlike, tcache->address);
}

static bool read_tcache(struct glibc_walk *walk, const struct found_tcache *tcache)
{
	const uint32_t bins = walk->tcache.bins;
	struct bin_count *counts = bins <= BINS_MAX ? calloc(bins + 1, sizeof *counts) : NULL;
	for (uint32_t bin = 0; counts != NULL && bin < bins; bin++) {
		uint64_t first;
		uint8_t stored[2];
		struct bin_count *count = &counts[bin];
		count->unknown =
		    !first_of(walk, tcache->address, bin, &first) ||
		    !address_space_probe(walk->space, count_at(walk, tcache->address, bin), stored,
					 sizeof stored);
		if (count->unknown)
			continue;
		count->told = bytes_unsigned(stored, sizeof stored, walk->big_endian);
		count->held = read_list(walk, tcache, bin, first, &count->unknown);
		walk->has_broken_cache = walk->has_broken_cache || count->unknown;
	}
	if (counts != NULL && !tcache->is_damaged)
		check_counts(walk, tcache, counts);
	free(counts);
	return counts != NULL && array_push(&walk->heap->internal, tcache->address);
}

/* What the cached chunks of all threads have as their key. */
static bool find_key(struct glibc_walk *walk)
{
	ARRAY(struct cached_list) lists = { 0 };
	bool fits = true;
	for (size_t i = 0; i < walk->tcaches.count; i++)
		for (uint32_t bin = 0; bin < walk->tcache.bins && fits; bin++) {
			struct cached_list list = { .tcache = walk->tcaches.items[i].address };
			if (lists.count < LISTS_MAX &&
			    first_of(walk, list.tcache, bin, &list.first) && list.first != 0)
				fits = array_push(&lists, list);
		}
	if (fits)
		glibc_find_key(walk, lists.items, lists.count);
	array_free(&lists);
	return fits;
}

/* The chunks that only a damaged tcache, or a broken list, would lead to: their keys tell. */
static void sweep_keys(struct glibc_walk *walk)
{
	struct chunk chunk;
	for (uint64_t at = 0; chunk_table_next(walk->heap->chunks, at, &chunk);
	     at = chunk.address + 1)
		if (chunk.used && !chunk.region->single && looks_cached(walk, &chunk) &&
		    !glibc_mark_listed(walk, chunk.number))
			glibc_set_cached(walk, &chunk);
}

/* The key as libc's variable holds it, where there is a symbol. */
static uint64_t key_by_symbol(struct glibc_walk *walk)
{
	struct symbol symbol;
	uint64_t key;
	for (size_t i = 0; i < walk->copies.count; i++)
		if (walk->copies.items[i].module != NULL &&
		    modules_symbol_named(walk->context->modules, walk->copies.items[i].module,
					 "tcache_key", &symbol) &&
		    address_space_u64(walk->space, symbol.address, &key))
			return key;
	return 0;
}

static void find_unlisted(struct glibc_walk *walk)
{
	sweep_keys(walk);
	if (walk->tcache_key == 0)
		gaps_add(walk->gaps, GAP_HEAP, 0, 0,
			 "Lists of free chunks in tcaches are damaged: the chunks that they no "
			 "longer lead to count as in use");
}

struct error *glibc_read_tcaches(struct glibc_walk *walk)
{
	if (!find_key(walk))
		return error_no_memory();
	if (walk->tcache_key == 0)
		walk->tcache_key = key_by_symbol(walk);
	for (size_t i = 0; i < walk->tcaches.count; i++)
		if (!read_tcache(walk, &walk->tcaches.items[i]))
			return error_no_memory();
	if (walk->has_broken_cache)
		find_unlisted(walk);
	return NULL;
}
