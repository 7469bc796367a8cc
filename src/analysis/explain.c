/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "analysis/explain.h"

#include "analysis/chunk_paths.h"
#include "analysis/content.h"
#include "analysis/interior.h"
#include "analysis/word_scan.h"
#include "heap/chunk_lookup.h"

#include <string.h>

#define NULL_AREA 65536

struct explaining {
	const struct subject *subject;
	const struct roots *roots;
	const struct reachability *reachability;
	struct storage_map *map;
	struct content_recogniser *recogniser;
	struct explanation *made;
};

/* Chunks. */

static void look_at_chunk(const struct explaining *explaining, const struct chunk *chunk,
			  struct explain_chunk *looked)
{
	*looked = (struct explain_chunk){
		.chunk = *chunk,
		.state = reachability_state(explaining->reachability, chunk),
		.internal = heap_is_internal(explaining->subject->heap, chunk),
		.doubt = heap_doubt_of(explaining->subject->heap, chunk),
	};
	if (chunk->used && !looked->internal)
		looked->what = content_alone(explaining->recogniser, chunk, &looked->content);
}

static void look_at_neighbours(const struct explaining *explaining)
{
	const struct chunk_table *table = explaining->subject->heap->chunks;
	struct explanation *made = explaining->made;
	const struct chunk *chunk = &made->chunk.chunk;
	struct chunk other;
	if (chunk->number > chunk->region->first_granule) {
		uint64_t number = chunk_lookup_start(table, chunk->region, chunk->number - 1);
		if (number != CHUNK_NONE && chunk_table_numbered(table, number, &other)) {
			made->has_before = true;
			look_at_chunk(explaining, &other, &made->before);
		}
	}
	if (chunk_table_next(table, chunk->address + 1, &other) && other.region == chunk->region) {
		made->has_after = true;
		look_at_chunk(explaining, &other, &made->after);
	}
}

static void look_for_cache(const struct explaining *explaining)
{
	const struct subject *subject = explaining->subject;
	struct explain_chunk *chunk = &explaining->made->chunk;
	chunk->cached = heap_cache_of(subject->target, subject->heap, &chunk->chunk, &chunk->cache);
	if (chunk->cached)
		chunk->cache_owner = storage_tls_user(explaining->map, chunk->cache);
}

/* Paths. */

static bool is_reachable(const struct explaining *explaining, const struct chunk *chunk)
{
	return reachability_state(explaining->reachability, chunk) == CHUNK_REACHABLE;
}

/* The first word in a piece of memory that points to the chunk's start, else into it, or right
 * behind it. */
struct first_word {
	const struct target *target;
	const struct chunk_table *table;
	const struct chunk *chunk;
	bool exact; /* only where an idiom explains one into its interior */
	uint64_t at, value;
	bool found;
};

static bool take_first(void *context, uint64_t at, uint64_t value)
{
	struct first_word *first = context;
	const struct chunk *chunk = first->chunk;
	if (first->exact && value != chunk->address &&
	    interior_idiom(first->target, first->table, chunk->address, chunk->size,
			   value - chunk->address) == NULL)
		return true;
	if (!first->found || value == chunk->address) {
		first->at = at;
		first->value = value;
		first->found = true;
	}
	return value != chunk->address;
}

static void put_in_words(const struct explaining *explaining, struct reference *word)
{
	const struct place *place = &word->storage.place;
	enum content_kind kind;
	word->text = storage_text(explaining->map, &word->storage);
	if (word->storage.kind != STORAGE_CHUNK || !place->chunk.used)
		return;
	/* Of a chunk on the way only what identifies it is worth its place. */
	const char *content = content_alone(explaining->recogniser, &place->chunk, &kind);
	if (kind == CONTENT_OBJECT || kind == CONTENT_TEXT)
		word->content = content;
}

static bool add_hop(const struct explaining *explaining, explain_path *path, struct reference hop)
{
	put_in_words(explaining, &hop);
	return array_push(path, hop);
}

/* The word of a root that points to the first chunk of a path. */
static bool add_root_hop(const struct explaining *explaining, const struct root *const *roots,
			 size_t count, const struct chunk *chunk, explain_path *path)
{
	const struct target *target = explaining->subject->target;
	for (size_t i = 0; i < count; i++) {
		const struct root *root = roots[i];
		struct first_word first = { .target = target,
					    .table = explaining->subject->heap->chunks,
					    .chunk = chunk,
					    .exact = is_reachable(explaining, chunk) };
		struct reference hop = { 0 };
		if (root->bytes != NULL)
			word_scan_bytes(target, root->bytes, root->size, chunk->address,
					chunk->size + 1, take_first, &first);
		else
			word_scan_memory(target, root->start, root->end, chunk->address,
					 chunk->size + 1, take_first, &first);
		if (!first.found)
			continue;
		hop.value = first.value;
		hop.at = root->bytes != NULL ? 0 : first.at;
		if (root->bytes != NULL)
			storage_of_bytes(explaining->map, root, first.at, &hop.storage);
		else
			storage_at(explaining->map, first.at, &hop.storage);
		return add_hop(explaining, path, hop);
	}
	return true;
}

