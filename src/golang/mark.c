/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "golang/mark.h"

#include "golang/pending.h"
#include "golang/specials.h"

#include <endian.h>
#include <string.h>

/* Of a large object so much is followed at once: what waits stays short. */
#define SLICE (128u << 10)
#define WORDS 64

struct go_mark *go_mark_new(struct go_heap *heap)
{
	struct go_mark *mark = calloc(1, sizeof *mark);
	if (mark == NULL)
		return NULL;
	mark->heap = heap;
	mark->bits = calloc(heap->objects / 32 + 1, sizeof *mark->bits);
	if (mark->bits == NULL) {
		free(mark);
		return NULL;
	}
	return mark;
}

void go_mark_free(struct go_mark *mark)
{
	if (mark == NULL)
		return;
	array_free(&mark->open);
	free(mark->bits);
	free(mark->hidden);
	free(mark->colors);
	free(mark);
}

static size_t bits_size(const struct go_mark *mark)
{
	return (mark->heap->objects / 32 + 1) * sizeof *mark->bits;
}

void go_mark_clear(struct go_mark *mark)
{
	memset(mark->bits, 0, bits_size(mark));
	mark->objects = mark->bytes = 0;
}

bool go_mark_save(const struct go_mark *mark, struct go_mark_state *state)
{
	uint64_t *bits = malloc(bits_size(mark));
	if (bits == NULL)
		return false;
	memcpy(bits, mark->bits, bits_size(mark));
	*state = (struct go_mark_state){ bits, mark->objects, mark->bytes };
	return true;
}

void go_mark_restore(struct go_mark *mark, const struct go_mark_state *state)
{
	memcpy(mark->bits, state->bits, bits_size(mark));
	mark->objects = state->objects;
	mark->bytes = state->bytes;
}

void go_mark_state_free(struct go_mark_state *state)
{
	free(state->bits);
	state->bits = NULL;
}

/* --- objects */

enum { MARKED = 1, NOTED = 2 };

static unsigned bits_of(const struct go_mark *mark, uint64_t number)
{
	return mark->bits[number / 32] >> number % 32 * 2 & 3;
}

static void set_bit(struct go_mark *mark, uint64_t number, uint64_t bit)
{
	mark->bits[number / 32] |= bit << number % 32 * 2;
}

struct place {
	const struct go_span *span;
	uint64_t object, number;
	uint32_t index;
};

static inline bool find(const struct go_heap *heap, uint64_t address, struct place *place)
{
	place->span = go_heap_span(heap, address);
	if (place->span == NULL || !go_span_object(place->span, address, &place->index))
		return false;
	place->object = place->span->start + place->index * place->span->elem_size;
	place->number = place->span->first + place->index;
	return true;
}

uint64_t go_mark_note(struct go_mark *mark, uint64_t address)
{
	struct place place;
	if (!find(mark->heap, address, &place) || !go_span_allocated(place.span, place.index))
		return 0;
	set_bit(mark, place.number, NOTED);
	return place.object;
}

bool go_mark_is_marked(const struct go_mark *mark, uint64_t address)
{
	struct place place;
	return find(mark->heap, address, &place) && (bits_of(mark, place.number) & MARKED) != 0;
}

/* --- hidden words */

static size_t hidden_slot(const struct go_mark *mark, uint64_t address)
{
	size_t at = (address * UINT64_C(0x9e3779b97f4a7c15)) >> 20 & (mark->hidden_slots - 1);
	while (mark->hidden[at] != 0 && mark->hidden[at] != address)
		at = (at + 1) & (mark->hidden_slots - 1);
	return at;
}

static bool grow_hidden(struct go_mark *mark)
{
	size_t slots = mark->hidden_slots, more = slots == 0 ? 256 : 2 * slots;
	uint64_t *old = mark->hidden, *grown = calloc(more, sizeof *grown);
	if (grown == NULL)
		return false;
	mark->hidden = grown;
	mark->hidden_slots = more;
	for (size_t i = 0; i < slots; i++)
		if (old[i] != 0)
			grown[hidden_slot(mark, old[i])] = old[i];
	free(old);
	return true;
}

