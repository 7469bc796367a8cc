/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "analysis/mark.h"

#include "analysis/chunk_bytes.h"
#include "analysis/interior.h"
#include "base/bytes.h"
#include "heap/chunk_lookup.h"

#include <elf.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define WORKERS_MAX	  8
#define STACK_LIMIT	  ((size_t)1 << 18)
#define STACK_FIRST	  ((size_t)1 << 10)
#define SLICE		  ((uint64_t)1 << 16) /* a larger piece is scanned in slices, and shared */
#define SOURCE_SLICE	  ((uint64_t)1 << 20)
#define CANDIDATES	  16
#define PIECES		  16
#define BLOCK		  256  /* pieces that change hands at once */
#define GROUP_GRANULES	  4096 /* that one bit of the overflow bitmap stands for */
#define PROGRESS_STEPS	  1000
#define WORTH_SHARING	  ((uint64_t)16 << 20)
#define HOST_BIG_ENDIAN	  (__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__)
#define LARGE_PAGE	  ((size_t)2 << 20)
#define HELD_AT_ONCE	  ((size_t)1 << 16) /* chunks; a multiple of 64 */
#define LINE		  64
#define LINES_ASKED_AHEAD 2

/* 64 granules: side by side, so that a candidate costs one cache miss and not two. */
struct granules {
	uint64_t starts; /* as in the chunk table */
	uint64_t marks;	 /* accessed by __atomic built-ins while workers run */
};

/* Memory to scan, in our own address space. */
struct piece {
	const uint8_t *bytes;
	uint64_t size;
};

/* A word that points into a region; the bitmap words it needs are on their way. */
struct candidate {
	uint64_t address;
	uint64_t granule;
	const struct chunk_region *region;
};

struct worker {
	struct marking *marking;
	bool is_main;
	struct piece *stack;
	size_t count, capacity;
	struct candidate candidates[CANDIDATES];
	unsigned next_candidate;
	struct piece pieces[PIECES];
	unsigned next_piece;
	uint64_t unread_chunks, unread_sources, scanned;
};

struct marking {
	struct target *target;
	const struct chunk_table *table;
	const struct progress *progress;
	struct granules *granules;
	uint64_t *held; /* while interior pointers do not count: chunks that one points to, a bit
			   each as the marks; else NULL */
	uint64_t *overflow; /* a bit for each group of granules; atomic as the marks */
	uint64_t *rescan;   /* the groups that the present phase scans again */
	uint64_t group_count;
	const uint8_t **region_bytes; /* of a region whose bytes are one span, else NULL */
	uint64_t low, span;	      /* all regions lie in [low, low + span) */
	uint64_t total;		      /* bytes that may be scanned, for the progress */
	uint64_t progress_step;
	unsigned word_size;
	bool native; /* words can be loaded as they are */
	bool big_endian;
	unsigned workers_wanted, worker_count;
	size_t stack_limit;
	uint64_t unread_sources, unread_chunks, scanned;

	/* The sources of the present phase, handed out in slices. */
	const struct mark_source *sources;
	size_t source_count;
	size_t next_source;
	uint64_t source_offset;
	uint64_t next_group; /* of .rescan, handed out after the sources */

	/* Work that changes hands, guarded by the lock. */
	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct piece *pool;
	size_t pool_count, pool_capacity;
	unsigned idle;
	bool done;
	atomic_uint hungry; /* workers that wait */
};

/* Sets a bit, and says whether it was clear. */
static inline bool set_once(uint64_t *word, uint64_t bit)
{
	uint64_t mask = (uint64_t)1 << bit;
	if ((__atomic_load_n(word, __ATOMIC_RELAXED) & mask) != 0)
		return false;
	return (__atomic_fetch_or(word, mask, __ATOMIC_RELAXED) & mask) == 0;
}

static inline bool mark(struct marking *marking, uint64_t number)
{
	return set_once(&marking->granules[number / 64].marks, number % 64);
}

