/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "threads/unwind_rules.h"

#include <elf.h>
#include <string.h>

/* DWARF numbers (System V ABI, x86-64 supplement, "DWARF Register Number Mapping"). */
enum { RAX, RDX, RCX, RBX, RSI, RDI, RBP, RSP, R8, R9, R10, R11, R12, R13, R14, R15 };

#define WORD	 8
#define CALL_MAX 7 /* the longest call instruction without prefixes */

/* The length of an indirect near call (opcode ff /2) that begins at code[0], or 0. */
static unsigned indirect_call_length(const uint8_t *code)
{
	if (code[0] != 0xff || (code[1] >> 3 & 7) != 2)
		return 0;
	unsigned mode = code[1] >> 6, base = code[1] & 7;
	if (mode == 3)
		return 2;
	unsigned length = 2;
	if (base == 4) { /* a SIB byte follows */
		length++;
		if (mode == 0 && (code[2] & 7) == 5)
			return length + 4;
	} else if (base == 5 && mode == 0) { /* relative to rip */
		return length + 4;
	}
	return length + (mode == 1 ? 1 : mode == 2 ? 4 : 0);
}

/* Whether `address` is executable and just behind a call instruction. Where the text itself is not
 * to be had, its being executable must do. */
static bool is_return_address(struct address_space *space, uint64_t address)
{
	uint8_t code[CALL_MAX + 1] = { 0 };
	const struct segment *segment = address_space_find(space, address - 1);
	if (segment == NULL || !(segment->permissions & SEGMENT_EXECUTE))
		return false;
	if (address - segment->start < CALL_MAX ||
	    !address_space_probe(space, address - CALL_MAX, code, CALL_MAX))
		return segment->origin == SEGMENT_ABSENT && segment->permissions_known;
	if (code[CALL_MAX - 5] == 0xe8)
		return true;
	for (unsigned length = 2; length <= CALL_MAX; length++)
		if (indirect_call_length(code + CALL_MAX - length) == length)
			return true;
	return false;
}

static void keep_only_frame(struct unwind_registers *registers, uint64_t pc, uint64_t sp,
			    uint64_t frame_pointer)
{
	memset(registers->known, 0, sizeof registers->known);
	registers->values[RBP] = frame_pointer;
	registers->values[RSP] = sp;
	registers->known[RBP] = registers->known[RSP] = true;
	registers->pc = pc;
	registers->sp = sp;
}

/* struct rt_sigframe begins with its return address, which is popped by the time the trampoline
 * runs: SP points to the struct ucontext. Its uc_mcontext is at 40, as arch/x86/include/uapi/asm
 * has had it since the architecture's beginning: r8 … r15, rdi, rsi, rbp, rbx, rdx, rax, rcx, rsp,
 * rip. */
static bool signal_trampoline(struct address_space *space, struct unwind_registers *registers)
{
	static const uint8_t long_form[] = { 0x48, 0xc7, 0xc0, 0x0f, 0, 0, 0, 0x0f, 0x05 };
	static const uint8_t short_form[] = { 0xb8, 0x0f, 0, 0, 0, 0x0f, 0x05 };
	static const uint8_t order[] = { R8,  R9,  R10, R11, R12, R13, R14, R15,
					 RDI, RSI, RBP, RBX, RDX, RAX, RCX, RSP };
	uint8_t code[sizeof long_form];
	if (!address_space_probe(space, registers->pc, code, sizeof code))
		return false;
	if (memcmp(code, long_form, sizeof long_form) != 0 &&
	    memcmp(code, short_form, sizeof short_form) != 0)
		return false;

	uint64_t context = registers->sp + 40, values[sizeof order + 1];
	for (size_t i = 0; i < sizeof values / sizeof *values; i++)
		if (!address_space_u64(space, context + i * WORD, &values[i]))
			return false;
	memset(registers->known, 0, sizeof registers->known);
	for (size_t i = 0; i < sizeof order; i++) {
		registers->values[order[i]] = values[i];
		registers->known[order[i]] = true;
	}
	registers->pc = values[sizeof order];
	registers->sp = registers->values[RSP];
	return true;
}

static bool failed_call(struct address_space *space, struct unwind_registers *registers)
{
	uint64_t address;
	if (!address_space_u64(space, registers->sp, &address) ||
	    !is_return_address(space, address))
		return false;
	/* The callee has not run: all registers are still the caller's. */
	registers->pc = address;
	registers->sp += WORD;
	registers->values[RSP] = registers->sp;
	registers->known[RSP] = true;
	return true;
}

static bool frame_pointer(struct address_space *space, struct unwind_registers *registers)
{
	uint64_t frame = registers->values[RBP], saved, address;
	if (!registers->known[RBP] || frame < registers->sp || frame % WORD != 0)
		return false;
	const struct segment *stack = address_space_find(space, registers->sp);
	if (stack == NULL || frame >= stack->end)
		return false;
	if (!address_space_u64(space, frame, &saved) ||
	    !address_space_u64(space, frame + WORD, &address) || !is_return_address(space, address))
		return false;
	keep_only_frame(registers, address, frame + 2 * WORD, saved);
	return true;
}

const struct unwind_rules unwind_rules_x86_64 = {
	.elf_machine = EM_X86_64,
	.signal_trampoline = signal_trampoline,
	.failed_call = failed_call,
	.frame_pointer = frame_pointer,
};
