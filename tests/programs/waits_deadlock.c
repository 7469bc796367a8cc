/* waits_deadlock CASE: deadlocks, and what only looks like one.
 *
 *     2, 3, 5    so many threads, each waiting for the next one's mutex; three more wait behind
 *     join       a thread waits for a mutex whose holder joins it
 *     rwlock     a mutex and a write lock
 *     stdio      a mutex and a stream's lock
 *     once       a mutex and a pthread_once routine
 *     onces      two pthread_once routines, each of which wants the other
 *     oncer      a pthread_once routine that wants itself
 *     three      three threads: mutex, write lock, stream
 *     kinds      five threads: mutex, write lock, stream, once routine, join
 *     self       a normal mutex locked twice
 *     signal     a signal handler allocates, having interrupted an allocation
 *     timed      as 2, one of them until a timeout
 *     two        two deadlocks at once
 *     gone       a mutex whose owner has exited: no deadlock
 *     chain      a chain of waiting threads whose last one sleeps: no deadlock
 *     condition  threads waiting for work, one of them holding a lock that another waits for
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "waits_truth.h"

#include <signal.h>

#define RING_MAX 8

static struct planted planted[64];
static size_t used;

pthread_mutex_t ring_lock[RING_MAX] = {
	PTHREAD_MUTEX_INITIALIZER, PTHREAD_MUTEX_INITIALIZER, PTHREAD_MUTEX_INITIALIZER,
	PTHREAD_MUTEX_INITIALIZER, PTHREAD_MUTEX_INITIALIZER, PTHREAD_MUTEX_INITIALIZER,
	PTHREAD_MUTEX_INITIALIZER, PTHREAD_MUTEX_INITIALIZER,
};
static pthread_barrier_t all_hold;

struct place {
	int first, count, number;
	bool timed;
};

static struct planted *start(const char *name, void (*run)(void *), void *argument)
{
	struct planted *thread = &planted[used++];
	plant_start(thread, name, run, argument);
	return thread;
}

static void settle(void)
{
	for (size_t i = 0; i < used; i++)
		plant_wait_asleep(plant_tid(&planted[i]));
}

static void run_ring(void *argument)
{
	const struct place *place = argument;
	int next = place->first + (place->number + 1) % place->count;
	pthread_mutex_lock(&ring_lock[place->first + place->number]);
	pthread_barrier_wait(&all_hold);
	struct timespec until = plant_tomorrow(CLOCK_REALTIME);
	if (place->timed && place->number == 0)
		pthread_mutex_timedlock(&ring_lock[next], &until);
	else
		pthread_mutex_lock(&ring_lock[next]);
}

static void run_behind(void *argument)
{
	pthread_mutex_lock(argument);
}

/* A ring of `count` threads over the mutexes from `first` on. */
static void ring(int first, int count, bool timed)
{
	static struct place places[RING_MAX];
	static const char *const names[] = { "ring 0", "ring 1", "ring 2", "ring 3",
					     "ring 4", "ring 5", "ring 6", "ring 7" };
	pthread_barrier_init(&all_hold, NULL, (unsigned)count);
	for (int i = 0; i < count; i++) {
		places[first + i] = (struct place){ first, count, i, timed };
		start(names[first + i], run_ring, &places[first + i]);
	}
	settle();
	char tids[200] = "";
	for (int i = 0; i < count; i++)
		snprintf(tids + strlen(tids), sizeof tids - strlen(tids), "%s%d", i == 0 ? "" : ",",
			 plant_tid(&planted[first + i]));
	truth("{\"deadlock\":[%s],\"timed\":%s}", tids, timed ? "true" : "false");
}

static void plant_behind(void)
{
	for (int i = 0; i < 3; i++) {
		struct planted *thread = start("behind", run_behind, &ring_lock[0]);
		plant_wait_asleep(plant_tid(thread));
		truth("{\"behind\":%d}", plant_tid(thread));
	}
}

/* Pairs: the main thread holds ring_lock[0] and waits for the other thread, which waits for it. */
static void tell_pair(const struct planted *other)
{
	truth("{\"deadlock\":[%d,%d],\"timed\":false}", truth_tid(), plant_tid(other));
	truth_ready();
}

static void pair_join(void)
{
	pthread_mutex_lock(&ring_lock[0]);
	struct planted *other = start("joined", run_behind, &ring_lock[0]);
	settle();
	tell_pair(other);
	pthread_join(other->thread, NULL);
}

pthread_rwlock_t table_lock = PTHREAD_RWLOCK_INITIALIZER;

