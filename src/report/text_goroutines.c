/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "report/text_parts.h"

#include "base/size_text.h"
#include "report/format.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

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

/* --- stacks */

static bool is_runtime(const struct go_call *call)
{
	return call->function != NULL && strncmp(call->function, "runtime.", 8) == 0;
}

/* Where the program itself stands: the runtime's own functions on top are told with -v alone. */
static size_t first_call(const struct text *text, const struct go_stack *stack)
{
	size_t first = 0;
	while (first < stack->count && is_runtime(&stack->calls[first]))
		first++;
	return text->style->verbose > 0 || first == stack->count ? 0 : first;
}

/* How the stack ends in every goroutine. */
static size_t last_call(const struct text *text, const struct go_stack *stack)
{
	size_t last = stack->count;
	if (text->style->verbose == 0 && last > 1 && stack->calls[last - 1].function != NULL &&
	    strcmp(stack->calls[last - 1].function, "runtime.goexit") == 0)
		last--;
	return last;
}

static void call_site(struct text *text, const struct go_call *call)
{
	char place[FORMAT_MAX + 8];
	if (call->file == NULL)
		return;
	snprintf(place, sizeof place, ":%" PRIu32, call->line);
	text_put(text, text->style->verbose > 0 ? call->file : format_base_name(call->file));
	text_put(text, place);
}

static void call_row(struct text *text, unsigned indent, const struct go_call *call)
{
	unsigned place = 0;
	if (call->file != NULL)
		place = text_width(text, format_base_name(call->file)) + 7;
	text_column(text, indent);
	unsigned room = text_room(text);
	text_fold(text, call->function != NULL ? call->function : "(no Go function)",
		  room > place + 12 ? room - place : 12);
	text_put(text, " ");
	call_site(text, call);
	text_line(text);
}

static void stack_rows(struct text *text, const struct go_stack *stack, size_t usual)
{
	size_t first = first_call(text, stack), last = last_call(text, stack);
	size_t rows = text_rows(text, last - first, usual);
	for (size_t i = first; i < first + rows; i++) {
		if (stack->left_out > 0 && i == stack->left_out_before) {
			text_printf(text, "    … %zu frames", stack->left_out);
			text_line(text);
		}
		call_row(text, 4, &stack->calls[i]);
	}
	text_more(text, 4, rows, last - first, "frames", NULL);
	if (!stack->complete && stack->stopped != NULL) {
		text_put(text, "    the stack ends early: ");
		text_wrap(text, 6, stack->stopped);
		text_line(text);
	}
}

/* --- leaked goroutines */

static const struct goroutine_leak *leak_of(const struct findings *findings,
					    const struct go_group *group)
{
	const struct goroutine_leaks *leaks = findings->goroutine_leaks;
	for (size_t i = 0; leaks != NULL && i < leaks->group_count; i++)
		if (leaks->groups[i].group == group)
			return &leaks->groups[i];
	return NULL;
}

/* What is known of a group's members: leaked, and what that keeps; or suspicious. */
static void verdict_row(struct text *text, const struct findings *findings,
			const struct go_group *group)
{
	const struct goroutine_leaks *leaks = findings->goroutine_leaks;
	const struct goroutine_leak *leak = leak_of(findings, group);
	char number[FORMAT_MAX], words[256];
	if (leak != NULL) {
		text_put(text, "  ");
		text_color(text, TEXT_BAD);
		text_put(text, "leaked");
		text_color(text, TEXT_PLAIN);
		if (leak->count < group->count)
			text_printf(text, ", %s of them", format_count(leak->count, number));
		text_put(text, ": ");
		text_wrap(text, 4, goroutine_leak_reason(group->members[0]));
		snprintf(words, sizeof words, "; they alone keep %s, and stacks of ",
			 size_text(leak->bytes).text);
		text_wrap(text, 4, words);
		text_wrap(text, 4, size_text(leak->stack_bytes).text);
		text_line(text);
	}
	if (leaks != NULL && leaks->main_waits_forever && group->members[0]->id == 1) {
		text_put(text, "  ");
		text_colored(text, TEXT_WARN, "main");
		text_wrap(text, 4,
			  " waits for what nothing that can run leads to: it hangs, or is meant to "
			  "wait for ever");
		text_line(text);
	}
	for (size_t i = 0; leaks != NULL && i < leaks->suspicion_count; i++) {
		if (leaks->suspicions[i].group != group)
			continue;
		text_put(text, "  ");
		text_colored(text, TEXT_WARN, "suspicious");
		text_put(text, ": so many, but ");
		text_wrap(text, 4, leaks->suspicions[i].why);
		text_line(text);
	}
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
	if (findings->goroutines == NULL)
		return;
	states_row(text, findings->goroutines);
	leak_totals(text, findings);
}

