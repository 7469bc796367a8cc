/* Decoding numbers in the target's byte order, at any alignment.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORESCAN_BASE_BYTES_H
#define CORESCAN_BASE_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* An unsigned number of `size` (at most 8) bytes. */
static inline uint64_t bytes_unsigned(const void *bytes, size_t size, bool big_endian)
{
	const uint8_t *from = bytes;
	uint64_t value = 0;
	for (size_t i = 0; i < size; i++)
		value = value << 8 | from[big_endian ? i : size - 1 - i];
	return value;
}

#endif
