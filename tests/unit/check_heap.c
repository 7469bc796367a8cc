/* Heaps built word by word, whole and broken, over the in-memory target.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "heap/glibc/glibc.h"
#include "heap/glibc/malloc_frames.h"
#include "fake_target.h"

#include <check.h>
#include <signal.h>
#include <stdlib.h>

#define LIBC	  0x7f0000000000
#define ARENA	  (LIBC + 0xc60)
#define PAR	  (LIBC + 0x200)
#define HEAP	  0x555500000000
#define HEAP_SIZE 0x21000
#define ANON	  0x7e0000000000
#define TLS	  0x7f1000000000
#define POINTER	  (TLS + 0x1000) /* the thread pointer */
#define STACK	  0x7f2000000000 /* nothing is there */
#define TID	  7

/* A heap under construction. */
struct fake {
	struct target *target;
	struct modules *modules;
	struct threads threads;
	struct thread thread;
	const struct state_layout *state;
	const struct par_layout *par;
	uint64_t at;	   /* header of the next chunk */
	bool last_is_used; /* the chunk before it */
	struct frame frames[6];
	size_t frame_count;
	struct gaps gaps;
	struct heap heap;
};

static void put(struct fake *fake, uint64_t address, uint64_t value)
{
	fake_target_put64(fake->target, address, value);
}

static uint64_t get(struct fake *fake, uint64_t address)
{
	uint64_t value = 0;
	memcpy(&value, fake_target_bytes(fake->target, address, 8), 8);
	return value;
}

static void empty_bins(struct fake *fake, uint64_t arena)
{
	for (unsigned i = 0; i < MALLOC_BINS; i++) {
		uint64_t links = arena + fake->state->bins + i * 16;
		put(fake, links, links - 16);
		put(fake, links + 8, links - 16);
	}
}

/* A process with an empty main arena of HEAP_SIZE bytes. `row`: which layouts. */
static struct fake *fake_new(size_t row)
{
	struct fake *fake = calloc(1, sizeof *fake);
	ck_assert_ptr_nonnull(fake);
	fake->state = &malloc_state_layouts[row == 2 ? 1 : 0];
	fake->par = &malloc_par_layouts[row];
	fake->target = fake_target_new();
	fake_target_map_file(fake->target, LIBC, 0x3000, "rw-p", "/lib/libc.so.6", 0x1d0000);
	fake_target_map(fake->target, HEAP, HEAP_SIZE, "rw-p", NULL);
	fake_target_map(fake->target, ANON, 0x400000, "rw-p", NULL);
	fake_target_map(fake->target, TLS, 0x2000, "rw-p", NULL);
	fake->at = HEAP;
	fake->last_is_used = true;
	put(fake, PAR, 131072);
	put(fake, PAR + fake->par->arena_test, 8);
	fake_target_put32(fake->target, PAR + fake->par->n_mmaps_max, 65536);
	put(fake, PAR + fake->par->sbrk_base, HEAP);
	empty_bins(fake, ARENA);
	put(fake, ARENA + fake->state->next, ARENA);
	put(fake, ARENA + fake->state->system_mem, HEAP_SIZE);
	return fake;
}

/* The next chunk, of `size` bytes with its header. Returns its user address. */
static uint64_t add_chunk(struct fake *fake, uint64_t size, bool used)
{
	uint64_t header = fake->at;
	put(fake, header + 8, size | (fake->last_is_used ? PREV_IN_USE : 0));
	if (!used)
		put(fake, header + size, size);
	fake->last_is_used = used;
	fake->at += size;
	return header + 16;
}

/* Puts the free chunk into the list whose bin has its links at `links`. */
static void link_chunk(struct fake *fake, uint64_t links, uint64_t user)
{
	uint64_t first = get(fake, links), bin = links - 16, header = user - 16;
	put(fake, user, first);
	put(fake, user + 8, bin);
	put(fake, first + 24, header);
	put(fake, links, header);
}

static uint64_t bin_links(const struct fake *fake, unsigned bin)
{
	return ARENA + fake->state->bins + (bin - 1) * 16;
}

static void end_heap(struct fake *fake)
{
	put(fake, ARENA + fake->state->top, fake->at);
	put(fake, fake->at + 8,
	    (HEAP + HEAP_SIZE - fake->at) | (fake->last_is_used ? PREV_IN_USE : 0));
}

static void walk(struct fake *fake)
{
	static const struct modules_options options;
	fake_target_thread(fake->target, TID);
	fake_target_set_register(fake->target, TID, "fs_base", POINTER);
	fake_target_set_register(fake->target, TID, "rsp", STACK);
	fake_target_seal(fake->target);
	fake->thread = (struct thread){ .tid = TID, .is_main = true, .thread_pointer = POINTER };
	fake->thread.frames = fake->frames;
	fake->thread.frame_count = fake->frame_count;
	fake->thread.crashed = true;
	fake->thread.raw = &fake->target->threads.items[0];
	fake->threads = (struct threads){ .items = &fake->thread, .count = 1 };
	ck_assert_ptr_null(modules_open(fake->target, &options, &fake->gaps, &fake->modules));
	const struct heap_context context = { .target = fake->target,
					      .modules = fake->modules,
					      .threads = &fake->threads };
	fake->heap.chunks = chunk_table_new();
	ck_assert_ptr_null(glibc_heap_provider.enumerate(&context, &fake->gaps, &fake->heap));
	ck_assert_ptr_null(chunk_table_freeze(fake->heap.chunks));
}

static void fake_free(struct fake *fake)
{
	heap_free(&fake->heap);
	modules_free(fake->modules);
	target_close(fake->target);
	gaps_free(&fake->gaps);
	free(fake);
}

static bool found(const struct fake *fake, uint64_t user, uint64_t size, bool used)
{
	struct chunk chunk;
	return chunk_table_find(fake->heap.chunks, user, &chunk) && chunk.address == user &&
	       chunk.size == size && chunk.used == used;
}

static bool has_finding(const struct fake *fake, const char *part)
{
	for (size_t i = 0; i < fake->heap.findings.count; i++)
		if (strstr(fake->heap.findings.items[i].text, part) != NULL)
			return true;
	return false;
}

static bool has_gap(const struct fake *fake, const char *part)
{
	for (size_t i = 0; i < fake->gaps.list.count; i++)
		if (strstr(fake->gaps.list.items[i].text, part) != NULL)
			return true;
	return false;
}

/* The one finding that there is, which is of this kind. */
static const struct heap_finding *only_finding(const struct fake *fake, enum heap_finding_kind kind)
{
	ck_assert_uint_eq(fake->heap.findings.count, 1);
	ck_assert_str_eq(heap_finding_row(fake->heap.findings.items[0].kind)->name,
			 heap_finding_row(kind)->name);
	return &fake->heap.findings.items[0];
}

/* 40 chunks of 96 bytes in use; returns the user address of the first. */
static uint64_t add_forty(struct fake *fake)
{
	uint64_t first = add_chunk(fake, 96, true);
	for (int i = 1; i < 40; i++)
		add_chunk(fake, 96, true);
	return first;
}

START_TEST(a_whole_heap_is_counted)
{
	struct fake *fake = fake_new((size_t)_i);
	uint64_t a = add_chunk(fake, 32, true), b = add_chunk(fake, 1200, false);
	uint64_t c = add_chunk(fake, 48, true);
	link_chunk(fake, bin_links(fake, 1), b);
	end_heap(fake);
	walk(fake);
	ck_assert(found(fake, a, 24, true));
	ck_assert(found(fake, b, 1192, false));
	ck_assert(found(fake, c, 40, true));
	const struct heap_arena *main_arena = &fake->heap.arenas.items[0];
	ck_assert_uint_eq(main_arena->address, ARENA);
	ck_assert_uint_eq(main_arena->used_chunks, 2);
	ck_assert_uint_eq(main_arena->used_bytes, 80);
	ck_assert_uint_eq(main_arena->free_bytes, 1200);
	ck_assert_uint_eq(main_arena->top_bytes, HEAP_SIZE - 1280);
	ck_assert_uint_eq(main_arena->system_bytes, HEAP_SIZE);
	ck_assert_uint_eq(fake->heap.findings.count, 0);
	fake_free(fake);
}
END_TEST

