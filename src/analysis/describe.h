/* What an address is, in words.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORESCAN_ANALYSIS_DESCRIBE_H
#define CORESCAN_ANALYSIS_DESCRIBE_H

#include "analysis/subject.h"

enum place_kind {
	PLACE_UNMAPPED,
	PLACE_SYMBOL,  /* in a named object or function of a module */
	PLACE_MODULE,  /* in a module, no symbol covers it */
	PLACE_STACK,   /* in the used stack of a thread */
	PLACE_CHUNK,   /* in a heap chunk */
	PLACE_HEAP,    /* in allocator memory that is no chunk */
	PLACE_MAPPING, /* in any other mapping */
};

struct place {
	enum place_kind kind;
	uint64_t address;
	uint64_t offset;      /* from the symbol, the chunk, the module's or the mapping's start */
	struct symbol symbol; /* PLACE_SYMBOL */
	const struct module *module;   /* PLACE_SYMBOL, PLACE_MODULE */
	const struct thread *thread;   /* PLACE_STACK */
	struct chunk chunk;	       /* PLACE_CHUNK */
	const struct segment *segment; /* where mapped */
};

/* What `address` is; always answers (null page and unmapped included). */
void describe_address(const struct subject *subject, uint64_t address, struct place *place);

/* In words, a noun phrase, into the modules' string pool: "<cache_lock>", "<table>+16", "stack of
 * 1240 \"worker-3\"", "64-byte heap chunk", "48 bytes into a 64-byte heap chunk at 0x…", "not
 * mapped", "not mapped (null + 24)", "not a canonical address", "just below the stack of 1240:
 * stack overflow", "read-only data of libc.so.6", "anonymous mapping, rw-". Never NULL. */
const char *describe_place(const struct subject *subject, const struct place *place);

/* Whether `address` can be one at all: x86-64 and the other 64-bit rows use 48 bits of it,
 * sign-extended. */
bool describe_canonical(const struct subject *subject, uint64_t address);

/* Whether it lies in the half that 64-bit kernels keep for themselves, as small negative numbers
 * do. */
bool describe_kernels(const struct subject *subject, uint64_t address);

/* Of a place in a module: "code", "data", "bss", "read-only data"; a literal. */
const char *describe_module_part(const struct place *place);

#endif
