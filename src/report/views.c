/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "report/report.h"

#include "report/chunk_lines.h"
#include "report/document.h"
#include "report/json_parts.h"
#include "report/text_parts.h"

#include <stdlib.h>
#include <string.h>

static const struct view views[] = {
	{ "report", "one screen: what died, deadlocks, threads, heap, leaks (the default)",
	  NEED_THREADS | NEED_WAITS | NEED_HEAP | NEED_REACHABILITY | NEED_ORPHANS |
	      NEED_LARGEST_ROOTS | NEED_GO,
	  .text = text_report, .json = json_report },
	{ "threads", "every stack, equal ones grouped", NEED_THREADS, .text = text_threads,
	  .json = json_threads },
	{ "waits", "what each thread does or waits for, who holds it, and deadlocks",
	  NEED_THREADS | NEED_WAITS, .text = text_waits, .json = json_waits },
	{ "locks", "every lock that is waited for, and with --all every held one, with its owner",
	  NEED_THREADS | NEED_WAITS | NEED_LOCKS, .text = text_locks, .json = json_locks },
	{ "heap", "the allocator's arenas, and how much of the heap can be reached",
	  NEED_THREADS | NEED_HEAP | NEED_REACHABILITY, .text = text_heap, .json = json_heap },
	{ "leaks", "memory that nothing leads to, grouped by what it is",
	  NEED_THREADS | NEED_HEAP | NEED_REACHABILITY | NEED_ORPHANS, .text = text_leaks,
	  .json = json_leaks },
	{ "goroutines", "every goroutine of a Go program, those alike grouped", NEED_GO,
	  .text = text_goroutines, .json = json_go, .json_rows = json_goroutines },
	{ "profile", "where a Go program allocated, as its own heap profile has it; and others",
	  NEED_PROFILE, .text = text_profile, .json = json_profile },
	{ "explain", "what ADDR is (explain ADDR …), what keeps it, and who refers to it",
	  NEED_THREADS | NEED_HEAP | NEED_REACHABILITY | NEED_EXPLANATION, .text = text_explain,
	  .json = json_explain },
	{ "maps", "the loaded files with their build-ids, and every mapping", 0, .text = text_maps,
	  .json = json_maps },
	{ "chunks", "every chunk, one a line: address, usable size, state, arena",
	  NEED_THREADS | NEED_HEAP | NEED_REACHABILITY, .stream = chunk_lines },
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

static void write_document(const struct view *view, struct json_document *document, FILE *out)
{
	static const size_t flags = JSON_INDENT(1) | JSON_REAL_PRECISION(6);
	if (view->json_rows == NULL) {
		json_dumpf(document->root, out, flags);
		fputc('\n', out);
		return;
	}
	char *text = json_dumps(document->root, flags);
	const char *end = text != NULL ? strrchr(text, '}') : NULL;
	if (end == NULL) {
		document->failed = true;
		free(text);
		return;
	}
	/* All but the brace that ends it, and the line's end before. */
	fwrite(text, 1, (size_t)(end - text) - 1, out);
	free(text);
	fputs(",\n", out);
	view->json_rows(document, out);
	fputs("\n}\n", out);
}

static void json_for_diff(struct json_document *document)
{
	json_leaks(document);
	json_threads(document);
	json_go(document);
	if (document->findings->profile != NULL)
		json_profile(document);
}

const struct view *view_for_diff(void)
{
	static const struct view all = {
		.name = "report",
		.needs = NEED_THREADS | NEED_HEAP | NEED_REACHABILITY | NEED_ORPHANS |
			 NEED_RETAINED | NEED_SIZES | NEED_GO | NEED_PROFILE,
		.json = json_for_diff,
	};
	return &all;
}

/* False when memory ran out; .root is the caller's all the same. */
static bool make_document(const struct view *view, struct json_document *document)
{
	document->root = json_object();
	json_common(document, view->name);
	view->json(document);
	return document->root != NULL && !document->failed;
}

struct error *report_document(const struct view *view, const struct findings *findings,
			      const struct report_style *style, json_t **result)
{
	struct json_document document = { .findings = findings, .style = style };
	if (!make_document(view, &document)) {
		json_decref(document.root);
		return error_no_memory();
	}
	*result = document.root;
	return NULL;
}

struct error *report_json(const struct view *view, const struct findings *findings,
			  const struct report_style *style, FILE *out)
{
	struct json_document document = { .findings = findings, .style = style };
	/* A write error stays in ferror(out). */
	if (make_document(view, &document))
		write_document(view, &document, out);
	const bool failed = document.root == NULL || document.failed;
	json_decref(document.root);
	return failed ? error_no_memory() : NULL;
}
