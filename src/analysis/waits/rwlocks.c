/* Read-write locks.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "analysis/waits/futex.h"

#include <inttypes.h>

/* pthread_rwlock_t; the same in all releases. */
enum {
	RWLOCK_READERS = 0,
	RWLOCK_WRITERS = 4,
	RWLOCK_PHASE_FUTEX = 8,
	RWLOCK_WRITERS_FUTEX = 12,
	RWLOCK_PADDING = 16,
	RWLOCK_WRITER = 24,
	RWLOCK_SHARED = 28,
	RWLOCK_ELISION = 32, /* and padding, up to the flags */
	RWLOCK_FLAGS = 48,
};

enum { READERS_WRITE_PHASE = 1, READERS_WRITE_LOCKED = 2, READERS_SHIFT = 3 };

/* The futexes' "used" bit; readers wait for the phase futex to leave "write phase, used". */
enum { PHASE_USED = 2, PHASE_WRITE_USED = 3 };

struct rwlock_words {
	uint64_t address;
	uint32_t readers, writers, writer, shared, flags;
	uint64_t padding;
	bool for_write; /* as the futex that is waited on tells */
};

/* Which of the three futexes of an rwlock the address can be; the lock is 8-aligned. */
static uint64_t rwlock_futex_offset(const struct futex_call *futex)
{
	if (futex->address % 8 == 4)
		return RWLOCK_WRITERS_FUTEX;
	/* Readers that give way to writers wait on the readers' word itself, which then counts
	 * at least one reader. */
	return futex->value >= 1 << READERS_SHIFT ? RWLOCK_READERS : RWLOCK_PHASE_FUTEX;
}

static bool read_words(const struct examined *examined, struct rwlock_words *lock)
{
	return examined_u32(examined, lock->address + RWLOCK_READERS, &lock->readers) &&
	       examined_u32(examined, lock->address + RWLOCK_WRITERS, &lock->writers) &&
	       examined_u64(examined, lock->address + RWLOCK_PADDING, &lock->padding) &&
	       examined_u32(examined, lock->address + RWLOCK_WRITER, &lock->writer) &&
	       examined_u32(examined, lock->address + RWLOCK_SHARED, &lock->shared) &&
	       examined_u32(examined, lock->address + RWLOCK_FLAGS, &lock->flags);
}

static bool read_rwlock(const struct examined *examined, const struct futex_call *futex,
			struct rwlock_words *lock)
{
	uint64_t offset = rwlock_futex_offset(futex);
	if (futex->address < offset || futex->address % 4 != 0 || futex->address > UINT64_MAX - 64)
		return false;
	lock->address = futex->address - offset;
	lock->for_write = offset == RWLOCK_WRITERS_FUTEX ||
			  (offset == RWLOCK_PHASE_FUTEX && futex->value == PHASE_USED);
	return read_words(examined, lock);
}

static bool surely_rwlock(const struct examined *examined, const struct futex_call *futex,
			  const struct rwlock_words *lock)
{
	bool held =
	    lock->readers >> READERS_SHIFT != 0 || (lock->readers & READERS_WRITE_LOCKED) != 0;
	bool known_writer =
	    lock->writer == 0 || examined_thread(examined->all, (int32_t)lock->writer) != NULL;
	return futex->command == FUTEX_COMMAND_WAIT_BITSET && held && known_writer &&
	       lock->padding == 0 && lock->shared <= 1 && lock->flags <= 3 &&
	       (lock->shared == 0) == futex->is_private && lock->writers < TID_LIMIT &&
	       (lock->writer != 0 || !lock->for_write || lock->readers >> READERS_SHIFT != 0) &&
	       (futex->value == PHASE_USED || futex->value == PHASE_WRITE_USED ||
		futex->value == lock->readers);
}

/* Stacks are searched up to so far above SP, and so many threads are named. */
#define STACK_SEARCHED 65536
#define READERS_NAMED  4

static bool waits_there(const struct examined *examined, const struct thread *thread, uint64_t lock)
{
	const struct arch *arch = examined->all->subject->target->arch;
	int64_t number;
	uint64_t word = arch_syscall_argument(arch, &thread->raw->registers, 0);
	return arch_syscall(arch, &thread->raw->registers, &number) && word >= lock &&
	       word - lock < RWLOCK_PADDING;
}

/* Whether the frames of the thread hold the address of the lock. */
static bool holds_address(const struct examined *examined, const struct thread *thread,
			  uint64_t lock)
{
	uint64_t end = thread->frame_count > 0 ? thread->frames[thread->frame_count - 1].sp : 0;
	uint64_t start = thread->frame_count > 0 ? thread->frames[0].sp : 0, value;
	if (start == 0 || end <= start)
		return false;
	if (end - start > STACK_SEARCHED)
		end = start + STACK_SEARCHED;
	for (uint64_t at = (start + 7) & ~UINT64_C(7); at + 8 <= end; at += 8)
		if (examined_u64(examined, at, &value) && value == lock)
			return true;
	return false;
}

/* glibc keeps no list of readers. A thread that has locked for reading, and not by a name that its
 * code knows, mostly has the address on its stack, to unlock by. */
