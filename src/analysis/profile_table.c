/* The table that pprof calls top, by functions: each counts once for a sample, however often its
 * stack has it, and an edge between two of them counts by its first call in the sample.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "analysis/profile.h"

#include <stdio.h>
#include <string.h>

/* Of a caller and a function that it calls: bits 1 << type, as in struct profile_row. */
struct edge {
	uint32_t caller, function;
	uint8_t used, called;
	uint32_t sample; /* that has seen it last, + 1 */
};

struct tabulating {
	const struct profile *profile;
	struct profile_table *table;
	uint32_t *rows; /* of each of the profile's calls */
	uint32_t *last; /* of each row: the sample that has seen it last, + 1 */
	ARRAY(struct edge) edges;
	uint32_t *slots; /* hash of .edges, index + 1 */
	size_t slot_count;
	size_t types;
};

/* Sums of a target's numbers stay within what they can be. */
static void add(int64_t *to, int64_t value)
{
	if (__builtin_add_overflow(*to, value, to))
		*to = value < 0 ? INT64_MIN : INT64_MAX;
}

static int by_function(const void *a, const void *b, void *context)
{
	const struct profile *profile = context;
	const char *left = profile->calls.items[*(const uint32_t *)a].function;
	const char *right = profile->calls.items[*(const uint32_t *)b].function;
	return strcmp(left != NULL ? left : "", right != NULL ? right : "");
}

/* A row for each name. */
static bool make_rows(struct tabulating *work)
{
	const struct profile *profile = work->profile;
	size_t count = profile->calls.count;
	uint32_t *order = calloc(count + 1, sizeof *order);
	if (order == NULL)
		return false;
	for (size_t i = 0; i < count; i++)
		order[i] = (uint32_t)i;
	qsort_r(order, count, sizeof *order, by_function, (void *)profile);
	bool made = true;
	for (size_t i = 0; i < count && made; i++) {
		const char *name = profile->calls.items[order[i]].function;
		if (i == 0 || by_function(&order[i - 1], &order[i], (void *)profile) != 0)
			made = array_push(
			    &work->table->rows,
			    (struct profile_row){ .function = name != NULL ? name : "?" });
		work->rows[order[i]] = (uint32_t)work->table->rows.count - 1;
	}
	free(order);
	return made;
}

static size_t slot_of(const struct tabulating *work, uint32_t caller, uint32_t function)
{
	uint64_t hash = ((uint64_t)caller << 32 | function) * UINT64_C(0x9e3779b97f4a7c15);
	size_t at = (hash ^ hash >> 29) & (work->slot_count - 1);
	while (work->slots[at] != 0 &&
	       (work->edges.items[work->slots[at] - 1].caller != caller ||
		work->edges.items[work->slots[at] - 1].function != function))
		at = (at + 1) & (work->slot_count - 1);
	return at;
}

static bool grow(struct tabulating *work)
{
	size_t count = work->slot_count == 0 ? 1024 : 2 * work->slot_count;
	uint32_t *slots = calloc(count, sizeof *slots);
	if (slots == NULL)
		return false;
	free(work->slots);
	work->slots = slots;
	work->slot_count = count;
	for (size_t i = 0; i < work->edges.count; i++)
		slots[slot_of(work, work->edges.items[i].caller, work->edges.items[i].function)] =
		    (uint32_t)i + 1;
	return true;
}

static struct edge *edge_at(struct tabulating *work, uint32_t caller, uint32_t function)
{
	if (2 * (work->edges.count + 1) >= work->slot_count && !grow(work))
		return NULL;
	size_t at = slot_of(work, caller, function);
	if (work->slots[at] == 0) {
		if (!array_push(&work->edges, (struct edge){ caller, function, 0, 0, 0 }))
			return NULL;
		work->slots[at] = (uint32_t)work->edges.count;
	}
	return &work->edges.items[work->slots[at] - 1];
}

