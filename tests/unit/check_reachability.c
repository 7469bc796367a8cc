/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "analysis/mark.h"
#include "fake_world.h"

#include <check.h>
#include <elf.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>

#define STACK	  ((uint64_t)0x7f0000000000)
#define STACK_END (STACK + 0x20000)
#define PTHREAD	  (STACK_END - 0x1000)
#define SP	  (STACK + 0x10000)

static void put(struct world *world, uint64_t address, uint64_t value)
{
	fake_target_put64(world->target, address, value);
}

/* Mappings. */

START_TEST(every_kind_of_mapping_is_a_root)
{
	static const struct {
		const char *permissions, *name;
		bool root;
	} rows[] = {
		{ "rw-p", NULL, true },
		{ "r--p", NULL, true },
		{ "---p", NULL, true },
		{ "rwxp", NULL, true },
		{ "r-xp", NULL, true },
		{ "rw-p", "/usr/lib/libfoo.so", true },
		{ "r--p", "/usr/lib/libfoo.so", true },
		{ "r-xp", "/usr/lib/libfoo.so", false },
		{ "r-xp", "[vdso]", false },
		{ "rw-s", "/memfd:cache (deleted)", true },
		{ "rw-s", "/dev/zero (deleted)", true },
		{ "r--s", "/dev/shm/pool", true },
		{ "rw-p", "[stack]", true },
	};
	const size_t count = sizeof rows / sizeof *rows;
	struct world *world = world_new();
	uint64_t chunks[sizeof rows / sizeof *rows];
	for (size_t i = 0; i < count; i++) {
		chunks[i] = world_chunk(world, 24);
		fake_target_map(world->target, 0x10000 * (i + 1), 0x1000, rows[i].permissions,
				rows[i].name);
		put(world, 0x10000 * (i + 1) + 0xff8, chunks[i]);
	}
	world_ready(world);
	for (size_t i = 0; i < count; i++)
		ck_assert_msg(world_state(world, chunks[i]) ==
				  (rows[i].root ? CHUNK_REACHABLE : CHUNK_ORPHANED),
			      "%s %s", rows[i].permissions, rows[i].name);
	world_free(world);
}
END_TEST

START_TEST(what_the_allocator_owns_is_no_root)
{
	struct world *world = world_new();
	uint64_t by_arena = world_chunk(world, 24), by_heap = world_chunk(world, 24);
	uint64_t internal = world_chunk(world, 40), by_internal = world_chunk(world, 24);
	fake_target_map(world->target, 0x10000, 0x1000, "rw-", "/usr/lib/libc.so.6");
	ck_assert(array_push(&world->heap.own,
			     (struct heap_own_range){ 0x10100, 0x10200, "malloc_state" }));
	ck_assert(array_push(&world->heap.internal, internal));
	world_ready(world);
	put(world, 0x10108, by_arena);
	put(world, 0x101f8, by_arena);
	put(world, 0x10200, internal);
	put(world, internal + 16, by_internal);
	put(world, WORLD_HEAP - 0x1000, by_heap); /* below the first chunk: brk memory of others */
	ck_assert_int_eq(world_state(world, by_arena), CHUNK_ORPHANED);
	ck_assert_int_eq(world_state(world, by_heap), CHUNK_REACHABLE);
	ck_assert_int_eq(world_state(world, internal), CHUNK_REACHABLE);
	ck_assert_int_eq(world_state(world, by_internal), CHUNK_ORPHANED);
	world_free(world);
}
END_TEST

/* What lies near the vdso is not the kernel's for that. */
START_TEST(read_only_memory_below_the_vdso_is_a_root)
{
	struct world *world = world_new();
	uint64_t chunk = world_chunk(world, 24);
	fake_target_map(world->target, 0x7fe000, 0x1000, "r--p", NULL);
	fake_target_absent(world->target, 0x7ff000, 0x4000, "r--p", NULL);
	fake_target_map(world->target, 0x803000, 0x1000, "r-x", "[vdso]");
	fake_target_auxv(world->target, AT_SYSINFO_EHDR, 0x803000);
	world_ready(world);
	put(world, 0x7fe008, chunk);
	ck_assert_int_eq(world_state(world, chunk), CHUNK_REACHABLE);
	ck_assert_uint_eq(world->gaps.list.count, 0);
	world_free(world);
}
END_TEST

START_TEST(absent_memory_becomes_few_gaps)
{
	struct world *world = world_new();
	uint64_t chunk = world_chunk(world, 24);
	fake_target_absent(world->target, 0x100000000, 0x10000000, "rw-s", "/dev/shm/segment");
	fake_target_absent(world->target, 0x200000, 0x1000, "---p", NULL);
	fake_target_absent(world->target, 0x300000, 0x1000, "r--p", "/usr/lib/locale/archive");
	fake_target_absent(world->target, 0x400000, 0x2000, "r--p", NULL);
	fake_target_absent(world->target, 0x500000, 0x1000, "r--p", NULL);
	fake_target_absent(world->target, 0x600000, 0x1000, "rw-p", NULL);
	fake_target_absent(world->target, 0x7ff000, 0x3000, "r--p", NULL); /* [vvar] */
	fake_target_absent(world->target, 0x802000, 0x1000, "r--p", NULL);
	fake_target_map(world->target, 0x803000, 0x1000, "r-x", NULL);
	fake_target_auxv(world->target, AT_SYSINFO_EHDR, 0x803000);
	world_ready(world);
	ck_assert_int_eq(world_state(world, chunk), CHUNK_POSSIBLE);
	ck_assert_uint_eq(world->gaps.list.count, 2);
	ck_assert(world_has_gap(
	    world, "mapping 0x100000000 (256 MB, shared, not dumped): pointers from there"));
	ck_assert(world_has_gap(world, "3 mappings (16 kB, private, not dumped"));
	ck_assert_str_eq(world->reachability.doubt, "16 kB of private memory in 3 mappings, the "
						    "largest at 0x400000,");
	world_free(world);
}
END_TEST

