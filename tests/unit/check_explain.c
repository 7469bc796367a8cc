/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "analysis/explain.h"
#include "analysis/chunk_paths.h"
#include "fake_world.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#define DATA	  ((uint64_t)0x10000)
#define STACK	  ((uint64_t)0x7f0000000000)
#define STACK_END (STACK + 0x20000)
#define PTHREAD	  (STACK_END - 0x1000)
#define SP	  (STACK + 0x10000)

static void put(struct world *world, uint64_t address, uint64_t value)
{
	fake_target_put64(world->target, address, value);
}

static struct world *world_with_data(void)
{
	struct world *world = world_new();
	fake_target_map(world->target, DATA, 0x4000, "rw-p", NULL);
	world->heap.provider = "none";
	static struct heap_arena arena;
	world->heap.arenas.items = &arena;
	world->heap.arenas.count = 1;
	return world;
}

static void explain(struct world *world, uint64_t address, struct explanation *explanation)
{
	struct modules_options options = { 0 };
	if (world->subject.modules == NULL)
		ck_assert_ptr_null(
		    modules_open(world->target, &options, &world->gaps, &world->subject.modules));
	world_state(world, WORLD_HEAP);
	ck_assert_ptr_null(explain_find(&world->subject, &world->roots, &world->reachability,
					address, explanation));
}

static void finish(struct world *world)
{
	modules_free(world->subject.modules);
	world_free(world);
}

/* --- paths */

/* The number of pointers from the roots to each chunk, by a search of its own. */
static void distances(const unsigned *edges, unsigned count, unsigned each, unsigned *distance)
{
	bool changed = true;
	for (unsigned i = 0; i < count; i++)
		distance[i] = i == 0 ? 1 : UINT32_MAX;
	while (changed) {
		changed = false;
		for (unsigned i = 0; i < count * each; i++) {
			unsigned from = i / each, to = edges[i];
			if (distance[from] == UINT32_MAX || distance[to] <= distance[from] + 1)
				continue;
			distance[to] = distance[from] + 1;
			changed = true;
		}
	}
}

static void check_path(const explain_path *path, uint64_t start, uint64_t goal)
{
	uint64_t chunk = start;
	ck_assert_uint_eq(path->items[0].at, DATA);
	for (size_t i = 1; i < path->count; i++) {
		ck_assert_uint_eq(path->items[i - 1].value, chunk);
		ck_assert_uint_eq(path->items[i].storage.place.chunk.address,
				  path->items[i - 1].value);
		ck_assert_uint_eq(path->items[i].at - path->items[i].storage.place.offset, chunk);
		chunk = path->items[i].value;
	}
	ck_assert_uint_eq(chunk, goal);
}

START_TEST(paths_are_the_shortest_in_any_graph)
{
	enum { NODES = 60, EACH = 2 };
	srandom((unsigned)_i);
	struct world *world = world_with_data();
	uint64_t nodes[NODES];
	unsigned edges[NODES * EACH], distance[NODES];
	for (unsigned i = 0; i < NODES; i++)
		nodes[i] = world_chunk(world, 24 + 16 * ((uint64_t)random() % 4));
	world_ready(world);
	for (unsigned i = 0; i < NODES * EACH; i++) {
		edges[i] = (unsigned)random() % NODES;
		put(world, nodes[i / EACH] + 8 * (i % EACH), nodes[edges[i]]);
	}
	put(world, DATA, nodes[0]);
	distances(edges, NODES, EACH, distance);
	for (unsigned i = 0; i < NODES; i++) {
		struct explanation explanation;
		explain(world, nodes[i], &explanation);
		if (distance[i] == UINT32_MAX) {
			ck_assert_int_eq(explanation.chunk.state, CHUNK_ORPHANED);
			ck_assert_uint_eq(explanation.path.count, 0);
			ck_assert(explanation.has_structure);
		} else {
			ck_assert_int_eq(explanation.chunk.state, CHUNK_REACHABLE);
			ck_assert_uint_eq(explanation.path.count, distance[i]);
			check_path(&explanation.path, nodes[0], nodes[i]);
		}
		explain_free(&explanation);
	}
	finish(world);
}
END_TEST

