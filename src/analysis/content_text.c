/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "analysis/content_text.h"

#include <stdlib.h>
#include <string.h>

#define TEXT_AT_LEAST 4 /* characters */

/* The length of the UTF-8 character at `text` that may be shown as it is; 0: none. Controls, and
 * what turns the direction of writing or has no shape, are not shown. */
static size_t shown_length(const uint8_t *text, size_t size)
{
	if (text[0] >= 0x20 && text[0] < 0x7f)
		return 1;
	size_t length = text[0] >= 0xf0 ? 4 : text[0] >= 0xe0 ? 3 : 2;
	if (text[0] < 0xc2 || text[0] > 0xf4 || length > size)
		return 0;
	uint32_t code = text[0] & (0xffU >> (length + 1));
	for (size_t i = 1; i < length; i++) {
		if ((text[i] & 0xc0) != 0x80)
			return 0;
		code = code << 6 | (text[i] & 0x3f);
	}
	static const struct {
		uint32_t first, last;
	} hidden[] = {
		{ 0, 0x9f },	    { 0xad, 0xad },	{ 0x61c, 0x61c },	 { 0x200b, 0x200f },
		{ 0x2028, 0x202e }, { 0x2060, 0x206f }, { 0xd800, 0xf8ff },	 { 0xfe00, 0xfe0f },
		{ 0xfeff, 0xfeff }, { 0xfff0, 0xffff }, { 0xe0000, UINT32_MAX },
	};
	if ((length == 3 && code < 0x800) || (length == 4 && code < 0x10000))
		return 0;
	for (size_t i = 0; i < sizeof hidden / sizeof *hidden; i++)
		if (code >= hidden[i].first && code <= hidden[i].last)
			return 0;
	return length;
}

static bool is_white(uint8_t byte)
{
	return byte == '\n' || byte == '\r' || byte == '\t' || byte == '\f' || byte == '\b' ||
	       byte == '\x1b';
}

bool content_is_character(const uint8_t *bytes, size_t size)
{
	return size == 1 && is_white(bytes[0]) ? true : shown_length(bytes, size) == size;
}

bool content_is_text(const uint8_t *bytes, size_t size, bool cut)
{
	size_t characters = 0;
	for (size_t at = 0; at < size && bytes[at] != 0; characters++) {
		size_t length = is_white(bytes[at]) ? 1 : shown_length(bytes + at, size - at);
		if (length == 0)
			return cut && bytes[at] >= 0xc2 && size - at < 4 &&
			       characters >= TEXT_AT_LEAST;
		at += length;
	}
	return characters >= TEXT_AT_LEAST;
}

size_t content_text_length(const uint8_t *bytes, size_t size)
{
	const uint8_t *end = memchr(bytes, 0, size);
	return end != NULL ? (size_t)(end - bytes) : size;
}

static void escape(FILE *out, uint8_t byte)
{
	static const char names[] = "\n\r\t\f\b\x1b";
	static const char letters[] = "nrtfbe";
	const char *name = byte != 0 ? strchr(names, byte) : NULL;
	if (name != NULL)
		fprintf(out, "\\%c", letters[name - names]);
	else
		fprintf(out, "\\x%02x", byte);
}

bool content_quote(FILE *out, const uint8_t *bytes, size_t size, unsigned most)
{
	size_t at = 0;
	for (unsigned shown = 0; at < size && bytes[at] != 0; shown++) {
		if (shown == most) {
			fputs("…", out);
			return true;
		}
		size_t length = shown_length(bytes + at, size - at);
		if (length == 0) {
			escape(out, bytes[at++]);
			continue;
		}
		if (bytes[at] == '"' || bytes[at] == '\\')
			fputc('\\', out);
		fwrite(bytes + at, 1, length, out);
		at += length;
	}
	return false;
}

void content_add_quoted(struct words *words, const uint8_t *bytes, size_t size, unsigned most,
			bool open)
{
	char *quoted = NULL;
	size_t length = 0;
	FILE *out = open_memstream(&quoted, &length);
	if (out == NULL)
		return;
	const bool cut = content_quote(out, bytes, size, most);
	if (fclose(out) == 0)
		words_add(words, "\"%s%s\"", quoted, open && !cut ? "…" : "");
	free(quoted);
}
