/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "target/arch.h"

#include "base/bytes.h"

#include <elf.h>
#include <stdio.h>

static const struct arch *const table[] = {
	&arch_x86_64,
};

const struct arch *arch_find(uint16_t elf_machine, uint8_t elf_class, uint8_t elf_data)
{
	for (size_t i = 0; i < sizeof table / sizeof *table; i++)
		if (table[i]->elf_machine == elf_machine && table[i]->elf_class == elf_class &&
		    table[i]->elf_data == elf_data)
			return table[i];
	return NULL;
}

const char *arch_machine_name(uint16_t elf_machine, char *buffer, size_t size)
{
	static const struct {
		uint16_t machine;
		const char *name;
	} names[] = {
		{ EM_386, "i386" },	    { EM_X86_64, "x86-64" },
		{ EM_ARM, "ARM" },	    { EM_AARCH64, "AArch64" },
		{ EM_RISCV, "RISC-V" },	    { EM_PPC, "PowerPC" },
		{ EM_PPC64, "PowerPC64" },  { EM_S390, "S/390" },
		{ EM_MIPS, "MIPS" },	    { EM_SPARC, "SPARC" },
		{ EM_SPARCV9, "SPARC V9" }, { EM_LOONGARCH, "LoongArch" },
		{ EM_68K, "m68k" },	    { EM_ALPHA, "Alpha" },
		{ EM_PARISC, "PA-RISC" },   { EM_IA_64, "IA-64" },
		{ EM_SH, "SuperH" },
	};
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (names[i].machine == elf_machine)
			return names[i].name;
	snprintf(buffer, size, "ELF machine %u", elf_machine);
	return buffer;
}

uint64_t arch_register_value(const struct arch *arch, const struct registers *registers,
			     size_t index)
{
	const struct arch_register *row = &arch->registers[index];
	if ((uint32_t)row->offset + row->size > registers->general_size)
		return 0;
	return bytes_unsigned(registers->general + row->offset, row->size,
			      arch->elf_data == ELFDATA2MSB);
}

void arch_forget_registers(const struct arch *arch, struct registers *registers)
{
	*registers = (struct registers){ 0 };
	for (size_t i = 0; i < arch->register_count; i++) {
		const struct arch_register *row = &arch->registers[i];
		registers->unknown |= UINT64_C(1) << i;
		if ((uint32_t)row->offset + row->size > registers->general_size)
			registers->general_size = (uint32_t)row->offset + row->size;
	}
}

void arch_set_register(const struct arch *arch, struct registers *registers, size_t index,
		       uint64_t value)
{
	const struct arch_register *row = &arch->registers[index];
	uint8_t *bytes = registers->general + row->offset;
	for (unsigned i = 0; i < row->size; i++) {
		unsigned byte = arch->elf_data == ELFDATA2MSB ? row->size - 1u - i : i;
		bytes[i] = (uint8_t)(value >> 8 * byte);
	}
	registers->unknown &= ~(UINT64_C(1) << index);
}

bool arch_syscall(const struct arch *arch, const struct registers *registers, int64_t *number)
{
	if (registers->general_size == 0)
		return false;
	int64_t value = (int64_t)arch_register_value(arch, registers, arch->syscall_number);
	/* Also below -1 after an interrupt: Linux keeps the inverted vector there. */
	if (value < 0)
		return false;
	*number = value;
	return true;
}

const struct arch_register_file *arch_extended_register(const struct arch *arch, uint64_t offset,
							unsigned *index, uint64_t *inside)
{
	for (size_t i = 0; i < arch->extended_register_count; i++) {
		const struct arch_register_file *row = &arch->extended_registers[i];
		uint64_t from = offset - row->offset;
		if (offset < row->offset || from >= (uint64_t)row->size * row->count)
			continue;
		*index = (unsigned)(from / row->size);
		*inside = from % row->size;
		return row;
	}
	return NULL;
}
