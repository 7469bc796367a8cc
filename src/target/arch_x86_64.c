/* x86-64: pr_reg is the kernel's user_regs_struct (arch/x86/include/asm/user_64.h); DWARF numbers
 * are those of the System V psABI, figure 3.36.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "target/arch.h"

#include <elf.h>

enum {
	R15,
	R14,
	R13,
	R12,
	RBP,
	RBX,
	R11,
	R10,
	R9,
	R8,
	RAX,
	RCX,
	RDX,
	RSI,
	RDI,
	ORIG_RAX,
	RIP,
	CS,
	EFLAGS,
	RSP,
	SS,
	FS_BASE,
	GS_BASE,
	DS,
	ES,
	FS,
	GS,
	REGISTER_COUNT
};

#define ROW(index, name, dwarf, can_point) [index] = { name, dwarf, (index)*8, 8, can_point }

static const struct arch_register registers[REGISTER_COUNT] = {
	ROW(R15, "r15", 15, true),
	ROW(R14, "r14", 14, true),
	ROW(R13, "r13", 13, true),
	ROW(R12, "r12", 12, true),
	ROW(RBP, "rbp", 6, true),
	ROW(RBX, "rbx", 3, true),
	ROW(R11, "r11", 11, true),
	ROW(R10, "r10", 10, true),
	ROW(R9, "r9", 9, true),
	ROW(R8, "r8", 8, true),
	ROW(RAX, "rax", 0, true),
	ROW(RCX, "rcx", 2, true),
	ROW(RDX, "rdx", 1, true),
	ROW(RSI, "rsi", 4, true),
	ROW(RDI, "rdi", 5, true),
	ROW(ORIG_RAX, "orig_rax", -1, false),
	ROW(RIP, "rip", 16, true),
	ROW(CS, "cs", 51, false),
	ROW(EFLAGS, "eflags", 49, false),
	ROW(RSP, "rsp", 7, true),
	ROW(SS, "ss", 52, false),
	ROW(FS_BASE, "fs_base", 58, true),
	ROW(GS_BASE, "gs_base", 59, true),
	ROW(DS, "ds", 53, false),
	ROW(ES, "es", 50, false),
	ROW(FS, "fs", 54, false),
	ROW(GS, "gs", 55, false),
};

/* FXSAVE and the AVX part of XSAVE in its standard form, which is what the kernel writes: the Intel
 * manual's volume 1, chapter 13. */
static const struct arch_register_file extended_registers[] = {
	{ "st", 32, 16, 8 },
	{ "xmm", 160, 16, 16 },
	{ "high half of ymm", 576, 16, 16 },
};

const struct arch arch_x86_64 = {
	.name = "x86-64",
	.elf_machine = EM_X86_64,
	.elf_class = ELFCLASS64,
	.elf_data = ELFDATA2LSB,
	.word_size = 8,
	.tls_below_thread_pointer = true,
	.epoll_event_packed = true,
	.red_zone = 128,
	.page_size = 4096,

	.registers = registers,
	.register_count = REGISTER_COUNT,
	.extended_registers = extended_registers,
	.extended_register_count = sizeof extended_registers / sizeof *extended_registers,
	.pc = RIP,
	.sp = RSP,
	.thread_pointer = FS_BASE,
	.return_value = RAX,
	.syscall_number = ORIG_RAX,
	.syscall_arguments = { RDI, RSI, RDX, R10, R8, R9 },

	/* struct elf_prstatus and elf_prpsinfo of the kernel's include/linux/elfcore.h. */
	.prstatus_size = 336,
	.prstatus_cursig = 12,
	.prstatus_pid = 32,
	.prstatus_registers = 112,
	.prstatus_registers_size = 216,
	.prpsinfo_size = 136,
	.prpsinfo_pid = 24,
	.prpsinfo_fname = 40,
	.prpsinfo_psargs = 56,
	.extended_note = NT_X86_XSTATE,
	.vsyscall = 0xffffffffff600000,
};