static void add_lost(struct world *world, uint64_t start, uint64_t size, uint8_t permissions,
		     const char *name)
{
	const struct segment segment = { .start = start,
					 .end = start + size,
					 .origin = SEGMENT_ABSENT,
					 .permissions = permissions,
					 .permissions_known = true,
					 .lost = true,
					 .name = name };
	ck_assert_ptr_null(address_space_add(world->target->space, &segment));
}

/* What is not at hand raises doubt only where the process's own pointers can be in it. */
START_TEST(only_memory_that_may_hold_pointers_raises_doubt)
{
	static const struct {
		const char *permissions, *name;
		bool lost, doubt;
	} rows[] = {
		{ "rw-p", NULL, false, true },
		{ "r--p", NULL, false, true },
		{ "rwxp", NULL, false, true },
		{ "rw-p", "[heap]", false, true },
		{ "rw-p", "/anon_hugepage (deleted)", false, true },
		{ "---p", NULL, false, false },
		{ "rw-s", "/var/cache/a", false, false },
		{ "rw-s", "/dev/shm/a", false, false },
		{ "rw-s", "/dev/zero (deleted)", false, false },
		{ "r--p", "/usr/lib/libfoo.so", false, false },
		{ "r-xp", "/usr/lib/libfoo.so", false, false },
		{ "r--p", "[vvar]", false, false },
		{ "rw-p", NULL, true, true },
		{ "rw-p", "/usr/lib/libfoo.so", true, true },
		{ "---p", NULL, true, false },
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct world *world = world_new();
		uint64_t orphan = world_chunk(world, 24), weak = world_chunk(world, 40);
		uint64_t held = world_chunk(world, 24), freed = world_free_chunk(world, 24);
		fake_target_map(world->target, 0x10000, 0x1000, "rw-p", NULL);
		if (rows[i].lost)
			add_lost(world, 0x200000, 0x2000,
				 rows[i].permissions[1] == 'w' ? SEGMENT_READ | SEGMENT_WRITE : 0,
				 rows[i].name);
		else
			fake_target_absent(world->target, 0x200000, 0x2000, rows[i].permissions,
					   rows[i].name);
		world_ready(world);
		put(world, 0x10000, held);
		put(world, 0x10008, weak + 24);
		const enum chunk_state state = rows[i].doubt ? CHUNK_POSSIBLE : CHUNK_ORPHANED;
		ck_assert_msg(world_state(world, orphan) == state, "row %zu", i);
		ck_assert_int_eq(world_state(world, weak), CHUNK_POSSIBLE);
		ck_assert_int_eq(world_state(world, held), CHUNK_REACHABLE);
		ck_assert_int_eq(world_state(world, freed), CHUNK_FREE);
		const struct reachability *reachability = &world->reachability;
		ck_assert_str_eq(reachability->doubt,
				 rows[i].doubt ? "8 kB of private memory at 0x200000" : "");
		ck_assert_uint_eq(reachability->unheld.chunks, 1);
		ck_assert_uint_eq(reachability->unheld.bytes, 24);
		ck_assert_uint_eq(reachability->totals[CHUNK_ORPHANED].chunks, !rows[i].doubt);
		ck_assert_uint_eq(reachability->totals[CHUNK_POSSIBLE].chunks, 1 + rows[i].doubt);
		world_free(world);
	}
}
END_TEST

/* Of a live process everything is read that was ever touched, unless the stop ended. */
START_TEST(untouched_memory_of_a_live_process_raises_no_doubt)
{
	struct world *world = world_new();
	uint64_t orphan = world_chunk(world, 24);
	world->target->kind = TARGET_LIVE;
	fake_target_absent(world->target, 0x200000, 0x2000, "rw-p", NULL);
	if (_i == 1)
		add_lost(world, 0x300000, 0x1000, SEGMENT_READ | SEGMENT_WRITE, NULL);
	if (_i == 2)
		world->target->kernel_words_missing = true;
	world_ready(world);
	ck_assert_int_eq(world_state(world, orphan), _i == 0 ? CHUNK_ORPHANED : CHUNK_POSSIBLE);
	ck_assert_str_eq(world->reachability.doubt, _i == 0   ? ""
						    : _i == 1 ? "4 kB of private memory at 0x300000"
							      : "words that the kernel holds");
	world_free(world);
}
END_TEST

START_TEST(unused_stack_raises_no_doubt)
{
	struct world *world = world_new();
	uint64_t orphan = world_chunk(world, 24);
	fake_target_absent(world->target, STACK, 0x8000, "rw-", NULL);
	fake_target_map(world->target, STACK + 0x8000, STACK_END - STACK - 0x8000, "rw-", NULL);
	world_thread(world, 7, STACK, STACK_END, SP, PTHREAD);
	world_ready(world);
	ck_assert_int_eq(world_state(world, orphan), CHUNK_ORPHANED);
	world_free(world);
}
END_TEST

/* What a chunk that was not dumped leads to. */
START_TEST(a_chunk_that_was_not_dumped_raises_doubt)
{
	struct world *world = world_new();
	uint64_t orphan = world_chunk(world, 24);
	fake_target_map(world->target, 0x10000, 0x1000, "rw-p", NULL);
	fake_target_absent(world->target, 0x700000000, 0x2000, "rw-p", NULL);
	uint32_t region;
	ck_assert_ptr_null(chunk_table_add_region(world->heap.chunks, 0x700000010, 0x700001ff0, 8,
						  0, true, &region));
	world_ready(world);
	put(world, 0x10000, 0x700000010);
	ck_assert_int_eq(world_state(world, orphan), CHUNK_POSSIBLE);
	ck_assert_ptr_nonnull(strstr(world->reachability.doubt, " of chunks in use"));
	world_free(world);
}
END_TEST

