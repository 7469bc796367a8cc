/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "heap/glibc/layout.h"

#include <string.h>

const struct state_layout malloc_state_layouts[] = {
	/* 2.27 to 2.42 */
	{ .size = 2200,
	  .mutex = 0,
	  .flags = 4,
	  .fastbins = 16,
	  .fastbin_count = 10,
	  .top = 96,
	  .bins = 112,
	  .next = 2160,
	  .system_mem = 2184 },
	/* 2.43 */
	{ .size = 2112,
	  .mutex = 0,
	  .flags = 4,
	  .fastbins = MALLOC_NO_FIELD,
	  .top = 8,
	  .bins = 24,
	  .next = 2072,
	  .system_mem = 2096 },
};
const size_t malloc_state_layout_count =
    sizeof malloc_state_layouts / sizeof malloc_state_layouts[0];

const struct par_layout malloc_par_layouts[] = {
	/* 2.31 */
	{ .arena_test = 24,
	  .n_mmaps = 40,
	  .n_mmaps_max = 44,
	  .mmapped_mem = 56,
	  .sbrk_base = 72,
	  .hp_pagesize = MALLOC_NO_FIELD,
	  .tcache_bins = 80 },
	/* 2.35 to 2.42 */
	{ .arena_test = 24,
	  .n_mmaps = 60,
	  .n_mmaps_max = 64,
	  .mmapped_mem = 80,
	  .sbrk_base = 96,
	  .hp_pagesize = 48,
	  .tcache_bins = 104 },
	/* 2.43 */
	{ .arena_test = 24,
	  .n_mmaps = 68,
	  .n_mmaps_max = 72,
	  .mmapped_mem = 88,
	  .sbrk_base = 104,
	  .hp_pagesize = 56,
	  .tcache_bins = 112,
	  .mmapped_size_excludes_header = true },
};
const size_t malloc_par_layout_count = sizeof malloc_par_layouts / sizeof malloc_par_layouts[0];

const struct tcache_layout malloc_tcache_layouts[] = {
	/* 2.30 to 2.41 */
	{ .size = 640, .counts = 0, .entries = 128, .bins = 64 },
	/* 2.42 on */
	{ .size = 760, .counts = 0, .entries = 152, .bins = 76, .counts_are_free_slots = true },
};
const size_t malloc_tcache_layout_count =
    sizeof malloc_tcache_layouts / sizeof malloc_tcache_layouts[0];

enum { TYPE_STATE, TYPE_PAR, TYPE_HEAP_INFO, TYPE_TCACHE, TYPE_COUNT };

/* The offset of a field that must be there for `*complete` to stay true. */
static uint32_t needed(const struct type_layout *type, const char *field, bool *complete)
{
	uint64_t offset;
	if (!type_layout_offset(type, field, &offset) || offset > 65536) {
		*complete = false;
		return MALLOC_NO_FIELD;
	}
	return (uint32_t)offset;
}

static uint32_t optional(const struct type_layout *type, const char *field)
{
	bool complete;
	return needed(type, field, &complete);
}

static uint64_t field_size(const struct type_layout *type, const char *field)
{
	for (size_t i = 0; i < TYPE_LAYOUT_FIELDS_MAX && type->fields[i].name != NULL; i++)
		if (type->fields[i].found && strcmp(type->fields[i].name, field) == 0)
			return type->fields[i].size;
	return 0;
}

static void take_state(const struct type_layout *type, struct malloc_layout *layout)
{
	bool complete = type->size != 0 && type->size < 65536;
	struct state_layout state = {
		.size = (uint32_t)type->size,
		.mutex = needed(type, "mutex", &complete),
		.flags = needed(type, "flags", &complete),
		.fastbins = optional(type, "fastbinsY"),
		.fastbin_count = (uint32_t)(field_size(type, "fastbinsY") / 8),
		.top = needed(type, "top", &complete),
		.bins = needed(type, "bins", &complete),
		.next = needed(type, "next", &complete),
		.system_mem = needed(type, "system_mem", &complete),
	};
	if (field_size(type, "bins") != (uint64_t)MALLOC_BINS * 16 || state.fastbin_count > 64)
		complete = false;
	if (complete)
		layout->state = state;
	layout->has_state = complete;
}

