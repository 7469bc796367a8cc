/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "report/text_parts.h"

#include "report/format.h"

#include <inttypes.h>
#include <string.h>

static const char *name_of(const struct thread *thread)
{
	return thread->name != NULL ? thread->name : "";
}

static bool same_names(const struct stack_group *group)
{
	for (size_t i = 1; i < group->count; i++)
		if (strcmp(name_of(group->members[i]), name_of(group->members[0])) != 0)
			return false;
	return true;
}

static int32_t tid_of_member(const void *context, size_t index)
{
	const struct stack_group *group = context;
	return group->members[index]->tid;
}

static int32_t inner_tid_of_member(const void *context, size_t index)
{
	const struct stack_group *group = context;
	return group->members[index]->raw->inner_tid;
}

static void group_tids(struct text *text, const struct stack_group *group)
{
	text_tids(text, 4, tid_of_member, group, group->count);
	if (group->members[0]->raw == NULL || group->members[0]->raw->inner_tid == 0)
		return;
	text_wrap(text, 4, " (inside: ");
	text_tids(text, 4, inner_tid_of_member, group, group->count);
	text_put(text, ")");
}

static void group_named_tids(struct text *text, const struct stack_group *group)
{
	for (size_t i = 0; i < group->count; i++)
		text_itemf(text, 4, i == 0, "%" PRId32 " \"%s\"", group->members[i]->tid,
			   group->members[i]->name != NULL ? group->members[i]->name : "");
}

static void group_heading(struct text *text, const struct stack_group *group,
			  const struct crash *crash)
{
	char number[FORMAT_MAX];
	const struct thread *first = group->members[0];
	text_section(text);
	text_color(text, first->crashed ? TEXT_BAD : TEXT_HEADING);
	if (group->count == 1) {
		text_thread(text, first);
		if (first->killed_from_outside)
			text_killed(text, 4, crash);
		else if (first->crashed && crash != NULL && crash->signal_name != NULL)
			text_printf(text, ", got %s", crash->signal_name);
	} else {
		text_printf(text, "%s threads", format_count(group->count, number));
		if (same_names(group) && name_of(first)[0] != '\0')
			text_printf(text, " \"%s\"", name_of(first));
	}
	text_color(text, TEXT_PLAIN);
	if (group->count > 1) {
		text_put(text, ": ");
		if (same_names(group))
			group_tids(text, group);
		else
			group_named_tids(text, group);
	}
	text_line(text);
}

void text_threads(struct text *text, const struct findings *findings)
{
	const struct stack_groups *groups = findings->stacks;
	text_crash(text, findings, 0);
	if (groups == NULL)
		return;
	size_t rows = text_rows(text, groups->count, 50);
	for (size_t i = 0; i < rows; i++) {
		group_heading(text, &groups->items[i], findings->crash);
		const struct thread *first = groups->items[i].members[0];
		if (findings->variables != NULL && groups->items[i].count > 1) {
			text_printf(text, "  the values are those of %" PRId32, first->tid);
			text_line(text);
		}
		text_frames(text, findings, 2, first, first->frame_count,
			    text_rows(text, first->frame_count, 64));
	}
	text_more(text, 0, rows, groups->count, "different stacks", NULL);
}
