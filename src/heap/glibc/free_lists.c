/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "heap/glibc/glibc.h"

#include <inttypes.h>
#include <stdio.h>

#define LOST_STEPS  4096 /* through memory that could not be walked */
#define KEYS_MAX    4096
#define KEYS_ENOUGH 3
#define KEY	    8 /* offset of a cached chunk's key, from its user address */

/* One list under way: `from` is the user address of the chunk whose link leads on, or 0 for the
 * list's head, `word` where that link lies. */
struct list_walk {
	struct glibc_walk *walk;
	const struct glibc_free_list *list;
	uint64_t from, word;
	uint64_t lost_steps;
	uint64_t count;
};

static struct glibc_place place(const struct list_walk *state, enum heap_finding_kind kind,
				uint64_t address, uint64_t word, const char *expected)
{
	struct glibc_place at = glibc_at(kind, state->list->arena, address, word, expected);
	at.in_flux = state->list->in_flux;
	return at;
}

/* "0x40-byte bin of the tcache at 0x…", in a buffer. */
static const char *list_name(const struct glibc_free_list *list, char *buffer, size_t size)
{
	snprintf(buffer, size, "%s %u (0x%" PRIx64 "-byte chunks) of 0x%" PRIx64, list->name,
		 list->number, list->smallest, list->owner);
	return buffer;
}

/* A chunk that contradicts its list may be in use: a link was overwritten, and leads to it. What it
 * leads to is not called orphaned. */
static void doubt(struct list_walk *state, uint64_t user)
{
	struct chunk chunk;
	struct glibc_walk *walk = state->walk;
	if (!chunk_table_find(walk->heap->chunks, user, &chunk) || chunk.address != user)
		return;
	struct heap_doubt doubted = { user, user + chunk.size, HEAP_DOUBT_STATE };
	if (!array_push(&walk->heap->doubted, doubted))
		walk->no_memory = true;
}

/* The list leads to `user`, where no chunk begins. */
static void tell_bad_link(struct list_walk *state, uint64_t user)
{
	char name[96];
	struct chunk chunk;
	uint64_t stored = 0;
	struct glibc_walk *walk = state->walk;
	list_name(state->list, name, sizeof name);
	if (glibc_tell_covered(walk, user, state->list->in_flux, name))
		return;
	if (state->from == 0) {
		struct glibc_place where =
		    place(state, state->list->is_tcache ? HEAP_DAMAGED_TCACHE : HEAP_DAMAGED_BIN,
			  state->list->owner, state->word, "a free chunk, or 0");
		glibc_finding(walk, &where, "%s begins with 0x%" PRIx64 ", where no chunk begins",
			      name, user);
		return;
	}
	heap_reader_word(&walk->reader, state->word, &stored);
	bool plain = walk->links_are_mangled && address_space_find(walk->space, stored) != NULL;
	struct glibc_place where =
	    place(state, HEAP_DAMAGED_FREED_CHUNK, state->from, state->word,
		  walk->links_are_mangled
		      ? "the next free chunk's address, xor-ed with this word's own >> 12"
		      : "the next free chunk's address, or 0");
	if (plain && chunk_table_find(walk->heap->chunks, stored, &chunk))
		glibc_finding(walk, &where,
			      "the free chunk at 0x%" PRIx64 " in %s was written to after it was "
			      "freed: its link is the plain address of the chunk at 0x%" PRIx64,
			      state->from, name, chunk.address);
	else
		glibc_finding(walk, &where,
			      "the free chunk at 0x%" PRIx64 " in %s was written to after it was "
			      "freed: its link leads to 0x%" PRIx64 ", %s",
			      state->from, name, user,
			      user % 16 != 0 ? "which is not aligned" : "where no chunk begins");
	doubt(state, state->from);
}

static void tell_twice(struct list_walk *state, uint64_t user)
{
	char name[96];
	struct glibc_place where =
	    place(state, HEAP_DAMAGED_DOUBLE_FREE, user, state->word, "another chunk, or the end");
	glibc_finding(state->walk, &where,
		      "the chunk at 0x%" PRIx64
		      " was freed twice: %s comes to it, and it is in a free list already",
		      user, list_name(state->list, name, sizeof name));
}

static void check_size(struct list_walk *state, const struct chunk *chunk)
{
	char name[96], by[64] = "";
	const struct glibc_free_list *list = state->list;
	uint64_t size = chunk->size + CHUNK_TRAILER;
	if (size >= list->smallest && size <= list->largest)
		return;
	struct glibc_place where = place(
	    state, HEAP_DAMAGED_LIST_SIZE, chunk->address,
	    chunk->address - CHUNK_HEADER + CHUNK_SIZE,
	    string_pool_format(state->walk->strings, "0x%" PRIx64 ", and flags", list->smallest));
	if (state->from != 0)
		snprintf(by, sizeof by, ", by the link in the one at 0x%" PRIx64, state->from);
	glibc_finding(state->walk, &where,
		      "the free chunk at 0x%" PRIx64 " has 0x%" PRIx64 " bytes, but is in %s%s",
		      chunk->address, size, list_name(list, name, sizeof name), by);
	doubt(state, chunk->address);
}

