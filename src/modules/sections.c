/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "modules/sections.h"

#include <gelf.h>
#include <string.h>

bool module_section(const struct module *module, const char *name, uint64_t *start, uint64_t *size)
{
	GElf_Addr bias;
	GElf_Shdr header;
	size_t names;
	Elf *elf = module->dwfl != NULL ? dwfl_module_getelf(module->dwfl, &bias) : NULL;
	if (elf == NULL || elf_getshdrstrndx(elf, &names) != 0)
		return false;
	for (Elf_Scn *at = NULL; (at = elf_nextscn(elf, at)) != NULL;) {
		if (gelf_getshdr(at, &header) == NULL || (header.sh_flags & SHF_ALLOC) == 0)
			continue;
		const char *found = elf_strptr(elf, names, header.sh_name);
		if (found == NULL || strcmp(found, name) != 0)
			continue;
		uint64_t address = header.sh_addr + bias;
		if (address < module->start || address > module->end ||
		    header.sh_size > module->end - address)
			return false;
		*start = address;
		*size = header.sh_size;
		return true;
	}
	return false;
}
