/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "analysis/orphans.h"
#include "fake_world.h"

#include <check.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static void put(struct world *world, uint64_t address, uint64_t value)
{
	fake_target_put64(world->target, address, value);
}

struct fixture {
	struct world *world;
	struct orphans orphans;
};

static void find(struct fixture *fixture)
{
	struct world *world = fixture->world;
	struct modules_options options = { 0 };
	struct error *error =
	    modules_open(world->target, &options, &world->gaps, &world->subject.modules);
	ck_assert_msg(error == NULL, "%s", error != NULL ? error->message : "");
	world_state(world, WORLD_HEAP);
	ck_assert_ptr_null(orphans_find(&world->subject, &world->reachability, &fixture->orphans));
}

static void finish(struct fixture *fixture)
{
	orphans_free(&fixture->orphans);
	modules_free(fixture->world->subject.modules);
	world_free(fixture->world);
}

/* The only group. */
static const struct orphan_group *only_group(const struct fixture *fixture)
{
	for (size_t i = 1; i < fixture->orphans.groups.count; i++)
		ck_abort_msg("another group: %s", fixture->orphans.groups.items[i].what);
	ck_assert_uint_eq(fixture->orphans.groups.count, 1);
	return &fixture->orphans.groups.items[0];
}

static void expect_structure(const struct fixture *fixture, uint64_t head, uint64_t chunks,
			     uint64_t bytes, bool cyclic)
{
	const struct orphan_group *group = only_group(fixture);
	ck_assert_uint_eq(group->structures, 1);
	ck_assert_uint_eq(group->chunks, chunks);
	ck_assert_uint_eq(group->bytes, bytes);
	ck_assert_uint_eq(group->largest.head, head);
	ck_assert_uint_eq(group->largest.chunks, chunks);
	ck_assert_int_eq(group->largest.cyclic, cyclic);
	ck_assert_uint_eq(fixture->orphans.structures, 1);
	ck_assert_uint_eq(fixture->orphans.chunks, chunks);
	ck_assert_uint_eq(fixture->orphans.bytes, bytes);
}

START_TEST(a_list_is_one_structure)
{
	enum { NODES = 20000 };
	struct fixture fixture = { .world = world_new() };
	uint64_t nodes[NODES];
	for (int i = 0; i < NODES; i++)
		nodes[i] = world_chunk(fixture.world, 24);
	world_ready(fixture.world);
	/* Its head is in the middle of the heap. */
	for (int i = 0; i < NODES - 1; i++)
		put(fixture.world, nodes[(i * 7 + 4000) % NODES] + 16,
		    nodes[((i + 1) * 7 + 4000) % NODES]);
	find(&fixture);
	expect_structure(&fixture, nodes[4000], NODES, NODES * 24, false);
	ck_assert_str_eq(only_group(&fixture)->what, "list of 24-byte nodes");
	ck_assert_int_eq(only_group(&fixture)->content, CONTENT_POINTERS);
	finish(&fixture);
}
END_TEST

START_TEST(a_ring_has_its_lowest_chunk_as_head)
{
	enum { NODES = 100 };
	struct fixture fixture = { .world = world_new() };
	uint64_t nodes[NODES];
	for (int i = 0; i < NODES; i++)
		nodes[i] = world_chunk(fixture.world, 40);
	world_ready(fixture.world);
	for (int i = 0; i < NODES; i++) {
		uint64_t node = nodes[i * 3 % NODES], next = nodes[(i + 1) * 3 % NODES];
		put(fixture.world, node, next);
		put(fixture.world, next + 8, node);
	}
	find(&fixture);
	expect_structure(&fixture, nodes[0], NODES, NODES * 40, true);
	ck_assert_str_eq(only_group(&fixture)->what, "list of 40-byte nodes");
	finish(&fixture);
}
END_TEST

/* The chunks of a list that a ring leads to lie below the ring: they are no heads. */
START_TEST(what_a_cycle_leads_to_belongs_to_it)
{
	struct fixture fixture = { .world = world_new() };
	uint64_t nodes[12];
	for (int i = 0; i < 12; i++)
		nodes[i] = world_chunk(fixture.world, 24);
	world_ready(fixture.world);
	for (int i = 0; i < 5; i++) /* two rings in a row and a tail, highest first */
		put(fixture.world, nodes[i + 1], nodes[i]);
	put(fixture.world, nodes[6], nodes[7]);
	put(fixture.world, nodes[7], nodes[6]);
	put(fixture.world, nodes[6] + 8, nodes[5]);
	put(fixture.world, nodes[8], nodes[9]);
	put(fixture.world, nodes[9], nodes[10]);
	put(fixture.world, nodes[10], nodes[8]);
	put(fixture.world, nodes[10] + 8, nodes[7]);
	put(fixture.world, nodes[11] + 16, nodes[11]); /* refers to itself: not a cycle */
	put(fixture.world, nodes[11], nodes[0]);
	put(fixture.world, nodes[11] + 8, nodes[9]);
	find(&fixture);
	expect_structure(&fixture, nodes[11], 12, 12 * 24, false);
	finish(&fixture);

	fixture.world = world_new();
	for (int i = 0; i < 11; i++)
		nodes[i] = world_chunk(fixture.world, 24);
	world_ready(fixture.world);
	for (int i = 0; i < 5; i++)
		put(fixture.world, nodes[i + 1], nodes[i]);
	put(fixture.world, nodes[6], nodes[7]);
	put(fixture.world, nodes[7], nodes[6]);
	put(fixture.world, nodes[6] + 8, nodes[5]);
	put(fixture.world, nodes[8], nodes[9]);
	put(fixture.world, nodes[9], nodes[10]);
	put(fixture.world, nodes[10], nodes[8]);
	put(fixture.world, nodes[10] + 8, nodes[7]);
	find(&fixture);
	expect_structure(&fixture, nodes[8], 11, 11 * 24, true);
	finish(&fixture);
}
END_TEST

