/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "threads/frames.h"

#include "threads/address_map.h"
#include "threads/scopes.h"

#include <dwarf.h>
#include <string.h>

/* The frames of one PC in .frames. */
struct run {
	size_t first, count;
};

struct frame_namer {
	struct modules *modules;
	bool inlines;
	struct address_map map;	   /* lookup PC → index in .runs */
	struct frame_array frames; /* without PC and SP */
	ARRAY(struct run) runs;
};

/* The name for the linker, or NULL. */
static const char *linkage_name(Dwarf_Die *die)
{
	Dwarf_Attribute attribute;
	if (dwarf_attr_integrate(die, DW_AT_linkage_name, &attribute) == NULL &&
	    dwarf_attr_integrate(die, DW_AT_MIPS_linkage_name, &attribute) == NULL)
		return NULL;
	return dwarf_formstring(&attribute);
}

/* Where the function of a concrete `die` was declared. */
static void find_declaration(Dwarf_Die *die, Dwarf_Die *declaration)
{
	static const unsigned links[] = { DW_AT_abstract_origin, DW_AT_specification };
	*declaration = *die;
	for (size_t i = 0; i < sizeof links / sizeof *links; i++) {
		Dwarf_Attribute attribute;
		Dwarf_Die next;
		if (dwarf_attr(declaration, links[i], &attribute) != NULL &&
		    dwarf_formref_die(&attribute, &next) != NULL)
			*declaration = next;
	}
}

/* The name with the scopes around it: functions of local classes and of the anonymous namespace
 * have no name for the linker that would tell. */
static const char *qualified_name(struct string_pool *pool, Dwarf_Die *die)
{
	const char *name = dwarf_diename(die);
	Dwarf_Die declaration, *scopes;
	if (name == NULL)
		return NULL;
	find_declaration(die, &declaration);
	int count = dwarf_getscopes_die(&declaration, &scopes);
	if (count <= 0)
		return string_pool_add(pool, name);
	for (int i = 1; i < count - 1; i++) { /* the last one is the unit */
		int tag = dwarf_tag(&scopes[i]);
		const char *scope = dwarf_diename(&scopes[i]);
		if (scope == NULL && tag == DW_TAG_namespace)
			scope = "(anonymous namespace)";
		else if (scope == NULL && tag == DW_TAG_structure_type)
			scope = "{lambda}";
		if (scope != NULL && (scope_holds_functions(tag) || tag == DW_TAG_subprogram))
			name = string_pool_format(pool, "%s::%s", scope, name);
	}
	free(scopes);
	return string_pool_add(pool, name);
}

/* `linkage` without what compilers append to the names of a function's clones and parts. */
static const char *without_suffix(struct string_pool *pool, const char *linkage)
{
	static const char *const suffixes[] = { ".constprop.", ".isra.",      ".part.", ".cold",
						".lto_priv.",  ".localalias", ".llvm." };
	const char *end = NULL;
	for (size_t i = 0; i < sizeof suffixes / sizeof *suffixes; i++) {
		const char *found = strstr(linkage, suffixes[i]);
		if (found != NULL && found != linkage && (end == NULL || found < end))
			end = found;
	}
	if (end == NULL)
		return linkage;
	return string_pool_format(pool, "%.*s", (int)(end - linkage), linkage);
}

/* The place of the call that was expanded as `die`. */
static void call_site(struct frame_namer *namer, Dwarf_Die *die, struct frame *caller)
{
	Dwarf_Attribute attribute;
	Dwarf_Word number;
	Dwarf_Die unit;
	Dwarf_Files *files;
	size_t count;
	if (dwarf_attr(die, DW_AT_call_line, &attribute) != NULL &&
	    dwarf_formudata(&attribute, &number) == 0)
		caller->line = (unsigned)number;
	if (dwarf_attr(die, DW_AT_call_file, &attribute) == NULL ||
	    dwarf_formudata(&attribute, &number) != 0)
		return;
	if (dwarf_diecu(die, &unit, NULL, NULL) != NULL &&
	    dwarf_getsrcfiles(&unit, &files, &count) == 0 && number < count)
		caller->file = string_pool_add(modules_strings(namer->modules),
					       dwarf_filesrc(files, number, NULL, NULL));
}

static void name_from_dwarf(struct frame_namer *namer, Dwarf_Die *die, struct frame *frame)
{
	struct string_pool *pool = modules_strings(namer->modules);
	const char *linkage = linkage_name(die);
	if (linkage != NULL) {
		frame->linkage = string_pool_add(pool, linkage);
		frame->function = modules_demangle_short(namer->modules, frame->linkage);
	} else {
		frame->linkage = string_pool_add(pool, dwarf_diename(die));
		frame->function = qualified_name(pool, die);
	}
}

