/* waits_held CASE: locks that are held, and who is held up.
 *
 *     held     locks that are held and that nobody waits for, in data, heap, stack and a mapping;
 *              and what looks like some
 *     convoy   threads behind a thread that sleeps, some of them behind others
 *     readers  threads that wait for an rwlock that two threads read
 *     stall    every thread waits for another one's wake-up
 *     idle     the same, but one thread polls
 *     writer   a thread waits for the write lock of an rwlock that it reads itself
 *     reader   the same, but another thread that sleeps may be the reader
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "waits_truth.h"

#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <semaphore.h>

static struct planted planted[64];
static size_t used;

static struct planted *start(const char *name, void (*run)(void *), void *argument)
{
	struct planted *thread = &planted[used++];
	plant_asleep(thread, name, run, argument);
	return thread;
}

/* --- held */

pthread_mutex_t data_lock = PTHREAD_MUTEX_INITIALIZER;
pthread_mutex_t free_lock = PTHREAD_MUTEX_INITIALIZER;
pthread_rwlock_t written = PTHREAD_RWLOCK_INITIALIZER;
pthread_rwlock_t unwritten = PTHREAD_RWLOCK_INITIALIZER;
pthread_mutex_t look_alikes[8];
pthread_mutex_t kinds[6];
int32_t words[16];

static void tell_held(const char *kind, const void *object, int owner)
{
	truth("{\"held\":\"%s\",\"object\":\"%p\",\"owner\":%d}", kind, object, owner);
}

static void tell_free(const void *object)
{
	truth("{\"free\":\"%p\"}", object);
}

static void make_kinds(void)
{
	for (int i = 0; i < 6; i++) {
		pthread_mutexattr_t attributes;
		pthread_mutexattr_init(&attributes);
		if (i < 3)
			pthread_mutexattr_settype(&attributes, i + 1);
		if (i == 3 || i == 5)
			pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
		if (i == 4 || i == 5)
			pthread_mutexattr_setprotocol(&attributes, PTHREAD_PRIO_INHERIT);
		pthread_mutex_init(&kinds[i], &attributes);
		pthread_mutex_lock(&kinds[i]);
		tell_held("mutex", &kinds[i], truth_tid());
	}
	pthread_mutex_lock(&kinds[0]); /* the recursive one */
}

/* Locked and then spoiled, so that one word of each does not agree with the others. */
static void make_look_alikes(void)
{
	for (int i = 0; i < 8; i++) {
		pthread_mutex_init(&look_alikes[i], NULL);
		pthread_mutex_lock(&look_alikes[i]);
		tell_free(&look_alikes[i]);
	}
	look_alikes[0].__data.__lock = 0;
	look_alikes[1].__data.__lock = 3;
	look_alikes[2].__data.__owner = getpid() + 1000000;
	look_alikes[3].__data.__nusers = 0;
	look_alikes[4].__data.__kind = 0x1000;
	look_alikes[5].__data.__count = 7;
	look_alikes[6].__data.__list.__next = (void *)&look_alikes[6];
	look_alikes[7].__data.__spins = 5;
	words[0] = words[2] = words[4] = truth_tid();
	words[1] = words[3] = words[5] = 1;
	tell_free(words);
}

__attribute__((noinline)) static void leave_on_dead_stack(void)
{
	volatile char room[2000];
	pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	memset((char *)room, 0, sizeof room);
	pthread_mutex_lock(&lock);
	tell_free(&lock);
}

static void hold_on_stack(void *argument)
{
	pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	(void)argument;
	pthread_mutex_lock(&lock);
	tell_held("mutex", &lock, truth_tid());
	for (;;)
		pause();
}

static void held(void)
{
	int me = truth_tid();
	pthread_mutex_lock(&data_lock);
	tell_held("mutex", &data_lock, me);
	pthread_mutex_lock(&free_lock);
	pthread_mutex_unlock(&free_lock);
	tell_free(&free_lock);
	pthread_rwlock_wrlock(&written);
	tell_held("rwlock", &written, me);
	pthread_rwlock_wrlock(&unwritten);
	pthread_rwlock_unlock(&unwritten);
	pthread_rwlock_rdlock(&unwritten);
	tell_free(&unwritten);
	make_kinds();
	make_look_alikes();

	static pthread_mutex_t *heap_lock;
	heap_lock = calloc(1, 100);
	pthread_mutex_lock(heap_lock);
	tell_held("mutex", heap_lock, me);
	pthread_mutex_t *freed = calloc(1, 3000);
	pthread_mutex_lock(freed + 2);
	tell_free(freed + 2);
	free(freed);
	pthread_mutex_t *mapped =
	    mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	pthread_mutex_lock(mapped + 8);
	tell_held("mutex", mapped + 8, me);
	flockfile(stdin);
	tell_held("stdio lock", stdin, me);
	start("holder", hold_on_stack, NULL);
	leave_on_dead_stack();
}

/* --- who is held up */

static void lock_mutex(void *argument)
{
	pthread_mutex_lock(argument);
}

static void lock_both(void *argument)
{
	pthread_mutex_lock(argument);
	pthread_mutex_lock(&data_lock);
}

