/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "modules/type_die.h"

#include <dwarf.h>

/* Nesting of typedefs and arrays: more is no C, but a cycle. */
#define DEPTH_MAX 16

bool type_is_aggregate(Dwarf_Die *die)
{
	int tag = dwarf_tag(die);
	return tag == DW_TAG_structure_type || tag == DW_TAG_class_type || tag == DW_TAG_union_type;
}

bool type_of_die(Dwarf_Die *die, Dwarf_Die *type)
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

bool type_member_offset(Dwarf_Die *member, uint64_t *offset)
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

bool type_element_count(Dwarf_Die *array, uint64_t *count)
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

/* libdw's own does not know arrays in dwz's partial units, which have no language. */
static uint64_t type_size_of(Dwarf_Die *type, int depth)
{
	Dwarf_Die element;
	Dwarf_Word size;
	uint64_t count, bytes;
	if (dwarf_tag(type) != DW_TAG_array_type || dwarf_hasattr(type, DW_AT_byte_size))
		return dwarf_aggregate_size(type, &size) == 0 ? size : 0;
	if (depth > DEPTH_MAX || !type_of_die(type, &element) ||
	    !type_element_count(type, &count) ||
	    __builtin_mul_overflow(count, type_size_of(&element, depth + 1), &bytes))
		return 0;
	return bytes;
}

uint64_t type_size(Dwarf_Die *type)
{
	return type_size_of(type, 0);
}