/* A tcache with one chunk in each of two bins, the second of two; and a fastbin. */
static uint64_t add_tcache(struct fake *fake, const uint64_t chunks[3], bool mangled)
{
	uint64_t tcache = add_chunk(fake, 0x290, true);
	fake_target_put(fake->target, tcache, &(uint16_t){ 1 }, 2);
	fake_target_put(fake->target, tcache + 2, &(uint16_t){ 2 }, 2);
	put(fake, tcache + 128, chunks[0]);
	put(fake, tcache + 136, chunks[1]);
	put(fake, chunks[0], mangled ? chunks[0] >> 12 : 0);
	put(fake, chunks[1], chunks[2] ^ (mangled ? chunks[1] >> 12 : 0));
	put(fake, chunks[2], mangled ? chunks[2] >> 12 : 0);
	put(fake, POINTER - 0x48, tcache);
	put(fake, POINTER - 0x38, ARENA);
	return tcache;
}

START_TEST(cached_and_fastbin_chunks_are_free)
{
	bool mangled = _i == 1;
	struct fake *fake = fake_new((size_t)_i);
	uint64_t chunks[3], fast = add_chunk(fake, 48, true);
	for (int i = 0; i < 3; i++)
		chunks[i] = add_chunk(fake, i == 0 ? 32 : 48, true);
	uint64_t kept = add_chunk(fake, 48, true);
	uint64_t tcache = add_tcache(fake, chunks, mangled);
	put(fake, ARENA + fake->state->fastbins + 8, fast - 16);
	put(fake, fast, mangled ? fast >> 12 : 0);
	end_heap(fake);
	walk(fake);
	for (int i = 0; i < 3; i++)
		ck_assert(found(fake, chunks[i], i == 0 ? 24 : 40, false));
	ck_assert(found(fake, fast, 40, false));
	ck_assert(found(fake, kept, 40, true));
	ck_assert_uint_eq(fake->heap.internal.count, 1);
	ck_assert_uint_eq(fake->heap.internal.items[0], tcache);
	ck_assert_uint_eq(fake->heap.arenas.items[0].cached_chunks, 3);
	ck_assert_uint_eq(fake->heap.arenas.items[0].free_chunks, 1);
	ck_assert_uint_eq(fake->heap.findings.count, 0);
	fake_free(fake);
}
END_TEST

START_TEST(a_double_free_in_the_tcache_is_found)
{
	struct fake *fake = fake_new(1);
	uint64_t chunks[3];
	for (int i = 0; i < 3; i++)
		chunks[i] = add_chunk(fake, i == 0 ? 32 : 48, true);
	add_tcache(fake, chunks, true);
	put(fake, chunks[2], chunks[1] ^ (chunks[2] >> 12));
	end_heap(fake);
	walk(fake);
	ck_assert(has_finding(fake, "was freed twice"));
	ck_assert_uint_eq(fake->heap.arenas.items[0].cached_chunks, 3);
	fake_free(fake);
}
END_TEST

START_TEST(absurd_tcache_counts_do_no_harm)
{
	struct fake *fake = fake_new(1);
	uint64_t chunks[3];
	for (int i = 0; i < 3; i++)
		chunks[i] = add_chunk(fake, i == 0 ? 32 : 48, true);
	uint64_t tcache = add_tcache(fake, chunks, true);
	fake_target_put(fake->target, tcache, &(uint16_t){ 65535 }, 2);
	fake_target_put(fake->target, tcache + 2, &(uint16_t){ 60000 }, 2);
	end_heap(fake);
	walk(fake);
	ck_assert(has_finding(fake, "counts 65535 chunks, but its list holds 1"));
	ck_assert(has_finding(fake, "counts 60000 chunks, but its list holds 2"));
	ck_assert_uint_eq(fake->heap.arenas.items[0].cached_chunks, 3);
	fake_free(fake);
}
END_TEST

START_TEST(a_cycle_in_a_bin_ends)
{
	struct fake *fake = fake_new(1);
	uint64_t a = add_chunk(fake, 1200, false);
	add_chunk(fake, 32, true);
	uint64_t b = add_chunk(fake, 1200, false);
	add_chunk(fake, 32, true);
	link_chunk(fake, bin_links(fake, 1), a);
	link_chunk(fake, bin_links(fake, 1), b);
	put(fake, a, b - 16); /* and so not back to the bin */
	end_heap(fake);
	walk(fake);
	ck_assert(has_finding(fake, "comes twice"));
	ck_assert_uint_eq(fake->heap.arenas.items[0].free_chunks, 2);
	fake_free(fake);
}
END_TEST

START_TEST(a_bin_into_nowhere_is_found)
{
	struct fake *fake = fake_new(1);
	uint64_t a = add_chunk(fake, 1200, false);
	add_chunk(fake, 32, true);
	put(fake, bin_links(fake, 1), 0x4141414141414140);
	end_heap(fake);
	walk(fake);
	ck_assert(has_finding(fake, "0x4141414141414140, where no chunk"));
	ck_assert(has_finding(fake, "is in no bin"));
	ck_assert(found(fake, a, 1192, false));
	fake_free(fake);
}
END_TEST

START_TEST(a_smashed_size_costs_one_chunk)
{
	struct fake *fake = fake_new(1);
	uint64_t first = add_forty(fake);
	end_heap(fake);
	put(fake, first + 10 * 96 - 8, 0x4141414141414141);
	walk(fake);
	ck_assert(has_finding(fake, "impossible size word 0x4141414141414141"));
	ck_assert(found(fake, first + 9 * 96, 88, true));
	ck_assert(!found(fake, first + 10 * 96, 88, true));
	ck_assert(found(fake, first + 11 * 96, 88, true));
	ck_assert_uint_eq(fake->heap.arenas.items[0].used_chunks, 39);
	ck_assert_uint_eq(fake->heap.arenas.items[0].lost_bytes, 96);
	ck_assert(has_gap(fake, "(96 bytes) could not be walked"));
	fake_free(fake);
}
END_TEST

START_TEST(a_size_that_leads_astray_costs_one_chunk)
{
	struct fake *fake = fake_new(1);
	uint64_t first = add_forty(fake);
	end_heap(fake);
	put(fake, first + 10 * 96 - 8, 0x51); /* into the middle of its own data, which is zero */
	walk(fake);
	const struct heap_finding *finding = only_finding(fake, HEAP_DAMAGED_SIZE);
	ck_assert_uint_eq(finding->address, first + 10 * 96);
	ck_assert_uint_eq(finding->previous.address, first + 9 * 96);
	ck_assert_uint_eq(finding->next.address, first + 11 * 96);
	ck_assert_uint_eq(finding->lost_bytes, 96);
	ck_assert(found(fake, first + 9 * 96, 88, true));
	ck_assert(found(fake, first + 11 * 96, 88, true));
	ck_assert_uint_eq(fake->heap.arenas.items[0].used_chunks, 39);
	fake_free(fake);
}
END_TEST

START_TEST(an_overwritten_top_loses_nothing)
{
	static const uint64_t tops[] = { 0,
					 0x4141414141414141,
					 HEAP + 0x7ffff000,
					 HEAP + 24,
					 HEAP + 96 * 7 + 32,
					 ARENA + 96,
					 HEAP + 96 * 7,
					 HEAP };
	struct fake *fake = fake_new(1);
	uint64_t first = add_forty(fake);
	end_heap(fake);
	put(fake, ARENA + fake->state->top, tops[_i]);
	walk(fake);
	ck_assert_uint_eq(fake->heap.arenas.items[0].used_chunks, 40);
	ck_assert_uint_eq(fake->heap.arenas.items[0].lost_bytes, 0);
	ck_assert_uint_eq(only_finding(fake, HEAP_DAMAGED_TOP)->found, tops[_i]);
	ck_assert(found(fake, first + 39 * 96, 88, true));
	fake_free(fake);
}
END_TEST

