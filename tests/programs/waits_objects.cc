// Mutexes wherever memory can be: on the heap, in an object with a vtable, in a chunk that is a
// mapping of its own, in a thread's arena, on a stack, in thread-local storage, in an array. Each
// line tells what the lock has to be called.
//
// SPDX-License-Identifier: GPL-3.0-or-later
#include "waits_truth.h"

#include <malloc.h>

struct item {
	long before[3];
	pthread_mutex_t lock;
};

class account
{
      public:
	virtual ~account()
	{
	}
	long balance = 0;
	pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
};

static thread_local pthread_mutex_t local_lock = PTHREAD_MUTEX_INITIALIZER;
static item table[4];
static pthread_cond_t condition = PTHREAD_COND_INITIALIZER;

static void lock(void *mutex)
{
	pthread_mutex_lock((pthread_mutex_t *)mutex);
}

// Keeps the mutex locked, and has a thread wait for it.
static int plant(planted *waiter, pthread_mutex_t *mutex)
{
	pthread_mutex_lock(mutex);
	return plant_asleep(waiter, "waiter", lock, mutex);
}

static void tell(int tid, const void *object, const char *called)
{
	truth("{\"wait\":\"mutex\",\"tid\":%d,\"object\":\"%p\",\"called\":\"%s\"}", tid, object,
	      called);
}

static void tell_chunk(int tid, const void *object, void *chunk, const char *more)
{
	char called[160];
	snprintf(called, sizeof called, "+%zu of %zu-byte chunk %p%s",
		 (size_t)((const char *)object - (const char *)chunk), malloc_usable_size(chunk),
		 chunk, more);
	tell(tid, object, called);
}

// In a thread, whose chunks come from an arena of its own.
static void in_thread(void *)
{
	static planted waiter;
	item *made = (item *)calloc(1, sizeof *made);
	int tid = plant(&waiter, &made->lock);
	tell_chunk(tid, &made->lock, made, "");
	for (;;)
		pause();
}

static void on_condition(void *)
{
	pthread_mutex_t own = PTHREAD_MUTEX_INITIALIZER;
	pthread_mutex_lock(&own);
	pthread_cond_wait(&condition, &own);
}

static void on_stack()
{
	static planted waiters[2];
	item items[3] = {};
	char called[200];
	for (int i = 1; i < 3; i++) {
		int tid = plant(&waiters[i - 1], &items[i].lock);
		snprintf(called, sizeof called, " on_stack, variable items[%d].lock", i);
		tell(tid, &items[i].lock, called);
	}
	static planted thread, sleeper;
	plant_asleep(&thread, "in thread", in_thread, NULL);
	int tid = plant_asleep(&sleeper, "sleeper", on_condition, NULL);
	truth("{\"wait\":\"condition variable\",\"tid\":%d,\"object\":\"%p\",\"called\":"
	      "\"<condition>\",\"mutex_called\":\" on_condition, variable own)\"}",
	      tid, (void *)&condition);
	plant_done();
}

int main()
{
	static planted waiters[5];
	item *made = (item *)calloc(1, sizeof *made);
	item *large = (item *)calloc(1, 400000);
	account *object = new account;
	tell_chunk(plant(&waiters[0], &made->lock), &made->lock, made, "");
	tell_chunk(plant(&waiters[1], &large->lock), &large->lock, large, "");
	tell_chunk(plant(&waiters[2], &object->lock), &object->lock, object,
		   ", class account (vtable)");
	tell(plant(&waiters[3], &local_lock), &local_lock, "thread-local <local_lock> of ");
	tell(plant(&waiters[4], &table[2].lock), &table[2].lock, "<table>+152");
	on_stack();
}
