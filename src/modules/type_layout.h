/* Layouts of structs: where a field lies, and how we know.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORESCAN_MODULES_TYPE_LAYOUT_H
#define CORESCAN_MODULES_TYPE_LAYOUT_H

#include "modules/modules.h"

enum layout_evidence {
	LAYOUT_NONE,
	LAYOUT_DWARF,	     /* the module's debug information */
	LAYOUT_THREAD_DB,    /* libc's _thread_db_* symbols */
	LAYOUT_SYMBOL_TABLE, /* symbol addresses and sizes */
	LAYOUT_TABLE,	     /* a built-in table, confirmed by the memory */
};

/* "debug info", "_thread_db symbols", "symbol table", "built-in layout, confirmed by memory" */
const char *layout_evidence_name(enum layout_evidence evidence);

#define TYPE_LAYOUT_FIELDS_MAX 24

/* A question and its answer: fill .type and .fields[].name, and ask. Nested members are named
 * with dots ("__data.__lock"). */
struct type_layout {
	const char *type; /* struct tag, or typedef name */
	struct {
		const char *name;
		uint64_t offset, size; /* bytes */
		bool found;
	} fields[TYPE_LAYOUT_FIELDS_MAX]; /* ends at the first without a name */
	uint64_t size;			  /* of the whole; 0: the type was not found */
	enum layout_evidence evidence;
};

/* Answers `count` questions from the DWARF of `module` in one pass over its units. Returns how
 * many types were found; a missing type or field is told in the question, not an error. */
size_t type_layouts_from_dwarf(struct modules *modules, const struct module *module,
			       struct type_layout *layouts, size_t count);

/* The offset of field `name`; false when the layout has no such field. */
bool type_layout_offset(const struct type_layout *layout, const char *name, uint64_t *offset);

#endif
