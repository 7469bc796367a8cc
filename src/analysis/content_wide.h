/* Text of two or four bytes a character: UTF-16, and UTF-32 as wchar_t is on Linux.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORESCAN_ANALYSIS_CONTENT_WIDE_H
#define CORESCAN_ANALYSIS_CONTENT_WIDE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Decodes the little-endian text of `width` (2 or 4) bytes a unit in `bytes`, up to its NUL or the
 * end, into `utf8`, which is NUL-terminated and cut where `room` ends. Returns how many characters
 * there are; 0: none, or one of them is no character that text has. `*ended`: there was a NUL. */
size_t content_wide_decode(const uint8_t *bytes, size_t size, unsigned width, char *utf8,
			   size_t room, bool *ended);

/* Whether the bytes are such text and hardly anything else, as numbers may be, too: a NUL ends at
 * least six characters, mostly letters, of several kinds, and at two bytes each
 * half of it ASCII, as any numbers are characters there. */
bool content_wide_is_text(const uint8_t *bytes, size_t size, unsigned width);

#endif