/* The kernel. */

START_TEST(what_the_kernel_holds_is_weak)
{
	struct world *world = world_new();
	uint64_t held = world_chunk(world, 24), child = world_chunk(world, 24);
	uint64_t timed = world_chunk(world, 24), other = world_chunk(world, 24);
	ck_assert(array_push(
	    &world->target->kernel_words,
	    (struct target_kernel_word){ KERNEL_WORD_EPOLL, 7, 9, held + 1 /* a tag */ }));
	ck_assert(array_push(&world->target->kernel_words,
			     (struct target_kernel_word){ KERNEL_WORD_TIMER, 0, -1, timed }));
	world_ready(world);
	put(world, held + 8, child);
	ck_assert_int_eq(world_state(world, held), CHUNK_POSSIBLE);
	ck_assert_int_eq(world_state(world, child), CHUNK_POSSIBLE);
	ck_assert_int_eq(world_state(world, timed), CHUNK_POSSIBLE);
	ck_assert_int_eq(world_state(world, other), CHUNK_ORPHANED);
	world_free(world);
}
END_TEST

/* Events are packed: those with even numbers are not aligned. */
START_TEST(events_of_epoll_wait_are_weak)
{
	static const struct {
		uint64_t call;
		bool counts;
	} calls[] = { { 232, true }, { 281, true }, { 441, true }, { 0, false } };
	const uint64_t array = STACK + 0x100; /* unused stack: no root itself */
	struct world *world = world_new();
	uint64_t first = world_chunk(world, 24), second = world_chunk(world, 24);
	uint64_t beyond = world_chunk(world, 24);
	fake_target_map(world->target, STACK, STACK_END - STACK, "rw-", NULL);
	world_thread(world, 7, STACK, STACK_END, SP, PTHREAD);
	fake_target_set_register(world->target, 7, "orig_rax", calls[_i].call);
	fake_target_set_register(world->target, 7, "rsi", array);
	fake_target_set_register(world->target, 7, "rdx", 2);
	world_ready(world);
	put(world, array + 4, first);
	put(world, array + 16, second);
	put(world, array + 28, beyond);
	const enum chunk_state state = calls[_i].counts ? CHUNK_POSSIBLE : CHUNK_ORPHANED;
	ck_assert_int_eq(world_state(world, first), state);
	ck_assert_int_eq(world_state(world, second), state);
	ck_assert_int_eq(world_state(world, beyond), CHUNK_ORPHANED);
	world_free(world);
}
END_TEST

START_TEST(what_nobody_tells_is_said)
{
	static const char *const names[] = { "anon_inode:[io_uring]", "/[aio] (deleted)" };
	struct world *world = world_new();
	uint64_t chunk = world_chunk(world, 24);
	fake_target_map(world->target, 0x10000, 0x1000, "rw-s", names[_i]);
	world_ready(world);
	ck_assert_int_eq(world_state(world, chunk), CHUNK_ORPHANED);
	ck_assert_ptr_nonnull(strstr(world->reachability.caution, "io_uring or io_submit"));
	world_free(world);
}
END_TEST

/* Arguments that mean nothing. */
START_TEST(hostile_arguments_of_epoll_wait_do_no_harm)
{
	static const struct {
		uint64_t array, count;
	} rows[] = { { UINT64_MAX - 3, 1 },
		     { UINT64_MAX - 100, UINT64_MAX },
		     { 0, 0x7fffffff },
		     { STACK_END - 5, 100 },
		     { STACK, UINT32_MAX } };
	struct world *world = world_new();
	uint64_t chunk = world_chunk(world, 24);
	fake_target_map(world->target, STACK, STACK_END - STACK, "rw-", NULL);
	world_thread(world, 7, STACK, STACK_END, SP, PTHREAD);
	fake_target_set_register(world->target, 7, "orig_rax", 232);
	fake_target_set_register(world->target, 7, "rsi", rows[_i].array);
	fake_target_set_register(world->target, 7, "rdx", rows[_i].count);
	world_ready(world);
	ck_assert_int_eq(world_state(world, chunk), CHUNK_ORPHANED);
	world_free(world);
}
END_TEST

/* Threads. */

START_TEST(registers_are_roots)
{
	static const char *const names[] = {
		"rax", "rbx", "rcx", "rdx", "rsi", "rdi", "rbp", "r8",
		"r9",  "r10", "r11", "r12", "r13", "r14", "r15", "rip"
	};
	const size_t count = sizeof names / sizeof *names;
	struct world *world = world_new();
	uint64_t chunks[sizeof names / sizeof *names];
	fake_target_map(world->target, STACK, STACK_END - STACK, "rw-", NULL);
	world_thread(world, 7, STACK, STACK_END, SP, PTHREAD);
	for (size_t i = 0; i < count; i++) {
		chunks[i] = world_chunk(world, 24);
		fake_target_set_register(world->target, 7, names[i], chunks[i] + i);
	}
	uint64_t flags = world_chunk(world, 24);
	fake_target_set_register(world->target, 7, "eflags", flags);
	world_ready(world);
	for (size_t i = 0; i < count; i++)
		ck_assert_msg(world_state(world, chunks[i]) == CHUNK_REACHABLE, "%s", names[i]);
	ck_assert_int_eq(world_state(world, flags), CHUNK_ORPHANED);
	world_free(world);
}
END_TEST

