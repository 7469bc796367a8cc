/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "report/text_go_parts.h"

#include "base/size_text.h"
#include "report/format.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

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

/* With -v the file's path stays whole: on a line of its own where it does not fit. */
static void call_row(struct text *text, unsigned indent, const struct go_call *call)
{
	char site[1024] = "";
	const bool whole = text->style->verbose > 0;
	if (call->file != NULL)
		snprintf(site, sizeof site, " %s:%" PRIu32,
			 whole ? call->file : format_base_name(call->file), call->line);
	const unsigned width = text_width(text, site);
	text_column(text, indent);
	unsigned room = text_room(text);
	const char *function = call->function != NULL ? call->function : "(no Go function)";
	if (!whole)
		room = room > width + 12 ? room - width : 12;
	text_fold(text, function, room);
	text_wrap(text, indent + 2, site);
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

/* --- groups */

/* What is known of a group's members: leaked, and what that keeps; or suspicious. */
static void verdict_row(struct text *text, const struct findings *findings,
			const struct go_group *group)
{
	const struct goroutine_leaks *leaks = findings->goroutine_leaks;
	const struct goroutine_leak *leak = go_text_leak(findings, group);
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
	go_text_duration(least, low, sizeof low);
	go_text_duration(most, high, sizeof high);
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

static void creator_row(struct text *text, const struct go_group *group)
{
	const struct goroutine *one = group->members[0];
	char words[1024] = "";
	if (group->creator.function == NULL)
		return;
	go_text_call("  created by ", &group->creator, words, sizeof words);
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

/* A Go mutex has no owner that it would tell: a deferred call to unlock it does. */
static void holders_words(struct text *text, const struct findings *findings, uint32_t number)
{
	const struct go_object *object = &findings->goroutines->objects.objects.items[number];
	const struct go_lock_holder *first;
	char words[128];
	if (findings->go_lock_holders == NULL ||
	    (object->kind != GO_WAIT_MUTEX && object->kind != GO_WAIT_RWMUTEX))
		return;
	size_t count = go_lock_holders_of(findings->go_lock_holders, number, &first);
	if (count == 0)
		snprintf(words, sizeof words, ", holder unknown");
	else if (count == 1)
		snprintf(words, sizeof words,
			 ", held by goroutine %" PRIu64 ", which has deferred to unlock it",
			 first->holder->id);
	else
		snprintf(words, sizeof words,
			 ", held by goroutine %" PRIu64 " and %zu more, which have deferred to "
			 "unlock it",
			 first->holder->id, count - 1);
	text_wrap(text, 6, words);
}

static void case_row(struct text *text, const struct findings *findings,
		     const struct goroutine *one, const struct go_wait_case *at)
{
	const struct go_object *object = &findings->goroutines->objects.objects.items[at->object];
	char words[512], number[FORMAT_MAX];
	text_put(text, one->wait.kind == GO_WAIT_SELECT
			   ? (at->sends ? "    case send " : "    case receive ")
			   : "  on ");
	text_printf(text, "0x%" PRIx64 " ", object->address);
	if (object->name != NULL) {
		snprintf(words, sizeof words, "<%s> ", object->name);
		text_wrap(text, 6, words);
	}
	object_words(object, words, sizeof words);
	text_wrap(text, 6, words);
	if (object->waiters > 1) {
		snprintf(words, sizeof words, ", %s wait for it",
			 format_count(object->waiters, number));
		text_wrap(text, 6, words);
	}
	holders_words(text, findings, at->object);
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
		case_row(text, findings, one, &goroutines->objects.cases.items[wait->first + i]);
	text_more(text, 4, rows, wait->count, "cases", NULL);
	if (wait->kind == GO_WAIT_SLEEP && wait->due > 0 && goroutines->now > 0) {
		go_text_duration(wait->due - goroutines->now, words, sizeof words);
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
	text_printf(text, ", %s", go_text_state(group->members[0]));
	text_color(text, TEXT_PLAIN);
	waited(text, findings, group);
	text_line(text);
	verdict_row(text, findings, group);
	creator_row(text, group);
	wait_rows(text, findings, group);
	group_ids(text, group);
	stack_rows(text, group->stack, frames);
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
	text_go_open(text, findings, true);
}
