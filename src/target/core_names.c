/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "target/core_names.h"

#include <elf.h>
#include <string.h>

enum { VVAR_MAX = 3 };

struct search {
	struct core_names *names;
	const struct target *target;
	const struct core_headers *headers;
	const struct core_notes *notes;
};

static void add(struct core_names *names, const char *name, uint64_t address)
{
	names->list[names->count++] = (struct core_name){ name, address };
}

const struct core_mapping *core_names_exe(const struct target *target,
					  const struct core_notes *notes)
{
	static const uint64_t inside[] = { AT_PHDR, AT_ENTRY };
	const struct core_mapping *mapping = NULL;
	uint64_t address;
	for (size_t i = 0; i < sizeof inside / sizeof *inside && mapping == NULL; i++)
		if (target_auxv(target, inside[i], &address))
			mapping = core_notes_mapping(notes, address);
	return mapping;
}

/* The end of the executable's last mapping in the run that starts at `mapping`. */
static uint64_t exe_end(const struct core_notes *notes, const struct core_mapping *mapping)
{
	const struct core_mapping *last = notes->mappings.items + notes->mappings.count - 1;
	while (mapping < last && mapping[1].start == mapping->end &&
	       strcmp(mapping[1].path, mapping->path) == 0)
		mapping++;
	return mapping->end;
}

static bool is_anonymous_writable(const struct core_notes *notes, const struct core_segment *row)
{
	return row->type == PT_LOAD && (row->flags & (PF_R | PF_W)) == (PF_R | PF_W) &&
	       core_notes_mapping(notes, row->address) == NULL;
}

/* The program break starts up to 1 GB (x86-64: arch_randomize_brk) and a gap above the executable,
 * far below all else that Linux places. What follows the executable at once is its .bss. */
static void find_heap(const struct search *search)
{
	const struct core_mapping *exe = core_names_exe(search->target, search->notes);
	if (exe == NULL)
		return;
	uint64_t low = exe_end(search->notes, exe), best = UINT64_MAX, bss_end = low;
	for (uint64_t i = 0; i < search->headers->count; i++) {
		struct core_segment row = core_headers_segment(search->headers, i);
		if (row.address == low && is_anonymous_writable(search->notes, &row))
			bss_end = low + row.memory_size;
	}
	for (uint64_t i = 0; i < search->headers->count; i++) {
		struct core_segment row = core_headers_segment(search->headers, i);
		if (row.address > bss_end && row.address < best &&
		    row.address - bss_end <= UINT64_C(0x42000000) &&
		    is_anonymous_writable(search->notes, &row))
			best = row.address;
	}
	if (best != UINT64_MAX)
		add(search->names, "[heap]", best);
}

static bool is_anonymous_readable(const struct core_notes *notes, const struct core_segment *row)
{
	return row->type == PT_LOAD && (row->flags & (PF_R | PF_W | PF_X)) == PF_R &&
	       core_notes_mapping(notes, row->address) == NULL;
}

/* The kernel's data for the vdso stands just below it, in one to three mappings. */
static void find_vvar(const struct search *search, uint64_t vdso)
{
	uint64_t above = vdso;
	for (int found = 0; found < VVAR_MAX; found++) {
		uint64_t start = above;
		for (uint64_t i = 0; i < search->headers->count && start == above; i++) {
			struct core_segment row = core_headers_segment(search->headers, i);
			if (row.memory_size > 0 && row.memory_size <= 0x10000 &&
			    row.address + row.memory_size == above &&
			    is_anonymous_readable(search->notes, &row))
				start = row.address;
		}
		if (start == above)
			return;
		add(search->names, "[vvar]", start);
		above = start;
	}
}

void core_names_find(struct core_names *names, const struct target *target,
		     const struct core_headers *headers, const struct core_notes *notes)
{
	const struct search search = { names, target, headers, notes };
	uint64_t address;
	if (target_auxv(target, AT_SYSINFO_EHDR, &address)) {
		add(names, "[vdso]", address);
		find_vvar(&search, address);
	}
	/* execve's strings and random bytes stand above the first frame of the main stack. */
	if (target_auxv(target, AT_RANDOM, &address) || target_auxv(target, AT_EXECFN, &address))
		add(names, "[stack]", address);
	if (target->arch->vsyscall != 0)
		add(names, "[vsyscall]", target->arch->vsyscall);
	find_heap(&search);
}

const char *core_names_of(const struct core_names *names, const struct core_segment *row)
{
	for (size_t i = 0; i < names->count; i++)
		if (names->list[i].address >= row->address &&
		    names->list[i].address - row->address < row->memory_size)
			return names->list[i].name;
	return NULL;
}
