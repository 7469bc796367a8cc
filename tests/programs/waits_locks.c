/* A thread for every kind of lock that has an owner, all held by the main thread, and the kinds
 * that have none.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "waits_truth.h"

#include <linux/futex.h>
#include <semaphore.h>
#include <threads.h>

static struct planted planted[64];
static size_t used;

static int plant(const char *name, void (*run)(void *), void *argument)
{
	return plant_asleep(&planted[used++], name, run, argument);
}

static void tell(const char *wait, int tid, const void *object, const char *symbol, int owner)
{
	truth("{\"wait\":\"%s\",\"tid\":%d,\"object\":\"%p\",\"name\":\"%s\",\"owner\":%d}", wait,
	      tid, object, symbol, owner);
}

/* The same of a wait that ends in a day, by the clock that people read. */
static void tell_until(const char *wait, int tid, const void *object, const char *symbol, int owner)
{
	truth("{\"wait\":\"%s\",\"tid\":%d,\"object\":\"%p\",\"name\":\"%s\",\"owner\":%d,"
	      "\"until\":\"%s\"}",
	      wait, tid, object, symbol, owner, "tomorrow");
}

/* Mutexes. */

pthread_mutex_t normal_lock = PTHREAD_MUTEX_INITIALIZER;
__thread pthread_mutex_t local_lock = PTHREAD_MUTEX_INITIALIZER;
pthread_mutex_t recursive_lock, errorcheck_lock, adaptive_lock, robust_lock, inherit_lock,
    robust_inherit_lock, shared_lock, ceiling_lock, robust_shared_lock,
    timed_lock = PTHREAD_MUTEX_INITIALIZER, clocked_lock = PTHREAD_MUTEX_INITIALIZER,
    timed_inherit_lock;
mtx_t c11_lock, c11_timed_lock;

static void lock_mutex(void *argument)
{
	pthread_mutex_lock(argument);
}

static void lock_timed(void *argument)
{
	struct timespec until = plant_tomorrow(CLOCK_REALTIME);
	pthread_mutex_timedlock(argument, &until);
}

static void lock_clocked(void *argument)
{
	struct timespec until = plant_tomorrow(CLOCK_REALTIME);
#if __GLIBC_PREREQ(2, 30)
	pthread_mutex_clocklock(argument, CLOCK_REALTIME, &until);
#else
	pthread_mutex_timedlock(argument, &until);
#endif
}

static void lock_c11(void *argument)
{
	mtx_lock(argument);
}

static void lock_c11_timed(void *argument)
{
	struct timespec until = plant_tomorrow(CLOCK_REALTIME);
	mtx_timedlock(argument, &until);
}

static void make(pthread_mutex_t *mutex, int type, int robust, int protocol, int shared)
{
	pthread_mutexattr_t attributes;
	pthread_mutexattr_init(&attributes);
	pthread_mutexattr_settype(&attributes, type);
	pthread_mutexattr_setrobust(&attributes, robust);
	pthread_mutexattr_setprotocol(&attributes, protocol);
	pthread_mutexattr_setpshared(&attributes, shared);
	if (pthread_mutex_init(mutex, &attributes) != 0)
		abort();
}

