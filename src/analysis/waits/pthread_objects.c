/* Condition variables, semaphores, barriers, joins: libc's objects without a recorded owner.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "analysis/waits/futex.h"
#include "target/live_semaphores.h"

#include <inttypes.h>
#include <string.h>

/* pthread_cond_t has two layouts. Both end in the two futex words (g_signals); the older one has a
 * pair of words more in front of them. */
enum { CONDITION_SIGNALS_OLD = 40, CONDITION_SIGNALS_NEW = 32 };
enum { CONDITION_SEQUENCE = 0, CONDITION_GROUP_START = 8 };

/* In both layouts right in front of the futex words: waiters, in units of 8. */
#define CONDITION_WAITERS_BEFORE 4
#define WAITERS_SHIFT		 3

/* How far above SP the waiting functions' own frames reach; measured 200 to 400 bytes. */
#define WAIT_FRAMES_SIZE 1024

/* While it waits, __pthread_cond_wait_common keeps {sequence, condition variable, mutex} on its
 * stack for the case of a cancellation. Looks for that triple: it tells the layout and the mutex
 * without debug information. */
static bool condition_on_stack(const struct examined *examined, const uint64_t candidates[2],
			       uint64_t *condition, uint64_t *mutex)
{
	const struct target *target = examined->all->subject->target;
	uint64_t sp = arch_sp(target->arch, &examined->thread->raw->registers);
	uint64_t previous, value;
	if (sp % 8 != 0 || sp > UINT64_MAX - WAIT_FRAMES_SIZE ||
	    !examined_u64(examined, sp, &previous))
		return false;
	for (uint64_t at = sp + 8; at < sp + WAIT_FRAMES_SIZE; at += 8, previous = value) {
		if (!examined_u64(examined, at, &value))
			return false;
		if ((previous == candidates[0] || previous == candidates[1]) && value != 0 &&
		    value != previous && mutex_plausible(examined, value)) {
			*condition = previous;
			*mutex = value;
			return true;
		}
	}
	return false;
}

/* Whether the sequence numbers of a condition variable at `address` can be: waiters have come, and
 * the older group began before now. */
static bool condition_plausible(const struct examined *examined, uint64_t address, uint32_t waiters)
{
	uint64_t sequence, start;
	if (!examined_u64(examined, address + CONDITION_SEQUENCE, &sequence) ||
	    !examined_u64(examined, address + CONDITION_GROUP_START, &start))
		return false;
	sequence >>= 1;
	start >>= 1;
	return sequence > start && sequence - start >= waiters && sequence - start < UINT32_MAX;
}

static bool condition_by_symbol(const struct examined *examined, uint64_t candidate)
{
	struct symbol symbol;
	return modules_symbol_at(examined->all->subject->modules, candidate, &symbol) &&
	       symbol.address == candidate && symbol.size == 48;
}

struct found_condition {
	uint64_t address, mutex; /* mutex 0: not known */
	const char *evidence;
	bool sure; /* more than the memory of the condition variable itself tells */
};

/* Chooses between the two places where the condition variable may begin. */
static bool find_condition(const struct examined *examined, const struct futex_call *futex,
			   struct found_condition *found)
{
	uint64_t signals = futex->address & ~UINT64_C(7);
	if (signals < CONDITION_SIGNALS_OLD + 64)
		return false;
	uint64_t candidates[2] = { signals - CONDITION_SIGNALS_OLD,
				   signals - CONDITION_SIGNALS_NEW };
	*found = (struct found_condition){ .sure = true };
	if (condition_on_stack(examined, candidates, &found->address, &found->mutex)) {
		found->evidence = "condition variable and mutex kept on the stack";
		return true;
	}
	uint32_t waiters;
	if (!examined_u32(examined, signals - CONDITION_WAITERS_BEFORE, &waiters))
		return false;
	waiters >>= WAITERS_SHIFT;
	for (size_t i = 0; i < 2; i++) {
		found->address = candidates[i];
		found->evidence = "symbol of the condition variable";
		if (condition_by_symbol(examined, candidates[i]) &&
		    condition_plausible(examined, candidates[i], waiters))
			return true;
	}
	found->sure = false;
	found->evidence = "waiters and sequence numbers in the memory";
	for (size_t i = 0; waiters > 0 && i < 2; i++) {
		found->address = candidates[i];
		if (condition_plausible(examined, candidates[i], waiters))
			return true;
	}
	return false;
}

