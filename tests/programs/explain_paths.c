/* Chunks with one known way to each: from a global, through structs, from a stack frame, a
 * thread-local variable, a pthread key, a register, and chunks that nothing or only a freed chunk
 * leads to. Each line tells an address, the path to it, and what refers to it.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "truth.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/mman.h>

struct entry {
	long keys[2];
	struct value *value; /* +16 */
	long rest[31];
};

struct value {
	long count;
	char text[40];
};

struct node {
	struct node *next;
	char payload[40];
};

struct cache {
	long generation;
	struct entry *entry; /* +8 */
};

struct cache cache;
struct node *list_head;
struct value *wiped; /* freed, and its pointer kept */
__thread long spacer = 1;
__thread struct value *cached_value;
static pthread_key_t key;
static void **mapping;
int table[4] = { 1, 2, 3, 4 };
int *table_user = &table[2];

/* Tells an address so that neither a register nor the stack keeps it. */
#define HIDDEN(pointer) ((uintptr_t)(pointer))

static struct value *value_new(const char *text)
{
	struct value *value = calloc(1, sizeof *value);
	snprintf(value->text, sizeof value->text, "%s", text);
	return value;
}

__attribute__((noinline)) static void plant_global(void)
{
	cache.entry = calloc(1, sizeof *cache.entry);
	cache.entry->keys[0] = 1;
	cache.entry->value = value_new("by the cache");
	truth("{\"address\":\"0x%lx\",\"state\":\"reachable\",\"path\":["
	      "{\"kind\":\"module\",\"name\":\"cache\",\"offset\":8},"
	      "{\"kind\":\"chunk\",\"chunk_offset\":16}],\"inside\":8}",
	      HIDDEN(&cache.entry->value->text));
	truth("{\"address\":\"0x%lx\",\"state\":\"reachable\",\"path\":["
	      "{\"kind\":\"module\",\"name\":\"cache\",\"offset\":8}],\"inside\":0}",
	      HIDDEN(cache.entry));
}

__attribute__((noinline)) static void plant_list(int length)
{
	struct node *last = NULL;
	for (int i = 0; i < length; i++) {
		struct node *node = calloc(1, sizeof *node);
		if (last == NULL)
			list_head = node;
		else
			last->next = node;
		last = node;
	}
	truth("{\"address\":\"0x%lx\",\"state\":\"reachable\",\"steps\":%d,"
	      "\"path\":[{\"kind\":\"module\",\"name\":\"list_head\",\"offset\":0}],"
	      "\"inside\":8}",
	      HIDDEN(last->payload), length);
}

__attribute__((noinline)) static void plant_mapping(void)
{
	mapping = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (mapping == MAP_FAILED)
		abort();
	mapping[5] = value_new("by a mapping");
	truth("{\"address\":\"0x%lx\",\"state\":\"reachable\",\"path\":["
	      "{\"kind\":\"mapping\",\"at\":\"0x%lx\"}],\"inside\":0}",
	      HIDDEN(mapping[5]), HIDDEN(&mapping[5]));
}

struct ring {
	long payload[5];
	struct ring *peers[2]; /* +40: next and previous, of the places in the nodes */
};

void *ring_place; /* into the middle of one of two nodes that are linked there */
void *middle;	  /* into the middle of a chunk, for no known reason */

__attribute__((noinline)) static void plant_interior(void)
{
	struct ring *first = calloc(1, sizeof *first), *second = calloc(1, sizeof *second);
	first->peers[0] = first->peers[1] = (struct ring *)second->peers;
	second->peers[0] = second->peers[1] = (struct ring *)first->peers;
	ring_place = first->peers;
	truth("{\"address\":\"0x%lx\",\"state\":\"reachable\",\"path\":["
	      "{\"kind\":\"module\",\"name\":\"ring_place\",\"value\":\"0x%lx\"},"
	      "{\"kind\":\"chunk\",\"chunk_offset\":40,\"value\":\"0x%lx\"}],\"inside\":0}",
	      HIDDEN(second), HIDDEN(first->peers), HIDDEN(second->peers));
	struct value *value = value_new("in the middle");
	struct entry *held = calloc(1, sizeof *held);
	held->rest[4] = 0x1234;
	held->value = value;
	/* Of these, one is at the beginning of no cache line. */
	middle = HIDDEN(&held->rest[4]) % 64 != 0 ? &held->rest[4] : &held->rest[5];
	truth("{\"address\":\"0x%lx\",\"state\":\"possible\",\"path\":["
	      "{\"kind\":\"module\",\"name\":\"middle\",\"value\":\"0x%lx\"},"
	      "{\"kind\":\"chunk\",\"chunk_offset\":16}],\"inside\":0}",
	      HIDDEN(value), HIDDEN(middle));
}

