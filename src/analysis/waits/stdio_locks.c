/* The locks of stdio's streams.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "analysis/waits/futex.h"

#include <inttypes.h>

/* _IO_lock_t: a lock word, a count, and the owner's struct pthread. */
enum { STDIO_LOCK = 0, STDIO_COUNT = 4, STDIO_OWNER = 8 };

/* struct _IO_FILE: the same in all releases. */
enum { FILE_CHAIN = 104, FILE_LOCK_POINTER = 136, FILE_DESCRIPTOR = 112 };

/* fopen puts the lock right behind the FILE and its vtable pointer. */
#define FOPEN_LOCK 224

/* flockfile nests; nobody does so more often. */
#define STDIO_DEPTH_MAX 65536

bool stdio_first(const struct examined *examined, uint64_t *file)
{
	struct symbol list;
	return modules_symbol_named(examined->all->subject->modules, NULL, "_IO_list_all", &list) &&
	       examined_u64(examined, list.address, file) && *file != 0 &&
	       *file < UINT64_MAX - FOPEN_LOCK;
}

bool stdio_next(const struct examined *examined, uint64_t *file)
{
	return examined_u64(examined, *file + FILE_CHAIN, file) && *file != 0 &&
	       *file < UINT64_MAX - FOPEN_LOCK;
}

/* Streams that are looked at for a descriptor: that is done for every thread. */
#define STDIO_SEARCHED_MAX 256

bool stdio_of_descriptor(const struct examined *examined, int32_t fd, uint64_t *file)
{
	uint32_t value;
	bool more = fd >= 0 && stdio_first(examined, file);
	for (size_t i = 0; more && i < STDIO_SEARCHED_MAX; i++, more = stdio_next(examined, file))
		if (examined_u32(examined, *file + FILE_DESCRIPTOR, &value) && (int32_t)value == fd)
			return true;
	return false;
}

/* The FILE whose lock lies at `lock`: by its place in what fopen allocates, else along the list of
 * all open streams. */
static bool file_of_lock(const struct examined *examined, uint64_t lock, uint64_t *file)
{
	uint64_t value;
	if (lock > FOPEN_LOCK &&
	    examined_u64(examined, lock - FOPEN_LOCK + FILE_LOCK_POINTER, &value) &&
	    value == lock) {
		*file = lock - FOPEN_LOCK;
		return true;
	}
	uint64_t at;
	bool more = stdio_first(examined, &at);
	for (size_t i = 0; more && i < STDIO_FILES_MAX; i++, more = stdio_next(examined, &at)) {
		if (!examined_u64(examined, at + FILE_LOCK_POINTER, &value))
			return false;
		if (value == lock) {
			*file = at;
			return true;
		}
	}
	return false;
}

static void name_file(struct examined *examined, uint64_t lock)
{
	uint64_t file;
	uint32_t fd;
	if (!file_of_lock(examined, lock, &file)) {
		examined_object(examined, lock);
		words_add(&examined->detail, "which stream's it is was not found");
		return;
	}
	examined_object(examined, file);
	examined_evidence(examined, "the FILE whose lock this is");
	if (examined_u32(examined, file + FILE_DESCRIPTOR, &fd) && (int32_t)fd >= 0)
		words_add(&examined->detail, "fd %" PRIu32, fd);
}

bool resolve_stdio_lock(struct examined *examined, const struct futex_call *futex, bool named)
{
	uint32_t count = 0;
	uint64_t owner = 0;
	if (futex->address > UINT64_MAX - 16)
		return false;
	bool known = futex->word_known &&
		     examined_u32(examined, futex->address + STDIO_COUNT, &count) &&
		     examined_u64(examined, futex->address + STDIO_OWNER, &owner);
	const struct thread *holder = known ? examined_thread_at(examined->all, owner) : NULL;
	/* Releases from 2.38 on count from 0. */
	bool sure = known && futex->value == 2 && futex->word != 0 && futex->word <= 2 &&
		    count < STDIO_DEPTH_MAX && holder != NULL;
	if (!named && !sure)
		return false;
	examined->wait->kind = WAIT_FILE_LOCK;
	name_file(examined, futex->address);
	if (!known) {
		examined_no_owner(examined, OWNER_UNKNOWN, "the memory of the lock is missing");
	} else if (futex->word == 0) {
		examined_no_owner(examined, OWNER_NONE, "it is not held any more");
	} else if (holder != NULL) {
		examined->wait->owner = holder->tid;
		examined->wait->owner_state =
		    holder == examined->thread ? OWNER_SELF : OWNER_THREAD;
		examined_evidence(examined, "owner pointer of the lock");
	} else if (owner == 0) {
		examined_no_owner(examined, OWNER_UNKNOWN,
				  "it is locked, but records no owner: it is changing hands");
	} else if (examined_some_ran(examined->all)) {
		examined_no_owner(examined, OWNER_UNKNOWN,
				  "its owner pointer 0x%" PRIx64 " is no thread that is known, but "
				  "some ran and were not stopped",
				  owner);
	} else {
		examined_no_owner(examined, OWNER_GONE,
				  "its owner pointer 0x%" PRIx64 " is no thread of this process",
				  owner);
	}
	return true;
}

bool held_stdio_lock(struct examined *examined, uint64_t file)
{
	uint64_t lock, owner;
	uint32_t word, count;
	if (!examined_u64(examined, file + FILE_LOCK_POINTER, &lock) || lock > UINT64_MAX - 16 ||
	    !examined_u32(examined, lock + STDIO_LOCK, &word) ||
	    !examined_u32(examined, lock + STDIO_COUNT, &count) ||
	    !examined_u64(examined, lock + STDIO_OWNER, &owner))
		return false;
	const struct thread *holder = examined_thread_at(examined->all, owner);
	if (holder == NULL || word == 0 || word > 2 || count >= STDIO_DEPTH_MAX)
		return false;
	examined->wait->kind = WAIT_FILE_LOCK;
	name_file(examined, lock);
	examined->wait->owner = holder->tid;
	examined->wait->owner_state = OWNER_THREAD;
	examined_evidence(examined, "owner pointer of the lock");
	return true;
}
