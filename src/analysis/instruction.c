/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "analysis/instruction.h"

#include "modules/disassemble.h"

#include <ctype.h>
#include <elf.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define BYTES_MAX 16 /* of an instruction */

/* The name of the whole register in AT&T syntax's `part`: rax for eax, ax, al and ah. */
static void whole_x86_64(const char *part, char *whole, size_t size)
{
	static const char *const words[] = { "ax", "bx", "cx", "dx", "si", "di", "bp", "sp" };
	const size_t length = strlen(part);
	const char *core = part[0] == 'e' || part[0] == 'r' ? part + 1 : part;
	snprintf(whole, size, "%s", part);
	if (part[0] == 'r' && isdigit((unsigned char)part[1])) { /* r8d, r10w, r15b */
		if (strchr("dwb", part[length - 1]) != NULL)
			whole[length - 1] = '\0';
		return;
	}
	if (strlen(part) == 2 && part[1] == 's' && strchr("cdes", part[0]) != NULL) {
		whole[0] = '\0'; /* their bases are 0 */
		return;
	}
	if (strcmp(part, "fs") == 0 || strcmp(part, "gs") == 0) {
		snprintf(whole, size, "%s_base", part);
		return;
	}
	for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
		const bool low = length == 3 && strncmp(part, words[i], 2) == 0 && part[2] == 'l';
		const bool byte = length == 2 && i < 4 && part[0] == words[i][0] &&
				  (part[1] == 'l' || part[1] == 'h');
		if (strcmp(core, words[i]) == 0 || low || byte)
			snprintf(whole, size, "r%s", words[i]);
	}
}

/* To add an architecture: its row, and one in modules/disassemble.c. */
static const struct {
	uint16_t elf_machine;
	void (*whole)(const char *part, char *whole, size_t size);
} syntaxes[] = {
	{ EM_X86_64, whole_x86_64 },
};

static void add_register(const struct arch *arch, const struct registers *registers,
			 const char *name, struct instruction *instruction)
{
	size_t index = 0;
	for (size_t i = 0; i < instruction->register_count; i++)
		if (strcmp(instruction->registers[i].name, name) == 0)
			return;
	while (index < arch->register_count && strcmp(arch->registers[index].name, name) != 0)
		index++;
	if (index == arch->register_count || index == arch->pc ||
	    instruction->register_count == INSTRUCTION_REGISTERS_MAX)
		return;
	instruction->registers[instruction->register_count].name = arch->registers[index].name;
	instruction->registers[instruction->register_count].value =
	    arch_register_value(arch, registers, index);
	instruction->register_count++;
}

/* Where the operand begins that is only written: the last one of these, if it is a register. */
static const char *written_operand(const char *text)
{
	static const char *const writers[] = { "mov", "lea", "pop", "set", "cvt", "vmov" };
	const char *last = strrchr(text, '%');
	if (last == NULL || strchr(last, ')') != NULL || last == text ||
	    strchr(last, ':') != NULL || (last[-1] != ',' && last[-1] != ' '))
		return NULL;
	for (size_t i = 0; i < sizeof writers / sizeof *writers; i++)
		if (strncmp(text, writers[i], strlen(writers[i])) == 0)
			return last;
	return NULL;
}

/* The registers named in `text`, those that lead to memory first. */
static void find_registers(const struct arch *arch, const struct registers *registers,
			   void (*whole)(const char *, char *, size_t), const char *text,
			   struct instruction *instruction)
{
	const char *written = written_operand(text);
	for (int in_memory = 1; in_memory >= 0; in_memory--) {
		bool inside = false;
		for (const char *at = text; *at != '\0' && *at != '#'; at++) {
			char part[8], name[16];
			size_t length = 0;
			if (*at == '(' || *at == ')')
				inside = *at == '(';
			if (*at != '%' || at == written)
				continue;
			while (isalnum((unsigned char)at[1 + length]))
				length++;
			const bool leads =
			    inside || at[1 + length] == ':' || (at > text && at[-1] == '*');
			if (length == 0 || length >= sizeof part || leads != (in_memory == 1))
				continue;
			memcpy(part, at + 1, length);
			part[length] = '\0';
			whole(part, name, sizeof name);
			add_register(arch, registers, name, instruction);
		}
	}
}

/* `made` with the name of what lies at the address that it tells. */
static const char *with_symbol(const struct subject *subject, const struct disassembled *made)
{
	struct string_pool *pool = modules_strings(subject->modules);
	struct symbol symbol;
	if (made->target == 0 || !modules_symbol_at(subject->modules, made->target, &symbol) ||
	    symbol.is_tls)
		return string_pool_add(pool, made->text);
	const uint64_t offset = made->target - symbol.address;
	if (offset == 0)
		return string_pool_format(pool, "%s <%s>", made->text, symbol.name);
	return string_pool_format(pool, "%s <%s+%" PRIu64 ">", made->text, symbol.name, offset);
}

bool instruction_find(const struct subject *subject, const struct thread *thread,
		      struct instruction *instruction)
{
	const struct target *target = subject->target;
	const struct registers *registers = &thread->raw->registers;
	struct disassembled made;
	uint8_t bytes[BYTES_MAX];
	size_t size = 0;
	if (registers->general_size == 0)
		return false;
	const uint64_t pc = arch_pc(target->arch, registers);
	const struct segment *segment = address_space_find(target->space, pc);
	if (segment == NULL || !segment->permissions_known ||
	    (segment->permissions & SEGMENT_EXECUTE) == 0)
		return false;
	while (size < sizeof bytes && pc + size < segment->end &&
	       address_space_probe(target->space, pc + size, &bytes[size], 1))
		size++;
	if (!disassemble(target->arch, pc, bytes, size, &made))
		return false;
	*instruction = (struct instruction){ .address = pc, .text = with_symbol(subject, &made) };
	for (size_t i = 0; i < sizeof syntaxes / sizeof *syntaxes; i++)
		if (syntaxes[i].elf_machine == target->arch->elf_machine)
			find_registers(target->arch, registers, syntaxes[i].whole, made.text,
				       instruction);
	return true;
}