/* A chunk was just cut from top, and the rest has no header yet: a stale one leads on to the end.
 */
START_TEST(a_stale_header_in_a_new_top_is_none)
{
	struct fake *fake = fake_new(1);
	add_forty(fake);
	const uint64_t top = fake->at;
	add_forty(fake);
	end_heap(fake);
	put(fake, ARENA + fake->state->top, top);
	fake_target_put32(fake->target, ARENA, 1);
	walk(fake);
	ck_assert_uint_eq(fake->heap.arenas.items[0].used_chunks, 40);
	ck_assert_uint_eq(heap_corruption_count(&fake->heap), 0);
	fake_free(fake);
}
END_TEST

START_TEST(a_smashed_top_size_loses_nothing)
{
	static const uint64_t sizes[] = { 0, UINT64_MAX, 0x4141414141414141, 0x21, 0x1001 };
	struct fake *fake = fake_new(1);
	uint64_t first = add_forty(fake);
	end_heap(fake);
	put(fake, fake->at + 8, sizes[_i]);
	walk(fake);
	const struct heap_finding *finding = only_finding(fake, HEAP_DAMAGED_TOP_SIZE);
	ck_assert_uint_eq(finding->address, fake->at + 16);
	ck_assert_uint_eq(finding->previous.address, first + 39 * 96);
	ck_assert_uint_eq(fake->heap.arenas.items[0].used_chunks, 40);
	ck_assert_uint_eq(fake->heap.arenas.items[0].top_bytes, HEAP_SIZE - 40 * 96);
	fake_free(fake);
}
END_TEST

START_TEST(a_text_past_a_chunks_end_is_shown)
{
	struct fake *fake = fake_new(1);
	uint64_t first = add_forty(fake);
	end_heap(fake);
	fake_target_put_string(fake->target, first + 3 * 96 + 60, "this is too long for its chunk");
	walk(fake);
	const struct heap_finding *finding = only_finding(fake, HEAP_DAMAGED_SIZE);
	ck_assert_uint_eq(finding->address, first + 4 * 96);
	ck_assert_uint_eq(finding->word, first + 4 * 96 - 8);
	ck_assert_ptr_nonnull(strstr(finding->overrun, "\"this is too long for its"));
	ck_assert_uint_eq(finding->dump_start, first + 4 * 96 - 48);
	ck_assert_uint_eq(finding->dump_rows, HEAP_DUMP_ROWS);
	ck_assert_str_eq(finding->dump_what[2], "header");
	ck_assert_mem_eq(finding->dump + 12, "this is too long for its chunk", 30);
	fake_free(fake);
}
END_TEST

START_TEST(a_cleared_in_use_bit_frees_nothing)
{
	struct fake *fake = fake_new(1);
	uint64_t first = add_chunk(fake, 0x100, true);
	uint64_t second = add_chunk(fake, 0x100, true);
	add_chunk(fake, 0x100, true);
	end_heap(fake);
	fake_target_put(fake->target, second - 8, "", 1);
	walk(fake);
	const struct heap_finding *finding = only_finding(fake, HEAP_DAMAGED_IN_USE_BIT);
	ck_assert_uint_eq(finding->address, second);
	ck_assert_uint_eq(finding->previous.address, first);
	ck_assert(found(fake, first, 0xf8, true));
	ck_assert_uint_eq(fake->heap.arenas.items[0].used_chunks, 3);
	ck_assert_uint_eq(fake->heap.arenas.items[0].free_chunks, 0);
	fake_free(fake);
}
END_TEST

/* Three free chunks in the unsorted bin, between chunks in use. */
static void add_three_free(struct fake *fake, uint64_t chunks[3])
{
	for (int i = 0; i < 3; i++) {
		chunks[i] = add_chunk(fake, 1200, false);
		add_chunk(fake, 48, true);
		link_chunk(fake, bin_links(fake, 1), chunks[i]);
	}
	end_heap(fake);
}

START_TEST(a_broken_bin_is_followed_from_both_ends)
{
	struct fake *fake = fake_new(1);
	uint64_t chunks[3];
	add_three_free(fake, chunks);
	/* The list is 2, 1, 0. */
	put(fake, chunks[2] + (_i == 0 ? 0 : 8), 0x4141414141414140);
	walk(fake);
	const struct heap_finding *finding = only_finding(fake, HEAP_DAMAGED_BIN);
	ck_assert_uint_eq(finding->address, chunks[2]);
	ck_assert_uint_eq(finding->found, 0x4141414141414140);
	for (int i = 0; i < 3; i++)
		ck_assert(found(fake, chunks[i], 1192, false));
	fake_free(fake);
}
END_TEST

START_TEST(a_wrong_prev_size_is_found)
{
	struct fake *fake = fake_new(1);
	uint64_t chunks[3];
	add_three_free(fake, chunks);
	put(fake, chunks[1] - 16 + 1200, 0x500);
	walk(fake);
	const struct heap_finding *finding = only_finding(fake, HEAP_DAMAGED_PREV_SIZE);
	ck_assert_uint_eq(finding->address, chunks[1]);
	ck_assert_uint_eq(finding->found, 0x500);
	fake_free(fake);
}
END_TEST

START_TEST(a_damaged_free_chunk_keeps_its_place)
{
	struct fake *fake = fake_new(1);
	uint64_t chunks[3];
	add_three_free(fake, chunks);
	put(fake, chunks[1] - 8, 0x4141414141414141);
	walk(fake);
	ck_assert_uint_eq(only_finding(fake, HEAP_DAMAGED_SIZE)->address, chunks[1]);
	ck_assert(found(fake, chunks[1], 1192, false));
	ck_assert_uint_eq(fake->heap.arenas.items[0].lost_bytes, 0);
	fake_free(fake);
}
END_TEST

START_TEST(a_chunk_in_a_bin_of_other_sizes_is_found)
{
	struct fake *fake = fake_new(1);
	uint64_t chunk = add_chunk(fake, 1200, false);
	add_chunk(fake, 48, true);
	link_chunk(fake, bin_links(fake, _i == 0 ? 20 : 80), chunk);
	end_heap(fake);
	walk(fake);
	ck_assert_uint_eq(only_finding(fake, HEAP_DAMAGED_LIST_SIZE)->address, chunk);
	fake_free(fake);
}
END_TEST

START_TEST(a_broken_link_between_sizes_is_found)
{
	struct fake *fake = fake_new(1);
	uint64_t small = add_chunk(fake, 1200, false);
	add_chunk(fake, 48, true);
	uint64_t large = add_chunk(fake, 1216, false);
	add_chunk(fake, 48, true);
	/* 1200 and 1216 bytes: 64 bytes a bin, from 1152 and 1216 on. */
	link_chunk(fake, bin_links(fake, 66), small);
	put(fake, small + 16, _i == 0 ? large - 16 : 0x4141414141414140);
	link_chunk(fake, bin_links(fake, 67), large);
	end_heap(fake);
	walk(fake);
	ck_assert_uint_eq(only_finding(fake, HEAP_DAMAGED_SIZE_LINKS)->address, small);
	fake_free(fake);
}
END_TEST

START_TEST(a_write_to_a_cached_chunk_is_found)
{
	struct fake *fake = fake_new(1);
	uint64_t chunks[3];
	for (int i = 0; i < 3; i++)
		chunks[i] = add_chunk(fake, i == 0 ? 32 : 48, true);
	add_tcache(fake, chunks, true);
	const uint64_t links[] = { 0x4242424242424242, chunks[0], 0 };
	put(fake, chunks[1], links[_i]);
	end_heap(fake);
	walk(fake);
	const struct heap_finding *finding = only_finding(fake, HEAP_DAMAGED_FREED_CHUNK);
	ck_assert_uint_eq(finding->address, chunks[1]);
	ck_assert_uint_eq(finding->found, links[_i]);
	if (_i == 1)
		ck_assert_ptr_nonnull(strstr(finding->text, "the plain address of the chunk at"));
	fake_free(fake);
}
END_TEST

