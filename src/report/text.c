/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "report/text.h"

#include "report/format.h"

#include <stdarg.h>
#include <string.h>

static void put_character(struct text *text, const char *printed, unsigned columns)
{
	if (text->pending > 0)
		fprintf(text->out, "%*s", (int)text->pending, "");
	text->pending = 0;
	text->column += columns;
	fputs(printed, text->out);
}

void text_put(struct text *text, const char *string)
{
	char printed[FORMAT_CHARACTER_MAX];
	while (*string != '\0') {
		const unsigned columns = format_character(&string, text->style->utf8, printed);
		put_character(text, printed, columns);
	}
}

/* Longer strings are cut: every caller passes long ones to text_put, text_wrap or text_fold. */
__attribute__((format(printf, 3, 0))) static void format_into(char *buffer, size_t size,
							      const char *format, va_list arguments)
{
	if (vsnprintf(buffer, size, format, arguments) < 0)
		buffer[0] = '\0';
}

void text_printf(struct text *text, const char *format, ...)
{
	char buffer[512];
	va_list arguments;
	va_start(arguments, format);
	format_into(buffer, sizeof buffer, format, arguments);
	va_end(arguments);
	text_put(text, buffer);
}

void text_line(struct text *text)
{
	fputc('\n', text->out);
	text->column = text->pending = 0;
	text->started = true;
}

void text_section(struct text *text)
{
	if (text->started)
		text_line(text);
}

void text_color(struct text *text, enum text_color color)
{
	static const char *const codes[] = {
		[TEXT_PLAIN] = "\033[0m", [TEXT_HEADING] = "\033[1m", [TEXT_BAD] = "\033[1;31m",
		[TEXT_WARN] = "\033[33m", [TEXT_DIM] = "\033[2m",
	};
	if (text->style->color)
		fputs(codes[color], text->out);
}

void text_colored(struct text *text, enum text_color color, const char *string)
{
	if (color != TEXT_PLAIN)
		text_color(text, color);
	text_put(text, string);
	if (color != TEXT_PLAIN)
		text_color(text, TEXT_PLAIN);
}

static void spaces(struct text *text, unsigned count)
{
	text->pending += count;
	text->column += count;
}

void text_column(struct text *text, unsigned column)
{
	if (text->column < column)
		spaces(text, column - text->column);
	else if (text->column > 0)
		spaces(text, 1);
}

void text_right(struct text *text, unsigned column, const char *string)
{
	unsigned width = text_width(text, string);
	if (text->column + width < column)
		spaces(text, column - width - text->column);
	else if (text->column > 0 && text->pending == 0)
		spaces(text, 1);
	text_put(text, string);
}

unsigned text_room(const struct text *text)
{
	unsigned width = text->style->width;
	return text->column < width ? width - text->column : 0;
}

unsigned text_width(const struct text *text, const char *string)
{
	return format_width(string, text->style->utf8);
}

/* The longest end of `string` that fits `width` columns. */
static const char *tail_of(const struct text *text, const char *string, unsigned width)
{
	char printed[FORMAT_CHARACTER_MAX];
	unsigned left = text_width(text, string);
	while (left > width)
		left -= format_character(&string, text->style->utf8, printed);
	return string;
}

/* As much of the start of `string` as fits `width` columns. Returns the rest. */
static const char *put_head(struct text *text, const char *string, unsigned width)
{
	char printed[FORMAT_CHARACTER_MAX];
	while (*string != '\0') {
		const char *rest = string;
		const unsigned columns = format_character(&rest, text->style->utf8, printed);
		if (columns > width)
			break;
		width -= columns;
		put_character(text, printed, columns);
		string = rest;
	}
	return string;
}

void text_cut_quoted(struct text *text, const char *string, unsigned width)
{
	const unsigned marks = text_width(text, "…\"");
	if (text_width(text, string) <= width) {
		text_put(text, string);
		return;
	}
	const char *rest = put_head(text, string, width > marks ? width - marks : 0);
	bool quoted = false;
	for (const char *at = string; at < rest; at++) {
		if (*at == '\\' && at + 1 < rest)
			at++;
		else
			quoted ^= *at == '"';
	}
	text_put(text, quoted ? "…\"" : "…");
}

void text_cut(struct text *text, const char *string, unsigned width)
{
	const unsigned ellipsis = text_width(text, "…");
	if (text_width(text, string) <= width) {
		text_put(text, string);
	} else {
		put_head(text, string, width > ellipsis ? width - ellipsis : 0);
		text_put(text, "…");
	}
}

