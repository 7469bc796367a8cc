/* A process in memory for tests of the analyses: a target, a heap of hand-placed chunks, threads
 * and struct pthreads.
 *
 *     struct world *world = world_new();
 *     uint64_t node = world_chunk(world, 24);
 *     fake_target_map(world->target, 0x10000, 0x1000, "rw-", NULL);
 *     world_ready(world);
 *     fake_target_put64(world->target, 0x10000, node);
 *     ck_assert_int_eq(world_state(world, node), CHUNK_REACHABLE);
 *     world_free(world);
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORESCAN_TESTS_FAKE_WORLD_H
#define CORESCAN_TESTS_FAKE_WORLD_H

#include "analysis/reachability.h"
#include "fake_target.h"

#define WORLD_HEAP	((uint64_t)0x560000001010)
#define WORLD_HEAP_SIZE ((uint64_t)0x100000)

struct world {
	struct target *target;
	struct heap heap;
	struct threads threads;
	struct glibc_pthreads pthreads;
	struct gaps gaps;
	struct subject subject;
	struct roots roots;
	struct reachability reachability;
	uint32_t region;
	uint64_t next; /* user address of the next chunk */
	bool computed;
};

/* A heap of WORLD_HEAP_SIZE bytes without chunks, no thread, no other mapping. */
struct world *world_new(void);
void world_free(struct world *world);

/* The next chunk, in use, of `size` usable bytes (8 modulo 16). Only before world_ready. */
uint64_t world_chunk(struct world *world, uint64_t size);
/* The same, free. */
uint64_t world_free_chunk(struct world *world, uint64_t size);

/* A thread whose stack is [start, end) and whose SP is `sp`; its struct pthread is at `pthread`,
 * or it has none (0). Returns its number in .threads. */
size_t world_thread(struct world *world, int32_t tid, uint64_t start, uint64_t end, uint64_t sp,
		    uint64_t pthread);

/* A struct pthread without a thread, in `state`. Its result is at +0x100, its dtv at +8. */
void world_pthread(struct world *world, enum glibc_stack_state state, uint64_t start, uint64_t end,
		   uint64_t pthread);

/* Seals the target and freezes the chunks. */
void world_ready(struct world *world);

/* Computes reachability at the first call. */
enum chunk_state world_state(struct world *world, uint64_t address);

/* Whether a gap's text holds `part`. */
bool world_has_gap(const struct world *world, const char *part);

#endif