START_TEST(a_wrong_key_is_found)
{
	struct fake *fake = fake_new((size_t)_i);
	uint64_t chunks[3], more[4], last = 0;
	for (int i = 0; i < 3; i++)
		chunks[i] = add_chunk(fake, i == 0 ? 32 : 48, true);
	for (int i = 0; i < 4; i++)
		more[i] = add_chunk(fake, 64, true);
	uint64_t tcache = add_tcache(fake, chunks, _i == 1);
	uint64_t key = _i == 1 ? 0x9f725f4b96803b84 : tcache;
	fake_target_put(fake->target, tcache + 4, &(uint16_t){ 4 }, 2);
	for (int i = 0; i < 4; i++) {
		put(fake, more[i], last ^ (_i == 1 ? more[i] >> 12 : 0));
		put(fake, more[i] + 8, i == 2 ? 7 : key);
		last = more[i];
	}
	for (int i = 0; i < 3; i++)
		put(fake, chunks[i] + 8, key);
	put(fake, tcache + 128 + 16, last);
	end_heap(fake);
	walk(fake);
	const struct heap_finding *finding = only_finding(fake, HEAP_DAMAGED_FREED_CHUNK);
	ck_assert_uint_eq(finding->address, more[2]);
	ck_assert_uint_eq(finding->found, 7);
	ck_assert_uint_eq(fake->heap.arenas.items[0].cached_chunks, 7);
	fake_free(fake);
}
END_TEST

START_TEST(a_cached_chunk_of_another_size_is_found)
{
	struct fake *fake = fake_new(1);
	uint64_t chunks[3];
	for (int i = 0; i < 3; i++)
		chunks[i] = add_chunk(fake, i == 1 ? 32 : 48, true);
	add_tcache(fake, chunks, true);
	end_heap(fake);
	walk(fake);
	ck_assert_uint_eq(fake->heap.findings.count, 2); /* 48 for 32, and 32 for 48 */
	ck_assert_int_eq(fake->heap.findings.items[0].kind, HEAP_DAMAGED_LIST_SIZE);
	ck_assert_uint_eq(fake->heap.findings.items[0].address, chunks[0]);
	ck_assert_uint_eq(fake->heap.findings.items[1].address, chunks[1]);
	fake_free(fake);
}
END_TEST

/* A link that was overwritten leads to a chunk in use, of another size. */
START_TEST(what_contradicts_its_list_is_doubted)
{
	struct fake *fake = fake_new(1);
	uint64_t chunks[3], live = add_chunk(fake, 112, true);
	for (int i = 0; i < 3; i++)
		chunks[i] = add_chunk(fake, i == 0 ? 32 : 48, true);
	add_tcache(fake, chunks, true);
	put(fake, chunks[1], live ^ chunks[1] >> 12);
	put(fake, live, live >> 12);
	end_heap(fake);
	walk(fake);
	char by[64];
	snprintf(by, sizeof by, "by the link in the one at 0x%lx", (unsigned long)chunks[1]);
	ck_assert_uint_eq(only_finding(fake, HEAP_DAMAGED_LIST_SIZE)->address, live);
	ck_assert(has_finding(fake, by));
	ck_assert_uint_eq(fake->heap.doubted.count, 1);
	ck_assert_uint_eq(fake->heap.doubted.items[0].start, live);
	ck_assert_uint_eq(fake->heap.doubted.items[0].end, live + 104);
	fake_free(fake);
}
END_TEST

START_TEST(stale_headers_in_a_damaged_chunk_are_not_chunks)
{
	struct fake *fake = fake_new(1);
	add_chunk(fake, 48, true);
	uint64_t damaged = add_chunk(fake, 0x800, true);
	for (uint64_t at = 0; at < 0x7c0; at += 0x40)
		put(fake, damaged + at + 8, 0x40 | (at / 0x40 % 4 != 2 ? 1 : 0));
	uint64_t next = add_chunk(fake, 48, true);
	add_chunk(fake, 48, true);
	end_heap(fake);
	put(fake, damaged - 8, 0x4141414141414141);
	walk(fake);
	ck_assert_uint_eq(only_finding(fake, HEAP_DAMAGED_SIZE)->next.address, next);
	ck_assert_uint_eq(fake->heap.arenas.items[0].used_chunks, 3);
	ck_assert_uint_eq(fake->heap.arenas.items[0].lost_bytes, 0x800);
	fake_free(fake);
}
END_TEST

START_TEST(a_ring_of_arenas_that_does_not_close_ends)
{
	struct fake *fake = fake_new(1);
	uint64_t first = add_forty(fake);
	end_heap(fake);
	put(fake, ARENA + fake->state->next, _i == 0 ? ANON + 0x30 : HEAP + 0x100);
	put(fake, ANON, ANON + 0x30);
	put(fake, ANON + 16, 0x21000);
	put(fake, ANON + 0x30 + fake->state->next, ANON + 0x30);
	walk(fake);
	ck_assert(has_finding(fake, "ring of arenas is broken"));
	ck_assert(found(fake, first, 88, true));
	fake_free(fake);
}
END_TEST

/* A thread arena of two heaps at `heaps`. */
/* A stack from its innermost frame on, until a frame of the program; NULL: no name is known. */
static const struct {
	const char *innermost, *caller, *expected;
	bool in_libc;
} stacks[] = {
	{ "_int_malloc", "malloc", "_int_malloc", true },
	{ "__GI___libc_free", "main", "__GI___libc_free", true },
	{ "unlink_chunk.isra.0", NULL, "unlink_chunk.isra.0", true },
	{ "_int_free_merge_chunk", NULL, "_int_free_merge_chunk", true },
	{ "__libc_malloc2", "main", "__libc_malloc2", true },
	{ "malloc", "main", NULL, false },
	{ "malloc_info", "main", NULL, true },
	{ "freeaddrinfo", "main", NULL, true },
	{ "pause", "malloc", NULL, true },
	{ NULL, "cfree", "cfree", true },
	{ NULL, "printf", NULL, true },
	{ NULL, NULL, NULL, true },
};

START_TEST(frames_of_malloc_are_known)
{
	struct fake *fake = fake_new(1);
	static const struct module libc = { .name = "libc.so.6", .is_libc = true };
	const struct module *module = stacks[_i].in_libc ? &libc : NULL;
	const struct frame frames[] = {
		{ .pc = HEAP + 64, .module = module, .linkage = stacks[_i].innermost },
		{ .pc = HEAP + 128, .module = module, .linkage = stacks[_i].caller },
		{ .pc = HEAP + 192, .function = "main" },
	};
	walk(fake);
	const char *function = glibc_malloc_function(fake->target, fake->modules, frames, 3, 0);
	if (stacks[_i].expected == NULL)
		ck_assert_ptr_null(function);
	else
		ck_assert_str_eq(function, stacks[_i].expected);
	fake_free(fake);
}
END_TEST

static void add_thread_arena(struct fake *fake, const uint64_t heaps[2])
{
	uint64_t arena = heaps[0] + 48;
	uint64_t at = (arena + fake->state->size + 15) & ~(uint64_t)15;
	put(fake, ARENA + fake->state->next, arena);
	put(fake, arena + fake->state->next, ARENA);
	put(fake, arena + fake->state->system_mem, 0x22000);
	empty_bins(fake, arena);
	put(fake, heaps[0], arena);
	put(fake, heaps[0] + 16, 0x1000);
	put(fake, heaps[0] + 24, 0x1000);
	put(fake, heaps[1], arena);
	put(fake, heaps[1] + 8, heaps[0]);
	put(fake, heaps[1] + 16, 0x21000);
	put(fake, heaps[1] + 24, 0x21000);
	put(fake, at + 8, 256 | 5);
	put(fake, at + 256 + 8, (heaps[0] + 0x1000 - 32 - at - 256) | 5);
	put(fake, heaps[0] + 0x1000 - 32 + 8, 0x10 | 1);
	put(fake, heaps[0] + 0x1000 - 16 + 8, 0 | 1);
	put(fake, heaps[1] + 48 + 8, 64 | 5);
	put(fake, heaps[1] + 48 + 64 + 8, (0x21000 - 48 - 64) | 1);
	put(fake, arena + fake->state->top, heaps[1] + 48 + 64);
}

