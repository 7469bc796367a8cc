/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "threads/call_target.h"

#include <string.h>

/* So many frames without names may lie between one and the function that was called. */
#define NAMELESS_MAX 16

/* The 32-bit displacement in `bytes`, sign-extended, from `next`, the following instruction. */
static uint64_t relative(uint64_t next, const uint8_t *bytes)
{
	uint32_t value = (uint32_t)bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 |
			 (uint32_t)bytes[3] << 24;
	return next + (uint64_t)(int64_t)(int32_t)value;
}

static bool function_at(struct modules *modules, uint64_t address, struct symbol *symbol)
{
	return modules_symbol_at(modules, address, symbol) && symbol->address == address &&
	       symbol->linkage != NULL;
}

/* An entry of a procedure linkage table: `endbr64`, perhaps; `jmp *slot(%rip)`, perhaps with a
 * prefix. */
static bool through_table(struct address_space *space, uint64_t entry, uint64_t *target)
{
	static const uint8_t endbr[] = { 0xf3, 0x0f, 0x1e, 0xfa };
	uint8_t code[11];
	if (!address_space_probe(space, entry, code, sizeof code))
		return false;
	size_t at = memcmp(code, endbr, sizeof endbr) == 0 ? sizeof endbr : 0;
	if (code[at] == 0xf2)
		at++;
	if (at + 6 > sizeof code || code[at] != 0xff || code[at + 1] != 0x25)
		return false;
	return address_space_u64(space, relative(entry + at + 6, code + at + 2), target);
}

bool call_target(const struct target *target, struct modules *modules, uint64_t return_address,
		 struct symbol *symbol)
{
	struct address_space *space = target->space;
	uint8_t code[6];
	uint64_t address;
	if (target->arch != &arch_x86_64 || return_address < sizeof code ||
	    !address_space_probe(space, return_address - sizeof code, code, sizeof code))
		return false;
	if (code[0] == 0xff && code[1] == 0x15)
		return address_space_u64(space, relative(return_address, code + 2), &address) &&
		       function_at(modules, address, symbol);
	if (code[1] != 0xe8)
		return false;
	uint64_t called = relative(return_address, code + 2);
	if (through_table(space, called, &address))
		return function_at(modules, address, symbol);
	return function_at(modules, called, symbol);
}

static const char *name_of(const struct frame *frame)
{
	return frame->linkage != NULL ? frame->linkage : frame->function;
}

const char *frame_called_as(const struct target *target, struct modules *modules,
			    const struct frame *frames, size_t count, size_t index)
{
	const struct module *module = frames[index].module;
	const char *name = name_of(&frames[index]);
	for (size_t i = index + 1; name == NULL && modules != NULL && i < count; i++) {
		struct symbol symbol;
		if (frames[i].signal_frame || i - index > NAMELESS_MAX)
			return NULL;
		if (call_target(target, modules, frames[i].pc, &symbol))
			return symbol.linkage;
		if (frames[i].module != module)
			return NULL;
		name = name_of(&frames[i]);
	}
	return name;
}
