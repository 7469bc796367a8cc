/* hostile_heap: a heap that has a little of everything malloc builds, for tests that damage it in a
 * core: all kinds of free lists, a thread arena of two heaps and one of a single heap, mmapped
 * chunks plain, aligned and grown, tcaches, and structures that lead through all of them.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#define _GNU_SOURCE
#include "truth.h"

#include <malloc.h>

#define NODES	    40
#define SMALL	    120
#define HUGE_BLOCKS 720 /* of 96 KB: more than one heap of 64 MB */

struct node {
	struct node *next;
	char text[40];
};

static struct node *kept[3];
static void *volatile many[3][SMALL];
static void *volatile grown[HUGE_BLOCKS];
static void *volatile mapped[4];
static pthread_barrier_t turn;

static void *launder(void *pointer)
{
	__asm__ volatile("" : "+r"(pointer));
	return pointer;
}

static struct node *list_new(void)
{
	struct node *list = NULL;
	for (int i = 0; i < NODES; i++) {
		struct node *node = malloc(sizeof *node);
		snprintf(node->text, sizeof node->text, "node %d of a list", i);
		node->next = list;
		list = node;
	}
	return list;
}

/* Free lists of all kinds: tcache, fastbins, unsorted, small and large bins. */
static void use_heap(int number)
{
	kept[number] = list_new();
	launder(list_new());
	for (int i = 0; i < SMALL; i++)
		many[number][i] = malloc((size_t)(24 + i * 37 % 3000));
	for (int i = 0; i < SMALL; i += 3)
		free(launder(many[number][i]));
	launder(malloc(5000)); /* sorts what is free into its bins */
	void *fast[20];
	for (int i = 0; i < 20; i++)
		fast[i] = malloc(56);
	launder(malloc(56));
	for (int i = 0; i < 20; i++)
		free(launder(fast[i]));
	for (int i = 1; i < SMALL; i += 9)
		free(launder(many[number][i]));
}

static void *work(void *argument)
{
	const int number = (int)(intptr_t)argument;
	for (int i = 0; number == 1 && i < HUGE_BLOCKS; i++)
		grown[i] = malloc(96 * 1024);
	use_heap(number);
	pthread_barrier_wait(&turn);
	for (;;)
		pause();
	return NULL;
}

int main(void)
{
	pthread_t thread;
	pthread_barrier_init(&turn, NULL, 2);
	mallopt(M_MMAP_THRESHOLD, 128 * 1024);
	use_heap(0);
	for (int i = 1; i < 3; i++) {
		pthread_create(&thread, NULL, work, (void *)(intptr_t)i);
		pthread_barrier_wait(&turn);
	}
	mapped[0] = malloc(200 * 1024);
	mapped[1] = memalign(64 * 1024, 300 * 1024);
	mapped[2] = realloc(malloc(150 * 1024), 700 * 1024);
	mapped[3] = malloc(1 << 20);
	truth_ready();
	for (;;)
		pause();
}
