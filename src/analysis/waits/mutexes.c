/* Mutexes, those of the dynamic loader among them.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "analysis/waits/futex.h"

#include <inttypes.h>
#include <string.h>

/* pthread_mutex_t; the same in all releases from 2.31 to 2.43. */
enum {
	MUTEX_LOCK = 0,
	MUTEX_COUNT = 4,
	MUTEX_OWNER = 8,
	MUTEX_USERS = 12,
	MUTEX_KIND = 16,
	MUTEX_SPINS = 20, /* and what lock elision counts */
	MUTEX_PREVIOUS = 24,
	MUTEX_NEXT = 32,
};

enum {
	KIND_TYPE = 3,
	KIND_ROBUST = 0x10,
	KIND_INHERIT = 0x20,
	KIND_PROTECT = 0x40,
	KIND_SHARED = 0x80,
	KIND_ELISION = 0x300,
	KIND_ALL =
	    KIND_TYPE | KIND_ROBUST | KIND_INHERIT | KIND_PROTECT | KIND_SHARED | KIND_ELISION,
};

/* Words that the kernel too understands: robust and priority-inheritance locks. */
#define WORD_TID	0x3fffffff
#define WORD_OWNER_DIED 0x40000000

/* Of priority-ceiling locks: the word without the ceiling. */
#define WORD_BELOW_CEILING 0x7ffff

enum { TYPE_RECURSIVE = 1, TYPE_ADAPTIVE = 3 };

/* Nobody locks a recursive mutex more often, and none spins longer. */
enum { DEPTH_MAX = 65536, SPINS_MAX = 0x7fff };

struct mutex_words {
	uint32_t lock, count, owner, users, kind;
};

static bool read_mutex(const struct examined *examined, uint64_t address, struct mutex_words *mutex)
{
	return address <= UINT64_MAX - 64 &&
	       examined_u32(examined, address + MUTEX_LOCK, &mutex->lock) &&
	       examined_u32(examined, address + MUTEX_COUNT, &mutex->count) &&
	       examined_u32(examined, address + MUTEX_OWNER, &mutex->owner) &&
	       examined_u32(examined, address + MUTEX_USERS, &mutex->users) &&
	       examined_u32(examined, address + MUTEX_KIND, &mutex->kind);
}

bool mutex_plausible(const struct examined *examined, uint64_t address)
{
	struct mutex_words mutex;
	return address % 8 == 0 && read_mutex(examined, address, &mutex) &&
	       (mutex.kind & ~(uint32_t)KIND_ALL) == 0 && mutex.owner < TID_LIMIT &&
	       mutex.users < TID_LIMIT;
}

static bool kernel_word(const struct mutex_words *mutex)
{
	return (mutex->kind & (KIND_ROBUST | KIND_INHERIT)) != 0;
}

/* Whether memory alone is enough to call it a locked mutex: a lock word as waiters leave it, a
 * kind that exists, users, and an owner that is a thread of this process. */
static bool surely_mutex(const struct examined *examined, const struct futex_call *futex,
			 const struct mutex_words *mutex)
{
	if (!mutex_plausible(examined, futex->address) || mutex->users == 0)
		return false;
	if (kernel_word(mutex))
		return (mutex->lock & WORD_TID) != 0 &&
		       examined_thread(examined->all, (int32_t)(mutex->lock & WORD_TID)) != NULL;
	return mutex->lock == 2 && futex->value == 2 &&
	       examined_thread(examined->all, (int32_t)mutex->owner) != NULL;
}

static const char *mutex_type(uint32_t kind)
{
	static const char *const types[] = { NULL, "recursive", "error-checking", "adaptive" };
	return types[kind & KIND_TYPE];
}

static void describe_mutex(struct examined *examined, const struct mutex_words *mutex)
{
	static const struct {
		uint32_t bit;
		const char *word;
	} flags[] = {
		{ KIND_ROBUST, "robust" },
		{ KIND_INHERIT, "priority inheritance" },
		{ KIND_PROTECT, "priority ceiling" },
		{ KIND_SHARED, "shared between processes" },
	};
	if ((mutex->kind & ~(uint32_t)KIND_ALL) != 0)
		return;
	struct words *detail = &examined->detail;
	if (mutex_type(mutex->kind) != NULL) {
		words_separate(detail, ", ");
		words_add(detail, "%s", mutex_type(mutex->kind));
	}
	/* glibc marks all robust mutexes as shared. */
	uint32_t kind = mutex->kind;
	if ((kind & KIND_ROBUST) != 0)
		kind &= ~(uint32_t)KIND_SHARED;
	for (size_t i = 0; i < sizeof flags / sizeof flags[0]; i++) {
		if ((kind & flags[i].bit) == 0)
			continue;
		words_separate(detail, ", ");
		words_add(detail, "%s", flags[i].word);
	}
}

