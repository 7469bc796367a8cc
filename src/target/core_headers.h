/* The ELF headers of a core file, checked. Private to core_file.c.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORESCAN_TARGET_CORE_HEADERS_H
#define CORESCAN_TARGET_CORE_HEADERS_H

#include "base/error.h"
#include "base/gaps.h"
#include "target/arch.h"

/* The fields of a program header that are used. */
struct core_segment {
	uint32_t type, flags;
	uint64_t offset, address, file_size, memory_size, align;
};

struct core_headers {
	const struct arch *arch;
	const uint8_t *table; /* of the program headers, in the file's bytes */
	uint64_t count;	      /* those that are in the file */
	uint64_t claimed;     /* those that should be */
};

/* Checks that `bytes` is a core that can be read: ERROR_BAD_DATA, ERROR_UNSUPPORTED. `path` is for
 * messages only. Program headers past the end of the file are a gap. */
struct error *core_headers_read(const char *path, const uint8_t *bytes, uint64_t size,
				struct gaps *gaps, struct core_headers *headers);

/* Program header `index`, below headers->count. */
struct core_segment core_headers_segment(const struct core_headers *headers, uint64_t index);

/* Where the core ends in its file, `bytes`, by what its headers say; UINT64_MAX where some of those
 * were cut off. */
uint64_t core_headers_end(const struct core_headers *headers, const uint8_t *bytes);

#endif
