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

/* Writes `value` as such a number. */
static inline void bytes_put_unsigned(void *bytes, size_t size, bool big_endian, uint64_t value)
{
	uint8_t *to = bytes;
	for (size_t i = 0; i < size; i++)
		to[big_endian ? size - 1 - i : i] = (uint8_t)(value >> 8 * i);
}

#endif