static void run_rwlock(void *argument)
{
	(void)argument;
	pthread_rwlock_wrlock(&table_lock);
	pthread_mutex_lock(&ring_lock[0]);
}

static void pair_rwlock(void)
{
	pthread_mutex_lock(&ring_lock[0]);
	struct planted *other = start("writer", run_rwlock, NULL);
	settle();
	tell_pair(other);
	pthread_rwlock_rdlock(&table_lock);
}

static void run_stdio(void *argument)
{
	flockfile(argument);
	pthread_mutex_lock(&ring_lock[0]);
}

static void pair_stdio(void)
{
	pthread_mutex_lock(&ring_lock[0]);
	struct planted *other = start("printer", run_stdio, stderr);
	settle();
	tell_pair(other);
	fputs("never printed", stderr);
}

static pthread_once_t once_control = PTHREAD_ONCE_INIT;

static void once_routine(void)
{
	pthread_mutex_lock(&ring_lock[0]);
}

static void run_once(void *argument)
{
	(void)argument;
	pthread_once(&once_control, once_routine);
}

static void pair_once(void)
{
	pthread_mutex_lock(&ring_lock[0]);
	struct planted *other = start("initialiser", run_once, NULL);
	settle();
	tell_pair(other);
	pthread_once(&once_control, once_routine);
}

static pthread_once_t onces[2] = { PTHREAD_ONCE_INIT, PTHREAD_ONCE_INIT };

static void first_routine(void);
static void second_routine(void)
{
	pthread_barrier_wait(&all_hold);
	pthread_once(&onces[0], first_routine);
}

static void first_routine(void)
{
	pthread_barrier_wait(&all_hold);
	pthread_once(&onces[1], second_routine);
}

static void run_first(void *argument)
{
	(void)argument;
	pthread_once(&onces[0], first_routine);
}

static void run_second(void *argument)
{
	(void)argument;
	pthread_once(&onces[1], second_routine);
}

static void pair_onces(void)
{
	pthread_barrier_init(&all_hold, NULL, 2);
	start("first", run_first, NULL);
	start("second", run_second, NULL);
	settle();
	truth("{\"deadlock\":[%d,%d],\"timed\":false}", plant_tid(&planted[0]),
	      plant_tid(&planted[1]));
}

/* Each holds its own lock when all have come, and then wants the next one's. */

static void kind_mutex(void *argument)
{
	(void)argument;
	pthread_mutex_lock(&ring_lock[0]);
	pthread_barrier_wait(&all_hold);
	pthread_rwlock_rdlock(&table_lock);
}

static void kind_rwlock(void *argument)
{
	(void)argument;
	pthread_rwlock_wrlock(&table_lock);
	pthread_barrier_wait(&all_hold);
	flockfile(stderr);
}

static void kind_stdio(void *argument)
{
	(void)argument;
	flockfile(stderr);
	pthread_barrier_wait(&all_hold);
	pthread_once(&once_control, once_routine);
}

static void join_routine(void)
{
	pthread_barrier_wait(&all_hold);
	pthread_join(planted[4].thread, NULL);
}

static void kind_once(void *argument)
{
	(void)argument;
	pthread_once(&once_control, join_routine);
}

static void kind_join(void *argument)
{
	(void)argument;
	pthread_barrier_wait(&all_hold);
	pthread_mutex_lock(&ring_lock[0]);
}

static void kinds(void)
{
	static void (*const runs[])(void *) = { kind_mutex, kind_rwlock, kind_stdio, kind_once,
						kind_join };
	pthread_barrier_init(&all_hold, NULL, 5);
	for (int i = 0; i < 5; i++)
		start("kind", runs[i], NULL);
	settle();
	truth("{\"deadlock\":[%d,%d,%d,%d,%d],\"timed\":false}", plant_tid(&planted[0]),
	      plant_tid(&planted[1]), plant_tid(&planted[2]), plant_tid(&planted[3]),
	      plant_tid(&planted[4]));
}

static void kind_loop(void *argument)
{
	(void)argument;
	flockfile(stderr);
	pthread_barrier_wait(&all_hold);
	pthread_mutex_lock(&ring_lock[0]);
}

static void three(void)
{
	static void (*const runs[])(void *) = { kind_mutex, kind_rwlock, kind_loop };
	pthread_barrier_init(&all_hold, NULL, 3);
	for (int i = 0; i < 3; i++)
		start("kind", runs[i], NULL);
	settle();
	truth("{\"deadlock\":[%d,%d,%d],\"timed\":false}", plant_tid(&planted[0]),
	      plant_tid(&planted[1]), plant_tid(&planted[2]));
}

