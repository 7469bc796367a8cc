/* Demangling, by libbfd: this room's only use of it.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORESCAN_MODULES_DEMANGLE_H
#define CORESCAN_MODULES_DEMANGLE_H

#include <stdbool.h>

/* `linkage` demangled (C++, Rust legacy and v0), or NULL when it is not mangled; malloc'd. Rust
 * hashes are left out. */
char *demangle(const char *linkage, bool parameters);

#endif
