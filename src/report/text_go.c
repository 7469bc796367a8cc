/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "report/text_go_parts.h"

#include "base/size_text.h"
#include "report/format.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* --- what its views share */

const struct goroutine_leak *go_text_leak(const struct findings *findings,
					  const struct go_group *group)
{
	const struct goroutine_leaks *leaks = findings->goroutine_leaks;
	for (size_t i = 0; leaks != NULL && i < leaks->group_count; i++)
		if (leaks->groups[i].group == group)
			return &leaks->groups[i];
	return NULL;
}

const char *go_text_state(const struct goroutine *one)
{
	return one->state == GO_WAITING && one->reason != NULL ? one->reason
							       : go_state_name(one->state);
}

void go_text_duration(int64_t nanoseconds, char *buffer, size_t size)
{
	int64_t seconds = nanoseconds / 1000000000;
	if (nanoseconds < 10 * (int64_t)1000000000)
		snprintf(buffer, size, "%.1f s", (double)nanoseconds / 1e9);
	else if (seconds < 120)
		snprintf(buffer, size, "%" PRId64 " s", seconds);
	else if (seconds < 7200)
		snprintf(buffer, size, "%" PRId64 " minutes", seconds / 60);
	else
		snprintf(buffer, size, "%" PRId64 " hours", seconds / 3600);
}

void go_text_call(const char *before, const struct go_call *call, char *buffer, size_t size)
{
	size_t length = strlen(buffer);
	if (call->file != NULL)
		snprintf(buffer + length, size - length, "%s%s %s:%" PRIu32, before, call->function,
			 format_base_name(call->file), call->line);
	else
		snprintf(buffer + length, size - length, "%s%s", before, call->function);
}

/* --- GO: the runtime, and goroutines by state */

static void states_row(struct text *text, const struct goroutines *goroutines)
{
	char number[FORMAT_MAX];
	size_t program = 0;
	for (enum go_state state = 0; state < GO_STATE_COUNT; state++)
		program += goroutines_in(goroutines, state);
	text_put(text, "    ");
	text_itemf(text, 4, true, "%s goroutine%s", format_count(program, number),
		   program == 1 ? "" : "s");
	for (enum go_state state = 0; state < GO_STATE_COUNT; state++) {
		size_t count = goroutines_in(goroutines, state);
		if (count > 0)
			text_itemf(text, 4, false, "%s %s", format_count(count, number),
				   go_state_name(state));
	}
	text_itemf(text, 4, false, "%s of the runtime",
		   format_count(goroutines->count - program, number));
	text_line(text);
}

/* "DEADLOCK: goroutine 6 waits for <a.lock>, which goroutine 7 holds; …" */
static void deadlock_rows(struct text *text, const struct findings *findings)
{
	const struct go_lock_holders *holders = findings->go_lock_holders;
	char words[768];
	size_t rows = holders != NULL ? text_rows(text, holders->deadlocks.count, 6) : 0;
	for (size_t i = 0; i < rows; i++) {
		const struct go_deadlock *cycle = &holders->deadlocks.items[i];
		text_put(text, "    ");
		text_colored(text, TEXT_BAD, "DEADLOCK:");
		for (size_t k = 0; k < cycle->count; k++) {
			const struct go_deadlock_link *link =
			    &holders->links.items[cycle->first + k];
			const struct go_object *object =
			    &findings->goroutines->objects.objects.items[link->object];
			uint64_t next =
			    holders->links.items[cycle->first + (k + 1) % cycle->count].waiter->id;
			int length = snprintf(
			    words, sizeof words,
			    "%s goroutine %" PRIu64 " waits for the %s 0x%" PRIx64 "%s%s%s, which ",
			    k > 0 ? ";" : "", link->waiter->id, go_wait_kind_name(object->kind),
			    object->address, object->name != NULL ? " <" : "",
			    object->name != NULL ? object->name : "",
			    object->name != NULL ? ">" : "");
			if (cycle->count == 1)
				snprintf(words + length, sizeof words - (size_t)length,
					 "it holds itself");
			else
				snprintf(words + length, sizeof words - (size_t)length,
					 "goroutine %" PRIu64 " holds", next);
			text_wrap(text, 6, words);
		}
		text_line(text);
	}
	if (holders != NULL)
		text_more(text, 4, rows, holders->deadlocks.count, "deadlocks", "goroutines");
}

