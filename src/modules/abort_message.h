/* What libc wrote before it ended the process.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORESCAN_MODULES_ABORT_MESSAGE_H
#define CORESCAN_MODULES_ABORT_MESSAGE_H

#include "modules/modules.h"

/* libc's __abort_msg ("*** stack smashing detected ***", "double free or corruption (out)", an
 * assertion's text) without white space at its end, in the modules' string pool; NULL: there is
 * none. The layout was measured on glibc 2.31 to 2.43. */
const char *modules_abort_message(struct modules *modules, struct target *target);

#endif
