/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "golang/heap.h"

#include <string.h>

static uint64_t all_words(unsigned words)
{
	return words >= 64 ? UINT64_MAX : (1ull << words) - 1;
}

/* `words` bits from bit `at` on. */
static uint64_t take_bits(const uint8_t *bits, uint64_t at, unsigned words)
{
	uint64_t result = 0;
	for (unsigned have = 0; have < words;) {
		unsigned shift = (at + have) % 8;
		result |= (uint64_t)(bits[(at + have) / 8] >> shift) << have;
		have += 8 - shift;
	}
	return result & all_words(words);
}

static const struct go_mask_cache *mask_of(struct go_heap *heap, uint64_t type)
{
	struct go_mask_cache *slot =
	    &heap->masks[(type * UINT64_C(0x9e3779b97f4a7c15)) >> 32 & (GO_MASKS - 1)];
	if (slot->address == type && type != 0)
		return slot;
	*slot = (struct go_mask_cache){ .address = type };
	if (!go_type_read(heap->process, type, &slot->type))
		slot->type = (struct go_type){ 0 };
	else if (slot->type.mask != 0 && slot->type.pointers <= 1u << 30)
		slot->mask =
		    go_heap_borrow(heap, slot->type.mask, (slot->type.pointers / 8 + 7) / 8);
	return slot;
}

/* By a type whose value is repeated from `offset` bytes of the object on. */
static uint64_t by_type(struct go_heap *heap, uint64_t type, uint64_t from, uint64_t offset,
			unsigned words)
{
	if (type == 0)
		return 0;
	const struct go_mask_cache *mask = mask_of(heap, type);
	uint64_t size = mask->type.size, pointers = mask->type.pointers / 8, result = 0;
	if (size != 0 && pointers == 0)
		return 0;
	if (size < 8 || (size & 7) != 0 || mask->mask == NULL)
		return all_words(words);
	unsigned i = from < offset ? 1 : 0;
	for (uint64_t at = (from + 8ull * i - offset) % size / 8; i < words; i++) {
		if (at < pointers && (mask->mask[at / 8] >> at % 8 & 1) != 0)
			result |= 1ull << i;
		if (++at == size / 8)
			at = 0;
	}
	return result;
}

/* Four words a byte: the lower half says which are pointers, the upper which are followed by more.
 */
static uint64_t by_arena_2(const struct go_arena *arena, uint64_t address, unsigned words,
			   bool *more)
{
	uint64_t at = (address & ((1u << 26) - 1)) / 8, result = 0;
	if (arena->bits == NULL || at + words > 1u << 23)
		return all_words(words);
	for (unsigned i = 0; i < words; i++, at++) {
		uint8_t byte = arena->bits[at / 4] >> at % 4;
		if ((byte & 16) == 0) {
			*more = false;
			break;
		}
		if ((byte & 1) != 0)
			result |= 1ull << i;
	}
	return result;
}

static uint64_t by_arena_1(const struct go_arena *arena, uint64_t address, unsigned words,
			   bool *more)
{
	uint64_t at = (address & ((1u << 26) - 1)) / 8, result = 0;
	if (arena->bits == NULL || arena->no_more == NULL || at + words > 1u << 23)
		return all_words(words);
	for (unsigned i = 0; i < words;) {
		/* Up to the end of the 64 words that share a bit that none follow. */
		unsigned part = 64 - at % 64;
		part = part < words - i ? part : words - i;
		result |= take_bits(arena->bits, at, part) << i;
		bool last = (arena->no_more[at / 512] >> at / 64 % 8 & 1) != 0;
		i += part;
		at += part;
		if (last && at % 64 == 0) {
			*more = false;
			break;
		}
	}
	return result;
}

uint64_t go_object_pointers(struct go_heap *heap, const struct go_span *span, uint64_t object,
			    uint64_t from, unsigned words, bool *more)
{
	const struct go_arena *arena;
	uint64_t type = span->type;
	*more = true;
	switch (span->map) {
	case GO_MAP_NONE:
		*more = false;
		return 0;
	case GO_MAP_IN_SPAN:
		return take_bits(span->pointers, (object + from - span->start) / 8, words);
	case GO_MAP_HEADER:
		if (!address_space_u64(heap->process->space, object, &type))
			return all_words(words);
		return by_type(heap, type, from, 8, words);
	case GO_MAP_LARGE:
		return by_type(heap, type, from, 0, words);
	case GO_MAP_ARENA_2:
	case GO_MAP_ARENA_1:
		/* An object may reach into the next arena. */
		arena = &heap->arenas.items[span->arena];
		if ((object + from) >> 26 != arena->number) {
			uint64_t number = ((object + from) >> 26) - heap->lowest;
			if (number >= heap->range || heap->by_number[number] == 0)
				return all_words(words);
			arena = &heap->arenas.items[heap->by_number[number] - 1];
		}
		return span->map == GO_MAP_ARENA_2 ? by_arena_2(arena, object + from, words, more)
						   : by_arena_1(arena, object + from, words, more);
	default:
		return all_words(words);
	}
}
