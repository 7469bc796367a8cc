/* The demonstration: a small cache server whose threads deadlock (flush() takes the log's lock
 * before the cache's, refresh() the other way round) and which forgets the requests it has
 * answered. Prints its truth; the end-to-end tests use it too.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "truth.h"

#define WORKERS	 4
#define REQUESTS 400

struct entry {
	struct entry *next;
	char key[24];
	char value[200];
};

struct request {
	struct request *next;
	int number;
	char *text;
};

static pthread_mutex_t cache_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t log_lock = PTHREAD_MUTEX_INITIALIZER;
static struct entry *cache;
static pthread_barrier_t both_hold_one;

static struct {
	pthread_mutex_t lock;
	pthread_cond_t nonempty;
	struct request *first;
} queue = { PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, NULL };

static void fill_cache(void)
{
	for (int i = 0; i < 500; i++) {
		struct entry *entry = calloc(1, sizeof *entry);
		snprintf(entry->key, sizeof entry->key, "key-%d", i);
		snprintf(entry->value, sizeof entry->value, "value of %d", i);
		entry->next = cache;
		cache = entry;
	}
}

/* The bug that leaks: the answered requests are chained to each other, and the chain to nothing. */
__attribute__((noinline)) static void answer_and_forget(void)
{
	struct request *answered = NULL;
	for (int i = 0; i < REQUESTS; i++) {
		struct request *request = malloc(sizeof *request);
		request->next = answered;
		request->number = i;
		request->text = malloc(120);
		snprintf(request->text, 120, "GET /item/%d HTTP/1.1", i);
		answered = request;
	}
	truth("{\"leaked_list\":\"0x%lx\",\"chunks\":%d}", (unsigned long)answered, 2 * REQUESTS);
}

static void pool_wait(void)
{
	pthread_mutex_lock(&queue.lock);
	while (queue.first == NULL)
		pthread_cond_wait(&queue.nonempty, &queue.lock);
	pthread_mutex_unlock(&queue.lock);
}

static void *worker(void *number)
{
	char name[16];
	snprintf(name, sizeof name, "worker-%d", (int)(intptr_t)number);
	truth_name_thread(name);
	truth("{\"wait\":\"condition variable\",\"tid\":%d,\"object\":\"0x%lx\"}", truth_tid(),
	      (unsigned long)&queue.nonempty);
	for (;;)
		pool_wait();
	return NULL;
}

/* Takes the log's lock, then wants the cache's. */
static void *flush(void *main_tid)
{
	truth_name_thread("flusher");
	truth("{\"wait\":\"mutex\",\"tid\":%d,\"object\":\"0x%lx\",\"owner\":%d}", truth_tid(),
	      (unsigned long)&cache_lock, *(int *)main_tid);
	truth("{\"wait\":\"mutex\",\"tid\":%d,\"object\":\"0x%lx\",\"owner\":%d}", *(int *)main_tid,
	      (unsigned long)&log_lock, truth_tid());
	pthread_mutex_lock(&log_lock);
	pthread_barrier_wait(&both_hold_one);
	pthread_mutex_lock(&cache_lock);
	pthread_mutex_unlock(&cache_lock);
	pthread_mutex_unlock(&log_lock);
	return NULL;
}

/* Takes the cache's lock, then wants the log's. */
static void refresh(void)
{
	pthread_mutex_lock(&cache_lock);
	pthread_barrier_wait(&both_hold_one);
	pthread_mutex_lock(&log_lock);
	pthread_mutex_unlock(&log_lock);
	pthread_mutex_unlock(&cache_lock);
}

/* One more thread that queues behind the deadlock. */
static void *reader(void *unused)
{
	(void)unused;
	truth_name_thread("reader");
	sleep(1);
	truth("{\"wait\":\"mutex\",\"tid\":%d,\"object\":\"0x%lx\"}", truth_tid(),
	      (unsigned long)&cache_lock);
	truth_ready();
	pthread_mutex_lock(&cache_lock);
	return NULL;
}

int main(void)
{
	int tid = truth_tid();
	fill_cache();
	answer_and_forget();
	truth_wipe_stack();
	pthread_barrier_init(&both_hold_one, NULL, 2);
	pthread_t thread;
	for (intptr_t i = 0; i < WORKERS; i++)
		pthread_create(&thread, NULL, worker, (void *)i);
	pthread_create(&thread, NULL, reader, NULL);
	pthread_create(&thread, NULL, flush, &tid);
	refresh();
	return 0;
}
