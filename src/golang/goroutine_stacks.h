/* The stacks of goroutines: those that are equal are kept once.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORESCAN_GOLANG_GOROUTINE_STACKS_H
#define CORESCAN_GOLANG_GOROUTINE_STACKS_H

#include "golang/goroutines.h"

/* Physical frames that are kept of one stack: of a longer one the innermost and the outermost. */
#define GO_FRAMES_MAX 128

/* A stack in the making. */
struct go_stack_pcs {
	uint64_t lookup[GO_FRAMES_MAX]; /* as go_frame's */
	uint64_t pc[GO_FRAMES_MAX];
	size_t count, left_out;
	bool complete;
	const char *stopped;
};

struct go_stack_key {
	size_t first, count, left_out; /* in .pcs, pairs of lookup and pc */
	bool complete;
	const char *stopped;
};

/* All members but .process are private. */
struct go_stack_table {
	const struct go_process *process;
	ARRAY(uint64_t) pcs;
	ARRAY(struct go_stack_key) keys;
	uint32_t *slots; /* hash of keys: index + 1 */
	size_t slot_count;
	struct go_stack_pcs current;
};

/* Walks the goroutine's stack; `*number` is the same for equal ones, counted from 0. False when
 * memory is exhausted. */
bool go_stack_table_add(struct go_stack_table *table, struct go_places *places,
			const struct goroutine *goroutine, uint32_t *number);

/* Functions and lines of all stacks by their number, into `*stacks`, of which `*count` are to be
 * freed with their calls, in the case of false too: memory is exhausted. */
bool go_stack_table_resolve(const struct go_stack_table *table, struct go_stack **stacks,
			    size_t *count);
void go_stack_table_free(struct go_stack_table *table);

#endif
