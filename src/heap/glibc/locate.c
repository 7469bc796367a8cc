/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "heap/glibc/glibc.h"

#include <inttypes.h>

#define BINS_AT_LEAST                                                                              \
	120 /* of MALLOC_BINS in order: a torn or smashed heap has a few that are not */
#define SCORE_AT_LEAST	 5 /* of par_score */
#define DEFAULT_MMAP_MAX 65536
#define SCAN_AT_MOST	 ((uint64_t)16 << 20) /* of each segment */

static bool read_u32(struct glibc_walk *walk, uint64_t address, uint32_t *value)
{
	return address_space_u32(walk->space, address, value);
}

static bool word(struct glibc_walk *walk, uint64_t address, uint64_t *value)
{
	return heap_reader_word(&walk->reader, address, value);
}

/* Whether the bin's links lead back to it. The peeks elsewhere keep out of walk->reader, whose
 * span would have to come back for the next bin. */
static bool bin_is_whole(struct glibc_walk *walk, uint64_t links)
{
	uint64_t bin = links - CHUNK_HEADER, first, last, back;
	if (!word(walk, links, &first) || !word(walk, links + 8, &last))
		return false;
	if (first == bin && last == bin)
		return true;
	if (first % 8 != 0 || last % 8 != 0)
		return false;
	return address_space_u64(walk->space, first + 24, &back) && back == bin &&
	       address_space_u64(walk->space, last + 16, &back) && back == bin;
}

unsigned glibc_state_score(struct glibc_walk *walk, uint64_t address,
			   const struct state_layout *layout)
{
	uint64_t first, next, top;
	uint32_t mutex, flags;
	if (!word(walk, address + layout->bins + 16, &first) || first == 0 || first % 8 != 0 ||
	    !word(walk, address + layout->next, &next) || next == 0 || next % 8 != 0 ||
	    !word(walk, address + layout->top, &top))
		return 0;
	if (!read_u32(walk, address + layout->mutex, &mutex) || mutex > 2 ||
	    !read_u32(walk, address + layout->flags, &flags) || (flags & ~3U) != 0)
		return 0;
	unsigned whole = 0;
	for (unsigned bin = 0; bin < MALLOC_BINS; bin++) {
		whole += bin_is_whole(walk, address + layout->bins + (uint64_t)bin * 16);
		if (whole + (MALLOC_BINS - bin) < BINS_AT_LEAST)
			return 0;
	}
	/* A top that was overwritten with zeros takes nothing from bins that are all in order. */
	return top != 0 || whole == MALLOC_BINS ? whole : 0;
}

unsigned glibc_whole_bins(struct glibc_walk *walk, uint64_t address,
			  const struct state_layout *layout)
{
	unsigned whole = 0;
	for (unsigned bin = 0; bin < MALLOC_BINS; bin++)
		whole += bin_is_whole(walk, address + layout->bins + (uint64_t)bin * 16);
	return whole;
}

static bool ring_closes(struct glibc_walk *walk, uint64_t address,
			const struct state_layout *layout)
{
	uint64_t at = address;
	for (unsigned i = 0; i < 1 << 16; i++)
		if (!address_space_u64(walk->space, at + layout->next, &at) || at == address)
			return at == address;
	return false;
}

/* The value of mp_'s fields as evidence: those that almost every process leaves alone count, and
 * so does a first break that is the program's memory. */
