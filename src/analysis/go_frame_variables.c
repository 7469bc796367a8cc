/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "analysis/go_frame_variables.h"

#include "analysis/go_location.h"
#include "threads/scopes.h"

#include <dwarf.h>
#include <string.h>

#define VARIABLES_MAX 256   /* kept of one frame */
#define ENTRIES_MAX   20000 /* looked at in one frame */
#define DEPTH_MAX     64

struct looking {
	const struct go_process *process;
	struct go_frame_variables *variables;
	uint64_t pc; /* as in the DWARF */
	uint64_t bias;
	const char *function;
	size_t begin;
	unsigned entries;
	bool no_memory;
};

/* The compiler calls its own ones .autotmp_1 or ~r0, and what was moved to the heap &name. */
static void add(struct looking *looking, Dwarf_Die *die)
{
	struct string_pool *pool = modules_strings(looking->process->modules);
	struct go_frame_variable variable = { .function = looking->function };
	const char *name = dwarf_diename(die);
	Dwarf_Attribute attribute;
	if (name == NULL || name[0] == '.' || name[0] == '~' ||
	    looking->variables->count - looking->begin >= VARIABLES_MAX ||
	    dwarf_attr_integrate(die, DW_AT_type, &attribute) == NULL ||
	    dwarf_formref_die(&attribute, &variable.type) == NULL ||
	    !go_location(looking->process, die, looking->pc, looking->bias, &variable.offset))
		return;
	variable.name = string_pool_add(pool, name + (name[0] == '&'));
	if (!array_push(looking->variables, variable))
		looking->no_memory = true;
}

static void add_scope(struct looking *looking, Dwarf_Die *scope, unsigned depth)
{
	Dwarf_Die child;
	if (depth > DEPTH_MAX || dwarf_child(scope, &child) != 0)
		return;
	do {
		const int tag = dwarf_tag(&child);
		if (tag == DW_TAG_formal_parameter || tag == DW_TAG_variable)
			add(looking, &child);
		else if (tag == DW_TAG_lexical_block && dwarf_haspc(&child, looking->pc) == 1)
			add_scope(looking, &child, depth + 1);
	} while (++looking->entries < ENTRIES_MAX && !looking->no_memory &&
		 dwarf_siblingof(&child, &child) == 0);
}

static bool is_inner(const char *function)
{
	static const char *const inner[] = { "runtime.", "internal/", "sync." };
	for (size_t i = 0; i < sizeof inner / sizeof *inner; i++)
		if (strncmp(function, inner[i], strlen(inner[i])) == 0)
			return true;
	return false;
}

bool go_frame_variables_find(const struct go_process *process, uint64_t pc,
			     struct go_frame_variables *variables)
{
	struct scopes scopes;
	struct looking looking = { .process = process,
				   .variables = variables,
				   .begin = variables->count };
	if (!scopes_find(process->modules, pc, &scopes))
		return true;
	looking.bias = scopes.bias;
	looking.pc = pc - scopes.bias;
	for (unsigned i = scopes.count; i-- > 0;) {
		const char *name = dwarf_diename(&scopes.dies[i]);
		if (name == NULL || is_inner(name))
			continue;
		looking.function = string_pool_add(modules_strings(process->modules), name);
		add_scope(&looking, &scopes.dies[i], 0);
	}
	return !looking.no_memory;
}
