/* Source of facts: Intel's Software Developer's Manual, volume 2, chapter 2 (instruction format)
 * and appendix A (opcode maps).
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "analysis/access.h"

#include <string.h>

enum opcode_map { MAP_ONE_BYTE, MAP_0F, MAP_0F38, MAP_0F3A };

struct instruction {
	const struct arch *arch;
	const struct registers *registers;
	const uint8_t *at, *end;
	enum opcode_map map;
	uint8_t opcode;
	uint8_t rex;	      /* W, R, X, B in bits 3 to 0 */
	uint8_t repeat;	      /* 0xf2, 0xf3, or 0 */
	uint8_t segment;      /* 0x64 (fs), 0x65 (gs), or 0 */
	uint8_t mod, reg, rm; /* of ModRM; .reg without REX.R: an opcode extension */
};

/* The x86 encoding of the general registers, as DWARF numbers. */
static const int8_t dwarf_numbers[16] = { 0, 2, 1, 3, 7, 6, 4, 5, 8, 9, 10, 11, 12, 13, 14, 15 };

enum { DWARF_RSP = 7, DWARF_RSI = 4, DWARF_RDI = 5, DWARF_FS_BASE = 58, DWARF_GS_BASE = 59 };

static const struct arch_register *register_numbered(const struct instruction *in, int dwarf,
						     uint64_t *value)
{
	for (size_t i = 0; i < in->arch->register_count; i++) {
		if (in->arch->registers[i].dwarf_number != dwarf)
			continue;
		*value = arch_register_value(in->arch, in->registers, i);
		return &in->arch->registers[i];
	}
	*value = 0;
	return NULL;
}

static bool next_byte(struct instruction *in, uint8_t *byte)
{
	if (in->at == in->end)
		return false;
	*byte = *in->at++;
	return true;
}

/* --- prefixes and opcode */

static bool is_legacy_prefix(struct instruction *in, uint8_t byte)
{
	if (byte == 0xf2 || byte == 0xf3)
		in->repeat = byte;
	else if (byte == 0x64 || byte == 0x65)
		in->segment = byte;
	else if (byte != 0x66 && byte != 0xf0 && byte != 0x2e && byte != 0x36 && byte != 0x3e &&
		 byte != 0x26)
		return false;
	return true;
}

static bool read_vex(struct instruction *in, uint8_t first)
{
	uint8_t payload, third;
	if (!next_byte(in, &payload))
		return false;
	if (first == 0xc5) {
		in->map = MAP_0F;
		in->rex = payload & 0x80 ? 0 : 4;
		third = payload;
	} else {
		if (!next_byte(in, &third) || (payload & 0x1f) < 1 || (payload & 0x1f) > 3)
			return false;
		in->map = (enum opcode_map)(payload & 0x1f);
		in->rex = (uint8_t)(~payload >> 5 & 7);
	}
	static const uint8_t repeats[] = { 0, 0, 0xf3, 0xf2 };
	in->repeat = repeats[third & 3];
	return next_byte(in, &in->opcode);
}

static bool read_opcode(struct instruction *in)
{
	uint8_t byte;
	do {
		if (!next_byte(in, &byte))
			return false;
	} while (is_legacy_prefix(in, byte));
	if ((byte & 0xf0) == 0x40) {
		in->rex = byte & 15;
		if (!next_byte(in, &byte))
			return false;
	}
	/* 0x67 shortens addresses, and 0x62 begins EVEX: not decoded. */
	if (byte == 0x67 || byte == 0x62)
		return false;
	if (byte == 0xc4 || byte == 0xc5)
		return read_vex(in, byte);
	in->opcode = byte;
	if (byte != 0x0f)
		return true;
	if (!next_byte(in, &in->opcode))
		return false;
	in->map = MAP_0F;
	if (in->opcode != 0x38 && in->opcode != 0x3a)
		return true;
	in->map = in->opcode == 0x38 ? MAP_0F38 : MAP_0F3A;
	return next_byte(in, &in->opcode);
}

/* --- the memory operand of ModRM */

static bool read_displacement(struct instruction *in, unsigned size, uint64_t *value)
{
	if ((size_t)(in->end - in->at) < size)
		return false;
	uint64_t raw = 0;
	for (unsigned i = 0; i < size; i++)
		raw |= (uint64_t)in->at[i] << (8 * i);
	in->at += size;
	const uint64_t sign = size > 0 ? (uint64_t)1 << (8 * size - 1) : 0;
	*value = (raw ^ sign) - sign;
	return true;
}

/* The index of a SIB byte; its base goes to `*base`, -1 for none. */
static bool read_sib(struct instruction *in, int *base, uint64_t *index)
{
	uint8_t sib;
	uint64_t value = 0;
	if (!next_byte(in, &sib))
		return false;
	const int number = (sib >> 3 & 7) | (in->rex & 2) << 2;
	if (number != 4)
		register_numbered(in, dwarf_numbers[number], &value);
	*index = value << (sib >> 6);
	*base = (sib & 7) | (in->rex & 1) << 3;
	if ((sib & 7) == 5 && in->mod == 0)
		*base = -1;
	return true;
}

