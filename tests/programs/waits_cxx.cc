// A thread for every wait of the C++ library.
//
// SPDX-License-Identifier: GPL-3.0-or-later
#include "waits_truth.h"

#include <atomic>
#include <condition_variable>
#include <future>
#include <mutex>
#include <shared_mutex>
#include <thread>
#if __has_include(<latch>) // since GCC 11
#include <barrier>
#include <latch>
#include <semaphore>
#define WITH_ATOMIC_WAITS
#endif

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
#ifdef WITH_ATOMIC_WAITS
std::atomic<int> atomic;
std::binary_semaphore semaphore(0);
std::latch latch(1);
std::barrier<> barrier(2);
std::atomic<long> wide;
std::atomic_flag flag;
std::counting_semaphore<8> counting(0);
#endif
std::shared_timed_mutex shared_timed;
std::recursive_timed_mutex recursive_timed;
std::condition_variable_any any_condition;
std::mutex any_lock;
std::promise<int> late;
std::shared_future<int> late_future = late.get_future().share();

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
#ifdef WITH_ATOMIC_WAITS
	tell("atomic", plant("atomic", [] { atomic.wait(0); }), &atomic, "atomic", 0);
	tell("semaphore", plant("semaphore", [] { semaphore.acquire(); }), &semaphore, "semaphore",
	     0);
	tell("latch", plant("latch", [] { latch.wait(); }), &latch, "latch", 0);
	/* Its state lies on the heap; of what libstdc++ waits for by a slot of its own pool, or
	 * through a proxy, the object is not told. */
	tell("barrier", plant("barrier", [] { barrier.arrive_and_wait(); }), nullptr, "", 0);
	tell("atomic", plant("atomic long", [] { wide.wait(0); }), nullptr, "", 0);
	tell("atomic", plant("atomic flag", [] { flag.wait(false); }), nullptr, "", 0);
	tell("semaphore",
	     plant("counting", [] { (void)counting.try_acquire_for(std::chrono::hours(5)); }),
	     nullptr, "", 0);
#endif
	shared_timed.lock();
	recursive_timed.lock();
	tell("rwlock (read)",
	     plant("shared timed",
		   [] { (void)shared_timed.try_lock_shared_for(std::chrono::hours(5)); }),
	     &shared_timed, "shared_timed", me);
	tell("rwlock (write)",
	     plant("exclusive timed",
		   [] { (void)shared_timed.try_lock_for(std::chrono::hours(5)); }),
	     &shared_timed, "shared_timed", me);
	tell("mutex",
	     plant("recursive timed",
		   [] { (void)recursive_timed.try_lock_for(std::chrono::hours(5)); }),
	     &recursive_timed, "recursive_timed", me);
	tell("condition variable",
	     plant("any",
		   [] {
			   std::unique_lock<std::mutex> lock(any_lock);
			   any_condition.wait(lock);
		   }),
	     nullptr, "", 0);
	tell("condition variable",
	     plant("wait_for",
		   [] {
			   std::unique_lock<std::mutex> lock(condition_lock);
			   condition.wait_for(lock, std::chrono::hours(5));
		   }),
	     &condition, "condition", 0);
	tell("future",
	     plant("future timed", [] { (void)late_future.wait_for(std::chrono::hours(5)); }),
	     nullptr, "", 0);
	static int thread_tid;
	thread_tid = 0;
	static std::thread sleeper([] {
		__atomic_store_n(&thread_tid, truth_tid(), __ATOMIC_SEQ_CST);
		for (;;)
			pause();
	});
	while (__atomic_load_n(&thread_tid, __ATOMIC_SEQ_CST) == 0)
		plant_pause();
	tell("join", plant("join", [] { sleeper.join(); }), nullptr, "", thread_tid);
	plant_done();
}
