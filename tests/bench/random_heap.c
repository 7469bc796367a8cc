/* A heap of many chunks that lead to each other at random: random_heap CHUNKS [PERCENT ORPHANED]
 *
 * Sizes are those of real heaps: most of 24 to 120 bytes, few of some kilobytes, 140 on average.
 * Each live chunk hangs in a tree below the first one, which a global points to, at a random
 * place, and some have a global of their own; about every eighth word of a chunk leads to a random
 * chunk, that of a live one only to live ones. So exactly the orphans are orphaned. All is built on
 * a stack of its own that is gone afterwards. When it is done, it prints its truth and waits to be
 * dumped.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <inttypes.h>
#include <malloc.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#define STACK_SIZE ((size_t)1 << 20)
#define NODE_WORDS 2 /* the first child, the next sibling */
#define OTHERS	   16

struct graph {
	uint64_t count;
	unsigned percent;
	uint64_t state;	  /* of the random numbers */
	uint64_t **nodes; /* the chunks */
	uint64_t *orphaned;
	uint64_t orphans, orphaned_bytes, bytes;
};

/* The roots: all live chunks are below the first one, some are held by others, too. */
uint64_t *first, *others[OTHERS];

static uint64_t next_random(struct graph *graph)
{
	graph->state ^= graph->state << 13;
	graph->state ^= graph->state >> 7;
	graph->state ^= graph->state << 17;
	return graph->state;
}

static void *map(size_t size)
{
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (memory == MAP_FAILED) {
		perror("mmap");
		exit(1);
	}
	return memory;
}

static int is_orphaned(const struct graph *graph, uint64_t node)
{
	return (int)(graph->orphaned[node / 64] >> node % 64 & 1);
}

/* Of 100 chunks 60 have 24 to 120 bytes, 35 up to 248, 5 up to 1.5 kB. */
static size_t random_size(struct graph *graph)
{
	uint64_t kind = next_random(graph) % 100, steps = next_random(graph);
	if (kind < 60)
		return 24 + steps % 7 * 16;
	return kind < 95 ? 24 + steps % 15 * 16 : 248 + steps % 80 * 16;
}

static void allocate(struct graph *graph)
{
	for (uint64_t i = 0; i < graph->count; i++) {
		graph->nodes[i] = malloc(random_size(graph));
		if (graph->nodes[i] == NULL) {
			perror("malloc");
			exit(1);
		}
		size_t size = malloc_usable_size(graph->nodes[i]);
		graph->nodes[i][0] = graph->nodes[i][1] = 0;
		graph->bytes += size;
		if (i == 0 || next_random(graph) % 100 >= graph->percent)
			continue;
		graph->orphaned[i / 64] |= (uint64_t)1 << i % 64;
		graph->orphans++;
		graph->orphaned_bytes += size;
	}
}

static uint64_t random_live(struct graph *graph, uint64_t below)
{
	for (;;) {
		uint64_t node = next_random(graph) % below;
		if (!is_orphaned(graph, node))
			return node;
	}
}

static void fill(struct graph *graph, uint64_t node)
{
	uint64_t *words = graph->nodes[node];
	size_t count = malloc_usable_size(words) / sizeof *words;
	if (node > 0 && !is_orphaned(graph, node)) {
		uint64_t *parent = graph->nodes[random_live(graph, node)];
		words[1] = parent[0];
		parent[0] = (uintptr_t)words;
	}
	for (size_t i = NODE_WORDS; i < count; i++) {
		uint64_t kind = next_random(graph) % 8;
		if (kind == 0 && is_orphaned(graph, node))
			words[i] = (uintptr_t)graph->nodes[next_random(graph) % graph->count];
		else if (kind == 0)
			words[i] = (uintptr_t)graph->nodes[random_live(graph, graph->count)];
		else
			words[i] = kind == 1 ? next_random(graph) >> 1 | (uint64_t)1 << 62 : kind;
	}
}

static void *build(void *argument)
{
	struct graph *graph = argument;
	size_t size = graph->count * sizeof *graph->nodes, bits = graph->count / 8 + 8;
	graph->nodes = map(size);
	graph->orphaned = map(bits);
	allocate(graph);
	for (uint64_t i = 0; i < graph->count; i++)
		fill(graph, i);
	first = graph->nodes[0];
	for (unsigned i = 0; i < OTHERS; i++)
		others[i] = graph->nodes[random_live(graph, graph->count)];
	munmap(graph->nodes, size);
	munmap(graph->orphaned, bits);
	return NULL;
}

int main(int argc, char **argv)
{
	struct graph graph = {
		.count = argc > 1 ? strtoull(argv[1], NULL, 10) : 1000000,
		.percent = argc > 2 ? (unsigned)atoi(argv[2]) : 10,
		.state = 88172645463325252,
	};
	const struct rlimit unlimited = { RLIM_INFINITY, RLIM_INFINITY };
	pthread_attr_t attributes;
	pthread_t thread;
	void *stack = map(STACK_SIZE);
	setrlimit(RLIMIT_CORE, &unlimited);
	mallopt(M_ARENA_MAX, 1);
	mallopt(M_TOP_PAD, 1 << 20);
	setvbuf(stdout, NULL, _IONBF, 0);
	pthread_attr_init(&attributes);
	pthread_attr_setstack(&attributes, stack, STACK_SIZE);
	if (pthread_create(&thread, &attributes, build, &graph) != 0)
		return 1;
	pthread_join(thread, NULL);
	munmap(stack, STACK_SIZE);
	printf("{\"chunks\":%" PRIu64 ",\"bytes\":%" PRIu64 ",\"orphans\":%" PRIu64
	       ",\"orphaned_bytes\":%" PRIu64 "}\n",
	       graph.count, graph.bytes, graph.orphans, graph.orphaned_bytes);
	for (;;)
		pause();
}
