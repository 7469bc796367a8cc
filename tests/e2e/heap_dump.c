/* heap_dump CORE|PID [ADDRESS…]: what the heap room makes of a target, as JSON, for the tests that
 * compare it with what programs tell of themselves. With addresses: the chunk around each. With
 * "all" in their place: every chunk.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "heap/heap.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static void must(struct error *error)
{
	if (error == NULL)
		return;
	fprintf(stderr, "heap_dump: %s\n", error->message);
	exit(2);
}

static json_t *arenas_json(const struct heap *heap)
{
	static const char *const kinds[] = { "main", "thread", "mmapped" };
	json_t *list = json_array();
	for (size_t i = 0; i < heap->arenas.count; i++) {
		const struct heap_arena *arena = &heap->arenas.items[i];
		json_array_append_new(
		    list,
		    json_pack("{s:s,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:i,s:b}", "kind",
			      kinds[arena->kind], "address", arena->address, "used_chunks",
			      arena->used_chunks, "used_bytes", arena->used_bytes, "free_chunks",
			      arena->free_chunks, "free_bytes", arena->free_bytes, "cached_chunks",
			      arena->cached_chunks, "cached_bytes", arena->cached_bytes,
			      "top_bytes", arena->top_bytes, "system_bytes", arena->system_bytes,
			      "lost_bytes", arena->lost_bytes, "heaps", (int)arena->heap_count,
			      "in_flux", arena->in_flux));
	}
	return list;
}

static json_t *chunk_json(const struct chunk *chunk)
{
	return json_pack("{s:I,s:I,s:b,s:i}", "address", chunk->address, "size", chunk->size,
			 "used", chunk->used, "arena", (int)chunk->region->arena);
}

static json_t *chunks_json(const struct heap *heap, int count, char **addresses)
{
	json_t *list = json_array();
	struct chunk chunk;
	if (count == 1 && strcmp(addresses[0], "all") == 0) {
		for (uint64_t at = 0; chunk_table_next(heap->chunks, at, &chunk);
		     at = chunk.address + 1)
			json_array_append_new(list, chunk_json(&chunk));
		return list;
	}
	for (int i = 0; i < count; i++)
		if (chunk_table_find(heap->chunks, strtoull(addresses[i], NULL, 0), &chunk))
			json_array_append_new(list, chunk_json(&chunk));
		else
			json_array_append_new(list, json_null());
	return list;
}

static json_t *own_json(const struct heap *heap)
{
	json_t *list = json_array();
	for (size_t i = 0; i < heap->own.count; i++)
		json_array_append_new(list,
				      json_pack("[I,I,s]", heap->own.items[i].start,
						heap->own.items[i].end, heap->own.items[i].what));
	return list;
}

static json_t *heap_json(const struct heap *heap, const struct gaps *gaps)
{
	json_t *findings = json_array(), *told = json_array(), *internal = json_array();
	for (size_t i = 0; i < heap->findings.count; i++)
		json_array_append_new(findings, json_string(heap->findings.items[i].text));
	for (size_t i = 0; i < gaps->list.count; i++)
		json_array_append_new(told, json_pack("{s:s,s:s}", "kind",
						      gap_kind_name(gaps->list.items[i].kind),
						      "text", gaps->list.items[i].text));
	for (size_t i = 0; i < heap->internal.count; i++)
		json_array_append_new(internal, json_integer((json_int_t)heap->internal.items[i]));
	return json_pack("{s:s?,s:s?,s:s?,s:o,s:o,s:o,s:o,s:o}", "provider", heap->provider,
			 "version", heap->version, "evidence", heap->evidence, "arenas",
			 arenas_json(heap), "findings", findings, "gaps", told, "internal",
			 internal, "own", own_json(heap));
}

static double seconds(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

int main(int argc, char **argv)
{
	struct gaps gaps = { 0 };
	struct target *target;
	struct modules *modules;
	struct threads threads = { 0 };
	struct glibc_pthreads pthreads = { 0 };
	struct heap heap;
	if (argc < 2)
		return 64;
	const struct target_options options = { 0 };
	bool live = argv[1][strspn(argv[1], "0123456789")] == 0;
	must(live ? target_open_live(atoi(argv[1]), &options, &gaps, &target)
		  : target_open_core(argv[1], &options, &gaps, &target));
	must(modules_open(target,
			  &(struct modules_options){ .sysroot = getenv("SYSROOT"),
						     .debug_dir = getenv("DEBUG_DIR") },
			  &gaps, &modules));
	must(glibc_pthreads_open(target, modules, &gaps, &pthreads));
	must(threads_open(target, modules, &(struct threads_options){ .frame_limit = 1 }, &gaps,
			  &threads));
	const struct heap_context context = { target, modules, &threads, &pthreads, NULL };
	double before = seconds();
	must(heap_open(&context, &gaps, &heap));
	double after = seconds();

	json_t *result = heap_json(&heap, &gaps);
	json_object_set_new(result, "seconds", json_real(after - before));
	json_object_set_new(result, "chunks", chunks_json(&heap, argc - 2, argv + 2));
	json_dumpf(result, stdout, JSON_INDENT(1) | JSON_COMPACT);
	putchar('\n');
	json_decref(result);
	heap_free(&heap);
	threads_free(&threads);
	glibc_pthreads_free(&pthreads);
	modules_free(modules);
	target_close(target);
	gaps_free(&gaps);
	return 0;
}
