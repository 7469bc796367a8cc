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
	const struct wait **members; /* by tid */
	size_t count;
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

/* Locks that are held are told apart, unless there are too many and nobody waits behind those that
 * wait for them. */
static bool alike(const struct wait_group *left, const struct wait_group *right, bool held_too)
{
	const struct wait *one = left->members[0], *other = right->members[0];
	const bool held = has_owner(one) || has_owner(other);
	if (held && (!held_too || one->owner_state != other->owner_state || left->behind > 0 ||
		     right->behind > 0))
		return false;
	return one->activity == other->activity && one->kind == other->kind &&
	       one->idle == other->idle && one->activity == THREAD_BLOCKED &&
	       same_site(one->site, other->site);
}

static const char *name_of(const struct wait *wait)
{
	const char *name = wait->thread->name;
	return name != NULL && name[0] != '\0' ? name : NULL;
}

/* Of every member; NULL: they differ, or have none. */
static const char *common_name(const struct group_row *row)
{
	const char *name = name_of(row->members[0]);
	for (size_t i = 1; i < row->count && name != NULL; i++) {
		const char *other = name_of(row->members[i]);
		if (other == NULL || strcmp(name, other) != 0)
			name = NULL;
	}
	return name;
}

static bool have_names(const struct group_row *row)
{
	for (size_t i = 0; i < row->count; i++)
		if (name_of(row->members[i]) != NULL)
			return true;
	return false;
}

static bool same_texts(const struct group_row *row)
{
	for (size_t i = 1; i < row->count; i++)
		if (strcmp(row->members[i]->text, row->members[0]->text) != 0)
			return false;
	return true;
}

static int compare_objects(const void *left, const void *right)
{
	const struct wait *const *one = left, *const *other = right;
	const uint64_t a = (*one)->object, b = (*other)->object;
	if (a != b)
		return a < b ? -1 : 1;
	return (*one)->fd < (*other)->fd ? -1 : (*one)->fd > (*other)->fd;
}

static int compare_tids(const void *left, const void *right)
{
	const struct wait *const *one = left, *const *other = right;
	const int32_t a = (*one)->thread->tid, b = (*other)->thread->tid;
	return a < b ? -1 : a > b;
}

/* How many different objects the members wait for. Leaves them in the order of tids. */
static size_t count_objects(const struct group_row *row)
{
	size_t count = 1;
	qsort(row->members, row->count, sizeof(const struct wait *), compare_objects);
	for (size_t i = 1; i < row->count; i++)
		count += compare_objects(&row->members[i - 1], &row->members[i]) != 0;
	qsort(row->members, row->count, sizeof(const struct wait *), compare_tids);
	return count;
}

static int32_t tid_in_row(const void *context, size_t index)
{
	const struct group_row *row = context;
	return row->members[index]->thread->tid;
}

/* Whether the thread has the tid behind the other's, and its name. */
static bool follows(const struct wait *one, const struct wait *other)
{
	const char *a = name_of(one), *b = name_of(other);
	return other->thread->tid - one->thread->tid == 1 &&
	       (a == NULL ? b == NULL : b != NULL && strcmp(a, b) == 0);
}

/* `1241–1243 "pool", ` of the members from `start` on up to `end`. */
static size_t named_tids(const struct group_row *row, size_t start, size_t end, char *buffer,
			 size_t size)
{
	char last[32] = "";
	const char *name = name_of(row->members[start]);
	if (end - start > 1)
		snprintf(last, sizeof last, "–%" PRId32, row->members[end - 1]->thread->tid);
	return (size_t)snprintf(buffer, size, "%" PRId32 "%s%s%s%s%s ",
				row->members[start]->thread->tid, last, name != NULL ? " \"" : "",
				name != NULL ? name : "", name != NULL ? "\"" : "",
				end < row->count ? "," : "");
}

/* `1234 "main"`, `"pool" (1241–1243)`, `1241 "a", 1242 "b"`, and a space. */
static void row_threads(struct text *text, unsigned indent, const struct group_row *row)
{
	const size_t usual = 4;
	const char *name = common_name(row);
	char number[FORMAT_MAX];
	if (row->count > 1 && (name != NULL || !have_names(row))) {
		if (name != NULL)
			text_printf(text, "\"%s\" (", name);
		text_some_tids(text, indent, tid_in_row, row, row->count, usual);
		text_put(text, name != NULL ? ") " : " ");
		return;
	}
	size_t left = text_rows(text, row->count, usual), end;
	size_t length = 0;
	char list[1024] = "";
	for (size_t i = 0; i < row->count && left > 0; i = end, left--) {
		end = i + 1;
		while (end < row->count && follows(row->members[end - 1], row->members[end]))
			end++;
		if (end - i < 3)
			end = i + 1;
		length += named_tids(row, i, end, list + length, sizeof list - length);
		if (left == 1 && end < row->count)
			snprintf(list + length, sizeof list - length, "… %s more ",
				 format_count(row->count - end, number));
		if (length >= sizeof list)
			break;
	}
	text_wrap(text, indent, list);
}

/* What the members do: one sentence for all, or one that says in what they differ. */
static void row_words(struct text *text, unsigned indent, const struct group_row *row)
{
	const struct wait *first = row->members[0];
	char number[FORMAT_MAX], words[128];
	if (same_texts(row)) {
		text_wrap(text, indent, first->text);
		return;
	}
	const size_t objects = count_objects(row);
	const char *many =
	    wait_kind_many(first->kind, format_count(objects, number), words, sizeof words);
	if (objects > 1 && many != NULL) {
		text_wrap(text, indent, many);
		text_wrap(text, indent, ", e.g. ");
		text_wrap(text, indent, wait_object_text(first));
	} else {
		text_wrap(text, indent, "wait alike, e.g. ");
		text_printf(text, "%" PRId32 " ", first->thread->tid);
		text_wrap(text, indent, first->text);
	}
}

