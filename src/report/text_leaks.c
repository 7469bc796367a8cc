/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "report/text_parts.h"

#include "report/format.h"

#include <inttypes.h>

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
}