static void leak_totals(struct text *text, const struct findings *findings)
{
	const struct goroutine_leaks *leaks = findings->goroutine_leaks;
	char number[FORMAT_MAX];
	if (leaks == NULL)
		return;
	if (leaks->all_wait) {
		text_put(text, "    ");
		text_color(text, TEXT_BAD);
		text_wrap(text, 4,
			  "DEADLOCK: every goroutine of the program waits for another one, and no "
			  "timer is set");
		text_color(text, TEXT_PLAIN);
		text_line(text);
	}
	text_put(text, "    ");
	if (leaks->count == 0) {
		text_put(text, "none is leaked for sure");
	} else {
		text_color(text, TEXT_BAD);
		text_printf(text, "%s leaked", format_count(leaks->count, number));
		text_color(text, TEXT_PLAIN);
		text_wrap(text, 4, ": never to run again; they alone keep ");
		text_wrap(text, 4, size_text(leaks->bytes).text);
		text_wrap(text, 4, ", and stacks of ");
		text_wrap(text, 4, size_text(leaks->stack_bytes).text);
	}
	text_line(text);
}

static void heap_row(struct text *text, const struct findings *findings)
{
	const char *phase = go_collector_phase(findings->go);
	if (findings->go_heap == NULL)
		return;
	text_put(text, "    ");
	text_itemf(text, 4, true, "heap of %s", size_text(findings->go_heap->bytes).text);
	if (findings->goroutine_leaks != NULL)
		text_itemf(text, 4, false, "%s reachable",
			   size_text(findings->goroutine_leaks->live_bytes +
				     findings->goroutine_leaks->bytes)
			       .text);
	if (phase != NULL)
		text_itemf(text, 4, false, "collector %s", phase);
	text_line(text);
}

void text_go(struct text *text, const struct findings *findings)
{
	const struct go_process *go = findings->go;
	char number[FORMAT_MAX];
	if (go == NULL)
		return;
	text_heading(text, TEXT_HEADING, "GO");
	text_itemf(text, 4, true, "%s", go->version);
	if (go->processors.count > 0)
		text_itemf(text, 4, false, "GOMAXPROCS %s",
			   format_count(go->processors.count, number));
	if (go->stripped)
		text_item(text, 4, false, "stripped");
	if (text->style->verbose > 0)
		text_itemf(text, 4, false, "layouts: %s",
			   layout_evidence_name(go->layouts.evidence));
	text_line(text);
	heap_row(text, findings);
	if (findings->goroutines == NULL)
		return;
	states_row(text, findings->goroutines);
	deadlock_rows(text, findings);
	leak_totals(text, findings);
}

/* --- in the report: a line for each of the largest groups */

/* Where the program itself stands, as far as names tell it from Go's inner packages. */
static const struct go_call *site_of(const struct go_stack *stack)
{
	static const char *const inner[] = { "runtime.", "internal/", "sync." };
	for (size_t i = 0; i < stack->count; i++) {
		bool is_inner = stack->calls[i].function == NULL;
		for (size_t k = 0; k < sizeof inner / sizeof *inner && !is_inner; k++)
			is_inner =
			    strncmp(stack->calls[i].function, inner[k], strlen(inner[k])) == 0;
		if (!is_inner)
			return &stack->calls[i];
	}
	return NULL;
}

static void group_line(struct text *text, const struct findings *findings,
		       const struct go_group *group)
{
	char number[FORMAT_MAX], words[1024] = "";
	const struct go_call *site = site_of(group->stack);
	text_right(text, 9, format_count(group->count, number));
	text_printf(text, "  %s", go_text_state(group->members[0]));
	if (go_text_leak(findings, group) != NULL)
		text_colored(text, TEXT_BAD, " (leaked)");
	if (site != NULL)
		go_text_call(" at ", site, words, sizeof words);
	if (group->creator.function != NULL)
		go_text_call(", created by ", &group->creator, words, sizeof words);
	text_wrap(text, 13, words);
	text_line(text);
}

bool text_go_alone(struct text *text, const struct findings *findings, const char *heading)
{
	const struct heap *heap = findings->subject->heap;
	if (heap == NULL || heap->provider != NULL || !findings_have_go(findings))
		return false;
	text_heading(text, TEXT_HEADING, heading);
	text_wrap(text, text->column,
		  "there is no malloc in this Go program: corescan goroutines tells what its "
		  "goroutines keep");
	text_line(text);
	return true;
}

void text_go_report(struct text *text, const struct findings *findings)
{
	const struct goroutines *goroutines = findings->goroutines;
	text_go(text, findings);
	if (goroutines == NULL)
		return;
	size_t count = 0;
	while (count < goroutines->group_count && !goroutines->groups[count].members[0]->system)
		count++;
	size_t rows = text_rows(text, count, 6);
	for (size_t i = 0; i < rows; i++)
		group_line(text, findings, &goroutines->groups[i]);
	text_more(text, 4, rows, count, "groups", "goroutines");
	text_go_open(text, findings, false);
}
