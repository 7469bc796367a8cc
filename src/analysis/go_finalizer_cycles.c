/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "analysis/go_finalizer_cycles.h"

#include "analysis/goroutine_roots.h"
#include "golang/specials.h"

#include <string.h>

/* A chain of objects that hold each other is finalized from one end, one at each collection: as
 * long a one is gone through. A longer one is not called a cycle. */
#define ROUNDS_MAX 256

struct candidate {
	uint64_t object, type;
};

struct search {
	const struct go_process *process;
	struct go_mark *mark;
	ARRAY(struct candidate) left; /* those that may be kept by a cycle */
	bool no_memory;
};

/* Go's own files and connections lead to nothing that has a finalizer. */
static void look_at(void *context, const struct go_special *special)
{
	struct search *search = context;
	if (special->kind != GO_SPECIAL_FINALIZER)
		return;
	uint64_t type = go_pointer(search->process, special->address, GO_SPECIALFINALIZER_OT);
	const char *name = go_type_name(search->process, type);
	if (name != NULL && (strcmp(name, "*os.file") == 0 || strcmp(name, "*net.netFD") == 0))
		return;
	if (!array_push(&search->left, (struct candidate){ special->object, type }))
		search->no_memory = true;
}

/* Leaves those that are marked, or that are not. True where some are gone. */
static bool keep_marked(struct search *search, bool marked)
{
	size_t kept = 0, before = search->left.count;
	for (size_t i = 0; i < before; i++)
		if (go_mark_is_marked(search->mark, search->left.items[i].object) == marked)
			search->left.items[kept++] = search->left.items[i];
	search->left.count = kept;
	return kept < before;
}

static void mark_contents(struct search *search)
{
	for (size_t i = 0; i < search->left.count; i++)
		go_mark_content(search->mark, search->left.items[i].object);
	go_mark_drain(search->mark);
}

/* Whether any leads to one of them at all: else there is no need to look at the whole heap. */
static bool any_leads_to_one(struct search *search)
{
	bool any = false;
	mark_contents(search);
	for (size_t i = 0; i < search->left.count && !any; i++)
		any = go_mark_is_marked(search->mark, search->left.items[i].object);
	go_mark_clear(search->mark);
	return any;
}

static void mark_live(struct search *search, struct goroutines *goroutines)
{
	struct goroutine_roots roots;
	goroutine_roots_init(search->process, goroutines, search->mark, &roots);
	go_mark_globals(search->mark);
	for (size_t i = 0; i < goroutines->count; i++)
		goroutine_roots_mark(&roots, &goroutines->items[i]);
	search->no_memory |= roots.scan.no_memory;
	goroutine_roots_free(&roots);
}

/* Of those that nothing else leads to, the collector finalizes the ones that none of the others
 * leads to: round by round, until those are left that lead to each other, and what these hold. */
static bool peel(struct search *search, struct go_finalizer_cycles *cycles)
{
	struct go_mark *mark = search->mark;
	struct go_mark_state state;
	if (!go_mark_save(mark, &state))
		return false;
	uint64_t bytes = mark->bytes, objects = mark->objects;
	bool gone = true;
	for (unsigned i = 0; gone && search->left.count > 0 && i < ROUNDS_MAX; i++) {
		go_mark_restore(mark, &state);
		mark_contents(search);
		gone = keep_marked(search, true);
	}
	if (gone)
		search->left.count = 0;
	cycles->bytes = search->left.count > 0 ? mark->bytes - bytes : 0;
	cycles->objects = search->left.count > 0 ? mark->objects - objects : 0;
	go_mark_state_free(&state);
	return true;
}

static int by_type(const void *a, const void *b)
{
	const struct candidate *left = a, *right = b;
	return left->type < right->type ? -1 : left->type > right->type;
}

static int by_count(const void *a, const void *b)
{
	const struct go_cycle_type *left = a, *right = b;
	if (left->count != right->count)
		return left->count > right->count ? -1 : 1;
	return left->type_address < right->type_address ? -1
							: left->type_address > right->type_address;
}

static bool count_types(struct search *search, struct go_finalizer_cycles *cycles)
{
	cycles->count = search->left.count;
	if (search->left.count > 1)
		qsort(search->left.items, search->left.count, sizeof *search->left.items, by_type);
	for (size_t i = 0; i < search->left.count; i++) {
		uint64_t type = search->left.items[i].type;
		size_t last = cycles->types.count;
		if (last > 0 && cycles->types.items[last - 1].type_address == type) {
			cycles->types.items[last - 1].count++;
			continue;
		}
		const struct go_cycle_type new = { go_type_name(search->process, type), type, 1 };
		if (!array_push(&cycles->types, new))
			return false;
	}
	if (cycles->types.count > 1)
		qsort(cycles->types.items, cycles->types.count, sizeof *cycles->types.items,
		      by_count);
	return true;
}

static bool find(struct search *search, struct goroutines *goroutines, struct go_heap *heap,
		 struct go_finalizer_cycles *cycles)
{
	go_specials_visit(heap, look_at, search);
	if (search->left.count == 0)
		return true;
	search->mark = go_mark_new(heap);
	if (search->mark == NULL)
		return false;
	if (!any_leads_to_one(search))
		return !search->mark->no_memory;
	mark_live(search, goroutines);
	keep_marked(search, false);
	return peel(search, cycles) && count_types(search, cycles) && !search->mark->no_memory;
}

struct error *go_finalizer_cycles_find(const struct go_process *process,
				       struct goroutines *goroutines, struct go_heap *heap,
				       struct go_finalizer_cycles *cycles)
{
	struct search search = { .process = process };
	struct go_finalizer_cycles result = { 0 };
	bool found = find(&search, goroutines, heap, &result) && !search.no_memory;
	array_free(&search.left);
	go_mark_free(search.mark);
	if (!found) {
		go_finalizer_cycles_free(&result);
		return error_no_memory();
	}
	*cycles = result;
	return NULL;
}

void go_finalizer_cycles_free(struct go_finalizer_cycles *cycles)
{
	array_free(&cycles->types);
}