/* How an mmapped chunk's size counts is not in the types: the memory tells (see mmapped.c); the
 * table's row of the same offsets says what to expect. */
static bool row_excludes_header(const struct par_layout *par)
{
	for (size_t i = 0; i < malloc_par_layout_count; i++)
		if (malloc_par_layouts[i].sbrk_base == par->sbrk_base)
			return malloc_par_layouts[i].mmapped_size_excludes_header;
	return true;
}

static void take_par(const struct type_layout *type, struct malloc_layout *layout)
{
	bool complete = type->size != 0;
	struct par_layout par = {
		.arena_test = needed(type, "arena_test", &complete),
		.n_mmaps = needed(type, "n_mmaps", &complete),
		.n_mmaps_max = needed(type, "n_mmaps_max", &complete),
		.mmapped_mem = needed(type, "mmapped_mem", &complete),
		.sbrk_base = needed(type, "sbrk_base", &complete),
		.hp_pagesize = optional(type, "hp_pagesize"),
		.tcache_bins = optional(type, "tcache_bins"),
	};
	par.mmapped_size_excludes_header = row_excludes_header(&par);
	if (complete)
		layout->par = par;
	layout->has_par = complete;
}

static void take_tcache(const struct type_layout *type, struct malloc_layout *layout)
{
	bool complete = type->size != 0 && type->size < 65536;
	bool slots = optional(type, "num_slots") != MALLOC_NO_FIELD;
	struct tcache_layout tcache = {
		.size = (uint32_t)type->size,
		.counts = needed(type, slots ? "num_slots" : "counts", &complete),
		.entries = needed(type, "entries", &complete),
		.bins = (uint32_t)(field_size(type, "entries") / 8),
		.counts_are_free_slots = slots,
	};
	uint64_t counts = field_size(type, slots ? "num_slots" : "counts");
	if (tcache.bins == 0 || tcache.bins > 1024 || counts != (uint64_t)tcache.bins * 2)
		complete = false;
	if (complete)
		layout->tcache = tcache;
	layout->has_tcache = complete;
}

void malloc_layout_from_dwarf(struct modules *modules, const struct module *module,
			      struct malloc_layout *layout)
{
	struct type_layout types[TYPE_COUNT] = {
		[TYPE_STATE] = { .type = "malloc_state",
				 .fields = { { .name = "mutex" },
					     { .name = "flags" },
					     { .name = "fastbinsY" },
					     { .name = "top" },
					     { .name = "bins" },
					     { .name = "next" },
					     { .name = "system_mem" } } },
		[TYPE_PAR] = { .type = "malloc_par",
			       .fields = { { .name = "arena_test" },
					   { .name = "n_mmaps" },
					   { .name = "n_mmaps_max" },
					   { .name = "mmapped_mem" },
					   { .name = "sbrk_base" },
					   { .name = "hp_pagesize" },
					   { .name = "tcache_bins" } } },
		[TYPE_HEAP_INFO] = { .type = "_heap_info", .fields = { { .name = "ar_ptr" } } },
		[TYPE_TCACHE] = { .type = "tcache_perthread_struct",
				  .fields = { { .name = "counts" },
					      { .name = "num_slots" },
					      { .name = "entries" } } },
	};
	if (type_layouts_from_dwarf(modules, module, types, TYPE_COUNT) == 0)
		return;
	take_state(&types[TYPE_STATE], layout);
	take_par(&types[TYPE_PAR], layout);
	take_tcache(&types[TYPE_TCACHE], layout);
	if (types[TYPE_HEAP_INFO].size <= 4096)
		layout->heap_info_size = (uint32_t)types[TYPE_HEAP_INFO].size;
}
