/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "heap/glibc/glibc.h"

#include "base/bytes.h"

#include <inttypes.h>

#define WINDOW	      ((uint64_t)1 << 20) /* below the thread pointer, where tcache may lie */
#define PAGE	      4096
#define SCORE_ENOUGH  12 /* two threads that agree, with chunks and arenas */
#define THREADS_ASKED 16 /* that are searched for where it lies */
#define OFFSETS_MAX   256
#define ARENA_NEAR    64 /* bytes above tcache within which thread_arena lies */

/* The thread pointers of all threads. */
typedef ARRAY(uint64_t) pointer_array;

/* Where the tcache variable may lie below the thread pointer. */
struct tcache_offset {
	uint64_t below;
	unsigned score;
	size_t layout;
	size_t copy; /* of malloc, whose arena the tcache came from */
};

static int compare_pointers(const void *left, const void *right)
{
	uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;
	return a < b ? -1 : a > b;
}

/* The main thread's first (its tcache is never unused), the others sorted and once each. */
static bool collect_pointers(struct glibc_walk *walk, pointer_array *pointers)
{
	const struct threads *threads = walk->context->threads;
	const struct glibc_pthreads *pthreads = walk->context->pthreads;
	uint64_t main_pointer = 0;
	for (size_t i = 0; threads != NULL && i < threads->count; i++) {
		if (!array_push(pointers, threads->items[i].thread_pointer))
			return false;
		if (threads->items[i].is_main)
			main_pointer = threads->items[i].thread_pointer;
	}
	for (size_t i = 0; pthreads != NULL && i < pthreads->count; i++)
		if (pthreads->items[i].state == GLIBC_STACK_RUNNING &&
		    !array_push(pointers, pthreads->items[i].address))
			return false;
	if (pointers->count > 1)
		qsort(pointers->items, pointers->count, sizeof *pointers->items, compare_pointers);
	size_t kept = 0;
	for (size_t i = 0; i < pointers->count; i++)
		if (pointers->items[i] != 0 &&
		    (kept == 0 || pointers->items[i] != pointers->items[kept - 1]))
			pointers->items[kept++] = pointers->items[i];
	pointers->count = kept;
	for (size_t i = 0; i < kept; i++)
		if (pointers->items[i] == main_pointer) {
			pointers->items[i] = pointers->items[0];
			pointers->items[0] = main_pointer;
		}
	return true;
}

static bool is_chunk(struct glibc_walk *walk, uint64_t user, struct chunk *chunk)
{
	return user % 16 == 0 && chunk_table_find(walk->heap->chunks, user, chunk) &&
	       chunk->address == user;
}

/* Whether the chunk at `user` is in use and has the size of a tcache struct of this layout. */
static bool has_tcache_size(struct glibc_walk *walk, uint64_t user,
			    const struct tcache_layout *layout)
{
	struct chunk chunk;
	uint64_t least = ((uint64_t)layout->size + CHUNK_TRAILER + 15) & ~(uint64_t)15;
	return is_chunk(walk, user, &chunk) && chunk.used &&
	       (chunk.size + CHUNK_TRAILER == least || chunk.size + CHUNK_TRAILER == least + 16);
}

/* Whether what lies at `user` may be a tcache struct of this layout, and how sure that is: 0 no,
 * 1 an empty one, 3 one that holds chunks. */
static unsigned content_score(struct glibc_walk *walk, uint64_t user,
			      const struct tcache_layout *layout)
{
	struct chunk chunk;
	uint8_t bytes[65536];
	if (layout->size > sizeof bytes ||
	    !address_space_probe(walk->space, user, bytes, layout->size))
		return 0;
	unsigned held = 0, wrong = 0;
	for (uint32_t bin = 0; bin < layout->bins; bin++) {
		uint64_t entry =
		    bytes_unsigned(bytes + layout->entries + bin * 8, 8, walk->big_endian);
		uint64_t count =
		    bytes_unsigned(bytes + layout->counts + bin * 2, 2, walk->big_endian);
		if (entry != 0 && !is_chunk(walk, entry, &chunk))
			wrong++;
		else if (!layout->counts_are_free_slots && (entry == 0) != (count == 0))
			wrong++;
		else if (entry != 0)
			held++;
	}
	if (wrong > 2 && wrong > held / 4)
		return 0;
	return held != 0 ? 3 : 1;
}

