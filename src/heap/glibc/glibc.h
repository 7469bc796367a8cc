/* The inside of the glibc provider: what its files share.
 *
 *     locate.c   finds main_arena and mp_ of every copy of malloc in the process
 *     locate_ring.c  finds main_arena where only arenas of threads are there
 *     arenas.c   the arenas of one copy, and the segments of memory that belong to each
 *     heaps.c    the heaps of thread arenas
 *     scattered.c  the main arena's segments where the break did not give all of them
 *     walk.c     the chunks of one segment
 *     bins.c     which chunks the arenas hold as free
 *     fastbins.c  the same of their fastbins
 *     tcache.c   where the threads have their tcaches
 *     tcache_lists.c  which chunks these hold as free
 *     free_lists.c  the lists of tcaches and fastbins
 *     covered.c  chunks that lie in what another's size covers
 *     findings.c what is told of contradictions
 *     flux.c     whether a thread was inside of malloc
 *     mmapped.c  chunks that are mappings of their own
 *     mmapped_damage.c  those whose headers are overwritten
 *     lookalikes.c  which of what looks like them malloc counts
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORESCAN_HEAP_GLIBC_GLIBC_H
#define CORESCAN_HEAP_GLIBC_GLIBC_H

#include "heap/glibc/layout.h"
#include "heap/glibc/reader.h"
#include "heap/heap.h"

/* Of struct malloc_chunk: prev_size, size, then the user's memory. */
#define CHUNK_HEADER   16
#define CHUNK_SIZE     8 /* offset of the size word */
#define CHUNK_MINIMUM  32
#define CHUNK_TRAILER  8 /* the next chunk's size word; its prev_size belongs to this chunk */
#define PREV_IN_USE    1
#define IS_MMAPPED     2
#define NON_MAIN_ARENA 4
#define SIZE_FLAGS     7

#define HEAP_MAX_SIZE ((uint64_t)64 << 20)

struct range {
	uint64_t start, end;
};

/* Memory in which chunks follow each other. */
struct malloc_segment {
	uint64_t start; /* header of the first chunk */
	uint64_t end;	/* of the memory */
	uint64_t top;	/* header of the top chunk, or 0: it is not in here */
};

struct malloc_arena {
	uint64_t address;
	uint32_t index;		/* in heap.arenas */
	uint32_t flags;		/* malloc_state.flags */
	uint64_t top;		/* as it stands in malloc_state; 0 once it was found wrong */
	uint64_t top_at;	/* address of that word */
	uint64_t system_memory; /* the same */
	uint64_t first_heap;	/* of a thread arena */
	uint64_t heap_bytes;	/* of the heaps that were found, of a thread arena */
	bool is_main;
	bool is_overwritten; /* which is told: nothing that it says is believed */
	ARRAY(struct malloc_segment) segments;
};

/* One copy of malloc in the process: libc's own; with MALLOC_CHECK_ or dlmopen there are more. */
struct malloc_copy {
	const struct module *module; /* or NULL */
	struct malloc_layout layout;
	uint64_t main_arena; /* 0: not found */
	uint64_t par;	     /* of mp_; 0: not found */
	bool unused;	     /* its malloc was never called */
	const char *state_evidence, *par_evidence;
	uint64_t sbrk_base, hp_pagesize;
	uint64_t n_mmaps, mmapped_mem;
	ARRAY(struct malloc_arena) arenas; /* main first */
};

/* In place of a key: the tcache's own address, which was the key up to 2.33. */
#define GLIBC_KEY_IS_OWNER 1

struct found_tcache {
	uint64_t address;
	bool in_flux;	 /* its thread was inside of malloc, which takes no lock for it */
	bool is_damaged; /* overwritten, which is told: few of its bins lead to chunks */
};

/* A free chunk whose size is not repeated behind it. */
struct footer {
	uint64_t header;
	uint32_t arena;
};