/* libc's data was not dumped: main_arena's place is in the ring. 1: and the ring is broken, where
 * nothing of malloc's may be taken for a main_arena either. */
START_TEST(a_thread_arena_leads_to_an_absent_main_arena)
{
	static const uint64_t heaps[2] = { 0x7d0000000000, 0x7d0004000000 };
	const uint64_t absent = 0x7d2000000000;
	struct fake *fake = fake_new(1);
	fake_target_map(fake->target, heaps[0], 0x1000, "rw-p", NULL);
	fake_target_map(fake->target, heaps[1], 0x21000, "rw-p", NULL);
	fake_target_absent(fake->target, absent, 0x1000, "rw-p", NULL);
	add_thread_arena(fake, heaps);
	put(fake, heaps[0] + 48 + fake->state->next, _i == 0 ? absent + 0xc60 : 0);
	memset(fake_target_bytes(fake->target, LIBC, 0x3000), 0, 0x3000);
	walk(fake);
	ck_assert_uint_eq(fake->heap.findings.count, 0);
	ck_assert(found(fake, 0x7d0004000040, 56, true) == (_i == 0));
	if (_i == 0) {
		ck_assert_uint_eq(fake->heap.arenas.items[0].address, absent + 0xc60);
		ck_assert_uint_eq(fake->heap.arenas.items[1].used_chunks, 3);
		ck_assert(has_gap(fake, "main_arena, at 0x7d2000000c60, is not there"));
	}
	fake_free(fake);
}
END_TEST

START_TEST(a_thread_arena_has_several_heaps)
{
	static const uint64_t heaps[2] = { 0x7d0000000000, 0x7d0004000000 };
	struct fake *fake = fake_new(1);
	fake_target_map(fake->target, heaps[0], 0x1000, "rw-p", NULL);
	fake_target_absent(fake->target, heaps[0] + 0x1000, 0x3fff000, "---p", NULL);
	fake_target_map(fake->target, heaps[1], 0x21000, "rw-p", NULL);
	add_forty(fake);
	end_heap(fake);
	add_thread_arena(fake, heaps);
	if (_i == 1)
		put(fake, heaps[0] + 48 + fake->state->top, 0x1234560);
	if (_i == 2) /* which no lock is */
		fake_target_put32(fake->target, heaps[0] + 48, 0x41414141);
	if (_i == 3) /* back to the chunk before */
		put(fake, heaps[0] + 48 + fake->state->top, heaps[1] + 48);
	walk(fake);
	const struct heap_arena *arena = &fake->heap.arenas.items[1];
	ck_assert(!arena->in_flux);
	ck_assert_int_eq(arena->kind, ARENA_THREAD);
	ck_assert_uint_eq(arena->heap_count, 2);
	ck_assert_uint_eq(arena->used_chunks, 3);
	ck_assert_uint_eq(arena->lost_bytes, 0);
	ck_assert(found(fake, 0x7d0004000040, 56, true));
	static const char *const told[] = { NULL, "from which its first heap cannot be reached",
					    "0x41414141, which no lock is",
					    "behind which further chunks lie" };
	ck_assert_uint_eq(fake->heap.findings.count, told[_i] != NULL);
	ck_assert(told[_i] == NULL || has_finding(fake, told[_i]));
	fake_free(fake);
}
END_TEST

START_TEST(a_heap_that_was_not_dumped_is_a_gap)
{
	static const uint64_t heaps[2] = { 0x7d0000000000, 0x7d0004000000 };
	struct fake *fake = fake_new(1);
	fake_target_map(fake->target, heaps[0], 0x1000, "rw-p", NULL);
	fake_target_map(fake->target, heaps[1], 0x21000, "rw-p", NULL);
	fake_target_absent(fake->target, 0x7d0008000000, 0x21000, "rw-p", NULL);
	add_forty(fake);
	end_heap(fake);
	add_thread_arena(fake, heaps);
	put(fake, heaps[0] + 48 + fake->state->top, 0x7d0008000100);
	walk(fake);
	ck_assert_uint_eq(fake->heap.findings.count, 0);
	ck_assert(has_gap(fake, "leads through memory that is not there"));
	ck_assert_uint_eq(fake->heap.arenas.items[1].used_chunks, 3);
	fake_free(fake);
}
END_TEST

/* A chunk with a mapping of `size` bytes for itself, its header as the layouts have it. */
static void add_mmapped(struct fake *fake, uint64_t page, uint64_t size)
{
	size -= fake->par->mmapped_size_excludes_header ? 16 : 0;
	put(fake, page + 8, size | IS_MMAPPED);
}

/* 2.43 counts 16 bytes too many each time that mremap changes a chunk. */
static const struct {
	size_t layout;
	uint64_t lookalike, drift;
} lookalikes[] = { { 1, 0x5000, 0 },	  { 1, 0x3000, 0 },	{ 2, 0x5000, 0 },
		   { 2, 0x5000, 48 },	  { 2, 0x3000, 0xff0 }, { 2, 0x3000, 0x4000 },
		   { 2, 0x5000, 0x12340 } };

START_TEST(a_page_that_looks_like_an_mmapped_chunk_is_none)
{
	struct fake *fake = fake_new(lookalikes[_i].layout);
	uint64_t drift = lookalikes[_i].drift;
	add_forty(fake);
	end_heap(fake);
	fake_target_map(fake->target, 0x7e1000000000, 0x5000, "rw-p", NULL);
	add_mmapped(fake, 0x7e1000000000, 0x5000);
	add_mmapped(fake, ANON + 0x9000, lookalikes[_i].lookalike);
	fake_target_put32(fake->target, PAR + fake->par->n_mmaps, 1);
	put(fake, PAR + fake->par->mmapped_mem, 0x5000 + drift);
	put(fake, PAR + fake->par->mmapped_mem + 8, 0x5000 + drift);
	walk(fake);
	uint64_t usable = lookalikes[_i].layout == 2 ? 0x4fe8 : 0x4ff0;
	struct chunk chunk;
	ck_assert(found(fake, 0x7e1000000010, usable, true));
	ck_assert(!chunk_table_find(fake->heap.chunks, ANON + 0x9010, &chunk));
	ck_assert_uint_eq(fake->heap.arenas.items[1].used_chunks, 1);
	ck_assert_uint_eq(fake->heap.arenas.items[1].used_bytes, 0x5000);
	/* Where malloc's bytes are no guide, that is said. */
	bool doubted = lookalikes[_i].lookalike == 0x5000 || drift >= 0x1000;
	ck_assert(has_gap(fake, "passed over") == doubted);
	ck_assert_uint_eq(fake->heap.doubted.count, doubted);
	fake_free(fake);
}
END_TEST

/* memalign moved the chunk up by `lead`, mremap changed its size from `old` to `size`: the header
 * at the start of the pages tells the old one. A chunk follows where `next` is set. */
static const struct {
	size_t layout;
	uint64_t lead, old, size;
	bool next;
} moved[] = {
	{ 1, 0xff0, 0x9000, 0x20000, false }, { 1, 0xf0, 0x9000, 0x20000, true },
	{ 1, 0xff0, 0x20000, 0x5000, true },  { 1, 0xff0, 0x20000, 0x5000, false },
	{ 1, 0x4ff0, 0x9000, 0x9000, true },  { 1, 0x2ff0, 0x9000, 0x20000, true },
	{ 2, 0xff0, 0x9000, 0x20000, false }, { 2, 0xf0, 0x9000, 0x20000, true },
	{ 2, 0xff0, 0x20000, 0x5000, true },  { 2, 0x2ff0, 0x20000, 0x5000, false },
};

