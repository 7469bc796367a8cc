/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "analysis/content_wide.h"

#include "analysis/content_text.h"
#include "base/bytes.h"

#define TEXT_AT_LEAST  6 /* characters */
#define KINDS_AT_LEAST 4 /* different ones */

/* The character at `at`; 0: none. `*units`: how many units it has. */
static uint32_t character_at(const uint8_t *bytes, size_t size, unsigned width, size_t at,
			     size_t *units)
{
	const uint32_t unit = (uint32_t)bytes_unsigned(bytes + at, width, false);
	*units = 1;
	if (width == 4 || unit < 0xd800 || unit > 0xdfff)
		return unit;
	if (unit > 0xdbff || at + 4 > size)
		return 0;
	const uint32_t low = (uint32_t)bytes_unsigned(bytes + at + 2, 2, false);
	*units = 2;
	return low >= 0xdc00 && low <= 0xdfff ? 0x10000 + ((unit & 0x3ff) << 10) + (low & 0x3ff)
					      : 0;
}

static size_t encode(uint32_t code, uint8_t utf8[4])
{
	if (code < 0x80) {
		utf8[0] = (uint8_t)code;
		return 1;
	}
	const size_t length = code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
	static const uint8_t firsts[] = { 0, 0, 0xc0, 0xe0, 0xf0 };
	for (size_t i = length - 1; i > 0; i--, code >>= 6)
		utf8[i] = (uint8_t)(0x80 | (code & 0x3f));
	utf8[0] = (uint8_t)(firsts[length] | code);
	return length;
}

size_t content_wide_decode(const uint8_t *bytes, size_t size, unsigned width, char *utf8,
			   size_t room, bool *ended)
{
	size_t count = 0, used = 0, units;
	*ended = false;
	for (size_t at = 0; at + width <= size; at += units * width, count++) {
		uint8_t shown[4];
		const uint32_t code = character_at(bytes, size, width, at, &units);
		*ended = code == 0 && units == 1;
		if (*ended)
			break;
		if (code == 0 || code > 0x10ffff)
			return 0;
		const size_t length = encode(code, shown);
		if (!content_is_character(shown, length))
			return 0;
		for (size_t i = 0; i < length && used + length < room; i++)
			utf8[used + i] = (char)shown[i];
		used += used + length < room ? length : 0;
	}
	utf8[used] = '\0';
	return count;
}

static bool is_letter(uint8_t byte)
{
	return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') || byte >= 0x80 ||
	       byte == ' ';
}

bool content_wide_is_text(const uint8_t *bytes, size_t size, unsigned width)
{
	char text[256];
	bool ended, seen[256] = { false };
	size_t letters = 0, kinds = 0, ascii = 0, length = 0;
	if (content_wide_decode(bytes, size, width, text, sizeof text, &ended) < TEXT_AT_LEAST ||
	    !ended)
		return false;
	for (; text[length] != '\0'; length++) {
		const uint8_t byte = (uint8_t)text[length];
		letters += is_letter(byte);
		ascii += byte < 0x80;
		kinds += !seen[byte];
		seen[byte] = true;
	}
	return letters * 4 >= length * 3 && kinds >= KINDS_AT_LEAST &&
	       (width == 4 || ascii * 2 >= length);
}
