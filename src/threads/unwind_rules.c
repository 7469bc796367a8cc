/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "threads/unwind_rules.h"

#include <stddef.h>

static const struct unwind_rules *const rows[] = {
	&unwind_rules_x86_64,
};

const struct unwind_rules *unwind_rules_find(uint16_t elf_machine)
{
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		if (rows[i]->elf_machine == elf_machine)
			return rows[i];
	return NULL;
}
