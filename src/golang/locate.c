/* Finding the runtime's tables and variables: by section and symbol names, and where a program is
 * stripped of those by what they hold.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "golang/golang.h"

#include "golang/pending.h"
#include "golang/search.h"
#include "modules/sections.h"

#include <stdio.h>
#include <string.h>

/* moduledata structs in one chain: the program and its plugins. */
#define MODULES_MAX 64
/* Of runtime.cleanupQueue, since Go 1.25: .all, in the third line of the cache. */
#define CLEANUPS_ALL 128
/* runtime.functab is a pair of 32-bit offsets. */
#define FUNCTAB_SIZE 8

/* The magics of the table of functions. */
enum { PCLNTAB_GO118 = 0xfffffff0, PCLNTAB_GO120 = 0xfffffff1 };

/* --- the table of functions */

/* Whether the header of a table of functions is at `address`: its magic, two zeros, the quantum of
 * an instruction on amd64 (1) and the size of a pointer. */
static bool is_function_table(const struct go_process *process, uint64_t address, uint32_t *magic)
{
	uint8_t bytes[8];
	if (!address_space_probe(process->space, address, bytes, sizeof bytes))
		return false;
	*magic = (uint32_t)bytes_unsigned(bytes, 4, false);
	return *magic >= 0xfffffff0 && bytes[4] == 0 && bytes[5] == 0 && bytes[6] == 1 &&
	       bytes[7] == 8;
}

static bool find_function_table(struct go_process *process, const struct module *module,
				uint64_t *address, uint32_t *magic)
{
	static const char *const names[] = { MODULE_GO_FUNCTIONS, MODULE_GO_FUNCTIONS_PIE };
	uint64_t size;
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (module_section(module, names[i], address, &size) &&
		    is_function_table(process, *address, magic))
			return true;
	return false;
}

/* The program itself first. */
static bool find_module(struct go_process *process, uint64_t *table, uint32_t *magic)
{
	size_t count;
	const struct module *list = modules_list(process->modules, &count);
	process->module = modules_executable(process->modules);
	if (process->module != NULL && process->module->is_go &&
	    find_function_table(process, process->module, table, magic))
		return true;
	for (size_t i = 0; i < count; i++) {
		process->module = &list[i];
		if (list[i].is_go && find_function_table(process, &list[i], table, magic))
			return true;
	}
	return false;
}

/* --- version */

/* The header of what the linker writes about the build: magic, size of a pointer, flags; since Go
 * 1.18 with flag 2 the strings follow at 32, each behind its length as a varint. */
static bool version_from_build_info(struct go_process *process, uint64_t address)
{
	static const char magic[14] = "\xff Go buildinf:";
	uint8_t bytes[32 + 1 + 120];
	if (!address_space_probe(process->space, address, bytes, sizeof bytes) ||
	    memcmp(bytes, magic, sizeof magic) != 0 || (bytes[15] & 2) == 0 || bytes[32] > 120)
		return false;
	process->version = string_pool_format(modules_strings(process->modules), "%.*s",
					      (int)bytes[32], (const char *)bytes + 33);
	return true;
}

static bool symbol_address(const struct go_process *process, const char *name, uint64_t *address)
{
	struct symbol symbol;
	if (!modules_symbol_named(process->modules, process->module, name, &symbol))
		return false;
	*address = symbol.address;
	return true;
}

static bool find_version(struct go_process *process)
{
	uint64_t address, size;
	char text[128];
	if (!module_section(process->module, ".go.buildinfo", &address, &size) ||
	    !version_from_build_info(process, address)) {
		if ((!symbol_address(process, "runtime.buildVersion", &address) ||
		     !go_string_at(process, address, text, sizeof text)) &&
		    !go_find_version_text(process, text, sizeof text))
			return false;
		process->version = string_pool_add(modules_strings(process->modules), text);
	}
	/* "go1.24.4", "devel go1.28-1a2b3c …" */
	const char *number = strstr(process->version, "go1.");
	return number != NULL && sscanf(number, "go1.%3u", &process->minor) == 1;
}

/* --- moduledata */

static bool borrow_slice(struct go_process *process, uint64_t base, enum go_field field,
			 uint64_t element, struct go_bytes *bytes)
{
	struct go_slice slice;
	const struct module *module = process->module;
	return go_read_slice(process, base, field, &slice) && slice.address >= module->start &&
	       slice.address <= module->end &&
	       slice.count <= (module->end - slice.address) / element &&
	       go_borrow(process, slice.address, slice.count * element, bytes);
}

