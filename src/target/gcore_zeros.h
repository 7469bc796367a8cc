/* Zeros in a core by gdb's gcore that stand for memory which gdb could not read. It copies a
 * mapping a megabyte at a time, stops at the first that it cannot read, and leaves the rest as
 * zeros (seen with gdb 13). From glibc 2.42 on unreadable guard pages lie within the stacks'
 * mapping, so that stacks are lost; the zeros above a thread's SP tell. Private to core_file.c.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORESCAN_TARGET_GCORE_ZEROS_H
#define CORESCAN_TARGET_GCORE_ZEROS_H

#include "target/target.h"

struct gcore_zeros {
	ARRAY(uint64_t) stack_pointers; /* of all threads, sorted; none in a kernel's core */
	/* Each of these is enough for headers that do not overlap. */
	uint64_t samples_left, scan_left;
};

/* Fills `zeros`, which is zeroed, once the notes have been read. */
struct error *gcore_zeros_begin(struct gcore_zeros *zeros, const struct target *target,
				uint64_t file_size);
void gcore_zeros_end(struct gcore_zeros *zeros);

/* How many of the `size` bytes of the mapping at `start` gdb did copy: all, as far as can be told.
 * `bytes` are the file's for it. */
uint64_t gcore_zeros_copied(struct gcore_zeros *zeros, uint64_t start, const uint8_t *bytes,
			    uint64_t size);

#endif
