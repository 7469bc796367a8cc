/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "analysis/go_object_names.h"

#include "analysis/go_frame_variables.h"
#include "analysis/go_location.h"
#include "analysis/go_typed_walk.h"

#include <dwarf.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define STEPS_GLOBAL  2000    /* of one variable */
#define STEPS_GLOBALS 1000000 /* of all of them */
#define STEPS_FRAME   1000
#define HOPS_GLOBAL   3 /* "main.pool.workers[3].jobs" has as many */
#define HOPS_FRAME    2
#define FRAMES_MAX    12 /* that have variables */

/* --- global variables */

static bool all_named(const struct go_wait_objects *objects)
{
	for (size_t i = 0; i < objects->objects.count; i++)
		if (objects->objects.items[i].name == NULL)
			return false;
	return true;
}

/* The Go runtime's own are not what the program waits for. */
static bool is_of_runtime(const char *name)
{
	return strncmp(name, "runtime.", 8) == 0 || strncmp(name, "internal/", 9) == 0 ||
	       strncmp(name, "unicode.", 8) == 0 || strncmp(name, "go:", 3) == 0;
}

static void walk_global(struct go_typed_walk *walk, Dwarf_Die *die, uint64_t bias, unsigned hops,
			unsigned *left)
{
	const char *name = dwarf_diename(die);
	Dwarf_Attribute attribute;
	Dwarf_Die type;
	uint64_t address;
	if (name == NULL || is_of_runtime(name) ||
	    dwarf_attr(die, DW_AT_type, &attribute) == NULL ||
	    dwarf_formref_die(&attribute, &type) == NULL ||
	    !go_location(walk->process, die, 0, bias, &address))
		return;
	unsigned steps = *left < STEPS_GLOBAL ? *left : STEPS_GLOBAL;
	walk->steps = steps;
	go_typed_walk(walk, name, &type, address, hops);
	*left -= steps - walk->steps;
}

/* The nearest first: what lies in a variable, then what it leads to. */
static void name_by_globals(const struct go_process *process, struct goroutines *goroutines)
{
	struct go_typed_walk walk = { .process = process,
				      .objects = &goroutines->objects,
				      .where = "" };
	Dwarf_Addr bias;
	unsigned left = STEPS_GLOBALS;
	Dwarf *dwarf = process->module->dwfl != NULL
			   ? dwfl_module_getdwarf(process->module->dwfl, &bias)
			   : NULL;
	for (unsigned hops = 0; dwarf != NULL && hops <= HOPS_GLOBAL; hops++) {
		Dwarf_CU *cu = NULL;
		Dwarf_Die unit, die;
		while (!all_named(&goroutines->objects) && left > 0 &&
		       dwarf_get_units(dwarf, cu, &cu, NULL, NULL, &unit, NULL) == 0) {
			if (dwarf_child(&unit, &die) != 0)
				continue;
			do
				if (dwarf_tag(&die) == DW_TAG_variable)
					walk_global(&walk, &die, bias, hops, &left);
			while (left > 0 && dwarf_siblingof(&die, &die) == 0);
		}
	}
}

static void name_by_symbols(const struct go_process *process, struct goroutines *goroutines)
{
	struct go_wait_objects *objects = &goroutines->objects;
	struct string_pool *pool = modules_strings(process->modules);
	struct symbol symbol;
	for (size_t i = 0; i < objects->objects.count; i++) {
		struct go_object *object = &objects->objects.items[i];
		if (object->name != NULL ||
		    modules_find(process->modules, object->address) != process->module ||
		    !modules_symbol_at(process->modules, object->address, &symbol) ||
		    object->address - symbol.address >= symbol.size)
			continue;
		object->name = object->address == symbol.address
				   ? symbol.name
				   : string_pool_format(pool, "%s+%" PRIu64, symbol.name,
							object->address - symbol.address);
	}
}

/* --- variables of goroutines */

struct frame_part {
	size_t frame; /* number, from the innermost one */
	size_t first, count;
};

