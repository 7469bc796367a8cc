/* Compressed cores, as systemd-coredump and log rotation leave them: zst, lz4, xz, gz and bz2,
 * recognised by how they begin, not by name. The one user of libarchive.
 *
 * The core is unpacked into a file without a name, in TMPDIR, which takes space only for pages that
 * are not zero, as the core itself did.
 *
 * Magic numbers: RFC 8878 (zstd), RFC 1952 (gzip), the lz4 frame format 1.6, the .xz file format
 * 1.2.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORESCAN_TARGET_CORE_ARCHIVE_H
#define CORESCAN_TARGET_CORE_ARCHIVE_H

#include "base/error.h"
#include "base/gaps.h"
#include "base/progress.h"

#include <stdbool.h>
#include <stddef.h>

/* Bytes that core_archive_recognised looks at. */
#define CORE_ARCHIVE_MAGIC_MAX 6

/* Whether a file that begins with these bytes is compressed. */
bool core_archive_recognised(const void *bytes, size_t size);

/* Unpacks the open file `fd` into an unlinked one, whose descriptor is the caller's to close. What
 * does not begin as a core is refused before it is unpacked, and nothing is unpacked behind the
 * core's end as its headers tell it. An archive that is cut off or damaged gives what could be
 * unpacked, and a gap. `path` is for messages. ERROR_BAD_DATA (not an archive, or no core in it),
 * ERROR_UNSUPPORTED, ERROR_OS (no room for it), ERROR_NO_MEMORY. */
struct error *core_archive_unpack(const char *path, int fd, const struct progress *progress,
				  struct gaps *gaps, int *unpacked);

#endif