static void plant_mutexes(void)
{
	int me = truth_tid();
	make(&recursive_lock, PTHREAD_MUTEX_RECURSIVE, 0, 0, 0);
	make(&errorcheck_lock, PTHREAD_MUTEX_ERRORCHECK, 0, 0, 0);
	make(&adaptive_lock, PTHREAD_MUTEX_ADAPTIVE_NP, 0, 0, 0);
	make(&robust_lock, PTHREAD_MUTEX_NORMAL, PTHREAD_MUTEX_ROBUST, 0, 0);
	make(&inherit_lock, PTHREAD_MUTEX_NORMAL, 0, PTHREAD_PRIO_INHERIT, 0);
	make(&robust_inherit_lock, PTHREAD_MUTEX_RECURSIVE, PTHREAD_MUTEX_ROBUST,
	     PTHREAD_PRIO_INHERIT, 0);
	make(&shared_lock, PTHREAD_MUTEX_NORMAL, 0, 0, PTHREAD_PROCESS_SHARED);
	make(&ceiling_lock, PTHREAD_MUTEX_NORMAL, 0, PTHREAD_PRIO_PROTECT, 0);
	make(&robust_shared_lock, PTHREAD_MUTEX_ERRORCHECK, PTHREAD_MUTEX_ROBUST, 0,
	     PTHREAD_PROCESS_SHARED);
	make(&timed_inherit_lock, PTHREAD_MUTEX_NORMAL, 0, PTHREAD_PRIO_INHERIT, 0);
	mtx_init(&c11_lock, mtx_plain);
	mtx_init(&c11_timed_lock, mtx_timed);
	static const struct {
		pthread_mutex_t *mutex;
		const char *name;
	} rows[] = {
		{ &normal_lock, "normal_lock" },
		{ &recursive_lock, "recursive_lock" },
		{ &errorcheck_lock, "errorcheck_lock" },
		{ &adaptive_lock, "adaptive_lock" },
		{ &robust_lock, "robust_lock" },
		{ &inherit_lock, "inherit_lock" },
		{ &robust_inherit_lock, "robust_inherit_lock" },
		{ &shared_lock, "shared_lock" },
		{ &robust_shared_lock, "robust_shared_lock" },
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		pthread_mutex_lock(rows[i].mutex);
		int tid = plant(rows[i].name, lock_mutex, rows[i].mutex);
		tell("mutex", tid, rows[i].mutex, rows[i].name, me);
	}
	pthread_mutex_lock(&local_lock);
	tell("mutex", plant("local_lock", lock_mutex, &local_lock), &local_lock, "local_lock", me);
	pthread_mutex_lock(&timed_lock);
	tell_until("mutex", plant("timed_lock", lock_timed, &timed_lock), &timed_lock, "timed_lock",
		   me);
	pthread_mutex_lock(&clocked_lock);
	tell_until("mutex", plant("clocked_lock", lock_clocked, &clocked_lock), &clocked_lock,
		   "clocked_lock", me);
	pthread_mutex_lock(&timed_inherit_lock);
	tell_until("mutex", plant("timed_inherit", lock_timed, &timed_inherit_lock),
		   &timed_inherit_lock, "timed_inherit_lock", me);
	/* Raising the priority to the ceiling needs a right. */
	if (pthread_mutex_lock(&ceiling_lock) == 0)
		tell("mutex", plant("ceiling_lock", lock_mutex, &ceiling_lock), &ceiling_lock,
		     "ceiling_lock", me);
	mtx_lock(&c11_timed_lock);
	tell_until("mutex", plant("c11_timed_lock", lock_c11_timed, &c11_timed_lock),
		   &c11_timed_lock, "c11_timed_lock", me);
	mtx_lock(&c11_lock);
	tell("mutex", plant("c11_lock", lock_c11, &c11_lock), &c11_lock, "c11_lock", me);
}

/* Condition variables. */

pthread_mutex_t condition_lock = PTHREAD_MUTEX_INITIALIZER;
pthread_cond_t condition = PTHREAD_COND_INITIALIZER;
pthread_cond_t timed_condition = PTHREAD_COND_INITIALIZER;
pthread_cond_t used_condition = PTHREAD_COND_INITIALIZER;
pthread_cond_t monotonic_condition, shared_condition;
static int used_turn;
cnd_t c11_condition;
mtx_t c11_condition_lock;

static void wait_c11_condition(void *argument)
{
	mtx_lock(&c11_condition_lock);
	for (;;)
		cnd_wait(argument, &c11_condition_lock);
}

static void wait_monotonic_condition(void *argument)
{
	struct timespec until = plant_tomorrow(CLOCK_MONOTONIC);
	pthread_mutex_lock(&condition_lock);
	for (;;)
		pthread_cond_timedwait(argument, &condition_lock, &until);
}

static void make_conditions(void)
{
	pthread_condattr_t attributes;
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&monotonic_condition, &attributes);
	pthread_condattr_init(&attributes);
	pthread_condattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
	pthread_cond_init(&shared_condition, &attributes);
	cnd_init(&c11_condition);
	mtx_init(&c11_condition_lock, mtx_plain);
}

static void wait_condition(void *argument)
{
	pthread_mutex_lock(&condition_lock);
	for (;;)
		pthread_cond_wait(argument, &condition_lock);
}

static void wait_timed_condition(void *argument)
{
	struct timespec until = plant_tomorrow(CLOCK_REALTIME);
	pthread_mutex_lock(&condition_lock);
	for (;;)
		pthread_cond_timedwait(argument, &condition_lock, &until);
}

/* A condition variable with a history: many wake-ups before the wait that lasts. */
static void wait_used_condition(void *argument)
{
	pthread_mutex_lock(&condition_lock);
	for (used_turn = 1;;) {
		pthread_cond_wait(argument, &condition_lock);
		used_turn++;
	}
}

