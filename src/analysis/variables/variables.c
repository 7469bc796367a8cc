/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "analysis/variables/variables.h"

#include "analysis/variables/value.h"
#include "threads/frame_place.h"

#include <dwarf.h>
#include <string.h>

#define VARIABLES_MAX	64    /* kept of one frame */
#define ENTRIES_MAX	20000 /* looked at in one frame */
#define BLOCK_DEPTH_MAX 64

/* The looking at one frame. */
struct looking {
	const struct subject *subject;
	struct frame_place *place;
	ARRAY(struct variable) found;
	size_t left_out;
	unsigned entries;
	bool out_of_memory;
};

static const char *value_text(struct looking *looking, Dwarf_Die *die, bool *known)
{
	struct words words = { 0 };
	struct location location;
	struct value value = { .subject = looking->subject,
			       .place = &looking->place->place,
			       .location = &location };
	Dwarf_Attribute attribute;
	*known = false;
	enum location_outcome outcome = frame_place_locate(looking->place, die, &location);
	if (outcome == LOCATION_FOUND) {
		outcome = LOCATION_NOT_EVALUATED;
		if (dwarf_attr_integrate(die, DW_AT_type, &attribute) != NULL &&
		    dwarf_formref_die(&attribute, &value.type) != NULL)
			outcome = value_words(&value, &words);
	}
	if (outcome != LOCATION_FOUND)
		return location_outcome_words(outcome);
	*known = true;
	return string_pool_add(modules_strings(looking->subject->modules), words.text);
}

static void add_variable(struct looking *looking, Dwarf_Die *die)
{
	Dwarf_Attribute attribute;
	struct string_pool *pool = modules_strings(looking->subject->modules);
	struct words type = { 0 };
	const char *name = dwarf_diename(die);
	const bool argument = dwarf_tag(die) == DW_TAG_formal_parameter;
	const bool artificial = dwarf_attr_integrate(die, DW_AT_artificial, &attribute) != NULL;
	/* Declarations of what is elsewhere, and what the compiler made up but for `this`. */
	if (name == NULL || dwarf_hasattr(die, DW_AT_declaration) || (artificial && !argument))
		return;
	if (looking->found.count >= VARIABLES_MAX) {
		looking->left_out++;
		return;
	}
	value_type_words(die, &type);
	struct variable variable = { .name = string_pool_add(pool, name),
				     .type = string_pool_add(pool, type.text),
				     .is_argument = argument };
	variable.value = value_text(looking, die, &variable.known);
	if (!array_push(&looking->found, variable))
		looking->out_of_memory = true;
}

/* Whether one of the concrete function's own parameters comes from `abstract`. */
static bool has_concrete(Dwarf_Die *scope, Dwarf_Die *abstract)
{
	Dwarf_Die child, origin;
	Dwarf_Attribute attribute;
	unsigned seen = 0;
	if (dwarf_child(scope, &child) != 0)
		return false;
	do {
		if (dwarf_tag(&child) == DW_TAG_formal_parameter &&
		    dwarf_attr(&child, DW_AT_abstract_origin, &attribute) != NULL &&
		    dwarf_formref_die(&attribute, &origin) != NULL && origin.addr == abstract->addr)
			return true;
	} while (++seen < ENTRIES_MAX && dwarf_siblingof(&child, &child) == 0);
	return false;
}

/* Parameters of which not even a trace was left in this copy of the function. */
static void add_vanished(struct looking *looking)
{
	Dwarf_Die origin, child;
	Dwarf_Attribute attribute;
	if (dwarf_attr(&looking->place->scope, DW_AT_abstract_origin, &attribute) == NULL ||
	    dwarf_formref_die(&attribute, &origin) == NULL || dwarf_child(&origin, &child) != 0)
		return;
	do {
		if (dwarf_tag(&child) == DW_TAG_formal_parameter &&
		    !has_concrete(&looking->place->scope, &child))
			add_variable(looking, &child);
	} while (++looking->entries < ENTRIES_MAX && dwarf_siblingof(&child, &child) == 0);
}

/* The variables of `scope`, and those of the blocks in it around the PC. Calls that were expanded
 * in it are frames of their own. */
static void add_scope(struct looking *looking, Dwarf_Die *scope, bool arguments, unsigned depth)
{
	Dwarf_Die child;
	if (depth > BLOCK_DEPTH_MAX || dwarf_child(scope, &child) != 0)
		return;
	do {
		const int tag = dwarf_tag(&child);
		if (tag == (arguments ? DW_TAG_formal_parameter : DW_TAG_variable))
			add_variable(looking, &child);
		else if (!arguments && scope_holds_code(tag) && tag != DW_TAG_subprogram &&
			 tag != DW_TAG_inlined_subroutine &&
			 dwarf_haspc(&child, looking->place->pc) == 1)
			add_scope(looking, &child, false, depth + 1);
	} while (++looking->entries < ENTRIES_MAX && !looking->out_of_memory &&
		 dwarf_siblingof(&child, &child) == 0);
}

static bool examine_frame(const struct subject *subject, const struct thread *thread, size_t index,
			  struct frame_variables *variables)
{
	struct frame_place place;
	struct looking looking = { .subject = subject, .place = &place };
	if (!frame_place_open(subject->target, subject->modules, thread, index, &place))
		return true;
	add_scope(&looking, &place.scope, true, 0);
	add_vanished(&looking);
	add_scope(&looking, &place.scope, false, 0);
	*variables = (struct frame_variables){ .items = looking.found.items,
					       .count = looking.found.count,
					       .left_out = looking.left_out,
					       .examined = true };
	return !looking.out_of_memory;
}

static bool examine_thread(const struct subject *subject, const struct thread *thread,
			   struct thread_variables *variables)
{
	variables->thread = thread;
	variables->frames = calloc(thread->frame_count + 1, sizeof *variables->frames);
	if (variables->frames == NULL)
		return false;
	for (size_t i = 0; i < thread->frame_count; i++)
		if (!examine_frame(subject, thread, i, &variables->frames[i]))
			return false;
	return true;
}

struct error *variables_find(const struct subject *subject, const struct stack_groups *groups,
			     struct variables *variables)
{
	struct variables made = { .items = calloc(groups->count + 1, sizeof *made.items) };
	bool complete = made.items != NULL;
	for (size_t i = 0; complete && i < groups->count; i++) {
		complete = examine_thread(subject, groups->items[i].members[0], &made.items[i]);
		made.count = i + 1;
		progress_tell(subject->progress, "reading variables", i + 1, groups->count);
	}
	if (!complete) {
		variables_free(&made);
		return error_no_memory();
	}
	*variables = made;
	return NULL;
}

void variables_free(struct variables *variables)
{
	for (size_t i = 0; i < variables->count; i++) {
		struct thread_variables *of = &variables->items[i];
		for (size_t j = 0; of->frames != NULL && j < of->thread->frame_count; j++)
			free(of->frames[j].items);
		free(of->frames);
	}
	free(variables->items);
	*variables = (struct variables){ 0 };
}

const struct frame_variables *variables_of(const struct variables *variables,
					   const struct thread *thread, size_t frame)
{
	for (size_t i = 0; variables != NULL && i < variables->count; i++)
		if (variables->items[i].thread == thread && frame < thread->frame_count)
			return &variables->items[i].frames[frame];
	return NULL;
}
