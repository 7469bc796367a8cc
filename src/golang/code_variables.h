/* The runtime's variables that only its code leads to, for programs without symbols.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORESCAN_GOLANG_CODE_VARIABLES_H
#define CORESCAN_GOLANG_CODE_VARIABLES_H

#include "golang/functions.h"

/* The address of the `number`-th variable (from 1) that the code of `function` loads from, each
 * counted once: an operand relative to RIP of a load, in what is writable of the runtime's module.
 * False when the code cannot be read, or has fewer. */
bool go_code_variable(const struct go_process *process, const char *function, unsigned number,
		      uint64_t *address);

#endif
