/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "modules/module_list.h"

#include <elf.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define LINK_MAPS_MAX  65536
#define NAMESPACES_MAX 64
#define DYNAMIC_MAX    4096 /* entries */

/* An elf_source over target memory; offsets count from .base. */
struct memory_source {
	struct address_space *space;
	uint64_t base;
};

static bool memory_source(void *context, uint64_t offset, void *buffer, size_t size)
{
	const struct memory_source *source = context;
	return address_space_probe(source->space, source->base + offset, buffer, size);
}

static bool fits_target(const struct modules *modules, const struct elf_image *image)
{
	const struct arch *arch = modules->target->arch;
	return image->machine == arch->elf_machine && image->elf_class == arch->elf_class &&
	       image->elf_data == arch->elf_data &&
	       (image->type == ET_EXEC || image->type == ET_DYN);
}

/* The module's build-id, read from its notes in memory. */
static void read_build_id(struct modules *modules, struct module_entry *entry)
{
	struct memory_source source = { modules->target->space, entry->header };
	elf_image_build_id(&entry->image, memory_source, &source, true, entry->module.build_id,
			   &entry->module.build_id_size);
}

/* Sets bias and range from the header's address and the program headers. False: they make no
 * sense there. */
static bool place(const struct modules *modules, struct module_entry *entry)
{
	const struct elf_segment *first = elf_image_segment(&entry->image, PT_LOAD);
	uint64_t start, end;
	if (first == NULL ||
	    !elf_image_range(&entry->image, modules->target->arch->page_size, &start, &end))
		return false;
	entry->module.bias = entry->header - (first->vaddr - first->offset);
	entry->module.start = entry->module.bias + start;
	entry->module.end = entry->module.bias + end;
	return entry->module.start < entry->module.end &&
	       (entry->image.type == ET_DYN || entry->module.bias == 0);
}

static bool overlaps(const struct modules *modules, const struct module_entry *entry)
{
	for (size_t i = 0; i < modules->entries.count; i++) {
		const struct module *other = &modules->entries.items[i].module;
		if (entry->module.start < other->end && other->start < entry->module.end)
			return true;
	}
	return false;
}

static struct error *append(struct modules *modules, struct module_entry *entry)
{
	const char *path = entry->module.path;
	const char *slash = path != NULL ? strrchr(path, '/') : NULL;
	entry->module.match = MODULE_MISSING;
	if (entry->link_map == 0)
		entry->module.link_namespace = -1;
	entry->module.path = string_pool_add(modules->strings, path != NULL ? path : "[unknown]");
	entry->module.name =
	    slash != NULL ? string_pool_add(modules->strings, slash + 1) : entry->module.path;
	read_build_id(modules, entry);
	return array_push(&modules->entries, *entry) ? NULL : error_no_memory();
}

static void drop(struct module_entry *entry)
{
	elf_image_free(&entry->image);
	module_file_unmap(&entry->file);
}

static const struct segment *mapping_at(const struct modules *modules, uint64_t address)
{
	return address_space_find(modules->target->space, address);
}

/* Whether a PT_LOAD of `entry` is a mapping of the same file at the offset it asks for. */
static bool mapped_from_file(const struct modules *modules, const struct module_entry *entry,
			     const struct elf_segment *load)
{
	uint64_t page = modules->target->arch->page_size;
	uint64_t at = (entry->module.bias + load->vaddr) & -page;
	const struct segment *segment = mapping_at(modules, at);
	return segment != NULL && segment->name != NULL &&
	       strcmp(segment->name, entry->module.path) == 0 &&
	       segment->file_offset + (at - segment->start) == (load->offset & -page);
}

/* A loaded file has its program headers' segments at their places, the code executable; a file
 * mapped for reading has all its bytes in file order, and the writable segment, which linkers give
 * another distance from the start than in the file, is then not at its place. */
static bool mapped_as_loaded(const struct modules *modules, const struct module_entry *entry)
{
	for (size_t i = 0; i < entry->image.count; i++) {
		const struct elf_segment *load = &entry->image.segments[i];
		/* A file of debug information has the program headers of the file it is of, but
		 * not the bytes: for one that is mapped to be read, only its code can speak. */
		if (load->type != PT_LOAD || (load->filesz == 0 && (load->flags & PF_X) == 0))
			continue;
		const struct segment *segment =
		    mapping_at(modules, entry->module.bias + load->vaddr);
		if (segment == NULL)
			return false;
		if ((load->flags & PF_X) != 0 && segment->permissions_known &&
		    (segment->permissions & SEGMENT_EXECUTE) == 0)
			return false;
		/* Code may have been moved to anonymous huge pages. */
		if ((load->flags & PF_X) == 0 && !mapped_from_file(modules, entry, load))
			return false;
	}
	return true;
}