/* The same of the chunk at `user`. */
static unsigned tcache_score(struct glibc_walk *walk, uint64_t user,
			     const struct tcache_layout *layout)
{
	return has_tcache_size(walk, user, layout) ? content_score(walk, user, layout) : 0;
}

/* Whether thread_arena, a word that names a known arena, lies near above `address`. */
static bool arena_is_near(struct glibc_walk *walk, uint64_t address)
{
	for (uint64_t at = address + 8; at <= address + ARENA_NEAR; at += 8) {
		uint64_t value;
		if (!address_space_u64(walk->space, at, &value) || value == 0)
			continue;
		for (size_t i = 0; i < walk->heap->arenas.count; i++)
			if (walk->heap->arenas.items[i].address == value)
				return true;
	}
	return false;
}

struct tcache_search {
	/* Content does not count, but size and place: where every tcache is overwritten. */
	bool by_size;
	const struct tcache_layout *layouts; /* that come into question */
	size_t layout_count;
	struct tcache_offset offsets[OFFSETS_MAX];
	size_t count;
};

static size_t copy_of_arena(const struct glibc_walk *walk, uint32_t arena)
{
	for (size_t i = 0; i < walk->copies.count; i++)
		for (size_t j = 0; j < walk->copies.items[i].arenas.count; j++)
			if (walk->copies.items[i].arenas.items[j].index == arena)
				return i;
	return 0;
}

static void add_offset(struct tcache_offset *offsets, size_t *count,
		       const struct tcache_offset *seen)
{
	for (size_t i = 0; i < *count; i++)
		if (offsets[i].below == seen->below && offsets[i].layout == seen->layout &&
		    offsets[i].copy == seen->copy) {
			offsets[i].score += seen->score;
			return;
		}
	if (*count < OFFSETS_MAX)
		offsets[(*count)++] = *seen;
}

/* Notes what the word `value`, `below` bytes under the thread pointer, says. */
static void weigh_word(struct glibc_walk *walk, uint64_t pointer, uint64_t below, uint64_t value,
		       struct tcache_search *search)
{
	struct chunk chunk;
	if (value == 0 || !is_chunk(walk, value, &chunk))
		return;
	for (size_t i = 0; i < search->layout_count; i++) {
		struct tcache_offset seen = {
			.below = below,
			.score = tcache_score(walk, value, &search->layouts[i]),
			.layout = i,
			.copy = copy_of_arena(walk, chunk.region->arena),
		};
		if (search->by_size)
			seen.score = has_tcache_size(walk, value, &search->layouts[i]) &&
				     arena_is_near(walk, pointer - below);
		if (seen.score == 0)
			continue;
		seen.score += arena_is_near(walk, pointer - below) ? 4 : 0;
		add_offset(search->offsets, &search->count, &seen);
	}
}

/* Scans below one thread pointer, page by page: of a live process no more is read. */
static void search_window(struct glibc_walk *walk, uint64_t pointer, struct tcache_search *search)
{
	uint8_t page[PAGE];
	for (uint64_t high = pointer, low; high > PAGE && pointer - high < WINDOW; high = low) {
		low = (high - 1) & -(uint64_t)PAGE;
		if (!address_space_probe(walk->space, low, page, high - low))
			return;
		for (uint64_t at = high; at >= low + 8; at -= 8)
			weigh_word(walk, pointer, pointer - at + 8,
				   bytes_unsigned(page + (at - 8 - low), 8, walk->big_endian),
				   search);
	}
}

/* Where the variable of one copy of malloc lies: the same distance below the thread pointer in
 * every thread. NULL: no thread has one. */
