// waits_deadlock_cxx CASE: deadlocks with the initialisation of static variables.
//
//     mutex   a mutex, and a static variable whose constructor wants it
//     two     two static variables, each of whose constructors wants the other
//     own     a static variable whose constructor wants itself
//     three   static variable, write lock, mutex
//     five    static variable, write lock, stream, call_once, join
//
// SPDX-License-Identifier: GPL-3.0-or-later
#include "waits_truth.h"

#include <mutex>
#include <shared_mutex>

static struct planted planted[5];
static std::mutex table_lock;
static pthread_barrier_t both;

struct wants_lock {
	wants_lock()
	{
		table_lock.lock();
	}
};

static wants_lock &table()
{
	static wants_lock instance;
	return instance;
}

struct first;
struct second;
static second &the_second();
static first &the_first();

struct first {
	first()
	{
		pthread_barrier_wait(&both);
		the_second();
	}
};

struct second {
	second()
	{
		pthread_barrier_wait(&both);
		the_first();
	}
};

static first &the_first()
{
	static first instance;
	return instance;
}

static second &the_second()
{
	static second instance;
	return instance;
}

static std::shared_mutex shared_lock;
static std::once_flag once;
static pthread_barrier_t all_hold;

// A constructor that comes back to its own variable, through a pointer that hides it.
static void (*again)();

struct itself {
	itself()
	{
		again();
	}
};

static void the_own()
{
	static itself instance;
	(void)instance;
}

static void run_own(void *)
{
	again = the_own;
	the_own();
}

// Each holds its own when all have come, and then wants the next one's.

struct wants_shared {
	wants_shared()
	{
		pthread_barrier_wait(&all_hold);
		shared_lock.lock_shared();
	}
};

static wants_shared &settings()
{
	static wants_shared instance;
	return instance;
}

static void hold_static(void *)
{
	settings();
}

static void hold_shared_want_mutex(void *)
{
	shared_lock.lock();
	pthread_barrier_wait(&all_hold);
	table_lock.lock();
}

static void hold_mutex_want_static(void *)
{
	table_lock.lock();
	pthread_barrier_wait(&all_hold);
	settings();
}

static void hold_shared_want_stream(void *)
{
	shared_lock.lock();
	pthread_barrier_wait(&all_hold);
	flockfile(stderr);
}

static void hold_stream_want_once(void *)
{
	flockfile(stderr);
	pthread_barrier_wait(&all_hold);
	std::call_once(once, [] {});
}

static void hold_once_want_end(void *)
{
	std::call_once(once, [] {
		pthread_barrier_wait(&all_hold);
		pthread_join(planted[4].thread, nullptr);
	});
}

static void want_static(void *)
{
	pthread_barrier_wait(&all_hold);
	settings();
}

static void plant_ring(void (*const runs[])(void *), int count)
{
	char tids[100] = "";
	pthread_barrier_init(&all_hold, NULL, (unsigned)count);
	for (int i = 0; i < count; i++)
		plant_start(&planted[i], "kind", runs[i], NULL);
	for (int i = 0; i < count; i++) {
		plant_wait_asleep(plant_tid(&planted[i]));
		snprintf(tids + strlen(tids), sizeof tids - strlen(tids), "%s%d", i == 0 ? "" : ",",
			 plant_tid(&planted[i]));
	}
	truth("{\"deadlock\":[%s],\"timed\":false}", tids);
	plant_done();
}

static void run_table(void *)
{
	table();
}

static void run_first(void *)
{
	the_first();
}

static void run_second(void *)
{
	the_second();
}

static void tell(int one, int other)
{
	truth("{\"deadlock\":[%d,%d],\"timed\":false}", one, other);
	truth_ready();
}

int main(int count, char **arguments)
{
	if (count > 1 && strcmp(arguments[1], "mutex") == 0) {
		table_lock.lock();
		int other = plant_asleep(&planted[0], "initialiser", run_table, NULL);
		tell(truth_tid(), other);
		table();
	}
	if (count > 1 && strcmp(arguments[1], "own") == 0) {
		int tid = plant_asleep(&planted[0], "own", run_own, NULL);
		truth("{\"deadlock\":[%d],\"timed\":false}", tid);
		plant_done();
	}
	static void (*const three[])(void *) = { hold_static, hold_shared_want_mutex,
						 hold_mutex_want_static };
	static void (*const five[])(void *) = { hold_static, hold_shared_want_stream,
						hold_stream_want_once, hold_once_want_end,
						want_static };
	if (count > 1 && strcmp(arguments[1], "three") == 0)
		plant_ring(three, 3);
	if (count > 1 && strcmp(arguments[1], "five") == 0)
		plant_ring(five, 5);
	pthread_barrier_init(&both, NULL, 2);
	plant_start(&planted[0], "first", run_first, NULL);
	plant_start(&planted[1], "second", run_second, NULL);
	plant_wait_asleep(plant_tid(&planted[0]));
	plant_wait_asleep(plant_tid(&planted[1]));
	tell(plant_tid(&planted[0]), plant_tid(&planted[1]));
	plant_done();
}