/* xmm3 and the upper half of ymm3: strong in a thread that computes, weak in one that waits. */
START_TEST(vector_registers_are_roots)
{
	static uint8_t extended[832];
	struct world *world = world_new();
	uint64_t xmm = world_chunk(world, 24), ymm_high = world_chunk(world, 24);
	memcpy(extended + 160 + 3 * 16 + 8, &xmm, sizeof xmm);
	memcpy(extended + 576 + 3 * 16, &ymm_high, sizeof ymm_high);
	fake_target_map(world->target, STACK, STACK_END - STACK, "rw-", NULL);
	world_thread(world, 7, STACK, STACK_END, SP, PTHREAD);
	if (_i == 1)
		fake_target_set_register(world->target, 7, "orig_rax", 202);
	world_ready(world);
	world->target->threads.items[0].registers.extended = extended;
	world->target->threads.items[0].registers.extended_size = sizeof extended;
	enum chunk_state expected = _i == 1 ? CHUNK_POSSIBLE : CHUNK_REACHABLE;
	ck_assert_int_eq(world_state(world, xmm), expected);
	ck_assert_int_eq(world_state(world, ymm_high), expected);
	world_free(world);
}
END_TEST

START_TEST(a_stack_is_a_root_from_sp_to_its_end)
{
	struct world *world = world_new();
	uint64_t at_sp = world_chunk(world, 24), in_tls = world_chunk(world, 24);
	uint64_t in_pthread = world_chunk(world, 24), red_zone = world_chunk(world, 24);
	uint64_t through_red_zone = world_chunk(world, 24), dead = world_chunk(world, 24);
	uint64_t beyond = world_chunk(world, 24);
	/* The mapping goes on beyond the stack block, as merged mappings do. */
	fake_target_map(world->target, STACK, STACK_END - STACK + 0x1000, "rw-", NULL);
	world_thread(world, 7, STACK, STACK_END, SP, PTHREAD);
	if (_i == 1)
		fake_target_set_register(world->target, 7, "orig_rax", 202);
	world_ready(world);
	put(world, SP, at_sp);
	put(world, PTHREAD - 0x80, in_tls);
	put(world, PTHREAD + 0x180, in_pthread);
	put(world, SP - 128, red_zone);
	put(world, red_zone, through_red_zone);
	put(world, SP - 136, dead);
	put(world, STACK, dead);
	put(world, STACK_END, beyond);
	ck_assert_int_eq(world_state(world, at_sp), CHUNK_REACHABLE);
	ck_assert_int_eq(world_state(world, in_tls), CHUNK_REACHABLE);
	ck_assert_int_eq(world_state(world, in_pthread), CHUNK_REACHABLE);
	enum chunk_state expected = _i == 1 ? CHUNK_POSSIBLE : CHUNK_REACHABLE;
	ck_assert_int_eq(world_state(world, red_zone), expected);
	ck_assert_int_eq(world_state(world, through_red_zone), expected);
	ck_assert_int_eq(world_state(world, dead), CHUNK_ORPHANED);
	ck_assert_int_eq(world_state(world, beyond), CHUNK_REACHABLE);
	world_free(world);
}
END_TEST

START_TEST(the_main_stack_is_found_by_the_auxiliary_vector)
{
	struct world *world = world_new();
	uint64_t live = world_chunk(world, 24), dead = world_chunk(world, 24);
	fake_target_map(world->target, STACK, STACK_END - STACK, "rw-", NULL);
	world_thread(world, 7, STACK, STACK_END, SP, 0);
	fake_target_auxv(world->target, AT_RANDOM, STACK_END - 0x39);
	world_ready(world);
	put(world, SP + 8, live);
	put(world, STACK + 8, dead);
	ck_assert_int_eq(world_state(world, live), CHUNK_REACHABLE);
	ck_assert_int_eq(world_state(world, dead), CHUNK_ORPHANED);
	world_free(world);
}
END_TEST

/* SP on another stack: the thread's own is a root as a whole. */
START_TEST(a_left_stack_is_a_root_as_a_whole)
{
	struct world *world = world_new();
	uint64_t below = world_chunk(world, 24), other = world_chunk(world, 24);
	fake_target_map(world->target, STACK, STACK_END - STACK, "rw-", NULL);
	fake_target_map(world->target, 0x100000, 0x10000, "rw-", NULL);
	world_thread(world, 7, STACK, STACK_END, 0x108000, PTHREAD);
	world_ready(world);
	put(world, STACK + 16, below);
	put(world, 0x100010, other);
	ck_assert_int_eq(world_state(world, below), CHUNK_REACHABLE);
	ck_assert_int_eq(world_state(world, other), CHUNK_REACHABLE);
	world_free(world);
}
END_TEST

/* A signal handler runs on an alternate stack in a frame of main: SP is above what it interrupted.
 */
START_TEST(interrupted_frames_below_sp_are_roots)
{
	struct frame frames[] = { { .sp = SP }, { .sp = SP - 0x4000 }, { .sp = SP + 0x100 } };
	struct world *world = world_new();
	uint64_t interrupted = world_chunk(world, 24), red_zone = world_chunk(world, 24);
	uint64_t dead = world_chunk(world, 24);
	fake_target_map(world->target, STACK, STACK_END - STACK, "rw-", NULL);
	size_t thread = world_thread(world, 7, STACK, STACK_END, SP, PTHREAD);
	world->threads.items[thread].frames = frames;
	world->threads.items[thread].frame_count = 3;
	world_ready(world);
	put(world, SP - 0x3000, interrupted);
	put(world, SP - 0x4010, red_zone);
	put(world, SP - 0x5000, dead);
	ck_assert_int_eq(world_state(world, interrupted), CHUNK_REACHABLE);
	ck_assert_int_eq(world_state(world, red_zone), CHUNK_REACHABLE);
	ck_assert_int_eq(world_state(world, dead), CHUNK_ORPHANED);
	world_free(world);
}
END_TEST

START_TEST(a_guard_is_no_root)
{
	struct world *world = world_new();
	uint64_t dead = world_chunk(world, 24), below = world_chunk(world, 24);
	/* One mapping, as where madvise made the guard. */
	fake_target_map(world->target, STACK - 0x2000, STACK_END - STACK + 0x2000, "rw-", NULL);
	world_thread(world, 7, STACK, STACK_END, SP, PTHREAD);
	world->pthreads.items[0].guard_size = 0x1000;
	world_ready(world);
	put(world, STACK - 8, dead);
	put(world, STACK - 0x1008, below);
	ck_assert_int_eq(world_state(world, dead), CHUNK_ORPHANED);
	ck_assert_int_eq(world_state(world, below), CHUNK_REACHABLE);
	world_free(world);
}
END_TEST

