/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "analysis/retained.h"
#include "fake_world.h"

#include <check.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define STACK	  ((uint64_t)0x7f0000000000)
#define STACK_END (STACK + 0x20000)
#define PTHREAD	  (STACK_END - 0x1000)
#define SP	  (STACK + 0x10000)
#define MAPPING	  ((uint64_t)0x10000)
#define HEADS	  1000

static void put(struct world *world, uint64_t address, uint64_t value)
{
	fake_target_put64(world->target, address, value);
}

/* Each is a root of its own: 0x10000, 0x20000 … */
static uint64_t add_mapping(struct world *world, size_t number)
{
	uint64_t address = MAPPING * (number + 1);
	fake_target_map(world->target, address, 0x1000, "rw-p", NULL);
	return address;
}

/* What is retained, after a forest (`way` 0), else by a depth-first walk and `way` - 1 rounds; and
 * that its lines add up to all that is reachable. */
static struct retained find_by(struct world *world, uint64_t any_chunk, unsigned way)
{
	const struct dominator_options options = { .heads = HEADS,
						   .depth_first = way > 0,
						   .rounds = way > 0 ? way - 1 : 0 };
	struct retained found;
	world_state(world, any_chunk);
	struct error *error =
	    retained_find(&world->subject, &world->roots, &world->reachability, &options, &found);
	ck_assert_msg(error == NULL, "%s", error != NULL ? error->message : "");
	const struct chunk_total *reachable = &world->reachability.totals[CHUNK_REACHABLE];
	ck_assert_uint_eq(found.total.chunks, reachable->chunks);
	ck_assert_uint_eq(found.total.bytes, reachable->bytes);
	struct chunk_total heads = { 0 };
	for (size_t i = 0; i < found.heads.count; i++) {
		heads.chunks += found.heads.items[i].held.chunks;
		heads.bytes += found.heads.items[i].held.bytes;
	}
	if (found.head_count <= HEADS) {
		ck_assert_uint_eq(found.head_count, found.heads.count);
		ck_assert_uint_eq(heads.chunks, found.shared.chunks);
		ck_assert_uint_eq(heads.bytes, found.shared.bytes);
	}
	return found;
}

static struct retained find(struct world *world, uint64_t any_chunk)
{
	return find_by(world, any_chunk, 0);
}

static const struct retained_root *root_at(const struct retained *found, uint64_t address)
{
	for (size_t i = 0; i < found->roots.count; i++)
		if (found->roots.items[i].item.address == address)
			return &found->roots.items[i];
	return NULL;
}

static const struct retained_root *root_named(const struct retained *found, const char *name)
{
	for (size_t i = 0; i < found->roots.count; i++)
		if (strcmp(found->roots.items[i].name, name) == 0)
			return &found->roots.items[i];
	ck_abort_msg("no root is named \"%s\"", name);
}

/* By hand. */

START_TEST(what_one_root_alone_leads_to_is_its_own)
{
	struct world *world = world_new();
	uint64_t one = add_mapping(world, 0), two = add_mapping(world, 1);
	uint64_t head = world_chunk(world, 24), left = world_chunk(world, 40);
	uint64_t right = world_chunk(world, 56), below = world_chunk(world, 72);
	uint64_t other = world_chunk(world, 24), both = world_chunk(world, 24);
	uint64_t behind = world_chunk(world, 104);
	world_ready(world);
	put(world, one, head);
	put(world, head, left);
	put(world, head + 8, right + 8);
	put(world, left, below);
	put(world, right, below + 71); /* the last byte */
	put(world, below, head);
	put(world, below + 64, both);
	put(world, two + 0xff8, other);
	put(world, other + 16, both);
	put(world, both, behind);
	struct retained found = find(world, head);
	const struct retained_root *first = root_at(&found, one), *second = root_at(&found, two);
	ck_assert_uint_eq(found.roots.count, 2);
	ck_assert_ptr_eq(first, &found.roots.items[0]);
	ck_assert_uint_eq(first->held.chunks, 4);
	ck_assert_uint_eq(first->held.bytes, 24 + 40 + 56 + 72);
	ck_assert_uint_eq(first->largest, below);
	ck_assert_uint_eq(first->largest_size, 72);
	ck_assert_uint_eq(second->held.chunks, 1);
	ck_assert_uint_eq(found.shared.bytes, 24 + 104);
	ck_assert_uint_eq(found.head_count, 1);
	const struct retained_head *shared = &found.heads.items[0];
	ck_assert_uint_eq(shared->address, both);
	ck_assert_uint_eq(shared->holder_count, 2);
	ck_assert(!shared->more_holders);
	ck_assert_str_eq(shared->holders[0], "mapping 0x10000 (anonymous)");
	ck_assert_str_eq(shared->holders[1], "mapping 0x20000 (anonymous)");
	retained_free(&found);
	world_free(world);
}
END_TEST

