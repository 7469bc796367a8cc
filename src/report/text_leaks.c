/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "report/text_parts.h"

#include "report/format.h"

#include <inttypes.h>

static void largest_row(struct text *text, const struct orphan_group *group)
{
	char size[FORMAT_MAX], count[FORMAT_MAX];
	const struct orphan_structure *largest = &group->largest;
	text_right(text, 13, format_size(largest->bytes, size));
	text_right(text, 22, format_count(largest->chunks, count));
	text_column(text, 24);
	text_printf(text, "head 0x%" PRIx64 ", %s%s: ", largest->head,
		    format_size(largest->head_size, size), largest->cyclic ? ", cyclic" : "");
	text_fold(text, group->what, text_room(text) > 24 ? text_room(text) : 24);
	text_line(text);
}

/* The largest structures are those of the groups, which keep one example each. */
static void largest_structures(struct text *text, const struct orphans *orphans)
{
	size_t rows = text_rows(text, orphans->groups.count, 5);
	text_heading(text, TEXT_HEADING, "LARGEST OF EACH GROUP");
	text_line(text);
	for (size_t i = 0; i < rows; i++)
		largest_row(text, &orphans->groups.items[i]);
	text_line(text);
}

void text_leaks(struct text *text, const struct findings *findings)
{
	const struct orphans *orphans = findings->orphans;
	char number[FORMAT_MAX], size[FORMAT_MAX];
	if (orphans == NULL)
		return;
	text_heading(text, orphans->chunks > 0 ? TEXT_WARN : TEXT_HEADING, "ORPHANED");
	if (orphans->chunks == 0) {
		text_put(text, "nothing: every chunk in use can be reached");
		text_line(text);
		text_line(text);
		return;
	}
	text_itemf(text, 10, true, "%s chunk%s, %s", format_count(orphans->chunks, number),
		   orphans->chunks == 1 ? "" : "s", format_size(orphans->bytes, size));
	text_itemf(text, 10, false, "%s structure%s", format_count(orphans->structures, number),
		   orphans->structures == 1 ? "" : "s");
	text_line(text);
	text_right(text, 13, "bytes");
	text_right(text, 22, "chunks");
	text_column(text, 24);
	text_put(text, "what");
	text_line(text);
	text_orphan_groups(text, orphans, 40, NULL);
	text_line(text);
	largest_structures(text, orphans);
}