static inline bool is_marked(const struct marking *marking, uint64_t number)
{
	uint64_t marks = __atomic_load_n(&marking->granules[number / 64].marks, __ATOMIC_RELAXED);
	return (marks >> number % 64 & 1) != 0;
}

/* chunk_lookup_start, from the word at hand where it has the answer. */
static inline uint64_t find_start(const struct marking *marking, const struct chunk_region *region,
				  uint64_t granule)
{
	uint64_t bits =
	    marking->granules[granule / 64].starts & (UINT64_MAX >> (63 - granule % 64));
	if (bits == 0)
		return chunk_lookup_start(marking->table, region, granule);
	uint64_t found = granule / 64 * 64 + 63 - (uint64_t)__builtin_clzll(bits);
	return found < region->first_granule ? CHUNK_NONE : found;
}

/* chunk_lookup_size, from the word at hand where it has the answer. */
static inline uint64_t find_size(const struct marking *marking, const struct chunk_region *region,
				 uint64_t number)
{
	uint64_t above = marking->granules[number / 64].starts & (UINT64_MAX << number % 64 << 1);
	if (above == 0)
		return chunk_lookup_size(marking->table, region, number);
	uint64_t following = number / 64 * 64 + (uint64_t)__builtin_ctzll(above);
	if (following >= chunk_lookup_limit(region))
		return chunk_lookup_size(marking->table, region, number);
	uint64_t size = (following - number) * CHUNK_GRANULE;
	return size > region->trailer ? size - region->trailer : 0;
}

/* Scanning: words, candidates, chunks, pieces. */

static void note_overflow(struct marking *marking, uint64_t number)
{
	uint64_t group = number / GROUP_GRANULES;
	set_once(&marking->overflow[group / 64], group % 64);
}

static bool push_piece(struct worker *worker, const uint8_t *bytes, uint64_t size)
{
	if (worker->count == worker->capacity) {
		size_t capacity = worker->capacity * 2;
		if (capacity > worker->marking->stack_limit)
			capacity = worker->marking->stack_limit;
		if (capacity <= worker->count)
			return false;
		struct piece *grown = reallocarray(worker->stack, capacity, sizeof *grown);
		if (grown == NULL)
			return false;
		worker->stack = grown;
		worker->capacity = capacity;
	}
	worker->stack[worker->count++] = (struct piece){ bytes, size };
	return true;
}

/* How many bytes from `at` on to pass over where nothing can be read: to the next page. */
static uint64_t missing_bytes(const struct target *target, uint64_t at, uint64_t end)
{
	uint64_t page = target->arch->page_size;
	uint64_t left = page - at % page;
	return left < end - at ? left : end - at;
}

/* A chunk whose region's bytes are not one span. */
static void push_scattered(struct worker *worker, uint64_t address, uint64_t size, uint64_t number)
{
	const struct target *target = worker->marking->target;
	uint64_t unread = 0;
	for (uint64_t at = address, end = address + size; at < end;) {
		const uint8_t *bytes;
		uint64_t got = address_space_span(target->space, at, end - at, &bytes);
		if (got == 0) {
			got = missing_bytes(target, at, end);
			unread += got;
		} else if (!push_piece(worker, bytes, got)) {
			note_overflow(worker->marking, number);
			return;
		}
		at += got;
	}
	worker->unread_chunks += unread;
}

static void push_chunk(struct worker *worker, const struct chunk_region *region, uint64_t number)
{
	struct marking *marking = worker->marking;
	uint64_t address = chunk_lookup_address(region, number);
	uint64_t size = find_size(marking, region, number);
	const uint8_t *bytes = marking->region_bytes[region - marking->table->regions];
	if (bytes == NULL)
		push_scattered(worker, address, size, number);
	else if (!push_piece(worker, bytes + (address - region->start), size))
		note_overflow(marking, number);
}