static void describe_condition_mutex(struct examined *examined, uint64_t mutex)
{
	const char *name = examined_name_at(examined, mutex);
	const char *condition = examined_name_at(examined, examined->wait->object);
	/* Mostly both are members of one object, which was just named. */
	const char *of = name[0] == '+' ? strstr(name, " of ") : NULL;
	const char *same = condition[0] == '+' ? strstr(condition, " of ") : NULL;
	words_separate(&examined->detail, ", ");
	words_add(&examined->detail, "with mutex 0x%" PRIx64, mutex);
	if (of != NULL && same != NULL && strcmp(of, same) == 0)
		words_add(&examined->detail, " (%.*s of the same)", (int)(of - name), name);
	else if (strncmp(name, "anonymous mapping", 17) != 0)
		words_add(&examined->detail, name[0] == '<' ? " %s" : " (%s)", name);
}

bool resolve_condition(struct examined *examined, const struct futex_call *futex, bool named)
{
	/* Without names of libc's inner functions the wait for the mutex after a wake-up looks as
	 * if it were for the condition variable; the memory tells. */
	if (named && resolve_mutex(examined, futex, false))
		return true;
	bool waits =
	    futex->command == FUTEX_COMMAND_WAIT_BITSET || futex->command == FUTEX_COMMAND_WAIT;
	struct found_condition found;
	if (!named && !waits)
		return false;
	bool known = find_condition(examined, futex, &found);
	if (!named && !(known && found.sure))
		return false;
	examined->wait->kind = WAIT_CONDITION;
	if (!known) {
		examined_object(examined, futex->address);
		words_separate(&examined->detail, ", ");
		words_add(&examined->detail, "where the condition variable begins is not known");
		return true;
	}
	examined_object(examined, found.address);
	examined_evidence(examined, "%s", found.evidence);
	if (found.mutex != 0)
		describe_condition_mutex(examined, found.mutex);
	return true;
}

/* sem_t on 64-bit machines: value and waiters in one word of 8 bytes, then the sharing. */
enum { SEMAPHORE_VALUE = 0, SEMAPHORE_WAITERS = 4, SEMAPHORE_SHARED = 8 };

/* Whether a mapping of one page at the semaphore is of the file that sem_open makes: under a
 * temporary name first, "sem." and six characters, up to glibc 2.33 without the former. */
static bool is_semaphore_file(const struct segment *segment, uint64_t address)
{
	static const char directory[] = "/dev/shm/", prefix[] = "sem.";
	const char *name = segment->name;
	if (name == NULL || segment->start != address || segment->end - segment->start > 65536 ||
	    strncmp(name, directory, strlen(directory)) != 0)
		return false;
	name += strlen(directory);
	return strncmp(name, prefix, strlen(prefix)) == 0 || strcspn(name, " ") == 6;
}

/* A named semaphore lies alone in a file of its own. The name of the mapping is mostly another. */
static void name_semaphore(struct examined *examined, uint64_t address)
{
	const struct target *target = examined->all->subject->target;
	const struct segment *segment = address_space_find(target->space, address);
	struct words *detail = &examined->detail;
	char name[256];
	if (segment == NULL || !is_semaphore_file(segment, address))
		return;
	words_separate(detail, ", ");
	words_add(detail, "a named semaphore");
	if (target->kind != TARGET_LIVE ||
	    !live_semaphore_name(target->pid, address, name, sizeof name))
		return;
	if (name[0] != '\0')
		words_add(detail, ": %s", name);
	else
		words_add(detail, " that was unlinked");
}

bool resolve_semaphore(struct examined *examined, const struct futex_call *futex, bool named)
{
	uint32_t waiters = 0, shared = 0;
	bool known = futex->word_known && futex->address <= UINT64_MAX - 16 &&
		     examined_u32(examined, futex->address + SEMAPHORE_WAITERS, &waiters) &&
		     examined_u32(examined, futex->address + SEMAPHORE_SHARED, &shared);
	bool sure = known && futex->command == FUTEX_COMMAND_WAIT_BITSET &&
		    futex->address % 8 == 0 && futex->value == 0 && futex->word == 0 &&
		    waiters > 0 && waiters < 0x10000 && shared == (futex->is_private ? 0 : 128);
	if (!named && !sure)
		return false;
	examined->wait->kind = WAIT_SEMAPHORE;
	examined_object(examined, futex->address);
	name_semaphore(examined, futex->address);
	if (!named)
		examined_evidence(examined, "the memory has the form of a semaphore");
	if (known && futex->word != 0) {
		words_separate(&examined->detail, ", ");
		words_add(&examined->detail, "its value is %" PRIu32 ": about to be woken",
			  futex->word);
	}
	return true;
}

