/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/array.h"
#include "base/error.h"
#include "base/gaps.h"
#include "base/large_array.h"
#include "base/string_pool.h"

#include <check.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>

START_TEST(array_grows_and_keeps_its_items)
{
	ARRAY(uint64_t) numbers = { 0 };
	for (uint64_t i = 0; i < 1000; i++)
		ck_assert(array_push(&numbers, i * i));
	ck_assert_uint_eq(numbers.count, 1000);
	for (uint64_t i = 0; i < 1000; i++)
		ck_assert_uint_eq(numbers.items[i], i * i);
	array_free(&numbers);
	ck_assert_uint_eq(numbers.count, 0);
}
END_TEST

START_TEST(array_refuses_a_size_that_overflows)
{
	ARRAY(uint64_t) numbers = { 0 };
	ck_assert(!array_reserve(&numbers, SIZE_MAX / 4));
	ck_assert_ptr_null(numbers.items);
}
END_TEST

START_TEST(error_prefix_keeps_code_and_address)
{
	struct error *error = error_fault(0x1000, 8, "not mapped");
	error = error_prefix(error, "reading %s", "the link map");
	ck_assert_int_eq(error->code, ERROR_FAULT);
	ck_assert_uint_eq(error->address, 0x1000);
	ck_assert_str_eq(error->message,
			 "reading the link map: cannot read 8 bytes at 0x1000: not mapped");
	error_free(error);
}
END_TEST

START_TEST(error_os_ends_in_the_reason)
{
	struct error *error = error_os(ENOENT, "cannot open %s", "core.1");
	ck_assert_str_eq(error->message, "cannot open core.1: No such file or directory");
	error_free(error);
}
END_TEST

START_TEST(gaps_are_told_once)
{
	struct gaps gaps = { 0 };
	gaps_add(&gaps, GAP_MEMORY, 1, 2, "page %d is missing", 7);
	gaps_add(&gaps, GAP_MEMORY, 1, 2, "page %d is missing", 7);
	gaps_add(&gaps, GAP_HEAP, 0, 0, "page %d is missing", 7);
	ck_assert_uint_eq(gaps.list.count, 2);
	ck_assert_str_eq(gaps.list.items[0].text, "page 7 is missing");
	gaps_free(&gaps);
}
END_TEST

START_TEST(equal_strings_have_equal_pointers)
{
	struct string_pool *pool = string_pool_new();
	const char *kept = string_pool_add(pool, "worker");
	for (int i = 0; i < 5000; i++)
		string_pool_format(pool, "thread-%d", i);
	ck_assert_ptr_eq(kept, string_pool_format(pool, "work%s", "er"));
	ck_assert_str_eq(kept, "worker");
	string_pool_free(pool);
}
END_TEST

/* What grows by whole pages is zeroed, keeps what it had, and may shrink again. */
START_TEST(a_large_array_grows_and_keeps)
{
	size_t count = 100;
	uint64_t *items = large_array_new(count, sizeof *items);
	ck_assert_ptr_nonnull(items);
	for (size_t wanted = 3000; wanted < 3000000; wanted *= 10) {
		items[count - 1] = wanted;
		items = large_array_grow(items, count, wanted, sizeof *items);
		ck_assert_ptr_nonnull(items);
		ck_assert_uint_eq(items[count - 1], wanted);
		for (size_t i = count; i < wanted; i++)
			ck_assert_uint_eq(items[i], 0);
		count = wanted;
	}
	items[10] = 7;
	items = large_array_grow(items, count, 100, sizeof *items);
	ck_assert_ptr_nonnull(items);
	ck_assert_uint_eq(items[10], 7);
	large_array_free(items, 100, sizeof *items);
	ck_assert_ptr_null(large_array_new(SIZE_MAX / 2, sizeof *items));
	large_array_free(NULL, 100, sizeof *items);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("base");
	TCase *all = tcase_create("all");
	tcase_add_test(all, array_grows_and_keeps_its_items);
	tcase_add_test(all, a_large_array_grows_and_keeps);
	tcase_add_test(all, array_refuses_a_size_that_overflows);
	tcase_add_test(all, error_prefix_keeps_code_and_address);
	tcase_add_test(all, error_os_ends_in_the_reason);
	tcase_add_test(all, gaps_are_told_once);
	tcase_add_test(all, equal_strings_have_equal_pointers);
	suite_add_tcase(suite, all);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
