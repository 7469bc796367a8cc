/* Finding each module's file, and what having it means: its bytes for memory that was not dumped.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORESCAN_MODULES_MODULE_LOAD_H
#define CORESCAN_MODULES_MODULE_LOAD_H

#include "modules/modules_private.h"

/* Finds and uses the files of the entries whose files have not been looked for yet. `exe` is the
 * user's EXE, or empty; it is emptied when the program takes it. ERROR_NO_MEMORY. */
struct error *module_load_files(struct modules *modules, const struct modules_options *options,
				struct module_file *exe, struct gaps *gaps);

/* Once more gives absent memory the bytes of the files. ERROR_NO_MEMORY. */
struct error *module_load_splice(struct modules *modules);

/* A gap for each file that is missing, another build, or not verified. */
void module_load_gaps(const struct modules *modules, struct gaps *gaps);

/* The gap of a user's EXE that was not used because the program was not found in memory. */
void module_load_exe_unplaced(struct modules *modules, const struct modules_options *options,
			      struct gaps *gaps);

#endif
