/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "report/text_parts.h"

#include "base/size_text.h"
#include "report/format.h"

#include <inttypes.h>
#include <string.h>

#define INDENT	   36
#define NAME_WIDTH 48 /* of a root, where several stand in a line */

static void row_start(struct text *text, const struct chunk_total *held,
		      const struct chunk_total *all)
{
	char number[FORMAT_MAX];
	text_right(text, 10, size_text(held->bytes).text);
	text_right(text, 22, format_count(held->chunks, number));
	text_right(text, 34, format_share(held->bytes, all->bytes, number));
	text_column(text, INDENT);
}

static void chunk_line(struct text *text, const char *before, uint64_t address, uint64_t size,
		       const char *what)
{
	text_color(text, TEXT_DIM);
	text_line(text);
	text_column(text, INDENT + 2);
	text_printf(text, "%s0x%" PRIx64 ", %s%s", before, address, size_text(size).text,
		    what != NULL ? ", " : "");
	if (what != NULL)
		text_wrap(text, INDENT + 4, what);
	text_color(text, TEXT_PLAIN);
}

static void root_row(struct text *text, const struct retained *retained,
		     const struct retained_root *root)
{
	row_start(text, &root->held, &retained->total);
	text_wrap(text, INDENT + 2, root->name);
	chunk_line(text, root->held.chunks > 1 ? "largest " : "", root->largest, root->largest_size,
		   root->what);
	text_line(text);
}

static void head_row(struct text *text, const struct retained *retained,
		     const struct retained_head *head)
{
	row_start(text, &head->held, &retained->total);
	text_put(text, "held by ");
	for (size_t i = 0; i < head->holder_count; i++) {
		const bool last = i + 1 == head->holder_count && !head->more_holders;
		text_wrap(text, INDENT + 2, i == 0 ? "" : last ? " and " : ", ");
		text_wrap(text, INDENT + 2, head->holders[i]);
	}
	text_wrap(text, INDENT + 2, head->more_holders ? " and others" : "");
	chunk_line(text, "", head->address, head->size, head->what);
	text_line(text);
}

static void total_row(struct text *text, const struct retained *retained,
		      const struct chunk_total *held, const char *what)
{
	if (held->chunks == 0)
		return;
	row_start(text, held, &retained->total);
	text_wrap(text, INDENT + 2, what);
	text_line(text);
}

/* The sums of what the list does not show: with these, its lines add up to the total. */
static void other_roots(struct text *text, const struct retained *retained, size_t shown)
{
	struct chunk_total rest = { 0 };
	char words[64], number[FORMAT_MAX];
	for (size_t i = shown; i < retained->roots.count; i++) {
		rest.chunks += retained->roots.items[i].held.chunks;
		rest.bytes += retained->roots.items[i].held.bytes;
	}
	const size_t count = retained->roots.count - shown;
	snprintf(words, sizeof words, "%s more root%s: --limit 0", format_count(count, number),
		 count == 1 ? "" : "s");
	total_row(text, retained, &rest, words);
}

static void shared_part(struct text *text, const struct retained *retained)
{
	char number[FORMAT_MAX];
	if (retained->shared.chunks == 0)
		return;
	text_heading(text, TEXT_HEADING, "SHARED");
	text_printf(text, "%s below %s chunk%s that more than one leads to; the largest:",
		    size_text(retained->shared.bytes).text,
		    format_count(retained->head_count, number),
		    retained->head_count == 1 ? "" : "s");
	text_line(text);
	size_t rows = text_rows(text, retained->heads.count, 10);
	for (size_t i = 0; i < rows; i++)
		head_row(text, retained, &retained->heads.items[i]);
	text_more(text, 6, rows, retained->heads.count, "shared chunks", NULL);
}

void text_retained(struct text *text, const struct findings *findings)
{
	const struct retained *retained = findings->retained;
	char number[FORMAT_MAX];
	if (retained == NULL)
		return;
	text_heading(text, TEXT_HEADING, "RETAINED");
	text_printf(text, "%s chunk%s, %s reachable, by the root that alone holds them",
		    format_count(retained->total.chunks, number),
		    retained->total.chunks == 1 ? "" : "s", size_text(retained->total.bytes).text);
	text_line(text);
	text_right(text, 10, "bytes");
	text_right(text, 22, "chunks");
	text_right(text, 34, "share");
	text_column(text, INDENT);
	text_put(text, "root");
	text_line(text);
	size_t rows = text_rows(text, retained->roots.count, 20);
	for (size_t i = 0; i < rows; i++)
		root_row(text, retained, &retained->roots.items[i]);
	other_roots(text, retained, rows);
	total_row(text, retained, &retained->shared, "shared by several roots");
	total_row(text, retained, &retained->internal, "the allocator itself");
	total_row(text, retained, &retained->departed, "the C library, for threads that are gone");
	shared_part(text, retained);
}

/* The name, without what stands in its brackets where it is long: those around a variable's name
 * are no part of it. */
static void largest_root(struct text *text, bool first, const char *name,
			 const struct chunk_total *held)
{
	char inner[512], shorter[512 + 2];
	const size_t length = strlen(name);
	const bool whole = name[0] == '<' && length - 2 < sizeof inner && name[length - 1] == '>';
	if (text->style->verbose == 0 && text_width(text, name) > NAME_WIDTH) {
		snprintf(inner, sizeof inner, "%.*s", (int)(whole ? length - 2 : length),
			 name + whole);
		const size_t size = format_short_name(inner, shorter + whole, sizeof inner);
		if (whole) {
			shorter[0] = '<';
			memcpy(shorter + 1 + size, ">", 2);
		}
		name = shorter;
	}
	text_itemf(text, 4, first, "%s %s", name, size_text(held->bytes).text);
}

/* "shared by several 306 MB, 290 MB of it by <table> and <index>". */
static void largest_shared(struct text *text, bool first, const struct retained *retained)
{
	char words[512];
	int length = snprintf(words, sizeof words, "shared by several %s",
			      size_text(retained->shared.bytes).text);
	const struct retained_head *head = retained->heads.items;
	if (retained->heads.count > 0 && head->holder_count > 0 && length > 0)
		snprintf(words + length, sizeof words - (size_t)length, ", %s of it by %s%s%s%s",
			 size_text(head->held.bytes).text, head->holders[0],
			 head->holder_count == 1 ? "" : " and ",
			 head->holder_count == 1 ? "" : head->holders[1],
			 head->holder_count > 2 || head->more_holders ? " and others" : "");
	text_item(text, 4, first, words);
}

void text_largest_roots(struct text *text, const struct findings *findings)
{
	const struct retained *retained = findings->retained;
	bool first = true;
	/* Among very many chunks that takes its time. */
	if (retained == NULL && findings->reachability != NULL &&
	    findings->reachability->totals[CHUNK_REACHABLE].chunks > 0) {
		text_put(text, "  largest roots: corescan heap --retained");
		text_line(text);
	}
	if (retained == NULL || retained->total.bytes == 0)
		return;
	for (size_t i = 0; i < retained->roots.count && i < 3; i++) {
		const struct retained_root *root = &retained->roots.items[i];
		if (i > 0 && root->held.bytes < retained->total.bytes / 1000)
			break;
		text_put(text, first ? "  largest roots: " : "");
		largest_root(text, first, root->name, &root->held);
		first = false;
	}
	if (retained->shared.chunks > 0 &&
	    (first || retained->shared.bytes >= retained->total.bytes / 10)) {
		text_put(text, first ? "  largest roots: " : "");
		largest_shared(text, first, retained);
		first = false;
	}
	if (!first)
		text_line(text);
}
