/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "analysis/words.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define CUT_MARK "…"

void words_add(struct words *words, const char *format, ...)
{
	size_t space = sizeof words->text - words->length;
	va_list arguments;
	va_start(arguments, format);
	int length = vsnprintf(words->text + words->length, space, format, arguments);
	va_end(arguments);
	if (length < 0)
		return;
	if ((size_t)length < space) {
		words->length += (size_t)length;
		return;
	}
	/* Cut in front of a whole UTF-8 character. */
	size_t end = sizeof words->text - sizeof CUT_MARK;
	while (end > 0 && ((unsigned char)words->text[end] & 0xc0) == 0x80)
		end--;
	memcpy(words->text + end, CUT_MARK, sizeof CUT_MARK);
	words->length = sizeof words->text - 1;
}

void words_separate(struct words *words, const char *separator)
{
	if (words->length > 0)
		words_add(words, "%s", separator);
}

void words_add_count(struct words *words, uint64_t count)
{
	char digits[24];
	const int length = snprintf(digits, sizeof digits, "%" PRIu64, count);
	for (int i = 0; i < length; i++)
		words_add(words, i > 0 && (length - i) % 3 == 0 ? ",%c" : "%c", digits[i]);
}

/* "1.5 s": `value` in thousandths of the unit, without trailing zeros. */
static void add_thousandths(struct words *words, int64_t value, const char *unit)
{
	int64_t fraction = value % 1000;
	if (fraction == 0)
		words_add(words, "%" PRId64 " %s", value / 1000, unit);
	else if (fraction % 100 == 0)
		words_add(words, "%" PRId64 ".%" PRId64 " %s", value / 1000, fraction / 100, unit);
	else if (fraction % 10 == 0)
		words_add(words, "%" PRId64 ".%02" PRId64 " %s", value / 1000, fraction / 10, unit);
	else
		words_add(words, "%" PRId64 ".%03" PRId64 " %s", value / 1000, fraction, unit);
}

void words_add_duration(struct words *words, int64_t nanoseconds)
{
	const int64_t second = 1000 * 1000 * 1000;
	if (nanoseconds < 1000) {
		words_add(words, "%" PRId64 " ns", nanoseconds);
	} else if (nanoseconds < 1000 * 1000) {
		add_thousandths(words, nanoseconds, "µs");
	} else if (nanoseconds < second) {
		add_thousandths(words, nanoseconds / 1000, "ms");
	} else if (nanoseconds < 7200 * second) {
		add_thousandths(words, nanoseconds / (1000 * 1000), "s");
	} else if (nanoseconds < 172800 * second) {
		int64_t minutes = nanoseconds / second / 60;
		words_add(words, "%" PRId64 " h", minutes / 60);
		if (minutes % 60 != 0)
			words_add(words, " %" PRId64 " min", minutes % 60);
	} else {
		words_add_count(words, (uint64_t)(nanoseconds / second / 86400));
		words_add(words, " days");
	}
}
