/* Marking what can be reached in Go's heap, by its own maps of pointers.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORESCAN_GOLANG_MARK_H
#define CORESCAN_GOLANG_MARK_H

#include "golang/heap.h"

#define GO_SHARED UINT16_MAX /* a colour: reached from several */

/* An object whose pointers are to be followed. */
struct go_mark_item {
	uint64_t object, from; /* its address; the bytes before are done */
	uint32_t span;
};

struct go_mark {
	struct go_heap *heap;
	uint64_t *bits; /* two for each object: marked, noted */
	ARRAY(struct go_mark_item) open;
	uint64_t objects, bytes; /* that are marked */
	bool no_memory;

	/* Called when a noted object is reached first. Its words are followed where this returns
	 * true. */
	bool (*reached)(void *context, uint64_t object);
	void *context;

	uint64_t *hidden; /* hash of addresses of words that are not followed; 0: empty */
	size_t hidden_count, hidden_slots;

	/* Who reaches what alone: see go_mark_color. */
	uint16_t *colors, color;
	uint64_t color_bytes[UINT16_MAX + 1], color_objects[UINT16_MAX + 1];
};

/* NULL when memory is exhausted. Borrows the heap. */
struct go_mark *go_mark_new(struct go_heap *heap);
void go_mark_free(struct go_mark *mark);

/* Notes the object that holds `address`: .reached is told of it. Its address, or 0 where none is.
 */
uint64_t go_mark_note(struct go_mark *mark, uint64_t address);

/* The word at `address`, of a noted object, is not followed. */
bool go_mark_hide(struct go_mark *mark, uint64_t address);

/* Marks the object that `pointer` leads to, if there is one, and what is reached from it once
 * go_mark_drain is called. */
void go_mark_pointer(struct go_mark *mark, uint64_t pointer);

/* Follows the pointers of the object that holds `address`, marked or not; it stays as it is. */
void go_mark_content(struct go_mark *mark, uint64_t address);

/* Follows what is open. */
void go_mark_drain(struct go_mark *mark);

/* Whether the object that holds `address` is marked; false where there is none. */
bool go_mark_is_marked(const struct go_mark *mark, uint64_t address);

/* From now on what is newly reached belongs to `color` (1 to UINT16_MAX - 1), and to GO_SHARED
 * where a former color reaches it too. .color_bytes tells of each. False when memory is exhausted.
 */
bool go_mark_color(struct go_mark *mark, uint16_t color);

/* Nothing is marked any more. */
void go_mark_clear(struct go_mark *mark);

/* What is marked at a moment, to go back to; not of what is in colors. False when memory is
 * exhausted. */
struct go_mark_state {
	uint64_t *bits, objects, bytes;
};
bool go_mark_save(const struct go_mark *mark, struct go_mark_state *state);
void go_mark_restore(struct go_mark *mark, const struct go_mark_state *state);
void go_mark_state_free(struct go_mark_state *state);

/* Marks from the data and bss of the program and its plugins. */
void go_mark_globals(struct go_mark *mark);

/* The same, and from finalizers and cleanups, those that are to run included. */
void go_mark_roots(struct go_mark *mark);

#endif