bool go_mark_hide(struct go_mark *mark, uint64_t address)
{
	if (2 * mark->hidden_count >= mark->hidden_slots && !grow_hidden(mark))
		return false;
	size_t at = hidden_slot(mark, address);
	mark->hidden_count += mark->hidden[at] == 0;
	mark->hidden[at] = address;
	return true;
}

/* --- marking */

static void open_object(struct go_mark *mark, const struct place *place)
{
	uint32_t span = (uint32_t)(place->span - mark->heap->spans.items);
	if (!array_push(&mark->open, (struct go_mark_item){ place->object, 0, span }))
		mark->no_memory = true;
}

/* The second time a former color is reached it is shared, and so is what it leads to. */
static bool recolor(struct go_mark *mark, const struct place *place)
{
	uint16_t *color = &mark->colors[place->number], before = *color;
	if (before == 0 || before == mark->color || before == GO_SHARED)
		return false;
	*color = GO_SHARED;
	mark->color_bytes[before] -= place->span->elem_size;
	mark->color_bytes[GO_SHARED] += place->span->elem_size;
	mark->color_objects[before]--;
	mark->color_objects[GO_SHARED]++;
	return true;
}

void go_mark_pointer(struct go_mark *mark, uint64_t pointer)
{
	struct place place;
	if (!find(mark->heap, pointer, &place))
		return;
	unsigned bits = bits_of(mark, place.number);
	if ((bits & MARKED) != 0) {
		if (mark->color != 0 && recolor(mark, &place) && place.span->map != GO_MAP_NONE)
			open_object(mark, &place);
		return;
	}
	if (!go_span_allocated(place.span, place.index))
		return;
	set_bit(mark, place.number, MARKED);
	mark->objects++;
	mark->bytes += place.span->elem_size;
	if (mark->color != 0) {
		mark->colors[place.number] = mark->color;
		mark->color_bytes[mark->color] += place.span->elem_size;
		mark->color_objects[mark->color]++;
	}
	if ((bits & NOTED) != 0 && mark->reached != NULL &&
	    !mark->reached(mark->context, place.object))
		return;
	if (place.span->map != GO_MAP_NONE)
		open_object(mark, &place);
}

static void follow_words(struct go_mark *mark, const uint8_t *bytes, uint64_t address,
			 uint64_t pointers, bool noted)
{
	while (pointers != 0) {
		unsigned i = (unsigned)__builtin_ctzll(pointers);
		uint64_t word;
		pointers &= pointers - 1;
		if (noted && mark->hidden_count > 0 &&
		    mark->hidden[hidden_slot(mark, address + 8ull * i)] != 0)
			continue;
		memcpy(&word, bytes + 8 * i, sizeof word);
		word = le64toh(word);
		if (word >= GO_PAGE)
			go_mark_pointer(mark, word);
	}
}

/* Follows [from, to) of an object. Returns where its pointers end: `to`, or before. */
static uint64_t follow_part(struct go_mark *mark, const struct go_span *span, uint64_t object,
			    uint64_t from, uint64_t to)
{
	uint8_t copy[8 * WORDS];
	uint64_t number = span->first + (object - span->start) / span->elem_size;
	bool noted = (bits_of(mark, number) & NOTED) != 0, more = true;
	for (; from < to && more; from += sizeof copy) {
		unsigned words = to - from < sizeof copy ? (unsigned)((to - from) / 8) : WORDS;
		uint64_t pointers =
		    go_object_pointers(mark->heap, span, object, from, words, &more);
		const uint8_t *bytes = copy;
		if (pointers == 0)
			continue;
		if (span->bytes != NULL)
			bytes = span->bytes + (object + from - span->start);
		else if (!address_space_probe(mark->heap->process->space, object + from, copy,
					      8ull * words))
			continue;
		follow_words(mark, bytes, object + from, pointers, noted);
	}
	return more ? to : UINT64_MAX;
}

