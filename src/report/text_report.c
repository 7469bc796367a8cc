/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "report/text_parts.h"

void text_report(struct text *text, const struct findings *findings)
{
	text_crash(text, findings, 12);
	text_corruption(text, findings, 3, 1);
	text_deadlocks(text, findings, false);
	text_convoys(text, findings);
	text_suspicions(text, findings);
	text_go_report(text, findings);
	text_thread_groups(text, findings);
	text_heap_totals(text, findings);
	text_largest_roots(text, findings);
}