/* pthread_barrier_t; the same in all releases. */
enum { BARRIER_ARRIVED = 0, BARRIER_ROUND = 4, BARRIER_COUNT = 8, BARRIER_SHARED = 12 };

bool resolve_barrier(struct examined *examined, const struct futex_call *futex, bool named)
{
	uint64_t barrier = futex->address - BARRIER_ROUND;
	uint32_t arrived = 0, count = 0, shared = 0;
	bool known = futex->word_known && futex->address >= BARRIER_ROUND &&
		     futex->address <= UINT64_MAX - 64 &&
		     examined_u32(examined, barrier + BARRIER_ARRIVED, &arrived) &&
		     examined_u32(examined, barrier + BARRIER_COUNT, &count) &&
		     examined_u32(examined, barrier + BARRIER_SHARED, &shared);
	/* Both numbers count all rounds; their difference is what has come in this one. */
	arrived -= futex->word;
	bool sensible = known && count > 1 && arrived > 0 && arrived < count;
	bool sure = sensible && futex->command == FUTEX_COMMAND_WAIT &&
		    futex->value == futex->word && count < 0x10000 &&
		    shared == (futex->is_private ? 0 : 128) && futex->word % count == 0;
	if (!named && !sure)
		return false;
	examined->wait->kind = WAIT_BARRIER;
	examined_object(examined, known ? barrier : futex->address);
	if (!named)
		examined_evidence(examined, "the memory has the form of a barrier");
	if (sensible) {
		words_separate(&examined->detail, ", ");
		words_add(&examined->detail, "%" PRIu32 " of %" PRIu32 " have arrived", arrived,
			  count);
	}
	return true;
}

/* Where, in the releases that wait for a state instead of the tid, that state lies. */
#define JOIN_STATE_2_43 1576

/* More than any release's struct pthread. */
#define PTHREAD_SIZE_MAX 4096

/* The thread in whose struct pthread the address lies: it begins at the thread pointer. */
static const struct thread *thread_around(const struct examined *examined, uint64_t address)
{
	const struct threads *threads = examined->all->subject->threads;
	const struct thread *best = NULL;
	for (size_t i = 0; i < threads->count; i++) {
		uint64_t pointer = threads->items[i].thread_pointer;
		if (pointer != 0 && address > pointer && address - pointer < PTHREAD_SIZE_MAX &&
		    (best == NULL || pointer > best->thread_pointer))
			best = &threads->items[i];
	}
	return best;
}

bool resolve_join(struct examined *examined, const struct futex_call *futex, bool named)
{
	const struct thread *joined = thread_around(examined, futex->address);
	const struct thread *by_value = examined_thread(examined->all, (int32_t)futex->value);
	uint64_t offset = joined != NULL ? futex->address - joined->thread_pointer : 0;
	const struct glibc_pthreads *pthreads = examined->all->subject->pthreads;
	bool state =
	    offset == JOIN_STATE_2_43 || (pthreads != NULL && pthreads->layout.join_id > 0 &&
					  offset == (uint64_t)pthreads->layout.join_id);
	bool sure = joined != NULL && joined != examined->thread && !futex->is_private &&
		    (by_value == joined || (state && futex->value <= 2));
	if (!named && !sure)
		return false;
	struct wait *wait = examined->wait;
	wait->kind = WAIT_JOIN;
	/* Of a thread that could not be stopped, only the tid is known. */
	if (joined == NULL)
		joined = by_value;
	if (joined == NULL) {
		examined_object(examined, futex->address);
		examined_no_owner(examined, OWNER_GONE, "the thread it waits for has ended");
		return true;
	}
	examined_object(examined,
			joined->thread_pointer != 0 ? joined->thread_pointer : futex->address);
	wait->owner_state = joined == examined->thread ? OWNER_SELF : OWNER_THREAD;
	wait->owner = joined->tid;
	wait->target_pid = joined->tid;
	examined_evidence(examined, by_value == joined ? "thread id in its struct pthread"
						       : "join state in its struct pthread");
	return true;
}
