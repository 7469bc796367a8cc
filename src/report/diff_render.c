/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <config.h>

#include "base/size_text.h"
#include "report/diff.h"
#include "report/format.h"
#include "report/json_parts.h"
#include "report/text_parts.h"

#include <stdio.h>
#include <string.h>

#define WHAT_COLUMN 46

/* --- text */

static int64_t growth(const int64_t values[DIFF_SIDES])
{
	return values[DIFF_NEW] - values[DIFF_OLD];
}

/* "+12.3 MB", "-3". */
static void put_growth(struct text *text, unsigned column, int64_t grown, bool bytes)
{
	char words[FORMAT_MAX + 1], number[FORMAT_MAX];
	uint64_t amount = grown < 0 ? 0 - (uint64_t)grown : (uint64_t)grown;
	snprintf(words, sizeof words, "%s%s",
		 grown < 0   ? "-"
		 : grown > 0 ? "+"
			     : "",
		 bytes ? size_text(amount).text : format_count(amount, number));
	text_right(text, column, words);
}

static void put_value(struct text *text, unsigned column, int64_t value, bool bytes)
{
	char number[FORMAT_MAX];
	text_right(text, column,
		   bytes ? size_text((uint64_t)value).text : format_count((uint64_t)value, number));
}

static void put_row(struct text *text, const struct diff_part *part, const struct diff_row *row)
{
	const int64_t *values = part->has_bytes ? row->bytes : row->count;
	put_growth(text, 11, growth(values), part->has_bytes);
	put_value(text, 21, values[DIFF_OLD], part->has_bytes);
	put_value(text, 31, values[DIFF_NEW], part->has_bytes);
	if (part->has_bytes)
		put_growth(text, 43, growth(row->count), false);
	text_column(text, part->has_bytes ? WHAT_COLUMN : 34);
	text_wrap(text, part->has_bytes ? WHAT_COLUMN : 34, row->what);
	text_line(text);
}

static void put_part(struct text *text, const struct diff_part *part)
{
	if (!part->known[DIFF_OLD] || !part->known[DIFF_NEW] ||
	    (part->rows.count == 0 && part->total.count[DIFF_OLD] == 0))
		return;
	text_section(text);
	text_colored(text, TEXT_HEADING, part->title);
	if (part->rows.count == 0) {
		text_put(text, "  as before");
		text_line(text);
		return;
	}
	text_line(text);
	text_right(text, 11, "growth");
	text_right(text, 21, "old");
	text_right(text, 31, "new");
	if (part->has_bytes)
		text_right(text, 43, part->unit);
	text_line(text);
	const size_t rows = text_rows(text, part->rows.count, 12);
	for (size_t i = 0; i < rows; i++)
		put_row(text, part, &part->rows.items[i]);
	text_more(text, 2, rows, part->rows.count, "that differ", NULL);
	put_row(text, part, &part->total);
}

void diff_text(const struct diff *diff, const struct report_style *style, FILE *out)
{
	struct text text = { .out = out, .style = style };
	static const char *const words[] = { "old  ", "new  " };
	for (int side = 0; side < DIFF_SIDES; side++) {
		text_put(&text, words[side]);
		text_wrap(&text, 5, diff->name[side]);
		text_wrap(&text, 5, ": ");
		text_wrap(&text, 5, diff->command[side]);
		text_line(&text);
	}
	for (size_t i = 0; i < diff->part_count; i++)
		put_part(&text, &diff->parts[i]);
	for (size_t i = 0; i < diff->notes.count; i++) {
		if (i == 0) {
			text_section(&text);
			text_colored(&text, TEXT_WARN, "NOT COMPARED");
			text_line(&text);
		}
		text_put(&text, "  ");
		text_wrap(&text, 4, diff->notes.items[i]);
		text_line(&text);
	}
}

/* --- JSON */

static json_t *row_object(struct json_document *document, const struct diff_part *part,
			  const struct diff_row *row)
{
	json_t *object = json_object();
	json_put(document, object, "what", json_words(row->what));
	json_put(document, object, "old_count", json_integer(row->count[DIFF_OLD]));
	json_put(document, object, "new_count", json_integer(row->count[DIFF_NEW]));
	json_put(document, object, "old_bytes",
		 part->has_bytes ? json_integer(row->bytes[DIFF_OLD]) : json_null());
	json_put(document, object, "new_bytes",
		 part->has_bytes ? json_integer(row->bytes[DIFF_NEW]) : json_null());
	return object;
}

static json_t *part_object(struct json_document *document, const struct diff_part *part)
{
	json_t *object = json_object(), *rows = json_array();
	const bool compared = part->known[DIFF_OLD] && part->known[DIFF_NEW];
	const size_t count = json_rows(document, part->rows.count);
	for (size_t i = 0; i < count; i++)
		json_append(document, rows, row_object(document, part, &part->rows.items[i]));
	json_put(document, object, "name", json_words(part->name));
	json_put(document, object, "counts", json_words(part->unit));
	json_put(document, object, "compared", json_boolean(compared));
	json_put(document, object, "total",
		 compared ? row_object(document, part, &part->total) : json_null());
	json_put(document, object, "rows", rows);
	json_put(document, object, "rows_omitted", json_size(part->rows.count - count));
	return object;
}

struct error *diff_json(const struct diff *diff, const struct report_style *style, FILE *out)
{
	struct json_document document = { .style = style, .root = json_object() };
	json_t *parts = json_array(), *notes = json_array();
	struct error *error = NULL;
	for (size_t i = 0; i < diff->part_count; i++)
		if (diff->parts[i].known[DIFF_OLD] || diff->parts[i].known[DIFF_NEW])
			json_append(&document, parts, part_object(&document, &diff->parts[i]));
	for (size_t i = 0; i < diff->notes.count; i++)
		json_append(&document, notes, json_words(diff->notes.items[i]));
	json_put(&document, document.root, "schema", json_integer(JSON_SCHEMA_VERSION));
	json_put(&document, document.root, "corescan", json_string(PACKAGE_VERSION));
	json_put(&document, document.root, "view", json_string("diff"));
	json_put(&document, document.root, "exit_status", json_integer(diff_exit_status(diff)));
	json_put(&document, document.root, "old", json_words(diff->name[DIFF_OLD]));
	json_put(&document, document.root, "new", json_words(diff->name[DIFF_NEW]));
	json_put(&document, document.root, "parts", parts);
	json_put(&document, document.root, "not_compared", notes);
	if (document.failed) {
		error = error_no_memory();
	} else {
		json_dumpf(document.root, out, JSON_INDENT(1));
		fputc('\n', out);
	}
	json_decref(document.root);
	return error;
}
