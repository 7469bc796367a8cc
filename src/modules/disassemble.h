/* One instruction in words. The one user of libopcodes.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORESCAN_MODULES_DISASSEMBLE_H
#define CORESCAN_MODULES_DISASSEMBLE_H

#include "target/arch.h"

#define INSTRUCTION_TEXT_MAX 160

struct disassembled {
	char text[INSTRUCTION_TEXT_MAX]; /* "mov 0x18(%rax),%rdx": single spaces, AT&T syntax */
	unsigned length;		 /* bytes */
	uint64_t target; /* the last address it names: where it jumps, or a datum by rip; or 0 */
};

/* The instruction in the `size` bytes at `address`, which the caller knows to be code. False for
 * what is none, is cut off, or is of an architecture that libopcodes was built without. */
bool disassemble(const struct arch *arch, uint64_t address, const uint8_t *bytes, size_t size,
		 struct disassembled *result);

#endif