struct glibc_walk {
	const struct heap_context *context;
	struct address_space *space;
	struct string_pool *strings;
	struct gaps *gaps;
	struct heap *heap;
	struct heap_reader reader;
	ARRAY(struct malloc_copy) copies;
	ARRAY(struct range) claims; /* memory that is known to be malloc's; sorted */
	size_t unsaid;		    /* findings beyond the bound */
	uint64_t guesses_left;	    /* steps that glibc_chain may still take */
	uint64_t *listed;	    /* bitmap over granules: chunks that a free list holds */
	int64_t link_votes;	    /* for safe-linking, above 0 */
	bool links_are_mangled;	    /* safe-linking of tcache and fastbin links */
	bool big_endian;
	bool no_memory;
	struct tcache_layout tcache;
	uint64_t tcache_below; /* the variable is so far below the thread pointer; 0: not found */
	ARRAY(struct found_tcache) tcaches;
	uint64_t tcache_key;	      /* of every cached chunk; 0: unknown */
	bool has_broken_cache;	      /* chunks may be cached that no list leads to */
	ARRAY(struct range) lost;     /* what could not be walked */
	ARRAY(struct footer) footers; /* free chunks whose size is not repeated */
	bool malloc_died;	      /* its own checks ended the process: no arena is in flux */
	bool in_malloc;		      /* the only thread is inside: malloc takes no lock then */
};

/* Where a contradiction is: the fields of struct heap_finding with these names. */
struct glibc_place {
	enum heap_finding_kind kind;
	uint32_t arena;
	uint64_t address, word;
	const char *expected; /* in the string pool, or literal */
	bool in_flux;	      /* whatever the arena is */
};

static inline struct glibc_place glibc_at(enum heap_finding_kind kind, uint32_t arena,
					  uint64_t address, uint64_t word, const char *expected)
{
	return (struct glibc_place){ kind, arena, address, word, expected, false };
}

/* Notes a contradiction; in an arena in flux it is expected, and says so. The rest of what is told
 * of it is added once the walk is done (findings.c). Returns it, for what the caller has to add at
 * once; NULL beyond the bound. */
struct heap_finding *glibc_finding(struct glibc_walk *walk, const struct glibc_place *place,
				   const char *format, ...) __attribute__((format(printf, 3, 4)));

/* Whether there is one of that kind and address already. */
bool glibc_has_finding(const struct glibc_walk *walk, enum heap_finding_kind kind,
		       uint64_t address);

/* Adds to the findings, once chunks and free lists are known: neighbours, bytes, what was probably
 * overrun. */
void glibc_explain_findings(struct glibc_walk *walk);

/* flux.c: which threads were inside of malloc. Called once, before arenas are looked for. */
void glibc_find_flux(struct glibc_walk *walk);

/* malloc's own frames lie among so many innermost ones of a thread. */
#define GLIBC_MALLOC_FRAMES 64

/* flux.c: whether the thread's frame `index` is in a function of libc's malloc. */
bool glibc_is_malloc_frame(const struct glibc_walk *walk, const struct thread *thread,
			   size_t index);

/* Whether the thread with this thread pointer was inside of malloc; not the one that malloc's
 * own checks ended. */
bool glibc_thread_in_malloc(const struct glibc_walk *walk, uint64_t thread_pointer);

/* Whether any thread was; it takes no lock to count mmapped chunks. */
bool glibc_any_in_malloc(const struct glibc_walk *walk);

/* Memory of the arena that could not be walked: counted, told as a gap, and remembered. */
void glibc_lose(struct glibc_walk *walk, uint32_t arena, uint64_t start, uint64_t end);

/* Whether `address` lies in memory that could not be walked, or is not there; once that was sorted.
 */
void glibc_sort_lost(struct glibc_walk *walk);
bool glibc_is_lost(const struct glibc_walk *walk, uint64_t address);

/* Notes memory that is malloc's own. Empty ranges are passed over. */
void glibc_own(struct glibc_walk *walk, uint64_t start, uint64_t end, const char *what);

/* Claims [start, end); false when part of it is claimed already. */
bool glibc_claim(struct glibc_walk *walk, uint64_t start, uint64_t end);

/* The claim that holds `address`, or NULL. */
const struct range *glibc_claimed(const struct glibc_walk *walk, uint64_t address);

/* Where memory that is mapped without a hole from `start` on ends; at most `limit`. */
uint64_t glibc_mapped_end(const struct glibc_walk *walk, uint64_t start, uint64_t limit);

/* Where bytes that are there and may be written, without a hole from `start` on, end. */
uint64_t glibc_present_end(const struct glibc_walk *walk, uint64_t start, uint64_t limit);

/* Whether the segment is private anonymous memory that the program can write, as mmap makes it. */
bool glibc_segment_is_anonymous(const struct segment *segment);

/* locate.c: fills walk->copies. */
struct error *glibc_locate(struct glibc_walk *walk);

/* locate.c: how many bins of a malloc_state at `address` are in order; 0 when there are too few, or
 * its other fields forbid. */