/* No mapping of another file lies between the module's first and last page. */
static bool alone_in_range(const struct modules *modules, const struct module_entry *entry)
{
	size_t count;
	const struct segment *segments = address_space_segments(modules->target->space, &count);
	const struct segment *segment = mapping_at(modules, entry->module.start);
	if (segment == NULL)
		return false;
	for (; segment < segments + count && segment->start < entry->module.end; segment++)
		if (segment->name != NULL && segment->name[0] == '/' &&
		    strcmp(segment->name, entry->module.path) != 0)
			return false;
	return true;
}

/* The ELF headers are those of the same file, as far as a header tells. */
static bool same_header(const struct elf_image *a, const struct elf_image *b)
{
	return a->type == b->type && a->machine == b->machine && a->entry == b->entry &&
	       a->program_headers == b->program_headers && a->section_headers == b->section_headers;
}

/* Reads the headers at entry->header from memory; from the file where they were not dumped, which
 * tools that append to a linked file bring about: they put the program headers at its end. */
static bool read_headers(struct modules *modules, const struct modules_options *options,
			 struct module_entry *entry)
{
	struct memory_source source = { modules->target->space, entry->header };
	struct elf_image header;
	uint8_t first;
	if (elf_image_read(memory_source, &source, &entry->image)) {
		entry->image_in_memory = true;
		return fits_target(modules, &entry->image);
	}
	bool has_header = elf_image_read_header(memory_source, &source, &header);
	if (!has_header && address_space_probe(modules->target->space, entry->header, &first, 1))
		return false; /* dumped, and no ELF header */
	struct module_identity identity = { .path = entry->module.path, .header = entry->header };
	struct module_file file = { 0 };
	char why[8];
	enum module_match match =
	    module_file_find(modules->target, options, &identity, &file, why, sizeof why);
	if (match != MODULE_VERIFIED && match != MODULE_UNVERIFIED)
		return false;
	struct elf_bytes bytes = { file.bytes, file.size };
	bool read = elf_image_read(elf_bytes_source, &bytes, &entry->image);
	module_file_unmap(&file);
	return read && fits_target(modules, &entry->image) &&
	       (!has_header || same_header(&header, &entry->image));
}

static struct error *try_mapping(struct modules *modules, const struct modules_options *options,
				 const struct segment *segment)
{
	struct module_entry entry = { .header = segment->start };
	entry.module.path = segment->name;
	if (modules->entries.count != 0) {
		/* A small file's data may be a second mapping of its first page. */
		const struct module *last =
		    &modules->entries.items[modules->entries.count - 1].module;
		if (segment->start < last->end && segment->start >= last->start)
			return NULL;
	}
	if (read_headers(modules, options, &entry) && place(modules, &entry) &&
	    mapped_as_loaded(modules, &entry) && alone_in_range(modules, &entry) &&
	    !overlaps(modules, &entry))
		return append(modules, &entry);
	drop(&entry);
	return NULL;
}

/* A module of which only the address of its ELF header is known. */
static struct error *try_header(struct modules *modules, uint64_t header, const char *path,
				uint64_t link_map)
{
	struct module_entry entry = { .header = header, .link_map = link_map };
	struct memory_source source = { modules->target->space, header };
	entry.module.path = path;
	entry.image_in_memory = elf_image_read(memory_source, &source, &entry.image);
	if (entry.image_in_memory && fits_target(modules, &entry.image) && place(modules, &entry) &&
	    !overlaps(modules, &entry))
		return append(modules, &entry);
	drop(&entry);
	return NULL;
}

static const struct module_entry *entry_at(const struct modules *modules, uint64_t address)
{
	for (size_t i = 0; i < modules->entries.count; i++) {
		const struct module_entry *entry = &modules->entries.items[i];
		if (address >= entry->module.start && address < entry->module.end)
			return entry;
	}
	return NULL;
}

/* The path of the program: what the kernel was told (AT_EXECFN) where nothing better is known. */
static const char *program_path(struct modules *modules)
{
	struct target *target = modules->target;
	uint64_t address;
	char name[4096];
	if (target->exe != NULL)
		return target->exe;
	if (target_auxv(target, AT_EXECFN, &address) &&
	    address_space_string(target->space, address, name, sizeof name) && name[0] == '/')
		return string_pool_add(modules->strings, name);
	return NULL;
}

