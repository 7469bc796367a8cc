/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "threads/scopes.h"

#include <dwarf.h>

#define SCOPE_DEPTH_MAX 256 /* of debug information entries that hold one another */

bool scope_holds_code(int tag)
{
	switch (tag) {
	case DW_TAG_subprogram:
	case DW_TAG_inlined_subroutine:
	case DW_TAG_lexical_block:
	case DW_TAG_try_block:
	case DW_TAG_catch_block:
	case DW_TAG_with_stmt:
	case DW_TAG_entry_point:
		return true;
	default:
		return false;
	}
}

bool scope_holds_functions(int tag)
{
	switch (tag) {
	case DW_TAG_namespace:
	case DW_TAG_module:
	case DW_TAG_class_type:
	case DW_TAG_structure_type:
	case DW_TAG_union_type:
	case DW_TAG_enumeration_type:
		return true;
	default:
		return false;
	}
}

/* Descends to `pc`. True when it was found below `parent`. With `everywhere` also into functions
 * that do not hold it: gcc puts the functions of a local class there. */
static bool find_scopes(Dwarf_Die *parent, Dwarf_Addr pc, bool everywhere, unsigned depth,
			struct scopes *scopes)
{
	Dwarf_Die child;
	if (depth >= SCOPE_DEPTH_MAX || scopes->count >= INLINE_DEPTH_MAX ||
	    dwarf_child(parent, &child) != 0)
		return false;
	do {
		int tag = dwarf_tag(&child);
		bool is_code = scope_holds_code(tag);
		if (is_code && dwarf_haspc(&child, pc) == 1) {
			if (tag == DW_TAG_subprogram || tag == DW_TAG_inlined_subroutine)
				scopes->dies[scopes->count++] = child;
			find_scopes(&child, pc, false, depth + 1, scopes);
			return true;
		}
		if ((scope_holds_functions(tag) || (is_code && everywhere)) &&
		    find_scopes(&child, pc, everywhere, depth + 1, scopes))
			return true;
	} while (dwarf_siblingof(&child, &child) == 0);
	return false;
}

bool scopes_find(struct modules *modules, uint64_t pc, struct scopes *scopes)
{
	Dwarf_Die unit;
	scopes->count = 0;
	if (!modules_unit(modules, pc, &unit, &scopes->bias))
		return false;
	/* The functions of a skeleton unit are in its .dwo file. */
	Dwarf_Die split;
	uint8_t unit_type = 0;
	if (dwarf_cu_info(unit.cu, NULL, &unit_type, NULL, &split, NULL, NULL, NULL) == 0 &&
	    unit_type == DW_UT_skeleton && split.addr != NULL)
		unit = split;
	const uint64_t address = pc - scopes->bias;
	return find_scopes(&unit, address, false, 0, scopes) ||
	       find_scopes(&unit, address, true, 0, scopes);
}
