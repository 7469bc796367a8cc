/* Plants orphans of every shape, in the main arena, in threads' arenas and in mmapped chunks, among
 * live neighbours. Truth, one line for each chunk:
 *     {"orphan":"0x…","size":N,"shape":"list","head":"0x…"}   of a structure whose head is `head`
 *     {"live":"0x…","size":N,"why":"…"}
 * and one for each structure:
 *     {"structure":"0x…","chunks":N,"bytes":N,"shape":"list","cyclic":false,"what":"…"}
 * where "what", if there, is corescan's phrase for it.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "truth.h"

#include <malloc.h>
#include <stdbool.h>

#define NODES 1000

struct node {
	struct node *next, *previous, *left, *right;
	long value;
};

/* Everything allocated stays; frees between them make tcaches and bins. */
static void *volatile live[64];
static unsigned live_count;

static void keep(size_t size, const char *why)
{
	live[live_count] = calloc(1, size);
	truth("{\"live\":\"%p\",\"size\":%zu,\"why\":\"%s\"}", live[live_count], size, why);
	live_count++;
}

struct structure {
	const char *shape, *what;
	void *head;
	size_t chunks, bytes;
	bool cyclic;
};

static void plant(struct structure *structure, void *chunk, size_t size)
{
	if (structure->head == NULL)
		structure->head = chunk;
	structure->chunks++;
	structure->bytes += malloc_usable_size(chunk);
	truth("{\"orphan\":\"%p\",\"size\":%zu,\"shape\":\"%s\",\"head\":\"%p\"}", chunk, size,
	      structure->shape, structure->head);
}

static void finish(struct structure *structure)
{
	truth("{\"structure\":\"%p\",\"chunks\":%zu,\"bytes\":%zu,\"shape\":\"%s\","
	      "\"cyclic\":%s,\"what\":\"%s\"}",
	      structure->head, structure->chunks, structure->bytes, structure->shape,
	      structure->cyclic ? "true" : "false", structure->what != NULL ? structure->what : "");
	explicit_bzero(structure, sizeof *structure);
}

static struct node *new_node(struct structure *structure)
{
	struct node *node = calloc(1, sizeof *node);
	node->value = (long)structure->chunks;
	plant(structure, node, sizeof *node);
	return node;
}

__attribute__((noinline)) static void plant_list(void)
{
	struct structure list = { .shape = "list", .what = "list of 40-byte nodes" };
	struct node *last = new_node(&list);
	for (int i = 1; i < NODES; i++) {
		last->next = new_node(&list);
		last = last->next;
	}
	finish(&list);
}

/* A doubly linked ring: its head is whatever lies lowest, which is the first in a fresh heap. */
__attribute__((noinline)) static void plant_ring(void)
{
	struct structure ring = { .shape = "ring",
				  .cyclic = true,
				  .what = "circular doubly linked list of 40-byte nodes" };
	struct node *first = new_node(&ring), *last = first;
	for (int i = 1; i < 100; i++) {
		struct node *node = new_node(&ring);
		last->next = node;
		node->previous = last;
		last = node;
	}
	last->next = first;
	first->previous = last;
	finish(&ring);
}

static struct node *plant_branch(struct structure *tree, int depth)
{
	struct node *node = new_node(tree);
	if (depth > 0) {
		node->left = plant_branch(tree, depth - 1);
		node->right = plant_branch(tree, depth - 1);
	}
	return node;
}

__attribute__((noinline)) static void plant_tree(void)
{
	struct structure tree = { .shape = "tree", .what = "binary tree of 40-byte nodes" };
	plant_branch(&tree, 6);
	finish(&tree);
}

/* A diamond whose lower end is held by an interior pointer. */
__attribute__((noinline)) static void plant_diamond(void)
{
	struct structure diamond = { .shape = "diamond" };
	struct node *top = new_node(&diamond);
	top->left = new_node(&diamond);
	top->right = new_node(&diamond);
	char *bottom = calloc(1, 200);
	plant(&diamond, bottom, 200);
	top->left->next = top->right->next = (struct node *)(bottom + 100);
	finish(&diamond);
}