/* Whether a pointer `offset` bytes into chunk `number` leads to it. */
static bool interior_counts(struct marking *marking, const struct candidate *candidate,
			    uint64_t number, uint64_t offset)
{
	uint64_t size = find_size(marking, candidate->region, number);
	if (offset >= size)
		return false;
	if (marking->held == NULL ||
	    interior_idiom(marking->target, marking->table, candidate->address - offset, size,
			   offset) != NULL)
		return true;
	set_once(&marking->held[number / 64], number % 64);
	return false;
}

static inline void consider(struct worker *worker, const struct candidate *candidate)
{
	struct marking *marking = worker->marking;
	const struct chunk_region *region = candidate->region;
	uint64_t number = find_start(marking, region, candidate->granule);
	if (number == CHUNK_NONE || is_marked(marking, number))
		return;
	uint64_t offset = candidate->address - chunk_lookup_address(region, number);
	if (offset != 0 && !interior_counts(marking, candidate, number, offset))
		return;
	if (mark(marking, number))
		push_chunk(worker, region, number);
}

static inline void see_word(struct worker *worker, uint64_t word)
{
	struct marking *marking = worker->marking;
	if (word - marking->low >= marking->span)
		return;
	const struct chunk_region *region = chunk_lookup_region(marking->table, word);
	if (region == NULL)
		return;
	uint64_t granule = chunk_lookup_granule(region, word);
	__builtin_prefetch(&marking->granules[granule / 64], 1);
	struct candidate *slot = &worker->candidates[worker->next_candidate];
	struct candidate waiting = *slot;
	*slot = (struct candidate){ word, granule, region };
	worker->next_candidate = (worker->next_candidate + 1) % CANDIDATES;
	if (waiting.region != NULL)
		consider(worker, &waiting);
}

static void scan_native(struct worker *worker, const uint8_t *bytes, uint64_t size)
{
	for (uint64_t at = 0; at + 8 <= size; at += 8) {
		uint64_t word;
		memcpy(&word, bytes + at, sizeof word);
		see_word(worker, word);
	}
}

static void scan_foreign(struct worker *worker, const uint8_t *bytes, uint64_t size)
{
	const struct marking *marking = worker->marking;
	for (uint64_t at = 0; at + marking->word_size <= size; at += marking->word_size)
		see_word(worker,
			 bytes_unsigned(bytes + at, marking->word_size, marking->big_endian));
}

static void scan(struct worker *worker, struct piece piece)
{
	if (piece.size > SLICE && push_piece(worker, piece.bytes + SLICE, piece.size - SLICE))
		piece.size = SLICE;
	worker->scanned += piece.size;
	if (worker->marking->native)
		scan_native(worker, piece.bytes, piece.size);
	else
		scan_foreign(worker, piece.bytes, piece.size);
}

/* Puts `piece` (size 0: nothing) in the ring, and scans the one that waited longest there. */
static void rotate_piece(struct worker *worker, struct piece piece)
{
	for (uint64_t line = 0; line < LINES_ASKED_AHEAD && line * LINE < piece.size; line++)
		__builtin_prefetch(piece.bytes + line * LINE);
	struct piece waiting = worker->pieces[worker->next_piece];
	worker->pieces[worker->next_piece] = piece;
	worker->next_piece = (worker->next_piece + 1) % PIECES;
	if (waiting.size != 0)
		scan(worker, waiting);
}

static void flush_candidates(struct worker *worker)
{
	for (unsigned i = 0; i < CANDIDATES; i++) {
		struct candidate waiting = worker->candidates[i];
		worker->candidates[i].region = NULL;
		if (waiting.region != NULL)
			consider(worker, &waiting);
	}
}

/* Work that changes hands. */

static bool reserve_pool(struct marking *marking)
{
	if (marking->pool_count + BLOCK <= marking->pool_capacity)
		return true;
	size_t capacity = marking->pool_capacity * 2 + BLOCK * 4;
	struct piece *grown = reallocarray(marking->pool, capacity, sizeof *grown);
	if (grown == NULL)
		return false;
	marking->pool = grown;
	marking->pool_capacity = capacity;
	return true;
}

