/* The runtime's buckets, damaged ones too; the table of functions; the file for pprof.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "analysis/go_profiles.h"
#include "fake_target.h"
#include "report/pprof.h"
#include "report/profile.pb-c.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#define MEMORY	    ((uint64_t)0x7f0000000000)
#define MEMORY_SIZE ((uint64_t)0x10000)
#define BUCKET(i)   (MEMORY + 0x200 * (i))

struct world {
	struct target *target;
	struct gaps gaps;
	struct go_process process;
	struct go_memory_profile profile;
};

static void begin(struct world *world, unsigned minor)
{
	struct module no_debug_info = { 0 };
	struct modules_options options = { 0 };
	*world = (struct world){ .target = fake_target_new() };
	fake_target_map(world->target, MEMORY, MEMORY_SIZE, "rw-p", NULL);
	fake_target_seal(world->target);
	struct modules *modules;
	ck_assert_ptr_null(modules_open(world->target, &options, &world->gaps, &modules));
	world->process = (struct go_process){
		.target = world->target,
		.space = world->target->space,
		.modules = modules,
		.minor = minor,
	};
	go_layouts_find(modules, &no_debug_info, minor, &world->process.layouts);
}

static void end(struct world *world)
{
	go_memory_profile_free(&world->profile);
	modules_free(world->process.modules);
	target_close(world->target);
	gaps_free(&world->gaps);
}

/* Written out, and not the code's own: a wrong one would agree with itself. */
static uint64_t hash_of(const uint64_t *stack, size_t count, uint64_t size)
{
	uint64_t hash = 0;
	for (size_t i = 0; i < count; i++) {
		hash += stack[i];
		hash += hash * 1024;
		hash ^= hash / 64;
	}
	hash += size;
	hash += hash * 1024;
	hash ^= hash / 64;
	hash += hash * 8;
	return hash ^ hash / 2048;
}

/* A bucket of three calls. */
static void put_bucket(struct world *world, unsigned i, uint64_t next, uint64_t size)
{
	const uint64_t stack[] = { 0x401000 + i, 0x402000, 0x403000 };
	fake_target_put64(world->target, BUCKET(i) + 8, next);
	fake_target_put64(world->target, BUCKET(i) + 16, 1);
	fake_target_put64(world->target, BUCKET(i) + 24, hash_of(stack, 3, size));
	fake_target_put64(world->target, BUCKET(i) + 32, size);
	fake_target_put64(world->target, BUCKET(i) + 40, 3);
	for (unsigned k = 0; k < 3; k++)
		fake_target_put64(world->target, BUCKET(i) + 48 + 8 * k, stack[k]);
}

/* The numbers of .active (0) or of a cycle of .future (1 to 3). */
static void put_cycle(struct world *world, unsigned i, unsigned cycle, uint64_t allocs,
		      uint64_t frees, uint64_t size)
{
	uint64_t bytes = world->process.minor >= 27 ? 16 : 32, at = BUCKET(i) + 72 + bytes * cycle;
	fake_target_put64(world->target, at, allocs);
	fake_target_put64(world->target, at + 8, frees);
	if (bytes == 32) {
		fake_target_put64(world->target, at + 16, allocs * size);
		fake_target_put64(world->target, at + 24, frees * size);
	}
}

static void read_all(struct world *world, uint64_t first, unsigned cycle)
{
	ck_assert_ptr_null(
	    go_buckets_read(&world->process, first, cycle, &world->gaps, &world->profile));
}

START_TEST(the_cycle_that_is_due_is_added)
{
	struct world world;
	begin(&world, (unsigned)_i);
	put_bucket(&world, 0, BUCKET(1), 48);
	put_bucket(&world, 1, 0, 1024);
	put_cycle(&world, 0, 0, 10, 4, 48);
	put_cycle(&world, 0, 1, 1, 0, 48);
	put_cycle(&world, 0, 2, 5, 2, 48); /* of cycle 7: 7 % 3 is 1 */
	put_cycle(&world, 0, 3, 100, 0, 48);
	put_cycle(&world, 1, 0, 3, 3, 1024);
	read_all(&world, BUCKET(0), 7);
	ck_assert_uint_eq(world.gaps.list.count, 0);
	ck_assert_uint_eq(world.profile.sites.count, 2);
	const struct go_allocations *site = &world.profile.sites.items[0];
	ck_assert_uint_eq(site->allocated, 15);
	ck_assert_uint_eq(site->freed, 6);
	ck_assert_uint_eq(site->allocated_bytes, 15 * 48);
	ck_assert_uint_eq(site->freed_bytes, 6 * 48);
	ck_assert_uint_eq(site->count, 3);
	ck_assert_uint_eq(world.profile.pcs.items[world.profile.sites.items[1].first], 0x401001);
	end(&world);
}
END_TEST