START_TEST(an_aligned_chunk_that_mremap_changed_is_whole)
{
	struct fake *fake = fake_new(moved[_i].layout);
	const uint64_t page = 0x7e1000000000, lead = moved[_i].lead, size = moved[_i].size;
	const uint64_t without = fake->par->mmapped_size_excludes_header ? 16 : 0;
	const uint64_t total = size + (moved[_i].next ? 0x3000 : 0);
	add_forty(fake);
	end_heap(fake);
	fake_target_map(fake->target, page, total, "rw-p", NULL);
	add_mmapped(fake, page, moved[_i].old);
	put(fake, page + lead, lead);
	put(fake, page + lead + 8, (size - lead - without) | IS_MMAPPED);
	if (moved[_i].next)
		add_mmapped(fake, page + size, 0x3000);
	fake_target_put32(fake->target, PAR + fake->par->n_mmaps, moved[_i].next ? 2 : 1);
	put(fake, PAR + fake->par->mmapped_mem, total + without);
	put(fake, PAR + fake->par->mmapped_mem + 8, total + without);
	walk(fake);
	const uint64_t unusable = without != 0 ? 24 : 16;
	ck_assert(found(fake, page + lead + 16, size - lead - unusable, true));
	if (moved[_i].next)
		ck_assert(found(fake, page + size + 16, 0x3000 - unusable, true));
	ck_assert_uint_eq(fake->heap.arenas.items[1].used_chunks, moved[_i].next ? 2 : 1);
	ck_assert_uint_eq(fake->heap.arenas.items[1].used_bytes, total);
	ck_assert(!has_gap(fake, "mmapped chunks"));
	fake_free(fake);
}
END_TEST

static void count_mmapped(struct fake *fake, uint32_t chunks, uint64_t bytes)
{
	fake_target_put32(fake->target, PAR + fake->par->n_mmaps, chunks);
	put(fake, PAR + fake->par->mmapped_mem, bytes);
	put(fake, PAR + fake->par->mmapped_mem + 8, bytes);
}

/* Sizes in pages of candidates with a mapping each, and whether each is a chunk of the table and a
 * certain one, against what malloc counts. */
static const struct {
	uint32_t chunks, pages;
	unsigned candidates[4];
	enum { NONE, SURE, DOUBTED } expected[4];
	bool said;
} counted[] = {
	{ 1, 98, { 98, 2, 2 }, { SURE, NONE, NONE }, false },
	{ 1, 98, { 98, 2, 2, 98 }, { NONE, NONE, NONE, NONE }, true },
	{ 2, 12, { 4, 5, 7, 8 }, { DOUBTED, DOUBTED, DOUBTED, DOUBTED }, true },
	{ 2, 12, { 4, 6, 7, 8 }, { SURE, NONE, NONE, SURE }, false },
	{ 2, 13, { 4, 6, 10, 20 }, { NONE, NONE, NONE, NONE }, true },
	{ 2, 13, { 4, 6 }, { DOUBTED, DOUBTED }, true },
	{ 2, 40, { 4, 6, 10, 20 }, { SURE, SURE, SURE, SURE }, false }, /* the number is wrong */
	{ 3, 40, { 4, 6, 10, 20 }, { SURE, SURE, SURE, SURE }, false },
	{ 3, 34, { 4, 6, 10, 20 }, { SURE, NONE, SURE, SURE }, false },
};

/* A set that malloc's counters contradict is none, and one that they do not single out is doubted.
 */
START_TEST(the_counters_choose_the_chunks)
{
	struct fake *fake = fake_new(1);
	struct chunk chunk;
	size_t doubted = 0;
	add_forty(fake);
	end_heap(fake);
	for (unsigned i = 0; i < 4; i++) {
		const uint64_t at = 0x7e1000000000 + i * 0x1000000,
			       size = counted[_i].candidates[i] * 0x1000ULL;
		if (size == 0)
			continue;
		fake_target_map(fake->target, at, size, "rw-p", NULL);
		add_mmapped(fake, at, size);
	}
	count_mmapped(fake, counted[_i].chunks, counted[_i].pages * 0x1000ULL);
	walk(fake);
	const bool twelve = counted[_i].pages == 12 && counted[_i].said;
	for (unsigned i = 0; i < 4 && !twelve; i++) {
		const uint64_t user = 0x7e1000000010 + i * 0x1000000;
		ck_assert(chunk_table_find(fake->heap.chunks, user, &chunk) ==
			  (counted[_i].expected[i] != NONE));
		doubted += counted[_i].expected[i] == DOUBTED;
	}
	/* 4 and 8, or 5 and 7. */
	if (twelve) {
		ck_assert_uint_eq(fake->heap.arenas.items[1].used_bytes, 12 * 0x1000);
		doubted = 2;
	}
	ck_assert_uint_eq(fake->heap.doubted.count, doubted);
	ck_assert(has_gap(fake, "mmapped chunks") == counted[_i].said);
	fake_free(fake);
}
END_TEST

/* A page that looks like a chunk stands alone, the chunk of the same size beside other memory. */
START_TEST(a_look_alike_of_the_same_size_is_doubted)
{
	struct fake *fake = fake_new(1);
	add_forty(fake);
	end_heap(fake);
	add_mmapped(fake, ANON, 0x5000);
	fake_target_map(fake->target, 0x7e1000000000, 0x5000, "rw-p", NULL);
	add_mmapped(fake, 0x7e1000000000, 0x5000);
	count_mmapped(fake, 1, 0x5000);
	walk(fake);
	ck_assert_uint_eq(fake->heap.arenas.items[1].used_chunks, 1);
	ck_assert_uint_eq(fake->heap.doubted.count, 1);
	ck_assert_uint_eq(fake->heap.doubted.items[0].start, 0x7e1000000010);
	ck_assert_uint_eq(fake->heap.doubted.items[0].end, 0x7e1000005000);
	ck_assert(has_gap(fake, "counts as possible"));
	fake_free(fake);
}
END_TEST

/* 2.43: what is counted too many may be of mremap, but not where the chunk's end is none. */
START_TEST(bytes_that_mremap_hardly_added_are_told)
{
	struct fake *fake = fake_new(2);
	add_forty(fake);
	end_heap(fake);
	fake_target_map(fake->target, 0x7e1000000000, _i == 0 ? 0x5000 : 0x9000, "rw-p", NULL);
	add_mmapped(fake, 0x7e1000000000, 0x5000);
	count_mmapped(fake, 1, 0x9000);
	walk(fake);
	ck_assert(found(fake, 0x7e1000000010, _i == 0 ? 0x4fe8 : 0x8fe8, true));
	ck_assert(has_finding(fake, "wrong size word 0x4ff2") == (_i == 1));
	ck_assert_uint_eq(fake->heap.doubted.count, 0);
	fake_free(fake);
}
END_TEST

START_TEST(twins_that_nothing_tells_apart_are_no_chunks)
{
	struct fake *fake = fake_new(1);
	add_forty(fake);
	end_heap(fake);
	add_mmapped(fake, ANON + 0x9000, 0x5000);
	add_mmapped(fake, ANON + 0x19000, 0x5000);
	fake_target_put32(fake->target, PAR + fake->par->n_mmaps, 1);
	put(fake, PAR + fake->par->mmapped_mem, 0x5000);
	put(fake, PAR + fake->par->mmapped_mem + 8, 0x5000);
	walk(fake);
	ck_assert_uint_eq(fake->heap.arenas.items[1].used_chunks, 0);
	ck_assert(has_gap(fake, "cannot be told from pages that look like them"));
	fake_free(fake);
}
END_TEST

START_TEST(memory_that_was_not_dumped_is_a_gap)
{
	struct fake *fake = fake_new(1);
	/* The heap goes on for three more pages: one absent, two there. */
	fake_target_absent(fake->target, HEAP + HEAP_SIZE, 0x1000, "rw-p", NULL);
	fake_target_map(fake->target, HEAP + HEAP_SIZE + 0x1000, 0x2000, "rw-p", NULL);
	while (fake->at + 0x800 <= HEAP + HEAP_SIZE)
		add_chunk(fake, 0x800, true);
	uint64_t last = fake->at - 0x800 + 16;
	fake->at = HEAP + HEAP_SIZE + 0x1400;
	uint64_t first = add_chunk(fake, 0x400, true);
	add_chunk(fake, 0x200, true);
	put(fake, ARENA + fake->state->top, fake->at);
	put(fake, ARENA + fake->state->system_mem, HEAP_SIZE + 0x3000);
	put(fake, fake->at + 8, (HEAP + HEAP_SIZE + 0x3000 - fake->at) | 1);
	walk(fake);
	ck_assert(has_gap(fake, "is not there"));
	ck_assert(found(fake, first, 0x3f8, true));
	ck_assert(found(fake, last - 0x800, 0x7f8, true));
	ck_assert(!found(fake, last, 0x7f8, true));
	ck_assert_uint_eq(fake->heap.arenas.items[0].lost_bytes, 0x800 + 0x1400);
	fake_free(fake);
}
END_TEST

