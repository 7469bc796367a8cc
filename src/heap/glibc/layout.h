/* Where glibc's malloc keeps what: one row for each layout that is known, chosen by agreement with
 * the memory, never by a version.
 *
 * To add a layout: add its row to the table in layout.c. The rows were measured with the debug
 * information of glibc 2.31, 2.36, 2.41, 2.42 and 2.43 on x86-64.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORESCAN_HEAP_GLIBC_LAYOUT_H
#define CORESCAN_HEAP_GLIBC_LAYOUT_H

#include "modules/type_layout.h"

#define MALLOC_BINS	127 /* pairs of links in malloc_state.bins */
#define MALLOC_NO_FIELD UINT32_MAX

/* Byte offsets in struct malloc_state. */
struct state_layout {
	uint32_t size;
	uint32_t mutex, flags; /* 4 bytes each */
	uint32_t fastbins;     /* MALLOC_NO_FIELD where there are none */
	uint32_t fastbin_count;
	uint32_t top, bins, next, system_mem;
};

/* Byte offsets in struct malloc_par, of which mp_ is the only one. */
struct par_layout {
	uint32_t arena_test;
	uint32_t n_mmaps, n_mmaps_max; /* 4 bytes each */
	uint32_t mmapped_mem, sbrk_base;
	uint32_t hp_pagesize; /* MALLOC_NO_FIELD where there is none */
	uint32_t tcache_bins; /* the same */
	/* An mmapped chunk's size leaves out its header, its last 8 bytes are not usable, and bit 0
	 * of its prev_size says that it lies in huge pages (2.43). */
	bool mmapped_size_excludes_header;
};

/* Byte offsets in struct tcache_perthread_struct. */
struct tcache_layout {
	uint32_t size;
	uint32_t counts;  /* 2 bytes each */
	uint32_t entries; /* 8 bytes each */
	uint32_t bins;
	bool counts_are_free_slots; /* 2.42 on: how many more fit, not how many there are */
};

extern const struct state_layout malloc_state_layouts[];
extern const size_t malloc_state_layout_count;
extern const struct par_layout malloc_par_layouts[];
extern const size_t malloc_par_layout_count;
extern const struct tcache_layout malloc_tcache_layouts[];
extern const size_t malloc_tcache_layout_count;

struct malloc_layout {
	struct state_layout state;
	struct par_layout par;
	struct tcache_layout tcache;
	bool has_state, has_par, has_tcache; /* from debug information; else still to be found */
	uint32_t heap_info_size;	     /* 0: unknown */
};

/* Takes what it can from the DWARF of `module`. */
void malloc_layout_from_dwarf(struct modules *modules, const struct module *module,
			      struct malloc_layout *layout);

#endif
