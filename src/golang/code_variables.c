/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "golang/code_variables.h"

#include "modules/disassemble.h"

#include <string.h>

#define CODE_MAX      4096 /* bytes of a function that are looked at */
#define VARIABLES_MAX 8

static bool is_writable(const struct go_process *process, uint64_t address)
{
	const struct module_image *image = modules_image(process->modules, process->module);
	for (size_t i = 0; i < image->count; i++)
		if (address >= image->segments[i].start && address < image->segments[i].end)
			return (image->segments[i].permissions & SEGMENT_WRITE) != 0;
	return false;
}

/* Whether the instruction loads from `target`: "mov 0x1234(%rip),%rcx" of four or eight bytes. An
 * address that is taken (lea), called or jumped to is none. */
static bool is_load(const struct go_process *process, const struct disassembled *one)
{
	return strncmp(one->text, "mov", 3) == 0 && strstr(one->text, "(%rip),") != NULL &&
	       is_writable(process, one->target);
}

bool go_code_variable(const struct go_process *process, const char *name, unsigned number,
		      uint64_t *address)
{
	struct go_function function;
	struct disassembled one;
	uint8_t code[CODE_MAX];
	uint64_t seen[VARIABLES_MAX];
	unsigned count = 0;
	if (!go_function_named(process, name, &function))
		return false;
	uint64_t size = function.end - function.entry;
	size = size < CODE_MAX ? size : CODE_MAX;
	if (!address_space_probe(process->space, function.entry, code, size))
		return false;
	for (uint64_t at = 0; at < size && count < VARIABLES_MAX; at += one.length) {
		if (!disassemble(process->target->arch, function.entry + at, code + at, size - at,
				 &one) ||
		    one.length == 0)
			return false;
		if (!is_load(process, &one))
			continue;
		unsigned known = 0;
		while (known < count && seen[known] != one.target)
			known++;
		if (known < count)
			continue;
		seen[count++] = one.target;
		if (count == number) {
			*address = one.target;
			return true;
		}
	}
	return false;
}
