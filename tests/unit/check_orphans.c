/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "analysis/orphan_graph.h"
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
	enum orphan_grouping grouping;
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
	ck_assert_ptr_null(orphans_find(&world->subject, &world->reachability, fixture->grouping,
					&fixture->orphans));
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
	ck_assert_str_eq(only_group(&fixture)->what,
			 "circular doubly linked list of 40-byte nodes");
	finish(&fixture);
}
END_TEST

/* What a list is called, whose nodes lead to the next and, where `both`, to the one before; `ring`:
 * its ends meet. */
static const struct {
	bool both, ring;
	const char *what;
} lists[] = {
	{ false, false, "list of 40-byte nodes" },
	{ false, true, "circular list of 40-byte nodes" },
	{ true, false, "doubly linked list of 40-byte nodes" },
	{ true, true, "circular doubly linked list of 40-byte nodes" },
};

START_TEST(lists_whose_ends_meet_are_told_from_others)
{
	enum { NODES = 30 };
	struct fixture fixture = { .world = world_new() };
	uint64_t nodes[NODES];
	for (int i = 0; i < NODES; i++)
		nodes[i] = world_chunk(fixture.world, 40);
	world_ready(fixture.world);
	for (int i = 0; i < NODES - !lists[_i].ring; i++) {
		put(fixture.world, nodes[i], nodes[(i + 1) % NODES]);
		if (lists[_i].both)
			put(fixture.world, nodes[(i + 1) % NODES] + 8, nodes[i]);
	}
	find(&fixture);
	ck_assert_str_eq(only_group(&fixture)->what, lists[_i].what);
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

static const struct orphan_group *group_of(const struct fixture *fixture, uint64_t head)
{
	for (size_t i = 0; i < fixture->orphans.groups.count; i++)
		if (fixture->orphans.groups.items[i].largest.head == head)
			return &fixture->orphans.groups.items[i];
	ck_abort_msg("no group has the head %" PRIx64, head);
	return NULL;
}

START_TEST(what_several_lead_to_is_a_structure_of_its_own)
{
	struct fixture fixture = { .world = world_new() };
	struct world *world = fixture.world;
	uint64_t first = world_chunk(world, 24), second = world_chunk(world, 40);
	uint64_t third = world_chunk(world, 88), shared = world_chunk(world, 56);
	uint64_t below = world_chunk(world, 72), own = world_chunk(world, 104);
	world_ready(world);
	put(world, first, shared);
	put(world, second, shared);
	put(world, second + 8, 1);
	put(world, second + 16, own);
	put(world, second + 32, shared); /* twice: it is one structure that leads there */
	put(world, third + 8, own);
	put(world, third + 16, own + 8);
	put(world, third + 24, 2);
	put(world, shared + 48, below + 71);
	find(&fixture);
	ck_assert_uint_eq(fixture.orphans.groups.count, 5);
	ck_assert_uint_eq(group_of(&fixture, first)->bytes, 24);
	ck_assert_uint_eq(group_of(&fixture, second)->bytes, 40);
	ck_assert_uint_eq(group_of(&fixture, third)->bytes, 88);
	ck_assert_uint_eq(group_of(&fixture, second)->shared, 0);
	ck_assert_uint_eq(group_of(&fixture, shared)->bytes, 56 + 72);
	ck_assert_uint_eq(group_of(&fixture, shared)->largest.shared_by, 2);
	ck_assert_uint_eq(group_of(&fixture, shared)->shared, 1);
	ck_assert_uint_eq(group_of(&fixture, own)->largest.shared_by, 2);
	ck_assert_uint_eq(fixture.orphans.structures, 5);
	ck_assert_uint_eq(fixture.orphans.chunks, 6);
	finish(&fixture);
}
END_TEST

/* Its object, of another size, is not its lowest chunk. */
START_TEST(the_odd_chunk_is_the_head_of_a_cycle)
{
	enum { NODES = 10 };
	struct fixture fixture = { .world = world_new() };
	uint64_t nodes[NODES], object;
	for (int i = 0; i < NODES; i++)
		nodes[i] = world_chunk(fixture.world, 40);
	object = world_chunk(fixture.world, 104);
	world_ready(fixture.world);
	for (int i = 0; i < NODES; i++) {
		uint64_t next = i + 1 < NODES ? nodes[i + 1] : object + 48;
		put(fixture.world, nodes[i], next);
		put(fixture.world, next + 8, nodes[i]);
	}
	put(fixture.world, object + 48, nodes[0]);
	put(fixture.world, nodes[0] + 8, object + 48);
	find(&fixture);
	expect_structure(&fixture, object, NODES + 1, NODES * 40 + 104, true);
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
	ck_assert_str_eq(only_group(&fixture)->what, "binary tree of 56-byte nodes");
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
	ck_assert_uint_eq(fixture.orphans.groups.count, 4);
	ck_assert_uint_eq(groups[0].structures, 9);
	ck_assert_uint_eq(groups[0].bytes, 360);
	ck_assert_str_eq(groups[0].what, "text \"other\"");
	ck_assert_uint_eq(groups[1].bytes, 72 + 3 * 88);
	ck_assert_str_eq(groups[1].what, "pointers to 88-byte chunks");
	ck_assert_str_eq(groups[3].what, "text \"first\"");
	ck_assert_uint_eq(groups[2].bytes, 240);
	ck_assert_uint_eq(groups[2].largest.head, zeros[0]);
	ck_assert_uint_eq(fixture.orphans.structures, 13);
	finish(&fixture);
}
END_TEST

static uint64_t draw(uint64_t *state)
{
	*state ^= *state << 13, *state ^= *state >> 7, *state ^= *state << 17;
	return *state;
}

/* Random graphs: every orphan is in exactly one structure. */
START_TEST(random_graphs_are_claimed_whole)
{
	enum { NODES = 3000 };
	uint64_t state = 88172645463325252 + (uint64_t)_i;
	struct fixture fixture = { .world = world_new(),
				   .grouping = (enum orphan_grouping)(_i % 4) };
	uint64_t nodes[NODES], bytes = 0;
	for (int i = 0; i < NODES; i++) {
		uint64_t size = draw(&state) % 5 * 16 + 24;
		nodes[i] = world_chunk(fixture.world, size);
		bytes += size;
	}
	world_ready(fixture.world);
	for (int i = 0; i < NODES; i++)
		for (uint64_t word = 0; word < 3; word++)
			if (draw(&state) % 100 < 15 + (uint64_t)_i * 5)
				put(fixture.world, nodes[i] + word * 8,
				    nodes[(state >> 32) % NODES] + state % 24);
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

/* The slow and obvious way: one node after the other is taken away, to see what cannot be reached
 * any more from what nothing leads to. */
enum { SMALL = 40 };
struct matrix {
	bool edge[SMALL][SMALL], reach[SMALL][SMALL];
};

static void close_over(struct matrix *matrix)
{
	memcpy(matrix->reach, matrix->edge, sizeof matrix->edge);
	for (int i = 0; i < SMALL; i++)
		matrix->reach[i][i] = true;
	for (int k = 0; k < SMALL; k++)
		for (int i = 0; i < SMALL; i++)
			for (int j = 0; j < SMALL; j++)
				matrix->reach[i][j] |= matrix->reach[i][k] && matrix->reach[k][j];
}

static bool is_same(const struct matrix *matrix, int a, int b)
{
	return matrix->reach[a][b] && matrix->reach[b][a];
}

static bool is_source(const struct matrix *matrix, int node)
{
	for (int i = 0; i < SMALL; i++)
		if (matrix->reach[i][node] && !matrix->reach[node][i])
			return false;
	return true;
}

static bool dominates(const struct matrix *whole, int by, int node)
{
	struct matrix without = *whole;
	if (is_same(whole, by, node))
		return true;
	for (int i = 0; i < SMALL; i++)
		for (int j = 0; j < SMALL; j++)
			without.edge[i][j] &= !is_same(whole, i, by) && !is_same(whole, j, by);
	close_over(&without);
	for (int i = 0; i < SMALL; i++)
		if (is_source(whole, i) && !is_same(whole, i, by) && without.reach[i][node])
			return false;
	return true;
}

static bool is_top(const struct matrix *matrix, int node)
{
	for (int i = 0; i < SMALL; i++)
		if (!is_same(matrix, i, node) && dominates(matrix, i, node))
			return false;
	return true;
}

START_TEST(owners_are_dominators)
{
	uint64_t state = 362436069 + (uint64_t)_i * 7919;
	struct fixture fixture = { .world = world_new() };
	struct orphan_graph graph;
	struct matrix matrix = { 0 };
	uint64_t nodes[SMALL];
	for (int i = 0; i < SMALL; i++)
		nodes[i] = world_chunk(fixture.world, 24);
	world_ready(fixture.world);
	for (int i = 0; i < SMALL; i++)
		for (uint64_t word = 0; word < 3; word++) {
			int to = (int)(draw(&state) >> 32) & 0x7fffffff;
			if (state % 100 >= 20 + (uint64_t)(_i % 10) * 3)
				continue;
			put(fixture.world, nodes[i] + word * 8, nodes[to % SMALL]);
			matrix.edge[i][to % SMALL] = true;
		}
	close_over(&matrix);
	world_state(fixture.world, WORLD_HEAP);
	ck_assert_ptr_null(
	    orphan_graph_make(&fixture.world->subject, &fixture.world->reachability, &graph));
	ck_assert_uint_eq(graph.count, SMALL);
	for (int i = 0; i < SMALL; i++) {
		uint32_t component = graph.component[i], owner = graph.owner[component];
		ck_assert_uint_eq(graph.addresses[i], nodes[i]);
		for (int j = 0; j < SMALL; j++) {
			ck_assert_int_eq(graph.component[j] == component, is_same(&matrix, i, j));
			ck_assert(!matrix.edge[i][j] || component <= graph.component[j]);
			if (graph.component[j] == owner)
				ck_assert(dominates(&matrix, j, i) && is_top(&matrix, j));
		}
		ck_assert_int_eq((graph.shared[component / 64] >> component % 64 & 1) != 0,
				 is_top(&matrix, i) && !is_source(&matrix, i));
	}
	orphan_graph_free(&graph);
	world_free(fixture.world);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("orphans");
	TCase *all = tcase_create("all");
	tcase_set_timeout(all, 60);
	tcase_add_test(all, a_list_is_one_structure);
	tcase_add_test(all, a_ring_has_its_lowest_chunk_as_head);
	tcase_add_loop_test(all, lists_whose_ends_meet_are_told_from_others, 0,
			    sizeof lists / sizeof *lists);
	tcase_add_test(all, what_a_cycle_leads_to_belongs_to_it);
	tcase_add_test(all, what_several_lead_to_is_a_structure_of_its_own);
	tcase_add_test(all, the_odd_chunk_is_the_head_of_a_cycle);
	tcase_add_test(all, a_tree_is_told_from_a_list);
	tcase_add_test(all, live_chunks_are_no_part_of_orphans);
	tcase_add_test(all, content_is_recognised);
	tcase_add_test(all, groups_gather_equals_and_the_largest_comes_first);
	tcase_add_loop_test(all, random_graphs_are_claimed_whole, 0, 8);
	tcase_add_loop_test(all, owners_are_dominators, 0, 40);
	suite_add_tcase(suite, all);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
