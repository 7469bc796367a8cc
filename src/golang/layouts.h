/* Where the fields of the Go runtime's structs lie. The program's own debug information tells, and
 * where it has none, a table of the versions that are known.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORESCAN_GOLANG_LAYOUTS_H
#define CORESCAN_GOLANG_LAYOUTS_H

#include "golang/layout_table.h"
#include "modules/type_layout.h"

/* GO_G_GOID is runtime.g's goid, and so on. */
enum go_field {
#define GO_FIELD_NAME(name, ...) GO_##name,
	GO_LAYOUT_TABLE(GO_FIELD_NAME)
#undef GO_FIELD_NAME
	    GO_FIELD_COUNT
};

struct go_layouts {
	int32_t offsets[GO_FIELD_COUNT]; /* -1: this version has no such field, or it is unknown */
	enum layout_evidence evidence;	 /* LAYOUT_NONE: nothing is known */
};

/* The layouts of Go 1.`minor`. The debug information of `module` goes first; types that it does
 * not have are taken from the table, where the table knows that version. */
void go_layouts_find(struct modules *modules, const struct module *module, unsigned minor,
		     struct go_layouts *layouts);

/* Whether the table has a column for Go 1.`minor`. */
bool go_layouts_know(unsigned minor);

#endif
