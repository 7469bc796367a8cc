/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "heap/heap.h"

static const struct heap_provider *const providers[] = {
	&glibc_heap_provider,
};

struct error *heap_open(const struct heap_context *context, struct gaps *gaps, struct heap *heap)
{
	struct heap opened = { .chunks = chunk_table_new() };
	struct error *error = opened.chunks != NULL ? NULL : error_no_memory();
	for (size_t i = 0; error == NULL && i < sizeof providers / sizeof providers[0]; i++) {
		if (!providers[i]->probe(context))
			continue;
		opened.provider = providers[i]->name;
		error = providers[i]->enumerate(context, gaps, &opened);
		break;
	}
	if (error == NULL && opened.provider == NULL)
		gaps_add(gaps, GAP_HEAP, 0, 0,
			 "No allocator that corescan knows was found in the process, so its heap "
			 "was not walked (known: glibc malloc)");
	if (error == NULL)
		error = chunk_table_freeze(opened.chunks);
	if (error != NULL) {
		heap_free(&opened);
		return error;
	}
	*heap = opened;
	return NULL;
}

void heap_free(struct heap *heap)
{
	chunk_table_free(heap->chunks);
	heap->chunks = NULL;
	array_free(&heap->arenas);
	array_free(&heap->own);
	array_free(&heap->internal);
	array_free(&heap->findings);
}

bool heap_is_internal(const struct heap *heap, const struct chunk *chunk)
{
	for (size_t i = 0; i < heap->internal.count; i++)
		if (heap->internal.items[i] == chunk->address)
			return true;
	return false;
}

bool heap_cache_of(struct target *target, const struct heap *heap, const struct chunk *chunk,
		   uint64_t *cache)
{
	for (size_t i = 0; i < sizeof providers / sizeof providers[0]; i++)
		if (heap->provider == providers[i]->name && providers[i]->cache_of != NULL)
			return !chunk->used && providers[i]->cache_of(target, heap, chunk, cache);
	return false;
}