static void convoy(void)
{
	pthread_mutex_lock(&data_lock);
	for (int i = 0; i < 20; i++)
		start("behind", lock_mutex, &data_lock);
	start("middle", lock_both, &free_lock);
	for (int i = 0; i < 3; i++)
		start("far behind", lock_mutex, &free_lock);
	truth("{\"head\":%d,\"object\":\"%p\",\"count\":24}", truth_tid(), (void *)&data_lock);
	truth_ready();
	for (;;)
		sleep(1000);
}

static void lock_write(void *argument)
{
	pthread_rwlock_wrlock(argument);
}

static void read_and_sleep(void *argument)
{
	/* To unlock by. */
	void *volatile lock = argument;
	pthread_rwlock_rdlock(lock);
	for (;;)
		pause();
}

static void readers(void)
{
	pthread_rwlock_rdlock(&written);
	int tid = plant_tid(start("reader", read_and_sleep, &written));
	truth("{\"reader\":%d}", tid);
	for (int i = 0; i < 4; i++)
		start("writer", lock_write, &written);
	truth("{\"head\":0,\"object\":\"%p\",\"count\":4}", (void *)&written);
}

/* --- suspicions */

pthread_cond_t never = PTHREAD_COND_INITIALIZER;
sem_t empty;

static void wait_condition(void *argument)
{
	pthread_mutex_lock(argument);
	for (;;)
		pthread_cond_wait(&never, argument);
}

static void wait_polling(void *argument)
{
	struct pollfd in = { .fd = *(int *)argument, .events = POLLIN };
	for (;;)
		poll(&in, 1, -1);
}

static void stalled(void)
{
	for (int i = 0; i < 3; i++)
		start("worker", wait_condition, &data_lock);
	sem_init(&empty, 0, 0);
}

static void stall(void)
{
	stalled();
	truth("{\"suspicion\":\"stall\",\"count\":4}");
	truth_ready();
	for (;;)
		sem_wait(&empty);
}

static void wake(int number)
{
	(void)number;
	sem_post(&empty);
}

/* A handler is to wake the only thread. What a core cannot tell is suspected there. */
static void handled(void)
{
	sem_init(&empty, 0, 0);
	signal(SIGALRM, wake);
	alarm(86400);
	truth("{\"suspicion\":\"stall\",\"count\":1,\"core_only\":true}");
	truth_ready();
	for (;;)
		sem_wait(&empty);
}

/* Handlers of what goes wrong wake nobody. */
static void unhandled(void)
{
	sem_init(&empty, 0, 0);
	signal(SIGSEGV, wake);
	truth("{\"suspicion\":\"stall\",\"count\":1}");
	truth_ready();
	for (;;)
		sem_wait(&empty);
}

static void by_timer(union sigval value)
{
	(void)value;
	sem_post(&empty);
}

/* A thread of libc's own waits for the timer. */
static void timer(void)
{
	struct sigevent event = { .sigev_notify = SIGEV_THREAD, .sigev_notify_function = by_timer };
	struct itimerspec tomorrow = { .it_value = { .tv_sec = 86400 } };
	timer_t created;
	sem_init(&empty, 0, 0);
	if (timer_create(CLOCK_MONOTONIC, &event, &created) != 0 ||
	    timer_settime(created, 0, &tomorrow, NULL) != 0)
		abort();
	truth_ready();
	for (;;)
		sem_wait(&empty);
}

/* Another process may post what both share. */
static void shared(void)
{
	static sem_t *semaphore;
	semaphore = mmap(NULL, sizeof *semaphore, PROT_READ | PROT_WRITE,
			 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (semaphore == MAP_FAILED || sem_init(semaphore, 1, 0) != 0)
		abort();
	truth_ready();
	for (;;)
		sem_wait(semaphore);
}

static void wait_timed(void *argument)
{
	struct timespec tomorrow = plant_tomorrow(CLOCK_REALTIME);
	pthread_mutex_lock(argument);
	for (;;)
		pthread_cond_timedwait(&never, argument, &tomorrow);
}

static void timed(void)
{
	stalled();
	start("timed", wait_timed, &data_lock);
	truth_ready();
	for (;;)
		sem_wait(&empty);
}

static void idle(void)
{
	static int pipe_ends[2];
	if (pipe(pipe_ends) != 0)
		abort();
	stalled();
	start("polls", wait_polling, &pipe_ends[0]);
	truth_ready();
	for (;;)
		sem_wait(&empty);
}

static void write_own(void)
{
	pthread_rwlock_rdlock(&written);
	truth_ready();
	pthread_rwlock_wrlock(&written);
	for (;;)
		pause();
}

static void writer(void)
{
	start("worker", wait_condition, &data_lock);
	truth("{\"suspicion\":\"own read lock\",\"count\":1}");
	write_own();
}

static void reader(void)
{
	start("reader", read_and_sleep, &written);
	write_own();
}

int main(int count, char **arguments)
{
	static const struct {
		const char *name;
		void (*plant)(void);
	} cases[] = {
		{ "held", held },     { "convoy", convoy },   { "readers", readers },
		{ "stall", stall },   { "idle", idle },	      { "writer", writer },
		{ "reader", reader }, { "handled", handled }, { "unhandled", unhandled },
		{ "timer", timer },   { "shared", shared },   { "timed", timed },
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
		if (count > 1 && strcmp(arguments[1], cases[i].name) == 0)
			cases[i].plant();
	plant_done();
}