/* The word in chunk `from` that points to chunk `to`. */
static bool add_chunk_hop(const struct explaining *explaining, const struct chunk *from,
			  const struct chunk *to, explain_path *path)
{
	struct first_word first = { .target = explaining->subject->target,
				    .chunk = to,
				    .exact = is_reachable(explaining, to) };
	struct reference hop = { 0 };
	word_scan_memory(explaining->subject->target, from->address, from->address + from->size,
			 to->address, to->size + 1, take_first, &first);
	if (!first.found)
		return true;
	hop.at = first.at;
	hop.value = first.value;
	storage_at(explaining->map, first.at, &hop.storage);
	return add_hop(explaining, path, hop);
}

static bool add_chunk_hops(const struct explaining *explaining, const chunk_path *chunks,
			   explain_path *path)
{
	const struct chunk_table *table = explaining->subject->heap->chunks;
	struct chunk from, to;
	for (size_t i = 1; i < chunks->count; i++)
		if (chunk_table_numbered(table, chunks->items[i - 1], &from) &&
		    chunk_table_numbered(table, chunks->items[i], &to) &&
		    !add_chunk_hop(explaining, &from, &to, path))
			return false;
	return true;
}

/* Of paths of equal length the one from a variable tells most, the one from a register least. */
static unsigned rank(const struct root *root)
{
	static const unsigned ranks[ROOT_KIND_COUNT] = {
		[ROOT_MODULE_DATA] = 0,	  [ROOT_TLS] = 1,     [ROOT_STACK] = 2,
		[ROOT_EXITED_THREAD] = 3, [ROOT_MAPPING] = 4, [ROOT_REGISTER] = 5,
		[ROOT_RED_ZONE] = 6,	  [ROOT_KERNEL] = 7,
	};
	return ranks[root->kind];
}

static int by_rank(const void *left, const void *right)
{
	const struct root *a = *(const struct root *const *)left;
	const struct root *b = *(const struct root *const *)right;
	if (rank(a) != rank(b))
		return rank(a) < rank(b) ? -1 : 1;
	return a < b ? -1 : a > b;
}

/* A bitmap of the chunks that a path may not go through. */
static uint64_t *bitmap_new(const struct explaining *explaining,
			    uint64_t (*word)(const struct explaining *, uint64_t))
{
	const struct chunk_table *table = explaining->subject->heap->chunks;
	uint64_t words = (chunk_table_granules(table) + 63) / 64;
	uint64_t *bits = malloc((words + 1) * sizeof *bits);
	for (uint64_t i = 0; bits != NULL && i < words; i++)
		bits[i] = word(explaining, i);
	const struct heap *heap = explaining->subject->heap;
	for (size_t i = 0; bits != NULL && i < heap->internal.count; i++) {
		struct chunk chunk;
		if (chunk_table_find(table, heap->internal.items[i], &chunk))
			bits[chunk.number / 64] |= (uint64_t)1 << chunk.number % 64;
	}
	return bits;
}

static uint64_t not_reachable(const struct explaining *explaining, uint64_t word)
{
	return ~explaining->reachability->reachable[word];
}

static uint64_t not_held(const struct explaining *explaining, uint64_t word)
{
	return ~(explaining->reachability->reachable[word] |
		 explaining->reachability->possible[word]);
}

static uint64_t not_orphaned(const struct explaining *explaining, uint64_t word)
{
	return ~chunk_table_used_bits(explaining->subject->heap->chunks)[word] |
	       explaining->reachability->reachable[word] | explaining->reachability->possible[word];
}

static struct mark_source source_of(const struct root *root)
{
	return (struct mark_source){ root->start, root->end, root->bytes, root->size };
}

/* From the roots of that strength to the chunk. Reachable chunks on the way are reached by what
 * makes them so. */