/* What is the same for all goroutines with one stack. */
struct stack_variables {
	size_t part_count;
	struct frame_part parts[FRAMES_MAX];
	struct go_frame_variables variables;
};

struct naming {
	const struct go_process *process;
	struct goroutines *goroutines;
	struct stack_variables **stacks; /* by number; NULL: not asked for yet */
	struct go_typed_walk walk;
};

static bool has_unnamed(const struct naming *naming, const struct goroutine *one)
{
	const struct go_wait_objects *objects = &naming->goroutines->objects;
	for (uint32_t i = 0; i < one->wait.count; i++)
		if (objects->objects.items[objects->cases.items[one->wait.first + i].object].name ==
		    NULL)
			return true;
	return false;
}

/* NULL when memory is exhausted. */
static struct stack_variables *variables_of(struct naming *naming, const struct goroutine *one)
{
	struct stack_variables **slot = &naming->stacks[one->stack];
	struct go_unwind unwind;
	struct go_frame frame;
	if (*slot != NULL)
		return *slot;
	*slot = calloc(1, sizeof **slot);
	if (*slot == NULL)
		return NULL;
	goroutine_unwind(naming->process, &naming->goroutines->places, one, &unwind);
	for (size_t i = 0; (*slot)->part_count < FRAMES_MAX && go_unwind_next(&unwind, &frame);
	     i++) {
		struct go_frame_variables *variables = &(*slot)->variables;
		size_t first = variables->count;
		if (!go_frame_variables_find(naming->process, frame.lookup, variables))
			return NULL;
		if (variables->count > first)
			(*slot)->parts[(*slot)->part_count++] =
			    (struct frame_part){ i, first, variables->count - first };
	}
	return *slot;
}

static void walk_frame(struct naming *naming, const struct stack_variables *of,
		       const struct frame_part *part, uint64_t cfa, unsigned hops)
{
	char where[256];
	naming->walk.steps = STEPS_FRAME;
	for (size_t i = part->first; i < part->first + part->count; i++) {
		struct go_frame_variable variable = of->variables.items[i];
		snprintf(where, sizeof where, " of %s", variable.function);
		naming->walk.where = where;
		go_typed_walk(&naming->walk, variable.name, &variable.type, cfa + variable.offset,
			      hops);
	}
}

static bool name_by_frames(struct naming *naming, const struct goroutine *one)
{
	const struct stack_variables *of = variables_of(naming, one);
	struct go_unwind unwind;
	struct go_frame frame;
	if (of == NULL)
		return false;
	for (unsigned hops = 0; hops <= HOPS_FRAME && has_unnamed(naming, one); hops++) {
		size_t part = 0;
		goroutine_unwind(naming->process, &naming->goroutines->places, one, &unwind);
		for (size_t i = 0; part < of->part_count && go_unwind_next(&unwind, &frame); i++)
			if (of->parts[part].frame == i)
				walk_frame(naming, of, &of->parts[part++], frame.fp, hops);
	}
	return true;
}

struct error *go_object_names_find(const struct go_process *process, struct goroutines *goroutines)
{
	struct naming naming = { .process = process, .goroutines = goroutines };
	size_t looked = 0;
	bool done = true;
	naming.walk = (struct go_typed_walk){ .process = process, .objects = &goroutines->objects };
	name_by_globals(process, goroutines);
	name_by_symbols(process, goroutines);
	naming.stacks = calloc(goroutines->stack_count + 1, sizeof *naming.stacks);
	if (naming.stacks == NULL)
		return error_no_memory();
	for (size_t i = 0; done && i < goroutines->count && looked < GO_NAMED_GOROUTINES; i++) {
		if (!has_unnamed(&naming, &goroutines->items[i]))
			continue;
		looked++;
		done = name_by_frames(&naming, &goroutines->items[i]);
	}
	for (size_t i = 0; i < goroutines->stack_count; i++)
		if (naming.stacks[i] != NULL) {
			array_free(&naming.stacks[i]->variables);
			free(naming.stacks[i]);
		}
	free(naming.stacks);
	return done ? NULL : error_no_memory();
}