/* Gives the older half of the stack, at most a block, to a worker that waits. */
static void give(struct worker *worker)
{
	struct marking *marking = worker->marking;
	size_t count = worker->count / 2 < BLOCK ? worker->count / 2 : BLOCK;
	pthread_mutex_lock(&marking->lock);
	if (marking->pool_count < BLOCK && reserve_pool(marking)) {
		memcpy(marking->pool + marking->pool_count, worker->stack,
		       count * sizeof *worker->stack);
		marking->pool_count += count;
		worker->count -= count;
		memcpy(worker->stack, worker->stack + worker->count, count * sizeof *worker->stack);
		pthread_cond_signal(&marking->changed);
	}
	pthread_mutex_unlock(&marking->lock);
}

static void tell_progress(struct worker *worker)
{
	struct marking *marking = worker->marking;
	if (!worker->is_main || worker->scanned < marking->progress_step)
		return;
	marking->scanned += worker->scanned * marking->worker_count;
	worker->scanned = 0;
	progress_tell(marking->progress, "marking reachable chunks",
		      marking->scanned < marking->total ? marking->scanned : marking->total,
		      marking->total);
}

/* Scans until this worker has nothing left. */
static void drain(struct worker *worker)
{
	struct marking *marking = worker->marking;
	do {
		while (worker->count > 0) {
			rotate_piece(worker, worker->stack[--worker->count]);
			if (worker->count > 1 &&
			    atomic_load_explicit(&marking->hungry, memory_order_relaxed) > 0)
				give(worker);
			tell_progress(worker);
		}
		/* What waits in the rings comes last: it may lead to more. */
		for (unsigned i = 0; i < PIECES; i++)
			rotate_piece(worker, (struct piece){ NULL, 0 });
		flush_candidates(worker);
	} while (worker->count > 0);
}

/* The next slice of the sources. The lock is held. */
static bool take_source(struct marking *marking, struct mark_source *slice)
{
	while (marking->next_source < marking->source_count) {
		const struct mark_source *source = &marking->sources[marking->next_source];
		uint64_t size = source->bytes != NULL ? source->size : source->end - source->start;
		uint64_t offset = marking->source_offset;
		uint64_t left = size - offset;
		uint64_t take = left < SOURCE_SLICE ? left : SOURCE_SLICE;
		marking->source_offset += take;
		if (marking->source_offset == size) {
			marking->next_source++;
			marking->source_offset = 0;
		}
		if (take == 0)
			continue;
		*slice = *source;
		if (source->bytes != NULL) {
			slice->bytes += offset;
			slice->size = take;
		} else {
			slice->start += offset;
			slice->end = slice->start + take;
		}
		return true;
	}
	return false;
}

/* Scans target memory in place, so that no overflow can lose it. Returns the bytes that could not
 * be read. */
static uint64_t scan_memory(struct worker *worker, uint64_t start, uint64_t end)
{
	const struct target *target = worker->marking->target;
	uint64_t word = worker->marking->word_size, unread = 0;
	for (uint64_t at = (start + word - 1) / word * word; at < end;) {
		const uint8_t *bytes;
		uint64_t got = address_space_span(target->space, at, end - at, &bytes);
		if (got == 0) {
			got = missing_bytes(target, at, end);
			unread += got;
		} else {
			scan(worker, (struct piece){ bytes, got });
		}
		at += got;
	}
	return unread;
}

static void scan_source(struct worker *worker, const struct mark_source *source)
{
	if (source->bytes != NULL)
		scan(worker, (struct piece){ source->bytes, source->size });
	else if (source->is_chunk)
		worker->unread_chunks += scan_memory(worker, source->start, source->end);
	else
		worker->unread_sources += scan_memory(worker, source->start, source->end);
}

/* The next group to scan again, or false. The lock is held. */
static bool take_group(struct marking *marking, uint64_t *group)
{
	while (marking->next_group < marking->group_count) {
		uint64_t at = marking->next_group++;
		if (marking->rescan[at / 64] == 0) {
			marking->next_group = (at / 64 + 1) * 64;
		} else if (chunk_lookup_bit(marking->rescan, at)) {
			*group = at;
			return true;
		}
	}
	return false;
}

