/* The writer below every text view: it knows the column, so that lines are folded and aligned on
 * purpose, and nothing of the target's strings reaches the terminal but through it.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORESCAN_REPORT_TEXT_H
#define CORESCAN_REPORT_TEXT_H

#include "report/report.h"

enum text_color {
	TEXT_PLAIN,
	TEXT_HEADING,
	TEXT_BAD,  /* crashes, deadlocks, corruption */
	TEXT_WARN, /* orphans, gaps */
	TEXT_DIM,  /* what is there for the second look */
};

struct text {
	FILE *out;
	const struct report_style *style;
	unsigned column;  /* where the next character lands; 0 at the start of a line */
	bool started;	  /* a line has been written */
	unsigned pending; /* spaces in front of it that are not yet written: none end a line */
};

/* Strings are in UTF-8 and are printed as format_character has it: a newline in them shows as
 * "\n". */
void text_put(struct text *text, const char *string);
void text_printf(struct text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));
void text_line(struct text *text);    /* ends the line */
void text_section(struct text *text); /* an empty line, but at the very top */
void text_color(struct text *text, enum text_color color);
void text_colored(struct text *text, enum text_color color, const char *string);

/* Spaces up to `column`; at least one where the line is already there. */
void text_column(struct text *text, unsigned column);

/* `string` ending at `column`, behind a space at least. */
void text_right(struct text *text, unsigned column, const char *string);

/* Columns that are left on this line. Large when -v lifted the limit. */
unsigned text_room(const struct text *text);

unsigned text_width(const struct text *text, const char *string);

/* `string` in at most `width` columns: names lose what stands in brackets first, then the middle.
 */
void text_fold(struct text *text, const char *string, unsigned width);

/* `string` in at most `width` columns: what is too long loses its end. */
void text_cut(struct text *text, const char *string, unsigned width);

/* The same; a quotation that is cut is closed behind its "…". */
void text_cut_quoted(struct text *text, const char *string, unsigned width);

/* `string` broken between words, and within those that are longer than a line, paths excepted;
 * further lines begin at column `indent`. */
void text_wrap(struct text *text, unsigned indent, const char *string);

/* An item of a list such as "a · b · c": starts a new line at `indent` where it does not fit. */
void text_item(struct text *text, unsigned indent, bool first, const char *string);
void text_itemf(struct text *text, unsigned indent, bool first, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* How many of `count` rows a list shows; `usual` is its length when the user named none. */
size_t text_rows(const struct text *text, size_t count, size_t usual);

/* "  … 34 more groups: corescan leaks", when `shown` < `count`. `command` may be NULL: then
 * --limit is named. */
void text_more(struct text *text, unsigned indent, size_t shown, size_t count, const char *what,
	       const char *command);

#endif