START_TEST(a_long_list_has_a_long_path)
{
	enum { NODES = 20000 };
	struct world *world = world_with_data();
	static uint64_t nodes[NODES];
	struct explanation explanation;
	for (int i = 0; i < NODES; i++)
		nodes[i] = world_chunk(world, 24);
	world_ready(world);
	put(world, DATA, nodes[NODES - 1]);
	for (int i = 1; i < NODES; i++)
		put(world, nodes[i] + 8, nodes[i - 1]);
	explain(world, nodes[0] + 5, &explanation);
	ck_assert_uint_eq(explanation.path.count, NODES);
	check_path(&explanation.path, nodes[NODES - 1], nodes[0]);
	ck_assert_str_eq(explanation.storage.place.kind == PLACE_CHUNK ? "chunk" : "", "chunk");
	ck_assert_uint_eq(explanation.storage.offset, 5);
	explain_free(&explanation);
	finish(world);
}
END_TEST

/* The first word of the shortest path to the only chunk, where `plant` puts pointers to it. */
static void expect_root(void (*plant)(struct world *world, uint64_t chunk), const char *text,
			enum chunk_state state)
{
	struct world *world = world_with_data();
	struct explanation explanation;
	uint64_t chunk = world_chunk(world, 40);
	fake_target_map(world->target, STACK, 0x20000, "rw-p", NULL);
	world_thread(world, 7, STACK, STACK_END, SP, PTHREAD);
	world->pthreads.layout.specific_first_block = 0x110;
	world_ready(world);
	plant(world, chunk);
	explain(world, chunk, &explanation);
	ck_assert_int_eq(explanation.chunk.state, state);
	ck_assert_uint_eq(explanation.path.count, 1);
	ck_assert_msg(strcmp(explanation.path.items[0].text, text) == 0, "%s",
		      explanation.path.items[0].text);
	ck_assert_int_eq(explanation.why != NULL, state == CHUNK_POSSIBLE);
	explain_free(&explanation);
	finish(world);
}

static void in_registers(struct world *world, uint64_t chunk)
{
	fake_target_set_register(world->target, 7, "rbx", chunk + 8);
	fake_target_set_register(world->target, 7, "r12", chunk);
}

static void in_vector_register(struct world *world, uint64_t chunk)
{
	static uint8_t extended[832];
	memset(extended, 0, sizeof extended);
	for (int i = 0; i < 8; i++)
		extended[160 + 3 * 16 + 8 + i] = (uint8_t)(chunk >> 8 * i);
	world->target->threads.items[0].registers.extended = extended;
	world->target->threads.items[0].registers.extended_size = sizeof extended;
}

static void in_red_zone(struct world *world, uint64_t chunk)
{
	put(world, SP - 24, chunk);
	fake_target_set_register(world->target, 7, "orig_rax", 202);
}

static void in_stack_and_data(struct world *world, uint64_t chunk)
{
	in_red_zone(world, chunk);
	in_registers(world, chunk);
	put(world, DATA + 0x100, chunk);
	put(world, SP + 16, chunk);
}

static void in_key(struct world *world, uint64_t chunk)
{
	put(world, PTHREAD + 0x110 + 5 * 16 + 8, chunk);
}

static void in_pthread(struct world *world, uint64_t chunk)
{
	put(world, PTHREAD + 0x18, chunk);
}

static void interior_before_exact(struct world *world, uint64_t chunk)
{
	put(world, DATA + 8, chunk + 16);
	put(world, DATA + 24, chunk);
}

static void in_dtv(struct world *world, uint64_t chunk)
{
	put(world, PTHREAD + 8, chunk + 16);
}

START_TEST(a_possible_chunk_is_shown_by_its_one_weak_step)
{
	struct world *world = world_with_data();
	struct explanation explanation;
	uint64_t first = world_chunk(world, 136), second = world_chunk(world, 136);
	uint64_t goal = world_chunk(world, 136);
	world_ready(world);
	/* A number that looks like a pointer into the reachable `second` is no shortcut. */
	put(world, DATA, second + 56);
	put(world, DATA + 8, first);
	put(world, first, second);
	put(world, second, goal + 56);
	explain(world, goal, &explanation);
	ck_assert_int_eq(explanation.chunk.state, CHUNK_POSSIBLE);
	ck_assert_uint_eq(explanation.path.count, 3);
	ck_assert_uint_eq(explanation.path.items[0].at, DATA + 8);
	ck_assert_uint_eq(explanation.path.items[2].value, goal + 56);
	ck_assert_ptr_nonnull(strstr(explanation.why, "into the middle of a chunk"));
	explain_free(&explanation);
	finish(world);
}
END_TEST