START_TEST(threads_that_are_gone_hold_only_their_result)
{
	const uint64_t exited = STACK + 0x1000000, cached = STACK + 0x2000000;
	struct world *world = world_new();
	uint64_t result = world_chunk(world, 24), dead = world_chunk(world, 24);
	uint64_t dtv = world_chunk(world, 72), tls = world_chunk(world, 40);
	uint64_t in_tls = world_chunk(world, 24), cached_result = world_chunk(world, 24);
	fake_target_map(world->target, exited, 0x20000, "rw-", NULL);
	fake_target_map(world->target, cached, 0x20000, "rw-", NULL);
	world_pthread(world, GLIBC_STACK_EXITED, exited, exited + 0x20000, exited + 0x1f000);
	world_pthread(world, GLIBC_STACK_CACHED, cached, cached + 0x20000, cached + 0x1f000);
	world_ready(world);
	put(world, exited + 0x1f100, result);
	put(world, exited + 0x1f108, dead);
	put(world, exited + 0x1e000, dead);
	put(world, cached + 0x1f100, cached_result);
	put(world, cached + 0x1f008, dtv + 16);
	put(world, dtv + 32, tls);
	put(world, tls + 8, in_tls);
	ck_assert_int_eq(world_state(world, result), CHUNK_REACHABLE);
	ck_assert_int_eq(world_state(world, dead), CHUNK_ORPHANED);
	ck_assert_int_eq(world_state(world, cached_result), CHUNK_ORPHANED);
	ck_assert_int_eq(world_state(world, dtv), CHUNK_REACHABLE);
	ck_assert_int_eq(world_state(world, tls), CHUNK_REACHABLE);
	ck_assert_int_eq(world_state(world, in_tls), CHUNK_ORPHANED);
	world_free(world);
}
END_TEST

START_TEST(memory_roots_neither_overlap_nor_hold_chunks)
{
	struct world *world = world_new();
	uint64_t chunk = world_chunk(world, 24);
	/* Two threads that claim overlapping stacks, one of them partly in the heap. */
	fake_target_map(world->target, STACK, STACK_END - STACK, "rw-", NULL);
	world_thread(world, 7, STACK, STACK_END, SP, PTHREAD);
	world_thread(world, 8, STACK + 0x800, STACK_END - 0x100, SP + 0x801, PTHREAD - 0x800);
	world_thread(world, 9, WORLD_HEAP - 0x800, WORLD_HEAP + 0x4000, WORLD_HEAP - 0x100,
		     WORLD_HEAP + 0x1000);
	world_thread(world, 10, UINT64_MAX - 7, UINT64_MAX, UINT64_MAX - 3, 0);
	world_ready(world);
	world_state(world, chunk);
	uint64_t reached = 0;
	for (size_t i = 0; i < world->roots.list.count; i++) {
		const struct root *root = &world->roots.list.items[i];
		if (root->bytes != NULL)
			continue;
		ck_assert_uint_lt(root->start, root->end);
		ck_assert_uint_ge(root->start, reached);
		ck_assert(root->end <= WORLD_HEAP || root->start >= world->next);
		reached = root->end;
	}
	world_free(world);
}
END_TEST

/* The graph. */

START_TEST(pointers_count_inside_a_chunk_and_nowhere_else)
{
	static const struct {
		int64_t offset;
		enum chunk_state state;
	} rows[] = { { 0, CHUNK_REACHABLE }, { 1, CHUNK_REACHABLE }, { 16, CHUNK_REACHABLE },
		     { 17, CHUNK_POSSIBLE }, { 24, CHUNK_POSSIBLE }, { 39, CHUNK_POSSIBLE },
		     { 40, CHUNK_POSSIBLE }, { 41, CHUNK_ORPHANED }, { 47, CHUNK_ORPHANED },
		     { -1, CHUNK_ORPHANED }, { -8, CHUNK_ORPHANED } };
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct world *world = world_new();
		world_free_chunk(world, 24);
		uint64_t chunk = world_chunk(world, 40);
		world_free_chunk(world, 24);
		fake_target_map(world->target, 0x10000, 0x1000, "rw-", NULL);
		world_ready(world);
		put(world, 0x10010, chunk + (uint64_t)rows[i].offset);
		ck_assert_msg(world_state(world, chunk) == rows[i].state, "%d",
			      (int)rows[i].offset);
		world_free(world);
	}
}
END_TEST

/* What makes a pointer 24 bytes into a chunk count: `plant` prepares the chunk and its peer. */
static void expect_interior(void (*plant)(struct world *world, uint64_t chunk, uint64_t peer),
			    enum chunk_state state)
{
	struct world *world = world_new();
	uint64_t chunk = world_chunk(world, 72), peer = world_chunk(world, 72);
	uint64_t child = world_chunk(world, 24);
	fake_target_map(world->target, 0x10000, 0x1000, "rw-", NULL);
	fake_target_map(world->target, 0x20000, 0x1000, "r--", "/usr/bin/program");
	world_ready(world);
	put(world, 0x10010, chunk + 24);
	put(world, chunk + 64, child);
	plant(world, chunk, peer);
	ck_assert_int_eq(world_state(world, chunk), state);
	ck_assert_int_eq(world_state(world, child), state);
	world_free(world);
}

static void nothing(struct world *world, uint64_t chunk, uint64_t peer)
{
	put(world, chunk, peer);
}

static void vtable(struct world *world, uint64_t chunk, uint64_t peer)
{
	put(world, chunk + 24, 0x20100);
	put(world, chunk, peer);
}