static uint64_t segment_base(const struct instruction *in)
{
	uint64_t value = 0;
	if (in->segment != 0)
		register_numbered(in, in->segment == 0x64 ? DWARF_FS_BASE : DWARF_GS_BASE, &value);
	return value;
}

/* False for a register operand, and for one relative to rip: its length is not known here. */
static bool read_memory_operand(struct instruction *in, struct access *access)
{
	uint64_t index = 0, displacement = 0;
	int base = in->rm | (in->rex & 1) << 3;
	if (in->mod == 3 || (in->mod == 0 && in->rm == 5))
		return false;
	if (in->rm == 4 && !read_sib(in, &base, &index))
		return false;
	const unsigned size = in->mod == 1 ? 1 : in->mod == 2 || base < 0 ? 4 : 0;
	if (!read_displacement(in, size, &displacement))
		return false;
	access->base = NULL;
	access->base_value = 0;
	if (base >= 0)
		access->base = register_numbered(in, dwarf_numbers[base], &access->base_value);
	access->address = access->base_value + index + displacement + segment_base(in);
	return true;
}

/* --- what opcodes do */

static enum access_kind kind_one_byte(const struct instruction *in)
{
	const uint8_t opcode = in->opcode;
	if (opcode < 0x40) /* add … cmp: the direction is in bit 1 */
		return (opcode & 2) != 0 || opcode >= 0x38 ? ACCESS_READ : ACCESS_WRITE;
	if (opcode >= 0x80 && opcode <= 0x83)
		return in->reg == 7 ? ACCESS_READ : ACCESS_WRITE;
	if (opcode == 0xf6 || opcode == 0xf7)
		return in->reg == 2 || in->reg == 3 ? ACCESS_WRITE : ACCESS_READ;
	if (opcode == 0xff && (in->reg == 2 || in->reg == 4))
		return ACCESS_JUMP_VIA;
	if (opcode == 0xfe || opcode == 0xff)
		return in->reg < 2 ? ACCESS_WRITE : ACCESS_READ;
	if (opcode == 0x63 || opcode == 0x69 || opcode == 0x6b || opcode == 0x84 ||
	    opcode == 0x85 || opcode == 0x8a || opcode == 0x8b)
		return ACCESS_READ;
	if ((opcode >= 0x86 && opcode <= 0x89) || opcode == 0x8f || opcode == 0xc0 ||
	    opcode == 0xc1 || opcode == 0xc6 || opcode == 0xc7 ||
	    (opcode >= 0xd0 && opcode <= 0xd3))
		return ACCESS_WRITE;
	return ACCESS_UNKNOWN;
}

static enum access_kind kind_0f(const struct instruction *in)
{
	static const uint8_t writes[] = { 0x11, 0x13, 0x17, 0x29, 0x2b, 0x7f, 0xa4,
					  0xa5, 0xab, 0xac, 0xad, 0xb0, 0xb1, 0xb3,
					  0xbb, 0xc0, 0xc1, 0xc3, 0xc7, 0xd6, 0xe7 };
	static const uint8_t reads[] = { 0x10, 0x12, 0x14, 0x15, 0x16, 0x28, 0xa3, 0xaf, 0xb6,
					 0xb7, 0xb8, 0xbc, 0xbd, 0xbe, 0xbf, 0xc2, 0xc4, 0xc6 };
	const uint8_t opcode = in->opcode;
	if (memchr(writes, opcode, sizeof writes) != NULL || (opcode >= 0x90 && opcode <= 0x9f))
		return ACCESS_WRITE;
	if (opcode == 0x7e)
		return in->repeat == 0xf3 ? ACCESS_READ : ACCESS_WRITE;
	if (opcode == 0xba)
		return in->reg == 4 ? ACCESS_READ : ACCESS_WRITE;
	if (memchr(reads, opcode, sizeof reads) != NULL || (opcode >= 0x2a && opcode <= 0x2f) ||
	    (opcode >= 0x40 && opcode <= 0x70) || (opcode >= 0x74 && opcode <= 0x76) ||
	    opcode >= 0xd0)
		return ACCESS_READ;
	return ACCESS_UNKNOWN;
}

static enum access_kind kind_of(const struct instruction *in)
{
	switch (in->map) {
	case MAP_ONE_BYTE:
		return kind_one_byte(in);
	case MAP_0F:
		return kind_0f(in);
	case MAP_0F38:
		return in->opcode == 0xf1 && in->repeat != 0xf2 ? ACCESS_WRITE : ACCESS_READ;
	case MAP_0F3A:
		return (in->opcode >= 0x14 && in->opcode <= 0x17) || in->opcode == 0x19 ||
			       in->opcode == 0x39
			   ? ACCESS_WRITE
			   : ACCESS_READ;
	}
	return ACCESS_UNKNOWN;
}