unsigned glibc_state_score(struct glibc_walk *walk, uint64_t address,
			   const struct state_layout *layout);

/* locate.c: the number of bins alone, whatever its other fields say. */
unsigned glibc_whole_bins(struct glibc_walk *walk, uint64_t address,
			  const struct state_layout *layout);

/* locate_ring.c: whether `address` lies in the first page of a thread arena, which its heap_info
 * names: [S] the arena follows its first heap's heap_info, of 32 or 48 bytes. */
bool glibc_in_thread_arena(struct glibc_walk *walk, uint64_t address);

/* locate_ring.c: main_arena, which need not be there, and the layout, by a thread arena. */
bool glibc_locate_by_ring(struct glibc_walk *walk, struct malloc_copy *copy);

/* arenas.c: the arenas and segments of `copy`, with a row in heap.arenas for each. */
struct error *glibc_find_arenas(struct glibc_walk *walk, struct malloc_copy *copy);

/* The arena's pointer to its top chunk, `top`, is wrong: no chain of chunks leads there, or
 * (`is_followed`) it is not the last one. */
void glibc_tell_top(struct glibc_walk *walk, const struct malloc_arena *arena, uint64_t top,
		    bool is_followed);

/* Whether what the arena calls its top chunk is another: it does not go on to `end`, as top does,
 * but a chain of chunks does that begins with it. */
bool glibc_is_not_last(struct glibc_walk *walk, const struct malloc_arena *arena, uint64_t end);

/* Whether the word is mapped, but was not dumped or read: which speaks against nothing. */
bool glibc_is_absent(const struct glibc_walk *walk, uint64_t address);

/* The end of the top chunk, by its own size; 0: its header makes no sense. */
uint64_t glibc_top_end(struct glibc_walk *walk, uint64_t top);

/* Adds [start, end) to the main arena, unless it is claimed already. False: no memory. */
bool glibc_add_main_segment(struct glibc_walk *walk, struct malloc_arena *arena, uint64_t start,
			    uint64_t end, uint64_t top);

/* struct heap_info, at the start of each heap of a thread arena. */
struct heap_info {
	uint64_t arena, previous, size;
};

/* heaps.c: the first heap of the thread arena at `address`: its heap_info lies right below
 * malloc_state. It may be overwritten, where the arena's own bins and place tell that it is one;
 * `by_place`: its place alone. */
bool glibc_first_heap(struct glibc_walk *walk, struct malloc_copy *copy, uint64_t address,
		      bool by_place, uint64_t *heap);

/* heaps.c: calls `visit` for each heap_info-aligned address in mapped memory that holds one, until
 * it returns false, which is returned. `arena` is passed on. */
typedef bool glibc_heap_visitor(struct glibc_walk *, struct malloc_copy *,
				struct malloc_arena *arena, uint64_t heap,
				const struct heap_info *);
bool glibc_probe_heaps(struct glibc_walk *walk, struct malloc_copy *copy,
		       struct malloc_arena *arena, glibc_heap_visitor *visit);

/* heaps.c: the heaps of a thread arena: from the one that holds its top chunk back to the first.
 * What is damaged of their heap_infos is told. False: no memory. */
bool glibc_find_heaps(struct glibc_walk *walk, struct malloc_copy *copy,
		      struct malloc_arena *arena);

/* scattered.c: the segments of a main arena that is not contiguous. False: no memory. */
bool glibc_find_scattered(struct glibc_walk *walk, struct malloc_copy *copy,
			  struct malloc_arena *arena);

/* walk.c: puts the chunks of all of the arena's segments into the table. */
struct error *glibc_walk_arena(struct glibc_walk *walk, struct malloc_arena *arena);

/* resync.c: where the chain of chunks that begins with the header at `start` ends, for guesses:
 * nothing is
 * added to the table. `top` may be 0. All guesses together are bounded: CHAIN_BROKEN and a gap when
 * the bound is reached. */
enum chain_end {
	CHAIN_BROKEN, /* at a header that cannot be one */
	CHAIN_ABSENT, /* at memory that is not there */
	CHAIN_TOP,    /* at `top` */
	CHAIN_FENCE,  /* at a fencepost */
	CHAIN_LIMIT,  /* exactly at the limit */
	CHAIN_LONG,   /* after `most` chunks, all plausible */
};
enum chain_end glibc_chain(struct glibc_walk *walk, uint64_t start, uint64_t limit, uint64_t top,
			   uint64_t most, uint64_t *end, uint64_t *chunks);

