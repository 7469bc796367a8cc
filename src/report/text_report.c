/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "report/text_parts.h"

#include "report/format.h"

#include <inttypes.h>
#include <string.h>

/* Why a thread is not told among the others: it has been told already. */
enum told { NOT_TOLD, TOLD_CRASHED, TOLD_DEADLOCKED, TOLD_BEHIND };

struct told_threads {
	uint8_t *of_wait; /* enum told, for each of findings->waits; NULL: no memory */
	size_t crashed, deadlocked, behind, idle, running, not_stopped, blocked, in_syscall;
};

static void tell(const struct findings *findings, struct told_threads *told,
		 const struct wait *wait, enum told how, size_t *count)
{
	uint8_t *mark = &told->of_wait[wait - findings->waits->items];
	if (*mark == NOT_TOLD) {
		*mark = (uint8_t)how;
		(*count)++;
	}
}

static void tell_deadlocked(const struct findings *findings, struct told_threads *told)
{
	for (size_t i = 0; findings->deadlocks != NULL && i < findings->deadlocks->count; i++) {
		const struct deadlock *deadlock = &findings->deadlocks->items[i];
		for (size_t j = 0; j < deadlock->count; j++)
			tell(findings, told, deadlock->waits[j], TOLD_DEADLOCKED,
			     &told->deadlocked);
		for (size_t j = 0; j < deadlock->behind_count; j++)
			tell(findings, told, deadlock->behind[j], TOLD_BEHIND, &told->behind);
	}
}

static void count_others(const struct findings *findings, struct told_threads *told)
{
	for (size_t i = 0; i < findings->waits->count; i++) {
		const struct wait *wait = &findings->waits->items[i];
		if (told->of_wait[i] != NOT_TOLD)
			continue;
		if (wait->activity == THREAD_CRASHED)
			tell(findings, told, wait, TOLD_CRASHED, &told->crashed);
		else if (wait->activity == THREAD_RUNNING)
			told->running++;
		else if (wait->activity == THREAD_NOT_STOPPED)
			told->not_stopped++;
		else if (wait->activity == THREAD_IN_SYSCALL)
			told->in_syscall++;
		else if (wait->idle)
			told->idle++;
		else
			told->blocked++;
	}
}

static void thread_totals(struct text *text, const struct told_threads *told)
{
	const struct {
		size_t count;
		const char *what;
	} totals[] = {
		{ told->crashed, "crashed" },
		{ told->deadlocked, "in a deadlock" },
		{ told->behind, "behind a deadlock" },
		{ told->blocked, "blocked" },
		{ told->running, "running" },
		{ told->in_syscall, "in a system call" },
		{ told->idle, "idle" },
		{ told->not_stopped, "not stopped" },
	};
	char number[FORMAT_MAX];
	bool first = true;
	text_heading(text, TEXT_HEADING, "THREADS");
	for (size_t i = 0; i < sizeof totals / sizeof *totals; i++) {
		if (totals[i].count == 0)
			continue;
		text_itemf(text, 9, first, "%s %s", format_count(totals[i].count, number),
			   totals[i].what);
		first = false;
	}
	text_line(text);
}

/* The name that all members have, or NULL. */
static const char *common_name(const struct wait_group *group)
{
	const char *name = group->members[0]->thread->name;
	for (size_t i = 1; i < group->count && name != NULL; i++)
		if (group->members[i]->thread->name == NULL ||
		    strcmp(group->members[i]->thread->name, name) != 0)
			return NULL;
	return name != NULL && name[0] != '\0' ? name : NULL;
}

static bool same_text(const struct wait_group *group)
{
	for (size_t i = 1; i < group->count; i++)
		if (strcmp(group->members[i]->text, group->members[0]->text) != 0)
			return false;
	return true;
}

static void group_row(struct text *text, const struct wait_group *group)
{
	char number[FORMAT_MAX];
	const struct wait *first = group->members[0];
	const char *name = common_name(group);
	unsigned indent = 8;
	text_right(text, 5, format_count(group->count, number));
	text_put(text, " ×");
	text_column(text, indent);
	if (group->count == 1)
		text_printf(text, "%" PRId32 " ", first->thread->tid);
	if (name != NULL)
		text_printf(text, "\"%s\" ", name);
	text_wrap(text, indent + 2, first->text);
	if (!same_text(group))
		text_wrap(text, indent + 2, ", and others of that kind");
	text_line(text);
	if (first->activity != THREAD_NOT_STOPPED) {
		text_column(text, indent + 2);
		text_site(text, first, true);
		text_line(text);
	}
}

static bool all_told(const struct findings *findings, const struct told_threads *told,
		     const struct wait_group *group)
{
	for (size_t i = 0; i < group->count; i++)
		if (told->of_wait[group->members[i] - findings->waits->items] == NOT_TOLD)
			return false;
	return true;
}

static void group_rows(struct text *text, const struct findings *findings,
		       const struct told_threads *told)
{
	const struct wait_groups *groups = findings->wait_groups;
	size_t left = 0, shown = 0;
	for (size_t i = 0; i < groups->count; i++)
		left += !all_told(findings, told, &groups->items[i]);
	size_t rows = text_rows(text, left, 8);
	for (size_t i = 0; i < groups->count && shown < rows; i++) {
		if (all_told(findings, told, &groups->items[i]))
			continue;
		group_row(text, &groups->items[i]);
		shown++;
	}
	text_more(text, 8, rows, left, "groups", "threads");
}

static void report_threads(struct text *text, const struct findings *findings)
{
	struct told_threads told = { 0 };
	if (findings->waits == NULL || findings->wait_groups == NULL)
		return;
	told.of_wait = calloc(findings->waits->count + 1, 1);
	if (told.of_wait == NULL) {
		text_put(text, "THREADS  not listed: out of memory");
		text_line(text);
		return;
	}
	tell_deadlocked(findings, &told);
	count_others(findings, &told);
	thread_totals(text, &told);
	group_rows(text, findings, &told);
	text_line(text);
	free(told.of_wait);
}

void text_report(struct text *text, const struct findings *findings)
{
	text_crash(text, findings, 8);
	text_deadlocks(text, findings);
	report_threads(text, findings);
	text_heap_totals(text, findings);
	if (findings->subject->heap != NULL)
		text_line(text);
}