static void plant_conditions(void)
{
	tell("condition variable", plant("condition", wait_condition, &condition), &condition,
	     "condition", 0);
	tell("condition variable", plant("condition 2", wait_condition, &condition), &condition,
	     "condition", 0);
	tell_until("condition variable",
		   plant("condition_timed", wait_timed_condition, &timed_condition),
		   &timed_condition, "timed_condition", 0);
	make_conditions();
	tell("condition variable",
	     plant("monotonic", wait_monotonic_condition, &monotonic_condition),
	     &monotonic_condition, "monotonic_condition", 0);
	tell("condition variable", plant("cond_shared", wait_condition, &shared_condition),
	     &shared_condition, "shared_condition", 0);
	tell("condition variable", plant("cnd_wait", wait_c11_condition, &c11_condition),
	     &c11_condition, "c11_condition", 0);
	int tid = plant("condition_used", wait_used_condition, &used_condition);
	for (int turn = 2; turn < 40;) {
		pthread_mutex_lock(&condition_lock);
		pthread_cond_signal(&used_condition);
		pthread_mutex_unlock(&condition_lock);
		plant_pause();
		pthread_mutex_lock(&condition_lock);
		turn = used_turn;
		pthread_mutex_unlock(&condition_lock);
	}
	plant_wait_asleep(tid);
	tell("condition variable", tid, &used_condition, "used_condition", 0);
}

/* Read-write locks. */

pthread_rwlock_t written = PTHREAD_RWLOCK_INITIALIZER;
pthread_rwlock_t read_by_two = PTHREAD_RWLOCK_INITIALIZER;

pthread_rwlock_t timed_rwlock = PTHREAD_RWLOCK_INITIALIZER;
pthread_rwlock_t shared_rwlock;
pthread_rwlock_t writers_first = PTHREAD_RWLOCK_WRITER_NONRECURSIVE_INITIALIZER_NP;

static void lock_read_timed(void *argument)
{
	struct timespec until = plant_tomorrow(CLOCK_REALTIME);
	pthread_rwlock_timedrdlock(argument, &until);
}

static void lock_write_timed(void *argument)
{
	struct timespec until = plant_tomorrow(CLOCK_REALTIME);
	pthread_rwlock_timedwrlock(argument, &until);
}

static void lock_read(void *argument)
{
	pthread_rwlock_rdlock(argument);
}

static void lock_write(void *argument)
{
	pthread_rwlock_wrlock(argument);
}

static void hold_read(void *argument)
{
	pthread_rwlock_rdlock(argument);
	pause();
}

static void plant_rwlocks(void)
{
	int me = truth_tid();
	pthread_rwlock_wrlock(&written);
	tell("rwlock (read)", plant("rwlock reader", lock_read, &written), &written, "written", me);
	tell("rwlock (write)", plant("rwlock writer", lock_write, &written), &written, "written",
	     me);
	pthread_rwlock_rdlock(&read_by_two);
	plant("read holder", hold_read, &read_by_two);
	tell("rwlock (write)", plant("writer of 2", lock_write, &read_by_two), &read_by_two,
	     "read_by_two", -1);
	pthread_rwlock_wrlock(&timed_rwlock);
	tell_until("rwlock (read)", plant("timed reader", lock_read_timed, &timed_rwlock),
		   &timed_rwlock, "timed_rwlock", me);
	tell_until("rwlock (write)", plant("timed writer", lock_write_timed, &timed_rwlock),
		   &timed_rwlock, "timed_rwlock", me);
	pthread_rwlockattr_t attributes;
	pthread_rwlockattr_init(&attributes);
	pthread_rwlockattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
	pthread_rwlock_init(&shared_rwlock, &attributes);
	pthread_rwlock_wrlock(&shared_rwlock);
	tell("rwlock (read)", plant("shared reader", lock_read, &shared_rwlock), &shared_rwlock,
	     "shared_rwlock", me);
	/* A reader that gives way to a writer. */
	pthread_rwlock_rdlock(&writers_first);
	tell("rwlock (write)", plant("first writer", lock_write, &writers_first), &writers_first,
	     "writers_first", -1);
	tell("rwlock (read)", plant("polite reader", lock_read, &writers_first), &writers_first,
	     "writers_first", -1);
}

/* Semaphores, barriers, joins, once, stdio, futexes. */

sem_t empty_semaphore, timed_semaphore;
pthread_barrier_t barrier;
pthread_once_t once = PTHREAD_ONCE_INIT;
uint32_t bare_futex = 77;
/* As linux/futex.h has it from 5.16 on. */
struct futex_entry {
	uint64_t value, address;
	uint32_t flags, reserved;
} waited[2];
uint32_t waited_words[2];

static void wait_semaphore(void *argument)
{
	sem_wait(argument);
}

static void wait_timed_semaphore(void *argument)
{
	struct timespec until = plant_tomorrow(CLOCK_REALTIME);
	sem_timedwait(argument, &until);
}

static void wait_barrier(void *argument)
{
	pthread_barrier_wait(argument);
}

static void sleep_long(void *argument)
{
	(void)argument;
	for (;;)
		pause();
}