static struct error *from_auxv(struct modules *modules)
{
	struct target *target = modules->target;
	struct error *error = NULL;
	uint64_t address;
	if (target_auxv(target, AT_SYSINFO_EHDR, &address) && entry_at(modules, address) == NULL)
		error = try_header(modules, address, "[vdso]", 0);
	if (error == NULL && target_auxv(target, AT_PHDR, &address) &&
	    entry_at(modules, address) == NULL) {
		/* Program headers follow the ELF header. */
		uint64_t header_size =
		    target->arch->elf_class == ELFCLASS64 ? sizeof(Elf64_Ehdr) : sizeof(Elf32_Ehdr);
		error = try_header(modules, address - header_size, program_path(modules), 0);
	}
	if (error == NULL && target_auxv(target, AT_BASE, &address) && address != 0 &&
	    entry_at(modules, address) == NULL)
		error = try_header(modules, address, NULL, 0);
	return error;
}

struct error *module_list_from_mappings(struct modules *modules,
					const struct modules_options *options)
{
	size_t count;
	const struct segment *segments = address_space_segments(modules->target->space, &count);
	struct error *error = NULL;
	for (size_t i = 0; i < count && error == NULL; i++) {
		if (segments[i].name != NULL && segments[i].name[0] == '/' &&
		    segments[i].file_offset == 0)
			error = try_mapping(modules, options, &segments[i]);
	}
	return error != NULL ? error : from_auxv(modules);
}

/* Where the first `wanted` in the entry's PT_DYNAMIC, read from memory, has its value. */
static bool dynamic_place(const struct modules *modules, const struct module_entry *entry,
			  uint64_t wanted, uint64_t *place)
{
	const struct elf_segment *dynamic = elf_image_segment(&entry->image, PT_DYNAMIC);
	uint64_t word = modules->target->arch->word_size;
	if (dynamic == NULL)
		return false;
	uint64_t at = entry->module.bias + dynamic->vaddr, tag;
	for (size_t i = 0; i < DYNAMIC_MAX && (i + 1) * 2 * word <= dynamic->memsz; i++) {
		if (!modules_word(modules, at + i * 2 * word, &tag) || tag == DT_NULL)
			return false;
		if (tag == wanted) {
			*place = at + i * 2 * word + word;
			return true;
		}
	}
	return false;
}

static bool dynamic_value(const struct modules *modules, const struct module_entry *entry,
			  uint64_t wanted, uint64_t *value)
{
	uint64_t place;
	return dynamic_place(modules, entry, wanted, &place) && modules_word(modules, place, value);
}

bool modules_loader_place(const struct modules *modules, uint64_t *place)
{
	size_t index;
	return module_list_executable(modules, &index) &&
	       dynamic_place(modules, &modules->entries.items[index], DT_DEBUG, place);
}

bool module_list_executable(const struct modules *modules, size_t *index)
{
	uint64_t headers, value;
	const struct module_entry *by_headers = NULL;
	if (target_auxv(modules->target, AT_PHDR, &headers))
		by_headers = entry_at(modules, headers);
	if (by_headers != NULL && elf_image_segment(&by_headers->image, PT_INTERP) != NULL) {
		*index = (size_t)(by_headers - modules->entries.items);
		return true;
	}
	/* Static, or started by hand through the loader ("ld.so ./program"), which the kernel then
	 * takes for the program. Linkers give DT_DEBUG to programs only. */
	for (size_t i = 0; i < modules->entries.count; i++) {
		const struct module_entry *entry = &modules->entries.items[i];
		if (dynamic_value(modules, entry, DT_DEBUG, &value) && value != 0) {
			*index = i;
			return true;
		}
	}
	if (by_headers == NULL)
		return false;
	*index = (size_t)(by_headers - modules->entries.items);
	return true;
}

struct link_map {
	uint64_t address, bias, dynamic, next;
	int name_space;
	char name[4096];
};

static bool read_link_map(const struct modules *modules, uint64_t address, struct link_map *map)
{
	uint64_t word = modules->target->arch->word_size, name;
	map->address = address;
	map->name[0] = '\0';
	if (!modules_word(modules, address, &map->bias) ||
	    !modules_word(modules, address + word, &name) ||
	    !modules_word(modules, address + 2 * word, &map->dynamic) ||
	    !modules_word(modules, address + 3 * word, &map->next))
		return false;
	if (!address_space_string(modules->target->space, name, map->name, sizeof map->name))
		map->name[0] = '\0';
	return true;
}