void go_mark_drain(struct go_mark *mark)
{
	while (mark->open.count > 0 && !mark->no_memory) {
		struct go_mark_item item = mark->open.items[--mark->open.count];
		const struct go_span *span = &mark->heap->spans.items[item.span];
		uint64_t end =
		    span->elem_size - item.from <= SLICE ? span->elem_size : item.from + SLICE;
		uint64_t reached;
		if (end == span->elem_size) {
			follow_part(mark, span, item.object, item.from, end);
			continue;
		}
		/* The rest waits below what this part leads to. */
		size_t rest = mark->open.count++;
		reached = follow_part(mark, span, item.object, item.from, end);
		mark->open.items[rest] = (struct go_mark_item){
			item.object, reached == UINT64_MAX ? span->elem_size : end, item.span
		};
	}
}

void go_mark_content(struct go_mark *mark, uint64_t address)
{
	struct place place;
	if (find(mark->heap, address, &place) && place.span->map != GO_MAP_NONE)
		open_object(mark, &place);
}

bool go_mark_color(struct go_mark *mark, uint16_t color)
{
	if (mark->colors == NULL)
		mark->colors = calloc(mark->heap->objects + 1, sizeof *mark->colors);
	mark->color = color;
	return mark->colors != NULL;
}

/* --- roots */

static void mark_data(struct go_mark *mark, uint64_t start, uint64_t mask, uint64_t bits)
{
	struct address_space *space = mark->heap->process->space;
	for (uint64_t i = 0; i < bits; i++) {
		uint64_t word;
		uint8_t byte;
		if (!address_space_probe(space, mask + i / 8, &byte, 1))
			return;
		if (byte == 0) {
			i |= 7;
			continue;
		}
		if ((byte >> i % 8 & 1) != 0 && address_space_u64(space, start + 8 * i, &word))
			go_mark_pointer(mark, word);
	}
}

/* What an object with a finalizer leads to is kept for it, and so is the function; not the object
 * itself. */
static void mark_special(void *context, const struct go_special *special)
{
	struct go_mark *mark = context;
	const struct go_process *process = mark->heap->process;
	uint64_t at, word;
	if (special->kind == GO_SPECIAL_FINALIZER) {
		go_mark_content(mark, special->object);
		go_mark_pointer(mark,
				go_pointer(process, special->address, GO_SPECIALFINALIZER_FN));
	} else if (special->kind == GO_SPECIAL_CLEANUP) {
		go_mark_pointer(mark, go_pointer(process, special->address, GO_SPECIALCLEANUP_FN));
		/* Since Go 1.26 a function, its argument, and what calls it. */
		for (uint64_t i = 0; i < 3 && go_offset(process, GO_SPECIALCLEANUP_CLEANUP, &at);
		     i++)
			if (address_space_u64(process->space, special->address + at + 8 * i, &word))
				go_mark_pointer(mark, word);
	}
}

static void mark_word(void *context, uint64_t word)
{
	go_mark_pointer(context, word);
}

void go_mark_globals(struct go_mark *mark)
{
	const struct go_process *process = mark->heap->process;
	for (size_t i = 0; i < process->list.count; i++) {
		const struct go_module *module = &process->list.items[i];
		mark_data(mark, module->data, module->data_mask, module->data_mask_bits);
		mark_data(mark, module->bss, module->bss_mask, module->bss_mask_bits);
	}
	go_mark_drain(mark);
}

void go_mark_roots(struct go_mark *mark)
{
	const struct go_process *process = mark->heap->process;
	go_mark_globals(mark);
	go_specials_visit(mark->heap, mark_special, mark);
	go_pending_visit(process, mark_word, mark);
	go_mark_drain(mark);
}
