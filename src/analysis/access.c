/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "analysis/access.h"

#define INSTRUCTION_MAX 16

static const struct {
	const struct arch *arch;
	access_decoder *decode;
} decoders[] = {
	{ &arch_x86_64, access_decode_x86_64 },
};

size_t access_decode(struct target *target, const struct registers *registers,
		     struct access found[ACCESS_MAX])
{
	uint8_t bytes[INSTRUCTION_MAX];
	size_t size = 0;
	if (registers->general_size == 0)
		return 0;
	const uint64_t pc = arch_pc(target->arch, registers);
	while (size < sizeof bytes &&
	       address_space_probe(target->space, pc + size, &bytes[size], 1))
		size++;
	for (size_t i = 0; i < sizeof decoders / sizeof *decoders; i++)
		if (decoders[i].arch == target->arch)
			return decoders[i].decode(target->arch, registers, bytes, size, found);
	return 0;
}