/* `frames`: how many lines its stack may take; 1: the usual single line. */
static void put_row(struct text *text, const struct crash *crash, const struct group_row *row,
		    size_t frames)
{
	const unsigned indent = 8;
	const struct wait *first = row->members[0];
	char number[FORMAT_MAX];
	text_right(text, 5, format_count(row->count, number));
	text_put(text, " ×");
	text_column(text, indent);
	if (row->count == 1 && first->thread->killed_from_outside) {
		text_thread(text, first->thread);
		text_killed(text, indent + 2, crash);
		text_put(text, ", ");
	} else {
		row_threads(text, indent + 2, row);
	}
	row_words(text, indent + 2, row);
	text_line(text);
	if (first->activity != THREAD_NOT_STOPPED) {
		text_column(text, indent + 2);
		const size_t same = text_calls_alike(row->members, row->count);
		if (frames > 1)
			text_site_stack(text, first, same, frames);
		else
			text_site(text, first, same);
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

/* The row that the group belongs to; `count` where it is like none. */
static size_t row_of(const struct wait_groups *groups, const size_t *firsts, size_t count,
		     const struct wait_group *group, bool held_too)
{
	size_t row = 0;
	while (row < count && !alike(&groups->items[firsts[row]], group, held_too))
		row++;
	return row;
}

/* Collects what belongs to one row. */
static void fill_row(const struct wait_groups *groups, const size_t *rows_of, size_t number,
		     struct group_row *row)
{
	row->count = 0;
	for (size_t i = 0; i < groups->count; i++)
		for (size_t j = 0; rows_of[i] == number && j < groups->items[i].count; j++)
			row->members[row->count++] = groups->items[i].members[j];
	qsort(row->members, row->count, sizeof(const struct wait *), compare_tids);
}

/* Which row each group stands in; SIZE_MAX for one that is told already. `firsts` gets the first
 * group of each row. Returns how many rows there are. */
static size_t make_rows(const struct findings *findings, const struct told_threads *told,
			bool held_too, size_t *rows_of, size_t *firsts)
{
	const struct wait_groups *groups = findings->wait_groups;
	size_t count = 0;
	for (size_t i = 0; i < groups->count; i++) {
		rows_of[i] = SIZE_MAX;
		if (all_told(findings, told, &groups->items[i]))
			continue;
		rows_of[i] = row_of(groups, firsts, count, &groups->items[i], held_too);
		if (rows_of[i] == count)
			firsts[count++] = i;
	}
	return count;
}

/* Whether a row is worth its whole stack where there is room: what a program hangs in. */
static bool hangs(const struct findings *findings, const struct wait *wait)
{
	if (findings->crash != NULL && findings->crash->thread == wait->thread)
		return false; /* its stack is shown */
	return findings->waits->count == 1 || (wait->activity == THREAD_BLOCKED && !wait->idle);
}

/* How many frames each of those rows may have, so that the report stays within a screen. */
static size_t frames_of_rows(const struct findings *findings, const size_t *firsts, size_t count)
{
	const size_t few = 3, frames = 12;
	size_t hanging = 0;
	if (count > few || (findings->deadlocks != NULL && findings->deadlocks->count > 0))
		return 1;
	for (size_t i = 0; i < count; i++)
		hanging += hangs(findings, findings->wait_groups->items[firsts[i]].members[0]);
	return hanging > 0 ? frames / hanging : 1;
}

static void put_rows(struct text *text, const struct findings *findings,
		     const struct told_threads *told, size_t *rows_of, size_t *firsts,
		     struct group_row *row)
{
	const size_t usual = 8;
	size_t count = make_rows(findings, told, false, rows_of, firsts);
	if (count > usual)
		count = make_rows(findings, told, true, rows_of, firsts);
	const size_t shown = text_rows(text, count, usual);
	const size_t frames = frames_of_rows(findings, firsts, count);
	for (size_t i = 0; i < shown; i++) {
		fill_row(findings->wait_groups, rows_of, i, row);
		put_row(text, findings->crash, row, hangs(findings, row->members[0]) ? frames : 1);
	}
	text_more(text, 8, shown, count, "groups", "waits");
}

void text_thread_groups(struct text *text, const struct findings *findings)
{
	struct told_threads told = { 0 };
	struct group_row row = { 0 };
	if (findings->waits == NULL || findings->wait_groups == NULL || findings->waits->count == 0)
		return;
	const size_t groups = findings->wait_groups->count + 1;
	size_t *rows_of = calloc(groups, sizeof *rows_of);
	size_t *firsts = calloc(groups, sizeof *firsts);
	told.of_wait = calloc(findings->waits->count + 1, 1);
	row.members = calloc(findings->waits->count + 1, sizeof *row.members);
	if (told.of_wait == NULL || row.members == NULL || rows_of == NULL || firsts == NULL) {
		text_heading(text, TEXT_HEADING, "THREADS");
		text_put(text, "not listed: out of memory");
		text_line(text);
	} else {
		tell_deadlocked(findings, &told);
		count_others(findings, &told);
		thread_totals(text, findings->crash, &told);
		put_rows(text, findings, &told, rows_of, firsts, &row);
	}
	free(row.members);
	free(rows_of);
	free(firsts);
	free(told.of_wait);
}
