/* Long chains of chunks are followed by two threads: what comes out is what one finds.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "fake_target.h"
#include "heap/glibc/chain.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#define HEAP ((uint64_t)0x550000000000)
#define SIZE ((uint64_t)40 << 20)

struct long_heap {
	struct target *target;
	uint8_t *bytes;
	uint64_t top;
};

static void put(struct long_heap *heap, uint64_t address, uint64_t value)
{
	memcpy(heap->bytes + (address - HEAP), &value, sizeof value);
}

/* Chunks of 32 to 272 bytes, every seventh one free; each full of what `fill` gives. */
static struct long_heap make_heap(uint64_t (*fill)(uint64_t at))
{
	struct long_heap heap = { .target = fake_target_new() };
	heap.bytes = fake_target_map(heap.target, HEAP, SIZE, "rw-", "[heap]");
	fake_target_seal(heap.target);
	uint64_t state = 88172645463325252, at = HEAP, before = PREV_IN_USE;
	for (uint64_t i = 0; at < HEAP + SIZE - 4096; i++) {
		state ^= state << 13, state ^= state >> 7, state ^= state << 17;
		const uint64_t size = 32 + state % 16 * 16;
		const bool used = i % 7 != 0 || before == 0;
		for (uint64_t word = at + 16; word < at + size; word += 8)
			put(&heap, word, fill(word));
		put(&heap, at + CHUNK_SIZE, size | before);
		at += size;
		before = used ? PREV_IN_USE : 0;
		put(&heap, at, used ? fill(at) : size);
	}
	put(&heap, at + CHUNK_SIZE, (HEAP + SIZE - at) | before);
	heap.top = at;
	return heap;
}

static uint64_t nothing(uint64_t at)
{
	(void)at;
	return 0;
}

/* Everywhere something like the header of a chunk of 48 bytes. */
static uint64_t headers(uint64_t at)
{
	return at % 16 == 8 ? 48 | PREV_IN_USE : 0;
}

static struct chunk_table *follow(struct long_heap *heap, bool region_at_once, struct chain *chain,
				  enum chain_end *end)
{
	struct chunk_table *table = chunk_table_new();
	struct heap_reader reader = { .space = heap->target->space };
	uint32_t region;
	ck_assert_ptr_null(chunk_table_add_region(table, HEAP + CHUNK_HEADER,
						  heap->top + CHUNK_HEADER, CHUNK_TRAILER, 0, false,
						  &region));
	*chain = chain_new(heap->top, true, false);
	ck_assert(chain_begin(&reader, chain, HEAP));
	*end = region_at_once ? chain_follow_region(&reader, chain, table, region)
			      : chain_follow(&reader, chain, table, region, UINT64_MAX);
	return table;
}

static void compare(struct long_heap *heap)
{
	struct chain alone, shared;
	enum chain_end ends[2];
	struct chunk_table *one = follow(heap, false, &alone, &ends[0]);
	struct chunk_table *two = follow(heap, true, &shared, &ends[1]);
	const size_t size = chunk_table_granules(one) / 64 * 8;
	ck_assert_int_eq(ends[0], ends[1]);
	ck_assert_uint_eq(alone.at, shared.at);
	ck_assert_uint_eq(alone.head, shared.head);
	ck_assert_uint_eq(alone.next, shared.next);
	ck_assert_uint_eq(alone.end, shared.end);
	ck_assert_uint_eq(alone.has_top, shared.has_top);
	ck_assert_uint_eq(alone.chunks, shared.chunks);
	ck_assert_uint_eq(alone.bytes, shared.bytes);
	ck_assert_uint_eq(alone.used_chunks, shared.used_chunks);
	ck_assert_uint_eq(alone.used_bytes, shared.used_bytes);
	ck_assert_uint_eq(alone.wrong_arena, shared.wrong_arena);
	ck_assert_uint_eq(alone.wrong_footer, shared.wrong_footer);
	ck_assert_int_eq(memcmp(chunk_table_start_bits(one), chunk_table_start_bits(two), size), 0);
	ck_assert_int_eq(memcmp(chunk_table_used_bits(one), chunk_table_used_bits(two), size), 0);
	chunk_table_free(one);
	chunk_table_free(two);
	target_close(heap->target);
}

START_TEST(two_threads_find_what_one_finds)
{
	struct long_heap heap = make_heap(nothing);
	compare(&heap);
}
END_TEST

/* What looks like a header in the middle is none. */
START_TEST(a_wrong_middle_does_no_harm)
{
	struct long_heap heap = make_heap(headers);
	compare(&heap);
}
END_TEST

/* Smashed sizes below, at and above the middle; and a wrong footer. */
START_TEST(damage_is_found_where_it_is)
{
	static const uint64_t places[] = { 1 << 20, SIZE / 2 - 4096, SIZE / 2, SIZE / 2 + 4096,
					   SIZE - (1 << 20) };
	struct long_heap heap = make_heap(nothing);
	uint64_t at = HEAP, size;
	while (at - HEAP < places[_i / 2] && at < heap.top) {
		memcpy(&size, heap.bytes + (at - HEAP) + CHUNK_SIZE, sizeof size);
		at += size & ~(uint64_t)SIZE_FLAGS;
	}
	if (_i % 2 == 0)
		put(&heap, at + CHUNK_SIZE, 0xdeadbeef0);
	for (bool free_before = false; _i % 2 != 0 && !free_before;) {
		memcpy(&size, heap.bytes + (at - HEAP) + CHUNK_SIZE, sizeof size);
		free_before = (size & PREV_IN_USE) == 0;
		if (free_before)
			put(&heap, at, 0xdeadbeef0);
		at += size & ~(uint64_t)SIZE_FLAGS;
	}
	compare(&heap);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("chain");
	TCase *all = tcase_create("all");
	tcase_set_timeout(all, 60);
	tcase_add_test(all, two_threads_find_what_one_finds);
	tcase_add_test(all, a_wrong_middle_does_no_harm);
	tcase_add_loop_test(all, damage_is_found_where_it_is, 0, 10);
	suite_add_tcase(suite, all);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
