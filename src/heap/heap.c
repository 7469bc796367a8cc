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
	if (error == NULL && opened.provider == NULL && !modules_have_go(context->modules))
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
	array_free(&heap->in_hand);
	array_free(&heap->doubted);
	array_free(&heap->findings);
}

bool heap_is_internal(const struct heap *heap, const struct chunk *chunk)
{
	for (size_t i = 0; i < heap->internal.count; i++)
		if (heap->internal.items[i] == chunk->address)
			return true;
	return false;
}

enum heap_doubt_kind heap_doubt_of(const struct heap *heap, const struct chunk *chunk)
{
	size_t low = 0, high = heap->doubted.count;
	while (low < high) {
		const size_t middle = low + (high - low) / 2;
		if (heap->doubted.items[middle].start < chunk->address)
			low = middle + 1;
		else
			high = middle;
	}
	if (low < heap->doubted.count && heap->doubted.items[low].start == chunk->address)
		return heap->doubted.items[low].kind;
	low = 0;
	high = heap->in_hand.count;
	while (low < high) {
		const size_t middle = low + (high - low) / 2;
		if (heap->in_hand.items[middle] < chunk->address)
			low = middle + 1;
		else
			high = middle;
	}
	return low < heap->in_hand.count && heap->in_hand.items[low] == chunk->address
		   ? HEAP_DOUBT_IN_HAND
		   : HEAP_DOUBT_NONE;
}

const char *heap_doubt_name(enum heap_doubt_kind kind)
{
	static const char *const names[HEAP_DOUBT_COUNT] = {
		[HEAP_DOUBT_LOOKALIKE] = "lookalike",
		[HEAP_DOUBT_STATE] = "state",
		[HEAP_DOUBT_IN_HAND] = "in-hand",
	};
	return names[kind];
}

bool heap_cache_of(struct target *target, const struct heap *heap, const struct chunk *chunk,
		   uint64_t *cache)
{
	for (size_t i = 0; i < sizeof providers / sizeof providers[0]; i++)
		if (heap->provider == providers[i]->name && providers[i]->cache_of != NULL)
			return !chunk->used && providers[i]->cache_of(target, heap, chunk, cache);
	return false;
}

const struct heap_finding_row *heap_finding_row(enum heap_finding_kind kind)
{
	static const struct heap_finding_row rows[HEAP_DAMAGED_COUNT] = {
		[HEAP_DAMAGED_SIZE] = { "size", "smashed size" },
		[HEAP_DAMAGED_IN_USE_BIT] = { "in-use-bit", "cleared in-use bit" },
		[HEAP_DAMAGED_PREV_SIZE] = { "prev-size", "wrong prev_size" },
		[HEAP_DAMAGED_TOP] = { "top", "overwritten top" },
		[HEAP_DAMAGED_TOP_SIZE] = { "top-size", "smashed top size" },
		[HEAP_DAMAGED_BIN] = { "bin", "broken free list" },
		[HEAP_DAMAGED_SIZE_LINKS] = { "size-links", "broken size links" },
		[HEAP_DAMAGED_FREED_CHUNK] = { "freed-chunk", "write after free" },
		[HEAP_DAMAGED_LIST_SIZE] = { "list-size", "size unlike its list's" },
		[HEAP_DAMAGED_DOUBLE_FREE] = { "double-free", "double free" },
		[HEAP_DAMAGED_UNLISTED] = { "unlisted", "free chunk in no list" },
		[HEAP_DAMAGED_TCACHE] = { "tcache", "damaged tcache" },
		[HEAP_DAMAGED_ARENA_MARK] = { "arena-mark", "wrong arena mark" },
		[HEAP_DAMAGED_ARENAS] = { "arenas", "broken chain of arenas" },
		[HEAP_DAMAGED_PARAMETERS] = { "parameters", "overwritten parameters" },
		[HEAP_DAMAGED_LAYOUT] = { "layout", "overlapping heap" },
	};
	return &rows[kind];
}

size_t heap_corruption_count(const struct heap *heap)
{
	size_t count = 0;
	for (size_t i = 0; i < heap->findings.count; i++)
		count += !heap->findings.items[i].in_flux;
	return count;
}

uint64_t heap_lost_bytes(const struct heap *heap)
{
	uint64_t bytes = 0;
	for (size_t i = 0; i < heap->arenas.count; i++)
		bytes += heap->arenas.items[i].lost_bytes;
	return bytes;
}
