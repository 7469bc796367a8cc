/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "report/json_parts.h"

static json_t *chunk_object(struct json_document *document, uint64_t address, uint64_t size,
			    const char *what)
{
	json_t *object = json_object();
	json_put(document, object, "address", json_address(address));
	json_put(document, object, "size", json_size(size));
	json_put(document, object, "what", json_words(what));
	return object;
}

static void put_total(struct json_document *document, json_t *object,
		      const struct chunk_total *total)
{
	json_put(document, object, "chunks", json_size(total->chunks));
	json_put(document, object, "bytes", json_size(total->bytes));
}

static json_t *total_object(struct json_document *document, const struct chunk_total *total)
{
	json_t *object = json_object();
	put_total(document, object, total);
	return object;
}

static json_t *root_object(struct json_document *document, const struct retained_root *root)
{
	const struct root_item *item = &root->item;
	json_t *object = json_object();
	json_put(document, object, "kind", json_words(root_item_kind_name(item->kind)));
	json_put(document, object, "name", json_words(root->name));
	json_put(document, object, "symbol", json_words(item->symbol));
	json_put(document, object, "module",
		 json_words(item->module != NULL ? item->module->name : NULL));
	json_put(document, object, "tid", json_tid(item->thread));
	json_put(document, object, "function",
		 json_words(item->frame != NULL ? item->frame->function : NULL));
	json_put(document, object, "address",
		 item->address != 0 ? json_address(item->address) : json_null());
	put_total(document, object, &root->held);
	json_put(document, object, "largest",
		 chunk_object(document, root->largest, root->largest_size, root->what));
	return object;
}

static json_t *head_object(struct json_document *document, const struct retained_head *head)
{
	json_t *object = chunk_object(document, head->address, head->size, head->what);
	json_t *holders = json_array();
	put_total(document, object, &head->held);
	for (size_t i = 0; i < head->holder_count; i++)
		json_append(document, holders, json_words(head->holders[i]));
	json_put(document, object, "holders", holders);
	json_put(document, object, "more_holders", json_boolean(head->more_holders));
	return object;
}

static json_t *retained_object(struct json_document *document, const struct retained *retained)
{
	json_t *object = json_object(), *roots = json_array(), *heads = json_array();
	const size_t root_rows = json_rows(document, retained->roots.count);
	const size_t head_rows = json_rows(document, retained->heads.count);
	for (size_t i = 0; i < root_rows; i++)
		json_append(document, roots, root_object(document, &retained->roots.items[i]));
	for (size_t i = 0; i < head_rows; i++)
		json_append(document, heads, head_object(document, &retained->heads.items[i]));
	put_total(document, object, &retained->total);
	json_put(document, object, "roots", roots);
	json_put(document, object, "roots_omitted", json_size(retained->roots.count - root_rows));
	json_put(document, object, "shared", total_object(document, &retained->shared));
	json_put(document, object, "shared_heads", heads);
	json_put(document, object, "shared_heads_omitted",
		 json_size(retained->head_count - head_rows));
	json_put(document, object, "allocator", total_object(document, &retained->internal));
	json_put(document, object, "departed_threads", total_object(document, &retained->departed));
	return object;
}

void json_retained(struct json_document *document)
{
	const struct retained *retained = document->findings->retained;
	if (retained != NULL)
		json_put(document, document->root, "retained", retained_object(document, retained));
}
