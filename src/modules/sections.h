/* Sections of a module's file, by name.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORESCAN_MODULES_SECTIONS_H
#define CORESCAN_MODULES_SECTIONS_H

#include "modules/modules.h"

/* Go's table of functions; in position-independent programs of some versions the second. */
#define MODULE_GO_FUNCTIONS	".gopclntab"
#define MODULE_GO_FUNCTIONS_PIE ".data.rel.ro.gopclntab"

/* Where the section `name` of `module` lies in the target. False when its file has no such section,
 * or the section is not loaded, or does not lie within the module. */
bool module_section(const struct module *module, const char *name, uint64_t *start, uint64_t *size);

#endif
