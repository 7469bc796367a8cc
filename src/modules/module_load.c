/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "modules/module_load.h"

#include "modules/module_list.h"

#include <elf.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The largest module that is put together from memory. */
#define MEMORY_IMAGE_MAX (256u << 20)

/* It has no file: its image comes from memory. */
static const char vdso[] = "[vdso]";

/* Looks in the directories of debug files, and asks debuginfod where DEBUGINFOD_URLS is set. */
static void find_by_build_id(struct modules *modules, struct module_entry *entry)
{
	char *path = NULL;
	Elf *elf = NULL;
	if (entry->module.build_id_size == 0)
		return;
	Dwfl_Module *scratch = dwfl_report_module(modules->dwfl, "(by build-id)",
						  entry->module.start, entry->module.end);
	if (scratch == NULL || dwfl_module_report_build_id(scratch, entry->module.build_id,
							   entry->module.build_id_size, 0) != 0)
		return;
	int fd = dwfl_build_id_find_elf(scratch, NULL, NULL, 0, &path, &elf);
	if (elf != NULL)
		elf_end(elf);
	int number = fd >= 0 ? module_file_map_descriptor(fd, path, &entry->file) : EBADF;
	if (fd >= 0)
		close(fd);
	if (number == 0) {
		struct module_identity identity = { .build_id = entry->module.build_id,
						    .build_id_size = entry->module.build_id_size };
		char why[256];
		entry->module.match =
		    module_file_check(&entry->file, modules->target, &identity, why, sizeof why);
		if (entry->module.match != MODULE_VERIFIED) {
			module_file_unmap(&entry->file);
			entry->module.match = MODULE_MISSING;
		}
	}
	free(path);
}

/* Puts the file together from memory, where all that the file gives to memory is there. */
static void image_from_memory(struct modules *modules, struct module_entry *entry)
{
	uint64_t size = 0;
	if (!entry->image_in_memory)
		return;
	for (size_t i = 0; i < entry->image.count; i++) {
		const struct elf_segment *load = &entry->image.segments[i];
		if (load->type != PT_LOAD)
			continue;
		if (load->offset > MEMORY_IMAGE_MAX || load->filesz > MEMORY_IMAGE_MAX)
			return;
		if (load->offset + load->filesz > size)
			size = load->offset + load->filesz;
	}
	if (size < sizeof(Elf64_Ehdr) || size > MEMORY_IMAGE_MAX)
		return;
	uint8_t *image = calloc(1, size);
	if (image == NULL)
		return;
	for (size_t i = 0; i < entry->image.count; i++) {
		const struct elf_segment *load = &entry->image.segments[i];
		if (load->type == PT_LOAD &&
		    !address_space_probe(modules->target->space, entry->module.bias + load->vaddr,
					 image + load->offset, load->filesz)) {
			free(image);
			return;
		}
	}
	entry->memory_image = image;
	entry->memory_image_size = size;
}

/* Gives memory that was not dumped the bytes of the verified file. What the kernel and gcore leave
 * out of a dump is what was never written to: a private mapping of a file is dumped whole once one
 * of its pages was copied. That holds for writable pages only where the dump holds the process's
 * private memory at all, which `private_dumped` says. */
static struct error *splice(struct modules *modules, struct module_entry *entry,
			    bool private_dumped)
{
	uint64_t page = modules->target->arch->page_size;
	for (size_t i = 0; i < entry->image.count; i++) {
		const struct elf_segment *load = &entry->image.segments[i];
		bool writable = (load->flags & PF_W) != 0;
		if (load->type != PT_LOAD || load->filesz == 0 || (writable && !private_dumped) ||
		    load->offset > entry->file.size)
			continue;
		uint64_t start = load->vaddr & -page, end = load->vaddr + load->filesz;
		uint64_t offset = load->offset & -page;
		/* The rest of the last page is the file's too, and zeros past its end. Where the
		 * segment goes on without the file, the loader has cleared it. */
		if (load->memsz == load->filesz)
			end = (end + page - 1) & -page;
		uint64_t available = (entry->file.size + page - 1) / page * page - offset;
		if (end - start > available)
			end = start + available;
		struct error *error =
		    address_space_back(modules->target->space, entry->module.bias + start,
				       end - start, entry->file.bytes + offset, entry->module.path,
				       offset, (uint8_t)(load->flags & (PF_R | PF_W | PF_X)));
		if (error != NULL)
			return error;
	}
	return NULL;
}