START_TEST(the_root_is_named)
{
	expect_root(in_dtv, "struct pthread +8 (dtv) of 7", CHUNK_REACHABLE);
	expect_root(in_registers, "r12 of 7", CHUNK_REACHABLE);
	expect_root(in_vector_register, "xmm3+8 of 7", CHUNK_REACHABLE);
	expect_root(in_red_zone, "red zone, 24 below SP of 7", CHUNK_POSSIBLE);
	expect_root(in_stack_and_data, "stack of 7 +16", CHUNK_REACHABLE);
	expect_root(in_key, "pthread key 5 of 7", CHUNK_REACHABLE);
	expect_root(in_pthread, "struct pthread +24 of 7", CHUNK_REACHABLE);
	expect_root(interior_before_exact, "anonymous mapping, rw-, 0x10000+24", CHUNK_REACHABLE);
}
END_TEST

START_TEST(a_stack_address_belongs_to_its_physical_frame)
{
	struct world *world = world_with_data();
	struct frame frames[] = {
		{ .sp = SP, .function = "leaf" },
		{ .sp = SP + 64, .function = "inlined", .inlined = true },
		{ .sp = SP + 64, .function = "caller" },
		{ .sp = 0, .function = "unknown" },
		{ .sp = SP + 256, .function = "outermost" },
	};
	static const struct {
		uint64_t address;
		const char *function;
		uint64_t offset;
	} rows[] = {
		{ SP, "leaf", 0 },	     { SP + 63, "leaf", 63 }, { SP + 64, "caller", 0 },
		{ SP + 255, "caller", 191 }, { SP + 256, NULL, 256 }, { SP + 4000, NULL, 4000 },
	};
	fake_target_map(world->target, STACK, 0x20000, "rw-p", NULL);
	world_thread(world, 7, STACK, STACK_END, SP, 0);
	world->threads.items[0].frames = frames;
	world->threads.items[0].frame_count = sizeof frames / sizeof *frames;
	world_chunk(world, 24);
	world_ready(world);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct explanation explanation;
		explain(world, rows[i].address, &explanation);
		const struct storage *storage = &explanation.storage;
		ck_assert_int_eq(storage->kind, STORAGE_STACK);
		ck_assert_int_eq(storage->thread->tid, 7);
		ck_assert_uint_eq(storage->offset, rows[i].offset);
		ck_assert_int_eq(storage->frame != NULL, rows[i].function != NULL);
		if (rows[i].function != NULL)
			ck_assert_str_eq(storage->frame->function, rows[i].function);
		explain_free(&explanation);
	}
	finish(world);
}
END_TEST

/* --- who refers to it */

START_TEST(referrers_are_told_by_what_they_keep)
{
	struct world *world = world_with_data();
	struct explanation explanation;
	uint64_t chunk = world_chunk(world, 40), other = world_chunk(world, 40);
	uint64_t freed = world_free_chunk(world, 40), tcache = world_chunk(world, 40);
	fake_target_map(world->target, STACK, 0x20000, "rw-p", NULL);
	world_thread(world, 7, STACK, STACK_END, SP, PTHREAD);
	ck_assert(array_push(&world->heap.internal, tcache));
	world_ready(world);
	put(world, DATA, chunk + 39);
	put(world, DATA + 8, chunk + 40);
	put(world, DATA + 16, chunk - 1);
	put(world, DATA + 24, chunk + 41);
	in_red_zone(world, chunk);
	put(world, STACK + 64, chunk);
	put(world, other, chunk + 8);
	put(world, freed + 8, chunk);
	put(world, tcache + 8, chunk);
	put(world, chunk + 16, chunk);
	explain(world, chunk + 3, &explanation);
	const struct referrers *referrers = &explanation.referrers;
	static const uint64_t counts[REFERRER_CLASS_COUNT] = { 2, 1, 1, 1, 3 };
	for (int i = 0; i < REFERRER_CLASS_COUNT; i++)
		ck_assert_uint_eq(referrers->counts[i], counts[i]);
	ck_assert_uint_eq(referrers->list.count, 8);
	const struct referrer *list = referrers->list.items;
	ck_assert_uint_eq(list[0].word.at, DATA);
	ck_assert_uint_eq(list[0].word.value - explanation.object, 39);
	/* Right behind it. */
	ck_assert_uint_eq(list[1].word.at, DATA + 8);
	ck_assert_uint_eq(list[1].word.value - explanation.object, 40);
	ck_assert_int_eq(list[2].word.storage.kind, STORAGE_RED_ZONE);
	ck_assert_uint_eq(list[3].word.at, other);
	ck_assert_int_eq(list[3].state, CHUNK_ORPHANED);
	ck_assert_uint_eq(list[4].word.at, chunk + 16);
	ck_assert_uint_eq(list[5].word.at, freed + 8);
	ck_assert_int_eq(list[6].word.storage.kind, STORAGE_ALLOCATOR);
	ck_assert_int_eq(list[7].word.storage.kind, STORAGE_UNUSED_STACK);
	explain_free(&explanation);
	finish(world);
}
END_TEST

