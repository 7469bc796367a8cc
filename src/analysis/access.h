/* What the instruction at a thread's PC does to memory: enough of its decoding to tell a read from
 * a write, and the register that held the bad pointer. siginfo tells neither.
 *
 * To add an architecture: write access_NAME.c with its decoder, and add it to the table in
 * access.c.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORESCAN_ANALYSIS_ACCESS_H
#define CORESCAN_ANALYSIS_ACCESS_H

#include "target/target.h"

enum access_kind {
	ACCESS_UNKNOWN, /* not decoded, or an instruction that this does not know */
	ACCESS_READ,
	ACCESS_WRITE,	 /* also what reads and writes the same place: the kernel says write */
	ACCESS_JUMP,	 /* goes on at .address */
	ACCESS_JUMP_VIA, /* goes on at the address that lies at .address: a return, too */
};

struct access {
	enum access_kind kind;
	uint64_t address;		  /* the first byte of the operand, or where to go on */
	const struct arch_register *base; /* NULL: none, or an index only */
	uint64_t base_value;
};

/* Up to how many accesses an instruction has that are looked at. */
#define ACCESS_MAX 2

/* The accesses of the instruction in `bytes`, with registers as before it ran. Returns how many
 * were decoded; 0 for what is not known. */
typedef size_t access_decoder(const struct arch *arch, const struct registers *registers,
			      const uint8_t *bytes, size_t size, struct access found[ACCESS_MAX]);

access_decoder access_decode_x86_64;

/* As the decoder, for the instruction at the registers' PC, read from `target`. */
size_t access_decode(struct target *target, const struct registers *registers,
		     struct access found[ACCESS_MAX]);

#endif
