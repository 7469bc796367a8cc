/* What storage an address is in, down to the variable, the register and the frame: describe.h
 * says in which mapping, module or chunk it lies, this says whose it is there.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORESCAN_ANALYSIS_STORAGE_H
#define CORESCAN_ANALYSIS_STORAGE_H

#include "analysis/describe.h"
#include "analysis/roots.h"

enum storage_kind {
	STORAGE_UNMAPPED,
	STORAGE_NOT_CANONICAL, /* no address of this architecture at all */
	STORAGE_REGISTER,
	STORAGE_STACK,	      /* the used stack of a thread; .frame where it is known */
	STORAGE_RED_ZONE,     /* below SP */
	STORAGE_UNUSED_STACK, /* below that, and the stacks of threads that are gone */
	STORAGE_TLS,	      /* a module's thread-local block; .name is the variable */
	STORAGE_PTHREAD_KEY,  /* the value of pthread_setspecific; .name is the key */
	STORAGE_PTHREAD,      /* the rest of struct pthread; .name is "dtv" or "result" */
	STORAGE_MODULE,	      /* code or data; .name is the symbol */
	STORAGE_CHUNK,
	STORAGE_ALLOCATOR, /* the allocator's own memory, chunks that it uses itself included */
	STORAGE_MAPPING,
	STORAGE_KERNEL, /* a word that the kernel holds, or just handed back: .held */
	STORAGE_KIND_COUNT,
};

struct storage {
	enum storage_kind kind;
	struct place place; /* of memory: as describe_address has it */
	uint64_t offset;    /* from the variable, the frame's SP, the register, the chunk … */
	const char *name;   /* of the variable, register or key, or NULL */
	const struct module *module; /* of module data and TLS, or NULL */
	const struct thread *thread; /* or NULL */
	const struct frame *frame;   /* the physical frame that holds the address, or NULL */
	size_t frame_number;	     /* its index in thread->frames */
	const struct kernel_held_word *held; /* STORAGE_KERNEL */
	const struct root *root; /* the root it belongs to; NULL: nothing here keeps a chunk */
};

struct storage_map;

/* Borrows both; `roots` may be NULL (then .root stays NULL). ERROR_NO_MEMORY. */
struct error *storage_map_new(const struct subject *subject, const struct roots *roots,
			      struct storage_map **map);
void storage_map_free(struct storage_map *map);

/* What `address` is in; always answers. */
void storage_at(const struct storage_map *map, uint64_t address, struct storage *storage);

/* What the byte at `offset` of a root that has .bytes, a register or the kernel's words, is in. */
void storage_of_bytes(const struct storage_map *map, const struct root *root, uint64_t offset,
		      struct storage *storage);

/* The thread that has `value` in a word of its thread-local storage, or NULL. */
const struct thread *storage_tls_user(const struct storage_map *map, uint64_t value);

/* In words, into the modules' string pool: "<cache>+0 (data of app)", "rbx of 1240 \"worker\"",
 * "stack of 1240 \"worker\", frame #2 handle +24", "thread-local <errors>+8 of 1240",
 * "+16 of 272-byte chunk 0x…". Never NULL. */
const char *storage_text(const struct storage_map *map, const struct storage *storage);

const char *storage_kind_name(enum storage_kind kind); /* for JSON: "register", "tls" … */

#endif
