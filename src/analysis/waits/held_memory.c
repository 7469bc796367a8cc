/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "analysis/waits/held_memory.h"

#include "analysis/waits/futex.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* Numbers below this are everywhere: a word that equals a thread's id is no evidence then. */
#define TELLING_TID 100

/* More are no locks, but one pattern all over the memory. */
#define HELD_MAX 100000

/* Where in each kind of lock the owner's id lies. */
enum { MUTEX_OWNER_OFFSET = 8, RWLOCK_OWNER_OFFSET = 24 };

struct search {
	struct examination all;
	const struct subject *subject;
	uint64_t *tids; /* one bit for each id that a thread has */
	uint32_t lowest, highest;
	held_locks *locks;
	size_t doubtful; /* of threads with small ids */
	bool failed;	 /* out of memory */
};

/* --- where a lock may lie */

static uint64_t sp_of(const struct subject *subject, const struct thread *thread)
{
	const struct registers *registers = &thread->raw->registers;
	return registers->general_size != 0 ? arch_sp(subject->target->arch, registers) : 0;
}

/* Whether the address lies below the SP of a thread, in the same mapping, or in a stack that no
 * thread uses any more. */
static bool in_dead_stack(const struct subject *subject, uint64_t address)
{
	const struct segment *segment = address_space_find(subject->target->space, address);
	for (size_t i = 0; i < subject->threads->count; i++) {
		uint64_t sp = sp_of(subject, &subject->threads->items[i]);
		if (sp > address && sp >= segment->start && sp < segment->end)
			return true;
	}
	for (size_t i = 0; subject->pthreads != NULL && i < subject->pthreads->count; i++) {
		const struct glibc_pthread *pthread = &subject->pthreads->items[i];
		if (address >= pthread->stack_start && address < pthread->stack_end)
			return true;
	}
	return false;
}

/* Whether an object of `size` bytes may lie at the address. `*exact`: a symbol says that one of
 * this size does. */
static bool may_lie_at(const struct subject *subject, uint64_t address, uint64_t size, bool *exact)
{
	struct place place;
	describe_address(subject, address, &place);
	*exact = false;
	switch (place.kind) {
	case PLACE_SYMBOL:
		*exact = place.offset == 0 && place.symbol.size == size;
		return place.symbol.size == 0 || place.offset + size <= place.symbol.size;
	case PLACE_MODULE:
	case PLACE_STACK:
		return true;
	case PLACE_CHUNK:
		return place.chunk.used && place.offset + size <= place.chunk.size;
	case PLACE_MAPPING:
		return subject->heap != NULL && subject->heap->chunks != NULL &&
		       !in_dead_stack(subject, address);
	default:
		return false;
	}
}

/* --- the search */

static void keep(struct search *search, struct examined *examined)
{
	wait_notes(examined);
	if (search->locks->count >= HELD_MAX || !array_push(search->locks, *examined->wait))
		search->failed = search->locks->count < HELD_MAX;
}

static void try_lock(struct search *search, uint64_t address, uint64_t size,
		     bool (*held)(struct examined *examined, uint64_t address))
{
	bool exact;
	struct wait wait = { .fd = -1, .timeout_ns = -1, .syscall = -1 };
	struct examined examined = { .all = &search->all, .wait = &wait };
	if (!held(&examined, address) || !may_lie_at(search->subject, address, size, &exact))
		return;
	if (wait.owner < TELLING_TID && !exact)
		search->doubtful++;
	else
		keep(search, &examined);
}

static bool is_tid(const struct search *search, uint32_t word)
{
	return word >= search->lowest && word <= search->highest &&
	       (search->tids[word / 64] >> (word % 64) & 1) != 0;
}

/* The owner's id stands in the first half of a word; the second one counts a mutex's users, or
 * tells whether an rwlock is shared. */
