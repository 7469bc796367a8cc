/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "report/json_parts.h"

static json_t *lock_object(struct json_document *document, const struct lock *lock)
{
	json_t *object = json_object();
	json_put(document, object, "kind", json_words(lock_kind_name(lock->kind)));
	json_put(document, object, "address",
		 lock->address != 0 ? json_address(lock->address) : json_null());
	json_put(document, object, "name", json_words(lock->name));
	json_put(document, object, "owner_state", json_words(owner_state_name(lock->owner_state)));
	json_put(document, object, "owner",
		 lock->owner != 0 ? json_integer(lock->owner) : json_null());
	json_put(document, object, "owner_name", json_words(lock->owner_name));
	json_put(document, object, "owner_does", json_words(lock->owner_does));
	json_put(document, object, "owner_note", json_words(lock->owner_note));
	json_put(document, object, "owner_inferred", json_boolean(lock->inferred_owner));
	json_put(document, object, "orphaned", json_boolean(lock->owner_state == OWNER_GONE));
	json_put(document, object, "waiters",
		 json_tids(document, lock->waiters, lock->waiter_count));
	json_put(document, object, "detail", json_words(lock->detail));
	json_put(document, object, "text", json_words(lock->text));
	json_put(document, object, "evidence", json_words(lock->evidence));
	return object;
}

static json_t *convoy_object(struct json_document *document, const struct convoy *convoy)
{
	json_t *object = json_object();
	const struct wait *first = convoy->first;
	json_put(document, object, "sentence", json_words(convoy->sentence));
	json_put(document, object, "head_state", json_words(owner_state_name(convoy->head_state)));
	json_put(document, object, "head",
		 convoy->head != NULL ? json_tid(convoy->head->thread) : json_null());
	json_put(document, object, "object",
		 first != NULL && first->object != 0 ? json_address(first->object) : json_null());
	json_put(document, object, "behind", json_tids(document, convoy->behind, convoy->count));
	return object;
}

static json_t *suspicion_object(struct json_document *document, const struct suspicion *suspicion)
{
	json_t *object = json_object();
	json_put(document, object, "kind", json_words(suspicion_kind_name(suspicion->kind)));
	json_put(document, object, "sentence", json_words(suspicion->sentence));
	json_put(document, object, "tids", json_tids(document, suspicion->waits, suspicion->count));
	return object;
}

void json_wait_graph(struct json_document *document)
{
	const struct findings *findings = document->findings;
	if (findings->convoys != NULL) {
		json_t *array = json_array();
		for (size_t i = 0; i < findings->convoys->count; i++)
			json_append(document, array,
				    convoy_object(document, &findings->convoys->items[i]));
		json_put(document, document->root, "convoys", array);
	}
	if (findings->suspicions != NULL) {
		json_t *array = json_array();
		for (size_t i = 0; i < findings->suspicions->count; i++)
			json_append(document, array,
				    suspicion_object(document, &findings->suspicions->items[i]));
		json_put(document, document->root, "suspicions", array);
	}
}

void json_locks(struct json_document *document)
{
	const struct locks *locks = document->findings->locks;
	json_waits(document);
	if (locks == NULL)
		return;
	json_t *array = json_array();
	for (size_t i = 0; i < locks->count; i++)
		json_append(document, array, lock_object(document, &locks->items[i]));
	json_put(document, document->root, "locks", array);
}