START_TEST(before_the_first_collection_all_is_added)
{
	struct world world;
	begin(&world, (unsigned)_i);
	put_bucket(&world, 0, 0, 16);
	put_cycle(&world, 0, 2, 4, 1, 16);
	put_cycle(&world, 0, 3, 8, 0, 16);
	read_all(&world, BUCKET(0), 0);
	ck_assert_uint_eq(world.profile.sites.items[0].allocated, 12);
	ck_assert_uint_eq(world.profile.sites.items[0].freed, 1);
	end(&world);
}
END_TEST

/* What is damaged, and how many buckets are read before it. */
START_TEST(damaged_lists_end_with_a_gap)
{
	struct world world;
	begin(&world, 24);
	for (unsigned i = 0; i < 20; i++) {
		put_bucket(&world, i, i < 19 ? BUCKET(i + 1) : 0, 64);
		put_cycle(&world, i, 0, 1, 0, 64);
	}
	switch (_i) {
	case 0: /* a stack that is not that of the hash */
		fake_target_put64(world.target, BUCKET(5) + 48, 0x499999);
		break;
	case 1: /* a stack larger than any */
		fake_target_put64(world.target, BUCKET(5) + 40, UINT64_MAX / 8 + 2);
		break;
	case 2: /* not of memory */
		fake_target_put64(world.target, BUCKET(5) + 16, 2);
		break;
	case 3: /* not there */
		fake_target_put64(world.target, BUCKET(4) + 8, MEMORY + MEMORY_SIZE - 40);
		break;
	case 4: /* not aligned */
		fake_target_put64(world.target, BUCKET(4) + 8, BUCKET(5) + 4);
		break;
	default: /* in a circle */
		fake_target_put64(world.target, BUCKET(4) + 8, BUCKET(_i == 5 ? 4 : 1));
		break;
	}
	read_all(&world, BUCKET(0), 0);
	ck_assert_uint_eq(world.gaps.list.count, 1);
	if (_i < 5)
		ck_assert_uint_eq(world.profile.sites.count, 5);
	else
		ck_assert_uint_lt(world.profile.sites.count, 20);
	end(&world);
}
END_TEST

/* --- tables */

static const char main_name[] = "main.main", outer[] = "main.outer", inner[] = "main.inner";

static void add(struct profile *profile, const char *const *names, const bool *inlined,
		size_t count, int64_t objects, int64_t bytes)
{
	struct profile_sample sample = {
		.first = profile->stacks.count,
		.count = count,
		.values = { objects, bytes, objects / 2, bytes / 2 },
		.block_size = 16,
	};
	for (size_t i = 0; i < count; i++)
		ck_assert(profile_add_call(profile, &(struct go_call){ .function = names[i],
								       .file = "/src/main.go",
								       .line = 7,
								       .inlined = inlined[i],
								       .pc = 0x401000 + i }));
	ck_assert(array_push(&profile->samples, sample));
}

static struct profile example(void)
{
	struct profile profile = { .kind = PROFILE_HEAP, .type = 3, .period = 512 };
	add(&profile, (const char *const[]){ inner, outer, main_name },
	    (const bool[]){ true, false, false }, 3, 4, 400);
	/* outer calls itself, and inner without inlining it */
	add(&profile, (const char *const[]){ inner, outer, outer, main_name },
	    (const bool[]){ false, false, false, false }, 4, 2, 200);
	add(&profile, (const char *const[]){ outer, main_name }, (const bool[]){ true, false }, 2,
	    2, 1000);
	return profile;
}

START_TEST(functions_count_once_for_a_sample)
{
	struct profile profile = example();
	struct profile_table table;
	ck_assert_ptr_null(profile_tabulate(&profile, &table));
	ck_assert_uint_eq(table.rows.count, 3);
	ck_assert_int_eq(table.totals[1], 1600);
	profile_table_sort(&table, 1, false);
	ck_assert_str_eq(table.rows.items[0].function, outer);
	ck_assert_int_eq(table.rows.items[0].flat[1], 1000);
	ck_assert_int_eq(table.rows.items[0].cumulative[1], 1600);
	ck_assert_uint_eq(table.rows.items[0].inlined, 0); /* main calls it in two ways */
	ck_assert_uint_eq(table.rows.items[0].called, 15);
	ck_assert_str_eq(table.rows.items[1].function, inner);
	ck_assert_int_eq(table.rows.items[1].flat[1], 600);
	ck_assert_uint_eq(table.rows.items[1].called, 15);
	ck_assert_int_eq(table.rows.items[2].flat[1], 0);
	profile_table_sort(&table, 1, true);
	ck_assert_str_eq(table.rows.items[0].function, main_name);
	profile_table_free(&table);
	profile_free(&profile);
}
END_TEST