/* Whether private anonymous memory was dumped: kernels can be told not to (coredump_filter). */
static bool private_memory_dumped(const struct target *target)
{
	size_t count;
	const struct segment *segments = address_space_segments(target->space, &count);
	for (size_t i = 0; i < count; i++)
		if (segments[i].origin == SEGMENT_CORE && segments[i].permissions_known &&
		    (segments[i].permissions & SEGMENT_WRITE) != 0 && segments[i].name == NULL &&
		    !segments[i].shared)
			return true;
	return false;
}

/* `why` is a clause ("has build-id …"). */
static void exe_gap(struct modules *modules, const struct modules_options *options, const char *why,
		    struct gaps *gaps)
{
	gaps_add(gaps, GAP_MODULE, 0, 0,
		 "%s is not the program of %s: it %s. It was not used. Give the build that ran, or "
		 "leave EXE out",
		 options->exe, modules->target->path != NULL ? modules->target->path : "the target",
		 why);
}

void module_load_exe_unplaced(struct modules *modules, const struct modules_options *options,
			      struct gaps *gaps)
{
	const struct target *target = modules->target;
	const bool cut = target->truncated && target->threads.count == 0;
	gaps_add(gaps, GAP_MODULE, 0, 0,
		 "%s could not be compared with the program of %s, whose place in memory was not "
		 "found%s. It was not used",
		 options->exe, target->path != NULL ? target->path : "the target",
		 cut ? " (the core is cut off before the notes that tell it)" : "");
}

/* Takes the EXE that the user gave, if it is the program's file. True: taken. */
static bool take_exe(struct modules *modules, struct module_entry *entry,
		     const struct module_identity *identity, const struct modules_options *options,
		     struct module_file *exe, struct gaps *gaps)
{
	char why[256] = "";
	enum module_match match =
	    module_file_check(exe, modules->target, identity, why, sizeof why);
	if (match == MODULE_MISMATCH) {
		exe_gap(modules, options, why, gaps);
		return false;
	}
	entry->file = *exe;
	entry->module.match = match;
	*exe = (struct module_file){ 0 };
	return true;
}

/* Finds the entry's file, in all places. `exe` is the user's file where the entry is the program,
 * else NULL. */
static void find_file(struct modules *modules, struct module_entry *entry,
		      const struct modules_options *options, struct module_file *exe,
		      struct gaps *gaps)
{
	char why[512] = "";
	struct module_identity identity = {
		.path = entry->module.path,
		.bias = entry->module.bias,
		.header = entry->header,
		.image = entry->image_in_memory ? &entry->image : NULL,
		.build_id = entry->module.build_id,
		.build_id_size = entry->module.build_id_size,
	};
	if (exe != NULL && exe->bytes != NULL &&
	    take_exe(modules, entry, &identity, options, exe, gaps))
		return;
	entry->module.match =
	    module_file_find(modules->target, options, &identity, &entry->file, why, sizeof why);
	if (entry->module.match == MODULE_MISMATCH && entry->why == NULL)
		entry->why = strdup(why);
	if (entry->file.bytes == NULL) {
		enum module_match match = entry->module.match;
		find_by_build_id(modules, entry);
		if (entry->file.bytes == NULL)
			entry->module.match = match;
	}
}

/* What follows from having the file: its headers, its build-id, its bytes in memory. */
static struct error *use_file(struct modules *modules, struct module_entry *entry,
			      bool private_dumped)
{
	if (entry->file.bytes == NULL) {
		if (entry->memory_image == NULL)
			image_from_memory(modules, entry);
		if (entry->memory_image != NULL && strcmp(entry->module.path, vdso) == 0)
			entry->module.match = MODULE_VERIFIED;
		return NULL;
	}
	struct elf_bytes bytes = { entry->file.bytes, entry->file.size };
	if (entry->image.count == 0)
		elf_image_read(elf_bytes_source, &bytes, &entry->image);
	if (entry->module.build_id_size == 0)
		elf_image_build_id(&entry->image, elf_bytes_source, &bytes, false,
				   entry->module.build_id, &entry->module.build_id_size);
	entry->module.file = string_pool_add(modules->strings, entry->file.path);
	return splice(modules, entry, private_dumped);
}