/* Whatever of the heap was not read, to its end or from its top on: nothing speaks against top. */
START_TEST(a_top_that_was_not_dumped_is_believed)
{
	struct fake *fake = fake_new(1);
	const uint64_t gap = HEAP + HEAP_SIZE, size = HEAP_SIZE + 0x3000;
	fake_target_absent(fake->target, gap, _i == 0 ? 0x3000 : 0x1000, "rw-p", NULL);
	if (_i == 1)
		fake_target_map(fake->target, gap + 0x1000, 0x2000, "rw-p", NULL);
	add_forty(fake);
	add_chunk(fake, gap + 0x100 - fake->at, true); /* leads to what is not there */
	put(fake, ARENA + fake->state->top, gap + 0x1100);
	put(fake, ARENA + fake->state->system_mem, size);
	if (_i == 1) /* its size is wrong, which is another thing */
		put(fake, gap + 0x1108, 0x4141);
	walk(fake);
	if (_i == 0)
		ck_assert_uint_eq(fake->heap.findings.count, 0);
	else
		only_finding(fake, HEAP_DAMAGED_TOP_SIZE);
	ck_assert(has_gap(fake, "is not there"));
	ck_assert_uint_eq(fake->heap.arenas.items[0].used_chunks, 40);
	fake_free(fake);
}
END_TEST

START_TEST(chunks_lie_across_segments)
{
	struct fake *fake = fake_new(1);
	fake_target_map(fake->target, HEAP + HEAP_SIZE, 0x2000, "rw-p", NULL);
	/* One header's size word is the first word of the second segment. */
	uint64_t a = add_chunk(fake, HEAP_SIZE - 16, true);
	fake->at = HEAP + HEAP_SIZE - 16;
	uint64_t b = add_chunk(fake, 0x100, true);
	put(fake, ARENA + fake->state->top, fake->at);
	put(fake, ARENA + fake->state->system_mem, HEAP_SIZE + 0x2000);
	put(fake, fake->at + 8, (HEAP + HEAP_SIZE + 0x2000 - fake->at) | 1);
	walk(fake);
	ck_assert(found(fake, a, HEAP_SIZE - 24, true));
	ck_assert(found(fake, b, 0xf8, true));
	ck_assert_uint_eq(fake->heap.findings.count, 0);
	fake_free(fake);
}
END_TEST

/* A core that ends before libc's data, with the thread's arena there. */
START_TEST(a_ring_that_was_not_dumped_is_a_gap)
{
	static const uint64_t heaps[2] = { 0x7d0000000000, 0x7d0004000000 };
	struct fake *fake = fake_new(1);
	fake_target_map(fake->target, heaps[0], 0x1000, "rw-p", NULL);
	fake_target_absent(fake->target, heaps[0] + 0x1000, 0x3fff000, "---p", NULL);
	fake_target_map(fake->target, heaps[1], 0x21000, "rw-p", NULL);
	fake_target_absent(fake->target, 0x7d1000000000, 0x2000, "rw-p", NULL);
	add_forty(fake);
	end_heap(fake);
	add_thread_arena(fake, heaps);
	put(fake, ARENA + fake->state->next, 0x7d1000000030);
	walk(fake);
	ck_assert_uint_eq(fake->heap.findings.count, 0);
	ck_assert(has_gap(fake, "The arena at 0x7d1000000030 is not there"));
	ck_assert_uint_eq(fake->heap.arenas.items[1].used_chunks, 3);
	fake_free(fake);
}
END_TEST

/* Wherever links lead, also through damaged memory and in circles, the walk ends. */
START_TEST(lists_in_circles_through_damage_end)
{
	struct fake *fake = fake_new(1);
	uint64_t chunks[3], first;
	for (int i = 0; i < 3; i++)
		chunks[i] = add_chunk(fake, i == 0 ? 32 : 48, true);
	add_tcache(fake, chunks, true);
	first = add_forty(fake);
	end_heap(fake);
	uint64_t one = first + 5 * 96, other = first + 6 * 96;
	put(fake, one - 8, 0x4141414141414141);
	put(fake, other - 8, 0x4141414141414141);
	put(fake, one, other ^ one >> 12);
	put(fake, other, one ^ other >> 12);
	put(fake, chunks[1], one ^ chunks[1] >> 12);
	put(fake, ARENA + fake->state->fastbins + 32, one - 16);
	put(fake, bin_links(fake, 1), one - 16);
	put(fake, bin_links(fake, 1) + 8, other - 16);
	walk(fake);
	ck_assert_uint_eq(fake->heap.arenas.items[0].lost_bytes, 192);
	ck_assert(has_finding(fake, "impossible size word"));
	fake_free(fake);
}
END_TEST

START_TEST(a_locked_arena_is_in_flux)
{
	struct fake *fake = fake_new(1);
	add_chunk(fake, 1200, false);
	add_chunk(fake, 32, true);
	end_heap(fake);
	static const uint32_t words[] = { 0, 1, 2, 3, 0x41414141 };
	bool locked = words[_i] == 1 || words[_i] == 2;
	fake_target_put32(fake->target, ARENA, words[_i]);
	walk(fake);
	ck_assert(fake->heap.arenas.items[0].in_flux == locked);
	ck_assert(has_finding(fake, "in flux") == locked);
	ck_assert((heap_corruption_count(&fake->heap) == 0) == locked);
	fake_free(fake);
}
END_TEST

/* Stacks from the innermost frame on, "-" a frame of the program's, "!" one of a signal; whether
 * the process then died of its heap, whose arena is locked. */
static const struct {
	int signal, code;
	const char *frames[6];
	bool is_fault_near_sp, died;
} deaths[] = {
	{ SIGABRT, -6, { "raise", "abort", "sysmalloc", "malloc", "-" }, false, true },
	{ SIGABRT, -6, { "raise", "__GI_abort", "__malloc_assert", "sysmalloc" }, false, true },
	{ SIGABRT, -6, { "raise", "abort", "-", "!", "malloc" }, false, false },
	{ SIGABRT, -6, { "raise", "abort", "!", "malloc" }, false, false },
	{ SIGABRT, -6, { "raise", "abort", "-" }, false, false },
	{ SIGABRT, 0, { "_int_malloc", "malloc", "-" }, false, false },
	{ SIGSEGV, 1, { "_int_malloc", "malloc", "-" }, false, true },
	{ SIGSEGV, 1, { "_int_malloc", "malloc", "-" }, true, false },
	{ SIGSEGV, 1, { "memset", "calloc", "-" }, false, true },
	{ SIGSEGV, 1, { "int_mallinfo", "__libc_mallinfo2", "-" }, false, true },
	{ SIGSEGV, 1, { "mallinfo2", "-" }, false, true },
	{ SIGSEGV, 1, { "memset", "-", "malloc" }, false, false },
	{ SIGSEGV, 0, { "malloc", "-" }, false, false },
};

