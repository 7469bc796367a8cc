/* What the files of this room share. Nobody else includes this.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORESCAN_MODULES_PRIVATE_H
#define CORESCAN_MODULES_PRIVATE_H

#include "modules/elf_image.h"
#include "modules/module_file.h"
#include "modules/modules.h"

struct symbol_table; /* symbols.c */
struct unit_index;   /* source_lines.c */

/* A module with what only this room knows of it. */
struct module_entry {
	struct module module;
	uint64_t header;	/* address of its ELF header; 0: unknown */
	struct elf_image image; /* from memory, else from .file; empty when neither is known */
	bool image_in_memory;
	uint64_t link_map;
	bool searched; /* its file was looked for */
	struct module_file file;
	uint8_t *memory_image; /* the file as far as memory holds it, where there is no .file */
	size_t memory_image_size;
	char *why; /* for MODULE_MISMATCH: which file, and what speaks against it; owned */
	struct module_image described;
	struct symbol_table *symbols; /* NULL until asked for */
	struct unit_index *units;     /* NULL until asked for */
};

struct modules {
	struct target *target;
	struct string_pool *strings;
	ARRAY(struct module_entry) entries; /* sorted by address once open */
	struct module *list;		    /* the entries' .module, contiguous */
	const struct module *executable;
	Dwfl *dwfl;
	Dwfl_Callbacks callbacks;
	char *debuginfo_path;
};

/* The entry behind a module of the list. */
struct module_entry *modules_entry(const struct modules *modules, const struct module *module);

/* The word at `address`, of the target's size and byte order. */
bool modules_word(const struct modules *modules, uint64_t address, uint64_t *value);

/* symbols.c and source_lines.c; NULL is allowed. */
void symbol_table_free(struct symbol_table *table);
void unit_index_free(struct unit_index *index);

#endif