static void join(void *argument)
{
	pthread_join(*(pthread_t *)argument, NULL);
}

static void run_once(void)
{
	sleep_long(NULL);
}

static void call_once_control(void *argument)
{
	pthread_once(argument, run_once);
}

static void join_timed(void *argument)
{
	struct timespec until = plant_tomorrow(CLOCK_REALTIME);
	pthread_timedjoin_np(*(pthread_t *)argument, NULL, &until);
}

static void join_c11(void *argument)
{
	thrd_join(*(thrd_t *)argument, NULL);
}

static int sleep_c11(void *argument)
{
	__atomic_store_n((int *)argument, truth_tid(), __ATOMIC_SEQ_CST);
	sleep_long(NULL);
	return 0;
}

static once_flag c11_once = ONCE_FLAG_INIT;

static void call_c11_once(void *argument)
{
	call_once(argument, run_once);
}

static void wait_shared_semaphore(void *argument)
{
	for (;;)
		sem_wait(argument);
}

static void lock_file(void *argument)
{
	flockfile(argument);
}

static void write_file(void *argument)
{
	fputs("never written", argument);
}

static void wait_futex(void *argument)
{
	syscall(SYS_futex, argument, FUTEX_WAIT_PRIVATE, 77, NULL, NULL, 0);
}

static void wait_timed_futex(void *argument)
{
	struct timespec time = { .tv_sec = 9000 };
	syscall(SYS_futex, argument, FUTEX_WAIT_PRIVATE, 77, &time, NULL, 0);
}

static void wait_futexes(void *argument)
{
	syscall(449, argument, 2, 0, NULL, CLOCK_MONOTONIC);
}

static void plant_others(void)
{
	int me = truth_tid();
	sem_init(&empty_semaphore, 0, 0);
	sem_init(&timed_semaphore, 0, 0);
	tell("semaphore", plant("semaphore", wait_semaphore, &empty_semaphore), &empty_semaphore,
	     "empty_semaphore", 0);
	tell_until("semaphore", plant("semaphore_timed", wait_timed_semaphore, &timed_semaphore),
		   &timed_semaphore, "timed_semaphore", 0);
	static sem_t shared_semaphore;
	sem_init(&shared_semaphore, 1, 0);
	tell("semaphore", plant("semaphore_shared", wait_shared_semaphore, &shared_semaphore),
	     &shared_semaphore, "shared_semaphore", 0);
	pthread_barrier_init(&barrier, NULL, 3);
	tell("barrier", plant("barrier", wait_barrier, &barrier), &barrier, "barrier", 0);
	tell("barrier", plant("barrier 2", wait_barrier, &barrier), &barrier, "barrier", 0);

	struct planted *sleeper = &planted[used];
	int slept = plant("sleeper", sleep_long, NULL);
	tell("join", plant("join", join, &sleeper->thread), (void *)sleeper->thread, "", slept);

	sleeper = &planted[used];
	slept = plant("sleeper 2", sleep_long, NULL);
	tell_until("join", plant("timed join", join_timed, &sleeper->thread),
		   (void *)sleeper->thread, "", slept);
	static int c11_tid;
	static thrd_t c11_thread;
	thrd_create(&c11_thread, sleep_c11, &c11_tid);
	while (__atomic_load_n(&c11_tid, __ATOMIC_SEQ_CST) == 0)
		plant_pause();
	tell("join", plant("thrd_join", join_c11, &c11_thread), (void *)c11_thread, "", c11_tid);

	int c11_runner = plant("call_once run", call_c11_once, &c11_once);
	tell("once", plant("call_once", call_c11_once, &c11_once), &c11_once, "c11_once",
	     c11_runner);
	int runner = plant("once runner", call_once_control, &once);
	tell("once", plant("once", call_once_control, &once), &once, "once", runner);

	FILE *file = tmpfile();
	if (file == NULL)
		abort();
	flockfile(file);
	tell("stdio lock", plant("flockfile", lock_file, file), file, "", me);
	tell("stdio lock", plant("fputs", write_file, file), file, "", me);

	tell("futex", plant("futex", wait_futex, &bare_futex), &bare_futex, "bare_futex", 0);
	tell("futex", plant("futex_timed", wait_timed_futex, &bare_futex), &bare_futex,
	     "bare_futex", 0);
	for (int i = 0; i < 2; i++) {
		waited[i].address = (uintptr_t)&waited_words[i];
		waited[i].flags = 2 | FUTEX_PRIVATE_FLAG;
	}
	tell("futex", plant("futex_waitv", wait_futexes, waited), &waited_words[0], "waited_words",
	     0);
}

int main(void)
{
	plant_mutexes();
	plant_conditions();
	plant_rwlocks();
	plant_others();
	plant_done();
}
