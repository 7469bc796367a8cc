/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "modules/type_layout.h"

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

static bool is_aggregate(Dwarf_Die *die)
{
	int tag = dwarf_tag(die);
	return tag == DW_TAG_structure_type || tag == DW_TAG_class_type || tag == DW_TAG_union_type;
}

/* The type of a member or typedef, without typedefs and qualifiers. */
static bool type_of(Dwarf_Die *die, Dwarf_Die *type)
{
	Dwarf_Attribute attribute;
	if (dwarf_attr_integrate(die, DW_AT_type, &attribute) == NULL ||
	    dwarf_formref_die(&attribute, type) == NULL)
		return false;
	for (int i = 0; i < DEPTH_MAX; i++) {
		int tag = dwarf_tag(type);
		Dwarf_Die next;
		if (tag != DW_TAG_typedef && tag != DW_TAG_const_type &&
		    tag != DW_TAG_volatile_type && tag != DW_TAG_atomic_type &&
		    tag != DW_TAG_restrict_type)
			return true;
		if (dwarf_attr_integrate(type, DW_AT_type, &attribute) == NULL ||
		    dwarf_formref_die(&attribute, &next) == NULL)
			return false;
		*type = next;
	}
	return false;
}

/* The member's offset in its struct, in bytes. Union members have none: 0. */
static bool member_offset(Dwarf_Die *member, uint64_t *offset)
{
	Dwarf_Attribute attribute;
	Dwarf_Word value;
	if (dwarf_attr(member, DW_AT_data_member_location, &attribute) == NULL) {
		*offset = dwarf_attr(member, DW_AT_data_bit_offset, &attribute) != NULL &&
				  dwarf_formudata(&attribute, &value) == 0
			      ? value / 8
			      : 0;
		return true;
	}
	if (dwarf_formudata(&attribute, &value) == 0) {
		*offset = value;
		return true;
	}
	Dwarf_Op *operations;
	size_t count;
	if (dwarf_getlocation(&attribute, &operations, &count) != 0 || count != 1 ||
	    operations[0].atom != DW_OP_plus_uconst)
		return false;
	*offset = operations[0].number;
	return true;
}

/* Elements of all dimensions; false when a bound is no constant. C's lower bound is 0. */
static bool element_count(Dwarf_Die *array, uint64_t *count)
{
	Dwarf_Die dimension;
	uint64_t product = 1;
	if (dwarf_child(array, &dimension) != 0)
		return false;
	do {
		Dwarf_Attribute attribute;
		Dwarf_Word value;
		if (dwarf_tag(&dimension) != DW_TAG_subrange_type)
			continue;
		if (dwarf_attr(&dimension, DW_AT_count, &attribute) == NULL) {
			if (dwarf_attr(&dimension, DW_AT_upper_bound, &attribute) == NULL ||
			    dwarf_formudata(&attribute, &value) != 0)
				return false;
			value++;
		} else if (dwarf_formudata(&attribute, &value) != 0) {
			return false;
		}
		if (__builtin_mul_overflow(product, value, &product))
			return false;
	} while (dwarf_siblingof(&dimension, &dimension) == 0);
	*count = product;
	return true;
}

/* The size of a type in bytes, 0 when it has none that is fixed. libdw's own does not know arrays
 * in dwz's partial units, which have no language. */
static uint64_t size_of(Dwarf_Die *type, int depth)
{
	Dwarf_Die element;
	Dwarf_Word size;
	uint64_t count, bytes;
	if (dwarf_tag(type) != DW_TAG_array_type || dwarf_hasattr(type, DW_AT_byte_size))
		return dwarf_aggregate_size(type, &size) == 0 ? size : 0;
	if (depth > DEPTH_MAX || !type_of(type, &element) || !element_count(type, &count) ||
	    __builtin_mul_overflow(count, size_of(&element, depth + 1), &bytes))
		return 0;
	return bytes;
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
		    !member_offset(&member, &offset) || !type_of(&member, &of))
			continue;
		const char *own = tag == DW_TAG_member ? dwarf_diename(&member) : NULL;
		if (own == NULL || own[0] == '\0') {
			if (is_aggregate(&of) &&
			    find_field(&of, name, base + offset, depth + 1, place))
				return true;
			continue;
		}
		if (strncmp(own, name, length) != 0 || own[length] != '\0')
			continue;
		if (name[length] == '.')
			return is_aggregate(&of) &&
			       find_field(&of, name + length + 1, base + offset, depth + 1, place);
		*place = (struct place){ base + offset, size_of(&of, depth) };
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
	if (tag != DW_TAG_typedef && !is_aggregate(die))
		return;
	const char *name = dwarf_diename(die);
	if (name == NULL)
		return;
	for (size_t i = 0; i < search->count; i++) {
		Dwarf_Die definition = *die;
		if (search->complete[i] || strcmp(search->layouts[i].type, name) != 0)
			continue;
		if (tag == DW_TAG_typedef && !type_of(die, &definition))
			continue;
		if (!is_aggregate(&definition) || dwarf_hasattr(&definition, DW_AT_declaration))
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