START_TEST(the_holder_of_a_shared_chunk_may_be_another_one)
{
	struct world *world = world_new();
	uint64_t roots[6], chunks[3];
	for (size_t i = 0; i < 6; i++)
		roots[i] = add_mapping(world, i);
	for (size_t i = 0; i < 3; i++)
		chunks[i] = world_chunk(world, 24 + 32 * i);
	world_ready(world);
	put(world, roots[0], chunks[0]);
	put(world, roots[1], chunks[0]);
	put(world, chunks[0], chunks[1]);
	put(world, roots[2], chunks[1]);
	for (size_t i = 0; i < 6; i++)
		put(world, roots[i] + 8, chunks[2]);
	struct retained found = find(world, chunks[0]);
	char name[32];
	ck_assert_uint_eq(found.roots.count, 0);
	ck_assert_uint_eq(found.heads.count, 3);
	ck_assert_uint_eq(found.heads.items[0].address, chunks[2]);
	ck_assert_uint_eq(found.heads.items[0].holder_count, DOMINATOR_HOLDERS);
	ck_assert(found.heads.items[0].more_holders);
	const struct retained_head *middle = &found.heads.items[1];
	ck_assert_uint_eq(middle->address, chunks[1]);
	ck_assert_uint_eq(middle->holder_count, 2);
	snprintf(name, sizeof name, "chunk 0x%" PRIx64, chunks[0]);
	ck_assert_str_eq(middle->holders[0], "mapping 0x30000 (anonymous)");
	ck_assert_str_eq(middle->holders[1], name);
	retained_free(&found);
	world_free(world);
}
END_TEST

START_TEST(threads_hold_by_frame_register_and_red_zone)
{
	struct frame frames[] = {
		{ .sp = SP, .function = "inner", .inlined = true },
		{ .sp = SP, .function = "outer" },
		{ .sp = SP + 0x40, .function = "ns::caller(int)" },
		{ .sp = SP + 0x80, .pc = 0x1234 },
	};
	struct world *world = world_new();
	uint64_t chunks[7];
	for (size_t i = 0; i < 7; i++)
		chunks[i] = world_chunk(world, 24);
	fake_target_map(world->target, STACK, STACK_END - STACK, "rw-", NULL);
	size_t thread = world_thread(world, 7, STACK, STACK_END, SP, PTHREAD);
	world->threads.items[thread].frames = frames;
	world->threads.items[thread].frame_count = 4;
	world->threads.items[thread].name = "worker";
	if (_i == 1)
		world->threads.items[thread].stop_reason = "no more";
	fake_target_set_register(world->target, 7, "rbx", chunks[5]);
	world_ready(world);
	put(world, SP - 8, chunks[0]);
	put(world, SP, chunks[1]);
	put(world, SP + 0x38, chunks[1]);
	put(world, SP + 0x40, chunks[2]);
	put(world, SP + 0x88, chunks[3]);
	put(world, PTHREAD + 0x20, chunks[4]);
	put(world, PTHREAD + 0x200, chunks[6]); /* beyond struct pthread */
	struct retained found = find(world, chunks[0]);
	ck_assert_uint_eq(root_named(&found, "thread 7 \"worker\" red zone")->held.chunks, 1);
	ck_assert_uint_eq(root_named(&found, "thread 7 \"worker\" outer()")->held.chunks, 1);
	ck_assert_uint_eq(root_named(&found, "thread 7 \"worker\" ns::caller(int)")->held.chunks,
			  1);
	ck_assert_uint_eq(root_named(&found, "thread 7 \"worker\" struct pthread")->held.chunks, 1);
	ck_assert_uint_eq(root_named(&found, "thread 7 \"worker\" register rbx")->held.chunks, 1);
	/* Where unwinding stopped early, nobody knows whose the rest of the stack is. */
	const char *rest = _i == 1 ? "thread 7 \"worker\" stack outside of its frames"
				   : "thread 7 \"worker\" 0x1234";
	ck_assert_uint_eq(root_named(&found, rest)->held.chunks, 2);
	ck_assert_uint_eq(found.roots.count, 6);
	retained_free(&found);
	world_free(world);
}
END_TEST

