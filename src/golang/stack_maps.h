/* Which words of a goroutine's stack are pointers that are still in use, as the compiler wrote it
 * down for the collector.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORESCAN_GOLANG_STACK_MAPS_H
#define CORESCAN_GOLANG_STACK_MAPS_H

#include "golang/goroutines.h"

/* Called for each word that is, or may be, a pointer out of the stack. */
typedef void go_visitor(void *context, uint64_t pointer);

/* A variable whose address was taken. */
struct go_stack_object {
	uint64_t address, size, mask, pointers; /* mask 0: every word may be a pointer */
	bool seen;
};

/* Buffers that are kept from one stack to the next. */
struct go_stack_scan {
	const struct go_process *process;
	struct go_places *places;
	go_visitor *visit;
	void *context;
	ARRAY(struct go_stack_object) objects;
	ARRAY(uint64_t) inner; /* pointers into the stack itself */
	uint64_t low, high;    /* of the stack */
	bool no_memory;
	uint64_t guessed; /* bytes that were read without a map */
};
void go_stack_scan_free(struct go_stack_scan *scan);

/* Visits every pointer of the goroutine's stack, and of its chain of deferred calls. Where no map
 * is to be had, of a frame that was interrupted between two safe points or of the rest of a stack
 * that could not be walked, every word is visited. */
void go_stack_scan(struct go_stack_scan *scan, const struct goroutine *goroutine);

/* Visits every word of [start, end). */
void go_scan_words(struct go_stack_scan *scan, uint64_t start, uint64_t end);

#endif