static void scan_group(struct worker *worker, uint64_t group)
{
	struct marking *marking = worker->marking;
	const struct chunk_table *table = marking->table;
	uint64_t end = (group + 1) * GROUP_GRANULES;
	if (end > table->granules)
		end = table->granules;
	for (uint64_t number = group * GROUP_GRANULES; number < end; number++) {
		struct chunk chunk;
		if (!chunk_lookup_bit(table->levels[0], number) || !is_marked(marking, number) ||
		    !chunk_table_numbered(table, number, &chunk) || !chunk.used)
			continue;
		worker->unread_chunks +=
		    scan_memory(worker, chunk.address, chunk.address + chunk.size);
		drain(worker);
	}
}

/* Waits for work from the others. False: all is done. The lock is held. */
static bool wait_for_pool(struct worker *worker)
{
	struct marking *marking = worker->marking;
	marking->idle++;
	atomic_fetch_add_explicit(&marking->hungry, 1, memory_order_relaxed);
	while (marking->pool_count == 0 && !marking->done) {
		if (marking->idle == marking->worker_count) {
			marking->done = true;
			pthread_cond_broadcast(&marking->changed);
			break;
		}
		pthread_cond_wait(&marking->changed, &marking->lock);
	}
	marking->idle--;
	atomic_fetch_sub_explicit(&marking->hungry, 1, memory_order_relaxed);
	return !marking->done;
}

/* One share of work: a block from another worker, a slice of a source, a group. False: no more. */
static bool work(struct worker *worker)
{
	struct marking *marking = worker->marking;
	struct mark_source slice = { 0 };
	uint64_t group = 0;
	bool has_slice = false, has_group = false, more = true;
	pthread_mutex_lock(&marking->lock);
	if (marking->pool_count == 0) {
		has_slice = take_source(marking, &slice);
		has_group = !has_slice && take_group(marking, &group);
		if (!has_slice && !has_group)
			more = wait_for_pool(worker);
	}
	if (more && !has_slice && !has_group) {
		size_t count = marking->pool_count < BLOCK ? marking->pool_count : BLOCK;
		marking->pool_count -= count;
		memcpy(worker->stack, marking->pool + marking->pool_count,
		       count * sizeof *worker->stack);
		worker->count = count;
	}
	pthread_mutex_unlock(&marking->lock);
	if (!more)
		return false;
	if (has_slice)
		scan_source(worker, &slice);
	else if (has_group)
		scan_group(worker, group);
	drain(worker);
	return true;
}

static void *run_worker(void *argument)
{
	struct worker *worker = argument;
	while (work(worker))
		;
	return NULL;
}

/* Phases. */

static bool worker_init(struct marking *marking, struct worker *worker)
{
	*worker = (struct worker){ .marking = marking, .capacity = STACK_FIRST };
	worker->stack = calloc(worker->capacity, sizeof *worker->stack);
	return worker->stack != NULL;
}

/* Our helpers take no signals: the main thread's handlers expect to run there. */
static unsigned start_helpers(struct worker *workers, pthread_t *threads, unsigned count)
{
	sigset_t all, before;
	unsigned started = 0;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	while (started < count &&
	       pthread_create(&threads[started], NULL, run_worker, &workers[started + 1]) == 0)
		started++;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return started;
}

static void finish_worker(struct marking *marking, struct worker *worker)
{
	marking->unread_chunks += worker->unread_chunks;
	marking->unread_sources += worker->unread_sources;
	free(worker->stack);
}