static const struct tcache_offset *best_offset(const struct tcache_search *search, size_t copy)
{
	const struct tcache_offset *best = NULL;
	for (size_t i = 0; i < search->count; i++) {
		const struct tcache_offset *offset = &search->offsets[i];
		if (offset->copy == copy &&
		    (best == NULL || offset->score > best->score ||
		     (offset->score == best->score && offset->below < best->below)))
			best = offset;
	}
	return best;
}

/* Whether further threads need not be searched. */
static bool is_settled(const struct glibc_walk *walk, const struct tcache_search *search)
{
	for (size_t i = 0; i < walk->copies.count; i++) {
		const struct tcache_offset *best = best_offset(search, i);
		if (best == NULL || best->score < SCORE_ENOUGH)
			return false;
	}
	return true;
}

static void vote_by_tcache(struct glibc_walk *walk, uint64_t tcache,
			   const struct tcache_layout *layout)
{
	for (uint32_t bin = 0; bin < layout->bins; bin++) {
		uint64_t entry;
		if (address_space_u64(walk->space, tcache + layout->entries + bin * 8ULL, &entry) &&
		    entry != 0)
			glibc_vote_on_links(walk, entry);
	}
}

/* Whether any chunk has the size of a tcache: a thread that has freed nothing may have none. */
static bool may_have_tcache(struct glibc_walk *walk, const struct tcache_layout *layouts,
			    size_t layout_count)
{
	struct chunk chunk;
	for (uint64_t at = 0; chunk_table_next(walk->heap->chunks, at, &chunk);
	     at = chunk.address + 1)
		for (size_t i = 0; i < layout_count && chunk.used; i++)
			if (tcache_score(walk, chunk.address, &layouts[i]) != 0)
				return true;
	return false;
}

/* The word at `at`, where the thread has its tcache, leads to none. What lies in front of the
 * struct may be what is damaged, or the struct itself, or the word. */
static bool take_damaged(struct glibc_walk *walk, uint64_t pointer, uint64_t at, uint64_t value)
{
	struct chunk chunk;
	const bool has_size = has_tcache_size(walk, value, &walk->tcache);
	const bool is_found = has_size || (value % 16 == 0 && glibc_is_lost(walk, value) &&
					   content_score(walk, value, &walk->tcache) != 0);
	const bool in_flux = glibc_thread_in_malloc(walk, pointer);
	/* An unused one of 2.43 is a constant of libc's. */
	if (modules_find(walk->context->modules, value) != NULL)
		return true;
	if (glibc_is_absent(walk, value)) {
		gaps_add(walk->gaps, GAP_MEMORY, value, value + walk->tcache.size,
			 "The tcache at 0x%" PRIx64
			 " is not there: free chunks that wait in it count as in use",
			 value);
		return true;
	}
	walk->has_broken_cache = true;
	const bool in_chunk = chunk_table_find(walk->heap->chunks, value, &chunk);
	struct glibc_place place =
	    glibc_at(HEAP_DAMAGED_TCACHE, in_chunk ? chunk.region->arena : 0, value,
		     has_size ? value : at, has_size ? NULL : "a tcache struct");
	place.in_flux = in_flux;
	if (has_size)
		glibc_finding(walk, &place,
			      "the tcache at 0x%" PRIx64 ", of the thread at 0x%" PRIx64
			      ", is overwritten: most of its bins lead to no chunk",
			      value, pointer);
	else if (!is_found)
		glibc_finding(walk, &place,
			      "the thread at 0x%" PRIx64 " has its tcache at 0x%" PRIx64
			      ", where none is",
			      pointer, value);
	struct found_tcache found = { value, in_flux, true };
	return !is_found || array_push(&walk->tcaches, found);
}