static bool read_mask(const struct go_process *process, uint64_t base, enum go_field field,
		      uint64_t start, uint64_t end, uint64_t *mask, uint64_t *bits)
{
	uint64_t offset, count, at;
	uint32_t n;
	if (!go_offset(process, field, &offset) ||
	    !address_space_u32(process->space, base + offset, &n) ||
	    !address_space_u64(process->space, base + offset + 8, &at))
		return false;
	count = n;
	if (count > (end - start) / 8 + 1)
		return false;
	*mask = at;
	*bits = count;
	return true;
}

static bool read_ranges(const struct go_process *process, uint64_t base, struct go_module *module)
{
	module->text = go_pointer(process, base, GO_MODULEDATA_TEXT);
	module->text_end = go_pointer(process, base, GO_MODULEDATA_ETEXT);
	module->data = go_pointer(process, base, GO_MODULEDATA_DATA);
	module->data_end = go_pointer(process, base, GO_MODULEDATA_EDATA);
	module->bss = go_pointer(process, base, GO_MODULEDATA_BSS);
	module->bss_end = go_pointer(process, base, GO_MODULEDATA_EBSS);
	module->types = go_pointer(process, base, GO_MODULEDATA_TYPES);
	module->types_end = go_pointer(process, base, GO_MODULEDATA_ETYPES);
	module->rodata = go_pointer(process, base, GO_MODULEDATA_RODATA);
	module->funcdata = go_pointer(process, base, GO_MODULEDATA_GOFUNC);
	return module->text != 0 && module->text < module->text_end &&
	       module->data <= module->data_end && module->bss <= module->bss_end &&
	       module->types <= module->types_end && module->funcdata != 0 &&
	       read_mask(process, base, GO_MODULEDATA_GCDATAMASK, module->data, module->data_end,
			 &module->data_mask, &module->data_mask_bits) &&
	       read_mask(process, base, GO_MODULEDATA_GCBSSMASK, module->bss, module->bss_end,
			 &module->bss_mask, &module->bss_mask_bits);
}

static bool read_moduledata(struct go_process *process, uint64_t address)
{
	struct go_module module = { .address = address };
	struct go_bytes ftab;
	if (!read_ranges(process, address, &module) ||
	    !borrow_slice(process, address, GO_MODULEDATA_FUNCNAMETAB, 1, &module.function_names) ||
	    !borrow_slice(process, address, GO_MODULEDATA_CUTAB, 4, &module.unit_files) ||
	    !borrow_slice(process, address, GO_MODULEDATA_FILETAB, 1, &module.files) ||
	    !borrow_slice(process, address, GO_MODULEDATA_PCTAB, 1, &module.pc_tables) ||
	    !borrow_slice(process, address, GO_MODULEDATA_PCLNTABLE, 1, &module.functions) ||
	    !borrow_slice(process, address, GO_MODULEDATA_FTAB, FUNCTAB_SIZE, &ftab) ||
	    ftab.address != module.functions.address || ftab.size < 2 * FUNCTAB_SIZE ||
	    ftab.size > module.functions.size)
		return false;
	/* The last entry is the end of the last function. */
	module.function_count = ftab.size / FUNCTAB_SIZE - 1;
	return array_push(&process->list, module);
}

/* moduledata begins with a pointer to the table of functions, and then one to their names, whose
 * offset the table's header has at 32: in every version since 1.18. */
static bool moduledata_at(const struct go_process *process, uint64_t table, uint64_t at)
{
	uint64_t first, second, names;
	return address_space_u64(process->space, table + 32, &names) &&
	       address_space_u64(process->space, at, &first) && first == table &&
	       address_space_u64(process->space, at + 8, &second) && second == table + names;
}

static bool find_moduledata(struct go_process *process, uint64_t table, uint64_t *address)
{
	struct go_search search;
	uint64_t size;
	if ((symbol_address(process, "runtime.firstmoduledata", address) ||
	     module_section(process->module, ".go.module", address, &size)) &&
	    moduledata_at(process, table, *address))
		return true;
	go_search_begin(&search, process);
	while (go_search_word(&search, table, address))
		if (moduledata_at(process, table, *address))
			return true;
	return false;
}

