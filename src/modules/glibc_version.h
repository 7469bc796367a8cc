/* Which glibc a process runs, as the library's own banner says.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORESCAN_MODULES_GLIBC_VERSION_H
#define CORESCAN_MODULES_GLIBC_VERSION_H

#include "modules/modules.h"

/* "glibc 2.36", in the modules' pool; NULL where no libc was found, or its banner cannot be read
 * (a static program has one only where something in it prints it). */
const char *glibc_version(struct address_space *space, struct modules *modules);

#endif