static void list_of_two(struct world *world, uint64_t chunk, uint64_t peer)
{
	put(world, chunk + 24, peer + 24);
	put(world, peer + 32, chunk + 24);
}

static void red_black_tree(struct world *world, uint64_t chunk, uint64_t peer)
{
	put(world, chunk + 40, peer + 24);
	put(world, peer + 24, (chunk + 24) | 1);
}

static void one_way_list(struct world *world, uint64_t chunk, uint64_t peer)
{
	put(world, chunk + 24, peer + 24);
}

static void other_place(struct world *world, uint64_t chunk, uint64_t peer)
{
	put(world, chunk + 24, peer + 32);
}

static void block_with_its_start(struct world *world, uint64_t chunk, uint64_t peer)
{
	put(world, chunk + 32, chunk);
	put(world, chunk, peer);
}

static void aligned_block(struct world *world, uint64_t chunk, uint64_t peer)
{
	put(world, chunk + 16, chunk);
	put(world, chunk, peer);
}

static void exact_from_possible(struct world *world, uint64_t chunk, uint64_t peer)
{
	put(world, chunk, peer);
	put(world, peer, chunk);
}

static void exact_from_reachable(struct world *world, uint64_t chunk, uint64_t peer)
{
	put(world, 0x10800, peer);
	put(world, peer, chunk);
}

static void interior_from_everywhere(struct world *world, uint64_t chunk, uint64_t peer)
{
	put(world, 0x10800, peer);
	put(world, peer, chunk + 56);
}

START_TEST(a_pointer_into_the_middle_counts_where_an_idiom_explains_it)
{
	expect_interior(nothing, CHUNK_POSSIBLE);
	expect_interior(vtable, CHUNK_REACHABLE);
	expect_interior(list_of_two, CHUNK_REACHABLE);
	expect_interior(red_black_tree, CHUNK_REACHABLE);
	expect_interior(one_way_list, CHUNK_REACHABLE);
	expect_interior(other_place, CHUNK_POSSIBLE);
	expect_interior(block_with_its_start, CHUNK_REACHABLE);
	expect_interior(aligned_block, CHUNK_REACHABLE);
	expect_interior(exact_from_possible, CHUNK_POSSIBLE);
	expect_interior(exact_from_reachable, CHUNK_REACHABLE);
	expect_interior(interior_from_everywhere, CHUNK_POSSIBLE);
}
END_TEST

/* 0: a chunk in use, 1: a free one, 2: neither is doubted. */
START_TEST(a_doubted_chunk_is_possible_and_what_it_leads_to)
{
	struct world *world = world_new();
	uint64_t doubted = _i == 1 ? world_free_chunk(world, 56) : world_chunk(world, 56);
	uint64_t child = world_chunk(world, 24), grandchild = world_chunk(world, 24);
	struct heap_doubt doubt = { doubted, doubted + 56, HEAP_DOUBT_STATE };
	world_ready(world);
	fake_target_put64(world->target, doubted + 16, child);
	fake_target_put64(world->target, child, grandchild);
	if (_i != 2)
		ck_assert(array_push(&world->heap.doubted, doubt));
	const enum chunk_state expected = _i != 2 ? CHUNK_POSSIBLE : CHUNK_ORPHANED;
	ck_assert_int_eq(world_state(world, doubted), _i == 1 ? CHUNK_FREE : expected);
	ck_assert_int_eq(world_state(world, child), expected);
	ck_assert_int_eq(world_state(world, grandchild), expected);
	world_free(world);
}
END_TEST

START_TEST(unaligned_pointers_do_not_count)
{
	struct world *world = world_new();
	uint64_t chunk = world_chunk(world, 24);
	fake_target_map(world->target, 0x10000, 0x1000, "rw-", NULL);
	world_ready(world);
	put(world, 0x10014, chunk);
	ck_assert_int_eq(world_state(world, chunk), CHUNK_ORPHANED);
	world_free(world);
}
END_TEST

START_TEST(totals_count_every_chunk_once)
{
	struct world *world = world_new();
	uint64_t held = world_chunk(world, 24), below = world_chunk(world, 40);
	uint64_t freed = world_free_chunk(world, 56), by_freed = world_chunk(world, 72);
	uint64_t self = world_chunk(world, 88), left = world_chunk(world, 104);
	uint64_t right = world_chunk(world, 120);
	fake_target_map(world->target, 0x10000, 0x1000, "rw-", NULL);
	world_ready(world);
	put(world, 0x10000, held);
	put(world, 0x10008, freed);
	put(world, held + 16, below);
	put(world, below, held);
	put(world, freed, by_freed);
	put(world, self, self);
	put(world, left, right);
	put(world, right, left);
	ck_assert_int_eq(world_state(world, below), CHUNK_REACHABLE);
	ck_assert_int_eq(world_state(world, freed), CHUNK_FREE);
	ck_assert_int_eq(world_state(world, by_freed), CHUNK_ORPHANED);
	ck_assert_int_eq(world_state(world, self), CHUNK_ORPHANED);
	ck_assert_int_eq(world_state(world, left), CHUNK_ORPHANED);
	const struct chunk_total *totals = world->reachability.totals;
	ck_assert_uint_eq(totals[CHUNK_REACHABLE].chunks, 2);
	ck_assert_uint_eq(totals[CHUNK_REACHABLE].bytes, 24 + 40);
	ck_assert_uint_eq(totals[CHUNK_POSSIBLE].chunks, 0);
	ck_assert_uint_eq(totals[CHUNK_ORPHANED].chunks, 4);
	ck_assert_uint_eq(totals[CHUNK_ORPHANED].bytes, 72 + 88 + 104 + 120);
	ck_assert_uint_eq(totals[CHUNK_FREE].chunks, 1);
	ck_assert_uint_eq(totals[CHUNK_FREE].bytes, 56);
	world_free(world);
}
END_TEST

