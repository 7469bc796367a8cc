/* From segments that may overlap to those that are seen: sorted and disjoint. Private to the
 * address space.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORESCAN_TARGET_SEGMENT_SWEEP_H
#define CORESCAN_TARGET_SEGMENT_SWEEP_H

#include "base/array.h"
#include "target/address_space.h"

typedef ARRAY(struct segment) segment_array;

/* A segment on its way into the space; `order` is its place in the order of address_space_add. */
struct sweep_segment {
	struct segment segment;
	size_t order;
};

/* Sorts `added`, and appends the parts that are seen to `segments`, which is empty: where two
 * overlap the one that has bytes, then the one added first. O(n log n). False when memory is
 * exhausted. */
bool segment_sweep(struct sweep_segment *added, size_t count, segment_array *segments);

/* The part [start, end) of `whole`. */
struct segment segment_part(const struct segment *whole, uint64_t start, uint64_t end);

#endif
