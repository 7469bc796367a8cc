/* Heap providers turn a target's memory into one table of chunks.
 *
 * To add an allocator: write heap/NAME/, with a `struct heap_provider`, and add it to the table in
 * heap.c. `probe` says whether the process has that allocator; `enumerate` fills the heap.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORESCAN_HEAP_HEAP_H
#define CORESCAN_HEAP_HEAP_H

#include "base/progress.h"
#include "heap/chunk_table.h"
#include "modules/type_layout.h"
#include "threads/glibc_pthread.h"
#include "threads/threads.h"

enum arena_kind { ARENA_MAIN, ARENA_THREAD, ARENA_MMAPPED };

struct heap_arena {
	enum arena_kind kind;
	uint64_t address;		      /* of malloc_state; 0 for the mmapped chunks */
	uint64_t used_chunks, used_bytes;     /* bytes are chunk sizes, headers included, as in
						 malloc_info; tcached and fastbin chunks are not here */
	uint64_t free_chunks, free_bytes;     /* bins and fastbins */
	uint64_t cached_chunks, cached_bytes; /* in some thread's tcache */
	uint64_t top_bytes;		      /* the top chunk */
	uint64_t system_bytes; /* obtained from the kernel, as the arena itself counts */
	uint64_t lost_bytes;   /* of its segments that could not be walked: smashed, or not there */
	uint32_t heap_count;   /* heap_info segments; 1 for main */
	bool in_flux;	       /* its mutex was locked: inconsistencies are not corruption */
};

/* Memory that is the allocator's own: neither chunks nor roots (malloc_state, heap_info, top,
 * fenceposts, tcache structs that lie outside of chunks). */
struct heap_own_range {
	uint64_t start, end;
	const char *what; /* literal: "malloc_state", "top chunk" … */
};

/* A contradiction in the heap: where, and in words. */
struct heap_finding {
	uint64_t address;
	uint32_t arena;
	const char *text; /* in the modules' string pool */
};

struct heap {
	const char *provider; /* "glibc malloc" */
	const char *version;  /* "glibc 2.36", from the library's own banner; NULL unknown */
	const char *evidence; /* one line: what the layouts rest on */
	struct chunk_table *chunks;
	ARRAY(struct heap_arena) arenas;  /* main first, thread arenas, then mmapped */
	ARRAY(struct heap_own_range) own; /* sorted by address once enumerated */
	ARRAY(uint64_t)
	internal; /* user addresses of chunks the allocator itself uses (tcache
		     structs): in use, never orphans, never roots */
	ARRAY(struct heap_finding) findings;
};

struct heap_context {
	struct target *target;
	struct modules *modules;
	const struct threads *threads;
	const struct glibc_pthreads *pthreads;
	const struct progress *progress;
};

struct heap_provider {
	const char *name;
	bool (*probe)(const struct heap_context *context);
	struct error *(*enumerate)(const struct heap_context *context, struct gaps *gaps,
				   struct heap *heap);
	/* As heap_cache_of; NULL where the allocator has none. */
	bool (*cache_of)(struct target *target, const struct heap *heap, const struct chunk *chunk,
			 uint64_t *cache);
};

extern const struct heap_provider glibc_heap_provider;

/* Walks the heap of the first provider that knows the process. A heap of no chunks, .provider NULL
 * and a gap where none does. What could be walked is there even where a part could not; the rest
 * is in gaps and findings. ERROR_NO_MEMORY, ERROR_INTERRUPTED. */
struct error *heap_open(const struct heap_context *context, struct gaps *gaps, struct heap *heap);
void heap_free(struct heap *heap);

/* Whether a free chunk waits in a thread's cache; `*cache` is then the cache's address, one of
 * heap->internal. */
bool heap_cache_of(struct target *target, const struct heap *heap, const struct chunk *chunk,
		   uint64_t *cache);

/* Whether the allocator itself uses the chunk. */
bool heap_is_internal(const struct heap *heap, const struct chunk *chunk);

#endif
