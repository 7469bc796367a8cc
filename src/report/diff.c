/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "report/diff.h"

#include "report/diff_read.h"
#include "report/json_parts.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const char *const sides[] = { "OLD", "NEW" };

struct error *diff_load(const char *path, json_t **document)
{
	json_error_t why;
	json_t *read = json_load_file(path, JSON_REJECT_DUPLICATES, &why);
	struct error *error = NULL;
	if (read == NULL && json_error_code(&why) == json_error_out_of_memory)
		return error_no_memory();
	if (read == NULL)
		return error_new(ERROR_BAD_DATA,
				 "%s is neither a core file nor what corescan --json has written: "
				 "line %d: %s",
				 path, why.line, why.text);
	const json_t *schema = json_object_get(read, "schema");
	if (!json_is_string(json_object_get(read, "corescan")) || !json_is_integer(schema))
		error = error_new(ERROR_BAD_DATA, "%s: corescan --json has not written this", path);
	else if (json_integer_value(schema) != JSON_SCHEMA_VERSION)
		error = error_new(ERROR_UNSUPPORTED,
				  "%s is of schema %lld, which this corescan does not know", path,
				  (long long)json_integer_value(schema));
	if (error != NULL)
		json_decref(read);
	else
		*document = read;
	return error;
}

/* --- matching */

static void add_up(int64_t *to, int64_t value)
{
	if (__builtin_add_overflow(*to, value, to))
		*to = INT64_MAX;
}

static int by_what(const void *a, const void *b)
{
	return strcmp(((const struct diff_entry *)a)->what, ((const struct diff_entry *)b)->what);
}

/* Takes what the entries of one side say of `what`, if they go on with it. */
static size_t take(const struct diff_reader *reader, size_t at, struct diff_row *row, int side)
{
	for (; at < reader->entries.count && strcmp(reader->entries.items[at].what, row->what) == 0;
	     at++) {
		add_up(&row->count[side], reader->entries.items[at].count);
		add_up(&row->bytes[side], reader->entries.items[at].bytes);
	}
	return at;
}

static const char *next_what(const struct diff_reader readers[DIFF_SIDES], const size_t at[])
{
	const char *old = at[DIFF_OLD] < readers[DIFF_OLD].entries.count
			      ? readers[DIFF_OLD].entries.items[at[DIFF_OLD]].what
			      : NULL;
	const char *new = at[DIFF_NEW] < readers[DIFF_NEW].entries.count
			      ? readers[DIFF_NEW].entries.items[at[DIFF_NEW]].what
			      : NULL;
	return old == NULL || (new != NULL &&strcmp(new, old) < 0) ? new : old;
}

static int by_growth(const void *a, const void *b)
{
	const struct diff_row *left = a, *right = b;
	int64_t grown[2] = { left->bytes[DIFF_NEW] - left->bytes[DIFF_OLD],
			     right->bytes[DIFF_NEW] - right->bytes[DIFF_OLD] };
	if (grown[0] == grown[1]) {
		grown[0] = left->count[DIFF_NEW] - left->count[DIFF_OLD];
		grown[1] = right->count[DIFF_NEW] - right->count[DIFF_OLD];
	}
	if (grown[0] != grown[1])
		return grown[0] > grown[1] ? -1 : 1;
	return strcmp(left->what, right->what);
}

static bool match(struct diff_reader readers[DIFF_SIDES], struct diff_part *part)
{
	size_t at[DIFF_SIDES] = { 0 };
	for (int side = 0; side < DIFF_SIDES; side++)
		if (readers[side].entries.count > 1)
			qsort(readers[side].entries.items, readers[side].entries.count,
			      sizeof *readers[side].entries.items, by_what);
	for (const char *what; (what = next_what(readers, at)) != NULL;) {
		struct diff_row row = { .what = what };
		for (int side = 0; side < DIFF_SIDES; side++) {
			at[side] = take(&readers[side], at[side], &row, side);
			add_up(&part->total.count[side], row.count[side]);
			add_up(&part->total.bytes[side], row.bytes[side]);
		}
		if ((row.count[DIFF_OLD] != row.count[DIFF_NEW] ||
		     row.bytes[DIFF_OLD] != row.bytes[DIFF_NEW]) &&
		    !array_push(&part->rows, row))
			return false;
	}
	if (part->rows.count > 1)
		qsort(part->rows.items, part->rows.count, sizeof *part->rows.items, by_growth);
	return true;
}

/* --- what stands in the way */

static void note(struct diff *diff, const char *text)
{
	if (!array_push(&diff->notes, text))
		return; /* matching will run out of it, too */
}

static void note_part(struct diff *diff, const struct diff_part *part)
{
	for (int side = 0; side < DIFF_SIDES; side++) {
		if (!part->known[side] && part->known[1 - side])
			note(diff, string_pool_format(diff->pool,
						      "%s was not compared: %s does not tell it",
						      part->title, sides[side]));
		if (part->omitted[side] > 0)
			note(diff,
			     string_pool_format(diff->pool,
						"%s: %s was saved without %" PRIu64
						" of its rows (--limit): what is missing "
						"there counts as 0",
						part->title, sides[side], part->omitted[side]));
	}
}

