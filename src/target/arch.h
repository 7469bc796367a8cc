/* Architectures: one row each. To add one: write arch_NAME.c with its row, and add the row to the
 * table in arch.c. Nothing outside these rows may assume the target's architecture.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORESCAN_TARGET_ARCH_H
#define CORESCAN_TARGET_ARCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The largest general register block of any row, in bytes (x86-64's user_regs_struct is 216). */
#define ARCH_GENERAL_MAX 288

/* One thread's registers, in the target's own layout. */
struct registers {
	uint8_t general[ARCH_GENERAL_MAX]; /* pr_reg of NT_PRSTATUS */
	uint32_t general_size;		   /* 0: the registers could not be read */
	uint64_t unknown; /* bits 1 << index in arch->registers: not known, and zero above */
	uint32_t extended_size;
	const uint8_t *extended; /* NT_X86_XSTATE, else NT_FPREGSET; owned by the target; or NULL */
};

struct arch_register {
	const char *name;
	int dwarf_number; /* -1: has none */
	uint16_t offset;  /* in struct registers.general */
	uint16_t size;	  /* bytes */
	bool can_point;	  /* may hold a pointer: false for eflags, segment selectors … */
};

/* A row of equal registers in the extended state: "xmm0" and so on. */
struct arch_register_file {
	const char *name;
	uint16_t offset; /* of the first, in struct registers.extended */
	uint16_t size;	 /* of each */
	uint16_t count;
};

struct arch {
	const char *name; /* "x86-64", as users write it */
	uint16_t elf_machine;
	uint8_t elf_class;
	uint8_t elf_data;
	uint8_t word_size; /* bytes */
	/* Static TLS blocks lie below the thread pointer (variant II of the ELF TLS ABI), else
	 * above. */
	bool tls_below_thread_pointer;
	bool epoll_event_packed; /* struct epoll_event has no padding: x86 alone */
	uint16_t red_zone;	 /* bytes below SP that leaf functions may use; 0 for none */
	uint32_t page_size;	 /* the smallest */

	const struct arch_register *registers; /* the general ones */
	size_t register_count;
	const struct arch_register_file *extended_registers; /* those that are named */
	size_t extended_register_count;
	/* Indexes into .registers. */
	uint8_t pc, sp, thread_pointer; /* thread_pointer: fs_base on x86-64 */
	uint8_t return_value;		/* rax: minus errno while blocked in a system call */
	uint8_t syscall_number;		/* orig_rax; its value is -1 outside a system call */
	uint8_t syscall_arguments[6];

	/* Offset and size of struct fields of the NT_PRSTATUS note on this architecture. */
	uint16_t prstatus_size, prstatus_cursig, prstatus_pid, prstatus_registers;
	uint16_t prstatus_registers_size;
	uint16_t prpsinfo_size, prpsinfo_pid, prpsinfo_fname, prpsinfo_psargs;
	/* The "LINUX" note with all further registers, and the fixed page that Linux maps for old
	 * system calls; 0 for none. */
	uint32_t extended_note;
	uint64_t vsyscall;
};

/* The row for an ELF machine, class and byte order; NULL when corescan has none. */
const struct arch *arch_find(uint16_t elf_machine, uint8_t elf_class, uint8_t elf_data);

/* "AArch64" and so on for error messages, for machines without a row too; "ELF machine N" else. */
const char *arch_machine_name(uint16_t elf_machine, char *buffer, size_t size);

/* The value of register `index` of arch->registers, zero-extended. 0 when it was not read. */
uint64_t arch_register_value(const struct arch *arch, const struct registers *registers,
			     size_t index);

/* The row of equal registers that holds `offset` of the extended state, or NULL; `*index` is the
 * register's number in it, `*inside` how far into the register that is. */
const struct arch_register_file *arch_extended_register(const struct arch *arch, uint64_t offset,
							unsigned *index, uint64_t *inside);

/* Makes nothing known, as the start for arch_set_register. */
void arch_forget_registers(const struct arch *arch, struct registers *registers);

/* Sets register `index` and makes it known. */
void arch_set_register(const struct arch *arch, struct registers *registers, size_t index,
		       uint64_t value);

/* Shorthands. */
static inline uint64_t arch_pc(const struct arch *arch, const struct registers *registers)
{
	return arch_register_value(arch, registers, arch->pc);
}

static inline uint64_t arch_sp(const struct arch *arch, const struct registers *registers)
{
	return arch_register_value(arch, registers, arch->sp);
}

static inline uint64_t arch_thread_pointer(const struct arch *arch,
					   const struct registers *registers)
{
	return arch_register_value(arch, registers, arch->thread_pointer);
}

/* Whether the thread was in a system call, and which. `*number` is the kernel's number, as it
 * stands in the register (219, restart_syscall, is undone in analysis/waits). */
bool arch_syscall(const struct arch *arch, const struct registers *registers, int64_t *number);

/* Argument 0 to 5 of the system call. */
static inline uint64_t arch_syscall_argument(const struct arch *arch,
					     const struct registers *registers, unsigned argument)
{
	return arch_register_value(arch, registers, arch->syscall_arguments[argument]);
}

extern const struct arch arch_x86_64;

#endif
