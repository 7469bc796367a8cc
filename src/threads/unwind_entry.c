/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "threads/unwind_entry.h"

#include <gelf.h>

/* How linkers write the table that is searched: version 1; a relative pointer to .eh_frame; a count
 * of four bytes; and pairs of four bytes each, relative to the section's start (DW_EH_PE_datarel |
 * DW_EH_PE_sdata4). Source: Linux Standard Base, "Eh_frame_hdr"; GNU ld, gold and lld write no
 * other. */
#define HEADER	   UINT32_C(0x3b031b01)
#define HEADER_END 12
#define PAIR	   8

/* No module has more. */
#define ENTRIES_MAX (1u << 24)

/* Where the module's .eh_frame_hdr lies in memory. */
static bool find_table(const struct module *module, uint64_t *address)
{
	GElf_Addr bias;
	Elf *elf = module->dwfl != NULL ? dwfl_module_getelf(module->dwfl, &bias) : NULL;
	size_t count;
	if (elf == NULL || elf_getphdrnum(elf, &count) != 0)
		return false;
	for (size_t i = 0; i < count; i++) {
		GElf_Phdr header;
		if (gelf_getphdr(elf, (int)i, &header) == NULL || header.p_type != PT_GNU_EH_FRAME)
			continue;
		*address = header.p_vaddr + bias;
		return *address < UINT64_MAX - HEADER_END - (uint64_t)PAIR * ENTRIES_MAX;
	}
	return false;
}

static bool start_of(struct address_space *space, uint64_t table, uint32_t entry, uint64_t *start)
{
	uint32_t offset;
	if (!address_space_u32(space, table + HEADER_END + (uint64_t)PAIR * entry, &offset))
		return false;
	*start = table + (uint64_t)(int64_t)(int32_t)offset;
	return true;
}

bool unwind_entry_start(struct address_space *space, const struct module *module, uint64_t address,
			uint64_t *start)
{
	uint64_t table, value;
	uint32_t header, high, low = 0; /* the first entry that starts above */
	if (!find_table(module, &table) || !address_space_u32(space, table, &header) ||
	    header != HEADER || !address_space_u32(space, table + 8, &high) || high > ENTRIES_MAX)
		return false;
	while (low < high) {
		const uint32_t middle = low + (high - low) / 2;
		if (!start_of(space, table, middle, &value))
			return false;
		if (value <= address)
			low = middle + 1;
		else
			high = middle;
	}
	return low > 0 && start_of(space, table, low - 1, start);
}
