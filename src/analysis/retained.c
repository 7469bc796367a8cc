/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "analysis/retained.h"

#include "analysis/content.h"

#include <inttypes.h>
#include <stdlib.h>

/* What a chunk holds, in words; NULL where there is nothing to say. */
static const char *content_of(const struct subject *subject, struct content_recogniser *recogniser,
			      uint64_t address)
{
	enum content_kind kind;
	struct chunk chunk;
	if (recogniser == NULL || !chunk_table_find(subject->heap->chunks, address, &chunk))
		return NULL;
	return content_alone(recogniser, &chunk, &kind);
}

static int by_bytes(const void *left, const void *right)
{
	const struct retained_root *a = left, *b = right;
	if (a->held.bytes != b->held.bytes)
		return a->held.bytes > b->held.bytes ? -1 : 1;
	if (a->held.chunks != b->held.chunks)
		return a->held.chunks > b->held.chunks ? -1 : 1;
	if (a->item.kind != b->item.kind)
		return a->item.kind < b->item.kind ? -1 : 1;
	return a->item.address < b->item.address ? -1 : a->item.address > b->item.address;
}

static bool add_roots(const struct subject *subject, const struct root_items *items,
		      const struct dominators *dominators, struct content_recogniser *recogniser,
		      struct retained *made)
{
	for (size_t i = 0; i < dominators->item_count; i++) {
		const struct dominator_item *found = &dominators->items[i];
		if (found->held.chunks == 0)
			continue;
		struct retained_root root = {
			.item = items->items.items[i],
			.held = found->held,
			.largest = found->largest,
			.largest_size = found->largest_size,
		};
		root.name = root_item_name(subject, &root.item, made->strings);
		root.what = content_of(subject, recogniser, root.largest);
		made->total.chunks += found->held.chunks;
		made->total.bytes += found->held.bytes;
		if (!array_push(&made->roots, root))
			return false;
	}
	if (made->roots.count > 0)
		qsort(made->roots.items, made->roots.count, sizeof *made->roots.items, by_bytes);
	return true;
}

static bool add_heads(const struct subject *subject, const struct root_items *items,
		      const struct dominators *dominators, struct content_recogniser *recogniser,
		      struct retained *made)
{
	for (size_t i = 0; i < dominators->heads.count; i++) {
		const struct dominator_head *found = &dominators->heads.items[i];
		struct retained_head head = {
			.address = found->address,
			.size = found->size,
			.held = found->held,
			.what = content_of(subject, recogniser, found->address),
			.holder_count = found->holder_count,
			.more_holders = found->more_holders,
		};
		for (size_t j = 0; j < found->holder_count; j++) {
			const struct dominator_holder *holder = &found->holders[j];
			head.holders[j] =
			    holder->is_item
				? root_item_name(subject, &items->items.items[holder->item],
						 made->strings)
				: string_pool_format(made->strings, "chunk 0x%" PRIx64,
						     holder->item);
		}
		if (!array_push(&made->heads, head))
			return false;
	}
	return true;
}

static void add_total(struct chunk_total *total, const struct chunk_total *part)
{
	total->chunks += part->chunks;
	total->bytes += part->bytes;
}

static struct error *tell(const struct subject *subject, const struct root_items *items,
			  const struct dominators *dominators, struct retained *made)
{
	struct content_recogniser *recogniser =
	    subject->modules != NULL ? content_recogniser_new(subject) : NULL;
	made->strings = string_pool_new();
	made->shared = dominators->shared;
	made->head_count = dominators->head_count;
	made->internal = dominators->internal;
	made->departed = dominators->pinned;
	bool fits = made->strings != NULL && (recogniser != NULL || subject->modules == NULL) &&
		    add_roots(subject, items, dominators, recogniser, made) &&
		    add_heads(subject, items, dominators, recogniser, made);
	add_total(&made->total, &made->shared);
	add_total(&made->total, &made->internal);
	add_total(&made->total, &made->departed);
	content_recogniser_free(recogniser);
	return fits ? NULL : error_no_memory();
}

struct error *retained_find(const struct subject *subject, const struct roots *roots,
			    const struct reachability *reachability,
			    const struct dominator_options *options, struct retained *retained)
{
	struct root_items items = { 0 };
	struct dominators dominators = { 0 };
	struct retained made = { 0 };
	struct error *error = root_items_find(subject, roots, ROOT_STRONG, &items);
	if (error == NULL)
		error =
		    dominators_find(subject, reachability, items.sources.items, items.sources.count,
				    items.items.count, options, &dominators);
	if (error == NULL)
		error = tell(subject, &items, &dominators, &made);
	dominators_free(&dominators);
	root_items_free(&items);
	if (error != NULL)
		retained_free(&made);
	else
		*retained = made;
	return error;
}

void retained_free(struct retained *retained)
{
	array_free(&retained->roots);
	array_free(&retained->heads);
	string_pool_free(retained->strings);
	*retained = (struct retained){ 0 };
}