static unsigned par_score(struct glibc_walk *walk, uint64_t address,
			  const struct par_layout *layout)
{
	uint64_t arena_test, counts[2], base, trim, pad, threshold;
	uint32_t most, mappings;
	if (!word(walk, address + layout->arena_test, &arena_test) || arena_test == 0 ||
	    arena_test > 1 << 20 || !word(walk, address, &trim) || !word(walk, address + 8, &pad) ||
	    !word(walk, address + 16, &threshold) ||
	    !word(walk, address + layout->sbrk_base, &base) ||
	    !word(walk, address + layout->mmapped_mem, &counts[0]) ||
	    !word(walk, address + layout->mmapped_mem + 8, &counts[1]) || counts[0] > counts[1] ||
	    !read_u32(walk, address + layout->n_mmaps_max, &most) ||
	    !read_u32(walk, address + layout->n_mmaps, &mappings) || mappings > INT32_MAX ||
	    (mappings == 0 && counts[0] != 0))
		return 0;
	if (base != 0 && address_space_find(walk->space, base) == NULL)
		return 0;
	unsigned score = 0;
	score += arena_test == 8 ? 2 : 0;
	score += most == DEFAULT_MMAP_MAX ? 2 : 0;
	score += base != 0 ? 2 : 0;
	score += trim == 128 << 10 ? 1 : 0;
	score += pad == 128 << 10 ? 1 : 0;
	score += threshold == 128 << 10 ? 1 : 0;
	uint64_t tcache[3];
	if (layout->tcache_bins != MALLOC_NO_FIELD &&
	    word(walk, address + layout->tcache_bins, &tcache[0]) &&
	    word(walk, address + layout->tcache_bins + 8, &tcache[1]) &&
	    word(walk, address + layout->tcache_bins + 16, &tcache[2])) {
		score += tcache[0] == 64 || tcache[0] == 76 ? 1 : 0;
		score += tcache[1] == 1032 ? 1 : 0;
		score += tcache[2] == 7 || tcache[2] == 16 ? 1 : 0;
	}
	return score;
}

/* What a scan of writable memory found best. */
struct scan {
	uint64_t state, par;
	unsigned state_points, par_points;
	const struct state_layout *state_layout;
	const struct par_layout *par_layout;
	bool par_is_ambiguous;
};

/* Two layouts may agree on where bins and next lie, and differ in where the struct begins: only
 * with the right one does the ring of arenas come back to its beginning. */
static void try_state(struct glibc_walk *walk, uint64_t address, struct scan *scan)
{
	for (size_t i = 0; i < malloc_state_layout_count; i++) {
		const struct state_layout *layout = &malloc_state_layouts[i];
		unsigned points = glibc_state_score(walk, address, layout);
		if (points < BINS_AT_LEAST || glibc_in_thread_arena(walk, address + layout->bins))
			continue;
		points += ring_closes(walk, address, layout) ? MALLOC_BINS : 0;
		if (points <= scan->state_points)
			continue;
		scan->state = address;
		scan->state_points = points;
		scan->state_layout = layout;
	}
}

static void try_par(struct glibc_walk *walk, uint64_t address, struct scan *scan)
{
	for (size_t i = 0; i < malloc_par_layout_count; i++) {
		unsigned points = par_score(walk, address, &malloc_par_layouts[i]);
		if (points < SCORE_AT_LEAST || points < scan->par_points)
			continue;
		scan->par_is_ambiguous = points == scan->par_points;
		scan->par = address;
		scan->par_points = points;
		scan->par_layout = &malloc_par_layouts[i];
	}
}

static bool may_be_data(const struct segment *segment)
{
	return segment->origin != SEGMENT_ABSENT && !segment->shared &&
	       (!segment->permissions_known || (segment->permissions & SEGMENT_WRITE) != 0);
}

/* Scans the writable memory in [start, end) for a malloc_state and an mp_. */
static void scan_range(struct glibc_walk *walk, uint64_t start, uint64_t end, struct scan *scan)
{
	size_t count;
	const struct segment *segments = address_space_segments(walk->space, &count);
	for (size_t i = 0; i < count; i++) {
		const struct segment *segment = &segments[i];
		if (!may_be_data(segment) || segment->end <= start || segment->start >= end)
			continue;
		uint64_t from = segment->start > start ? segment->start : start;
		uint64_t to = segment->end < end ? segment->end : end;
		if (to - from > SCAN_AT_MOST)
			to = from + SCAN_AT_MOST;
		for (uint64_t at = from; at + 8 <= to; at += 8) {
			try_state(walk, at, scan);
			try_par(walk, at, scan);
		}
	}
}