/* The frame of the machine's own call: the symbol table's name, else the debug information's. */
static void name_physical(struct frame_namer *namer, uint64_t pc, struct scopes *scopes,
			  struct frame *frame)
{
	struct symbol symbol;
	if (modules_symbol_at(namer->modules, pc, &symbol)) {
		const char *linkage =
		    without_suffix(modules_strings(namer->modules), symbol.linkage);
		/* The line tells overloaded functions apart; without it the parameters must. */
		frame->function = frame->file != NULL
				      ? modules_demangle_short(namer->modules, linkage)
				      : modules_demangle(namer->modules, linkage);
		frame->linkage = symbol.linkage;
		frame->offset = pc - symbol.address;
	} else if (scopes->count > 0) {
		Dwarf_Addr low;
		Dwarf_Die *function = &scopes->dies[0];
		name_from_dwarf(namer, function, frame);
		if (dwarf_lowpc(function, &low) == 0 && frame->module != NULL)
			frame->offset = pc - (low + frame->module->bias);
	}
}

/* Appends what stands at `pc` to namer->frames. */
static bool describe(struct frame_namer *namer, uint64_t pc)
{
	struct scopes scopes = { .count = 0 };
	const struct module *module = modules_find(namer->modules, pc);
	const char *file = NULL, *directory = NULL;
	unsigned line = 0;
	if (namer->inlines && module != NULL) {
		scopes_find(namer->modules, pc, &scopes);
		if (!modules_line(namer->modules, pc, &file, &line))
			file = NULL, line = 0;
		directory = modules_directory(namer->modules, pc);
	}
	if (!array_reserve(&namer->frames, scopes.count + 1))
		return false;
	/* From the innermost call outwards; each call site is its caller's place. */
	for (unsigned i = scopes.count; i-- > 1;) {
		Dwarf_Die *die = &scopes.dies[i];
		if (dwarf_tag(die) != DW_TAG_inlined_subroutine)
			continue; /* a function nested in another one */
		struct frame frame = { .module = module, .inlined = true };
		struct frame caller = { 0 };
		name_from_dwarf(namer, die, &frame);
		call_site(namer, die, &caller);
		frame.file = file;
		frame.directory = directory;
		frame.line = line;
		file = caller.file;
		line = caller.line;
		namer->frames.items[namer->frames.count++] = frame;
	}
	struct frame frame = {
		.module = module, .file = file, .directory = directory, .line = line
	};
	name_physical(namer, pc, &scopes, &frame);
	namer->frames.items[namer->frames.count++] = frame;
	return true;
}

static bool find_run(struct frame_namer *namer, uint64_t pc, struct run *run)
{
	uint32_t index;
	if (address_map_find(&namer->map, pc, &index)) {
		*run = namer->runs.items[index];
		return true;
	}
	if (!array_reserve(&namer->runs, 1) || namer->runs.count >= UINT32_MAX - 1)
		return false;
	run->first = namer->frames.count;
	if (!describe(namer, pc))
		return false;
	run->count = namer->frames.count - run->first;
	if (!address_map_add(&namer->map, pc, (uint32_t)namer->runs.count))
		return false;
	namer->runs.items[namer->runs.count++] = *run;
	return true;
}

bool frame_namer_append(struct frame_namer *namer, const struct raw_frame *raw,
			struct frame_array *frames)
{
	struct run run;
	if (!find_run(namer, raw->lookup_pc, &run) || !array_reserve(frames, run.count))
		return false;
	for (size_t i = 0; i < run.count; i++) {
		struct frame frame = namer->frames.items[run.first + i];
		frame.pc = raw->pc;
		frame.lookup_pc = raw->lookup_pc;
		frame.sp = raw->sp;
		frame.signal_frame = raw->signal_frame && !frame.inlined;
		frame.guessed = raw->guessed;
		frames->items[frames->count++] = frame;
	}
	return true;
}

struct error *frame_namer_new(struct modules *modules, bool inlines, struct frame_namer **namer)
{
	struct frame_namer *made = calloc(1, sizeof *made);
	if (made == NULL)
		return error_no_memory();
	made->modules = modules;
	made->inlines = inlines;
	*namer = made;
	return NULL;
}

void frame_namer_free(struct frame_namer *namer)
{
	if (namer == NULL)
		return;
	address_map_free(&namer->map);
	array_free(&namer->frames);
	array_free(&namer->runs);
	free(namer);
}
