/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "report/text_parts.h"

#include "report/format.h"

#include <inttypes.h>
#include <string.h>

/* Why a thread is not told among the others: it has been told already. */
enum told { NOT_TOLD, TOLD_CRASHED, TOLD_DEADLOCKED, TOLD_BEHIND };

struct told_threads {
	uint8_t *of_wait; /* enum told, for each of findings->waits; NULL: no memory */
	size_t crashed, killed, deadlocked, behind, idle, running, not_stopped, blocked, in_syscall;
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
		if (wait->thread->killed_from_outside)
			told->killed++;
		else if (wait->activity == THREAD_CRASHED)
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

static void thread_totals(struct text *text, const struct crash *crash,
			  const struct told_threads *told)
{
	char killed[64];
	const bool named = crash != NULL && crash->signal_name != NULL;
	snprintf(killed, sizeof killed, "killed by %s from outside",
		 named ? crash->signal_name : "a signal");
	const struct {
		size_t count;
		const char *what;
	} totals[] = {
		{ told->crashed, "crashed" },
		{ told->killed, killed },
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

/* --- groups that are told in one row: the same kind of wait at the same place of the program, for
 * objects that differ and have no owner */

struct group_row {
	const struct wait *first;
	const char *name; /* of every thread; NULL: they differ, or have none */
	size_t threads, groups;
	bool same_text;
};

static bool has_owner(const struct wait *wait)
{
	return wait->owner_state != OWNER_NONE && wait->owner_state != OWNER_UNKNOWN;
}

static bool same_site(const struct frame *one, const struct frame *other)
{
	if (one == NULL || other == NULL)
		return one == other;
	return one->module == other->module && one->function == other->function &&
	       one->file == other->file && one->line == other->line;
}

static bool alike(const struct wait *one, const struct wait *other)
{
	return one->activity == other->activity && one->kind == other->kind &&
	       one->idle == other->idle && one->activity == THREAD_BLOCKED && !has_owner(one) &&
	       !has_owner(other) && same_site(one->site, other->site);
}

static const char *name_of(const struct wait *wait)
{
	const char *name = wait->thread->name;
	return name != NULL && name[0] != '\0' ? name : NULL;
}

static void row_add(struct group_row *row, const struct wait_group *group)
{
	for (size_t i = 0; i < group->count; i++) {
		const struct wait *wait = group->members[i];
		const char *name = name_of(wait);
		if (row->first == NULL)
			*row = (struct group_row){ .first = wait, .name = name, .same_text = true };
		if (row->name != NULL && (name == NULL || strcmp(name, row->name) != 0))
			row->name = NULL;
		if (strcmp(wait->text, row->first->text) != 0)
			row->same_text = false;
	}
	row->threads += group->count;
	row->groups++;
}

static void put_row(struct text *text, const struct crash *crash, const struct group_row *row)
{
	const unsigned indent = 8;
	char number[FORMAT_MAX];
	text_right(text, 5, format_count(row->threads, number));
	text_put(text, " ×");
	text_column(text, indent);
	if (row->threads == 1)
		text_printf(text, "%" PRId32, row->first->thread->tid);
	if (row->threads == 1 && row->name != NULL)
		text_put(text, " ");
	if (row->name != NULL)
		text_printf(text, "\"%s\"", row->name);
	if (row->threads == 1 && row->first->thread->killed_from_outside) {
		text_killed(text, indent + 2, crash);
		text_put(text, ",");
	}
	if (row->threads == 1 || row->name != NULL)
		text_put(text, " ");
	text_wrap(text, indent + 2, row->first->text);
	if (row->groups > 1)
		text_printf(text, ", and %s like it", format_count(row->groups - 1, number));
	else if (!row->same_text)
		text_wrap(text, indent + 2, ", and others like it");
	text_line(text);
	if (row->first->activity != THREAD_NOT_STOPPED) {
		text_column(text, indent + 2);
		text_site(text, row->first, true);
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

/* Fills `rows`, which has room for all groups. Returns how many there are. */
static size_t make_rows(const struct findings *findings, const struct told_threads *told,
			struct group_row *rows)
{
	const struct wait_groups *groups = findings->wait_groups;
	size_t count = 0;
	for (size_t i = 0; i < groups->count; i++) {
		const struct wait_group *group = &groups->items[i];
		size_t row = 0;
		if (all_told(findings, told, group))
			continue;
		while (row < count && !alike(rows[row].first, group->members[0]))
			row++;
		row_add(&rows[row], group);
		count += row == count;
	}
	return count;
}

void text_thread_groups(struct text *text, const struct findings *findings)
{
	struct told_threads told = { 0 };
	struct group_row *rows = NULL;
	if (findings->waits == NULL || findings->wait_groups == NULL || findings->waits->count == 0)
		return;
	told.of_wait = calloc(findings->waits->count + 1, 1);
	rows = calloc(findings->wait_groups->count + 1, sizeof *rows);
	if (told.of_wait == NULL || rows == NULL) {
		text_heading(text, TEXT_HEADING, "THREADS");
		text_put(text, "not listed: out of memory");
		text_line(text);
	} else {
		tell_deadlocked(findings, &told);
		count_others(findings, &told);
		thread_totals(text, findings->crash, &told);
		size_t count = make_rows(findings, &told, rows);
		size_t shown = text_rows(text, count, 8);
		for (size_t i = 0; i < shown; i++)
			put_row(text, findings->crash, &rows[i]);
		text_more(text, 8, shown, count, "groups", "waits");
	}
	free(rows);
	free(told.of_wait);
}
