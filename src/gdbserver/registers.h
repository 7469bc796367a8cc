/* Registers on the wire: their order, their types for gdb, and where they are in a thread's. One
 * row for each architecture.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORESCAN_GDBSERVER_REGISTERS_H
#define CORESCAN_GDBSERVER_REGISTERS_H

#include "gdbserver/packet.h"
#include "target/arch.h"

enum wire_source {
	WIRE_GENERAL,	   /* by the name in arch->registers */
	WIRE_EXTENDED,	   /* .offset in registers.extended */
	WIRE_EXTENDED_TAG, /* made by wire_arch.tag_word */
};

/* A register, or .count equal ones, whose names have a number in the place of '#'. */
struct wire_register {
	const char *name, *type, *group; /* group: or NULL */
	uint16_t bits;			 /* on the wire */
	enum wire_source source;
	uint16_t offset, size, stride; /* in the extended registers */
	uint16_t count;		       /* 0: one */
	uint16_t mask;		       /* of its value; 0: all of it */
};

struct wire_feature {
	const char *name;
	const char *types; /* XML that its registers' types need */
	const struct wire_register *registers;
	size_t count;
};

struct wire_arch {
	const struct arch *arch;
	const char *architecture; /* as gdb calls it */
	const char *triple;	  /* as LLDB does */
	const struct wire_feature *features;
	size_t feature_count;
	uint16_t (*tag_word)(const uint8_t *extended); /* for WIRE_EXTENDED_TAG */
};

/* The row for an architecture, or NULL. */
const struct wire_arch *wire_arch_find(const struct arch *arch);

/* The target description. */
void wire_describe(const struct wire_arch *arch, struct reply *xml);

/* All registers, or number `number` of them, in digits; "xx" for each byte that is not known.
 * False: there is no such register. */
void wire_registers(const struct wire_arch *arch, const struct registers *registers,
		    struct reply *reply);
bool wire_register(const struct wire_arch *arch, const struct registers *registers, uint64_t number,
		   struct reply *reply);

#endif