static struct error *find_path(const struct explaining *explaining, enum root_strength strength,
			       explain_path *path)
{
	const bool reachable = explaining->made->chunk.state == CHUNK_REACHABLE;
	const struct roots *roots = explaining->roots;
	ARRAY(const struct root *) starts = { 0 };
	ARRAY(struct mark_source) sources = { 0 };
	chunk_path chunks = { 0 };
	uint64_t *passed = bitmap_new(explaining, reachable ? not_reachable : not_held);
	bool fits = passed != NULL && array_reserve(&starts, roots->list.count) &&
		    array_reserve(&sources, roots->list.count);
	for (size_t i = 0; fits && i < roots->list.count; i++)
		if (roots->list.items[i].strength == strength)
			starts.items[starts.count++] = &roots->list.items[i];
	if (fits && starts.count > 0)
		qsort(starts.items, starts.count, sizeof *starts.items, by_rank);
	for (size_t i = 0; fits && i < starts.count; i++)
		sources.items[sources.count++] = source_of(starts.items[i]);
	struct error *error =
	    fits ? chunk_path_find(explaining->subject, sources.items, sources.count,
				   explaining->reachability->reachable, passed,
				   explaining->made->chunk.chunk.number, &chunks)
		 : error_no_memory();
	struct chunk first;
	if (error == NULL && chunks.count > 0 &&
	    chunk_table_numbered(explaining->subject->heap->chunks, chunks.items[0], &first) &&
	    (!add_root_hop(explaining, starts.items, starts.count, &first, path) ||
	     !add_chunk_hops(explaining, &chunks, path)))
		error = error_no_memory();
	array_free(&chunks);
	array_free(&starts);
	array_free(&sources);
	free(passed);
	return error;
}

static struct error *find_structure(const struct explaining *explaining)
{
	struct explanation *made = explaining->made;
	const struct chunk_table *table = explaining->subject->heap->chunks;
	chunk_path found = { 0 }, chunks = { 0 };
	struct chunk head;
	struct error *error = orphans_structure_of(explaining->subject, explaining->reachability,
						   &made->chunk.chunk, &made->structure);
	if (error != NULL || !chunk_table_find(table, made->structure.head, &head))
		return error;
	made->has_structure = true;
	if (head.number == made->chunk.chunk.number)
		return NULL;
	const struct mark_source source = { .start = head.address,
					    .end = head.address + head.size };
	uint64_t *passed = bitmap_new(explaining, not_orphaned);
	error = passed == NULL ? error_no_memory()
			       : chunk_path_find(explaining->subject, &source, 1, NULL, passed,
						 made->chunk.chunk.number, &found);
	bool fits = array_push(&chunks, head.number);
	for (size_t i = 0; i < found.count && fits; i++)
		fits = array_push(&chunks, found.items[i]);
	if (error == NULL && (!fits || !add_chunk_hops(explaining, &chunks, &made->inside)))
		error = error_no_memory();
	array_free(&found);
	array_free(&chunks);
	free(passed);
	return error;
}

/* Why a doubted chunk is no orphan, though nothing leads to it. */
static const char *why_doubted(enum heap_doubt_kind doubt)
{
	static const char *const reasons[HEAP_DOUBT_COUNT] = {
		[HEAP_DOUBT_LOOKALIKE] =
		    "it looks like a chunk with a mapping of its own, but malloc's counters do not "
		    "tell that it is one: it may be a mapping of the program's",
		[HEAP_DOUBT_STATE] =
		    "the free list that holds it, or may do so, is damaged: it may "
		    "be free as well as in use",
		[HEAP_DOUBT_IN_HAND] = "a thread that is inside malloc or free has it in its hands",
	};
	return reasons[doubt];
}

/* Why what leads to a possible chunk is weak. */
static const char *why_weak(const struct root *root)
{
	if (root == NULL || root->strength == ROOT_STRONG)
		return "a pointer on this way, the shortest, points into the middle of a chunk, or "
		       "right behind it, as no known idiom does, and there is none without: it "
		       "may be left over from an earlier use of the memory";
	if (root->kind == ROOT_KERNEL)
		return "only words that the kernel holds for the process, or handed back to it, "
		       "lead to it";
	return root->kind == ROOT_RED_ZONE
		   ? "only the red zone leads to it, below the stack pointer of a thread that "
		     "sleeps in a system call: what lies there may be left over"
		   : "only a register leads to it that the system call its thread is in leaves "
		     "dead: what it holds may be left over";
}

static bool memory_is_missing(const struct gaps *gaps)
{
	for (size_t i = 0; i < gaps->list.count; i++)
		if (gaps->list.items[i].kind == GAP_MEMORY)
			return true;
	return false;
}

/* How sure it is that nothing keeps a chunk. */
static const char *why_unheld(const struct explaining *explaining)
{
	const struct reachability *reachability = explaining->reachability;
	struct string_pool *strings = modules_strings(explaining->subject->modules);
	if (reachability->doubt[0] != '\0')
		return string_pool_format(strings,
					  "%s could not be read and may hold pointers to it",
					  reachability->doubt);
	if (reachability->caution[0] != '\0')
		return string_pool_add(strings, reachability->caution);
	return memory_is_missing(explaining->subject->gaps)
		   ? "memory that is not at hand may still refer to it"
		   : NULL;
}

