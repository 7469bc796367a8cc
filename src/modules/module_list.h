/* Finding what is loaded: from the mappings' names, the auxiliary vector, and the loader's list.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORESCAN_MODULES_MODULE_LIST_H
#define CORESCAN_MODULES_MODULE_LIST_H

#include "modules/modules_private.h"

/* First round: appends entries for
 * - each mapping of file offset 0 that shows an ELF header (in memory, or in the file where it was
 *   not dumped) whose loadable segments are mapped where its program headers put them; a file that
 *   is merely mapped for reading is not,
 * - the vdso (AT_SYSINFO_EHDR), the program (AT_PHDR) and its loader (AT_BASE) where the mappings
 *   have no names (a core with 65,536 mappings has no NT_FILE).
 * Entries know path, range, bias, headers and the build-id in memory. ERROR_NO_MEMORY. */
struct error *module_list_from_mappings(struct modules *modules,
					const struct modules_options *options);

/* Second round: the loader's list of every namespace that is reachable (r_debug, r_next). Notes
 * each entry's link_map, and appends those that no mapping showed. The list is bounded, and a cycle
 * or a broken link is a gap. ERROR_NO_MEMORY. */
struct error *module_list_from_loader(struct modules *modules,
				      const struct modules_options *options, struct gaps *gaps);

/* The index of the entry that is the program itself; false when there is none to be seen. */
bool module_list_executable(const struct modules *modules, size_t *index);

#endif