/* Works off the sources and the groups to scan again. */
static struct error *run_phase(struct marking *marking, const struct mark_source *sources,
			       size_t count)
{
	struct worker workers[WORKERS_MAX];
	pthread_t threads[WORKERS_MAX];
	unsigned ready = 0;
	while (ready < marking->workers_wanted && worker_init(marking, &workers[ready]))
		ready++;
	if (ready == 0)
		return error_no_memory();
	workers[0].is_main = true;
	marking->sources = sources;
	marking->source_count = count;
	marking->done = false;
	marking->next_group = 0;
	marking->next_source = 0;
	marking->source_offset = 0;
	/* Until all are there, nobody may think that all are idle. */
	pthread_mutex_lock(&marking->lock);
	marking->worker_count = 1 + start_helpers(workers, threads, ready - 1);
	pthread_mutex_unlock(&marking->lock);
	run_worker(&workers[0]);
	for (unsigned i = 0; i + 1 < marking->worker_count; i++)
		pthread_join(threads[i], NULL);
	for (unsigned i = 0; i < ready; i++)
		finish_worker(marking, &workers[i]);
	return NULL;
}

static bool any_overflow(const struct marking *marking)
{
	for (uint64_t i = 0; i < (marking->group_count + 63) / 64; i++)
		if (marking->overflow[i] != 0)
			return true;
	return false;
}

struct error *marking_run(struct marking *marking, const struct mark_source *sources, size_t count)
{
	size_t size = (marking->group_count + 63) / 64 * sizeof *marking->rescan;
	memset(marking->rescan, 0, size);
	struct error *error = run_phase(marking, sources, count);
	while (error == NULL && any_overflow(marking)) {
		uint64_t *groups = marking->overflow;
		marking->overflow = marking->rescan;
		marking->rescan = groups;
		memset(marking->overflow, 0, size);
		error = run_phase(marking, NULL, 0);
	}
	return error;
}

/* The chunks whose bits are in `held` and that nothing has marked, from word `*word` on: marks them
 * and makes sources of them, as many as fit. */
static size_t take_held(struct marking *marking, const uint64_t *held, uint64_t *word,
			struct mark_source *sources)
{
	uint64_t words = (marking->table->granules + 63) / 64;
	size_t count = 0;
	for (; *word < words && count + 64 <= HELD_AT_ONCE; ++*word) {
		uint64_t bits = held[*word] & ~marking->granules[*word].marks;
		for (; bits != 0; bits &= bits - 1) {
			struct chunk chunk;
			uint64_t number = *word * 64 + (uint64_t)__builtin_ctzll(bits);
			if (!chunk_table_numbered(marking->table, number, &chunk))
				continue;
			mark(marking, number);
			sources[count++] = (struct mark_source){ .start = chunk.address,
								 .end = chunk.address + chunk.size,
								 .is_chunk = true };
		}
	}
	return count;
}

struct error *marking_accept_interior(struct marking *marking)
{
	uint64_t *held = marking->held, word = 0;
	struct error *error = NULL;
	if (held == NULL)
		return NULL;
	struct mark_source *sources = calloc(HELD_AT_ONCE, sizeof *sources);
	if (sources == NULL)
		return error_no_memory();
	marking->held = NULL;
	for (size_t count = HELD_AT_ONCE; error == NULL && count != 0;) {
		count = take_held(marking, held, &word, sources);
		if (count != 0)
			error = marking_run(marking, sources, count);
	}
	free(sources);
	free(held);
	return error;
}

/* Life. */

static unsigned count_workers(const struct mark_options *options, uint64_t total)
{
	if (options->workers != 0)
		return options->workers < WORKERS_MAX ? options->workers : WORKERS_MAX;
	long processors = sysconf(_SC_NPROCESSORS_ONLN);
	if (processors < 2 || total < WORTH_SHARING)
		return 1;
	return processors < WORKERS_MAX ? (unsigned)processors : WORKERS_MAX;
}

