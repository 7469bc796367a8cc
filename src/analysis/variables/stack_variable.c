/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "analysis/variables/stack_variable.h"

#include "modules/type_die.h"
#include "threads/frame_place.h"

#include <dwarf.h>
#include <inttypes.h>

#define ENTRIES_MAX	 20000 /* looked at in one frame, or in one type */
#define BLOCK_DEPTH_MAX	 64
#define MEMBER_DEPTH_MAX 16

/* --- the way from a variable to what lies in it */

/* The member of the aggregate that reaches over `*offset`, which becomes the offset in it. Of a
 * union, the first. */
static bool find_member(Dwarf_Die *aggregate, uint64_t *offset, Dwarf_Die *member, Dwarf_Die *type)
{
	unsigned seen = 0;
	if (dwarf_child(aggregate, member) != 0)
		return false;
	do {
		const int tag = dwarf_tag(member);
		uint64_t start;
		if ((tag != DW_TAG_member && tag != DW_TAG_inheritance) ||
		    dwarf_hasattr(member, DW_AT_declaration) ||
		    dwarf_hasattr(member, DW_AT_external) || !type_member_offset(member, &start) ||
		    start > *offset || !type_of_die(member, type) ||
		    *offset - start >= type_size(type))
			continue;
		*offset -= start;
		return true;
	} while (++seen < ENTRIES_MAX && dwarf_siblingof(member, member) == 0);
	return false;
}

/* Enters the element that holds `*offset`. */
static bool enter_element(Dwarf_Die *type, uint64_t *offset, struct words *words)
{
	Dwarf_Die element;
	uint64_t size;
	if (!type_of_die(type, &element) || (size = type_size(&element)) == 0)
		return false;
	words_add(words, "[%" PRIu64 "]", *offset / size);
	*offset %= size;
	*type = element;
	return true;
}

static void add_way(Dwarf_Die type, uint64_t offset, struct words *words)
{
	for (unsigned depth = 0; depth < MEMBER_DEPTH_MAX; depth++) {
		Dwarf_Die member, inner;
		if (dwarf_tag(&type) == DW_TAG_array_type) {
			if (!enter_element(&type, &offset, words))
				break;
			continue;
		}
		/* The members at the start of a lock are not what one calls it by. */
		if (offset == 0 || !type_is_aggregate(&type) ||
		    !find_member(&type, &offset, &member, &inner))
			break;
		/* Bases, and the unions and structs without a name, are passed through. */
		const char *name = dwarf_diename(&member);
		if (dwarf_tag(&member) == DW_TAG_member && name != NULL)
			words_add(words, ".%s", name);
		type = inner;
	}
	if (offset != 0)
		words_add(words, "+%" PRIu64, offset);
}

/* --- the variable */

/* Appends the variable if it lies around `address`. */
static bool take_variable(struct frame_place *place, Dwarf_Die *die, uint64_t address,
			  struct words *words)
{
	struct location location;
	Dwarf_Die type;
	uint64_t start;
	const char *name = dwarf_diename(die);
	if (name == NULL || dwarf_hasattr(die, DW_AT_declaration) || !type_of_die(die, &type) ||
	    frame_place_locate(place, die, &location) != LOCATION_FOUND || location.count != 1 ||
	    !location_address(&location, 0, &start) || address < start ||
	    address - start >= type_size(&type))
		return false;
	words_add(words, "%s", name);
	add_way(type, address - start, words);
	return true;
}

static bool search_scope(struct frame_place *place, Dwarf_Die *scope, uint64_t address,
			 struct words *words, unsigned depth)
{
	Dwarf_Die child;
	unsigned seen = 0;
	if (depth > BLOCK_DEPTH_MAX || dwarf_child(scope, &child) != 0)
		return false;
	do {
		const int tag = dwarf_tag(&child);
		if (tag == DW_TAG_formal_parameter || tag == DW_TAG_variable) {
			if (take_variable(place, &child, address, words))
				return true;
		} else if (tag == DW_TAG_lexical_block && dwarf_haspc(&child, place->pc) == 1 &&
			   search_scope(place, &child, address, words, depth + 1)) {
			return true;
		}
	} while (++seen < ENTRIES_MAX && dwarf_siblingof(&child, &child) == 0);
	return false;
}

bool stack_variable_words(const struct subject *subject, const struct thread *thread, size_t frame,
			  uint64_t address, struct words *words, size_t *found)
{
	struct frame_place place;
	if (frame >= thread->frame_count)
		return false;
	for (size_t i = frame;; i--) {
		if (frame_place_open_by_sp(subject->target, subject->modules, thread, i, &place) &&
		    search_scope(&place, &place.scope, address, words, 0)) {
			*found = i;
			return true;
		}
		if (i == 0 || !thread->frames[i - 1].inlined)
			return false;
	}
}
