/* Roots: every place from which a live pointer into the heap may start, with its strength. The
 * table of what counts is in roots.c; facts/glibc.md's table of 48 cases is its source.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORESCAN_ANALYSIS_ROOTS_H
#define CORESCAN_ANALYSIS_ROOTS_H

#include "analysis/kernel_held.h"

enum root_kind {
	ROOT_REGISTER, /* general and vector registers of a thread */
	ROOT_STACK,    /* SP to the end of a thread's stack, struct pthread and static TLS there */
	ROOT_RED_ZONE, /* below SP */
	ROOT_TLS,      /* thread-local storage and struct pthread outside a stack */
	ROOT_MODULE_DATA,   /* a module's data, bss, and read-only data */
	ROOT_MAPPING,	    /* any other mapping that no allocator owns */
	ROOT_EXITED_THREAD, /* the result in the struct pthread of an exited, unjoined thread */
	ROOT_KERNEL,	    /* words that the kernel holds, or just handed back: kernel_held.h */
	ROOT_KIND_COUNT,
};

enum root_strength { ROOT_WEAK, ROOT_STRONG };

struct root {
	enum root_kind kind;
	enum root_strength strength;
	uint64_t start, end;	     /* memory of the target; else 0, 0 */
	const uint8_t *bytes;	     /* of registers and of the kernel's words; else NULL */
	size_t size;		     /* of .bytes */
	const struct thread *thread; /* or NULL */
	const struct module *module; /* or NULL */
};

/* Memory of the process's own that may hold pointers, and whose bytes are not to be had: not
 * dumped, cut off, or not read in time. Mappings of files are no part of it, nor is what other
 * processes share, guard pages, or what is known to hold none (random_states.h). */
struct unseen_memory {
	uint64_t mappings, bytes;
	uint64_t start, end, largest; /* the one with most bytes, and how many those are */
};

struct roots {
	ARRAY(struct root)
	list;		/* memory roots do not overlap each other, chunks, nor the
			   allocator's own ranges */
	uint64_t bytes; /* all together */
	/* Chunks that the C library keeps for threads that are gone (the dtv of a cached stack and
	 * the TLS blocks it leads to): in use, but what they hold is dead. Addresses inside them.
	 */
	ARRAY(uint64_t) pinned;
	struct kernel_held kernel;
	struct unseen_memory unseen;
};

/* ERROR_NO_MEMORY. Memory that could hold roots but is absent becomes a gap. */
struct error *roots_collect(const struct subject *subject, struct roots *roots);
void roots_free(struct roots *roots);

const char *root_kind_name(enum root_kind kind); /* "register", "stack", "module data" … */

#endif
