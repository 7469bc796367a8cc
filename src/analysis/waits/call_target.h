/* Which function a call instruction calls.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORESCAN_ANALYSIS_WAITS_CALL_TARGET_H
#define CORESCAN_ANALYSIS_WAITS_CALL_TARGET_H

#include "analysis/subject.h"

/* The function that the call in front of `return_address` calls, through a procedure linkage table
 * or its slot too. False where there is no such call, or its target has no name. Written for
 * x86-64; false on other architectures. */
bool call_target(const struct subject *subject, uint64_t return_address, struct symbol *symbol);

#endif
