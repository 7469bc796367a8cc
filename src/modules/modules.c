/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "modules/modules.h"

#include "modules/module_list.h"
#include "modules/module_load.h"
#include "modules/modules_private.h"
#include "modules/sections.h"

#include <elf.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct module_entry *modules_entry(const struct modules *modules, const struct module *module)
{
	return &modules->entries.items[module - modules->list];
}

bool modules_word(const struct modules *modules, uint64_t address, uint64_t *value)
{
	uint32_t narrow;
	if (modules->target->arch->word_size == 8)
		return address_space_u64(modules->target->space, address, value);
	if (!address_space_u32(modules->target->space, address, &narrow))
		return false;
	*value = narrow;
	return true;
}

/* libdwfl asks for the file of a module: it gets our mapping, which has been verified. */
static int find_elf(Dwfl_Module *mod, void **userdata, const char *name, Dwarf_Addr base,
		    char **file_name, Elf **elf)
{
	struct module_entry *entry = *userdata;
	(void)mod, (void)name, (void)base;
	*file_name = NULL;
	*elf = NULL;
	if (entry == NULL)
		return -1;
	if (entry->file.bytes != NULL) {
		*file_name = strdup(entry->file.path);
		*elf = elf_memory((char *)entry->file.bytes, entry->file.size);
	} else if (entry->memory_image != NULL) {
		*elf = elf_memory((char *)entry->memory_image, entry->memory_image_size);
	}
	return -1;
}

/* Where separate debug files are looked for, in libdwfl's notation; NULL when memory is exhausted.
 */
static char *make_debuginfo_path(const struct modules_options *options)
{
	char directory[PATH_MAX] = "";
	char *path;
	if (options->debug_dir != NULL && realpath(options->debug_dir, directory) == NULL)
		snprintf(directory, sizeof directory, "%s", options->debug_dir);
	const char *sysroot = options->sysroot != NULL ? options->sysroot : "";
	int length = asprintf(&path, ":.debug:%s%s%s%s/usr/lib/debug", directory,
			      directory[0] != '\0' ? ":" : "", sysroot,
			      sysroot[0] != '\0' ? "/usr/lib/debug:" : "");
	return length < 0 ? NULL : path;
}

/* --debug-dir is not to be missed in silence. */
static void check_debug_dir(const struct modules_options *options, struct gaps *gaps)
{
	if (options->debug_dir == NULL)
		return;
	if (access(options->debug_dir, X_OK) != 0)
		gaps_add(gaps, GAP_DEBUG_INFO, 0, 0, "%s: no such directory of debug files (%m)",
			 options->debug_dir);
	else if (strchr(options->debug_dir, ':') != NULL)
		gaps_add(gaps, GAP_DEBUG_INFO, 0, 0,
			 "%s: a directory of debug files whose name holds ':' cannot be searched; "
			 "give a symbolic link to it",
			 options->debug_dir);
}

static struct error *report_to_dwfl(struct modules *modules)
{
	/* Beginning anew ends what find_by_build_id reported. */
	dwfl_report_begin(modules->dwfl);
	for (size_t i = 0; i < modules->entries.count; i++) {
		struct module_entry *entry = &modules->entries.items[i];
		const struct elf_segment *first = elf_image_segment(&entry->image, PT_LOAD);
		if (first == NULL)
			continue;
		/* libdwfl takes the start to be the first segment's, rounded by its alignment. */
		uint64_t align = first->align != 0 ? first->align : 1;
		uint64_t start = entry->module.bias + (first->vaddr & -align);
		if (start > entry->module.start)
			start = entry->module.start;
		Dwfl_Module *dwfl =
		    dwfl_report_module(modules->dwfl, entry->module.path, start, entry->module.end);
		void **userdata;
		if (dwfl == NULL)
			continue;
		dwfl_module_info(dwfl, &userdata, NULL, NULL, NULL, NULL, NULL, NULL);
		*userdata = entry;
		entry->module.dwfl = dwfl;
	}
	return dwfl_report_end(modules->dwfl, NULL, NULL) == 0
		   ? NULL
		   : error_new(ERROR_BAD_DATA, "libdwfl: %s", dwfl_errmsg(-1));
}

static int by_address(const void *a, const void *b)
{
	const struct module_entry *p = a, *q = b;
	return (p->module.start > q->module.start) - (p->module.start < q->module.start);
}