/* --- opcodes without ModRM */

static struct access through(const struct instruction *in, int dwarf, enum access_kind kind,
			     int64_t offset)
{
	struct access access = { .kind = kind };
	access.base = register_numbered(in, dwarf, &access.base_value);
	access.address = access.base_value + (uint64_t)offset;
	return access;
}

/* movs, cmps, stos, lods, scas */
static size_t string_accesses(const struct instruction *in, struct access found[ACCESS_MAX])
{
	const uint8_t opcode = in->opcode & 0xfe;
	size_t count = 0;
	if (opcode == 0xa4 || opcode == 0xa6 || opcode == 0xac)
		found[count++] = through(in, DWARF_RSI, ACCESS_READ, 0);
	if (opcode == 0xa4 || opcode == 0xaa)
		found[count++] = through(in, DWARF_RDI, ACCESS_WRITE, 0);
	if (opcode == 0xa6 || opcode == 0xae)
		found[count++] = through(in, DWARF_RDI, ACCESS_READ, 0);
	return count;
}

static size_t stack_access(const struct instruction *in, struct access found[ACCESS_MAX])
{
	const uint8_t opcode = in->opcode;
	if ((opcode >= 0x50 && opcode <= 0x57) || opcode == 0x68 || opcode == 0x6a ||
	    opcode == 0xe8)
		found[0] = through(in, DWARF_RSP, ACCESS_WRITE, -8);
	else if (opcode >= 0x58 && opcode <= 0x5f)
		found[0] = through(in, DWARF_RSP, ACCESS_READ, 0);
	else if (opcode == 0xc2 || opcode == 0xc3)
		found[0] = through(in, DWARF_RSP, ACCESS_JUMP_VIA, 0);
	else
		return 0;
	return 1;
}

/* Opcodes that no ModRM byte follows, and lea, which only looks like an access. */
static bool has_no_operand(const struct instruction *in)
{
	static const struct {
		enum opcode_map map;
		uint8_t first, last;
	} ranges[] = {
		{ MAP_ONE_BYTE, 0x50, 0x62 }, { MAP_ONE_BYTE, 0x68, 0x68 },
		{ MAP_ONE_BYTE, 0x6a, 0x6a }, { MAP_ONE_BYTE, 0x6c, 0x7f },
		{ MAP_ONE_BYTE, 0x8d, 0x8d }, { MAP_ONE_BYTE, 0x90, 0xbf },
		{ MAP_ONE_BYTE, 0xc2, 0xc3 }, { MAP_ONE_BYTE, 0xc8, 0xcf },
		{ MAP_ONE_BYTE, 0xd4, 0xd7 }, { MAP_ONE_BYTE, 0xe0, 0xf5 },
		{ MAP_ONE_BYTE, 0xf8, 0xfd }, { MAP_0F, 0x02, 0x0c },
		{ MAP_0F, 0x18, 0x1f },	      { MAP_0F, 0x30, 0x37 },
		{ MAP_0F, 0x77, 0x77 },	      { MAP_0F, 0x80, 0x8f },
		{ MAP_0F, 0xa0, 0xa2 },	      { MAP_0F, 0xa8, 0xaa },
		{ MAP_0F, 0xc8, 0xcf },
	};
	if (in->map == MAP_ONE_BYTE && in->opcode < 0x40)
		return (in->opcode & 7) >= 4;
	for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++)
		if (ranges[i].map == in->map && in->opcode >= ranges[i].first &&
		    in->opcode <= ranges[i].last)
			return true;
	return false;
}

/* A call or jump through a register goes on where that points. */
static bool is_indirect_jump(const struct instruction *in)
{
	return in->map == MAP_ONE_BYTE && in->opcode == 0xff && in->mod == 3 &&
	       (in->reg == 2 || in->reg == 4);
}

size_t access_decode_x86_64(const struct arch *arch, const struct registers *registers,
			    const uint8_t *bytes, size_t size, struct access found[ACCESS_MAX])
{
	struct instruction in = {
		.arch = arch, .registers = registers, .at = bytes, .end = bytes + size
	};
	uint8_t modrm;
	if (!read_opcode(&in))
		return 0;
	if (has_no_operand(&in)) {
		if (in.map != MAP_ONE_BYTE)
			return 0;
		if (in.opcode >= 0xa4 && in.opcode <= 0xaf && (in.opcode & 0xfe) != 0xa8)
			return string_accesses(&in, found);
		return stack_access(&in, found);
	}
	if (!next_byte(&in, &modrm))
		return 0;
	in.mod = modrm >> 6;
	in.reg = modrm >> 3 & 7;
	in.rm = modrm & 7;
	if (is_indirect_jump(&in)) {
		found[0] = through(&in, dwarf_numbers[in.rm | (in.rex & 1) << 3], ACCESS_JUMP, 0);
		return 1;
	}
	found[0].kind = kind_of(&in);
	return read_memory_operand(&in, &found[0]) ? 1 : 0;
}
