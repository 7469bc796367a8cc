/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "analysis/waits/futex.h"

#include <inttypes.h>
#include <string.h>
#include <time.h>

#define FUTEX_PRIVATE  128
#define FUTEX_REALTIME 256

/* Most entries that futex_waitv takes (FUTEX_WAITV_MAX). */
#define WAITV_MAX 128

static bool resolve_future(struct examined *examined, const struct futex_call *futex, bool named)
{
	/* __atomic_futex_unsigned_base's waiter bit, and no value but "not ready". */
	if (!named && !(futex->command == FUTEX_COMMAND_WAIT && futex->value == 0x80000000 &&
			futex->word_known && futex->word == futex->value))
		return false;
	examined->wait->kind = WAIT_FUTURE;
	examined_object(examined, futex->address);
	if (!named)
		examined_evidence(examined, "the word has the form of a std::future's state");
	return true;
}

static bool resolve_atomic(struct examined *examined, const struct futex_call *futex, bool named)
{
	if (!named)
		return false;
	examined->wait->kind = futex->call.atomic_kind;
	examined_object(examined, futex->address);
	struct symbol symbol;
	const struct subject *subject = examined->all->subject;
	if (modules_symbol_at(subject->modules, futex->address, &symbol) &&
	    strstr(symbol.name, "__detail::__waiter") != NULL)
		words_add(&examined->detail, "a slot that libstdc++ shares between atomics");
	return true;
}

static bool resolve_io(struct examined *examined, const struct futex_call *futex, bool named)
{
	if (!named)
		return false;
	examined->wait->kind = WAIT_IO;
	examined_object(examined, futex->address);
	words_add(&examined->detail, "in %s", futex->call.name);
	return true;
}

/* In the order in which memory alone is asked: what is recognised more surely comes first. */
static const struct futex_kind kinds[] = {
	{ WAIT_LOADER_LOCK, resolve_loader_lock },
	{ WAIT_JOIN, resolve_join },
	{ WAIT_MUTEX, resolve_mutex },
	{ WAIT_FILE_LOCK, resolve_stdio_lock },
	{ WAIT_STATIC_INIT, resolve_static_init },
	{ WAIT_FUTURE, resolve_future },
	{ WAIT_CONDITION, resolve_condition },
	{ WAIT_RWLOCK_READ, resolve_rwlock },
	{ WAIT_RWLOCK_WRITE, resolve_rwlock },
	{ WAIT_BARRIER, resolve_barrier },
	{ WAIT_SEMAPHORE, resolve_semaphore },
	{ WAIT_ONCE, resolve_once },
	{ WAIT_ATOMIC, resolve_atomic },
	{ WAIT_IO, resolve_io },
};

/* Locks of another C library than glibc: the kind is known by name, the layout is not. */
static bool by_name_alone(struct examined *examined, const struct futex_call *futex)
{
	examined->wait->kind = futex->call.kind;
	examined_object(examined, futex->address);
	examined_no_owner(examined, OWNER_UNKNOWN, "only glibc's layout of it is known");
	return true;
}

static bool by_name(struct examined *examined, const struct futex_call *futex)
{
	if (futex->call.other_libc)
		return by_name_alone(examined, futex);
	for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
		if (kinds[i].kind == futex->call.kind)
			return kinds[i].resolve(examined, futex, true);
	return false;
}

static bool by_memory(struct examined *examined, const struct futex_call *futex)
{
	if (futex->call.raw || !futex->word_known)
		return false;
	for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
		if (kinds[i].resolve(examined, futex, false))
			return true;
	return false;
}

/* The last resort: what names and memory do not tell, the call in the program does. */
static bool by_instruction(struct examined *examined, const struct futex_call *futex)
{
	struct futex_call called = *futex;
	if (futex->call.raw || futex->call.kind != WAIT_NONE)
		return false;
	called.call = known_call_by_instruction(examined->all->subject, examined->thread);
	if (called.call.kind == WAIT_NONE)
		return false;
	examined_evidence(examined, "call of %s", called.call.name);
	return by_name(examined, &called);
}

/* Rust's locks are a word that says how many hold and wait, not who. */
static bool by_rust(struct examined *examined, const struct futex_call *futex)
{
	const struct known_call call = known_call_of_rust(examined->thread);
	if (!futex->call.raw || call.kind == WAIT_NONE)
		return false;
	const bool owned = call.kind != WAIT_CONDITION && call.kind != WAIT_PARK;
	examined->wait->kind = call.kind;
	examined_object(examined, futex->address);
	examined_evidence(examined, "frame %s", call.name);
	if (owned)
		examined_no_owner(examined, OWNER_UNKNOWN,
				  "Rust's standard library records no holder");
	return true;
}