START_TEST(strong_evidence_beats_weak)
{
	struct world *world = world_new();
	uint64_t both = world_chunk(world, 24), weak = world_chunk(world, 24);
	fake_target_map(world->target, STACK, STACK_END - STACK, "rw-", NULL);
	world_thread(world, 7, STACK, STACK_END, SP, PTHREAD);
	fake_target_set_register(world->target, 7, "orig_rax", 0);
	world_ready(world);
	put(world, SP - 8, both);
	put(world, SP, both);
	put(world, SP - 16, weak);
	put(world, weak, both);
	ck_assert_int_eq(world_state(world, both), CHUNK_REACHABLE);
	ck_assert_int_eq(world_state(world, weak), CHUNK_POSSIBLE);
	world_free(world);
}
END_TEST

/* The mark loop by itself. */

#define BASE ((uint64_t)0x560000000010)

struct plain {
	struct target *target;
	struct chunk_table *table;
	uint32_t region;
	uint8_t *bytes;
};

static struct plain plain_new(uint64_t size)
{
	struct plain plain = { .target = fake_target_new(), .table = chunk_table_new() };
	plain.bytes = fake_target_map(plain.target, BASE - 16, size + 16, "rw-", NULL) + 16;
	fake_target_seal(plain.target);
	ck_assert_ptr_null(
	    chunk_table_add_region(plain.table, BASE, BASE + size, 8, 0, false, &plain.region));
	return plain;
}

static void plain_free(struct plain *plain)
{
	chunk_table_free(plain->table);
	target_close(plain->target);
}

static void plain_put(struct plain *plain, uint64_t address, uint64_t value)
{
	memcpy(plain->bytes + (address - BASE), &value, sizeof value);
}

/* Marks from one pointer; returns how many chunks were marked. */
static uint64_t plain_mark(struct plain *plain, uint64_t root, unsigned workers)
{
	struct mark_options options = { .workers = workers, .stack_limit = 1 };
	struct mark_source source = { .bytes = (uint8_t *)&root, .size = sizeof root };
	struct marking *marking;
	ck_assert_ptr_null(chunk_table_freeze(plain->table));
	ck_assert_ptr_null(marking_new(plain->target, plain->table, &options, &marking));
	ck_assert_ptr_null(marking_run(marking, &source, 1));
	uint64_t marked = 0;
	for (uint64_t i = 0; i < (chunk_table_granules(plain->table) + 63) / 64; i++)
		marked += (uint64_t)__builtin_popcountll(marking_word(marking, i));
	marking_free(marking);
	return marked;
}

START_TEST(a_chain_of_ten_million_is_followed)
{
	const uint64_t count = 10000000;
	struct plain plain = plain_new(count * 16);
	for (uint64_t i = 0; i < count; i++) {
		chunk_table_add(plain.table, plain.region, BASE + i * 16, true);
		/* A stride of about a third of the chain: neighbours are never near. */
		uint64_t next = (i + 3333331) % count;
		plain_put(&plain, BASE + i * 16, BASE + next * 16);
	}
	ck_assert_uint_eq(plain_mark(&plain, BASE, 1), count);
	plain_free(&plain);
}
END_TEST

/* A hub of pointers to hubs: far more at once than the stack takes. */
START_TEST(a_wide_graph_overflows_the_stack_and_loses_nothing)
{
	const uint64_t hubs = 300, leaves = 700, hub_size = leaves * 8 + 16;
	const uint64_t size = (hubs + 1) * hub_size + hubs * leaves * 16;
	struct plain plain = plain_new(size);
	uint64_t next = BASE, hub_address[301];
	for (uint64_t hub = 0; hub <= hubs; hub++) {
		hub_address[hub] = next;
		chunk_table_add(plain.table, plain.region, next, true);
		next += hub_size;
	}
	for (uint64_t hub = 1; hub <= hubs; hub++) {
		plain_put(&plain, hub_address[0] + (hub - 1) * 8, hub_address[hub]);
		for (uint64_t leaf = 0; leaf < leaves; leaf++) {
			chunk_table_add(plain.table, plain.region, next, true);
			plain_put(&plain, hub_address[hub] + leaf * 8, next);
			next += 16;
		}
	}
	ck_assert_uint_eq(plain_mark(&plain, BASE, (unsigned)_i), 1 + hubs + hubs * leaves);
	plain_free(&plain);
}
END_TEST

/* Random bytes, boundary values and dangling pointers everywhere; one pointer that is real. */
START_TEST(hostile_content_does_no_harm)
{
	const uint64_t count = 5000;
	struct plain plain = plain_new(count * 48);
	uint64_t state = 88172645463325252;
	static const uint64_t edges[] = { 0,
					  1,
					  UINT64_MAX,
					  BASE - 1,
					  BASE + 5000 * 48,
					  (uint64_t)1 << 57,
					  (uint64_t)1 << 56,
					  INT64_MAX };
	for (uint64_t i = 0; i < count; i++) {
		bool used = i % 3 != 1;
		chunk_table_add(plain.table, plain.region, BASE + i * 48, used);
		for (uint64_t word = 0; word < 5; word++) {
			state ^= state << 13, state ^= state >> 7, state ^= state << 17;
			plain_put(&plain, BASE + i * 48 + word * 8,
				  word == 0 ? edges[state % 8] : state);
		}
	}
	plain_put(&plain, BASE + 8, BASE + 2 * 48 + 39);
	uint64_t freed = (count + 1) / 3; /* marked from the start */
	ck_assert_uint_eq(plain_mark(&plain, BASE, 2), freed + 2);
	plain_free(&plain);
}
END_TEST

