/* Times the chunk table, the mark and the orphans on a random graph of known truth.
 *
 *     make bench_reachability && ./bench_reachability CHUNKS [WORKERS] [PERCENT ORPHANED]
 *
 * Each live chunk hangs in a tree below the first, at a random place; every chunk also holds
 * random pointers, a live one only to live ones. So what is reached must be exactly the live set.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "analysis/mark.h"
#include "heap/chunk_lookup.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <time.h>

#define HEAP_START ((uint64_t)0x550000000010)

static double seconds(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static double processor_seconds(void)
{
	struct timespec now;
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static uint64_t random_next(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

struct graph {
	uint64_t count, size;
	uint32_t *granules; /* of each chunk's start, from HEAP_START */
	uint64_t *orphaned; /* a bit for each chunk */
	uint8_t *bytes;
};

static bool is_orphaned(const struct graph *graph, uint64_t chunk)
{
	return (graph->orphaned[chunk / 64] >> chunk % 64 & 1) != 0;
}

static uint64_t address_of(const struct graph *graph, uint64_t chunk)
{
	return HEAP_START + (uint64_t)graph->granules[chunk] * CHUNK_GRANULE;
}

static uint64_t *words_of(const struct graph *graph, uint64_t chunk)
{
	return (uint64_t *)(graph->bytes + (uint64_t)graph->granules[chunk] * CHUNK_GRANULE);
}

static uint64_t random_live(const struct graph *graph, uint64_t below, uint64_t *state)
{
	for (;;) {
		uint64_t chunk = random_next(state) % below;
		if (!is_orphaned(graph, chunk))
			return chunk;
	}
}

static void make_graph(struct graph *graph, uint64_t count, unsigned percent)
{
	uint64_t state = 88172645463325252;
	graph->count = count;
	graph->granules = malloc((count + 1) * sizeof *graph->granules);
	graph->orphaned = calloc(count / 64 + 1, sizeof *graph->orphaned);
	uint64_t granule = 0;
	for (uint64_t i = 0; i < count; i++) {
		graph->granules[i] = (uint32_t)granule;
		granule += 2 + random_next(&state) % 15;
		if (i > 0 && random_next(&state) % 100 < percent)
			graph->orphaned[i / 64] |= (uint64_t)1 << i % 64;
	}
	graph->granules[count] = (uint32_t)granule;
	graph->size = granule * CHUNK_GRANULE;
	graph->bytes = mmap(NULL, graph->size, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (graph->bytes == MAP_FAILED)
		abort();
	for (uint64_t i = 0; i < count; i++) {
		uint64_t *words = words_of(graph, i);
		uint64_t length = (uint64_t)(graph->granules[i + 1] - graph->granules[i]) * 2 - 1;
		if (i > 0 && !is_orphaned(graph, i)) {
			uint64_t *parent = words_of(graph, random_live(graph, i, &state));
			words[1] = parent[0];
			parent[0] = address_of(graph, i);
		}
		for (uint64_t w = 2; w < length; w++) {
			uint64_t kind = random_next(&state) % 8;
			if (kind == 0)
				words[w] =
				    address_of(graph, is_orphaned(graph, i)
							  ? random_next(&state) % count
							  : random_live(graph, count, &state));
			else if (kind == 1)
				words[w] = random_next(&state);
			else
				words[w] = kind;
		}
	}
}

static struct chunk_table *make_table(const struct graph *graph)
{
	struct chunk_table *table = chunk_table_new();
	uint32_t region;
	if (table == NULL || chunk_table_add_region(table, HEAP_START, HEAP_START + graph->size, 8,
						    0, false, &region) != NULL)
		abort();
	for (uint64_t i = 0; i < graph->count; i++)
		chunk_table_add(table, region, address_of(graph, i), true);
	if (chunk_table_freeze(table) != NULL)
		abort();
	return table;
}

static struct target *make_target(const struct graph *graph)
{
	struct target *target = target_new_memory(&arch_x86_64);
	struct segment segment = {
		.start = HEAP_START,
		.end = HEAP_START + graph->size,
		.origin = SEGMENT_CORE,
		.permissions = SEGMENT_READ | SEGMENT_WRITE,
		.permissions_known = true,
		.bytes = graph->bytes,
	};
	if (target == NULL || address_space_add(target->space, &segment) != NULL ||
	    address_space_seal(target->space) != NULL)
		abort();
	return target;
}

static uint64_t count_wrong(const struct graph *graph, const struct chunk_table *table,
			    const struct marking *marking)
{
	uint64_t wrong = 0;
	for (uint64_t i = 0; i < graph->count; i++) {
		struct chunk chunk;
		if (!chunk_table_find(table, address_of(graph, i), &chunk) ||
		    (marking_word(marking, chunk.number / 64) >> chunk.number % 64 & 1) ==
			is_orphaned(graph, i))
			wrong++;
	}
	return wrong;
}

int main(int argc, char **argv)
{
	uint64_t count = argc > 1 ? strtoull(argv[1], NULL, 10) : 1000000;
	struct mark_options options = { .workers = argc > 2 ? (unsigned)atoi(argv[2]) : 0 };
	struct graph graph;
	double start = seconds();
	make_graph(&graph, count, argc > 3 ? (unsigned)atoi(argv[3]) : 10);
	printf("%" PRIu64 " chunks, %.2f GB, made in %.2f s\n", count, (double)graph.size / 1e9,
	       seconds() - start);

	start = seconds();
	struct chunk_table *table = make_table(&graph);
	printf("table   %.2f s, %.1f bytes a chunk\n", seconds() - start,
	       (double)chunk_table_granules(table) / 4 / (double)count);

	struct target *target = make_target(&graph);
	struct marking *marking;
	uint64_t root = address_of(&graph, 0);
	uint8_t bytes[sizeof root];
	memcpy(bytes, &root, sizeof root);
	struct mark_source source = { .bytes = bytes, .size = sizeof bytes };
	start = seconds();
	double processors = processor_seconds();
	if (marking_new(target, table, &options, &marking) != NULL ||
	    marking_run(marking, &source, 1) != NULL)
		abort();
	printf("mark    %.2f s, %.2f s of processors\n", seconds() - start,
	       processor_seconds() - processors);
	uint64_t wrong = count_wrong(&graph, table, marking);
	printf("wrong   %" PRIu64 "\n", wrong);
	marking_free(marking);
	chunk_table_free(table);
	target_close(target);
	return wrong != 0;
}
