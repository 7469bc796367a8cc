/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "fake_world.h"

#include <check.h>
#include <string.h>

#define THREADS_MAX 64

static void expect_no_error(const struct error *error)
{
	ck_assert_msg(error == NULL, "%s", error != NULL ? error->message : "");
}

struct world *world_new(void)
{
	struct world *world = calloc(1, sizeof *world);
	ck_assert_ptr_nonnull(world);
	world->target = fake_target_new();
	fake_target_map(world->target, WORLD_HEAP - 0x1010, WORLD_HEAP_SIZE + 0x1010, "rw-",
			"[heap]");
	world->heap.chunks = chunk_table_new();
	ck_assert_ptr_nonnull(world->heap.chunks);
	expect_no_error(chunk_table_add_region(world->heap.chunks, WORLD_HEAP,
					       WORLD_HEAP + WORLD_HEAP_SIZE - 16, 8, 0, false,
					       &world->region));
	world->next = WORLD_HEAP;
	world->threads.items = calloc(THREADS_MAX, sizeof *world->threads.items);
	world->threads.by_stack = calloc(THREADS_MAX, sizeof *world->threads.by_stack);
	world->pthreads.items = calloc(THREADS_MAX, sizeof *world->pthreads.items);
	world->pthreads.by_address = calloc(THREADS_MAX, sizeof *world->pthreads.by_address);
	world->pthreads.layout = (struct glibc_pthread_layout){
		.tid = 0x10, .dtv = 8, .result = 0x100, .size = 0x200, .guard_size = -1
	};
	world->subject = (struct subject){ .target = world->target,
					   .threads = &world->threads,
					   .pthreads = &world->pthreads,
					   .heap = &world->heap,
					   .gaps = &world->gaps };
	return world;
}

void world_free(struct world *world)
{
	if (world->computed) {
		reachability_free(&world->reachability);
		roots_free(&world->roots);
	}
	gaps_free(&world->gaps);
	chunk_table_free(world->heap.chunks);
	array_free(&world->heap.own);
	array_free(&world->heap.internal);
	array_free(&world->heap.doubted);
	free(world->threads.items);
	free(world->threads.by_stack);
	free(world->pthreads.items);
	free(world->pthreads.by_address);
	target_close(world->target);
	free(world);
}

static uint64_t add_chunk(struct world *world, uint64_t size, bool used)
{
	uint64_t address = world->next;
	ck_assert_uint_eq(size % 16, 8);
	world->next += size + 8;
	ck_assert_uint_lt(world->next, WORLD_HEAP + WORLD_HEAP_SIZE - 16);
	chunk_table_add(world->heap.chunks, world->region, address, used);
	return address;
}

uint64_t world_chunk(struct world *world, uint64_t size)
{
	return add_chunk(world, size, true);
}

uint64_t world_free_chunk(struct world *world, uint64_t size)
{
	return add_chunk(world, size, false);
}

void world_pthread(struct world *world, enum glibc_stack_state state, uint64_t start, uint64_t end,
		   uint64_t pthread)
{
	struct glibc_pthreads *pthreads = &world->pthreads;
	ck_assert_uint_lt(pthreads->count, THREADS_MAX);
	struct glibc_pthread *item = &pthreads->items[pthreads->count];
	*item = (struct glibc_pthread){
		.address = pthread, .state = state, .stack_start = start, .stack_end = end
	};
	size_t at = pthreads->count++;
	for (; at > 0 && pthreads->by_address[at - 1]->address > pthread; at--)
		pthreads->by_address[at] = pthreads->by_address[at - 1];
	pthreads->by_address[at] = item;
}

size_t world_thread(struct world *world, int32_t tid, uint64_t start, uint64_t end, uint64_t sp,
		    uint64_t pthread)
{
	size_t number = world->threads.count++;
	ck_assert_uint_lt(number, THREADS_MAX);
	fake_target_thread(world->target, tid);
	fake_target_set_register(world->target, tid, "rsp", sp);
	world->threads.items[number] = (struct thread){ .tid = tid,
							.name = "",
							.thread_pointer = pthread,
							.stack_start = sp,
							.stack_end = end };
	size_t at = number;
	for (; at > 0 && world->threads.by_stack[at - 1]->stack_start > sp; at--)
		world->threads.by_stack[at] = world->threads.by_stack[at - 1];
	world->threads.by_stack[at] = &world->threads.items[number];
	if (pthread != 0)
		world_pthread(world, GLIBC_STACK_RUNNING, start, end, pthread);
	return number;
}

void world_ready(struct world *world)
{
	fake_target_seal(world->target);
	chunk_table_cut(world->heap.chunks, world->region, world->next);
	expect_no_error(chunk_table_freeze(world->heap.chunks));
	for (size_t i = 0; i < world->threads.count; i++)
		world->threads.items[i].raw = &world->target->threads.items[i];
}

enum chunk_state world_state(struct world *world, uint64_t address)
{
	if (!world->computed) {
		expect_no_error(roots_collect(&world->subject, &world->roots));
		expect_no_error(
		    reachability_compute(&world->subject, &world->roots, &world->reachability));
		world->computed = true;
	}
	struct chunk chunk;
	ck_assert(chunk_table_find(world->heap.chunks, address, &chunk));
	return reachability_state(&world->reachability, &chunk);
}

bool world_has_gap(const struct world *world, const char *part)
{
	for (size_t i = 0; i < world->gaps.list.count; i++)
		if (strstr(world->gaps.list.items[i].text, part) != NULL)
			return true;
	return false;
}