START_TEST(words_are_read_in_the_targets_order)
{
	struct arch arch = arch_x86_64;
	arch.word_size = 4;
	arch.elf_data = ELFDATA2MSB;
	struct target *target = fake_target_new();
	fake_target_map(target, 0x10000, 0x1000, "rw-", NULL);
	fake_target_seal(target);
	const struct arch *kept = target->arch;
	target->arch = &arch;
	struct chunk_table *table = chunk_table_new();
	uint32_t region;
	ck_assert_ptr_null(chunk_table_add_region(table, 0x10010, 0x10040, 4, 0, false, &region));
	for (uint64_t at = 0x10010; at < 0x10040; at += 16)
		chunk_table_add(table, region, at, true);
	ck_assert_ptr_null(chunk_table_freeze(table));
	static const uint8_t root[4] = { 0, 1, 0, 0x10 }, link[4] = { 0, 1, 0, 0x30 };
	fake_target_put(target, 0x10014, link, sizeof link);
	struct mark_source source = { .bytes = root, .size = sizeof root };
	struct mark_options options = { 0 };
	struct marking *marking;
	ck_assert_ptr_null(marking_new(target, table, &options, &marking));
	ck_assert_ptr_null(marking_run(marking, &source, 1));
	ck_assert_uint_eq(marking_word(marking, 0), 5);
	marking_free(marking);
	chunk_table_free(table);
	target->arch = kept;
	target_close(target);
}
END_TEST

/* A chunk over two mappings with a hole that was not dumped between them. */
START_TEST(chunks_that_were_not_dumped_are_counted)
{
	struct target *target = fake_target_new();
	fake_target_map(target, 0x10000, 0x1000, "rw-", NULL);
	fake_target_absent(target, 0x11000, 0x2000, "rw-", NULL);
	fake_target_map(target, 0x13000, 0x1000, "rw-", NULL);
	fake_target_seal(target);
	struct chunk_table *table = chunk_table_new();
	uint32_t region;
	ck_assert_ptr_null(chunk_table_add_region(table, 0x10010, 0x13ff0, 8, 0, false, &region));
	chunk_table_add(table, region, 0x10010, true);
	chunk_table_add(table, region, 0x13f00, true);
	ck_assert_ptr_null(chunk_table_freeze(table));
	fake_target_put64(target, 0x13010, 0x13f08);
	uint64_t root = 0x12345;
	struct mark_source sources[] = { { .bytes = (uint8_t *)&root, .size = 8 },
					 { .start = 0x11100, .end = 0x12000 } };
	struct mark_options options = { 0 };
	struct marking *marking;
	ck_assert_ptr_null(marking_new(target, table, &options, &marking));
	ck_assert_ptr_null(marking_run(marking, sources, 2));
	ck_assert_uint_eq(marking_unread_chunks(marking), 0x2000);
	ck_assert_uint_eq(marking_unread_sources(marking), 0xf00);
	struct chunk chunk;
	ck_assert(chunk_table_find(table, 0x13f00, &chunk));
	ck_assert(marking_word(marking, chunk.number / 64) >> chunk.number % 64 & 1);
	marking_free(marking);
	chunk_table_free(table);
	target_close(target);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("reachability");
	TCase *roots = tcase_create("roots");
	tcase_add_test(roots, every_kind_of_mapping_is_a_root);
	tcase_add_test(roots, what_the_allocator_owns_is_no_root);
	tcase_add_test(roots, read_only_memory_below_the_vdso_is_a_root);
	tcase_add_test(roots, absent_memory_becomes_few_gaps);
	tcase_add_test(roots, only_memory_that_may_hold_pointers_raises_doubt);
	tcase_add_loop_test(roots, untouched_memory_of_a_live_process_raises_no_doubt, 0, 3);
	tcase_add_test(roots, unused_stack_raises_no_doubt);
	tcase_add_test(roots, a_chunk_that_was_not_dumped_raises_doubt);
	tcase_add_test(roots, what_the_kernel_holds_is_weak);
	tcase_add_loop_test(roots, events_of_epoll_wait_are_weak, 0, 4);
	tcase_add_loop_test(roots, what_nobody_tells_is_said, 0, 2);
	tcase_add_loop_test(roots, hostile_arguments_of_epoll_wait_do_no_harm, 0, 5);
	tcase_add_test(roots, registers_are_roots);
	tcase_add_loop_test(roots, vector_registers_are_roots, 0, 2);
	tcase_add_loop_test(roots, a_stack_is_a_root_from_sp_to_its_end, 0, 2);
	tcase_add_test(roots, the_main_stack_is_found_by_the_auxiliary_vector);
	tcase_add_test(roots, a_left_stack_is_a_root_as_a_whole);
	tcase_add_test(roots, interrupted_frames_below_sp_are_roots);
	tcase_add_test(roots, a_guard_is_no_root);
	tcase_add_test(roots, threads_that_are_gone_hold_only_their_result);
	tcase_add_test(roots, memory_roots_neither_overlap_nor_hold_chunks);
	suite_add_tcase(suite, roots);
	TCase *graph = tcase_create("graph");
	tcase_set_timeout(graph, 120);
	tcase_add_test(graph, pointers_count_inside_a_chunk_and_nowhere_else);
	tcase_add_test(graph, a_pointer_into_the_middle_counts_where_an_idiom_explains_it);
	tcase_add_loop_test(graph, a_doubted_chunk_is_possible_and_what_it_leads_to, 0, 3);
	tcase_add_test(graph, unaligned_pointers_do_not_count);
	tcase_add_test(graph, totals_count_every_chunk_once);
	tcase_add_test(graph, strong_evidence_beats_weak);
	tcase_add_test(graph, a_chain_of_ten_million_is_followed);
	tcase_add_loop_test(graph, a_wide_graph_overflows_the_stack_and_loses_nothing, 1, 3);
	tcase_add_test(graph, hostile_content_does_no_harm);
	tcase_add_test(graph, words_are_read_in_the_targets_order);
	tcase_add_test(graph, chunks_that_were_not_dumped_are_counted);
	suite_add_tcase(suite, graph);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