/* A module that only the loader tells of: its headers come from memory, or from the file of that
 * name, as long as they put PT_DYNAMIC where the loader has it. */
static struct error *append_link_map(struct modules *modules, const struct modules_options *options,
				     const struct link_map *map)
{
	struct module_entry entry = { .header = map->bias, .link_map = map->address };
	entry.module.path = map->name[0] != '\0' ? map->name : NULL;
	entry.module.link_namespace = map->name_space;
	bool read = read_headers(modules, options, &entry);
	const struct elf_segment *first = elf_image_segment(&entry.image, PT_LOAD);
	const struct elf_segment *dynamic = elf_image_segment(&entry.image, PT_DYNAMIC);
	if (read && first != NULL && dynamic != NULL) {
		entry.header = map->bias + first->vaddr - first->offset;
		if (map->bias + dynamic->vaddr == map->dynamic && place(modules, &entry) &&
		    !overlaps(modules, &entry))
			return append(modules, &entry);
	}
	drop(&entry);
	return NULL;
}

static struct error *take_link_map(struct modules *modules, const struct modules_options *options,
				   const struct link_map *map)
{
	for (size_t i = 0; i < modules->entries.count; i++) {
		struct module_entry *entry = &modules->entries.items[i];
		const struct elf_segment *dynamic = elf_image_segment(&entry->image, PT_DYNAMIC);
		if (entry->module.bias != map->bias || dynamic == NULL ||
		    entry->module.bias + dynamic->vaddr != map->dynamic)
			continue;
		if (entry->link_map != 0)
			return NULL; /* the loader itself stands in every namespace */
		entry->link_map = map->address;
		entry->module.link_namespace = map->name_space;
		if (map->name[0] == '/' && entry->module.path[0] == '[' &&
		    strcmp(entry->module.path, "[vdso]") != 0) {
			entry->module.path = string_pool_add(modules->strings, map->name);
			entry->module.name = strrchr(entry->module.path, '/') + 1;
			entry->searched = false;
		}
		return NULL;
	}
	return append_link_map(modules, options, map);
}

/* One namespace's list. */
static struct error *walk_link_maps(struct modules *modules, const struct modules_options *options,
				    uint64_t first, int name_space, struct gaps *gaps)
{
	uint64_t address = first, checkpoint = 0; /* of Brent's search for a cycle */
	for (size_t i = 0; address != 0; i++) {
		struct link_map map = { .name_space = name_space };
		if (i == LINK_MAPS_MAX || address == checkpoint) {
			gaps_add(gaps, GAP_MODULE, 0, 0,
				 "the loader's list of modules at 0x%" PRIx64
				 " does not end: it was left after %zu entries",
				 first, i);
			break;
		}
		if ((i & (i - 1)) == 0)
			checkpoint = address;
		if (!read_link_map(modules, address, &map)) {
			gaps_add(gaps, GAP_MODULE, 0, 0,
				 "the loader's list of modules breaks off at 0x%" PRIx64
				 ", which cannot be read: libraries may be missing",
				 address);
			break;
		}
		struct error *error = take_link_map(modules, options, &map);
		if (error != NULL)
			return error;
		address = map.next;
	}
	return NULL;
}

struct error *module_list_from_loader(struct modules *modules,
				      const struct modules_options *options, struct gaps *gaps)
{
	size_t executable;
	uint64_t debug, word = modules->target->arch->word_size;
	if (!module_list_executable(modules, &executable) ||
	    !dynamic_value(modules, &modules->entries.items[executable], DT_DEBUG, &debug))
		return NULL;
	/* r_debug: version, first link_map, r_brk, state, r_ldbase; from version 2 on also the
	 * r_debug of the next namespace. */
	for (int i = 0; i < NAMESPACES_MAX && debug != 0; i++) {
		uint32_t version;
		uint64_t first;
		if (!address_space_u32(modules->target->space, debug, &version) ||
		    !modules_word(modules, debug + word, &first))
			break;
		struct error *error = walk_link_maps(modules, options, first, i, gaps);
		if (error != NULL)
			return error;
		if (version < 2 || !modules_word(modules, debug + 5 * word, &debug))
			break;
	}
	return NULL;
}
