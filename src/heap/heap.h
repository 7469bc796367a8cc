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
	bool is_absent;	       /* its malloc_state was not dumped */
	bool in_flux;	       /* in the middle of a call: inconsistencies are not corruption */
};

/* Memory that is the allocator's own: neither chunks nor roots (malloc_state, heap_info, top,
 * fenceposts, tcache structs that lie outside of chunks). */
struct heap_own_range {
	uint64_t start, end;
	const char *what; /* literal: "malloc_state", "top chunk" … */
};

enum heap_finding_kind {
	HEAP_DAMAGED_SIZE,	 /* a size word that cannot be one */
	HEAP_DAMAGED_IN_USE_BIT, /* a header says that the chunk before is free; nothing else does
				  */
	HEAP_DAMAGED_PREV_SIZE,	 /* a free chunk's size is not repeated behind it */
	HEAP_DAMAGED_TOP,	 /* an arena's pointer to its top chunk */
	HEAP_DAMAGED_TOP_SIZE,
	HEAP_DAMAGED_BIN,	  /* links of a bin */
	HEAP_DAMAGED_SIZE_LINKS,  /* links between the sizes of a large bin */
	HEAP_DAMAGED_FREED_CHUNK, /* link or key of a chunk in a tcache or fastbin */
	HEAP_DAMAGED_LIST_SIZE,	  /* a chunk in a list of other sizes */
	HEAP_DAMAGED_DOUBLE_FREE, /* a chunk in free lists twice */
	HEAP_DAMAGED_UNLISTED,	  /* a free chunk in no list */
	HEAP_DAMAGED_TCACHE,	  /* a tcache struct itself */
	HEAP_DAMAGED_ARENA_MARK,  /* a chunk marked as another arena's */
	HEAP_DAMAGED_ARENAS,	  /* the ring of arenas, or an arena's chain of heaps */
	HEAP_DAMAGED_PARAMETERS,  /* malloc's own: where the break began, what is mmapped */
	HEAP_DAMAGED_LAYOUT,	  /* memory that two parts of the heap both claim */
	HEAP_DAMAGED_COUNT
};

/* The rows: a name for scripts ("double-free"), a title for readers ("double free"). */
struct heap_finding_row {
	const char *name, *title;
};
const struct heap_finding_row *heap_finding_row(enum heap_finding_kind kind);

struct heap_neighbour {
	uint64_t address; /* user address; 0: there is none */
	uint64_t size;	  /* usable bytes */
	bool used;
};

#define HEAP_DUMP_ROW	16
#define HEAP_DUMP_ROWS	4
#define HEAP_DUMP_BYTES (HEAP_DUMP_ROW * HEAP_DUMP_ROWS)

/* A contradiction in the heap. Strings are in the modules' string pool, or literal. */
struct heap_finding {
	enum heap_finding_kind kind;
	uint64_t address; /* user address of the chunk; else of the malloc_state or tcache */
	uint32_t arena;	  /* index in heap.arenas */
	bool in_flux;	  /* of an arena in the middle of a call: no corruption */
	const char *text; /* what is wrong, in words */
	uint64_t word;	  /* address of the word that is wrong; 0: none is */
	bool has_found;
	uint64_t found;	      /* what it holds */
	const char *expected; /* what it should hold, in words; or NULL */
	const char *overrun; /* what probably was written past its end, and the evidence; or NULL */
	struct heap_neighbour previous, next;
	uint64_t lost_bytes; /* that could not be walked because of it */
	uint64_t dump_start; /* of the rows around .word */
	unsigned dump_rows;
	uint8_t dump[HEAP_DUMP_BYTES];
	const char *dump_what[HEAP_DUMP_ROWS]; /* what lies in each row */
};

enum heap_doubt_kind {
	HEAP_DOUBT_NONE,
	HEAP_DOUBT_LOOKALIKE, /* a chunk, or memory that only looks like one */
	HEAP_DOUBT_STATE,     /* it may be free as well as in use: a free list is damaged */
	HEAP_DOUBT_IN_HAND,   /* malloc or free was at work on it: of heap.in_hand */
	HEAP_DOUBT_COUNT
};

struct heap_doubt {
	uint64_t start, end; /* its memory; .start is the user address */
	enum heap_doubt_kind kind;
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
	/* User addresses of chunks that a thread inside malloc or free has in its hands: neither
	 * in use by the program nor in a free list. Never orphans; their content is dead. Sorted
	 * once enumerated. */
	ARRAY(uint64_t) in_hand;
	/* Never orphans; what their memory leads to is possible at the least. */
	ARRAY(struct heap_doubt) doubted; /* sorted by address once enumerated */
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

/* Whether the chunk is doubted, and why. */
enum heap_doubt_kind heap_doubt_of(const struct heap *heap, const struct chunk *chunk);

/* "lookalike", "state", "in-hand"; NULL for HEAP_DOUBT_NONE. */
const char *heap_doubt_name(enum heap_doubt_kind kind);

/* The findings that are corruption: those of arenas that were not in flux. */
size_t heap_corruption_count(const struct heap *heap);

/* What could not be walked, of all arenas. */
uint64_t heap_lost_bytes(const struct heap *heap);

#endif
