/* Roots of every kind, each of which holds structures alone, and some that share: tells exactly
 * how many chunks and usable bytes each holds.
 *
 * What is to be held by one root only is built in a thread that is gone afterwards, or in a frame
 * below which the stack is wiped, so that no copy of a pointer is left anywhere else.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "truth.h"

#include <malloc.h>
#include <semaphore.h>

struct node {
	struct node *next, *other;
	char load[40];
};

struct sum {
	size_t chunks, bytes;
};

/* Not static: what is only written would be left out. */
struct node *list;	   /* a chain */
struct node *graph;	   /* cycles, pointers into the midst of chunks */
void *table[1000];	   /* every third slot is used */
struct node *first, *last; /* the two ends of a doubly linked list */
struct node *left, *right; /* meet in one chunk with a chain behind it */
char *interior;		   /* points behind a header in a large chunk */
__thread struct node *thread_local_list;
static pthread_key_t key;
static uintptr_t disguised; /* for the register: every bit flipped */
static sem_t ready;

static void *take(size_t size, struct sum *sum)
{
	void *chunk = calloc(1, size);
	if (chunk == NULL)
		abort();
	sum->chunks++;
	sum->bytes += malloc_usable_size(chunk);
	return chunk;
}

__attribute__((noinline)) static struct node *chain(size_t count, struct sum *sum)
{
	struct node *head = NULL;
	while (count-- > 0) {
		struct node *node = take(sizeof *node + count % 7 * 16, sum);
		node->next = head;
		head = node;
	}
	return head;
}

static void tell_symbol(const char *symbol, const struct sum *sum)
{
	truth("{\"retained\":\"symbol\",\"symbol\":\"%s\",\"tid\":null,\"chunks\":%zu,"
	      "\"bytes\":%zu}",
	      symbol, sum->chunks, sum->bytes);
}

static void build_graph(void)
{
	struct sum sum = { 0 };
	struct node *nodes[100];
	for (size_t i = 0; i < 100; i++)
		nodes[i] = take(sizeof *nodes[i], &sum);
	for (size_t i = 0; i < 100; i++) {
		nodes[i]->next = nodes[(i * 7 + 3) % 100];
		nodes[i]->other = (struct node *)((char *)nodes[(i + 1) % 100] + 16);
	}
	graph = nodes[0];
	tell_symbol("graph", &sum);
}

static void build_table(void)
{
	struct sum sum = { 0 };
	for (size_t i = 0; i < 1000; i += 3)
		table[i] = take(16 + i, &sum);
	/* Between neighbours of one root there may be any number of pointers. */
	for (size_t i = 0; i + 3 < 1000; i += 3)
		*(void **)table[i] = table[i + 3];
	tell_symbol("table", &sum);
}

static void tell_shared(const void *head, const struct sum *sum, const char *holders)
{
	truth("{\"shared\":\"%p\",\"chunks\":%zu,\"bytes\":%zu,\"holders\":[%s]}", head,
	      sum->chunks, sum->bytes, holders);
}

/* Each node is led to from both ends; what hangs on it is its own. */
static void build_doubly_linked(void)
{
	struct sum all = { 0 };
	for (size_t i = 0; i < 50; i++) {
		struct sum sum = { 0 };
		struct node *node = take(sizeof *node, &sum);
		void *load = take(100000 + i * 1000, &sum);
		memcpy(node->load, &load, sizeof load);
		node->other = last;
		if (last != NULL)
			last->next = node;
		else
			first = node;
		last = node;
		all.chunks += sum.chunks;
		all.bytes += sum.bytes;
		if (i == 25) /* in the midst: its neighbours lead to it */
			tell_shared(node, &sum, "");
	}
	truth("{\"shared_all\":true,\"chunks\":%zu,\"bytes\":%zu}", all.chunks, all.bytes);
}

static void build_meeting(void)
{
	struct sum on_left = { 0 }, on_right = { 0 }, both = { 0 };
	left = chain(10, &on_left);
	right = chain(20, &on_right);
	struct node *meeting = take(1000000, &both);
	meeting->next = chain(30, &both);
	left->other = meeting;
	right->next->other = meeting;
	tell_symbol("left", &on_left);
	tell_symbol("right", &on_right);
	tell_shared(meeting, &both, "\"<left>\",\"<right>\"");
	truth("{\"shared_all\":true,\"chunks\":%zu,\"bytes\":%zu}", both.chunks, both.bytes);
}