/* The tcaches of all threads in one copy of malloc, whose variable lies at `offset`. */
static bool take_tcaches(struct glibc_walk *walk, const pointer_array *pointers,
			 const struct tcache_offset *offset)
{
	size_t missing = 0;
	for (size_t i = 0; i < pointers->count; i++) {
		uint64_t value, at = pointers->items[i] - offset->below;
		if (!address_space_u64(walk->space, at, &value)) {
			missing++;
			continue;
		}
		if (value == 0)
			continue;
		if (tcache_score(walk, value, &walk->tcache) == 0) {
			if (!take_damaged(walk, pointers->items[i], at, value))
				return false;
			continue;
		}
		struct found_tcache found = { value,
					      glibc_thread_in_malloc(walk, pointers->items[i]),
					      false };
		if (!array_push(&walk->tcaches, found))
			return false;
		vote_by_tcache(walk, value, &walk->tcache);
	}
	if (missing != 0)
		gaps_add(walk->gaps, GAP_MEMORY, 0, 0,
			 "The thread-local memory of %zu threads is not there: free chunks that "
			 "wait in their tcaches count as in use",
			 missing);
	return true;
}

/* Says for how many threads no thread pointer is known. */
static void tell_unknown(struct glibc_walk *walk)
{
	const struct threads *threads = walk->context->threads;
	const struct glibc_pthreads *pthreads = walk->context->pthreads;
	size_t unknown = 0;
	for (size_t i = 0; threads != NULL && i < threads->count; i++) {
		bool known = threads->items[i].thread_pointer != 0;
		for (size_t j = 0; !known && pthreads != NULL && j < pthreads->count; j++)
			known = pthreads->items[j].state == GLIBC_STACK_RUNNING &&
				pthreads->items[j].tid == threads->items[i].tid;
		unknown += !known;
	}
	if (unknown != 0)
		gaps_add(walk->gaps, GAP_HEAP, 0, 0,
			 "The thread pointer%s of %zu thread%s %s not known: free chunks that wait "
			 "in %s count as in use",
			 unknown == 1 ? "" : "s", unknown, unknown == 1 ? "" : "s",
			 unknown == 1 ? "is" : "are",
			 unknown == 1 ? "its tcache" : "their tcaches");
}

static void search_windows(struct glibc_walk *walk, const pointer_array *pointers,
			   struct tcache_search *search)
{
	for (size_t i = 0; i < pointers->count && i < THREADS_ASKED; i++)
		if (!is_settled(walk, search))
			search_window(walk, pointers->items[i], search);
}

static struct error *find_tcaches(struct glibc_walk *walk, const pointer_array *pointers,
				  const struct tcache_layout *layouts, size_t layout_count)
{
	struct tcache_search search = { .layouts = layouts, .layout_count = layout_count };
	search_windows(walk, pointers, &search);
	if (search.count == 0) {
		search.by_size = true;
		search_windows(walk, pointers, &search);
	}
	for (size_t i = 0; i < walk->copies.count; i++) {
		const struct tcache_offset *best = best_offset(&search, i);
		if (best == NULL)
			continue;
		if (walk->tcache_below == 0) {
			walk->tcache_below = best->below;
			walk->tcache = layouts[best->layout];
		}
		if (!take_tcaches(walk, pointers, best))
			return error_no_memory();
	}
	if (walk->tcache_below == 0 && may_have_tcache(walk, layouts, layout_count))
		gaps_add(walk->gaps, GAP_HEAP, 0, 0,
			 "No thread's tcache was found: free chunks that wait in one count as in "
			 "use");
	tell_unknown(walk);
	return NULL;
}

struct error *glibc_find_tcaches(struct glibc_walk *walk)
{
	const struct tcache_layout *layouts = malloc_tcache_layouts;
	size_t layout_count = malloc_tcache_layout_count;
	for (size_t i = 0; i < walk->copies.count && layout_count != 1; i++)
		if (walk->copies.items[i].layout.has_tcache) {
			layouts = &walk->copies.items[i].layout.tcache;
			layout_count = 1;
		}
	pointer_array pointers = { 0 };
	struct error *error = collect_pointers(walk, &pointers)
				  ? find_tcaches(walk, &pointers, layouts, layout_count)
				  : error_no_memory();
	array_free(&pointers);
	return error;
}
