/* What grew between two looks at one program: two documents of corescan --json, saved or just
 * made, are compared part by part.
 *
 * To add a part: a row in the table of diff.c, and what reads it out of a document.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORESCAN_REPORT_DIFF_H
#define CORESCAN_REPORT_DIFF_H

#include "base/array.h"
#include "base/error.h"
#include "base/string_pool.h"
#include "report/report.h"

#include <jansson.h>

enum { DIFF_OLD, DIFF_NEW, DIFF_SIDES };

/* What is the same in both: "chunks of 40 bytes", a root, a stack. */
struct diff_row {
	const char *what; /* in the pool */
	int64_t count[DIFF_SIDES], bytes[DIFF_SIDES];
};

struct diff_part {
	const char *name;  /* "orphans", in JSON */
	const char *title; /* "ORPHANED" */
	const char *unit;  /* of .count: "chunks"; NULL: there is no such number */
	bool has_bytes;
	bool known[DIFF_SIDES];
	uint64_t omitted[DIFF_SIDES]; /* rows that the document was made without (--limit) */
	ARRAY(struct diff_row) rows;  /* what grew most first; what is as it was is not there */
	struct diff_row total;	      /* of all rows, also of those */
};

struct diff {
	const char *name[DIFF_SIDES];	 /* as the user named them */
	const char *command[DIFF_SIDES]; /* what was looked at: a core, a process; in the pool */
	struct diff_part *parts;
	size_t part_count;
	ARRAY(const char *) notes; /* what stands in the way of the comparison; in the pool */
	struct string_pool *pool;
};

/* Reads a document that corescan --json wrote. Nothing in it is believed. ERROR_BAD_DATA: it is
 * none, or of a schema that is not known; ERROR_OS; ERROR_NO_MEMORY. The caller's to json_decref.
 */
struct error *diff_load(const char *path, json_t **document);

/* Compares. `names` are borrowed. ERROR_BAD_DATA: a document is not what it should be. */
struct error *diff_make(json_t *const documents[DIFF_SIDES], const char *const names[DIFF_SIDES],
			struct diff *diff);
void diff_free(struct diff *diff);

/* 1 where something could not be compared, else 0. */
int diff_exit_status(const struct diff *diff);

/* Write errors are left in ferror(out). */
void diff_text(const struct diff *diff, const struct report_style *style, FILE *out);

/* One document (schema: share/corescan/diff.schema.json). ERROR_NO_MEMORY. */
struct error *diff_json(const struct diff *diff, const struct report_style *style, FILE *out);

#endif