static void check_key(struct list_walk *state, const struct chunk *chunk)
{
	char name[96];
	struct glibc_walk *walk = state->walk;
	uint64_t key, expected = walk->tcache_key == GLIBC_KEY_IS_OWNER ? state->list->owner
									: walk->tcache_key;
	if (expected == 0 || !heap_reader_word(&walk->reader, chunk->address + KEY, &key) ||
	    key == expected)
		return;
	struct glibc_place where =
	    place(state, HEAP_DAMAGED_FREED_CHUNK, chunk->address, chunk->address + KEY,
		  string_pool_format(walk->strings, "0x%" PRIx64 ", as in the other cached chunks",
				     expected));
	glibc_finding(walk, &where,
		      "the free chunk at 0x%" PRIx64
		      " in %s was written to after it was freed: its key is 0x%" PRIx64,
		      chunk->address, list_name(state->list, name, sizeof name), key);
	doubt(state, chunk->address);
}

static void take(struct list_walk *state, const struct chunk *chunk)
{
	check_size(state, chunk);
	if (state->list->is_tcache)
		check_key(state, chunk);
	if (state->list->is_tcache)
		glibc_set_cached(state->walk, chunk);
	else
		glibc_set_free(state->walk, chunk);
	state->count++;
}

/* A chunk of the list whose header is smashed, and told of: its list says what its size was. */
static void tell_listed(struct list_walk *state, uint64_t user)
{
	char name[96];
	struct glibc_walk *walk = state->walk;
	for (size_t i = 0; i < walk->heap->findings.count; i++) {
		struct heap_finding *finding = &walk->heap->findings.items[i];
		if (finding->kind == HEAP_DAMAGED_SIZE && finding->address == user)
			finding->expected = string_pool_format(
			    walk->strings, "0x%" PRIx64 ", and flags: it is free, in %s",
			    state->list->smallest, list_name(state->list, name, sizeof name));
	}
}

uint64_t glibc_walk_free_list(struct glibc_walk *walk, const struct glibc_free_list *list,
			      uint64_t head, uint64_t at, bool *broken)
{
	struct list_walk state = { .walk = walk, .list = list, .word = head };
	uint64_t stored;
	struct chunk chunk;
	while (at != 0) {
		uint64_t user = at + list->header;
		bool is_chunk = user % 16 == 0 &&
				chunk_table_find(walk->heap->chunks, user, &chunk) &&
				chunk.address == user &&
				(list->is_tcache || chunk.region->arena == list->arena);
		/* A chunk whose header is smashed is told of already: the list goes on through it.
		 */
		bool lost = !is_chunk && user % 16 == 0 && glibc_is_lost(walk, user) &&
			    state.lost_steps++ < LOST_STEPS;
		if (!is_chunk && !lost) {
			tell_bad_link(&state, user);
			*broken = true;
			break;
		}
		if (is_chunk && glibc_mark_listed(walk, chunk.number)) {
			tell_twice(&state, user);
			*broken = true;
			break;
		}
		if (is_chunk)
			take(&state, &chunk);
		else
			tell_listed(&state, user);
		state.from = user;
		state.word = user;
		if (!heap_reader_word(&walk->reader, user, &stored)) {
			*broken = true;
			break;
		}
		at = glibc_link(walk, user, stored);
	}
	return state.count + state.lost_steps;
}

/* --- keys: what marks a cached chunk as one, against double frees */

/* Collects the second words of a list's chunks, or 1 for the tcache's own address. */
static size_t collect_keys(struct glibc_walk *walk, const struct cached_list *list, uint64_t *keys,
			   size_t count)
{
	struct chunk chunk;
	uint64_t stored, at = list->first;
	for (; at != 0 && count < KEYS_MAX; at = glibc_link(walk, at, stored)) {
		if (at % 16 != 0 || !chunk_table_find(walk->heap->chunks, at, &chunk) ||
		    chunk.address != at || !heap_reader_word(&walk->reader, at + KEY, &keys[count]))
			break;
		if (keys[count] == list->tcache)
			keys[count] = GLIBC_KEY_IS_OWNER;
		count++;
		if (!heap_reader_word(&walk->reader, at, &stored))
			break;
	}
	return count;
}

/* What at least three quarters of them are; 0: there is no such. */
static uint64_t most_common(const uint64_t *keys, size_t count)
{
	uint64_t best = 0;
	size_t votes = 0, held = 0;
	for (size_t i = 0; i < count; i++) {
		if (votes == 0)
			best = keys[i];
		votes = keys[i] == best ? votes + 1 : votes - 1;
	}
	for (size_t i = 0; i < count; i++)
		held += keys[i] == best;
	return held >= KEYS_ENOUGH && held >= count - count / 4 ? best : 0;
}

void glibc_find_key(struct glibc_walk *walk, const struct cached_list *lists, size_t list_count)
{
	uint64_t *keys = malloc(KEYS_MAX * sizeof *keys);
	size_t count = 0;
	if (keys == NULL) {
		walk->no_memory = true;
		return;
	}
	for (size_t i = 0; i < list_count; i++)
		count = collect_keys(walk, &lists[i], keys, count);
	walk->tcache_key = most_common(keys, count);
	free(keys);
}