static const char *program_of(struct diff_reader *reader, const json_t *document)
{
	return diff_words(reader, json_object_get(document, "target"), "executable");
}

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');
	return slash != NULL ? slash + 1 : path;
}

/* The core or process that a document tells of. */
static const char *describe(struct diff *diff, struct diff_reader *reader, const json_t *document)
{
	const json_t *target = json_object_get(document, "target");
	const char *kind = diff_words(reader, target, "kind");
	const char *program = program_of(reader, document);
	return string_pool_format(diff->pool, "%s of %s, pid %" PRId64 ", %" PRId64 " threads",
				  kind != NULL && strcmp(kind, "live") == 0 ? "process" : "core",
				  program != NULL ? program : "an unknown program",
				  diff_number(reader, target, "pid"),
				  diff_number(reader, target, "threads"));
}

static void note_whole(struct diff *diff, struct diff_reader *reader,
		       json_t *const documents[DIFF_SIDES])
{
	const char *programs[DIFF_SIDES];
	for (int side = 0; side < DIFF_SIDES; side++) {
		programs[side] = program_of(reader, documents[side]);
		diff->command[side] = describe(diff, reader, documents[side]);
		const size_t gaps = json_array_size(json_object_get(documents[side], "gaps"));
		if (gaps > 0)
			note(diff, string_pool_format(diff->pool,
						      "%s is partial: %zu thing%s could not be "
						      "examined there",
						      sides[side], gaps, gaps == 1 ? "" : "s"));
	}
	if (programs[DIFF_OLD] != NULL && programs[DIFF_NEW] != NULL &&
	    strcmp(base_name(programs[DIFF_OLD]), base_name(programs[DIFF_NEW])) != 0)
		note(diff, string_pool_format(diff->pool,
					      "these are two programs: OLD is of %s, NEW of %s",
					      programs[DIFF_OLD], programs[DIFF_NEW]));
}

/* --- the whole */

static struct error *bad_document(const struct diff *diff, int side, const char *member)
{
	return error_new(ERROR_BAD_DATA, "%s: corescan has not written this: %s is not what it is",
			 diff->name[side], member);
}

static struct error *compare_part(struct diff *diff, json_t *const documents[DIFF_SIDES],
				  const struct diff_form *form, struct diff_part *part)
{
	struct diff_reader readers[DIFF_SIDES] = { { .pool = diff->pool }, { .pool = diff->pool } };
	struct error *error = NULL;
	part->name = form->name;
	part->title = form->title;
	part->unit = form->unit;
	part->has_bytes = form->has_bytes;
	part->total.what = "all";
	for (int side = 0; side < DIFF_SIDES && error == NULL; side++) {
		part->known[side] = form->read(documents[side], &readers[side]);
		part->omitted[side] = readers[side].omitted;
		if (readers[side].no_memory)
			error = error_no_memory();
		else if (readers[side].bad != NULL)
			error = bad_document(diff, side, readers[side].bad);
	}
	if (error == NULL && part->known[DIFF_OLD] && part->known[DIFF_NEW] &&
	    !match(readers, part))
		error = error_no_memory();
	array_free(&readers[DIFF_OLD].entries);
	array_free(&readers[DIFF_NEW].entries);
	return error;
}

struct error *diff_make(json_t *const documents[DIFF_SIDES], const char *const names[DIFF_SIDES],
			struct diff *diff)
{
	struct diff made = { .name = { names[DIFF_OLD], names[DIFF_NEW] } };
	struct error *error = NULL;
	const struct diff_form *forms = diff_forms(&made.part_count);
	made.pool = string_pool_new();
	made.parts = calloc(made.part_count, sizeof *made.parts);
	if (made.pool == NULL || made.parts == NULL)
		error = error_no_memory();
	struct diff_reader reader = { .pool = made.pool };
	if (error == NULL)
		note_whole(&made, &reader, documents);
	if (error == NULL && reader.bad != NULL)
		error = bad_document(&made, DIFF_OLD, reader.bad);
	for (size_t i = 0; i < made.part_count && error == NULL; i++) {
		error = compare_part(&made, documents, &forms[i], &made.parts[i]);
		if (error == NULL)
			note_part(&made, &made.parts[i]);
	}
	if (error != NULL)
		diff_free(&made);
	else
		*diff = made;
	return error;
}

void diff_free(struct diff *diff)
{
	for (size_t i = 0; diff->parts != NULL && i < diff->part_count; i++)
		array_free(&diff->parts[i].rows);
	free(diff->parts);
	array_free(&diff->notes);
	string_pool_free(diff->pool);
}

int diff_exit_status(const struct diff *diff)
{
	return diff->notes.count > 0;
}