START_TEST(sums_stay_within_bounds)
{
	struct profile profile = { .kind = PROFILE_HEAP };
	struct profile_table table;
	for (unsigned i = 0; i < 3; i++)
		add(&profile, (const char *const[]){ inner }, (const bool[]){ false }, 1, INT64_MAX,
		    INT64_MAX);
	ck_assert_ptr_null(profile_tabulate(&profile, &table));
	ck_assert_int_eq(table.rows.items[0].flat[0], INT64_MAX);
	ck_assert_int_eq(table.totals[1], INT64_MAX);
	profile_table_free(&table);
	profile_free(&profile);
}
END_TEST

/* --- the file */

static Pprof__Profile *unpack(const struct pprof_file *file)
{
	static uint8_t bytes[65536];
	z_stream stream = { .next_in = file->bytes,
			    .avail_in = (unsigned)file->size,
			    .next_out = bytes,
			    .avail_out = sizeof bytes };
	ck_assert_int_eq(inflateInit2(&stream, 15 + 16), Z_OK);
	ck_assert_int_eq(inflate(&stream, Z_FINISH), Z_STREAM_END);
	size_t size = stream.total_out;
	inflateEnd(&stream);
	Pprof__Profile *profile = pprof__profile__unpack(NULL, size, bytes);
	ck_assert_ptr_nonnull(profile);
	return profile;
}

START_TEST(a_file_holds_what_was_put_into_it)
{
	struct profile profile = example();
	struct pprof_file file;
	ck_assert_ptr_null(pprof_encode(&profile, "of a test", 5, &file));
	Pprof__Profile *read = unpack(&file);
	ck_assert_uint_eq(read->n_sample_type, 4);
	ck_assert_str_eq(read->string_table[read->sample_type[3]->type], "inuse_space");
	ck_assert_str_eq(read->string_table[read->default_sample_type], "inuse_space");
	ck_assert_str_eq(read->string_table[0], "");
	ck_assert_int_eq(read->period, 512);
	ck_assert_uint_eq(read->n_sample, 3);
	ck_assert_uint_eq(read->n_function, 3);
	/* The first two calls are one instruction. */
	const Pprof__Sample *sample = read->sample[0];
	ck_assert_uint_eq(sample->n_location_id, 2);
	ck_assert_int_eq(sample->value[1], 400);
	ck_assert_int_eq(sample->label[0]->num, 16);
	const Pprof__Location *location = read->location[sample->location_id[0] - 1];
	ck_assert_uint_eq(location->n_line, 2);
	ck_assert_uint_eq(location->address, 0x400fff);
	const Pprof__Function *function = read->function[location->line[0]->function_id - 1];
	ck_assert_str_eq(read->string_table[function->name], inner);
	ck_assert_str_eq(read->string_table[function->filename], "/src/main.go");
	ck_assert_int_eq(location->line[0]->line, 7);
	pprof__profile__free_unpacked(read, NULL);
	free(file.bytes);
	profile_free(&profile);
}
END_TEST

START_TEST(a_file_of_nothing_is_a_file)
{
	struct profile profile = { .kind = PROFILE_GOROUTINES };
	struct pprof_file file;
	ck_assert_ptr_null(pprof_encode(&profile, NULL, 0, &file));
	Pprof__Profile *read = unpack(&file);
	ck_assert_uint_eq(read->n_sample, 0);
	ck_assert_uint_eq(read->n_sample_type, 1);
	pprof__profile__free_unpacked(read, NULL);
	free(file.bytes);
}
END_TEST

int main(void)
{
	static const int versions[] = { 19, 21, 22, 23, 24, 25, 26, 27 };
	Suite *suite = suite_create("profile");
	TCase *all = tcase_create("all");
	suite_add_tcase(suite, all);
	for (size_t i = 0; i < sizeof versions / sizeof *versions; i++) {
		tcase_add_loop_test(all, the_cycle_that_is_due_is_added, versions[i],
				    versions[i] + 1);
		tcase_add_loop_test(all, before_the_first_collection_all_is_added, versions[i],
				    versions[i] + 1);
	}
	tcase_add_loop_test(all, damaged_lists_end_with_a_gap, 0, 7);
	tcase_add_test(all, functions_count_once_for_a_sample);
	tcase_add_test(all, sums_stay_within_bounds);
	tcase_add_test(all, a_file_holds_what_was_put_into_it);
	tcase_add_test(all, a_file_of_nothing_is_a_file);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
