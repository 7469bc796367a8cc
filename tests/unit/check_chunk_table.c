/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/array.h"
#include "heap/chunk_table.h"

#include <check.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static uint32_t add_region(struct chunk_table *table, uint64_t start, uint64_t end,
			   uint32_t trailer, bool single)
{
	uint32_t region;
	struct error *error =
	    chunk_table_add_region(table, start, end, trailer, 0, single, &region);
	ck_assert_msg(error == NULL, "%s", error != NULL ? error->message : "");
	return region;
}

static void freeze(struct chunk_table *table)
{
	struct error *error = chunk_table_freeze(table);
	ck_assert_msg(error == NULL, "%s", error != NULL ? error->message : "");
}

START_TEST(chunks_are_found_by_any_address_inside)
{
	struct chunk_table *table = chunk_table_new();
	uint32_t region = add_region(table, 0x1010, 0x1100, 8, false);
	chunk_table_add(table, region, 0x1010, true);
	chunk_table_add(table, region, 0x1030, false);
	chunk_table_add(table, region, 0x1060, true);
	freeze(table);

	static const struct {
		uint64_t address, chunk, size;
		bool used;
	} expected[] = {
		{ 0x1010, 0x1010, 24, true },
		{ 0x1027, 0x1010, 24, true },
		{ 0x1030, 0x1030, 40, false },
		{ 0x1044, 0x1030, 40, false },
		{ 0x1060, 0x1060, 0x98, true },
		{ 0x10f7, 0x1060, 0x98, true },
		{ 0x100f, 0, 0, false },
		{ 0x1028, 0, 0, false }, /* a trailer */
		{ 0x10f8, 0, 0, false },
		{ 0x1100, 0, 0, false },
		{ UINT64_MAX, 0, 0, false },
		{ 0, 0, 0, false },
		{ (uint64_t)1 << 63, 0, 0, false },
	};
	for (size_t i = 0; i < sizeof expected / sizeof *expected; i++) {
		struct chunk chunk;
		bool found = chunk_table_find(table, expected[i].address, &chunk);
		ck_assert_msg(found == (expected[i].size != 0), "0x%" PRIx64, expected[i].address);
		if (!found)
			continue;
		ck_assert_uint_eq(chunk.address, expected[i].chunk);
		ck_assert_uint_eq(chunk.size, expected[i].size);
		ck_assert_int_eq(chunk.used, expected[i].used);
		struct chunk again;
		ck_assert(chunk_table_numbered(table, chunk.number, &again));
		ck_assert_uint_eq(again.address, chunk.address);
	}
	chunk_table_free(table);
}
END_TEST

START_TEST(regions_in_any_order_keep_their_numbers)
{
	struct chunk_table *table = chunk_table_new();
	uint32_t high = add_region(table, 0x7f0000000010, 0x7f0000001000, 8, false);
	uint32_t single = add_region(table, 0x7e0000000010, 0x7e0000021000, 0, true);
	uint32_t low = add_region(table, 0x550000000010, 0x550000010000, 8, false);
	chunk_table_add(table, low, 0x550000000010, true);
	chunk_table_add(table, high, 0x7f0000000010, true);
	ck_assert_ptr_null(chunk_table_sort(table));
	chunk_table_add(table, high, 0x7f0000000100, true);
	chunk_table_cut(table, low, 0x550000001010);
	chunk_table_cut(table, single, 0x7e0000011000);
	ck_assert(chunk_table_set_used(table, 0x7f0000000100, false));
	ck_assert(!chunk_table_set_used(table, 0x7f0000000110, false));
	freeze(table);
	ck_assert(!chunk_table_set_used(table, 0x7f0000000100, true));

	size_t count;
	const struct chunk_region *regions = chunk_table_regions(table, &count);
	ck_assert_uint_eq(count, 3);
	for (size_t i = 1; i < count; i++)
		ck_assert_uint_lt(regions[i - 1].start, regions[i].start);

	static const uint64_t addresses[] = { 0x550000000010, 0x7e0000000010, 0x7f0000000010,
					      0x7f0000000100 };
	static const uint64_t sizes[] = { 0x1000 - 8, 0x10ff0, 0xf0 - 8, 0xf00 - 8 };
	struct chunk chunk;
	size_t seen = 0;
	for (uint64_t at = 0; chunk_table_next(table, at, &chunk); at = chunk.address + 1) {
		ck_assert_uint_lt(seen, 4);
		ck_assert_uint_eq(chunk.address, addresses[seen]);
		ck_assert_uint_eq(chunk.size, sizes[seen]);
		ck_assert_int_eq(chunk.used, seen != 3);
		seen++;
	}
	ck_assert_uint_eq(seen, 4);
	chunk_table_free(table);
}
END_TEST

