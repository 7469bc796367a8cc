/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "report/report.h"

#include "report/chunk_lines.h"
#include "report/json_parts.h"
#include "report/text_parts.h"

#include <string.h>

static const struct view views[] = {
	{ "report", "one screen: what died, deadlocks, threads, heap, leaks (the default)",
	  NEED_THREADS | NEED_WAITS | NEED_HEAP | NEED_REACHABILITY | NEED_ORPHANS |
	      NEED_LARGEST_ROOTS | NEED_GO,
	  text_report, json_report, NULL },
	{ "threads", "every stack, equal ones grouped", NEED_THREADS, text_threads, json_threads,
	  NULL },
	{ "waits", "what each thread does or waits for, who holds it, and deadlocks",
	  NEED_THREADS | NEED_WAITS, text_waits, json_waits, NULL },
	{ "locks", "every lock that is waited for, and with --all every held one, with its owner",
	  NEED_THREADS | NEED_WAITS | NEED_LOCKS, text_locks, json_locks, NULL },
	{ "heap", "the allocator's arenas, and how much of the heap can be reached",
	  NEED_THREADS | NEED_HEAP | NEED_REACHABILITY, text_heap, json_heap, NULL },
	{ "leaks", "memory that nothing leads to, grouped by what it is",
	  NEED_THREADS | NEED_HEAP | NEED_REACHABILITY | NEED_ORPHANS, text_leaks, json_leaks,
	  NULL },
	{ "goroutines", "every goroutine of a Go program, those alike grouped", NEED_GO,
	  text_goroutines, json_goroutines, NULL },
	{ "profile", "where a Go program allocated, as its own heap profile has it; and others",
	  NEED_PROFILE, text_profile, json_profile, NULL },
	{ "explain", "what ADDR is (explain ADDR …), what keeps it, and who refers to it",
	  NEED_THREADS | NEED_HEAP | NEED_REACHABILITY | NEED_EXPLANATION, text_explain,
	  json_explain, NULL },
	{ "maps", "the loaded files with their build-ids, and every mapping", 0, text_maps,
	  json_maps, NULL },
	{ "chunks", "every chunk, one a line: address, usable size, state, arena",
	  NEED_THREADS | NEED_HEAP | NEED_REACHABILITY, NULL, NULL, chunk_lines },
};

const struct view *view_list(size_t *count)
{
	*count = sizeof views / sizeof *views;
	return views;
}

const struct view *view_find(const char *name)
{
	for (size_t i = 0; i < sizeof views / sizeof *views; i++)
		if (strcmp(views[i].name, name) == 0)
			return &views[i];
	return NULL;
}

bool report_has_graph(const struct view *view)
{
	return (view->needs & NEED_WAITS) != 0;
}

void report_text(const struct view *view, const struct findings *findings,
		 const struct report_style *style, FILE *out)
{
	struct text text = { .out = out, .style = style };
	if (view->stream != NULL) {
		view->stream(findings, style, out);
		return;
	}
	text_header(&text, findings);
	view->text(&text, findings);
	text_gaps(&text, findings, 6);
}

struct error *report_json(const struct view *view, const struct findings *findings,
			  const struct report_style *style, FILE *out)
{
	struct json_document document = { .findings = findings, .style = style };
	struct error *error = NULL;
	document.root = json_object();
	json_common(&document, view->name);
	view->json(&document);
	if (document.root == NULL || document.failed) {
		error = error_no_memory();
	} else {
		/* A write error stays in ferror(out). */
		json_dumpf(document.root, out, JSON_INDENT(1) | JSON_REAL_PRECISION(6));
		fputc('\n', out);
	}
	json_decref(document.root);
	return error;
}
