/* Text found in memory: whether it is some, and how it is shown.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORESCAN_ANALYSIS_CONTENT_TEXT_H
#define CORESCAN_ANALYSIS_CONTENT_TEXT_H

#include "analysis/words.h"

#include <stdbool.h>
#include <stdio.h>

/* Whether the bytes are at least four characters of text, up to the first NUL or to their end.
 * `cut`: more bytes follow that are not here, so the last character may be a part only. */
bool content_is_text(const uint8_t *bytes, size_t size, bool cut);

/* Whether the bytes are one UTF-8 character that text has: white space, or one that may be shown.
 */
bool content_is_character(const uint8_t *bytes, size_t size);

/* Bytes of the text: up to the first NUL, or to the end. */
size_t content_text_length(const uint8_t *bytes, size_t size);

/* Writes up to `most` characters of the text in `bytes`, up to its NUL, as between quotes: what a
 * terminal would obey, or could not show, is escaped. Ends in "…", and returns true, when there was
 * more. */
bool content_quote(FILE *out, const uint8_t *bytes, size_t size, unsigned most);

#define EXAMPLE_CHARACTERS 32 /* of a text, where it stands for what a chunk is */

/* Appends up to `most` characters, with quotes around them, and with an ellipsis where `open` or
 * where there are more. */
void content_add_quoted(struct words *words, const uint8_t *bytes, size_t size, unsigned most,
			bool open);

#endif
