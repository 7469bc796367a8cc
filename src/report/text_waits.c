/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "report/text_parts.h"

#include "report/format.h"

#include <inttypes.h>

/* `words` are its own. */
static void put_wait(struct text *text, const struct findings *findings, const struct wait *wait,
		     const char *words)
{
	text_thread(text, wait->thread);
	if (wait->thread->killed_from_outside) {
		text_killed(text, 6, findings->crash);
		text_put(text, ",");
	}
	text_put(text, " ");
	text_wrap(text, 6, words);
}

static void deadlock_row(struct text *text, const struct findings *findings,
			 const struct wait *wait)
{
	text_put(text, "  ");
	/* What the owner does stands in its own row. */
	put_wait(text, findings, wait, wait->brief);
	text_line(text);
	text_put(text, "      at ");
	text_site(text, wait, SIZE_MAX);
	text_line(text);
}

static void deadlock_rows(struct text *text, const struct findings *findings,
			  const struct deadlock *deadlock)
{
	const size_t rows = text_rows(text, deadlock->count, 8);
	for (size_t i = 0; i < rows; i++)
		deadlock_row(text, findings, deadlock->waits[i]);
	text_more(text, 2, rows, deadlock->count, "threads of the cycle", "waits");
}

static void deadlock_sentence(struct text *text, const struct deadlock *deadlock)
{
	text_column(text, 2);
	text_wrap(text, 4, deadlock->sentence);
	text_line(text);
}

static int32_t tid_behind(const void *context, size_t index)
{
	const struct deadlock *deadlock = context;
	return deadlock->behind[index]->thread->tid;
}

static void deadlock_behind(struct text *text, const struct deadlock *deadlock)
{
	char number[FORMAT_MAX];
	text_printf(text, "  %s more thread%s wait%s behind %s: ",
		    format_count(deadlock->behind_count, number),
		    deadlock->behind_count == 1 ? "" : "s", deadlock->behind_count == 1 ? "s" : "",
		    deadlock->count == 1 ? "it" : "them");
	text_tids(text, 4, tid_behind, deadlock, deadlock->behind_count);
	text_line(text);
}

void text_deadlocks(struct text *text, const struct findings *findings, bool sentences)
{
	char number[FORMAT_MAX], heading[96];
	const struct deadlocks *deadlocks = findings->deadlocks;
	for (size_t i = 0; deadlocks != NULL && i < deadlocks->count; i++) {
		const struct deadlock *deadlock = &deadlocks->items[i];
		snprintf(heading, sizeof heading, "DEADLOCK of %s thread%s",
			 format_count(deadlock->count, number), deadlock->count == 1 ? "" : "s");
		text_heading(text, TEXT_BAD, heading);
		text_line(text);
		if (sentences)
			deadlock_sentence(text, deadlock);
		else
			deadlock_rows(text, findings, deadlock);
		if (deadlock->behind_count > 0)
			deadlock_behind(text, deadlock);
	}
}

/* --- corescan waits */

static void wait_row(struct text *text, const struct findings *findings, const struct wait *wait)
{
	put_wait(text, findings, wait, wait->text);
	text_line(text);
	if (wait->activity != THREAD_NOT_STOPPED) {
		text_put(text, "      at ");
		text_site(text, wait, SIZE_MAX);
		text_line(text);
	}
	if (text->style->verbose > 0 && wait->evidence != NULL) {
		text_put(text, "      known from: ");
		text_wrap(text, 8, wait->evidence);
		text_line(text);
	}
}

void text_waits(struct text *text, const struct findings *findings)
{
	text_deadlocks(text, findings, true);
	text_convoys(text, findings);
	text_suspicions(text, findings);
	if (findings->waits == NULL)
		return;
	text_section(text);
	size_t rows = text_rows(text, findings->waits->count, 100);
	for (size_t i = 0; i < rows; i++)
		wait_row(text, findings, &findings->waits->items[i]);
	text_more(text, 0, rows, findings->waits->count, "threads", NULL);
}