START_TEST(overlaps_and_nonsense_are_refused)
{
	struct chunk_table *table = chunk_table_new();
	uint32_t region = add_region(table, 0x2000, 0x3000, 8, false);
	static const uint64_t bad[][2] = {
		{ 0x2000, 0x3000 }, { 0x1000, 0x2010 },	    { 0x2ff0, 0x4000 }, { 0x2100, 0x2200 },
		{ 0x1000, 0x9000 }, { 0x5008, 0x6000 },	    { 0x6000, 0x5000 }, { 0, 0x1000 },
		{ 0x5000, 0x5000 }, { 0x5000, UINT64_MAX },
	};
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		struct error *error =
		    chunk_table_add_region(table, bad[i][0], bad[i][1], 8, 0, false, &region);
		ck_assert_msg(error != NULL, "0x%" PRIx64, bad[i][0]);
		ck_assert_int_eq(error->code, ERROR_BAD_DATA);
		error_free(error);
	}
	add_region(table, 0x3000, 0x4000, 8, false);
	add_region(table, 0x1000, 0x2000, 8, false);
	struct error *error = chunk_table_add_region(table, 0x2800, 0x2900, 0, 0, true, &region);
	ck_assert_ptr_nonnull(strstr(error->message, "0x2000-0x3000"));
	error_free(error);
	chunk_table_free(table);
}
END_TEST

START_TEST(an_empty_table_holds_nothing)
{
	struct chunk_table *table = chunk_table_new();
	freeze(table);
	struct chunk chunk;
	ck_assert(!chunk_table_find(table, 0x1000, &chunk));
	ck_assert(!chunk_table_next(table, 0, &chunk));
	ck_assert(!chunk_table_numbered(table, 0, &chunk));
	ck_assert_uint_eq(chunk_table_granules(table), 0);
	chunk_table_free(table);
}
END_TEST

/* A chunk of 1 GB between small ones, and a region cut to nothing: every search has to leap. */
START_TEST(huge_chunks_are_leapt_over)
{
	const uint64_t start = 0x10000010, huge = start + 0x20, after = huge + ((uint64_t)1 << 30);
	struct chunk_table *table = chunk_table_new();
	uint32_t region = add_region(table, start, after + 0x40, 8, false);
	uint32_t nothing = add_region(table, after + 0x1000, after + 0x2000, 8, false);
	chunk_table_add(table, nothing, after + 0x1000, true);
	chunk_table_cut(table, nothing, after + 0x1000);
	chunk_table_add(table, region, start, true);
	chunk_table_add(table, region, huge, true);
	chunk_table_add(table, region, after, true);
	struct chunk chunk;
	ck_assert_ptr_null(chunk_table_sort(table));
	ck_assert(chunk_table_find(table, after - 9, &chunk)); /* before the freeze too */
	ck_assert_uint_eq(chunk.address, huge);
	freeze(table);
	for (uint64_t at = huge; at < after - 8; at += 4099) {
		ck_assert(chunk_table_find(table, at, &chunk));
		ck_assert_uint_eq(chunk.address, huge);
		ck_assert_uint_eq(chunk.size, ((uint64_t)1 << 30) - 8);
	}
	ck_assert(chunk_table_next(table, huge + 1, &chunk));
	ck_assert_uint_eq(chunk.address, after);
	ck_assert(!chunk_table_next(table, after + 1, &chunk));
	ck_assert(!chunk_table_find(table, after + 0x1000, &chunk));
	chunk_table_free(table);
}
END_TEST

