/* Functions without names: by the entries of the unwind information (.eh_frame), which compilers
 * write one for each function, and strip leaves in place.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORESCAN_THREADS_UNWIND_ENTRY_H
#define CORESCAN_THREADS_UNWIND_ENTRY_H

#include "modules/modules.h"

/* Where the entry begins that `address`, which lies in `module` and was unwound by it, belongs to:
 * the function's first instruction, or that of a part which the compiler put apart (".cold"). False
 * where the module has no table to search, or of a form that no linker writes, or unreadable. */
bool unwind_entry_start(struct address_space *space, const struct module *module, uint64_t address,
			uint64_t *start);

#endif