static void build_interior(void)
{
	struct sum sum = { 0 };
	char *chunk = take(300000, &sum); /* mmapped */
	struct node *behind = chain(5, &sum);
	memcpy(chunk + 299992, &behind, sizeof behind);
	interior = chunk + 16;
	tell_symbol("interior", &sum);
}

/* glibc's own chunk of each thread, the dtv: 2.31's start_thread has it on its stack, too. */
static void tell_dtv(void)
{
	char *dtv;
	__asm__("mov %%fs:8, %0" : "=r"(dtv));
	truth("{\"dtv_bytes\":%zu}", malloc_usable_size(dtv - 16));
}

static void *build(void *unused)
{
	struct sum sum = { 0 }, in_register = { 0 };
	(void)unused;
	tell_dtv();
	list = chain(5000, &sum);
	tell_symbol("list", &sum);
	build_graph();
	build_table();
	build_doubly_linked();
	build_meeting();
	build_interior();
	disguised = ~(uintptr_t)chain(40, &in_register);
	truth("{\"retained\":\"register\",\"symbol\":\"r12\",\"register\":true,\"chunks\":%zu,"
	      "\"bytes\":%zu}",
	      in_register.chunks, in_register.bytes);
	return NULL;
}

__attribute__((noinline)) static void build_local(struct node **local, size_t count)
{
	struct sum sum = { 0 };
	*local = chain(count, &sum);
	truth("{\"retained\":\"frame\",\"function\":\"hold_in_frame\",\"tid\":%d,\"chunks\":%zu,"
	      "\"bytes\":%zu}",
	      truth_tid(), sum.chunks, sum.bytes);
}

__attribute__((noinline)) static void build_thread_local(size_t count)
{
	struct sum sum = { 0 };
	thread_local_list = chain(count, &sum);
	truth("{\"retained\":\"thread-local\",\"symbol\":\"thread_local_list\",\"tid\":%d,"
	      "\"chunks\":%zu,\"bytes\":%zu}",
	      truth_tid(), sum.chunks, sum.bytes);
}

__attribute__((noinline)) static void build_specific(size_t count)
{
	struct sum sum = { 0 };
	pthread_setspecific(key, chain(count, &sum));
	truth("{\"retained\":\"thread-specific\",\"tid\":%d,\"chunks\":%zu,\"bytes\":%zu}",
	      truth_tid(), sum.chunks, sum.bytes);
}

__attribute__((noinline)) static void wait_for_ever(void)
{
	sem_post(&ready);
	for (;;)
		pause();
}

__attribute__((noinline)) static void hold_in_frame(size_t count)
{
	struct node *volatile local = NULL;
	build_local((struct node **)&local, count);
	truth_wipe_stack();
	wait_for_ever();
	__asm__ volatile("" : : "m"(local));
}

__attribute__((noinline)) static void build_own(size_t count)
{
	build_thread_local(count + 1);
	build_specific(count + 2);
}

static void *hold(void *argument)
{
	size_t count = (size_t)argument;
	build_own(count);
	truth_wipe_stack();
	hold_in_frame(count + 3);
	return NULL;
}

static void *hold_in_register(void *unused)
{
	(void)unused;
	truth("{\"register_tid\":%d}", truth_tid());
	sem_post(&ready);
	truth_wipe_stack();
	__asm__ volatile("movq %0, %%r12\n\tnotq %%r12\n1:\tpause\n\tjmp 1b"
			 :
			 : "m"(disguised)
			 : "r12");
	return NULL;
}

int main(void)
{
	pthread_t builder, threads[4];
	sem_init(&ready, 0, 0);
	pthread_key_create(&key, NULL);
	pthread_create(&builder, NULL, build, NULL);
	pthread_join(builder, NULL);
	for (size_t i = 0; i < 3; i++) {
		pthread_create(&threads[i], NULL, hold, (void *)(100 * (i + 1)));
		sem_wait(&ready);
	}
	pthread_create(&threads[3], NULL, hold_in_register, NULL);
	sem_wait(&ready);
	usleep(20000);
	truth_ready();
	for (;;)
		pause();
}