static void own_routine(void)
{
	pthread_once(&once_control, own_routine);
}

static void run_oncer(void *argument)
{
	pthread_once(argument, own_routine);
}

static void oncer(void)
{
	start("oncer", run_oncer, &once_control);
	settle();
	truth("{\"deadlock\":[%d],\"timed\":false}", plant_tid(&planted[0]));
	struct planted *thread = start("behind", run_oncer, &once_control);
	plant_wait_asleep(plant_tid(thread));
	truth("{\"behind\":%d}", plant_tid(thread));
}

static void self(void)
{
	pthread_mutex_lock(&ring_lock[0]);
	truth("{\"deadlock\":[%d],\"timed\":false}", truth_tid());
	truth_ready();
	pthread_mutex_lock(&ring_lock[0]);
}

static void allocate(int number)
{
	(void)number;
	void *volatile block = malloc(5000);
	free(block);
}

/* Sends signals until the main thread is stuck. */
static void run_signals(void *argument)
{
	int main_tid = getpid();
	for (int seen = 0; seen < 50;) {
		pthread_kill(*(pthread_t *)argument, SIGUSR1);
		for (volatile int i = 0; i < 3000; i++)
			continue;
		if (!plant_sleeps(main_tid)) {
			seen = 0;
			continue;
		}
		seen++;
		plant_pause();
	}
	truth("{\"deadlock\":[%d],\"timed\":false}", main_tid);
	truth_ready();
	pause();
}

static void signalled(void)
{
	static pthread_t me;
	struct sigaction action = { .sa_handler = allocate };
	me = pthread_self();
	sigaction(SIGUSR1, &action, NULL);
	start("signals", run_signals, &me);
	for (;;) {
		void *volatile block = malloc(6000);
		free(block);
	}
}

static void run_and_exit(void *argument)
{
	pthread_mutex_lock(argument);
}

static void gone(void)
{
	struct planted *owner = start("owner", run_and_exit, &ring_lock[0]);
	int tid = plant_tid(owner);
	pthread_join(owner->thread, NULL);
	used = 0;
	struct planted *waiter = start("waiter", run_behind, &ring_lock[0]);
	settle();
	truth("{\"gone_owner\":%d,\"waiter\":%d}", tid, plant_tid(waiter));
}

static void run_chain(void *argument)
{
	const struct place *place = argument;
	pthread_mutex_lock(&ring_lock[place->number]);
	pthread_barrier_wait(&all_hold);
	if (place->number + 1 == place->count)
		pause();
	pthread_mutex_lock(&ring_lock[place->number + 1]);
}

static void chain(void)
{
	static struct place places[4];
	pthread_barrier_init(&all_hold, NULL, 4);
	for (int i = 0; i < 4; i++) {
		places[i] = (struct place){ 0, 4, i, false };
		start("chain", run_chain, &places[i]);
	}
	settle();
}

pthread_cond_t work = PTHREAD_COND_INITIALIZER;

static void run_condition(void *argument)
{
	pthread_mutex_lock(&ring_lock[1]);
	pthread_mutex_lock(argument);
	for (;;)
		pthread_cond_wait(&work, argument);
}

static void condition(void)
{
	start("worker", run_condition, &ring_lock[0]);
	settle();
	start("waiter", run_behind, &ring_lock[1]);
	settle();
}

static void two(void)
{
	ring(0, 2, false);
	ring(2, 3, false);
}

static void ring_of(const char *count)
{
	ring(0, atoi(count), false);
	plant_behind();
}

int main(int count, char **arguments)
{
	static const struct {
		const char *name;
		void (*plant)(void);
	} cases[] = {
		{ "join", pair_join },	    { "rwlock", pair_rwlock }, { "stdio", pair_stdio },
		{ "once", pair_once },	    { "self", self },	       { "two", two },
		{ "gone", gone },	    { "signal", signalled },   { "chain", chain },
		{ "condition", condition }, { "onces", pair_onces },   { "kinds", kinds },
		{ "three", three },	    { "oncer", oncer },
	};
	const char *name = count > 1 ? arguments[1] : "2";
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
		if (strcmp(name, cases[i].name) == 0)
			cases[i].plant();
	if (strcmp(name, "timed") == 0)
		ring(0, 2, true);
	if (name[0] >= '2' && name[0] <= '8')
		ring_of(name);
	plant_done();
}
