/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "modules/type_layout.h"

#include "modules/type_die.h"

#include <dwarf.h>
#include <elfutils/libdw.h>
#include <string.h>

/* Nesting of members, and of typedefs: more is no C, but a cycle. */
#define DEPTH_MAX 16

const char *layout_evidence_name(enum layout_evidence evidence)
{
	static const char *const names[] = {
		[LAYOUT_NONE] = "none",
		[LAYOUT_DWARF] = "debug info",
		[LAYOUT_THREAD_DB] = "_thread_db symbols",
		[LAYOUT_SYMBOL_TABLE] = "symbol table",
		[LAYOUT_TABLE] = "built-in layout, confirmed by memory",
	};
	return names[evidence];
}

bool type_layout_offset(const struct type_layout *layout, const char *name, uint64_t *offset)
{
	for (size_t i = 0; i < TYPE_LAYOUT_FIELDS_MAX && layout->fields[i].name != NULL; i++) {
		if (strcmp(layout->fields[i].name, name) != 0)
			continue;
		if (layout->fields[i].found)
			*offset = layout->fields[i].offset;
		return layout->fields[i].found;
	}
	return false;
}

/* The length of the first part of a dotted name. */
static size_t part_length(const char *name)
{
	return strcspn(name, ".");
}

struct place {
	uint64_t offset, size;
};

/* Finds the member `name` (dotted) of `type`, which lies at `base`; through anonymous structs and
 * unions, and through base classes. */
static bool find_field(Dwarf_Die *type, const char *name, uint64_t base, int depth,
		       struct place *place)
{
	Dwarf_Die member;
	if (depth > DEPTH_MAX || dwarf_child(type, &member) != 0)
		return false;
	size_t length = part_length(name);
	do {
		int tag = dwarf_tag(&member);
		Dwarf_Die of;
		uint64_t offset;
		if ((tag != DW_TAG_member && tag != DW_TAG_inheritance) ||
		    !type_member_offset(&member, &offset) || !type_of_die(&member, &of))
			continue;
		const char *own = tag == DW_TAG_member ? dwarf_diename(&member) : NULL;
		if (own == NULL || own[0] == '\0') {
			if (type_is_aggregate(&of) &&
			    find_field(&of, name, base + offset, depth + 1, place))
				return true;
			continue;
		}
		if (strncmp(own, name, length) != 0 || own[length] != '\0')
			continue;
		if (name[length] == '.')
			return type_is_aggregate(&of) &&
			       find_field(&of, name + length + 1, base + offset, depth + 1, place);
		*place = (struct place){ base + offset, type_size(&of) };
		return true;
	} while (dwarf_siblingof(&member, &member) == 0);
	return false;
}

/* Answers one question from one definition, where it knows more fields than the answer so far.
 * True: every field was found. */
static bool answer(struct type_layout *layout, Dwarf_Die *definition)
{
	struct type_layout answered = *layout;
	Dwarf_Word size;
	size_t asked = 0, found = 0, found_before = 0;
	if (dwarf_aggregate_size(definition, &size) != 0 || size == 0)
		return false;
	for (; asked < TYPE_LAYOUT_FIELDS_MAX && layout->fields[asked].name != NULL; asked++) {
		struct place place = { 0 };
		bool is_there = find_field(definition, layout->fields[asked].name, 0, 0, &place);
		answered.fields[asked].found = is_there;
		answered.fields[asked].offset = place.offset;
		answered.fields[asked].size = place.size;
		found += is_there;
		found_before += layout->fields[asked].found;
	}
	answered.size = size;
	answered.evidence = LAYOUT_DWARF;
	if (layout->size == 0 || found > found_before)
		*layout = answered;
	return found == asked;
}

struct search {
	struct type_layout *layouts;
	bool *complete;
	size_t count, open;
};

static void consider(struct search *search, Dwarf_Die *die)
{
	int tag = dwarf_tag(die);
	if (tag != DW_TAG_typedef && !type_is_aggregate(die))
		return;
	const char *name = dwarf_diename(die);
	if (name == NULL)
		return;
	for (size_t i = 0; i < search->count; i++) {
		Dwarf_Die definition = *die;
		if (search->complete[i] || strcmp(search->layouts[i].type, name) != 0)
			continue;
		if (tag == DW_TAG_typedef && !type_of_die(die, &definition))
			continue;
		if (!type_is_aggregate(&definition) ||
		    dwarf_hasattr(&definition, DW_AT_declaration))
			continue;
		if (answer(&search->layouts[i], &definition)) {
			search->complete[i] = true;
			search->open--;
		}
	}
}

static void search_dwarf(struct search *search, Dwarf *dwarf)
{
	Dwarf_CU *cu = NULL;
	Dwarf_Die unit, die;
	while (search->open != 0 && dwarf_get_units(dwarf, cu, &cu, NULL, NULL, &unit, NULL) == 0) {
		if (dwarf_child(&unit, &die) != 0)
			continue;
		do
			consider(search, &die);
		while (search->open != 0 && dwarf_siblingof(&die, &die) == 0);
	}
}

size_t type_layouts_from_dwarf(struct modules *modules, const struct module *module,
			       struct type_layout *layouts, size_t count)
{
	Dwarf_Addr bias;
	(void)modules;
	for (size_t i = 0; i < count; i++) {
		layouts[i].size = 0;
		layouts[i].evidence = LAYOUT_NONE;
		for (size_t k = 0; k < TYPE_LAYOUT_FIELDS_MAX; k++)
			layouts[i].fields[k].found = false;
	}
	Dwarf *dwarf = module->dwfl != NULL ? dwfl_module_getdwarf(module->dwfl, &bias) : NULL;
	bool *complete = calloc(count + 1, sizeof *complete);
	if (dwarf == NULL || complete == NULL) {
		free(complete);
		return 0;
	}
	struct search search = { layouts, complete, count, count };
	search_dwarf(&search, dwarf);
	/* dwz moves what several files share to another file. */
	Dwarf *shared = dwarf_getalt(dwarf);
	if (shared != NULL)
		search_dwarf(&search, shared);
	free(complete);
	size_t found = 0;
	for (size_t i = 0; i < count; i++)
		found += layouts[i].size != 0;
	return found;
}