static void note_timeout(struct examined *examined, const struct futex_call *futex)
{
	if (futex->command == FUTEX_COMMAND_WAIT_REQUEUE_PI)
		return;
	if (futex->command == FUTEX_COMMAND_WAIT) {
		examined_timeout(examined, examined->arguments[3]);
		return;
	}
	/* LOCK_PI has always counted by CLOCK_REALTIME; the others where the flag says so. */
	bool realtime = futex->is_realtime || futex->command == FUTEX_COMMAND_LOCK_PI;
	examined_deadline_at(examined, examined->arguments[3],
			     realtime ? CLOCK_REALTIME : CLOCK_MONOTONIC);
}

static const char *register_name(const struct examined *examined, unsigned argument)
{
	const struct arch *arch = examined->all->subject->target->arch;
	return arch->registers[arch->syscall_arguments[argument]].name;
}

/* Of no kind that is known. */
static void plain_futex(struct examined *examined, const struct futex_call *futex)
{
	examined_object(examined, futex->address);
	/* While the word is as the thread found it there is nothing to add. */
	if (futex->word_known && futex->word == futex->value)
		return;
	words_add(&examined->detail, "waits while it is %" PRIu32, futex->value);
	if (futex->word_known)
		words_add(&examined->detail, ", now it is %" PRIu32, futex->word);
}

static void examine_futex(struct examined *examined)
{
	uint32_t operation = (uint32_t)examined->arguments[1];
	struct futex_call futex = {
		.address = examined->arguments[0],
		.command = operation & ~(uint32_t)(FUTEX_PRIVATE | FUTEX_REALTIME),
		.is_private = (operation & FUTEX_PRIVATE) != 0,
		.is_realtime = (operation & FUTEX_REALTIME) != 0,
		.value = (uint32_t)examined->arguments[2],
		.call = known_call_find(examined->all->subject, examined->thread),
	};
	futex.word_known = examined_u32(examined, futex.address, &futex.word);
	examined->wait->shared = !futex.is_private;
	examined->wait->waking =
	    (futex.command == FUTEX_COMMAND_WAIT || futex.command == FUTEX_COMMAND_WAIT_BITSET) &&
	    futex.word_known && futex.word != futex.value;
	examined_evidence(examined, "futex word in %s", register_name(examined, 0));
	if (!futex.word_known)
		examined_evidence(examined, "its memory is missing");
	if (futex.call.kind != WAIT_NONE)
		examined_evidence(examined, "frame %s", futex.call.name);
	if (!by_name(examined, &futex) && !by_memory(examined, &futex) &&
	    !by_instruction(examined, &futex) && !by_rust(examined, &futex))
		plain_futex(examined, &futex);
	note_timeout(examined, &futex);
}

/* futex_waitv(2): (entries, count, flags, timeout, clock), where the timeout is absolute, and
 * entries have 24 bytes {value, address, flags}. */
static void examine_futex_waitv(struct examined *examined)
{
	uint64_t entries = examined->arguments[0];
	uint32_t count = (uint32_t)examined->arguments[1];
	examined->wait->shared = true;
	examined_evidence(examined, "array of futexes in %s", register_name(examined, 0));
	uint64_t address;
	if (count > 0 && count <= WAITV_MAX && entries <= UINT64_MAX - 24 * WAITV_MAX &&
	    examined_u64(examined, entries + 8, &address))
		examined_object(examined, address);
	words_add(&examined->detail, "any of %" PRIu32 " futexes", count);
	for (uint32_t i = 1; i < count && i < 4; i++)
		if (examined_u64(examined, entries + 24 * i + 8, &address))
			words_add(&examined->detail, "%s 0x%" PRIx64, i == 1 ? ", also" : ",",
				  address);
	examined_deadline_at(examined, examined->arguments[3], (int)examined->arguments[4]);
}

/* futex_wait(2): (address, value, mask, flags, timeout, clock), where the timeout is absolute. */
static void examine_futex_wait(struct examined *examined)
{
	examined->wait->shared = (examined->arguments[3] & FUTEX_PRIVATE) == 0;
	examined_evidence(examined, "futex word in %s", register_name(examined, 0));
	examined_object(examined, examined->arguments[0]);
	examined_deadline_at(examined, examined->arguments[4], (int)examined->arguments[5]);
}

const struct wait_row futex_rows[] = {
	{ "futex", WAIT_FUTEX, examine_futex },
	{ "futex_waitv", WAIT_FUTEX, examine_futex_waitv },
	{ "futex_wait", WAIT_FUTEX, examine_futex_wait },
	{ NULL, WAIT_NONE, NULL },
};