static void put_folded(struct text *text, const char *string, unsigned width)
{
	const unsigned ellipsis = text_width(text, "…");
	const unsigned head = width > ellipsis ? (width - ellipsis) / 2 : 0;
	put_head(text, string, head);
	text_put(text, "…");
	text_put(text, tail_of(text, string, width > ellipsis ? width - ellipsis - head : 0));
}

void text_fold(struct text *text, const char *string, unsigned width)
{
	char shorter[1024];
	if (text_width(text, string) > width) {
		format_short_name(string, shorter, sizeof shorter);
		string = shorter;
	}
	if (text_width(text, string) > width)
		put_folded(text, string, width);
	else
		text_put(text, string);
}

/* Bytes up to the next space where a line may break: not in front of a name, as in
 * 1235 "flusher" and 0x404060 <cache_lock>. */
static size_t unbroken(const char *string)
{
	size_t length = strcspn(string, " ");
	while (string[length] == ' ' && (string[length + 1] == '"' || string[length + 1] == '<'))
		length += 1 + strcspn(string + length + 1, " ");
	return length;
}

/* A word that no line has room for goes on, on the next one; but a path stays whole. */
static void put_word(struct text *text, unsigned indent, const char *word)
{
	while (word[0] != '/' && text_width(text, word) > text_room(text)) {
		const char *rest = put_head(text, word, text_room(text));
		if (rest == word && text->column <= indent)
			break;
		word = rest;
		text_line(text);
		spaces(text, indent);
	}
	text_put(text, word);
}

void text_wrap(struct text *text, unsigned indent, const char *string)
{
	char word[256];
	bool first = true;
	while (*string != '\0') {
		size_t length = unbroken(string);
		size_t cut = length < sizeof word ? length : sizeof word - 1;
		while (cut < length && cut > 1 && ((unsigned char)string[cut] & 0xc0) == 0x80)
			cut--;
		memcpy(word, string, cut);
		word[cut] = '\0';
		/* The rest of an overlong word; or what follows other text without a space. */
		const bool joined = first ? text->pending == 0 : string[-1] != ' ';
		const unsigned space = first || joined ? 0 : 1;
		if (!joined && text_width(text, word) + space > text_room(text) &&
		    text->column > indent) {
			text_line(text);
			spaces(text, indent);
		} else {
			spaces(text, space);
		}
		put_word(text, indent, word);
		string += cut;
		if (*string == ' ' && *++string == '\0')
			spaces(text, 1);
		first = false;
	}
}

void text_item(struct text *text, unsigned indent, bool first, const char *string)
{
	if (!first) {
		if (text_width(text, string) + 3 > text_room(text) && text->column > indent) {
			text_put(text, text_room(text) >= 2 ? " ·" : "");
			text_line(text);
			spaces(text, indent);
		} else {
			text_put(text, " · ");
		}
	}
	text_wrap(text, indent, string);
}

void text_itemf(struct text *text, unsigned indent, bool first, const char *format, ...)
{
	char buffer[1024];
	va_list arguments;
	va_start(arguments, format);
	format_into(buffer, sizeof buffer, format, arguments);
	va_end(arguments);
	text_item(text, indent, first, buffer);
}

size_t text_rows(const struct text *text, size_t count, size_t usual)
{
	size_t limit = usual;
	if (text->style->limit == 0)
		limit = count;
	else if (text->style->limit > 0)
		limit = (size_t)text->style->limit;
	else if (text->style->verbose > 0)
		limit = usual * 4;
	/* A line that says "1 more" would take the place of that one. */
	if (text->style->limit < 0 && count == limit + 1)
		limit = count;
	return count < limit ? count : limit;
}

void text_more(struct text *text, unsigned indent, size_t shown, size_t count, const char *what,
	       const char *command)
{
	char number[FORMAT_MAX];
	if (shown >= count)
		return;
	spaces(text, indent);
	text_color(text, TEXT_DIM);
	const size_t more = count - shown, length = strlen(what);
	/* "groups", "threads of the cycle": the first word is the plural. */
	const size_t word = strcspn(what, " ");
	const bool cut = more == 1 && word > 0 && what[word - 1] == 's';
	text_printf(text, "… %s more %.*s%s: %s%s", format_count(more, number),
		    (int)(cut ? word - 1 : length), what, cut ? what + word : "",
		    command != NULL ? "corescan " : "--limit 0", command != NULL ? command : "");
	text_color(text, TEXT_PLAIN);
	text_line(text);
}