/* The owner by a word that the kernel shares: tid and flags. */
static void owner_by_word(struct examined *examined, uint32_t word)
{
	if ((word & WORD_TID) != 0) {
		examined_owner(examined, (int32_t)(word & WORD_TID));
		examined_evidence(examined, "owner in the lock word");
	} else {
		examined_no_owner(examined, OWNER_NONE, "it is not held any more");
	}
	if ((word & WORD_OWNER_DIED) != 0) {
		words_separate(&examined->owner_note, "; ");
		words_add(&examined->owner_note, "its owner died while it held it");
	}
}

static void owner_by_field(struct examined *examined, const struct mutex_words *mutex)
{
	if (mutex->lock == 0) {
		examined_no_owner(examined, OWNER_NONE, "it is not held any more");
	} else if (mutex->owner == 0) {
		examined_no_owner(examined, OWNER_UNKNOWN,
				  "it is locked, but records no owner: it is changing hands");
	} else {
		examined_owner(examined, (int32_t)mutex->owner);
		examined_evidence(examined, "owner field of the mutex");
	}
}

/* A signal handler that allocates while it has interrupted an allocation: the thread waits for the
 * lock that it holds itself. */
static bool interrupted_allocation(const struct examined *examined, const struct frame *waiting)
{
	const struct subject *subject = examined->all->subject;
	const struct thread *thread = examined->thread;
	const struct frame *end = thread->frames + thread->frame_count;
	bool interrupted = false; /* between the signal's frame and the program's next one */
	if (frame_allocates(subject, thread, waiting) == NULL)
		return false;
	for (const struct frame *frame = waiting + 1; frame < end; frame++) {
		if (frame->signal_frame) {
			interrupted = true;
			continue;
		}
		if (!interrupted)
			continue;
		if (frame_allocates(subject, thread, frame) != NULL)
			return true;
		if (!frame_in_runtime(frame))
			return false;
	}
	return false;
}

/* A lock of libc's own (of malloc's arenas, for one) is a bare word. */
static void resolve_internal_lock(struct examined *examined, const struct futex_call *futex)
{
	examined->wait->kind = WAIT_MUTEX;
	examined_object(examined, futex->address);
	words_add(&examined->detail, "a lock inside libc, taken by %s", futex->call.name);
	if (futex->word_known && futex->word == 0) {
		examined_no_owner(examined, OWNER_NONE, "it is not held any more");
	} else if (interrupted_allocation(examined, futex->call.frame)) {
		examined->wait->owner_state = OWNER_SELF;
		examined->wait->owner = examined->thread->tid;
		examined->wait->inferred_owner = true;
		words_add(&examined->owner_note,
			  "its signal handler interrupted an allocation and allocates");
		examined_evidence(examined, "an allocation below the signal's frame");
	} else {
		examined_no_owner(examined, OWNER_UNKNOWN, "locks inside libc record no owner");
	}
}

bool resolve_mutex(struct examined *examined, const struct futex_call *futex, bool named)
{
	if (named && futex->call.internal_lock) {
		if (resolve_stdio_lock(examined, futex, false))
			return true;
		resolve_internal_lock(examined, futex);
		return true;
	}
	if (named && resolve_loader_lock(examined, futex, false))
		return true;
	struct mutex_words mutex;
	bool known = read_mutex(examined, futex->address, &mutex);
	bool inherit =
	    futex->command == FUTEX_COMMAND_LOCK_PI || futex->command == FUTEX_COMMAND_LOCK_PI2;
	if (!named && !inherit && !(known && surely_mutex(examined, futex, &mutex)))
		return false;
	examined->wait->kind = WAIT_MUTEX;
	examined_object(examined, futex->address);
	if (!named)
		examined_evidence(examined, "the memory has the form of a mutex");
	if (known)
		describe_mutex(examined, &mutex);
	if (inherit && futex->word_known)
		owner_by_word(examined, futex->word);
	else if (!known)
		examined_no_owner(examined, OWNER_UNKNOWN, "the memory of the mutex is missing");
	else if (kernel_word(&mutex))
		owner_by_word(examined, mutex.lock);
	else
		owner_by_field(examined, &mutex);
	return true;
}