static bool read_modules(struct go_process *process, uint64_t first)
{
	uint64_t at = first;
	for (unsigned i = 0; at != 0 && i < MODULES_MAX; i++) {
		/* Plugins lie in modules of their own. */
		const struct module *module = process->module;
		if (i > 0)
			process->module = modules_find(process->modules, at);
		bool read = process->module != NULL && read_moduledata(process, at);
		process->module = module;
		if (!read)
			return i > 0;
		at = go_pointer(process, at, GO_MODULEDATA_NEXT);
	}
	return true;
}

/* --- the runtime's variables */

static void find_variables(struct go_process *process)
{
	uint64_t address;
	struct symbol symbol;
	process->stripped = !symbol_address(process, "runtime.allgs", &address);
	if (process->stripped) {
		go_find_by_content(process);
		go_pending_find(process);
		return;
	}
	go_slice_at(process, address, &process->goroutines);
	if (symbol_address(process, "runtime.allp", &address))
		go_slice_at(process, address, &process->processors);
	if (symbol_address(process, "runtime.mheap_", &address))
		process->heap = address;
	if (symbol_address(process, "runtime.allfin", &address))
		process->finalizers = address;
	if (symbol_address(process, "runtime.gcCleanups", &address))
		process->cleanups = address + CLEANUPS_ALL;
	if (symbol_address(process, "runtime.gcphase", &address))
		process->gc_phase = address;
	if (symbol_address(process, "syscall.origRlimitNofile", &address))
		process->open_files_limit = address;
	if (modules_symbol_named(process->modules, process->module, "runtime.waitReasonStrings",
				 &symbol)) {
		process->wait_reasons = symbol.address;
		process->wait_reason_count = symbol.size / 16 < 256 ? symbol.size / 16 : 256;
	}
}

/* Every g says in .sched whose it is: of those that are looked at nearly all have to agree. */
static bool goroutines_agree(const struct go_process *process)
{
	const struct go_slice *all = &process->goroutines;
	uint64_t looked = 0, agree = 0, g;
	for (uint64_t i = 0; i < all->count && looked < 64; i++, looked++)
		agree += address_space_u64(process->space, all->address + 8 * i, &g) &&
			 go_pointer(process, g, GO_G_SCHED_G) == g;
	return looked > 0 && 10 * agree >= 9 * looked;
}

static struct error *read_process(struct go_process *process, uint64_t table, uint32_t magic)
{
	uint64_t moduledata;
	if (magic != PCLNTAB_GO118 && magic != PCLNTAB_GO120)
		return error_new(ERROR_UNSUPPORTED,
				 "a Go program whose table of functions has an unknown form "
				 "(0x%x): its goroutines were not read",
				 (unsigned)magic);
	process->has_start_lines = magic == PCLNTAB_GO120;
	if (!find_version(process))
		return error_new(ERROR_UNSUPPORTED, "a Go program that does not tell its version: "
						    "its goroutines were not read");
	go_layouts_find(process->modules, process->module, process->minor, &process->layouts);
	if (process->layouts.evidence == LAYOUT_NONE)
		return error_new(ERROR_UNSUPPORTED,
				 "a %s program without debug information, and corescan has no "
				 "layout of that version: its goroutines were not read",
				 process->version);
	if (!find_moduledata(process, table, &moduledata) || !read_modules(process, moduledata))
		return error_new(ERROR_BAD_DATA,
				 "a %s program whose moduledata was not found, or does not agree "
				 "with its table of functions: its goroutines were not read",
				 process->version);
	find_variables(process);
	if (!goroutines_agree(process))
		return error_new(ERROR_BAD_DATA,
				 "a %s program whose list of goroutines was not found, or does "
				 "not agree with the layout of that version (%s): they were not "
				 "read",
				 process->version, layout_evidence_name(process->layouts.evidence));
	return NULL;
}

struct error *go_process_open(struct target *target, struct modules *modules,
			      struct go_process **process)
{
	uint64_t table;
	uint32_t magic;
	struct error *error;
	struct go_process *found = calloc(1, sizeof *found);
	if (found == NULL)
		return error_no_memory();
	found->target = target;
	found->space = target->space;
	found->modules = modules;
	if (!find_module(found, &table, &magic))
		error = error_new(ERROR_NOT_FOUND, "no Go runtime was found");
	else
		error = read_process(found, table, magic);
	if (error != NULL) {
		go_process_free(found);
		return error;
	}
	*process = found;
	return NULL;
}
