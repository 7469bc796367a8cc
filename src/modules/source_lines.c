/* Source lines and the compilation units that hold them.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "modules/modules_private.h"

#include <dwarf.h>
#include <elfutils/libdw.h>

struct unit_range {
	uint64_t start, end; /* as in the DWARF */
	Dwarf_Off unit;	     /* offset of the unit's DIE */
};

/* The ranges of all units, by address: made where .debug_aranges does not tell. */
struct unit_index {
	ARRAY(struct unit_range) ranges;
};

void unit_index_free(struct unit_index *index)
{
	if (index == NULL)
		return;
	array_free(&index->ranges);
	free(index);
}

static int by_start(const void *a, const void *b)
{
	const struct unit_range *p = a, *q = b;
	return (p->start > q->start) - (p->start < q->start);
}

static bool add_ranges(struct unit_index *index, Dwarf_Die *unit)
{
	Dwarf_Addr base, start, end;
	for (ptrdiff_t offset = 0; (offset = dwarf_ranges(unit, offset, &base, &start, &end)) > 0;)
		if (start < end &&
		    !array_push(&index->ranges,
				(struct unit_range){ start, end, dwarf_dieoffset(unit) }))
			return false;
	return true;
}

/* NULL when memory is exhausted. */
static const struct unit_index *index_of(struct module_entry *entry, Dwarf *dwarf)
{
	if (entry->units != NULL)
		return entry->units;
	struct unit_index *index = calloc(1, sizeof *index);
	if (index == NULL)
		return NULL;
	Dwarf_CU *cu = NULL;
	Dwarf_Die unit;
	uint8_t kind;
	while (dwarf_get_units(dwarf, cu, &cu, NULL, &kind, &unit, NULL) == 0)
		if (kind == DW_UT_compile || kind == DW_UT_skeleton)
			if (!add_ranges(index, &unit))
				break;
	if (index->ranges.count != 0)
		qsort(index->ranges.items, index->ranges.count, sizeof *index->ranges.items,
		      by_start);
	entry->units = index;
	return index;
}

static bool find_unit(const struct unit_index *index, uint64_t address, Dwarf_Off *unit)
{
	size_t low = 0, high = index->ranges.count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (index->ranges.items[middle].start <= address)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == 0 || address >= index->ranges.items[low - 1].end)
		return false;
	*unit = index->ranges.items[low - 1].unit;
	return true;
}

bool modules_unit(struct modules *modules, uint64_t pc, Dwarf_Die *unit, uint64_t *bias)
{
	const struct module *module = modules_find(modules, pc);
	Dwarf_Addr dwarf_bias = 0;
	if (module == NULL || module->dwfl == NULL)
		return false;
	Dwarf *dwarf = dwfl_module_getdwarf(module->dwfl, &dwarf_bias);
	if (dwarf == NULL)
		return false;
	Dwarf_Die *found = dwfl_module_addrdie(module->dwfl, pc, &dwarf_bias);
	/* libdwfl takes the unit whose code lies next below, even if it ends before `pc`. */
	if (found != NULL && dwarf_haspc(found, pc - dwarf_bias) == 1) {
		*unit = *found;
		*bias = dwarf_bias;
		return true;
	}
	Dwarf_Off offset;
	const struct unit_index *index = index_of(modules_entry(modules, module), dwarf);
	if (index == NULL || !find_unit(index, pc - dwarf_bias, &offset) ||
	    dwarf_offdie(dwarf, offset, unit) == NULL)
		return false;
	*bias = dwarf_bias;
	return true;
}

bool modules_line(struct modules *modules, uint64_t pc, const char **file, unsigned *line)
{
	Dwarf_Die unit;
	uint64_t bias;
	int number;
	if (!modules_unit(modules, pc, &unit, &bias))
		return false;
	Dwarf_Line *source = dwarf_getsrc_die(&unit, pc - bias);
	const char *name = source != NULL ? dwarf_linesrc(source, NULL, NULL) : NULL;
	if (name == NULL || dwarf_lineno(source, &number) != 0 || number <= 0)
		return false;
	*file = string_pool_add(modules->strings, name);
	*line = (unsigned)number;
	return true;
}

const char *modules_directory(struct modules *modules, uint64_t pc)
{
	Dwarf_Die unit;
	Dwarf_Attribute attribute;
	uint64_t bias;
	if (!modules_unit(modules, pc, &unit, &bias))
		return NULL;
	return string_pool_add(modules->strings, dwarf_formstring(dwarf_attr_integrate(
						     &unit, DW_AT_comp_dir, &attribute)));
}