/* The types that a sample has something of. */
static uint8_t types_of(const struct tabulating *work, const struct profile_sample *sample)
{
	unsigned types = 0;
	for (size_t i = 0; i < work->types; i++)
		types |= (sample->values[i] != 0 ? 1u : 0u) << i;
	return (uint8_t)types;
}

/* One sample, from its outermost call on. */
static bool add_sample(struct tabulating *work, uint32_t number)
{
	const struct profile *profile = work->profile;
	const struct profile_sample *sample = &profile->samples.items[number];
	struct profile_row *rows = work->table->rows.items, *row = NULL;
	uint8_t types = types_of(work, sample);
	for (size_t i = sample->count; i-- > 0;) {
		uint32_t call = profile->stacks.items[sample->first + i];
		struct profile_row *caller = row;
		row = &rows[work->rows[call]];
		for (size_t t = 0; t < work->types && work->last[row - rows] != number + 1; t++)
			add(&row->cumulative[t], sample->values[t]);
		work->last[row - rows] = number + 1;
		if (caller == NULL || caller == row)
			continue;
		struct edge *edge =
		    edge_at(work, (uint32_t)(caller - rows), (uint32_t)(row - rows));
		if (edge == NULL)
			return false;
		if (edge->sample == number + 1)
			continue;
		edge->sample = number + 1;
		edge->used |= types;
		edge->called |= profile->calls.items[call].inlined ? 0 : types;
	}
	for (size_t t = 0; t < work->types; t++) {
		if (row != NULL)
			add(&row->flat[t], sample->values[t]);
		add(&work->table->totals[t],
		    sample->values[t] < 0 ? -sample->values[t] : sample->values[t]);
	}
	return true;
}

static bool tabulate(struct tabulating *work)
{
	size_t calls = work->profile->calls.count;
	work->rows = calloc(calls + 1, sizeof *work->rows);
	work->last = calloc(calls + 1, sizeof *work->last);
	if (work->rows == NULL || work->last == NULL || !make_rows(work))
		return false;
	for (size_t i = 0; i < work->profile->samples.count; i++)
		if (!add_sample(work, (uint32_t)i))
			return false;
	for (size_t i = 0; i < work->edges.count; i++) {
		const struct edge *edge = &work->edges.items[i];
		struct profile_row *row = &work->table->rows.items[edge->function];
		row->called |= edge->called;
		row->inlined |= edge->used & (uint8_t)~edge->called;
	}
	return true;
}

struct error *profile_tabulate(const struct profile *profile, struct profile_table *table)
{
	struct profile_table made = { 0 };
	struct tabulating work = {
		.profile = profile,
		.table = &made,
		.types = profile_form(profile->kind)->type_count,
	};
	bool complete = tabulate(&work);
	free(work.rows);
	free(work.last);
	free(work.slots);
	array_free(&work.edges);
	if (!complete) {
		profile_table_free(&made);
		return error_no_memory();
	}
	*table = made;
	return NULL;
}

struct order {
	size_t type;
	bool cumulative;
};

static int compare(int64_t a, int64_t b)
{
	uint64_t left = a < 0 ? 0 - (uint64_t)a : (uint64_t)a;
	uint64_t right = b < 0 ? 0 - (uint64_t)b : (uint64_t)b;
	return left > right ? -1 : left < right;
}

static int by_worth(const void *a, const void *b, void *context)
{
	const struct order *order = context;
	const struct profile_row *left = a, *right = b;
	int result = order->cumulative
			 ? compare(left->cumulative[order->type], right->cumulative[order->type])
			 : compare(left->flat[order->type], right->flat[order->type]);
	if (result == 0)
		result = strcmp(left->function, right->function);
	return result;
}

void profile_table_sort(struct profile_table *table, size_t type, bool cumulative)
{
	struct order order = { type, cumulative };
	if (table->rows.count > 1)
		qsort_r(table->rows.items, table->rows.count, sizeof *table->rows.items, by_worth,
			&order);
}

void profile_table_free(struct profile_table *table)
{
	array_free(&table->rows);
}
