// waits_deadlock_cxx CASE: deadlocks with the initialisation of static variables.
//
//     mutex   a mutex, and a static variable whose constructor wants it
//     two     two static variables, each of whose constructors wants the other
//
// SPDX-License-Identifier: GPL-3.0-or-later
#include "waits_truth.h"

#include <mutex>

static struct planted planted[2];
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
	pthread_barrier_init(&both, NULL, 2);
	plant_start(&planted[0], "first", run_first, NULL);
	plant_start(&planted[1], "second", run_second, NULL);
	plant_wait_asleep(plant_tid(&planted[0]));
	plant_wait_asleep(plant_tid(&planted[1]));
	tell(plant_tid(&planted[0]), plant_tid(&planted[1]));
	plant_done();
}
