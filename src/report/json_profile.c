/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "report/json_parts.h"

#include <string.h>

static json_t *values_object(struct json_document *document, const struct profile_form *form,
			     const int64_t *values)
{
	json_t *object = json_object();
	for (size_t i = 0; i < form->type_count; i++)
		json_put(document, object, form->types[i].name, json_integer(values[i]));
	return object;
}

static json_t *row_object(struct json_document *document, const struct profile_form *form,
			  const struct profile_row *row)
{
	json_t *object = json_object();
	json_put(document, object, "function", json_words(row->function));
	json_put(document, object, "flat", values_object(document, form, row->flat));
	json_put(document, object, "cumulative", values_object(document, form, row->cumulative));
	return object;
}

static json_t *types_array(struct json_document *document, const struct profile_form *form)
{
	json_t *array = json_array();
	for (size_t i = 0; i < form->type_count; i++) {
		json_t *object = json_object();
		json_put(document, object, "name", json_words(form->types[i].name));
		json_put(document, object, "unit", json_words(form->types[i].unit));
		json_append(document, array, object);
	}
	return array;
}

void json_profile(struct json_document *document)
{
	const struct profile *profile = document->findings->profile;
	const struct profile_table *table = document->findings->profile_table;
	if (profile == NULL) {
		json_put(document, document->root, "profile", json_null());
		return;
	}
	const struct profile_form *form = profile_form(profile->kind);
	json_t *object = json_object(), *rows = json_array();
	const size_t count = json_rows(document, table->rows.count);
	for (size_t i = 0; i < count; i++)
		json_append(document, rows, row_object(document, form, &table->rows.items[i]));
	json_put(document, object, "kind", json_words(form->name));
	json_put(document, object, "instead_because", json_words(profile->missing));
	json_put(document, object, "period", json_integer(profile->period));
	json_put(document, object, "types", types_array(document, form));
	json_put(document, object, "shown", json_words(form->types[profile->type].name));
	json_put(document, object, "totals", values_object(document, form, table->totals));
	json_put(document, object, "samples", json_size(profile->samples.count));
	json_put(document, object, "functions", rows);
	json_put(document, object, "functions_omitted", json_size(table->rows.count - count));
	json_put(document, document->root, "profile", object);
}