/* The bytes of each region, where they are one span; and what all regions span. */
static bool take_regions(struct marking *marking)
{
	size_t count;
	const struct chunk_region *regions = chunk_table_regions(marking->table, &count);
	marking->region_bytes = chunk_bytes_new(marking->target, marking->table);
	if (marking->region_bytes == NULL)
		return false;
	for (size_t i = 0; i < count; i++) {
		uint64_t size = regions[i].end - regions[i].start;
		marking->total += size > regions[i].trailer ? size - regions[i].trailer : 0;
	}
	if (count > 0) {
		marking->low = regions[0].start;
		marking->span = regions[count - 1].end - regions[0].start;
	}
	return true;
}

/* Random access to a large bitmap misses the TLB, too, unless it lies in large pages. */
static void *allocate_bitmap(size_t size)
{
	void *memory = NULL;
	size = (size + LARGE_PAGE - 1) / LARGE_PAGE * LARGE_PAGE;
	if (size <= LARGE_PAGE)
		return calloc(1, size);
	if (posix_memalign(&memory, LARGE_PAGE, size) != 0)
		return NULL;
	madvise(memory, size, MADV_HUGEPAGE);
	return memory;
}

static bool take_bitmaps(struct marking *marking, bool exact)
{
	const struct chunk_table *table = marking->table;
	uint64_t words = (table->granules + 63) / 64;
	marking->group_count = (table->granules + GROUP_GRANULES - 1) / GROUP_GRANULES;
	marking->granules = allocate_bitmap((words + 1) * sizeof *marking->granules);
	marking->overflow = calloc(marking->group_count / 64 + 1, sizeof *marking->overflow);
	marking->rescan = calloc(marking->group_count / 64 + 1, sizeof *marking->rescan);
	/* Few of its pages are ever touched. */
	if (exact)
		marking->held = calloc(words + 1, sizeof *marking->held);
	if (marking->granules == NULL || marking->overflow == NULL || marking->rescan == NULL ||
	    (exact && marking->held == NULL))
		return false;
	for (uint64_t i = 0; i < words; i++)
		marking->granules[i] =
		    (struct granules){ table->levels[0][i], table->levels[0][i] & ~table->used[i] };
	return true;
}

struct error *marking_new(struct target *target, const struct chunk_table *table,
			  const struct mark_options *options, struct marking **marking)
{
	struct marking *made = calloc(1, sizeof *made);
	if (made == NULL)
		return error_no_memory();
	pthread_mutex_init(&made->lock, NULL);
	pthread_cond_init(&made->changed, NULL);
	made->target = target;
	made->table = table;
	made->progress = options->progress;
	made->stack_limit = options->stack_limit != 0 ? options->stack_limit : STACK_LIMIT;
	if (made->stack_limit < STACK_FIRST)
		made->stack_limit = STACK_FIRST;
	made->word_size = target->arch->word_size;
	made->big_endian = target->arch->elf_data == ELFDATA2MSB;
	made->native = made->word_size == 8 && made->big_endian == HOST_BIG_ENDIAN;
	if (!take_regions(made) || !take_bitmaps(made, options->exact)) {
		marking_free(made);
		return error_no_memory();
	}
	made->workers_wanted = count_workers(options, made->total);
	made->progress_step = made->total / PROGRESS_STEPS + SLICE;
	*marking = made;
	return NULL;
}

void marking_free(struct marking *marking)
{
	if (marking == NULL)
		return;
	pthread_mutex_destroy(&marking->lock);
	pthread_cond_destroy(&marking->changed);
	free(marking->granules);
	free(marking->held);
	free(marking->overflow);
	free(marking->rescan);
	free(marking->region_bytes);
	free(marking->pool);
	free(marking);
}

uint64_t marking_word(const struct marking *marking, uint64_t word)
{
	return marking->granules[word].marks;
}

bool marking_pin(struct marking *marking, uint64_t address, struct chunk *chunk)
{
	if (!chunk_table_find(marking->table, address, chunk) || !chunk->used)
		return false;
	mark(marking, chunk->number);
	return true;
}

uint64_t marking_unread_sources(const struct marking *marking)
{
	return marking->unread_sources;
}

uint64_t marking_unread_chunks(const struct marking *marking)
{
	return marking->unread_chunks;
}
