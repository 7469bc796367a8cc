/* The JSON views: one document, whose members are described by
 * share/corescan/report.schema.json. A new member stands in both.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORESCAN_REPORT_JSON_PARTS_H
#define CORESCAN_REPORT_JSON_PARTS_H

#include "report/report.h"

#include <jansson.h>

#define JSON_SCHEMA_VERSION 1

struct json_document {
	const struct findings *findings;
	const struct report_style *style;
	json_t *root;
	bool failed; /* memory ran out somewhere */
};

/* Adds `value`, which it takes over, as `name` of `object`. NULLs mean that memory ran out, and
 * set .failed. */
void json_put(struct json_document *document, json_t *object, const char *name, json_t *value);
void json_append(struct json_document *document, json_t *array, json_t *value);

json_t *json_address(uint64_t address);	       /* "0x7f…" */
json_t *json_size(uint64_t size);	       /* an integer, at most 2^63 - 1 */
json_t *json_words(const char *string);	       /* null for NULL; what is not UTF-8 becomes U+FFFD */
json_t *json_tid(const struct thread *thread); /* null for NULL */

/* How many of `count` rows --limit lets through. */
size_t json_rows(const struct json_document *document, size_t count);

/* What every document has: schema, view, target, gaps, status. */
void json_common(struct json_document *document, const char *view);

/* The views. */
void json_report(struct json_document *document);
void json_threads(struct json_document *document);
void json_locks(struct json_document *document);
void json_waits(struct json_document *document);
void json_heap(struct json_document *document);
void json_leaks(struct json_document *document);
void json_profile(struct json_document *document);
void json_explain(struct json_document *document);
void json_maps(struct json_document *document);

/* Their rows: see struct view. */
void json_goroutines(struct json_document *document,
		     FILE *out); /* an empty array: no Go is there */

/* Parts of them. */
void json_wait_graph(struct json_document *document);
json_t *json_tids(struct json_document *document, const struct wait *const *waits, size_t count);
void json_modules(struct json_document *document);
json_t *json_orphan_structure(struct json_document *document,
			      const struct orphan_structure *structure);
void json_go(struct json_document *document);	    /* nothing where there is no Go */
void json_retained(struct json_document *document); /* nothing where not asked for */
json_t *json_place(struct json_document *document, const struct place *place);

#endif
