/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "report/format.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <wchar.h>

char *format_count(uint64_t count, char buffer[FORMAT_MAX])
{
	char digits[24];
	int length = snprintf(digits, sizeof digits, "%" PRIu64, count);
	char *to = buffer;
	for (int i = 0; i < length; i++) {
		if (i > 0 && (length - i) % 3 == 0)
			*to++ = ',';
		*to++ = digits[i];
	}
	*to = '\0';
	return buffer;
}

char *format_duration(uint64_t microseconds, char buffer[FORMAT_MAX])
{
	if (microseconds < 1000)
		snprintf(buffer, FORMAT_MAX, "%" PRIu64 " us", microseconds);
	else if (microseconds < 999500)
		snprintf(buffer, FORMAT_MAX, "%" PRIu64 " ms", (microseconds + 500) / 1000);
	else
		snprintf(buffer, FORMAT_MAX, "%.1f s", (double)microseconds / 1e6);
	return buffer;
}

char *format_share(uint64_t part, uint64_t whole, char buffer[FORMAT_MAX])
{
	double percent = whole == 0 ? 0 : 100.0 * (double)part / (double)whole;
	if (part != 0 && percent < 0.1)
		snprintf(buffer, FORMAT_MAX, "under 0.1 %%");
	else
		snprintf(buffer, FORMAT_MAX, "%.*f %%", part == 0 || percent >= 99.95 ? 0 : 1,
			 percent);
	return buffer;
}

static bool is_continuation(char byte)
{
	return ((unsigned char)byte & 0xc0) == 0x80;
}

int32_t format_decode(const char **at)
{
	static const int32_t smallest[] = { 0, 0, 0x80, 0x800, 0x10000 };
	const unsigned char first = (unsigned char)**at;
	if (first == 0)
		return 0;
	int length = first < 0x80	      ? 1
		     : (first & 0xe0) == 0xc0 ? 2
		     : (first & 0xf0) == 0xe0 ? 3
		     : (first & 0xf8) == 0xf0 ? 4
					      : 0;
	int32_t point = length <= 1 ? first : first & (0x7f >> length);
	for (int i = 1; i < length; i++) {
		if (!is_continuation((*at)[i])) {
			length = 0;
			break;
		}
		point = point << 6 | ((*at)[i] & 0x3f);
	}
	if (length == 0 || point < smallest[length] || point > 0x10ffff ||
	    (point >= 0xd800 && point <= 0xdfff)) {
		(*at)++;
		return -1;
	}
	*at += length;
	return point;
}

/* Characters that would hide, or show the text after them in another order. */
static bool is_deceptive(int32_t point)
{
	return (point >= 0x80 && point < 0xa0) || point == 0xad || point == 0x61c ||
	       (point >= 0x200b && point <= 0x200f) || (point >= 0x2028 && point <= 0x202e) ||
	       (point >= 0x2060 && point <= 0x206f) || point == 0xfeff ||
	       (point >= 0xfff0 && point <= 0xfffb) || point >= 0xe0000;
}

static const char *ascii_for(int32_t point)
{
	switch (point) {
	case 0x00b7: /* · */
	case 0x2013: /* – */
	case 0x2014: /* — */
		return "-";
	case 0x00d7: /* × */
		return "x";
	case 0x2026: /* … */
		return "...";
	case 0x2190: /* ← */
		return "<-";
	case 0x2192: /* → */
		return "->";
	default:
		return NULL;
	}
}

static unsigned print_escape(unsigned char byte, char printed[FORMAT_CHARACTER_MAX])
{
	const char *at = byte == 0 ? NULL : strchr("\aa\bb\tt\nn\vv\ff\rr", byte);
	if (at != NULL && byte < ' ')
		return (unsigned)snprintf(printed, FORMAT_CHARACTER_MAX, "\\%c", at[1]);
	return (unsigned)snprintf(printed, FORMAT_CHARACTER_MAX, "\\x%02x", byte);
}

unsigned format_character(const char **at, bool utf8, char printed[FORMAT_CHARACTER_MAX])
{
	const char *start = *at;
	int32_t point = format_decode(at);
	if (point == 0) {
		printed[0] = '\0';
		return 0;
	}
	if (point < ' ' || point == 0x7f)
		return print_escape((unsigned char)*start, printed);
	if (point < 0x7f || (utf8 && !is_deceptive(point))) {
		size_t length = (size_t)(*at - start);
		memcpy(printed, start, length);
		printed[length] = '\0';
		int width = point < 0x7f ? 1 : wcwidth((wchar_t)point);
		return width < 0 ? 1 : (unsigned)width;
	}
	const char *ascii = ascii_for(point);
	if (ascii != NULL)
		return (unsigned)snprintf(printed, FORMAT_CHARACTER_MAX, "%s", ascii);
	return (unsigned)snprintf(printed, FORMAT_CHARACTER_MAX, "\\u{%" PRIx32 "}",
				  (uint32_t)point);
}

unsigned format_width(const char *string, bool utf8)
{
	char printed[FORMAT_CHARACTER_MAX];
	unsigned width = 0;
	while (*string != '\0')
		width += format_character(&string, utf8, printed);
	return width;
}

/* Where the bracket that opens at `open` closes, or NULL. Arrows and comparison operators are not
 * brackets. */
static const char *closing_bracket(const char *open)
{
	unsigned depth = 0;
	for (const char *at = open; *at != '\0'; at++) {
		if (*at == '<' || *at == '(' || *at == '[' || *at == '{')
			depth++;
		else if (*at == '>' && at > open && (at[-1] == '-' || at[-1] == '='))
			continue;
		else if (*at == '>' || *at == ')' || *at == ']' || *at == '}')
			if (--depth == 0)
				return at;
	}
	return NULL;
}

/* Whether the bracket at `at` belongs to the name: of an operator, "()", "(anonymous …)", or a
 * remark after a space, as in "Session (vtable)". */
static bool is_part_of_name(const char *name, const char *at)
{
	static const char word[] = "operator";
	const size_t before = (size_t)(at - name), length = sizeof word - 1;
	for (size_t back = 0; *at == '<' && back <= 1 && back + length <= before; back++)
		if (memcmp(at - back - length, word, length) == 0)
			return true;
	return (before > 0 && at[-1] == ' ') || strncmp(at, "()", 2) == 0 ||
	       strncmp(at, "(anon", 5) == 0 || strncmp(at, "{lambda", 7) == 0;
}

size_t format_short_name(const char *name, char *buffer, size_t size)
{
	static const char ellipsis[] = "…";
	size_t used = 0;
	for (const char *at = name; *at != '\0' && used + sizeof ellipsis + 2 < size;) {
		const char *close = NULL;
		if ((*at == '<' || *at == '(' || *at == '{') && !is_part_of_name(name, at))
			close = closing_bracket(at);
		if (close == NULL || close == at + 1) {
			buffer[used++] = *at++;
			continue;
		}
		buffer[used++] = *at;
		memcpy(buffer + used, ellipsis, sizeof ellipsis - 1);
		used += sizeof ellipsis - 1;
		buffer[used++] = *close;
		at = close + 1;
	}
	buffer[used] = '\0';
	return used;
}

const char *format_base_name(const char *path)
{
	const char *slash = strrchr(path, '/');
	return slash != NULL && slash[1] != '\0' ? slash + 1 : path;
}
