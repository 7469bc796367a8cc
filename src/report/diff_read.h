/* What can be compared of a document. Private to the files of diff.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORESCAN_REPORT_DIFF_READ_H
#define CORESCAN_REPORT_DIFF_READ_H

#include "report/diff.h"

struct diff_entry {
	const char *what;
	int64_t count, bytes;
};

struct diff_reader {
	struct string_pool *pool;
	ARRAY(struct diff_entry) entries;
	uint64_t omitted;
	const char *bad; /* a member that is not what corescan writes; NULL: none */
	bool no_memory;
};

/* A part of documents: how it is called, and what reads its entries; false: this document does not
 * have it. */
struct diff_form {
	const char *name, *title, *unit;
	bool has_bytes;
	bool (*read)(const json_t *document, struct diff_reader *reader);
};

const struct diff_form *diff_forms(size_t *count);

/* A string or a number of an object; NULL and 0 where there is none. What is there and is something
 * else sets reader->bad. */
const char *diff_words(struct diff_reader *reader, const json_t *object, const char *name);
int64_t diff_number(struct diff_reader *reader, const json_t *object, const char *name);

#endif