/* resync.c: whether a chain of several chunks leads from the header at `start` exactly to `end`.
 * `thread`: in a thread's arena. Bounded as glibc_chain. */
bool glibc_leads_on(struct glibc_walk *walk, uint64_t start, uint64_t end, bool thread);

/* bins.c: the arena's free chunks as its bins list them, against the walk. The table is sorted. */
void glibc_read_bins(struct glibc_walk *walk, const struct malloc_copy *copy,
		     const struct malloc_arena *arena);

/* fastbins.c: the chunks in the arena's fastbins become free. links_are_mangled is known. */
void glibc_read_fastbins(struct glibc_walk *walk, const struct malloc_copy *copy,
			 const struct malloc_arena *arena);

/* fastbins.c: counts the link in the cached or fastbin chunk at `user` for or against safe-linking;
 * those at the heads of the arena's fastbins. */
void glibc_vote_on_links(struct glibc_walk *walk, uint64_t user);
void glibc_vote_by_fastbins(struct glibc_walk *walk, const struct malloc_copy *copy,
			    const struct malloc_arena *arena);

/* tcache.c: finds the tcache of each thread, which tells how links are stored. */
struct error *glibc_find_tcaches(struct glibc_walk *walk);

/* tcache_lists.c: makes what they hold free. */
struct error *glibc_read_tcaches(struct glibc_walk *walk);

/* free_lists.c: singly linked lists, of tcaches and fastbins. */
struct glibc_free_list {
	const char *name; /* "fastbin", "tcache bin" */
	unsigned number;
	uint64_t owner; /* the malloc_state or tcache struct */
	uint32_t arena;
	uint64_t smallest, largest; /* sizes that it may hold, headers included */
	uint64_t header;	    /* bytes from where a link leads to the user address */
	bool is_tcache, in_flux;
};

/* Makes the chunks free that the list holds, whose head lies at `head` and leads to `at`. Returns
 * how many there are; `*broken` becomes true when it could not be followed to its end, which is
 * told. Ends with any input: no chunk is in two lists. */
uint64_t glibc_walk_free_list(struct glibc_walk *walk, const struct glibc_free_list *list,
			      uint64_t head, uint64_t at, bool *broken);

/* Finds what the cached chunks have in common as their key: walk->tcache_key. */
struct cached_list {
	uint64_t tcache, first; /* its first chunk, or 0 */
};
void glibc_find_key(struct glibc_walk *walk, const struct cached_list *lists, size_t list_count);

/* covered.c: tells of chunks whose size covers others, which variables of modules point to. Comes
 * when chunks and free lists are known; looks at so much of the modules' data. */
void glibc_find_covered(struct glibc_walk *walk);

/* covered.c: where no chunk begins at `user`, but one did until the size of the chunk around it was
 * overwritten: tells that, with `who` leads to it, and returns true. */
bool glibc_tell_covered(struct glibc_walk *walk, uint64_t user, bool in_flux, const char *who);

/* in_hand.c: the chunks that threads inside malloc have in their hands, into heap.in_hand. Comes
 * last: what a free list holds is not in anyone's hands. */
void glibc_find_in_hand(struct glibc_walk *walk);

/* Marks the chunk as held by a free list. True: it was already. */
bool glibc_mark_listed(struct glibc_walk *walk, uint64_t number);

bool glibc_is_listed(const struct glibc_walk *walk, uint64_t number);

/* The chunk looked free, but is not. */
void glibc_set_used(struct glibc_walk *walk, const struct chunk *chunk);

/* The chunk looked in use, but a bin or fastbin, or a tcache, holds it. */
void glibc_set_free(struct glibc_walk *walk, const struct chunk *chunk);
void glibc_set_cached(struct glibc_walk *walk, const struct chunk *chunk);

/* mmapped.c: the mmapped chunks of all copies. */
struct error *glibc_find_mmapped(struct glibc_walk *walk);

static inline uint64_t glibc_align_up(uint64_t value, uint64_t alignment)
{
	return (value + alignment - 1) & -alignment;
}

/* Decodes the link that lies at `at`. */
static inline uint64_t glibc_link(const struct glibc_walk *walk, uint64_t at, uint64_t stored)
{
	return walk->links_are_mangled ? stored ^ (at >> 12) : stored;
}

/* cache_of.c: as heap_cache_of. */
bool glibc_cache_of(struct target *target, const struct heap *heap, const struct chunk *chunk,
		    uint64_t *cache);

#endif