static void take_state(struct malloc_copy *copy, uint64_t address,
		       const struct state_layout *layout, const char *evidence)
{
	copy->main_arena = address;
	copy->layout.state = *layout;
	copy->layout.has_state = true;
	copy->state_evidence = evidence;
}

static void take_par(struct malloc_copy *copy, uint64_t address, const struct par_layout *layout,
		     const char *evidence)
{
	copy->par = address;
	copy->layout.par = *layout;
	copy->layout.has_par = true;
	copy->par_evidence = evidence;
}

static bool is_zero(struct glibc_walk *walk, uint64_t address, uint64_t size)
{
	uint64_t value;
	for (uint64_t at = address; at < address + size; at += 8)
		if (!word(walk, at, &value) || value != 0)
			return false;
	return true;
}

/* main_arena by its symbol: believed when the memory agrees, also when a few bins do not. */
static void state_by_symbol(struct glibc_walk *walk, struct malloc_copy *copy)
{
	struct symbol symbol;
	if (!modules_symbol_named(walk->context->modules, copy->module, "main_arena", &symbol))
		return;
	const struct state_layout *best = NULL;
	unsigned most = 0;
	if (copy->layout.has_state) {
		best = &copy->layout.state;
	} else {
		for (size_t i = 0; i < malloc_state_layout_count; i++) {
			const struct state_layout *layout = &malloc_state_layouts[i];
			unsigned bins = glibc_state_score(walk, symbol.address, layout);
			bool fits = symbol.size == layout->size;
			if (bins + fits > most) {
				most = bins + fits;
				best = layout;
			}
		}
	}
	if (best == NULL)
		return;
	copy->unused = is_zero(walk, symbol.address + best->bins, (uint64_t)MALLOC_BINS * 16);
	take_state(copy, symbol.address, best,
		   copy->layout.has_state ? "debug info and symbol" : "symbol, built-in layout");
}

static void par_by_symbol(struct glibc_walk *walk, struct malloc_copy *copy)
{
	struct symbol symbol;
	if (!modules_symbol_named(walk->context->modules, copy->module, "mp_", &symbol))
		return;
	const struct par_layout *best = copy->layout.has_par ? &copy->layout.par : NULL;
	unsigned most = 0;
	for (size_t i = 0; i < malloc_par_layout_count && !copy->layout.has_par; i++) {
		unsigned points = par_score(walk, symbol.address, &malloc_par_layouts[i]);
		if (points > most) {
			most = points;
			best = &malloc_par_layouts[i];
		}
	}
	if (best != NULL)
		take_par(copy, symbol.address, best,
			 copy->layout.has_par ? "debug info and symbol"
					      : "symbol, built-in layout");
}

/* Where the ring of arenas is broken two layouts may fit the same bins: then mp_ tells which it is,
 * as the malloc without fastbins is the one that counts mmapped chunks without their headers. */
static void settle_layout(struct glibc_walk *walk, struct scan *scan)
{
	if (scan->state == 0 || scan->par == 0 || scan->par_is_ambiguous)
		return;
	for (size_t i = 0; i < malloc_state_layout_count; i++) {
		const struct state_layout *layout = &malloc_state_layouts[i];
		uint64_t address = scan->state + scan->state_layout->bins - layout->bins;
		unsigned points = glibc_state_score(walk, address, layout);
		points += points != 0 && ring_closes(walk, address, layout) ? MALLOC_BINS : 0;
		if (points == scan->state_points &&
		    (layout->fastbins == MALLOC_NO_FIELD) ==
			scan->par_layout->mmapped_size_excludes_header) {
			scan->state = address;
			scan->state_layout = layout;
			return;
		}
	}
}