START_TEST(what_no_root_needs_to_hold_is_told_apart)
{
	const uint64_t cached = STACK + 0x2000000;
	struct world *world = world_new();
	uint64_t root = add_mapping(world, 0), weak = world_chunk(world, 24);
	uint64_t internal = world_chunk(world, 40), dtv = world_chunk(world, 72);
	uint64_t tls = world_chunk(world, 104), held = world_chunk(world, 136);
	uint64_t freed = world_free_chunk(world, 24), orphan = world_chunk(world, 24);
	fake_target_map(world->target, cached, 0x20000, "rw-", NULL);
	fake_target_map(world->target, STACK, STACK_END - STACK, "rw-", NULL);
	world_pthread(world, GLIBC_STACK_CACHED, cached, cached + 0x20000, cached + 0x1f000);
	world_thread(world, 7, STACK, STACK_END, SP, PTHREAD);
	fake_target_set_register(world->target, 7, "orig_rax", 202);
	ck_assert(array_push(&world->heap.internal, internal));
	world_ready(world);
	put(world, cached + 0x1f008, dtv + 16);
	put(world, dtv + 32, tls);
	put(world, root, internal);
	put(world, root + 8, held);
	put(world, root + 16, freed);
	put(world, freed, orphan);
	put(world, internal, orphan);
	put(world, SP - 8, weak);
	put(world, weak, held);
	struct retained found = find(world, held);
	ck_assert_uint_eq(found.internal.bytes, 40);
	ck_assert_uint_eq(found.departed.chunks, 2);
	ck_assert_uint_eq(found.departed.bytes, 72 + 104);
	ck_assert_uint_eq(found.shared.chunks, 0);
	ck_assert_uint_eq(found.roots.count, 1);
	ck_assert_uint_eq(found.roots.items[0].held.bytes, 136);
	retained_free(&found);
	world_free(world);
}
END_TEST

START_TEST(memory_that_was_not_dumped_leads_nowhere)
{
	struct world *world = world_new();
	uint64_t root = add_mapping(world, 0), chunk = world_chunk(world, 24), absent_region;
	uint32_t region;
	fake_target_map(world->target, 0x570000000000, 0x3000, "rw-", NULL);
	fake_target_absent(world->target, 0x570000003000, 0x1000, "rw-", NULL);
	fake_target_map(world->target, 0x570000004000, 0x1000, "rw-", NULL);
	absent_region = 0x570000000010;
	ck_assert_ptr_null(chunk_table_add_region(world->heap.chunks, absent_region, 0x570000005000,
						  8, 0, true, &region));
	world_ready(world);
	put(world, root, absent_region);
	put(world, 0x570000004ff0, chunk);
	struct retained found = find(world, chunk);
	ck_assert_uint_eq(found.roots.count, 1);
	ck_assert_uint_eq(found.roots.items[0].held.chunks, 2);
	retained_free(&found);
	world_free(world);
}
END_TEST

/* Against the definition: what cannot be reached any more without the one. */

#define NAIVE_CHUNKS_MAX 60
#define NAIVE_ROOTS_MAX	 6

struct naive {
	size_t chunks, roots;
	uint64_t address[NAIVE_CHUNKS_MAX], size[NAIVE_CHUNKS_MAX];
	/* Nodes are roots first, then chunks. */
	bool edge[NAIVE_ROOTS_MAX + NAIVE_CHUNKS_MAX][NAIVE_CHUNKS_MAX];
};

