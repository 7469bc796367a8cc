/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "report/text_parts.h"

#include "base/size_text.h"
#include "report/format.h"

#include <inttypes.h>

const char *text_no_orphans(const struct findings *findings)
{
	return findings_heap_partial(findings)
		   ? "nothing was found orphaned, but not all could be examined: see NOT EXAMINED"
		   : "nothing is orphaned: every chunk found in use can be reached";
}

void text_leaks(struct text *text, const struct findings *findings)
{
	const struct orphans *orphans = findings->orphans;
	char number[FORMAT_MAX];
	if (text_go_alone(text, findings, "ORPHANED"))
		return;
	if (orphans == NULL || findings->reachability == NULL)
		return;
	const bool doubt = findings->reachability->doubt[0] != '\0';
	text_heading(text, orphans->chunks > 0 ? TEXT_WARN : TEXT_HEADING,
		     orphans->chunks > 0 && doubt ? "POSSIBLE" : "ORPHANED");
	if (orphans->chunks == 0) {
		const struct chunk_total *reachable =
		    &findings->reachability->totals[CHUNK_REACHABLE];
		text_wrap(text, 10,
			  reachable->chunks > 0 ? text_no_orphans(findings)
						: "nothing: no chunk was found in use");
		text_line(text);
		return;
	}
	text_itemf(text, 10, true, "%s chunk%s, %s", format_count(orphans->chunks, number),
		   orphans->chunks == 1 ? "" : "s", size_text(orphans->bytes).text);
	text_itemf(text, 10, false, "%s structure%s", format_count(orphans->structures, number),
		   orphans->structures == 1 ? "" : "s");
	text_line(text);
	text_doubt(text, findings->reachability);
	text_right(text, 13, "bytes");
	text_right(text, 22, "chunks");
	text_column(text, 24);
	text_put(text, "what");
	text_line(text);
	text_orphan_groups(text, orphans, 40, NULL);
	text_caution(text, findings->reachability);
}