/* --- groups */

static const char *what_it_does(const struct goroutine *one)
{
	return one->state == GO_WAITING && one->reason != NULL ? one->reason
							       : go_state_name(one->state);
}

/* "5 s", "12 minutes", "3 hours": of nanoseconds. */
static void duration_words(int64_t nanoseconds, char *buffer, size_t size)
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

/* How long the group's members have waited at least, as far as collections tell. */
static void waited(struct text *text, const struct findings *findings, const struct go_group *group)
{
	int64_t least = INT64_MAX, most = 0, now = findings->goroutines->now;
	char low[FORMAT_MAX], high[FORMAT_MAX];
	for (size_t i = 0; i < group->count; i++) {
		int64_t since = group->members[i]->wait_since;
		if (group->members[i]->state != GO_WAITING || since <= 0 || since > now)
			return;
		least = now - since < least ? now - since : least;
		most = now - since > most ? now - since : most;
	}
	if (most < 1000000000)
		return;
	duration_words(least, low, sizeof low);
	duration_words(most, high, sizeof high);
	if (strcmp(low, high) == 0)
		text_printf(text, ", for %s at least", high);
	else
		text_printf(text, ", for %s to %s at least", low, high);
}

static void group_ids(struct text *text, const struct go_group *group)
{
	size_t rows = text_rows(text, group->count, 8);
	text_put(text, group->count == 1 ? "  id " : "  ids ");
	for (size_t i = 0; i < rows; i++) {
		char words[FORMAT_MAX];
		bool last = i + 1 == group->count;
		snprintf(words, sizeof words, "%" PRIu64 "%s", group->members[i]->id,
			 last		? ""
			 : i + 1 < rows ? ", "
					: " …");
		text_wrap(text, 6, words);
	}
	if (group->members[0]->tid != 0 && group->count == 1)
		text_printf(text, ", on thread %d", (int)group->members[0]->tid);
	text_line(text);
}

/* "before function file.go:12", as one string: lines break between its words. */
static void call_words(const char *before, const struct go_call *call, char *buffer, size_t size)
{
	size_t length = strlen(buffer);
	if (call->file != NULL)
		snprintf(buffer + length, size - length, "%s%s %s:%" PRIu32, before, call->function,
			 format_base_name(call->file), call->line);
	else
		snprintf(buffer + length, size - length, "%s%s", before, call->function);
}

static void creator_row(struct text *text, const struct go_group *group)
{
	const struct goroutine *one = group->members[0];
	char words[1024] = "";
	if (group->creator.function == NULL)
		return;
	call_words("  created by ", &group->creator, words, sizeof words);
	text_wrap(text, 4, words);
	if (group->count == 1 && one->parent != 0) {
		snprintf(words, sizeof words, " in goroutine %" PRIu64, one->parent);
		text_wrap(text, 4, words);
	}
	text_line(text);
}

/* "chan int, 0 of 3 full, closed"; other objects only have their kind. */
static void object_words(const struct go_object *object, char *buffer, size_t size)
{
	if (object->kind != GO_WAIT_CHANNEL) {
		snprintf(buffer, size, "%s", go_wait_kind_name(object->kind));
		return;
	}
	const char *type = object->type != NULL ? object->type : "?";
	const char *closed = object->closed ? ", closed" : "";
	if (object->room == 0)
		snprintf(buffer, size, "chan %s, unbuffered%s", type, closed);
	else
		snprintf(buffer, size, "chan %s, %" PRIu64 " of %" PRIu64 " in it%s", type,
			 object->length, object->room, closed);
}

