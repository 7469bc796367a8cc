/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "target/gcore_zeros.h"

#include <string.h>

/* So many bytes above SP are never all zeros in a thread that has called anything. */
#define STACK_SAMPLE UINT64_C(1024)

/* gdb's gcore copies a mapping by so many bytes, and stops where it cannot read: what follows is
 * left as zeros, in silence (seen with gdb 13). */
#define GCORE_BLOCK UINT64_C(0x100000)

static int compare_addresses(const void *left, const void *right)
{
	uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;
	return a < b ? -1 : a > b;
}

struct error *gcore_zeros_begin(struct gcore_zeros *zeros, const struct target *target,
				uint64_t file_size)
{
	for (size_t i = 0; target->from_gcore && i < target->threads.count; i++) {
		uint64_t sp = arch_sp(target->arch, &target->threads.items[i].registers);
		if (!array_push(&zeros->stack_pointers, sp))
			return error_no_memory();
	}
	if (zeros->stack_pointers.count > 0)
		qsort(zeros->stack_pointers.items, zeros->stack_pointers.count, sizeof(uint64_t),
		      compare_addresses);
	zeros->samples_left = 2 * target->threads.count + 1;
	zeros->scan_left = file_size + 2 * GCORE_BLOCK;
	return NULL;
}

void gcore_zeros_end(struct gcore_zeros *zeros)
{
	array_free(&zeros->stack_pointers);
}

static bool all_zero(const uint8_t *bytes, uint64_t size)
{
	return bytes[0] == 0 && memcmp(bytes, bytes + 1, size - 1) == 0;
}

/* Whether the first of the sorted stack pointers in [start, start + size) with
 * nothing but zeros above it is at `*offset`. */
static bool find_zeroed_stack(struct gcore_zeros *zeros, uint64_t start, const uint8_t *bytes,
			      uint64_t size, uint64_t *offset)
{
	const uint64_t *pointers = zeros->stack_pointers.items;
	size_t low = 0, high = zeros->stack_pointers.count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (pointers[middle] < start)
			low = middle + 1;
		else
			high = middle;
	}
	for (size_t i = low; i < zeros->stack_pointers.count; i++) {
		uint64_t at = pointers[i] - start;
		if (at >= size || size - at < STACK_SAMPLE || zeros->samples_left == 0)
			return false;
		zeros->samples_left--;
		if (all_zero(bytes + at, STACK_SAMPLE)) {
			*offset = at;
			return true;
		}
	}
	return false;
}

uint64_t gcore_zeros_copied(struct gcore_zeros *zeros, uint64_t start, const uint8_t *bytes,
			    uint64_t size)
{
	uint64_t offset;
	if (size == 0 || !find_zeroed_stack(zeros, start, bytes, size, &offset))
		return size;
	uint64_t copied = offset / GCORE_BLOCK * GCORE_BLOCK;
	while (copied > 0 && zeros->scan_left >= GCORE_BLOCK &&
	       all_zero(bytes + copied - GCORE_BLOCK, GCORE_BLOCK)) {
		zeros->scan_left -= GCORE_BLOCK;
		copied -= GCORE_BLOCK;
	}
	return zeros->scan_left >= GCORE_BLOCK ? copied : 0;
}