START_TEST(shared_members_count_once_with_the_lowest_head)
{
	struct fixture fixture = { .world = world_new() };
	struct world *world = fixture.world;
	uint64_t first = world_chunk(world, 24), second = world_chunk(world, 40);
	uint64_t shared = world_chunk(world, 56), below = world_chunk(world, 72);
	world_ready(world);
	put(world, first, shared);
	put(world, second, shared);
	put(world, second + 8, 1);
	put(world, shared + 48, below + 71);
	find(&fixture);
	ck_assert_uint_eq(fixture.orphans.groups.count, 2);
	ck_assert_uint_eq(fixture.orphans.groups.items[0].largest.head, first);
	ck_assert_uint_eq(fixture.orphans.groups.items[0].bytes, 24 + 56 + 72);
	ck_assert_uint_eq(fixture.orphans.groups.items[1].largest.head, second);
	ck_assert_uint_eq(fixture.orphans.groups.items[1].bytes, 40);
	ck_assert_uint_eq(fixture.orphans.chunks, 4);
	finish(&fixture);
}
END_TEST

START_TEST(a_tree_is_told_from_a_list)
{
	enum { NODES = 255 };
	struct fixture fixture = { .world = world_new() };
	uint64_t nodes[NODES];
	for (int i = 0; i < NODES; i++)
		nodes[i] = world_chunk(fixture.world, 56);
	world_ready(fixture.world);
	for (int i = 0; 2 * i + 2 < NODES; i++) {
		put(fixture.world, nodes[i] + 16, nodes[2 * i + 1]);
		put(fixture.world, nodes[i] + 24, nodes[2 * i + 2]);
	}
	find(&fixture);
	expect_structure(&fixture, nodes[0], NODES, NODES * 56, false);
	ck_assert_str_eq(only_group(&fixture)->what, "tree of 56-byte nodes");
	finish(&fixture);
}
END_TEST

START_TEST(live_chunks_are_no_part_of_orphans)
{
	struct fixture fixture = { .world = world_new() };
	struct world *world = fixture.world;
	uint64_t live = world_chunk(world, 24), freed = world_free_chunk(world, 24);
	uint64_t head = world_chunk(world, 40), member = world_chunk(world, 24);
	fake_target_map(world->target, 0x10000, 0x1000, "rw-", NULL);
	world_ready(world);
	put(world, 0x10000, live);
	put(world, head, live);
	put(world, head + 8, freed);
	put(world, head + 16, member);
	put(world, freed, member);
	find(&fixture);
	expect_structure(&fixture, head, 2, 64, false);
	finish(&fixture);
}
END_TEST

START_TEST(content_is_recognised)
{
	static const struct {
		const char *bytes;
		size_t size;
		enum content_kind kind;
		const char *what;
	} rows[] = {
#define ROW(text, kind, what) { text, sizeof(text) - 1, kind, what }
		ROW("HTTP/1.1 200 OK\r\n", CONTENT_TEXT, "text \"HTTP/1.1 200 OK\\r\\n\""),
		ROW("say \"\\\" \x1b[31mred", CONTENT_TEXT, "text \"say \\\"\\\\\\\" \\e[31mred\""),
		ROW("gr\303\274n und blau", CONTENT_TEXT, "text \"gr\303\274n und blau\""),
		ROW("0123456789012345678901234567890123456789", CONTENT_TEXT,
		    "text \"01234567890123456789012345678901…\""),
		ROW("abc", CONTENT_DATA, "data, begins 61 62 63 00 00 00 00 00 …"),
		ROW("ab\xff\xfe and more", CONTENT_DATA, "data, begins 61 62 ff fe 20 61 6e 64 …"),
		ROW("\xe2\x80\xae evil", CONTENT_DATA, "data, begins e2 80 ae 20 65 76 69 6c …"),
		ROW("csi \xc2\x9b evil", CONTENT_DATA, "data, begins 63 73 69 20 c2 9b 20 65 …"),
		ROW("bell \a", CONTENT_DATA, "data, begins 62 65 6c 6c 20 07 00 00 …"),
		ROW("", CONTENT_EMPTY, "zeros"),
		ROW("\1", CONTENT_DATA, "data, begins 01 00 00 00 00 00 00 00 …"),
#undef ROW
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct fixture fixture = { .world = world_new() };
		uint64_t chunk = world_chunk(fixture.world, 56);
		world_ready(fixture.world);
		fake_target_put(fixture.world->target, chunk, rows[i].bytes, rows[i].size);
		find(&fixture);
		ck_assert_str_eq(only_group(&fixture)->what, rows[i].what);
		ck_assert_int_eq(only_group(&fixture)->content, rows[i].kind);
		ck_assert_uint_eq(only_group(&fixture)->head_size, 56);
		finish(&fixture);
	}
}
END_TEST

