/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "golang/layouts.h"

#include <string.h>

struct row {
	const char *type, *field;
	int32_t offsets[GO_LAYOUT_VERSION_COUNT];
};

static const struct row rows[GO_FIELD_COUNT] = {
#define GO_FIELD_ROW(name, type, field, ...) [GO_##name] = { type, field, { __VA_ARGS__ } },
	GO_LAYOUT_TABLE(GO_FIELD_ROW)
#undef GO_FIELD_ROW
};

static const unsigned versions[GO_LAYOUT_VERSION_COUNT] = GO_LAYOUT_VERSIONS;

/* The column of Go 1.`minor`; -1: there is none. */
static int column_of(unsigned minor)
{
	for (int i = 0; i < GO_LAYOUT_VERSION_COUNT; i++)
		if (versions[i] == minor)
			return i;
	return -1;
}

bool go_layouts_know(unsigned minor)
{
	return column_of(minor) >= 0;
}

/* One question for each run of rows of one type. Returns how many; `first` gets each one's row. */
static size_t make_questions(struct type_layout *questions, size_t *first)
{
	size_t count = 0, fields = 0;
	for (size_t i = 0; i < GO_FIELD_COUNT; i++) {
		bool same = count > 0 && fields < TYPE_LAYOUT_FIELDS_MAX &&
			    strcmp(rows[i].type, questions[count - 1].type) == 0;
		if (!same) {
			questions[count] = (struct type_layout){ .type = rows[i].type };
			first[count++] = i;
			fields = 0;
		}
		questions[count - 1].fields[fields++].name = rows[i].field;
	}
	return count;
}

static void take_answer(const struct type_layout *answer, size_t first, struct go_layouts *layouts)
{
	for (size_t i = 0; i < TYPE_LAYOUT_FIELDS_MAX && answer->fields[i].name != NULL; i++)
		layouts->offsets[first + i] =
		    answer->fields[i].found && answer->fields[i].offset <= INT32_MAX
			? (int32_t)answer->fields[i].offset
			: -1;
}

void go_layouts_find(struct modules *modules, const struct module *module, unsigned minor,
		     struct go_layouts *layouts)
{
	struct type_layout *questions = calloc(GO_FIELD_COUNT, sizeof *questions);
	size_t *first = calloc(GO_FIELD_COUNT, sizeof *first);
	int column = column_of(minor);
	layouts->evidence = column >= 0 ? LAYOUT_TABLE : LAYOUT_NONE;
	for (size_t i = 0; i < GO_FIELD_COUNT; i++)
		layouts->offsets[i] = column >= 0 ? rows[i].offsets[column] : -1;
	if (questions != NULL && first != NULL) {
		size_t count = make_questions(questions, first);
		type_layouts_from_dwarf(modules, module, questions, count);
		for (size_t i = 0; i < count; i++) {
			if (questions[i].size == 0)
				continue;
			take_answer(&questions[i], first[i], layouts);
			if (first[i] == 0)
				layouts->evidence = LAYOUT_DWARF;
		}
	}
	free(questions);
	free(first);
}
