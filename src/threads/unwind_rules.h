/* What unwinding knows of an architecture beyond its unwind information: how to go on where there
 * is none. To add an architecture: write unwind_NAME.c with its row, and add it to the table in
 * unwind_rules.c. A row may be missing: stacks then end where the unwind information does.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORESCAN_THREADS_UNWIND_RULES_H
#define CORESCAN_THREADS_UNWIND_RULES_H

#include "target/address_space.h"

#include <stdbool.h>
#include <stdint.h>

#define UNWIND_REGISTERS_MAX 128

/* Registers of one frame by DWARF number. */
struct unwind_registers {
	uint64_t values[UNWIND_REGISTERS_MAX];
	bool known[UNWIND_REGISTERS_MAX];
	uint64_t pc, sp;
};

/* Each rule turns the registers of a frame into its caller's, when the memory agrees, and returns
 * true; else it leaves them alone. Registers it cannot tell become unknown. NULL: no such rule. */
struct unwind_rules {
	uint16_t elf_machine;
	/* The kernel's signal trampoline, known by its instructions at PC: the interrupted frame's
	 * registers stand in the signal frame. The PC that comes out is no return address. */
	bool (*signal_trampoline)(struct address_space *space, struct unwind_registers *registers);
	/* A call or jump just left to where no code is: the return address is still fresh. */
	bool (*failed_call)(struct address_space *space, struct unwind_registers *registers);
	/* The chain of frame pointers. */
	bool (*frame_pointer)(struct address_space *space, struct unwind_registers *registers);
};

/* The row for an ELF machine, or NULL. */
const struct unwind_rules *unwind_rules_find(uint16_t elf_machine);

extern const struct unwind_rules unwind_rules_x86_64;

#endif
