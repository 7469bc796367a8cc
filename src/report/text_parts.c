/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "report/text_parts.h"

#include "report/format.h"

#include <inttypes.h>

void text_heading(struct text *text, enum text_color color, const char *heading)
{
	text_section(text);
	text_colored(text, color, heading);
	text_column(text, text->column + 2);
}

/* --- header */

static void header_program(struct text *text, const struct findings *findings)
{
	static const char *const said[] = {
		[MODULE_VERIFIED] = "matches",
		[MODULE_UNVERIFIED] = "not verified",
		[MODULE_MISMATCH] = "THE FILE IS ANOTHER BUILD, not used",
		[MODULE_MISSING] = "file not found",
	};
	const struct module *program = findings_executable(findings);
	if (program == NULL) {
		const char *exe = findings->subject->target->exe;
		text_itemf(text, 2, false, "%s (not found in memory)", exe != NULL ? exe : "?");
		return;
	}
	char id[BUILD_ID_TEXT_MAX];
	size_t digits = text->style->verbose > 0 ? BUILD_ID_TEXT_MAX : 8;
	const struct target *target = findings->subject->target;
	const char *path = program->file != NULL ? program->file : program->path;
	/* Of a file that is gone from its path, the path says more than where it was still found.
	 */
	bool deleted = target->deleted && target->exe != NULL;
	if (deleted)
		path = target->exe;
	if (path == NULL)
		path = "?";
	const char *gone = deleted ? " (deleted)" : "";
	module_build_id(program, digits, id);
	if (id[0] != '\0')
		text_itemf(text, 2, false, "%s%s (build-id %s, %s)", path, gone, id,
			   said[program->match]);
	else
		text_itemf(text, 2, false, "%s%s (no build-id, %s)", path, gone,
			   said[program->match]);
	if (findings->run_as != NULL)
		text_itemf(text, 2, false, "run as %s", findings->run_as);
}

static void header_layouts(struct text *text, const struct findings *findings)
{
	const struct glibc_pthreads *pthreads = findings->subject->pthreads;
	const char *version = findings->libc_version;
	const struct module *program = findings_executable(findings);
	const char *unknown = program != NULL && program->is_libc
				  ? "glibc, static, its version not told by the program"
				  : "glibc of unknown version";
	if (pthreads != NULL && pthreads->layout.evidence != LAYOUT_NONE)
		text_itemf(text, 2, false, "%s (layouts from %s)",
			   version != NULL ? version : unknown,
			   layout_evidence_name(pthreads->layout.evidence));
	else if (version != NULL)
		text_item(text, 2, false, version);
}

static void header_process(struct text *text, const struct target *target)
{
	text_printf(text, "process %" PRId32, target->pid);
	if (target->inner_pid != 0)
		text_printf(text, " (%" PRId32 " in its own PID namespace)", target->inner_pid);
}

static void header_stop(struct text *text, const struct target *target)
{
	char number[FORMAT_MAX];
	if (target->unstopped)
		text_item(text, 2, false, "was not stopped");
	else if (target->held)
		text_item(text, 2, false, "is held by a debugger");
	else if (target->stopped_because != NULL)
		text_itemf(text, 2, false, "was stopped for %s (%s)",
			   format_duration(target->paused_us, number), target->stopped_because);
	else
		text_itemf(text, 2, false, "was stopped for %s",
			   format_duration(target->paused_us, number));
}

void text_header(struct text *text, const struct findings *findings)
{
	const struct subject *subject = findings->subject;
	const struct target *target = subject->target;
	char number[FORMAT_MAX];

	text_color(text, TEXT_HEADING);
	if (target->kind == TARGET_LIVE)
		header_process(text, target);
	else
		text_wrap(text, 2, target->path != NULL ? target->path : "?");
	text_color(text, TEXT_PLAIN);
	header_program(text, findings);
	text_itemf(text, 2, false, "%s", target->arch->name);
	header_layouts(text, findings);
	if (target->kind != TARGET_LIVE && target->pid != 0)
		text_itemf(text, 2, false, "pid %" PRId32, target->pid);
	text_itemf(text, 2, false, "%s thread%s", format_count(target->threads.count, number),
		   target->threads.count == 1 ? "" : "s");
	if (target->kind == TARGET_LIVE)
		header_stop(text, target);
	text_line(text);
	if (text->style->verbose > 0 && target->command != NULL) {
		text_put(text, "  ");
		text_wrap(text, 2, target->command);
		text_line(text);
	}
}

/* --- gaps */

void text_gaps(struct text *text, const struct findings *findings, size_t usual)
{
	const struct gaps *gaps = findings->subject->gaps;
	size_t rows = text_rows(text, gaps->list.count, usual);
	if (!findings_partial(findings))
		return;
	text_heading(text, TEXT_WARN, "NOT EXAMINED");
	text_line(text);
	for (size_t i = 0; i < rows; i++) {
		text_put(text, "  ");
		text_wrap(text, 4, gaps->list.items[i].text);
		text_line(text);
	}
	text_more(text, 2, rows, gaps->list.count, "gaps", NULL);
	if (gaps->lost) {
		text_put(text, "  memory ran out: some gaps are not listed");
		text_line(text);
	}
	text_section(text);
	text_printf(text, "exit status %d (%s)", findings->exit_status,
		    findings->exit_status == 1 ? "partial"
					       : "partial, and --fail-on found its condition");
	text_line(text);
}