static void case_row(struct text *text, const struct goroutines *goroutines,
		     const struct goroutine *one, const struct go_wait_case *at)
{
	const struct go_object *object = &goroutines->objects.objects.items[at->object];
	char words[512], number[FORMAT_MAX];
	text_put(text, one->wait.kind == GO_WAIT_SELECT
			   ? (at->sends ? "    case send " : "    case receive ")
			   : "  on ");
	text_printf(text, "0x%" PRIx64 " ", object->address);
	if (object->name != NULL)
		text_printf(text, "<%s> ", object->name);
	object_words(object, words, sizeof words);
	text_wrap(text, 6, words);
	if (object->waiters > 1)
		text_printf(text, ", %s wait for it", format_count(object->waiters, number));
	text_line(text);
}

/* The objects of a group's first member; of how many more the others wait for. */
static void wait_rows(struct text *text, const struct findings *findings,
		      const struct go_group *group)
{
	const struct goroutines *goroutines = findings->goroutines;
	const struct goroutine *one = group->members[0];
	const struct go_wait *wait = &one->wait;
	char words[FORMAT_MAX];
	size_t rows = text_rows(text, wait->count, 6);
	for (size_t i = 0; i < rows; i++)
		case_row(text, goroutines, one, &goroutines->objects.cases.items[wait->first + i]);
	text_more(text, 4, rows, wait->count, "cases", NULL);
	if (wait->kind == GO_WAIT_SLEEP && wait->due > 0 && goroutines->now > 0) {
		duration_words(wait->due - goroutines->now, words, sizeof words);
		text_printf(text,
			    wait->due > goroutines->now ? "  ends in %s" : "  was to end by now",
			    words);
		text_line(text);
	}
	if (wait->fd >= 0) {
		text_printf(text, "  on fd %d", (int)wait->fd);
		if (wait->name != NULL)
			text_printf(text, ", %s", wait->name);
		if (wait->peer != NULL)
			text_printf(text, " to %s", wait->peer);
		text_line(text);
	}
}

static void group_rows(struct text *text, const struct findings *findings,
		       const struct go_group *group, size_t frames)
{
	char number[FORMAT_MAX];
	text_section(text);
	text_color(text, TEXT_HEADING);
	text_printf(text, "%s goroutine%s", format_count(group->count, number),
		    group->count == 1 ? "" : "s");
	text_printf(text, ", %s", what_it_does(group->members[0]));
	text_color(text, TEXT_PLAIN);
	waited(text, findings, group);
	text_line(text);
	verdict_row(text, findings, group);
	creator_row(text, group);
	wait_rows(text, findings, group);
	group_ids(text, group);
	stack_rows(text, group->stack, frames);
}

/* --- what is held open */

static size_t connections(const struct go_resources *resources)
{
	size_t count = 0;
	for (size_t i = 0; i < resources->files.count; i++)
		count += resources->files.items[i].connection;
	return count;
}

static void counts_row(struct text *text, const struct go_resources *resources)
{
	char number[FORMAT_MAX];
	size_t open = resources->files.count, net = connections(resources), awaited = 0;
	for (size_t i = 0; i < resources->tickers.count; i++)
		awaited += resources->tickers.items[i].awaited;
	text_heading(text, TEXT_HEADING, "OPEN");
	text_itemf(text, 6, true, "%s file%s", format_count(open - net, number),
		   open - net == 1 ? "" : "s");
	text_itemf(text, 6, false, "%s connection%s", format_count(net, number),
		   net == 1 ? "" : "s");
	if (resources->tickers.count > 0)
		text_itemf(text, 6, false, "%s ticker%s set, %zu awaited",
			   format_count(resources->tickers.count, number),
			   resources->tickers.count == 1 ? "" : "s", awaited);
	if (resources->long_sleeps > 0)
		text_itemf(text, 6, false, "%s asleep for hours",
			   format_count(resources->long_sleeps, number));
	text_line(text);
	if (resources->tickers.count > awaited && resources->tickers_are_kept) {
		text_put(text, "  ");
		text_wrap(text, 4,
			  "this program keeps a ticker, and what its channel leads to, until it is "
			  "stopped");
		text_line(text);
	}
}

