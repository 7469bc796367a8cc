/* The table that "go tool pprof -top" prints: the same columns, in the same words, so that the two
 * can be laid side by side.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "report/text_parts.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define NAME_COLUMN 45
#define VALUE_MAX   40

/* --- values, as pprof writes them */

struct unit {
	double factor;
	const char *name; /* "" of what is counted */
};

/* The unit in which `value` bytes are between 1 and 1024. */
static struct unit unit_of(double value)
{
	static const char *const names[] = { "B", "kB", "MB", "GB", "TB", "PB" };
	struct unit unit = { 1, names[0] };
	for (unsigned i = 1; i < sizeof names / sizeof *names && value >= unit.factor * 1024; i++)
		unit = (struct unit){ unit.factor * 1024, names[i] };
	return unit;
}

static double magnitude(int64_t value)
{
	return fabs((double)value);
}

/* One unit for all rows, such that the least of them does not vanish, unless that is a hundredth of
 * the whole: then one such that it is 0.01 at least. */
static struct unit choose_unit(const struct findings *findings, size_t rows)
{
	const struct profile *profile = findings->profile;
	const struct profile_table *table = findings->profile_table;
	double least = 0, total = magnitude(table->totals[profile->type]);
	if (strcmp(profile_form(profile->kind)->types[profile->type].unit, "bytes") != 0)
		return (struct unit){ 1, "" };
	for (size_t i = 0; i < rows; i++) {
		const struct profile_row *row = &table->rows.items[i];
		double value = magnitude(row->flat[profile->type]);
		if (value == 0)
			value = magnitude(row->cumulative[profile->type]);
		if (value > 0 && (least == 0 || value < least))
			least = value;
	}
	if (least == 0)
		least = total;
	struct unit unit = unit_of(least);
	if (unit.factor != unit_of(total).factor && least * 100 < total)
		unit = unit_of(100 * least);
	return unit;
}

static const char *value_text(int64_t value, struct unit unit, char buffer[VALUE_MAX])
{
	int length = snprintf(buffer, VALUE_MAX - 4, "%.2f", (double)value / unit.factor);
	if (length > 3 && strcmp(buffer + length - 3, ".00") == 0)
		buffer[length -= 3] = '\0';
	if (strcmp(buffer, "0") == 0 || strcmp(buffer, "-0") == 0)
		return strcpy(buffer, "0");
	return strcat(buffer, unit.name);
}

static const char *share_text(int64_t value, int64_t total, char buffer[VALUE_MAX])
{
	double share = total != 0 ? fabs((double)value / (double)total) * 100 : 0;
	if (share >= 99.95 && share <= 100.05)
		strcpy(buffer, "  100%");
	else
		snprintf(buffer, VALUE_MAX, share >= 1 ? "%5.2f%%" : "%5.2g%%", share);
	return buffer;
}

/* --- the table */

static const char *inlined(const struct profile_row *row, size_t type)
{
	bool inlined = (row->inlined >> type & 1) != 0, called = (row->called >> type & 1) != 0;
	return !inlined ? "" : called ? " (partial-inline)" : " (inline)";
}

static void put_row(struct text *text, const struct findings *findings, struct unit unit,
		    const struct profile_row *row, int64_t sum)
{
	const size_t type = findings->profile->type;
	const int64_t total = findings->profile_table->totals[type];
	char flat[VALUE_MAX], share[VALUE_MAX], sums[VALUE_MAX], cumulative[VALUE_MAX];
	char whole[VALUE_MAX];
	text_printf(text, "%10s %s %s %10s %s  ", value_text(row->flat[type], unit, flat),
		    share_text(row->flat[type], total, share), share_text(sum, total, sums),
		    value_text(row->cumulative[type], unit, cumulative),
		    share_text(row->cumulative[type], total, whole));
	text_wrap(text, NAME_COLUMN, row->function);
	text_wrap(text, NAME_COLUMN, inlined(row, type));
	text_line(text);
}

/* Those that the chosen numbers say something of: they are sorted to the front. */
static size_t rows_with_values(const struct findings *findings)
{
	const struct profile_table *table = findings->profile_table;
	size_t type = findings->profile->type, count = 0;
	for (size_t i = 0; i < table->rows.count; i++)
		if (table->rows.items[i].flat[type] != 0 ||
		    table->rows.items[i].cumulative[type] != 0)
			count = i + 1;
	return count;
}

static void put_table(struct text *text, const struct findings *findings)
{
	const struct profile_table *table = findings->profile_table;
	const size_t type = findings->profile->type, count = rows_with_values(findings);
	const size_t rows = text_rows(text, count, 30);
	const struct unit unit = choose_unit(findings, rows);
	int64_t sum = 0;
	text_printf(text, "%10s %5s%% %5s%% %10s %5s%%", "flat", "flat", "sum", "cum", "cum");
	text_line(text);
	for (size_t i = 0; i < rows; i++) {
		const struct profile_row *row = &table->rows.items[i];
		if (row->flat[type] == 0 && row->cumulative[type] == 0)
			continue;
		if (__builtin_add_overflow(sum, row->flat[type], &sum))
			sum = INT64_MAX;
		put_row(text, findings, unit, row, sum);
	}
	text_more(text, 0, rows, count, "functions", NULL);
}

/* What the numbers are. */
static void put_heading(struct text *text, const struct findings *findings)
{
	static const char *const words[PROFILE_KIND_COUNT] = {
		[PROFILE_HEAP] = "allocations by where they were made",
		[PROFILE_LIVE] = "what is alive of the heap, by size and type",
		[PROFILE_GOROUTINES] = "goroutines by their stacks",
		[PROFILE_LEAKED] = "goroutines that will never run again, by their stacks",
	};
	const struct profile *profile = findings->profile;
	const struct profile_type *type = &profile_form(profile->kind)->types[profile->type];
	const int64_t total = findings->profile_table->totals[profile->type];
	const bool bytes = strcmp(type->unit, "bytes") == 0;
	struct unit unit = bytes ? unit_of(magnitude(total)) : (struct unit){ 1, "" };
	char value[VALUE_MAX], line[256];
	text_heading(text, TEXT_HEADING, "PROFILE");
	if (profile->missing != NULL) {
		text_wrap(text, 4, profile->missing);
		text_wrap(text, 4, "; instead:");
		text_line(text);
		text_put(text, "    ");
	}
	snprintf(line, sizeof line, "%s: %s %s", words[profile->kind], type->name,
		 value_text(total, unit, value));
	text_wrap(text, 4, line);
	if (profile->kind == PROFILE_HEAP && profile->period > 1) {
		snprintf(line, sizeof line, ", estimated from one sample for each %s",
			 value_text(profile->period, unit_of((double)profile->period), value));
		text_wrap(text, 4, line);
	}
	text_line(text);
}

void text_profile(struct text *text, const struct findings *findings)
{
	if (findings->profile == NULL) {
		text_section(text);
		text_put(text, findings->go != NULL ? "There is no such profile of this process."
			       : findings_have_go(findings)
				   ? "The Go runtime of this process could not be read."
				   : "There is no Go runtime in this process.");
		text_line(text);
		return;
	}
	put_heading(text, findings);
	put_table(text, findings);
}
