/* Renderers: pure functions of the findings. A view is a row in the table in views.c: its name, its
 * text renderer, its JSON renderer, and which findings it needs.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORESCAN_REPORT_REPORT_H
#define CORESCAN_REPORT_REPORT_H

#include "report/findings.h"

#include <stdio.h>

enum finding_need {
	NEED_THREADS = 1, /* threads, stacks, crash */
	NEED_WAITS = 2,
	NEED_HEAP = 4, /* chunks and arenas */
	NEED_REACHABILITY = 8,
	NEED_ORPHANS = 16,
	NEED_RETAINED = 32,
	NEED_LARGEST_ROOTS = 128, /* the same, of a heap that is quickly gone through */
	NEED_EXPLANATION = 64,	  /* what an address is: ADDR is the first argument */
	NEED_GO = 512,		  /* the Go runtime, where there is one, and its goroutines */
	NEED_PROFILE = 1024,	  /* of a Go program, of the kind that was asked for */
	NEED_SIZES = 2048,	  /* how chunks in use are spread over sizes */
	NEED_LOCKS = 256,	  /* with --all also those in memory, which needs the heap */
};

struct report_style {
	bool color;
	bool utf8;	  /* false: only ASCII may be printed */
	unsigned width;	  /* columns to fit: lines are folded, never wrapped by chance */
	int limit;	  /* rows per list; 0: all; -1: the view's own default (all, in JSON) */
	unsigned verbose; /* 0, 1 …: -v given so often */
	bool json;	  /* --json; for the views that are streams */
	unsigned states;  /* bits 1 << enum chunk_state: the chunks that `chunks` lists */
};

struct text;
struct json_document;

/* To add a view: a row in views.c, its two renderers in text_NAME.c and json_NAME.c. */
struct view {
	const char *name; /* the command: "report", "threads", "waits", "heap", "leaks", "maps" */
	const char *summary; /* for --help */
	unsigned needs;	     /* enum finding_need */
	/* What stands between the header and the gaps. */
	void (*text)(struct text *text, const struct findings *findings);
	/* Adds this view's members to the document. */
	void (*json)(struct json_document *document);
	/* Writes the document's last member, `"name": [ … ]`, where it has too many rows to be held
	 * in memory; or NULL. */
	void (*json_rows)(struct json_document *document, FILE *out);
	/* In place of both: lines for scripts, without header and gaps (the command line tells the
	 * gaps on standard error). */
	void (*stream)(const struct findings *findings, const struct report_style *style,
		       FILE *out);
};

/* The row named `name`, or NULL. */
const struct view *view_find(const char *name);
const struct view *view_list(size_t *count);

/* Renders `view` as text to `out`. Write errors are left in ferror(out). */
void report_text(const struct view *view, const struct findings *findings,
		 const struct report_style *style, FILE *out);

/* Renders `view` as one JSON document (schema: share/corescan/report.schema.json) to `out`.
 * ERROR_NO_MEMORY. */
struct error *report_json(const struct view *view, const struct findings *findings,
			  const struct report_style *style, FILE *out);

/* Whether --dot has a graph of this view. */
bool report_has_graph(const struct view *view);

#endif