static uint64_t random_next(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

static void reach_without(const struct naive *naive, size_t without, bool *reached)
{
	size_t pending[NAIVE_ROOTS_MAX + NAIVE_CHUNKS_MAX], count = 0;
	memset(reached, 0, NAIVE_CHUNKS_MAX);
	for (size_t i = 0; i < naive->roots; i++)
		if (i != without)
			pending[count++] = i;
	while (count > 0) {
		size_t node = pending[--count];
		for (size_t i = 0; i < naive->chunks; i++)
			if (naive->edge[node][i] && !reached[i] && naive->roots + i != without) {
				reached[i] = true;
				pending[count++] = naive->roots + i;
			}
	}
}

static struct world *make_random(struct naive *naive, uint64_t seed)
{
	uint64_t state = seed * 0x9e3779b97f4a7c15U + 1;
	struct world *world = world_new();
	memset(naive, 0, sizeof *naive);
	naive->roots = 1 + random_next(&state) % NAIVE_ROOTS_MAX;
	naive->chunks = 1 + random_next(&state) % NAIVE_CHUNKS_MAX;
	uint64_t density = random_next(&state) % 8;
	for (size_t i = 0; i < naive->roots; i++)
		add_mapping(world, i);
	for (size_t i = 0; i < naive->chunks; i++) {
		/* Some are longer than a slice of the walk. */
		naive->size[i] = random_next(&state) % 5 == 0 ? 1592 : 72;
		naive->address[i] = world_chunk(world, naive->size[i]);
	}
	world_ready(world);
	for (size_t from = 0; from < naive->roots + naive->chunks; from++) {
		bool root = from < naive->roots;
		uint64_t edges =
		    root ? 1 + random_next(&state) % 3 : random_next(&state) % (density / 2 + 2);
		for (uint64_t e = 0; e < edges; e++) {
			size_t to = random_next(&state) % naive->chunks;
			uint64_t size = root ? 0x1000 : naive->size[from - naive->roots];
			uint64_t start =
			    root ? MAPPING * (from + 1) : naive->address[from - naive->roots];
			uint64_t at = start + random_next(&state) % (size / 8) * 8;
			uint64_t old;
			ck_assert(address_space_u64(world->target->space, at, &old));
			if (old != 0)
				continue;
			put(world, at, naive->address[to] + random_next(&state) % 17);
			naive->edge[from][to] = true;
		}
	}
	return world;
}

static void compare_roots(const struct naive *naive, const struct retained *found,
			  bool alone[NAIVE_CHUNKS_MAX])
{
	bool all[NAIVE_CHUNKS_MAX], without[NAIVE_CHUNKS_MAX];
	reach_without(naive, SIZE_MAX, all);
	for (size_t root = 0; root < naive->roots; root++) {
		struct chunk_total held = { 0 };
		reach_without(naive, root, without);
		for (size_t i = 0; i < naive->chunks; i++)
			if (all[i] && !without[i]) {
				alone[i] = true;
				held.chunks++;
				held.bytes += naive->size[i];
			}
		const struct retained_root *line = root_at(found, MAPPING * (root + 1));
		ck_assert_uint_eq(line != NULL ? line->held.chunks : 0, held.chunks);
		ck_assert_uint_eq(line != NULL ? line->held.bytes : 0, held.bytes);
	}
}

static void compare_heads(const struct naive *naive, const struct retained *found,
			  const bool alone[NAIVE_CHUNKS_MAX])
{
	bool all[NAIVE_CHUNKS_MAX], without[NAIVE_CHUNKS_MAX][NAIVE_CHUNKS_MAX];
	reach_without(naive, SIZE_MAX, all);
	for (size_t i = 0; i < naive->chunks; i++)
		reach_without(naive, naive->roots + i, without[i]);
	size_t heads = 0;
	for (size_t i = 0; i < naive->chunks; i++) {
		bool is_head = all[i] && !alone[i];
		for (size_t j = 0; j < naive->chunks; j++)
			is_head = is_head && (j == i || without[j][i]);
		if (!is_head)
			continue;
		struct chunk_total held = { 0 };
		for (size_t j = 0; j < naive->chunks; j++)
			if (all[j] && !without[i][j]) {
				held.chunks++;
				held.bytes += naive->size[j];
			}
		const struct retained_head *line = NULL;
		for (size_t j = 0; j < found->heads.count; j++)
			if (found->heads.items[j].address == naive->address[i])
				line = &found->heads.items[j];
		ck_assert_ptr_nonnull(line);
		ck_assert_uint_eq(line->held.chunks, held.chunks);
		ck_assert_uint_eq(line->held.bytes, held.bytes);
		ck_assert_uint_ge(line->holder_count, 2);
		heads++;
	}
	ck_assert_uint_eq(found->head_count, heads);
}

START_TEST(random_graphs_agree_with_the_definition)
{
	for (uint64_t seed = 1; seed <= 400; seed++) {
		struct naive naive;
		bool alone[NAIVE_CHUNKS_MAX] = { false };
		struct world *world = make_random(&naive, seed);
		struct retained found = find_by(world, naive.address[0], (unsigned)_i);
		compare_roots(&naive, &found, alone);
		compare_heads(&naive, &found, alone);
		retained_free(&found);
		world_free(world);
	}
}
END_TEST

/* Long ways: a chain with pointers back, entered at both ends. */
START_TEST(long_chains_need_neither_recursion_nor_squares)
{
	struct world *world = world_new();
	const size_t count = 30000;
	uint64_t one = add_mapping(world, 0), two = add_mapping(world, 1);
	uint64_t *chunks = malloc(count * sizeof *chunks);
	for (size_t i = 0; i < count; i++)
		chunks[i] = world_chunk(world, 24);
	world_ready(world);
	put(world, one, chunks[0]);
	for (size_t i = 0; i < count; i++) {
		put(world, chunks[i], i + 1 < count ? chunks[i + 1] : 0);
		put(world, chunks[i] + 8, i > 0 ? chunks[i - 1] : 0);
		put(world, chunks[i] + 16, chunks[i / 2]);
	}
	struct retained alone = find(world, chunks[0]);
	ck_assert_uint_eq(alone.roots.items[0].held.chunks, count);
	retained_free(&alone);
	put(world, two, chunks[count - 1]);
	struct retained both = find_by(world, chunks[0], (unsigned)_i);
	ck_assert_uint_eq(both.roots.count, 0);
	ck_assert_uint_eq(both.shared.chunks, count);
	ck_assert_uint_eq(both.head_count, count);
	retained_free(&both);
	free(chunks);
	world_free(world);
}
END_TEST

/* More chunks than one thread takes: a tree below each of two roots, whose leaves both
 * lead to. */
START_TEST(large_graphs_are_shared_by_threads)
{
	struct world *world = world_new();
	const size_t count = 30000;
	const uint64_t one = add_mapping(world, 0), two = add_mapping(world, 1);
	uint64_t *chunks = malloc(count * sizeof *chunks);
	for (size_t i = 0; i < count; i++)
		chunks[i] = world_chunk(world, 24);
	world_ready(world);
	put(world, one, chunks[0]);
	put(world, two, chunks[1]);
	/* Even ones below the first root, odd ones below the second: a binary tree each, the leaves
	 * of the first lead to those of the second. */
	for (size_t i = 0; i < count; i++) {
		const size_t place = i / 2, side = i % 2;
		for (size_t child = 0; child < 2; child++)
			if ((2 * place + 1 + child) * 2 + side < count)
				put(world, chunks[i] + child * 8,
				    chunks[(2 * place + 1 + child) * 2 + side]);
		if (side == 0 && (2 * place + 1) * 2 >= count)
			put(world, chunks[i] + 16, chunks[i + 1]);
	}
	struct retained found = find_by(world, chunks[0], (unsigned)_i);
	const size_t half = count / 2, leaves = half - half / 2;
	ck_assert_uint_eq(root_at(&found, one)->held.chunks, half);
	ck_assert_uint_eq(root_at(&found, two)->held.chunks, half - leaves);
	ck_assert_uint_eq(found.shared.chunks, leaves);
	ck_assert_uint_eq(found.head_count, leaves);
	/* One holder lies beside the head, the other one far below it. */
	for (size_t i = 0; i < found.heads.count; i++) {
		const struct retained_head *head = &found.heads.items[i];
		ck_assert_uint_eq(head->holder_count, 2);
		ck_assert(!head->more_holders);
		ck_assert_str_ne(head->holders[0], head->holders[1]);
		ck_assert(i == 0 || head->address > found.heads.items[i - 1].address);
	}
	retained_free(&found);
	free(chunks);
	world_free(world);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("retained");
	TCase *all = tcase_create("all");
	tcase_set_timeout(all, 120);
	tcase_add_test(all, what_one_root_alone_leads_to_is_its_own);
	tcase_add_test(all, the_holder_of_a_shared_chunk_may_be_another_one);
	tcase_add_loop_test(all, threads_hold_by_frame_register_and_red_zone, 0, 2);
	tcase_add_test(all, what_no_root_needs_to_hold_is_told_apart);
	tcase_add_test(all, memory_that_was_not_dumped_leads_nowhere);
	tcase_add_loop_test(all, random_graphs_agree_with_the_definition, 0, 5);
	tcase_add_loop_test(all, long_chains_need_neither_recursion_nor_squares, 0, 4);
	tcase_add_loop_test(all, large_graphs_are_shared_by_threads, 0, 2);
	suite_add_tcase(suite, all);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