/* The dynamic loader's locks are recursive mutexes in its state, _rtld_global; static executables
 * have them as variables of their own. */
static const char *loader_lock_name(const struct examined *examined, uint64_t address)
{
	static const char *const names[] = { "_dl_load_lock", "_dl_load_write_lock",
					     "_dl_load_tls_lock" };
	struct modules *modules = examined->all->subject->modules;
	struct symbol symbol;
	if (!modules_symbol_at(modules, address, &symbol) || symbol.linkage == NULL)
		return NULL;
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		if (strcmp(symbol.linkage, names[i]) == 0)
			return names[i];
	if (strcmp(symbol.linkage, "_rtld_global") != 0 &&
	    strcmp(symbol.linkage, "_rtld_local") != 0)
		return NULL;
	/* The locks lie one behind the other; where they begin has changed between releases. */
	static const uint64_t starts[] = { 2312, 2568, 1800 };
	uint64_t offset = address - symbol.address;
	for (size_t i = 0; i < sizeof starts / sizeof starts[0]; i++)
		if (offset == starts[i])
			return names[0];
	return "a lock";
}

bool resolve_loader_lock(struct examined *examined, const struct futex_call *futex, bool named)
{
	(void)named;
	const char *name = loader_lock_name(examined, futex->address);
	struct mutex_words mutex;
	if (name == NULL || !mutex_plausible(examined, futex->address) ||
	    !read_mutex(examined, futex->address, &mutex))
		return false;
	examined->wait->kind = WAIT_LOADER_LOCK;
	examined_object(examined, futex->address);
	words_add(&examined->detail, "%s of the dynamic loader", name);
	examined_evidence(examined, "a mutex in the dynamic loader's state");
	owner_by_field(examined, &mutex);
	return true;
}

/* The words behind the kind: of a spinning mutex a count, of a robust one its place in the list of
 * the locks that its thread holds; else zeros. */
static bool held_mutex_end(const struct examined *examined, uint64_t address, uint32_t kind)
{
	uint32_t spins;
	uint64_t previous, next;
	if (!examined_u32(examined, address + MUTEX_SPINS, &spins) ||
	    !examined_u64(examined, address + MUTEX_PREVIOUS, &previous) ||
	    !examined_u64(examined, address + MUTEX_NEXT, &next))
		return false;
	if (spins != 0 && ((kind & KIND_TYPE) != TYPE_ADAPTIVE || spins > SPINS_MAX))
		return false;
	if ((kind & KIND_ROBUST) == 0)
		return previous == 0 && next == 0;
	struct address_space *space = examined->all->subject->target->space;
	return address_space_find(space, previous) != NULL &&
	       address_space_find(space, next & ~UINT64_C(1)) != NULL;
}

/* The lock word, and what it must be when `owner` holds the mutex. */
static bool held_mutex_word(const struct mutex_words *mutex)
{
	if (kernel_word(mutex))
		return (mutex->lock & WORD_OWNER_DIED) == 0 &&
		       (mutex->lock & WORD_TID) == mutex->owner;
	uint32_t word = mutex->lock;
	if ((mutex->kind & KIND_PROTECT) != 0)
		word &= WORD_BELOW_CEILING;
	return word == 1 || word == 2;
}

bool held_mutex(struct examined *examined, uint64_t address)
{
	struct mutex_words mutex;
	if (!mutex_plausible(examined, address) || !read_mutex(examined, address, &mutex))
		return false;
	bool recursive = (mutex.kind & KIND_TYPE) == TYPE_RECURSIVE;
	if (mutex.users == 0 || !held_mutex_word(&mutex) ||
	    mutex.count > (recursive ? DEPTH_MAX : kernel_word(&mutex)) ||
	    (recursive && mutex.count == 0) || !held_mutex_end(examined, address, mutex.kind) ||
	    examined_thread(examined->all, (int32_t)mutex.owner) == NULL)
		return false;
	const char *loader = loader_lock_name(examined, address);
	examined->wait->kind = loader != NULL ? WAIT_LOADER_LOCK : WAIT_MUTEX;
	examined_object(examined, address);
	if (loader != NULL)
		words_add(&examined->detail, "%s of the dynamic loader", loader);
	else
		describe_mutex(examined, &mutex);
	examined_owner(examined, (int32_t)mutex.owner);
	examined_evidence(examined, "all words of the memory have the form of a held mutex");
	return true;
}
