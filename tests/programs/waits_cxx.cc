// A thread for every wait of the C++ library.
//
// SPDX-License-Identifier: GPL-3.0-or-later
#include "waits_truth.h"

#include <atomic>
#include <condition_variable>
#include <future>
#include <latch>
#include <mutex>
#include <semaphore>
#include <shared_mutex>
#include <thread>

static std::atomic<int> started;

static int plant(const char *name, void (*run)())
{
	started = 0;
	std::thread([=] {
		truth_name_thread(name);
		started = truth_tid();
		run();
	}).detach();
	while (started == 0)
		plant_pause();
	plant_wait_asleep(started);
	return started;
}

static void tell(const char *wait, int tid, const void *object, const char *symbol, int owner)
{
	truth("{\"wait\":\"%s\",\"tid\":%d,\"object\":\"%p\",\"name\":\"%s\",\"owner\":%d}", wait,
	      tid, object, symbol, owner);
}

std::mutex plain;
std::recursive_mutex recursive;
std::timed_mutex timed;
std::shared_mutex shared;
std::mutex condition_lock;
std::condition_variable condition;
std::once_flag once;
std::promise<int> promise;
std::shared_future<int> future = promise.get_future().share();
std::atomic<int> atomic;
std::binary_semaphore semaphore(0);
std::latch latch(1);

struct slow {
	slow()
	{
		for (;;)
			pause();
	}
};

static void initialise()
{
	static slow object;
	(void)object;
}

int main()
{
	int me = truth_tid();
	plain.lock();
	recursive.lock();
	timed.lock();
	shared.lock();
	tell("mutex", plant("mutex", [] { plain.lock(); }), &plain, "plain", me);
	tell("mutex", plant("recursive", [] { recursive.lock(); }), &recursive, "recursive", me);
	tell("mutex", plant("timed", [] { (void)timed.try_lock_for(std::chrono::hours(5)); }),
	     &timed, "timed", me);
	tell("rwlock (read)", plant("shared", [] { shared.lock_shared(); }), &shared, "shared", me);
	tell("rwlock (write)", plant("exclusive", [] { shared.lock(); }), &shared, "shared", me);
	tell("condition variable",
	     plant("condition",
		   [] {
			   std::unique_lock<std::mutex> lock(condition_lock);
			   condition.wait(lock);
		   }),
	     &condition, "condition", 0);
	int runner = plant("once runner", [] { std::call_once(once, [] { pause(); }); });
	tell("once", plant("once", [] { std::call_once(once, [] { pause(); }); }), &once, "once",
	     runner);
	runner = plant("static runner", initialise);
	tell("static initialisation", plant("static", initialise), nullptr, "guard variable for",
	     runner);
	tell("future", plant("future", [] { future.wait(); }), nullptr, "", 0);
	tell("atomic", plant("atomic", [] { atomic.wait(0); }), &atomic, "atomic", 0);
	tell("semaphore", plant("semaphore", [] { semaphore.acquire(); }), &semaphore, "semaphore",
	     0);
	tell("barrier", plant("latch", [] { latch.wait(); }), &latch, "latch", 0);
	plant_done();
}