__attribute__((noinline)) static void plant_orphans(void)
{
	struct node *head = calloc(1, sizeof *head), *ring = calloc(1, sizeof *ring);
	head->next = calloc(1, sizeof *head);
	head->next->next = calloc(1, sizeof *head);
	truth("{\"address\":\"0x%lx\",\"state\":\"orphaned\",\"head\":\"0x%lx\",\"chunks\":3,"
	      "\"cyclic\":false,\"path\":[],\"structure_path\":[{\"chunk\":\"0x%lx\","
	      "\"chunk_offset\":0},{\"chunk\":\"0x%lx\",\"chunk_offset\":0}],\"inside\":0}",
	      HIDDEN(head->next->next), HIDDEN(head), HIDDEN(head), HIDDEN(head->next));
	truth("{\"address\":\"0x%lx\",\"state\":\"orphaned\",\"head\":\"0x%lx\",\"chunks\":3,"
	      "\"cyclic\":false,\"path\":[],\"structure_path\":[],\"inside\":0}",
	      HIDDEN(head), HIDDEN(head));
	ring->next = calloc(1, sizeof *ring);
	ring->next->next = ring;
	truth("{\"address\":\"0x%lx\",\"state\":\"orphaned\",\"chunks\":2,\"cyclic\":true,"
	      "\"path\":[],\"inside\":0}",
	      HIDDEN(ring->next));
	head = ring = NULL;
}

__attribute__((noinline)) static void plant_freed(void)
{
	wiped = value_new("freed");
	truth("{\"address\":\"0x%lx\",\"state\":\"free\",\"path\":[],\"inside\":0,"
	      "\"cache_tid\":%d,\"referrer\":{\"name\":\"wiped\",\"class\":\"root\"}}",
	      HIDDEN(wiped), truth_tid());
	free(wiped);
}

__attribute__((noinline)) static void plant_thread_local(int tid)
{
	cached_value = value_new("by a thread-local variable");
	spacer++;
	truth("{\"address\":\"0x%lx\",\"state\":\"reachable\",\"path\":["
	      "{\"kind\":\"tls\",\"name\":\"cached_value\",\"offset\":0,\"tid\":%d}],"
	      "\"inside\":0}",
	      HIDDEN(cached_value), tid);
	struct value *by_key = value_new("by a key");
	pthread_setspecific(key, by_key);
	truth("{\"address\":\"0x%lx\",\"state\":\"reachable\",\"path\":["
	      "{\"kind\":\"pthread-key\",\"name\":\"%u\",\"tid\":%d}],\"inside\":0}",
	      HIDDEN(by_key), key, tid);
}

static pthread_barrier_t barrier;

/* The only pointer is a local variable of this frame. */
__attribute__((noinline)) static void hold_in_frame(int tid)
{
	struct value *volatile local = value_new("by a local variable");
	truth("{\"address\":\"0x%lx\",\"state\":\"reachable\",\"path\":["
	      "{\"kind\":\"stack\",\"function\":\"hold_in_frame\",\"tid\":%d,\"at\":\"0x%lx\"}],"
	      "\"inside\":0}",
	      HIDDEN(local), tid, HIDDEN(&local));
	truth("{\"address\":\"0x%lx\",\"place\":{\"kind\":\"stack\",\"tid\":%d,"
	      "\"function\":\"hold_in_frame\"}}",
	      HIDDEN(&local), tid);
	truth_wipe_stack();
	pthread_barrier_wait(&barrier);
	for (;;)
		pause();
	local = NULL;
}

static void *run(void *unused)
{
	truth_name_thread("holder");
	plant_thread_local(truth_tid());
	truth_wipe_stack();
	hold_in_frame(truth_tid());
	return unused;
}

static void tell_places(void)
{
	truth("{\"address\":\"0x%lx\",\"place\":{\"kind\":\"module\",\"name\":\"table\","
	      "\"offset\":4},\"referrer\":{\"name\":\"table_user\",\"class\":\"root\"}}",
	      HIDDEN(&table[1]));
	truth("{\"address\":\"0x%lx\",\"place\":{\"kind\":\"module\",\"name\":\"cache\","
	      "\"offset\":0}}",
	      HIDDEN(&cache));
	truth("{\"address\":\"0x%lx\",\"place\":{\"kind\":\"mapping\"}}", HIDDEN(mapping) + 64);
	truth("{\"address\":\"0x%lx\",\"place\":{\"kind\":\"module\",\"name\":\"plant_list\"}}",
	      HIDDEN(plant_list));
	truth("{\"address\":\"0x10\",\"place\":{\"kind\":\"unmapped\"}}");
	truth("{\"address\":\"0x8000000000000000\",\"place\":{\"kind\":\"not-canonical\"}}");
	truth("{\"address\":\"0x%lx\",\"place\":{\"kind\":\"tls\",\"name\":\"spacer\","
	      "\"tid\":%d,\"offset\":0}}",
	      HIDDEN(&spacer), truth_tid());
}

int main(int argc, char **argv)
{
	pthread_t thread;
	(void)argv;
	pthread_key_create(&key, NULL);
	pthread_barrier_init(&barrier, NULL, 2);
	plant_global();
	plant_list(argc > 1 ? atoi(argv[1]) : 3000);
	plant_mapping();
	plant_interior();
	plant_orphans();
	plant_freed();
	pthread_create(&thread, NULL, run, NULL);
	pthread_barrier_wait(&barrier);
	tell_places();
	truth_wipe_stack();
	truth_ready();
	for (;;)
		pause();
}