START_TEST(many_referrers_are_counted_and_some_kept)
{
	struct world *world = world_with_data();
	struct explanation explanation;
	uint64_t chunk = world_chunk(world, 24);
	world_ready(world);
	for (uint64_t i = 0; i < 1500; i++)
		put(world, DATA + 8 * i, chunk);
	explain(world, chunk, &explanation);
	ck_assert_uint_eq(explanation.referrers.counts[REFERRER_ROOT], 1500);
	ck_assert_uint_eq(explanation.referrers.list.count, REFERRERS_KEPT);
	ck_assert_uint_eq(explanation.referrers.list.items[7].word.at, DATA + 56);
	explain_free(&explanation);
	finish(world);
}
END_TEST

/* --- chunks */

START_TEST(a_chunk_has_neighbours_and_a_state)
{
	struct world *world = world_with_data();
	struct explanation explanation;
	uint64_t first = world_chunk(world, 24), freed = world_free_chunk(world, 56);
	uint64_t last = world_chunk(world, 40);
	world_ready(world);
	fake_target_put_string(world->target, last, "hello there");
	explain(world, freed, &explanation);
	ck_assert_int_eq(explanation.chunk.state, CHUNK_FREE);
	ck_assert(explanation.has_before && explanation.has_after && !explanation.has_structure);
	ck_assert_uint_eq(explanation.before.chunk.address, first);
	ck_assert_uint_eq(explanation.after.chunk.address, last);
	ck_assert_str_eq(explanation.after.what, "text \"hello there\"");
	ck_assert_ptr_null(explanation.chunk.what);
	explain_free(&explanation);
	explain(world, first, &explanation);
	ck_assert(!explanation.has_before && explanation.has_after);
	ck_assert(explanation.has_structure);
	ck_assert_uint_eq(explanation.structure.head, first);
	explain_free(&explanation);
	explain(world, last + 39, &explanation);
	ck_assert(explanation.in_chunk && explanation.has_before && !explanation.has_after);
	explain_free(&explanation);
	/* A chunk's header is no chunk's. */
	explain(world, last - 1, &explanation);
	ck_assert(!explanation.in_chunk);
	explain_free(&explanation);
	finish(world);
}
END_TEST

START_TEST(an_orphan_is_shown_in_its_structure)
{
	struct world *world = world_with_data();
	struct explanation explanation;
	uint64_t chunks[4], other = world_chunk(world, 24);
	for (int i = 0; i < 4; i++)
		chunks[i] = world_chunk(world, 24);
	world_ready(world);
	put(world, other, other);
	put(world, chunks[3] + 8, chunks[1]);
	put(world, chunks[1] + 16, chunks[0] + 8);
	put(world, chunks[0], chunks[1]);
	explain(world, chunks[0], &explanation);
	ck_assert(explanation.has_structure && !explanation.structure.cyclic);
	ck_assert_uint_eq(explanation.structure.head, chunks[3]);
	ck_assert_uint_eq(explanation.structure.chunks, 3);
	ck_assert_uint_eq(explanation.inside.count, 2);
	ck_assert_uint_eq(explanation.inside.items[0].at, chunks[3] + 8);
	ck_assert_uint_eq(explanation.inside.items[1].at, chunks[1] + 16);
	ck_assert_uint_eq(explanation.inside.items[1].value, chunks[0] + 8);
	explain_free(&explanation);
	finish(world);
}
END_TEST