static uint64_t random_next(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

struct truth {
	uint64_t address, size;
	bool used;
};

/* Thousands of regions of every kind over several terabytes, compared with a plain array. */
START_TEST(a_random_table_agrees_with_an_array)
{
	uint64_t state = 88172645463325252 + (uint64_t)_i;
	ARRAY(struct truth) truths = { 0 };
	struct chunk_table *table = chunk_table_new();
	uint64_t at = 0x400010;
	for (unsigned r = 0; r < 3000; r++) {
		uint64_t step = random_next(&state) % 16;
		at += step == 0	  ? random_next(&state) % ((uint64_t)1 << 38)
		      : step == 1 ? 0
				  : random_next(&state) % ((uint64_t)1 << 20);
		at = (at + 15) / 16 * 16;
		if (random_next(&state) % 2 == 0) {
			uint64_t size = (random_next(&state) % 100000 / 16 + 1) * 16;
			add_region(table, at, at + size, 0, true);
			ck_assert(array_push(&truths, (struct truth){ at, size, true }));
			at += size;
			continue;
		}
		uint64_t chunks[200], count = random_next(&state) % 199 + 1, end = at;
		for (uint64_t c = 0; c < count; c++) {
			chunks[c] = end;
			end += (random_next(&state) % (c % 50 == 7 ? 9000 : 20) + 1) * 16;
		}
		uint32_t region = add_region(table, at, end, 8, false);
		for (uint64_t c = 0; c < count; c++) {
			uint64_t next = c + 1 < count ? chunks[c + 1] : end;
			bool used = random_next(&state) % 3 != 0;
			chunk_table_add(table, region, chunks[c], used);
			ck_assert(array_push(
			    &truths, (struct truth){ chunks[c], next - chunks[c] - 8, used }));
		}
		at = end;
	}
	freeze(table);

	struct chunk chunk;
	uint64_t from = 0;
	for (size_t i = 0; i < truths.count; i++) {
		const struct truth *truth = &truths.items[i];
		ck_assert(chunk_table_next(table, from, &chunk));
		ck_assert_uint_eq(chunk.address, truth->address);
		from = chunk.address + 1;
		uint64_t inside = truth->address + random_next(&state) % truth->size;
		ck_assert(chunk_table_find(table, inside, &chunk));
		ck_assert_uint_eq(chunk.address, truth->address);
		ck_assert_uint_eq(chunk.size, truth->size);
		ck_assert_int_eq(chunk.used, truth->used);
		bool last = i + 1 == truths.count;
		uint64_t beyond = truth->address + truth->size;
		ck_assert(chunk_table_find(table, beyond, &chunk) ==
			  (!last && truths.items[i + 1].address == beyond));
	}
	ck_assert(!chunk_table_next(table, from, &chunk));
	array_free(&truths);
	chunk_table_free(table);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("chunk table");
	TCase *all = tcase_create("all");
	tcase_set_timeout(all, 60);
	tcase_add_test(all, chunks_are_found_by_any_address_inside);
	tcase_add_test(all, regions_in_any_order_keep_their_numbers);
	tcase_add_test(all, overlaps_and_nonsense_are_refused);
	tcase_add_test(all, an_empty_table_holds_nothing);
	tcase_add_test(all, huge_chunks_are_leapt_over);
	tcase_add_loop_test(all, a_random_table_agrees_with_an_array, 0, 5);
	suite_add_tcase(suite, all);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