static struct error *find_what_keeps_it(const struct explaining *explaining)
{
	struct explanation *made = explaining->made;
	struct error *error = NULL;
	if (made->chunk.internal) {
		made->why = "the allocator itself uses it";
		return NULL;
	}
	if (reachability_unheld(explaining->reachability, &made->chunk.chunk)) {
		made->why = why_unheld(explaining);
		return find_structure(explaining);
	}
	switch (made->chunk.state) {
	case CHUNK_REACHABLE:
		error = find_path(explaining, ROOT_STRONG, &made->path);
		if (error == NULL && made->path.count == 0)
			made->why = "the C library keeps it for the thread-local storage of a "
				    "thread that is gone";
		return error;
	case CHUNK_POSSIBLE:
		error = find_path(explaining, ROOT_STRONG, &made->path);
		if (error == NULL && made->path.count == 0)
			error = find_path(explaining, ROOT_WEAK, &made->path);
		if (error == NULL && made->path.count > 0)
			made->why = why_weak(made->path.items[0].storage.root);
		else if (error == NULL && made->chunk.doubt != HEAP_DOUBT_NONE)
			made->why = why_doubted(made->chunk.doubt);
		return error;
	case CHUNK_ORPHANED:
	case CHUNK_FREE:
	case CHUNK_STATE_COUNT:
		break;
	}
	return NULL;
}

/* Who refers to it. */

static void choose_object(struct explanation *made)
{
	const struct place *place = &made->storage.place;
	made->object = made->address;
	made->object_size = 1;
	if (made->in_chunk) {
		made->object = made->chunk.chunk.address;
		made->object_size = made->chunk.chunk.size;
	} else if (place->kind == PLACE_SYMBOL && !place->symbol.is_function &&
		   place->symbol.size != 0) {
		made->object = place->symbol.address;
		made->object_size = place->symbol.size;
	}
}

/* Small numbers are everywhere, and no pointers; those below 0 as well. */
static bool is_worth_asking(const struct explaining *explaining)
{
	const struct explanation *made = explaining->made;
	return !describe_kernels(explaining->subject, made->address) &&
	       made->storage.kind != STORAGE_NOT_CANONICAL &&
	       (made->storage.kind != STORAGE_UNMAPPED || made->address >= NULL_AREA);
}

static struct error *explain(struct explaining *explaining)
{
	const struct subject *subject = explaining->subject;
	struct explanation *made = explaining->made;
	storage_at(explaining->map, made->address, &made->storage);
	made->text = storage_text(explaining->map, &made->storage);
	if (explaining->roots == NULL || explaining->reachability == NULL)
		return NULL;
	struct chunk chunk;
	made->in_chunk = chunk_table_find(subject->heap->chunks, made->address, &chunk);
	if (made->in_chunk) {
		look_at_chunk(explaining, &chunk, &made->chunk);
		look_for_cache(explaining);
		look_at_neighbours(explaining);
	}
	choose_object(made);
	struct error *error = made->in_chunk ? find_what_keeps_it(explaining) : NULL;
	made->has_referrers = is_worth_asking(explaining);
	if (error == NULL && made->has_referrers)
		error = referrers_find(subject, explaining->roots, explaining->reachability,
				       explaining->map, made->object,
				       made->object_size + made->in_chunk, &made->referrers);
	for (size_t i = 0; i < made->referrers.list.count; i++)
		put_in_words(explaining, &made->referrers.list.items[i].word);
	return error;
}

struct error *explain_find(const struct subject *subject, const struct roots *roots,
			   const struct reachability *reachability, uint64_t address,
			   struct explanation *explanation)
{
	struct explanation made = { .address = address };
	struct explaining explaining = {
		.subject = subject, .roots = roots, .reachability = reachability, .made = &made
	};
	struct error *error = storage_map_new(subject, roots, &explaining.map);
	explaining.recogniser = content_recogniser_new(subject);
	if (error == NULL && explaining.recogniser == NULL)
		error = error_no_memory();
	if (error == NULL)
		error = explain(&explaining);
	content_recogniser_free(explaining.recogniser);
	storage_map_free(explaining.map);
	if (error != NULL) {
		explain_free(&made);
		return error;
	}
	*explanation = made;
	return NULL;
}

void explain_free(struct explanation *explanation)
{
	array_free(&explanation->path);
	array_free(&explanation->inside);
	referrers_free(&explanation->referrers);
	*explanation = (struct explanation){ 0 };
}