START_TEST(groups_gather_equals_and_the_largest_comes_first)
{
	struct fixture fixture = { .world = world_new() };
	struct world *world = fixture.world;
	uint64_t texts[10], array, targets[3], zeros[2];
	for (int i = 0; i < 10; i++)
		texts[i] = world_chunk(world, 40);
	array = world_chunk(world, 72);
	for (int i = 0; i < 3; i++)
		targets[i] = world_chunk(world, 88);
	zeros[0] = world_chunk(world, 120);
	zeros[1] = world_chunk(world, 120);
	world_ready(world);
	for (int i = 0; i < 10; i++)
		fake_target_put_string(world->target, texts[i], i == 0 ? "first" : "other");
	for (int i = 0; i < 3; i++)
		put(world, array + 16 + (uint64_t)i * 8, targets[i]);
	find(&fixture);
	const struct orphan_group *groups = fixture.orphans.groups.items;
	ck_assert_uint_eq(fixture.orphans.groups.count, 3);
	ck_assert_uint_eq(groups[0].structures, 10);
	ck_assert_uint_eq(groups[0].bytes, 400);
	ck_assert_str_eq(groups[0].what, "text \"first\"");
	ck_assert_uint_eq(groups[1].bytes, 72 + 3 * 88);
	ck_assert_str_eq(groups[1].what, "pointers to 88-byte chunks");
	ck_assert_uint_eq(groups[2].bytes, 240);
	ck_assert_uint_eq(groups[2].largest.head, zeros[0]);
	ck_assert_uint_eq(fixture.orphans.structures, 13);
	finish(&fixture);
}
END_TEST

/* Random graphs: every orphan is in exactly one structure, and heads lead to all of them. */
START_TEST(random_graphs_are_claimed_whole)
{
	enum { NODES = 3000 };
	uint64_t state = 88172645463325252 + (uint64_t)_i;
	struct fixture fixture = { .world = world_new() };
	uint64_t nodes[NODES], bytes = 0;
	for (int i = 0; i < NODES; i++) {
		state ^= state << 13, state ^= state >> 7, state ^= state << 17;
		uint64_t size = state % 5 * 16 + 24;
		nodes[i] = world_chunk(fixture.world, size);
		bytes += size;
	}
	world_ready(fixture.world);
	for (int i = 0; i < NODES; i++)
		for (uint64_t word = 0; word < 3; word++) {
			state ^= state << 13, state ^= state >> 7, state ^= state << 17;
			if (state % 100 < 15 + (uint64_t)_i * 5)
				put(fixture.world, nodes[i] + word * 8,
				    nodes[(state >> 32) % NODES] + state % 24);
		}
	find(&fixture);
	ck_assert_uint_eq(fixture.orphans.chunks, NODES);
	ck_assert_uint_eq(fixture.orphans.bytes, bytes);
	uint64_t structures = 0, chunks = 0;
	for (size_t i = 0; i < fixture.orphans.groups.count; i++) {
		structures += fixture.orphans.groups.items[i].structures;
		chunks += fixture.orphans.groups.items[i].chunks;
	}
	ck_assert_uint_eq(structures, fixture.orphans.structures);
	ck_assert_uint_eq(chunks, NODES);
	finish(&fixture);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("orphans");
	TCase *all = tcase_create("all");
	tcase_set_timeout(all, 60);
	tcase_add_test(all, a_list_is_one_structure);
	tcase_add_test(all, a_ring_has_its_lowest_chunk_as_head);
	tcase_add_test(all, what_a_cycle_leads_to_belongs_to_it);
	tcase_add_test(all, shared_members_count_once_with_the_lowest_head);
	tcase_add_test(all, a_tree_is_told_from_a_list);
	tcase_add_test(all, live_chunks_are_no_part_of_orphans);
	tcase_add_test(all, content_is_recognised);
	tcase_add_test(all, groups_gather_equals_and_the_largest_comes_first);
	tcase_add_loop_test(all, random_graphs_are_claimed_whole, 0, 8);
	suite_add_tcase(suite, all);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