/* Whether the section table of `elf` names a symbol in one of its symbol tables, defined. */
static bool defines(Elf *elf, const char *name)
{
	Elf_Scn *section = NULL;
	while ((section = elf_nextscn(elf, section)) != NULL) {
		GElf_Shdr header;
		if (gelf_getshdr(section, &header) == NULL || header.sh_entsize == 0 ||
		    (header.sh_type != SHT_SYMTAB && header.sh_type != SHT_DYNSYM))
			continue;
		Elf_Data *data = elf_getdata(section, NULL);
		size_t count = data != NULL ? header.sh_size / header.sh_entsize : 0;
		for (size_t i = 0; i < count && i < INT_MAX; i++) {
			GElf_Sym symbol;
			if (gelf_getsym(data, (int)i, &symbol) == NULL)
				break;
			if (symbol.st_shndx == SHN_UNDEF)
				continue;
			const char *text = elf_strptr(elf, header.sh_link, symbol.st_name);
			if (text != NULL && strcmp(text, name) == 0)
				return true;
		}
	}
	return false;
}

/* glibc's malloc is in libc.so.6 (libc-2.31.so by its file name), or in a static program; the
 * words of one of its messages stand in a stripped one too. */
static bool holds_glibc_malloc(const struct module_entry *entry)
{
	static const char message[] = "malloc(): corrupted top size";
	const char *name = entry->module.name;
	bool named = strncmp(name, "libc.so.6", 9) == 0 || strncmp(name, "libc-2.", 7) == 0;
	bool is_static =
	    entry->module.is_executable && elf_image_segment(&entry->image, PT_INTERP) == NULL;
	if (entry->file.bytes == NULL)
		return named;
	if (!named && !is_static)
		return false;
	if (is_static)
		return memmem(entry->file.bytes, entry->file.size, message, sizeof message) != NULL;
	Elf *elf = elf_memory((char *)entry->file.bytes, entry->file.size);
	bool holds = elf != NULL && defines(elf, "gnu_get_libc_version") && defines(elf, "malloc");
	elf_end(elf);
	return holds;
}

static bool holds_go(const struct module *module)
{
	uint64_t start, size;
	return module_section(module, MODULE_GO_FUNCTIONS, &start, &size) ||
	       module_section(module, MODULE_GO_FUNCTIONS_PIE, &start, &size);
}

static struct error *describe_image(struct module_entry *entry)
{
	struct module_image *described = &entry->described;
	uint64_t bias = entry->module.bias;
	struct module_segment *segments = calloc(entry->image.count + 1, sizeof *segments);
	if (segments == NULL)
		return error_no_memory();
	described->segments = segments;
	described->link_map = entry->link_map;
	for (size_t i = 0; i < entry->image.count; i++) {
		const struct elf_segment *segment = &entry->image.segments[i];
		uint64_t start = bias + segment->vaddr;
		switch (segment->type) {
		case PT_LOAD:
			segments[described->count++] = (struct module_segment){
				.start = start,
				.end = start + segment->memsz,
				.file_end = start + segment->filesz,
				.offset = segment->offset,
				.permissions = (uint8_t)(segment->flags & (PF_R | PF_W | PF_X)),
			};
			break;
		case PT_GNU_RELRO:
			described->relro_start = start;
			described->relro_end = start + segment->memsz;
			break;
		case PT_DYNAMIC:
			described->dynamic = start;
			described->dynamic_size = segment->memsz;
			break;
		case PT_TLS:
			described->tls_image = start;
			described->tls_file_size = segment->filesz;
			described->tls_size = segment->memsz;
			described->tls_align = segment->align;
			break;
		}
	}
	return NULL;
}

/* Sorts the entries, and makes what the rest of the program sees of them. */
static struct error *finish(struct modules *modules)
{
	size_t executable;
	if (module_list_executable(modules, &executable))
		modules->entries.items[executable].module.is_executable = true;
	if (modules->entries.count != 0)
		qsort(modules->entries.items, modules->entries.count,
		      sizeof *modules->entries.items, by_address);
	struct error *error = report_to_dwfl(modules);
	if (error != NULL)
		return error;
	modules->list = calloc(modules->entries.count + 1, sizeof *modules->list);
	if (modules->list == NULL)
		return error_no_memory();
	for (size_t i = 0; i < modules->entries.count; i++) {
		struct module_entry *entry = &modules->entries.items[i];
		error = describe_image(entry);
		if (error != NULL)
			return error;
		entry->module.is_libc = holds_glibc_malloc(entry);
		if (entry->file.bytes == NULL && entry->memory_image == NULL)
			entry->module.dwfl = NULL;
		entry->module.is_go = holds_go(&entry->module);
		modules->list[i] = entry->module;
		if (entry->module.is_executable)
			modules->executable = &modules->list[i];
	}
	return NULL;
}

