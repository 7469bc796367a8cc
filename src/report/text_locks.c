/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "report/text_parts.h"

#include "report/format.h"

#include <inttypes.h>

/* --- what holds up others, and what is suspected */

void text_convoys(struct text *text, const struct findings *findings)
{
	const struct convoys *convoys = findings->convoys;
	if (convoys == NULL || convoys->count == 0)
		return;
	size_t rows = text_rows(text, convoys->count, 5);
	text_heading(text, TEXT_WARN, "HELD UP");
	for (size_t i = 0; i < rows; i++) {
		if (i > 0)
			text_column(text, 9);
		text_wrap(text, 9, convoys->items[i].sentence);
		text_line(text);
	}
	text_more(text, 9, rows, convoys->count, "convoys", NULL);
}

void text_suspicions(struct text *text, const struct findings *findings)
{
	const struct suspicions *suspicions = findings->suspicions;
	for (size_t i = 0; suspicions != NULL && i < suspicions->count; i++) {
		text_heading(text, TEXT_WARN, "SUSPICION");
		text_wrap(text, 11, suspicions->items[i].sentence);
		text_line(text);
	}
}

/* --- corescan locks */

static int32_t tid_of_waiter(const void *context, size_t index)
{
	const struct lock *lock = context;
	return lock->waiters[index]->thread->tid;
}

static void lock_evidence(struct text *text, const struct lock *lock)
{
	if (text->style->verbose == 0 || lock->evidence == NULL)
		return;
	text_put(text, "      known from: ");
	text_wrap(text, 8, lock->evidence);
	text_line(text);
}

/* Locks that nobody waits for are told behind their owner. */
static void held_row(struct text *text, const struct lock *lock, const struct lock *before)
{
	char words[64];
	if (before == NULL || before->waiter_count > 0 || before->owner != lock->owner) {
		if (lock->owner_wait != NULL)
			text_thread(text, lock->owner_wait->thread);
		text_wrap(text, 6, " ");
		text_wrap(text, 6, lock->owner_does != NULL ? lock->owner_does : "");
		text_wrap(text, 6, ", and holds:");
		text_line(text);
	}
	snprintf(words, sizeof words, "%s 0x%" PRIx64 " ", lock_kind_name(lock->kind),
		 lock->address);
	text_column(text, 6);
	text_put(text, words);
	bool symbol = lock->name != NULL && lock->name[0] == '<';
	if (lock->name != NULL) {
		text_put(text, symbol ? "" : "(");
		text_wrap(text, 8, lock->name);
		text_put(text, symbol ? "" : ")");
	}
	if (lock->detail != NULL) {
		text_put(text, ", ");
		text_wrap(text, 8, lock->detail);
	}
	text_line(text);
	lock_evidence(text, lock);
}

static void lock_row(struct text *text, const struct lock *lock)
{
	char number[FORMAT_MAX];
	if (lock->owner_state == OWNER_GONE)
		text_colored(text, TEXT_BAD, "ORPHANED ");
	text_wrap(text, 6, lock->text);
	text_line(text);
	if (lock->waiter_count > 0) {
		text_printf(text,
			    "      %s thread%s wait%s: ", format_count(lock->waiter_count, number),
			    lock->waiter_count == 1 ? "" : "s", lock->waiter_count == 1 ? "s" : "");
		text_tids(text, 8, tid_of_waiter, lock, lock->waiter_count);
		text_line(text);
	}
	lock_evidence(text, lock);
}

static void lock_totals(struct text *text, const struct locks *locks)
{
	size_t awaited = 0, orphaned = 0;
	char number[FORMAT_MAX];
	for (size_t i = 0; i < locks->count; i++) {
		awaited += locks->items[i].waiter_count > 0;
		orphaned += locks->items[i].owner_state == OWNER_GONE;
	}
	text_heading(text, TEXT_HEADING, "LOCKS");
	text_itemf(text, 7, true, "%s waited for", format_count(awaited, number));
	if (locks->count > awaited)
		text_itemf(text, 7, false, "%s held that nobody waits for",
			   format_count(locks->count - awaited, number));
	if (orphaned > 0)
		text_itemf(text, 7, false, "%s orphaned", format_count(orphaned, number));
	text_line(text);
}

void text_locks(struct text *text, const struct findings *findings)
{
	text_deadlocks(text, findings, true);
	text_convoys(text, findings);
	text_suspicions(text, findings);
	const struct locks *locks = findings->locks;
	if (locks == NULL)
		return;
	lock_totals(text, locks);
	size_t rows = text_rows(text, locks->count, 100);
	for (size_t i = 0; i < rows; i++)
		locks->items[i].waiter_count > 0
		    ? lock_row(text, &locks->items[i])
		    : held_row(text, &locks->items[i], i > 0 ? &locks->items[i - 1] : NULL);
	text_more(text, 0, rows, locks->count, "locks", NULL);
}