START_TEST(what_the_allocator_uses_is_no_leak_and_has_no_path)
{
	struct world *world = world_with_data();
	struct explanation explanation;
	uint64_t tcache = world_chunk(world, 40), held = world_chunk(world, 24);
	ck_assert(array_push(&world->heap.internal, tcache));
	world_ready(world);
	put(world, DATA, tcache);
	put(world, tcache + 8, held);
	explain(world, tcache, &explanation);
	ck_assert(explanation.chunk.internal);
	ck_assert_int_eq(explanation.chunk.state, CHUNK_REACHABLE);
	ck_assert_uint_eq(explanation.path.count, 0);
	ck_assert_str_eq(explanation.why, "the allocator itself uses it");
	explain_free(&explanation);
	explain(world, held, &explanation);
	ck_assert_int_eq(explanation.chunk.state, CHUNK_ORPHANED);
	explain_free(&explanation);
	finish(world);
}
END_TEST

/* --- other addresses */

START_TEST(any_address_has_an_answer)
{
	static const uint64_t addresses[] = {
		0,
		1,
		0xffff,
		0x10000,
		0x13fff,
		0x14000,
		WORLD_HEAP - 16,
		0x7fffffffffff,
		0x800000000000,
		0xffff7fffffffffff,
		0xffff800000000000,
		UINT64_MAX,
	};
	struct world *world = world_with_data();
	world_chunk(world, 24);
	world_ready(world);
	for (size_t i = 0; i < sizeof addresses / sizeof *addresses; i++) {
		struct explanation explanation;
		const uint64_t high = addresses[i] >> 47;
		explain(world, addresses[i], &explanation);
		ck_assert_ptr_nonnull(explanation.text);
		ck_assert_int_eq(explanation.storage.kind == STORAGE_NOT_CANONICAL,
				 high != 0 && high != 0x1ffff);
		ck_assert_int_eq(explanation.has_referrers,
				 addresses[i] >= 0x10000 && high == 0);
		ck_assert_int_eq(strstr(explanation.text, "in the kernel's half") != NULL,
				 high == 0x1ffff);
		ck_assert_int_eq(strstr(explanation.text, "as a number it is -1") != NULL,
				 addresses[i] == UINT64_MAX);
		explain_free(&explanation);
	}
	finish(world);
}
END_TEST

START_TEST(without_a_heap_there_is_still_an_answer)
{
	struct world *world = world_with_data();
	struct modules_options options = { 0 };
	struct explanation explanation;
	world_chunk(world, 24);
	world_ready(world);
	ck_assert_ptr_null(
	    modules_open(world->target, &options, &world->gaps, &world->subject.modules));
	struct subject bare = world->subject;
	bare.heap = NULL;
	bare.threads = NULL;
	bare.pthreads = NULL;
	ck_assert_ptr_null(explain_find(&bare, NULL, NULL, DATA + 8, &explanation));
	ck_assert_int_eq(explanation.storage.kind, STORAGE_MAPPING);
	ck_assert(!explanation.in_chunk && !explanation.has_referrers);
	explain_free(&explanation);
	finish(world);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("explain");
	TCase *all = tcase_create("all");
	tcase_set_timeout(all, 60);
	tcase_add_loop_test(all, paths_are_the_shortest_in_any_graph, 0, 20);
	tcase_add_test(all, a_long_list_has_a_long_path);
	tcase_add_test(all, a_possible_chunk_is_shown_by_its_one_weak_step);
	tcase_add_test(all, the_root_is_named);
	tcase_add_test(all, a_stack_address_belongs_to_its_physical_frame);
	tcase_add_test(all, referrers_are_told_by_what_they_keep);
	tcase_add_test(all, many_referrers_are_counted_and_some_kept);
	tcase_add_test(all, a_chunk_has_neighbours_and_a_state);
	tcase_add_test(all, an_orphan_is_shown_in_its_structure);
	tcase_add_test(all, what_the_allocator_uses_is_no_leak_and_has_no_path);
	tcase_add_test(all, any_address_has_an_answer);
	tcase_add_test(all, without_a_heap_there_is_still_an_answer);
	suite_add_tcase(suite, all);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