static struct error *start(struct target *target, const struct modules_options *options,
			   struct modules **made)
{
	struct modules *modules = calloc(1, sizeof *modules);
	if (modules == NULL)
		return error_no_memory();
	modules->target = target;
	modules->strings = string_pool_new();
	modules->debuginfo_path = make_debuginfo_path(options);
	modules->callbacks = (Dwfl_Callbacks){
		.find_elf = find_elf,
		.find_debuginfo = dwfl_standard_find_debuginfo,
		.section_address = dwfl_offline_section_address,
		.debuginfo_path = &modules->debuginfo_path,
	};
	elf_version(EV_CURRENT);
	modules->dwfl = dwfl_begin(&modules->callbacks);
	if (modules->strings == NULL || modules->debuginfo_path == NULL || modules->dwfl == NULL) {
		modules_free(modules);
		return error_no_memory();
	}
	dwfl_report_begin(modules->dwfl);
	*made = modules;
	return NULL;
}

static struct error *open_all(struct modules *modules, const struct modules_options *options,
			      struct module_file *exe, struct gaps *gaps)
{
	bool exe_given = exe->bytes != NULL;
	struct error *error = module_list_from_mappings(modules, options);
	if (error == NULL)
		error = module_load_files(modules, options, exe, gaps);
	if (error == NULL)
		error = module_list_from_loader(modules, options, gaps);
	if (error == NULL)
		error = module_load_files(modules, options, exe, gaps);
	if (error == NULL)
		error = finish(modules);
	if (error == NULL && exe_given && modules->executable == NULL)
		module_load_exe_unplaced(modules, options, gaps);
	if (error == NULL)
		module_load_gaps(modules, gaps);
	return error;
}

struct error *modules_open(struct target *target, const struct modules_options *options,
			   struct gaps *gaps, struct modules **modules)
{
	struct modules *opened = NULL;
	struct module_file exe = { 0 };
	struct error *error = NULL;
	if (options->exe != NULL)
		error = module_file_map_exe(options->exe, target->arch, &exe);
	if (error == NULL)
		error = start(target, options, &opened);
	if (error == NULL) {
		check_debug_dir(options, gaps);
		error = open_all(opened, options, &exe, gaps);
	}
	module_file_unmap(&exe);
	if (error != NULL) {
		modules_free(opened);
		return error;
	}
	*modules = opened;
	return NULL;
}

struct error *modules_settle(struct modules *modules)
{
	return module_load_splice(modules);
}

void modules_free(struct modules *modules)
{
	if (modules == NULL)
		return;
	/* libdwfl reads our mappings until it ends. */
	if (modules->dwfl != NULL)
		dwfl_end(modules->dwfl);
	for (size_t i = 0; i < modules->entries.count; i++) {
		struct module_entry *entry = &modules->entries.items[i];
		symbol_table_free(entry->symbols);
		unit_index_free(entry->units);
		elf_image_free(&entry->image);
		module_file_unmap(&entry->file);
		free(entry->memory_image);
		free(entry->why);
		free((void *)entry->described.segments);
	}
	array_free(&modules->entries);
	free(modules->list);
	free(modules->debuginfo_path);
	string_pool_free(modules->strings);
	free(modules);
}

const struct module *modules_list(const struct modules *modules, size_t *count)
{
	*count = modules->entries.count;
	return modules->list;
}

static const struct module *find_range(const struct modules *modules, uint64_t address)
{
	size_t low = 0, high = modules->entries.count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const struct module *module = &modules->list[middle];
		if (address < module->start)
			high = middle;
		else if (address >= module->end)
			low = middle + 1;
		else
			return module;
	}
	return NULL;
}

static bool is_loaded_at(const struct modules *modules, const struct module *module,
			 uint64_t address)
{
	const struct module_image *image = modules_image(modules, module);
	const uint64_t page = modules->target->arch->page_size;
	for (size_t i = 0; i < image->count; i++) {
		const struct module_segment *segment = &image->segments[i];
		if (address >= segment->start - segment->start % page &&
		    (address < segment->end || address - segment->end < -segment->end % page))
			return true;
	}
	return image->count == 0;
}

const struct module *modules_find(const struct modules *modules, uint64_t address)
{
	const struct module *module = find_range(modules, address);
	return module != NULL && is_loaded_at(modules, module, address) ? module : NULL;
}

const struct module_image *modules_image(const struct modules *modules, const struct module *module)
{
	return &modules_entry(modules, module)->described;
}

const struct module *modules_executable(const struct modules *modules)
{
	return modules->executable;
}

const struct module *modules_libc(const struct modules *modules)
{
	const struct module *best = NULL;
	for (size_t i = 0; i < modules->entries.count; i++) {
		const struct module *module = &modules->list[i];
		if (module->is_libc &&
		    (best == NULL || (module->link_namespace == 0 && best->link_namespace != 0)))
			best = module;
	}
	return best;
}

bool modules_have_go(const struct modules *modules)
{
	for (size_t i = 0; i < modules->entries.count; i++)
		if (modules->list[i].is_go)
			return true;
	return false;
}

struct string_pool *modules_strings(struct modules *modules)
{
	return modules->strings;
}

Dwfl *modules_dwfl(struct modules *modules)
{
	return modules->dwfl;
}
