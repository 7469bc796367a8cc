/* The bytes of a core file, mapped. Private to core_file.c.
 *
 * Cores are sparse: a large part of them may be holes, which read as zeros. Zeros of our own stand
 * for those, which come by the huge page and not through the page cache: reading 16 GB of holes
 * took 35 s of system time by way of the file.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORESCAN_TARGET_CORE_BYTES_H
#define CORESCAN_TARGET_CORE_BYTES_H

#include "base/error.h"
#include "base/gaps.h"
#include "base/progress.h"

#include <stdint.h>

struct core_bytes {
	const uint8_t *bytes; /* NULL when .size is 0 */
	uint64_t size;
};

/* Maps the regular file `path`; of a compressed one what core_archive_unpack makes of it, with its
 * errors and its gap. `progress` may be NULL. ERROR_NOT_FOUND, ERROR_OS, ERROR_BAD_DATA (not a
 * regular file). */
struct error *core_bytes_map(const char *path, const struct progress *progress, struct gaps *gaps,
			     struct core_bytes **file);
void core_bytes_end(struct core_bytes *file);

#endif