struct error *module_load_files(struct modules *modules, const struct modules_options *options,
				struct module_file *exe, struct gaps *gaps)
{
	size_t executable = SIZE_MAX;
	bool private_dumped = private_memory_dumped(modules->target);
	if (!module_list_executable(modules, &executable))
		executable = SIZE_MAX;
	for (size_t i = 0; i < modules->entries.count; i++) {
		struct module_entry *entry = &modules->entries.items[i];
		if (entry->searched || entry->file.bytes != NULL)
			continue;
		entry->searched = true;
		progress_tell(options->progress, "opening modules", i, modules->entries.count);
		if (strcmp(entry->module.path, vdso) != 0)
			find_file(modules, entry, options, i == executable ? exe : NULL, gaps);
		struct error *error = use_file(modules, entry, private_dumped);
		if (error != NULL)
			return error;
	}
	return NULL;
}

struct error *module_load_splice(struct modules *modules)
{
	struct error *error = NULL;
	bool private_dumped = private_memory_dumped(modules->target);
	for (size_t i = 0; i < modules->entries.count && error == NULL; i++)
		if (modules->entries.items[i].file.bytes != NULL)
			error = splice(modules, &modules->entries.items[i], private_dumped);
	return error;
}

/* Files that are used on weaker evidence than a build-id: one gap for all of them. */
static void unverified_gap(const struct modules *modules, struct gaps *gaps)
{
	const size_t named_max = 4;
	char names[512] = "";
	size_t count = 0, length = 0;
	const struct module_entry *first = NULL;
	for (size_t i = 0; i < modules->entries.count; i++) {
		const struct module_entry *entry = &modules->entries.items[i];
		if (entry->module.match != MODULE_UNVERIFIED || entry->memory_image != NULL)
			continue;
		if (count++ == 0)
			first = entry;
		if (count <= named_max && length < sizeof names)
			length += (size_t)snprintf(
			    names + length, sizeof names - length, "%s%s", count > 1 ? ", " : "",
			    entry->module.name != NULL ? entry->module.name : entry->module.file);
	}
	if (count == 1)
		gaps_add(gaps, GAP_MODULE, first->module.start, first->module.end,
			 "%s could not be verified: no build-id of it is in memory; its %s agree",
			 first->module.file,
			 first->image_in_memory ? "headers and sizes" : "mappings");
	else if (count <= named_max && count > 0)
		gaps_add(gaps, GAP_MODULE, 0, 0,
			 "%zu files could not be verified: no build-id of them is in memory; their "
			 "headers, sizes or mappings agree: %s",
			 count, names);
	else if (count > 0)
		gaps_add(gaps, GAP_MODULE, 0, 0,
			 "%zu files could not be verified: no build-id of them is in memory; their "
			 "headers, sizes or mappings agree: %s and %zu more",
			 count, names, count - named_max);
}

void module_load_gaps(const struct modules *modules, struct gaps *gaps)
{
	unverified_gap(modules, gaps);
	for (size_t i = 0; i < modules->entries.count; i++) {
		const struct module_entry *entry = &modules->entries.items[i];
		const struct module *module = &entry->module;
		char id[2 * ELF_BUILD_ID_MAX + 1];
		build_id_text(module->build_id, module->build_id_size, id);
		const char *is = id[0] != '\0' ? "build-id " : "no build-id";
		if (entry->memory_image != NULL && module->match != MODULE_MISMATCH)
			continue;
		switch (module->match) {
		case MODULE_VERIFIED:
		case MODULE_UNVERIFIED:
			break;
		case MODULE_MISMATCH:
			gaps_add(gaps, GAP_MODULE, module->start, module->end,
				 "%s is another build and was not used: %s. Give the right files "
				 "with --sysroot, or set DEBUGINFOD_URLS",
				 module->path, entry->why != NULL ? entry->why : "it differs");
			break;
		case MODULE_MISSING:
			gaps_add(
			    gaps, GAP_MODULE, module->start, module->end,
			    "%s was not found (%s%s). Give %s--sysroot, or set DEBUGINFOD_URLS",
			    module->path, is, id,
			    module->is_executable ? "it as EXE, or the place of all files with "
						  : "the place of the files with ");
			break;
		}
	}
}