/* Fills in by a scan of [start, end) what the symbols did not give. */
static void find_by_scan(struct glibc_walk *walk, struct malloc_copy *copy, uint64_t start,
			 uint64_t end)
{
	if (copy->main_arena != 0 && copy->par != 0)
		return;
	struct scan scan = { 0 };
	scan_range(walk, start, end, &scan);
	settle_layout(walk, &scan);
	if (copy->main_arena == 0 && scan.state != 0)
		take_state(copy, scan.state,
			   copy->layout.has_state ? &copy->layout.state : scan.state_layout,
			   "built-in layout, found in memory");
	if (copy->par == 0 && scan.par != 0 && !scan.par_is_ambiguous)
		take_par(copy, scan.par, scan.par_layout, "built-in layout, found in memory");
}

static void read_par(struct glibc_walk *walk, struct malloc_copy *copy)
{
	if (copy->par == 0)
		return;
	const struct par_layout *par = &copy->layout.par;
	uint32_t mappings = 0;
	word(walk, copy->par + par->sbrk_base, &copy->sbrk_base);
	word(walk, copy->par + par->mmapped_mem, &copy->mmapped_mem);
	if (par->hp_pagesize != MALLOC_NO_FIELD)
		word(walk, copy->par + par->hp_pagesize, &copy->hp_pagesize);
	/* Smashed: main_arena's start is searched for, then, as without mp_. */
	if (address_space_find(walk->space, copy->sbrk_base) == NULL)
		copy->sbrk_base = 0;
	if (!read_u32(walk, copy->par + par->n_mmaps, &mappings))
		gaps_add(walk->gaps, GAP_MEMORY, copy->par, copy->par + par->sbrk_base,
			 "malloc's parameters at 0x%" PRIx64
			 " are not there: mmapped chunks cannot be told",
			 copy->par);
	else
		copy->n_mmaps = mappings;
}

static bool add_copy(struct glibc_walk *walk, struct malloc_copy *copy)
{
	if (copy->main_arena == 0)
		return true;
	for (size_t i = 0; i < walk->copies.count; i++)
		if (walk->copies.items[i].main_arena == copy->main_arena)
			return true;
	read_par(walk, copy);
	/* Bins of zeros are those of an arena that was never used, but not once malloc has moved
	 * the break. */
	copy->unused = copy->unused && copy->sbrk_base == 0;
	return array_push(&walk->copies, *copy);
}

static bool is_malloc_library(const struct module *module)
{
	return module->is_libc ||
	       (module->name != NULL && strncmp(module->name, "libc_malloc_debug", 17) == 0);
}

/* One module's copy of malloc. `with_symbols`: the module is known to have one. */
static bool locate_in_module(struct glibc_walk *walk, const struct module *module,
			     bool with_symbols)
{
	struct malloc_copy copy = { .module = module };
	if (with_symbols) {
		malloc_layout_from_dwarf(walk->context->modules, module, &copy.layout);
		state_by_symbol(walk, &copy);
		par_by_symbol(walk, &copy);
	}
	find_by_scan(walk, &copy, module->start, module->end);
	return add_copy(walk, &copy);
}

static struct error *locate_in_modules(struct glibc_walk *walk, bool libraries)
{
	if (walk->context->modules == NULL)
		return NULL;
	size_t count;
	const struct module *modules = modules_list(walk->context->modules, &count);
	for (size_t i = 0; i < count; i++)
		if (is_malloc_library(&modules[i]) == libraries &&
		    !locate_in_module(walk, &modules[i], libraries))
			return error_no_memory();
	return NULL;
}

struct error *glibc_locate(struct glibc_walk *walk)
{
	struct error *error = locate_in_modules(walk, true);
	if (error == NULL && walk->copies.count == 0)
		error = locate_in_modules(walk, false);
	if (error != NULL || walk->copies.count != 0)
		return error;
	struct malloc_copy copy = { 0 };
	if (!glibc_locate_by_ring(walk, &copy))
		find_by_scan(walk, &copy, 0, UINT64_MAX);
	return add_copy(walk, &copy) ? NULL : error_no_memory();
}