START_TEST(what_malloc_died_of_is_no_flux)
{
	static const struct module libc = { .name = "libc.so.6", .is_libc = true };
	struct fake *fake = fake_new(1);
	add_chunk(fake, 1200, false);
	add_chunk(fake, 32, true);
	end_heap(fake);
	fake_target_put32(fake->target, ARENA, 1);
	for (size_t i = 0; i < 6 && deaths[_i].frames[i] != NULL; i++) {
		const char *name = deaths[_i].frames[i];
		fake->frames[fake->frame_count++] = (struct frame){
			.pc = HEAP + 64 * i,
			.module = *name == '-' ? NULL : &libc,
			.linkage = *name == '-' || *name == '!' ? NULL : name,
			.signal_frame = *name == '!',
		};
	}
	fake->target->signal = (struct target_signal){
		.number = deaths[_i].signal,
		.code = deaths[_i].code,
		.has_details = true,
		.address = deaths[_i].is_fault_near_sp ? STACK - 8 : 0x41414141,
	};
	walk(fake);
	ck_assert(fake->heap.arenas.items[0].in_flux == !deaths[_i].died);
	ck_assert_uint_eq(heap_corruption_count(&fake->heap), deaths[_i].died);
	fake_free(fake);
}
END_TEST

/* Whatever the words are, the walk ends, and counts no more than there is. */
START_TEST(random_words_do_no_harm)
{
	struct fake *fake = fake_new((size_t)_i % 3);
	srandom((unsigned)_i + 1);
	uint64_t chunks[3], free_chunk;
	for (int i = 0; i < 3; i++)
		chunks[i] = add_chunk(fake, i == 0 ? 32 : 48, true);
	add_tcache(fake, chunks, _i % 2 == 0);
	for (int i = 0; i < 30; i++) {
		free_chunk = add_chunk(fake, 1200, false);
		link_chunk(fake, bin_links(fake, 1 + (unsigned)i % 100), free_chunk);
		add_chunk(fake, 48, true);
	}
	end_heap(fake);
	fake_target_put32(fake->target, PAR + fake->par->n_mmaps, 3);
	for (int i = 0; i < 12; i++) {
		static const uint64_t bases[] = { HEAP, HEAP, HEAP, ARENA, ANON };
		uint64_t values[] = { chunks[random() % 3],
				      (HEAP + (uint64_t)random() % 0x1000) ^ HEAP >> 12,
				      (uint64_t)random(),
				      HEAP + (uint64_t)random() % HEAP_SIZE,
				      ((uint64_t)random() % HEAP_SIZE & ~(uint64_t)15) | 1,
				      0x21,
				      ANON + (uint64_t)random() % 0x400000,
				      UINT64_MAX - (uint64_t)random() % 64,
				      (4096 << (unsigned)random() % 8) | 2 };
		uint64_t address =
		    bases[random() % 5] + ((uint64_t)random() % 0x880 & ~(uint64_t)7);
		put(fake, address, values[(unsigned)random() % 9]);
	}
	walk(fake);
	uint64_t bytes = 0;
	struct chunk chunk;
	for (uint64_t at = 0; chunk_table_next(fake->heap.chunks, at, &chunk);
	     at = chunk.address + 1)
		bytes += chunk.size;
	ck_assert_uint_le(bytes, HEAP_SIZE + 0x400000 + 0x2000 + 0x3000);
	if (fake->heap.arenas.count > 0)
		ck_assert_uint_le(fake->heap.arenas.items[0].used_bytes, HEAP_SIZE);
	fake_free(fake);
}
END_TEST

START_TEST(a_process_without_malloc_is_said_to_have_none)
{
	static const struct modules_options options;
	struct target *target = fake_target_new();
	struct modules *modules;
	struct gaps gaps = { 0 };
	struct heap heap;
	fake_target_map(target, HEAP, 0x1000, "rw-p", NULL);
	fake_target_seal(target);
	ck_assert_ptr_null(modules_open(target, &options, &gaps, &modules));
	const struct heap_context context = { .target = target, .modules = modules };
	ck_assert_ptr_null(heap_open(&context, &gaps, &heap));
	ck_assert_ptr_null(heap.provider);
	ck_assert_uint_eq(chunk_table_granules(heap.chunks), 0);
	bool said = false;
	for (size_t i = 0; i < gaps.list.count; i++)
		said = said || strstr(gaps.list.items[i].text, "No allocator") != NULL;
	ck_assert(said);
	heap_free(&heap);
	modules_free(modules);
	target_close(target);
	gaps_free(&gaps);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("heap");
	TCase *all = tcase_create("all");
	tcase_set_timeout(all, 60);
	tcase_add_loop_test(all, a_whole_heap_is_counted, 0, 3);
	tcase_add_loop_test(all, cached_and_fastbin_chunks_are_free, 0, 2);
	tcase_add_test(all, a_double_free_in_the_tcache_is_found);
	tcase_add_test(all, absurd_tcache_counts_do_no_harm);
	tcase_add_test(all, a_cycle_in_a_bin_ends);
	tcase_add_test(all, a_bin_into_nowhere_is_found);
	tcase_add_test(all, a_smashed_size_costs_one_chunk);
	tcase_add_test(all, a_size_that_leads_astray_costs_one_chunk);
	tcase_add_loop_test(all, an_overwritten_top_loses_nothing, 0, 8);
	tcase_add_test(all, a_stale_header_in_a_new_top_is_none);
	tcase_add_loop_test(all, a_smashed_top_size_loses_nothing, 0, 5);
	tcase_add_test(all, a_text_past_a_chunks_end_is_shown);
	tcase_add_test(all, a_cleared_in_use_bit_frees_nothing);
	tcase_add_loop_test(all, a_broken_bin_is_followed_from_both_ends, 0, 2);
	tcase_add_test(all, a_wrong_prev_size_is_found);
	tcase_add_test(all, a_damaged_free_chunk_keeps_its_place);
	tcase_add_loop_test(all, a_chunk_in_a_bin_of_other_sizes_is_found, 0, 2);
	tcase_add_loop_test(all, a_broken_link_between_sizes_is_found, 0, 2);
	tcase_add_loop_test(all, a_write_to_a_cached_chunk_is_found, 0, 3);
	tcase_add_loop_test(all, a_wrong_key_is_found, 0, 2);
	tcase_add_test(all, a_cached_chunk_of_another_size_is_found);
	tcase_add_test(all, what_contradicts_its_list_is_doubted);
	tcase_add_test(all, stale_headers_in_a_damaged_chunk_are_not_chunks);
	tcase_add_loop_test(all, a_ring_of_arenas_that_does_not_close_ends, 0, 2);
	tcase_add_loop_test(all, frames_of_malloc_are_known, 0, sizeof stacks / sizeof *stacks);
	tcase_add_loop_test(all, a_thread_arena_has_several_heaps, 0, 4);
	tcase_add_loop_test(all, a_thread_arena_leads_to_an_absent_main_arena, 0, 2);
	tcase_add_loop_test(all, a_page_that_looks_like_an_mmapped_chunk_is_none, 0,
			    sizeof lookalikes / sizeof *lookalikes);
	tcase_add_loop_test(all, an_aligned_chunk_that_mremap_changed_is_whole, 0,
			    sizeof moved / sizeof *moved);
	tcase_add_loop_test(all, the_counters_choose_the_chunks, 0,
			    sizeof counted / sizeof *counted);
	tcase_add_test(all, a_look_alike_of_the_same_size_is_doubted);
	tcase_add_loop_test(all, bytes_that_mremap_hardly_added_are_told, 0, 2);
	tcase_add_test(all, twins_that_nothing_tells_apart_are_no_chunks);
	tcase_add_test(all, a_heap_that_was_not_dumped_is_a_gap);
	tcase_add_test(all, memory_that_was_not_dumped_is_a_gap);
	tcase_add_loop_test(all, a_top_that_was_not_dumped_is_believed, 0, 2);
	tcase_add_test(all, chunks_lie_across_segments);
	tcase_add_test(all, a_ring_that_was_not_dumped_is_a_gap);
	tcase_add_test(all, lists_in_circles_through_damage_end);
	tcase_add_loop_test(all, a_locked_arena_is_in_flux, 0, 5);
	tcase_add_loop_test(all, what_malloc_died_of_is_no_flux, 0, sizeof deaths / sizeof *deaths);
	tcase_add_loop_test(all, random_words_do_no_harm, 0, 300);
	tcase_add_test(all, a_process_without_malloc_is_said_to_have_none);
	suite_add_tcase(suite, all);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