__attribute__((noinline)) static void plant_self(void)
{
	struct structure self = { .shape = "self" };
	struct node *node = new_node(&self);
	node->next = node;
	finish(&self);
}

__attribute__((noinline)) static void plant_array(void)
{
	struct structure array = { .shape = "array", .what = "pointers to 24-byte chunks" };
	void **pointers = malloc(64 * sizeof *pointers);
	plant(&array, pointers, 64 * sizeof *pointers);
	for (int i = 0; i < 64; i++) {
		pointers[i] = malloc(24);
		memset(pointers[i], 0x80 + i, 24);
		plant(&array, pointers[i], 24);
	}
	finish(&array);
}

__attribute__((noinline)) static void plant_text(const char *text, size_t size, const char *what)
{
	struct structure buffer = { .shape = "text", .what = what };
	char *bytes = calloc(1, size);
	strcpy(bytes, text);
	plant(&buffer, bytes, size);
	finish(&buffer);
}

static void callback(void)
{
}

__attribute__((noinline)) static void plant_object(void)
{
	struct structure object = { .shape = "object", .what = "object with function callback" };
	void (**first)(void) = calloc(1, 88);
	first[0] = callback;
	plant(&object, first, 88);
	finish(&object);
}

__attribute__((noinline)) static void plant_zeros(size_t size)
{
	struct structure zeros = { .shape = "zeros", .what = "zeros" };
	plant(&zeros, calloc(1, size), size);
	finish(&zeros);
}

/* A freed chunk still holds the pointer: it counts for nothing. */
__attribute__((noinline)) static void plant_below_freed(void)
{
	struct structure below = { .shape = "below a freed chunk" };
	struct node *freed = calloc(1, 56);
	freed->left = new_node(&below);
	freed->right = freed->left;
	finish(&below);
	free(freed);
}

static void plant_all(void)
{
	plant_list();
	plant_ring();
	plant_tree();
	plant_diamond();
	plant_self();
	plant_array();
	plant_text("HTTP/1.1 200 OK\r\n", 120, "text \\\"HTTP/1.1 200 OK\\\\r\\\\n\\\"");
	plant_object();
	plant_zeros(136);
	plant_below_freed();
}

static pthread_barrier_t planted;

static void *plant_in_thread(void *stays)
{
	plant_all();
	truth_wipe_stack();
	pthread_barrier_wait(&planted);
	while (stays != NULL)
		pause();
	return NULL;
}

__attribute__((noinline)) static void plant_in_threads(void)
{
	pthread_t threads[4];
	pthread_barrier_init(&planted, NULL, 5);
	for (int i = 0; i < 4; i++)
		pthread_create(&threads[i], NULL, plant_in_thread, i % 2 ? &planted : NULL);
	pthread_barrier_wait(&planted);
	pthread_join(threads[0], NULL);
	pthread_join(threads[2], NULL);
}

/* Larger than the threshold: chunks of their own mappings. */
__attribute__((noinline)) static void plant_mmapped(void)
{
	plant_text("a large buffer", 1 << 20, "text \\\"a large buffer\\\"");
	plant_zeros(3 << 20);
	struct structure list = { .shape = "mmapped list" };
	struct node *last = NULL;
	for (int i = 0; i < 5; i++) {
		struct node *node = calloc(1, 300000);
		plant(&list, node, 300000);
		if (last != NULL)
			last->next = node;
		last = node;
	}
	finish(&list);
}

int main(void)
{
	for (int i = 0; i < 20; i++)
		keep(24 + 40 * (size_t)i, "global");
	plant_all();
	keep(500000, "global");
	plant_mmapped();
	for (int i = 0; i < 20; i++)
		keep(24 + 40 * (size_t)i, "global");
	plant_in_threads();
	truth_wipe_stack();
	truth_ready();
	for (;;)
		pause();
}
