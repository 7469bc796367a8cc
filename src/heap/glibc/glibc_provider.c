/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "heap/glibc/glibc.h"

#include "modules/glibc_version.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define LAYOUT_VOTES 8 /* links that a layout stands for */
#define GUESSES_MAX  ((uint64_t)1 << 28)

void glibc_own(struct glibc_walk *walk, uint64_t start, uint64_t end, const char *what)
{
	struct heap_own_range range = { .start = start, .end = end, .what = what };
	if (start < end && !array_push(&walk->heap->own, range))
		walk->no_memory = true;
}

/* The index of the first claim that ends above `address`. */
static size_t claim_above(const struct glibc_walk *walk, uint64_t address)
{
	size_t low = 0, high = walk->claims.count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (walk->claims.items[middle].end <= address)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

bool glibc_claim(struct glibc_walk *walk, uint64_t start, uint64_t end)
{
	size_t at = claim_above(walk, start);
	if (start >= end || (at < walk->claims.count && walk->claims.items[at].start < end))
		return false;
	struct range claim = { start, end };
	if (!array_push(&walk->claims, claim)) {
		walk->no_memory = true;
		return false;
	}
	memmove(walk->claims.items + at + 1, walk->claims.items + at,
		(walk->claims.count - 1 - at) * sizeof claim);
	walk->claims.items[at] = claim;
	return true;
}

const struct range *glibc_claimed(const struct glibc_walk *walk, uint64_t address)
{
	size_t at = claim_above(walk, address);
	return at < walk->claims.count && walk->claims.items[at].start <= address
		   ? &walk->claims.items[at]
		   : NULL;
}

uint64_t glibc_mapped_end(const struct glibc_walk *walk, uint64_t start, uint64_t limit)
{
	uint64_t at = start;
	while (at < limit) {
		const struct segment *segment = address_space_find(walk->space, at);
		if (segment == NULL)
			return at;
		at = segment->end;
	}
	return at < limit || limit < start ? at : limit;
}

bool glibc_segment_is_anonymous(const struct segment *segment)
{
	const char *name = segment->name;
	if (segment->origin == SEGMENT_ABSENT || segment->shared ||
	    (segment->permissions_known &&
	     (segment->permissions & (SEGMENT_READ | SEGMENT_WRITE)) !=
		 (SEGMENT_READ | SEGMENT_WRITE)))
		return false;
	return name == NULL || strcmp(name, "[heap]") == 0 || strncmp(name, "[anon", 5) == 0 ||
	       strncmp(name, "/anon_hugepage", 14) == 0;
}

bool glibc_mark_listed(struct glibc_walk *walk, uint64_t number)
{
	uint64_t mask = (uint64_t)1 << number % 64;
	bool was = (walk->listed[number / 64] & mask) != 0;
	walk->listed[number / 64] |= mask;
	return was;
}

bool glibc_is_listed(const struct glibc_walk *walk, uint64_t number)
{
	return (walk->listed[number / 64] & (uint64_t)1 << number % 64) != 0;
}

void glibc_set_used(struct glibc_walk *walk, const struct chunk *chunk)
{
	struct heap_arena *row = &walk->heap->arenas.items[chunk->region->arena];
	row->free_chunks--;
	row->free_bytes -= chunk->size + CHUNK_TRAILER;
	row->used_chunks++;
	row->used_bytes += chunk->size + CHUNK_TRAILER;
	chunk_table_set_used(walk->heap->chunks, chunk->address, true);
}

/* Takes the chunk out of the used ones. */
static struct heap_arena *make_free(struct glibc_walk *walk, const struct chunk *chunk)
{
	struct heap_arena *row = &walk->heap->arenas.items[chunk->region->arena];
	if (chunk->used) {
		row->used_chunks--;
		row->used_bytes -= chunk->size + CHUNK_TRAILER;
		chunk_table_set_used(walk->heap->chunks, chunk->address, false);
	} else {
		row->free_chunks--;
		row->free_bytes -= chunk->size + CHUNK_TRAILER;
	}
	return row;
}

void glibc_set_free(struct glibc_walk *walk, const struct chunk *chunk)
{
	struct heap_arena *row = make_free(walk, chunk);
	row->free_chunks++;
	row->free_bytes += chunk->size + CHUNK_TRAILER;
}

void glibc_set_cached(struct glibc_walk *walk, const struct chunk *chunk)
{
	struct heap_arena *row = make_free(walk, chunk);
	row->cached_chunks++;
	row->cached_bytes += chunk->size + CHUNK_TRAILER;
}

/* Puts together what the layouts of the first used copy rest on. */
static void tell_evidence(struct glibc_walk *walk)
{
	const struct malloc_copy *copy = &walk->copies.items[0];
	char tcache[64] = "not found";
	if (walk->tcache_below != 0)
		snprintf(tcache, sizeof tcache, "thread pointer - 0x%" PRIx64 "%s",
			 walk->tcache_below, copy->layout.has_tcache ? " (debug info)" : "");
	walk->heap->evidence = string_pool_format(
	    walk->strings, "malloc_state: %s; mp_: %s; tcache: %s; free links: %s",
	    copy->state_evidence, copy->par != 0 ? copy->par_evidence : "not found", tcache,
	    walk->link_votes == 0     ? "none seen"
	    : walk->links_are_mangled ? "mangled"
				      : "plain");
	walk->heap->version = glibc_version(walk->space, walk->context->modules);
}

static int compare_own(const void *left, const void *right)
{
	const struct heap_own_range *a = left, *b = right;
	return a->start < b->start ? -1 : a->start > b->start;
}

static int compare_doubts(const void *left, const void *right)
{
	const struct heap_doubt *a = left, *b = right;
	return a->start < b->start ? -1 : a->start > b->start;
}

static int compare_addresses(const void *left, const void *right)
{
	const uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;
	return a < b ? -1 : a > b;
}

static struct error *walk_copies(struct glibc_walk *walk)
{
	struct error *error = NULL;
	for (size_t i = 0; i < walk->copies.count && error == NULL; i++)
		error = glibc_find_arenas(walk, &walk->copies.items[i]);
	for (size_t i = 0; i < walk->copies.count && error == NULL; i++) {
		struct malloc_copy *copy = &walk->copies.items[i];
		for (size_t j = 0; j < copy->arenas.count && error == NULL; j++) {
			progress_tell(walk->context->progress, "walking the heap", j,
				      copy->arenas.count);
			error = glibc_walk_arena(walk, &copy->arenas.items[j]);
		}
	}
	if (error == NULL)
		error = glibc_find_mmapped(walk);
	return error;
}

/* Calls `read` for each arena. */
static void each_arena(struct glibc_walk *walk,
		       void (*read)(struct glibc_walk *, const struct malloc_copy *,
				    const struct malloc_arena *))
{
	for (size_t i = 0; i < walk->copies.count; i++)
		for (size_t j = 0; j < walk->copies.items[i].arenas.count; j++)
			read(walk, &walk->copies.items[i], &walk->copies.items[i].arenas.items[j]);
}

/* A malloc that knows huge pages (2.35 on) mangles links, which began with 2.32: so that a few
 * damaged links do not tell otherwise. */
static void vote_by_layout(struct glibc_walk *walk)
{
	for (size_t i = 0; i < walk->copies.count; i++)
		if (walk->copies.items[i].par != 0 &&
		    walk->copies.items[i].layout.par.hp_pagesize != MALLOC_NO_FIELD)
			walk->link_votes = LAYOUT_VOTES;
	walk->links_are_mangled = walk->link_votes > 0;
}

static struct error *read_free_lists(struct glibc_walk *walk)
{
	struct error *error = chunk_table_sort(walk->heap->chunks);
	if (error != NULL)
		return error;
	walk->listed =
	    calloc(chunk_table_granules(walk->heap->chunks) / 64 + 1, sizeof *walk->listed);
	if (walk->listed == NULL)
		return error_no_memory();
	glibc_sort_lost(walk);
	each_arena(walk, glibc_read_bins);
	vote_by_layout(walk);
	error = glibc_find_tcaches(walk);
	if (error != NULL)
		return error;
	each_arena(walk, glibc_vote_by_fastbins);
	each_arena(walk, glibc_read_fastbins);
	error = glibc_read_tcaches(walk);
	if (error == NULL) {
		glibc_find_in_hand(walk);
		glibc_find_covered(walk);
	}
	return error;
}

static void walk_free(struct glibc_walk *walk)
{
	for (size_t i = 0; i < walk->copies.count; i++) {
		struct malloc_copy *copy = &walk->copies.items[i];
		for (size_t j = 0; j < copy->arenas.count; j++)
			array_free(&copy->arenas.items[j].segments);
		array_free(&copy->arenas);
	}
	array_free(&walk->copies);
	array_free(&walk->claims);
	array_free(&walk->tcaches);
	array_free(&walk->lost);
	array_free(&walk->footers);
	free(walk->listed);
}

static bool is_used(struct glibc_walk *walk, const struct malloc_copy *copy)
{
	uint64_t system_memory;
	return !copy->unused &&
	       (copy->n_mmaps != 0 ||
		(address_space_u64(walk->space, copy->main_arena + copy->layout.state.system_mem,
				   &system_memory) &&
		 system_memory != 0));
}

/* Drops the copies that were never used, unless there is no other. */
static void drop_unused(struct glibc_walk *walk)
{
	size_t kept = 0;
	for (size_t i = 0; i < walk->copies.count; i++)
		if (is_used(walk, &walk->copies.items[i]))
			walk->copies.items[kept++] = walk->copies.items[i];
	walk->copies.count = kept != 0 ? kept : 1;
}

static void finish(struct glibc_walk *walk)
{
	struct heap *heap = walk->heap;
	tell_evidence(walk);
	if (heap->own.count > 1)
		qsort(heap->own.items, heap->own.count, sizeof *heap->own.items, compare_own);
	if (heap->doubted.count > 1)
		qsort(heap->doubted.items, heap->doubted.count, sizeof *heap->doubted.items,
		      compare_doubts);
	if (heap->in_hand.count > 1)
		qsort(heap->in_hand.items, heap->in_hand.count, sizeof *heap->in_hand.items,
		      compare_addresses);
	glibc_explain_findings(walk);
}

/* The program's malloc need not be libc's: a library of its own, or the program itself, may define
 * another, whose chunks are not here. */
static void tell_other_malloc(struct glibc_walk *walk)
{
	size_t count;
	struct symbol symbol;
	const struct module *modules = modules_list(walk->context->modules, &count);
	for (size_t i = 0; i < count; i++) {
		const struct module *module = &modules[i];
		bool glibcs = module->is_libc || strncmp(module->name, "ld-", 3) == 0 ||
			      strncmp(module->name, "ld.so", 5) == 0 ||
			      strncmp(module->name, "libc_malloc_debug", 17) == 0;
		if (!glibcs &&
		    modules_symbol_named(walk->context->modules, module, "malloc", &symbol) &&
		    symbol.is_function)
			gaps_add(
			    walk->gaps, GAP_HEAP, module->start, module->end,
			    "%s defines a malloc of its own, which corescan does not know: what it "
			    "did not take from libc's malloc was not walked, and counts as "
			    "ordinary "
			    "mappings",
			    module->name);
	}
}

static struct error *enumerate(const struct heap_context *context, struct gaps *gaps,
			       struct heap *heap)
{
	struct glibc_walk walk = {
		.context = context,
		.space = context->target->space,
		.strings = modules_strings(context->modules),
		.gaps = gaps,
		.heap = heap,
		.guesses_left = GUESSES_MAX,
		.big_endian = context->target->arch->elf_data == ELFDATA2MSB,
	};
	walk.reader.space = walk.space;
	walk.reader.swap = walk.big_endian != (__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__);
	glibc_find_flux(&walk);
	struct error *error = glibc_locate(&walk);
	if (error == NULL && walk.copies.count == 0)
		gaps_add(gaps, GAP_HEAP, 0, 0,
			 "glibc is loaded, but its main_arena was not found: no chunk was read; "
			 "libc's debug file (libc6-dbg, glibc-debuginfo) would show where it is");
	if (error == NULL && walk.copies.count != 0) {
		drop_unused(&walk);
		error = walk_copies(&walk);
		if (error == NULL)
			error = read_free_lists(&walk);
		if (error == NULL)
			finish(&walk);
		if (error == NULL && walk.no_memory)
			error = error_no_memory();
	}
	if (error == NULL)
		tell_other_malloc(&walk);
	walk_free(&walk);
	return error;
}

static bool probe(const struct heap_context *context)
{
	size_t count;
	if (context->target->arch->word_size != 8)
		return false;
	const struct module *modules = modules_list(context->modules, &count);
	for (size_t i = 0; i < count; i++)
		if (modules[i].is_libc)
			return true;
	return false;
}

const struct heap_provider glibc_heap_provider = {
	.name = "glibc malloc",
	.probe = probe,
	.enumerate = enumerate,
	.cache_of = glibc_cache_of,
};