static const struct known_readers *possible_readers(const struct examined *examined, uint64_t lock)
{
	struct known_readers *known = &examined->all->memory->readers;
	const struct threads *threads = examined->all->subject->threads;
	size_t count = 0;
	if (known->lock == lock)
		return known;
	*known = (struct known_readers){ .lock = lock, .all_known = true };
	for (size_t i = 0; i < threads->count; i++) {
		const struct thread *thread = &threads->items[i];
		if (thread->raw->registers.general_size == 0 || thread->frame_count == 0) {
			known->all_known = false;
			continue;
		}
		if (waits_there(examined, thread, lock)) {
			known->waiting++;
			continue;
		}
		if (thread->stop_reason != NULL ||
		    thread->frames[thread->frame_count - 1].sp - thread->frames[0].sp >
			STACK_SEARCHED)
			known->all_known = false;
		if (!holds_address(examined, thread, lock))
			continue;
		if (count < READERS_NAMED) {
			words_separate(&known->words, ", ");
			words_add_thread(&known->words, thread);
		}
		count++;
	}
	if (count > READERS_NAMED)
		words_add(&known->words, " and %zu more", count - READERS_NAMED);
	return known;
}

static void note_readers(struct examined *examined, const struct rwlock_words *lock)
{
	uint32_t readers = lock->readers >> READERS_SHIFT;
	const char *plural = readers == 1 ? "" : "s";
	examined_no_owner(examined, OWNER_UNKNOWN,
			  "held by %" PRIu32 " reader%s, which one%s is not recorded%s", readers,
			  plural, plural, lock->for_write ? "" : ", and a writer goes first");
	const struct known_readers *candidates = possible_readers(examined, lock->address);
	if (candidates->words.length > 0) {
		words_add(&examined->owner_note, "; its address is on the stack of %s",
			  candidates->words.text);
	} else if (lock->for_write && candidates->all_known && readers <= candidates->waiting) {
		examined->wait->maybe_own_readers = true;
		words_add(&examined->owner_note,
			  "; no other thread's stack has its address: %s waits may hold it",
			  candidates->waiting == 1 ? "who" : "one who");
	}
}

static void rwlock_owner(struct examined *examined, const struct rwlock_words *lock)
{
	uint32_t readers = lock->readers >> READERS_SHIFT;
	examined->wait->readers = lock->writer == 0 ? readers : 0;
	if (lock->writer != 0) {
		examined_owner(examined, (int32_t)lock->writer);
		examined_evidence(examined, "writer field of the rwlock");
	} else if ((lock->readers & READERS_WRITE_PHASE) != 0) {
		examined_no_owner(examined, OWNER_UNKNOWN, "a writer is about to get it");
	} else if (readers == 0) {
		examined_no_owner(examined, OWNER_NONE, "it is not held any more");
	} else {
		note_readers(examined, lock);
	}
}

bool resolve_rwlock(struct examined *examined, const struct futex_call *futex, bool named)
{
	struct rwlock_words lock = { 0 };
	bool known = read_rwlock(examined, futex, &lock);
	if (!named && !(known && surely_rwlock(examined, futex, &lock)))
		return false;
	if (named)
		examined->wait->kind = futex->call.kind;
	else
		examined->wait->kind = lock.for_write ? WAIT_RWLOCK_WRITE : WAIT_RWLOCK_READ;
	if (!named)
		examined_evidence(examined, "the memory has the form of an rwlock");
	examined_object(examined, known ? lock.address : futex->address);
	if (known)
		rwlock_owner(examined, &lock);
	else
		examined_no_owner(examined, OWNER_UNKNOWN, "the memory of the rwlock is missing");
	return true;
}

/* Phase and writers' futex of a lock that is held for writing: taken, and maybe waited on. */
static bool taken(uint32_t futex)
{
	return futex == 1 || futex == (1 | PHASE_USED);
}

bool held_rwlock(struct examined *examined, uint64_t address)
{
	struct rwlock_words lock = { .address = address };
	uint32_t phase, writers;
	uint64_t padding[2];
	if (address % 8 != 0 || address > UINT64_MAX - 64 || !read_words(examined, &lock) ||
	    !examined_u32(examined, address + RWLOCK_PHASE_FUTEX, &phase) ||
	    !examined_u32(examined, address + RWLOCK_WRITERS_FUTEX, &writers) ||
	    !examined_u64(examined, address + RWLOCK_ELISION, &padding[0]) ||
	    !examined_u64(examined, address + RWLOCK_ELISION + 8, &padding[1]))
		return false;
	const uint32_t held = READERS_WRITE_PHASE | READERS_WRITE_LOCKED;
	if ((lock.readers & held) != held || lock.readers >> READERS_SHIFT >= TID_LIMIT ||
	    !taken(phase) || !taken(writers) || lock.writers >= TID_LIMIT || lock.padding != 0 ||
	    padding[0] != 0 || padding[1] != 0 || lock.shared > 1 || lock.flags > 2 ||
	    examined_thread(examined->all, (int32_t)lock.writer) == NULL)
		return false;
	examined->wait->kind = WAIT_RWLOCK_WRITE;
	examined_object(examined, address);
	words_add(&examined->detail, "for writing");
	examined_owner(examined, (int32_t)lock.writer);
	examined_evidence(examined, "all words of the memory have the form of an rwlock held for "
				    "writing");
	return true;
}