static void search_span(struct search *search, uint64_t start, const uint8_t *bytes, size_t size)
{
	for (size_t at = 0; at + 8 <= size && !search->failed; at += 8) {
		uint32_t halves[2];
		memcpy(halves, bytes + at, sizeof halves);
		if (!is_tid(search, halves[0]))
			continue;
		uint64_t address = start + at;
		if (halves[1] >= 1 && address >= MUTEX_OWNER_OFFSET)
			try_lock(search, address - MUTEX_OWNER_OFFSET, PTHREAD_MUTEX_SIZE,
				 held_mutex);
		if (halves[1] <= 1 && address >= RWLOCK_OWNER_OFFSET)
			try_lock(search, address - RWLOCK_OWNER_OFFSET, PTHREAD_RWLOCK_SIZE,
				 held_rwlock);
	}
}

static void search_memory(struct search *search)
{
	struct address_space *space = search->subject->target->space;
	size_t count;
	const struct segment *segments = address_space_segments(space, &count);
	for (size_t i = 0; i < count && !search->failed; i++) {
		const struct segment *segment = &segments[i];
		if (segment->origin == SEGMENT_ABSENT ||
		    (segment->permissions & SEGMENT_WRITE) == 0)
			continue;
		progress_tell(search->subject->progress, "looking for held locks", i, count);
		/* Segments begin and end with pages, and so do spans but for hostile ones. */
		for (uint64_t at = segment->start; at < segment->end;) {
			const uint8_t *bytes;
			size_t got = address_space_span(space, at, segment->end - at, &bytes);
			if (got == 0) {
				at += 4096 - at % 4096;
				continue;
			}
			search_span(search, at, bytes, got);
			at += got;
		}
	}
}

static void search_streams(struct search *search)
{
	uint64_t file;
	struct examined first = { .all = &search->all };
	bool more = stdio_first(&first, &file);
	for (size_t i = 0; more && i < STDIO_FILES_MAX; i++, more = stdio_next(&first, &file)) {
		struct wait wait = { .fd = -1, .timeout_ns = -1, .syscall = -1 };
		struct examined examined = { .all = &search->all, .wait = &wait };
		if (held_stdio_lock(&examined, file))
			keep(search, &examined);
	}
}

/* The ids as the locks have them: glibc's own, where they are known. */
static void mark_tids(struct search *search)
{
	const struct threads *threads = search->subject->threads;
	search->lowest = TID_LIMIT;
	for (size_t i = 0; i < threads->count; i++) {
		int32_t own = search->all.own_tids[i];
		int32_t tid = own != 0 ? own : threads->items[i].tid;
		if (tid <= 0 || tid >= TID_LIMIT)
			continue;
		uint32_t id = (uint32_t)tid;
		search->tids[id / 64] |= UINT64_C(1) << (id % 64);
		if (id < search->lowest)
			search->lowest = id;
		if (id > search->highest)
			search->highest = id;
	}
}

static void tell_gaps(const struct search *search)
{
	struct gaps *gaps = search->subject->gaps;
	if (search->subject->heap == NULL || search->subject->heap->chunks == NULL)
		gaps_add(gaps, GAP_WAIT, 0, 0,
			 "held locks were looked for in data and stacks only: the heap was not "
			 "walked");
	if (search->doubtful > 0)
		gaps_add(gaps, GAP_WAIT, 0, 0,
			 "%zu places that look like held locks are not listed: the thread ids in "
			 "them are so small that any number may be meant",
			 search->doubtful);
	if (search->locks->count >= HELD_MAX)
		gaps_add(gaps, GAP_LIMIT, 0, 0, "more than %d held locks: the rest is not listed",
			 HELD_MAX);
}

struct error *held_locks_find(const struct subject *subject, held_locks *locks)
{
	struct examination_memory memory;
	struct search search = { .subject = subject, .locks = locks };
	search.tids = calloc(TID_LIMIT / 64, sizeof *search.tids);
	if (search.tids == NULL || !examination_begin(&search.all, subject, &memory)) {
		free(search.tids);
		return error_no_memory();
	}
	mark_tids(&search);
	search_memory(&search);
	search_streams(&search);
	tell_gaps(&search);
	examination_end(&search.all);
	free(search.tids);
	return search.failed ? error_no_memory() : NULL;
}
