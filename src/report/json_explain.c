/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "report/json_parts.h"

static json_t *storage_object(struct json_document *document, const struct storage *storage,
			      const char *words)
{
	json_t *object = json_object();
	const struct frame *frame = storage->frame;
	json_put(document, object, "kind", json_words(storage_kind_name(storage->kind)));
	json_put(document, object, "text", json_words(words));
	json_put(document, object, "name", json_words(storage->name));
	json_put(document, object, "module",
		 json_words(storage->module != NULL ? storage->module->name : NULL));
	json_put(document, object, "offset", json_size(storage->offset));
	json_put(document, object, "tid", json_tid(storage->thread));
	json_put(document, object, "frame",
		 frame != NULL ? json_size(storage->frame_number) : json_null());
	json_put(document, object, "function", json_words(frame != NULL ? frame->function : NULL));
	json_put(document, object, "chunk",
		 storage->place.kind == PLACE_CHUNK ? json_address(storage->place.chunk.address)
						    : json_null());
	json_put(document, object, "chunk_offset",
		 storage->place.kind == PLACE_CHUNK ? json_size(storage->place.offset)
						    : json_null());
	return object;
}

static json_t *chunk_object(struct json_document *document, const struct explain_chunk *chunk)
{
	const struct heap *heap = document->findings->subject->heap;
	const struct heap_arena *arena = &heap->arenas.items[chunk->chunk.region->arena];
	json_t *object = json_object();
	json_put(document, object, "address", json_address(chunk->chunk.address));
	json_put(document, object, "size", json_size(chunk->chunk.size));
	json_put(document, object, "state", json_words(chunk_state_name(chunk->state)));
	json_put(document, object, "arena", json_words(arena_kind_name(arena->kind)));
	json_put(document, object, "arena_address",
		 arena->address != 0 ? json_address(arena->address) : json_null());
	json_put(document, object, "content",
		 chunk->what != NULL ? json_words(content_kind_name(chunk->content)) : json_null());
	json_put(document, object, "what", json_words(chunk->what));
	json_put(document, object, "internal", json_boolean(chunk->internal));
	json_put(document, object, "doubt", json_words(heap_doubt_name(chunk->doubt)));
	json_put(document, object, "cache",
		 chunk->cached ? json_address(chunk->cache) : json_null());
	json_put(document, object, "cache_tid", json_tid(chunk->cache_owner));
	return object;
}

static json_t *word_object(struct json_document *document, const struct reference *word)
{
	json_t *object = json_object();
	json_put(document, object, "at", word->at != 0 ? json_address(word->at) : json_null());
	json_put(document, object, "value", json_address(word->value));
	json_put(document, object, "storage", storage_object(document, &word->storage, word->text));
	json_put(document, object, "content", json_words(word->content));
	return object;
}

static json_t *path_array(struct json_document *document, const explain_path *path)
{
	json_t *array = json_array();
	for (size_t i = 0; i < path->count; i++)
		json_append(document, array, word_object(document, &path->items[i]));
	return array;
}

static json_t *structure_object(struct json_document *document,
				const struct explanation *explanation)
{
	json_t *object = json_orphan_structure(document, &explanation->structure);
	json_put(document, object, "path", path_array(document, &explanation->inside));
	return object;
}

static json_t *referrers_object(struct json_document *document, const struct referrers *referrers)
{
	json_t *object = json_object(), *counts = json_object(), *words = json_array();
	const size_t rows = json_rows(document, referrers->list.count);
	uint64_t total = 0;
	for (unsigned i = 0; i < REFERRER_CLASS_COUNT; i++) {
		total += referrers->counts[i];
		json_put(document, counts, referrer_class_name((enum referrer_class)i),
			 json_size(referrers->counts[i]));
	}
	for (size_t i = 0; i < rows; i++) {
		const struct referrer *referrer = &referrers->list.items[i];
		json_t *word = word_object(document, &referrer->word);
		json_put(document, word, "class", json_words(referrer_class_name(referrer->class)));
		json_put(document, word, "state",
			 referrer->class == REFERRER_CHUNK
			     ? json_words(chunk_state_name(referrer->state))
			     : json_null());
		json_append(document, words, word);
	}
	json_put(document, object, "counts", counts);
	json_put(document, object, "words", words);
	json_put(document, object, "words_omitted", json_size(total - rows));
	return object;
}

static json_t *explanation_object(struct json_document *document,
				  const struct explanation *explanation)
{
	json_t *object = json_object();
	json_put(document, object, "address", json_address(explanation->address));
	json_put(document, object, "storage",
		 storage_object(document, &explanation->storage, explanation->text));
	json_put(document, object, "chunk",
		 explanation->in_chunk ? chunk_object(document, &explanation->chunk) : json_null());
	json_put(document, object, "before",
		 explanation->has_before ? chunk_object(document, &explanation->before)
					 : json_null());
	json_put(document, object, "after",
		 explanation->has_after ? chunk_object(document, &explanation->after)
					: json_null());
	json_put(document, object, "path", path_array(document, &explanation->path));
	json_put(document, object, "why", json_words(explanation->why));
	json_put(document, object, "structure",
		 explanation->has_structure ? structure_object(document, explanation)
					    : json_null());
	json_put(document, object, "referrers",
		 explanation->has_referrers ? referrers_object(document, &explanation->referrers)
					    : json_null());
	return object;
}

void json_explain(struct json_document *document)
{
	const struct explanation *explanation = document->findings->explanation;
	json_put(document, document->root, "explanation",
		 explanation != NULL ? explanation_object(document, explanation) : json_null());
}
