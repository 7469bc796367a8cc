/* The instruction at a thread's PC in words, with the registers that it reads.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORESCAN_ANALYSIS_INSTRUCTION_H
#define CORESCAN_ANALYSIS_INSTRUCTION_H

#include "analysis/subject.h"

#define INSTRUCTION_REGISTERS_MAX 4

struct instruction {
	uint64_t address;
	const char *text; /* "mov 0x18(%rax),%rdx"; in the modules' pool */
	/* Those that it reads, as they were before it ran: a full register for each part of one. */
	struct {
		const char *name;
		uint64_t value;
	} registers[INSTRUCTION_REGISTERS_MAX];
	size_t register_count;
};

/* False where no code lies at the PC, or its bytes are not to be had. */
bool instruction_find(const struct subject *subject, const struct thread *thread,
		      struct instruction *instruction);

#endif