static void body_rows(struct text *text, const struct go_resources *resources)
{
	char number[FORMAT_MAX];
	const char *peer = NULL;
	if (resources->bodies.count == 0)
		return;
	for (size_t i = 0; i < resources->bodies.count && peer == NULL; i++)
		peer = resources->bodies.items[i].peer;
	text_put(text, "  ");
	text_color(text, TEXT_WARN);
	text_printf(text, "%s http.Response.Body not closed",
		    format_count(resources->bodies.count, number));
	text_color(text, TEXT_PLAIN);
	text_wrap(text, 4, ", or not read to its end: each keeps a connection and two goroutines");
	if (peer != NULL) {
		text_wrap(text, 4, resources->bodies.count > 1 ? "; one is from " : "; from ");
		text_wrap(text, 4, peer);
	}
	text_line(text);
}

static void defer_rows(struct text *text, const struct go_resources *resources)
{
	char number[FORMAT_MAX];
	size_t rows = text_rows(text, resources->defers.count, 5);
	for (size_t i = 0; i < rows; i++) {
		const struct go_defers *defers = &resources->defers.items[i];
		text_put(text, "  ");
		text_color(text, TEXT_WARN);
		text_printf(text, "%s deferred calls", format_count(defers->count, number));
		text_color(text, TEXT_PLAIN);
		text_printf(text, " piled up in goroutine %" PRIu64, defers->goroutine->id);
		if (defers->function != NULL) {
			text_wrap(text, 4, ", the next is ");
			text_wrap(text, 4, defers->function);
		}
		text_line(text);
	}
	text_more(text, 2, rows, resources->defers.count, "goroutines", NULL);
}

static void file_rows(struct text *text, const struct go_resources *resources)
{
	size_t rows = text_rows(text, resources->files.count, text->style->verbose > 0 ? 100 : 0);
	for (size_t i = 0; i < rows; i++) {
		const struct go_open_file *file = &resources->files.items[i];
		text_printf(text, "  fd %d ", (int)file->fd);
		if (file->connection)
			text_printf(text, "%s ", file->network);
		text_wrap(text, 6, file->name != NULL ? file->name : "");
		if (file->peer != NULL) {
			text_wrap(text, 6, " to ");
			text_wrap(text, 6, file->peer);
		}
		text_line(text);
	}
	if (text->style->verbose > 0)
		text_more(text, 2, rows, resources->files.count, "files", NULL);
}

static void text_go_resources(struct text *text, const struct findings *findings, bool all)
{
	const struct go_resources *resources = findings->go_resources;
	if (resources == NULL || (resources->files.count == 0 && resources->tickers.count == 0 &&
				  resources->defers.count == 0 && resources->long_sleeps == 0))
		return;
	counts_row(text, resources);
	body_rows(text, resources);
	defer_rows(text, resources);
	if (all)
		file_rows(text, resources);
}

void text_goroutines(struct text *text, const struct findings *findings)
{
	const struct goroutines *goroutines = findings->goroutines;
	text_go(text, findings);
	if (findings->go == NULL) {
		const bool has_go = findings_have_go(findings);
		text_section(text);
		text_put(text, has_go ? "The Go runtime of this process could not be read."
				      : "There is no Go runtime in this process.");
		text_line(text);
	}
	if (goroutines == NULL)
		return;
	size_t count = goroutines->group_count;
	while (text->style->verbose == 0 && count > 0 &&
	       goroutines->groups[count - 1].members[0]->system)
		count--;
	size_t rows = text_rows(text, count, 30);
	for (size_t i = 0; i < rows; i++)
		group_rows(text, findings, &goroutines->groups[i], 24);
	text_more(text, 0, rows, count, "groups", NULL);
	text_go_resources(text, findings, true);
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
	text_printf(text, "  %s", what_it_does(group->members[0]));
	if (leak_of(findings, group) != NULL)
		text_colored(text, TEXT_BAD, " (leaked)");
	if (site != NULL)
		call_words(" at ", site, words, sizeof words);
	if (group->creator.function != NULL)
		call_words(", created by ", &group->creator, words, sizeof words);
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
	text_go_resources(text, findings, false);
}
