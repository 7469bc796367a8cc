/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "report/json_parts.h"

/* The index in the thread's frames. */
static json_t *site_index(const struct wait *wait)
{
	if (wait->site == NULL || wait->site < wait->thread->frames ||
	    wait->site >= wait->thread->frames + wait->thread->frame_count)
		return json_null();
	return json_integer(wait->site - wait->thread->frames);
}

static json_t *owner_value(const struct wait *wait)
{
	const bool known = wait->owner_state == OWNER_THREAD || wait->owner_state == OWNER_SELF ||
			   wait->owner_state == OWNER_PROCESS || wait->owner_state == OWNER_GONE;
	return known ? json_integer(wait->owner) : json_null();
}

static json_t *wait_object(struct json_document *document, const struct wait *wait)
{
	const bool waits = wait->kind != WAIT_NONE;
	json_t *object = json_object();
	json_put(document, object, "tid", json_tid(wait->thread));
	json_put(document, object, "activity", json_words(thread_activity_name(wait->activity)));
	json_put(document, object, "kind", json_words(waits ? wait_kind_name(wait->kind) : NULL));
	json_put(document, object, "object",
		 wait->object != 0 ? json_address(wait->object) : json_null());
	json_put(document, object, "object_name", json_words(wait->object_name));
	json_put(document, object, "owner_state", json_words(owner_state_name(wait->owner_state)));
	json_put(document, object, "owner", owner_value(wait));
	json_put(document, object, "owner_name", json_words(wait->owner_name));
	json_put(document, object, "owner_does", json_words(wait->owner_does));
	json_put(document, object, "owner_note", json_words(wait->owner_note));
	json_put(document, object, "fd", wait->fd >= 0 ? json_integer(wait->fd) : json_null());
	json_put(document, object, "fd_name", json_words(wait->fd_name));
	json_put(document, object, "target_pid",
		 wait->target_pid != 0 ? json_integer(wait->target_pid) : json_null());
	json_put(document, object, "timeout_ns",
		 wait->timeout_ns >= 0 ? json_integer(wait->timeout_ns) : json_null());
	json_put(document, object, "timed", json_boolean(wait->timed));
	json_put(document, object, "owner_inferred", json_boolean(wait->inferred_owner));
	json_put(document, object, "syscall",
		 wait->syscall >= 0 ? json_integer(wait->syscall) : json_null());
	json_put(document, object, "detail", json_words(wait->detail));
	json_put(document, object, "text", json_words(wait->text));
	json_put(document, object, "evidence", json_words(wait->evidence));
	json_put(document, object, "site", site_index(wait));
	json_put(document, object, "idle", json_boolean(wait->idle));
	return object;
}

json_t *json_tids(struct json_document *document, const struct wait *const *waits, size_t count)
{
	json_t *array = json_array();
	for (size_t i = 0; i < count; i++)
		json_append(document, array, json_tid(waits[i]->thread));
	return array;
}

static json_t *deadlocks_array(struct json_document *document, const struct deadlocks *deadlocks)
{
	json_t *array = json_array();
	for (size_t i = 0; i < deadlocks->count; i++) {
		const struct deadlock *deadlock = &deadlocks->items[i];
		json_t *object = json_object();
		json_put(document, object, "sentence", json_words(deadlock->sentence));
		json_put(document, object, "tids",
			 json_tids(document, deadlock->waits, deadlock->count));
		json_put(document, object, "behind",
			 json_tids(document, deadlock->behind, deadlock->behind_count));
		json_append(document, array, object);
	}
	return array;
}

static json_t *groups_array(struct json_document *document, const struct wait_groups *groups)
{
	json_t *array = json_array();
	for (size_t i = 0; i < groups->count; i++)
		json_append(document, array,
			    json_tids(document, groups->items[i].members, groups->items[i].count));
	return array;
}

void json_waits(struct json_document *document)
{
	const struct findings *findings = document->findings;
	json_threads(document);
	if (findings->waits != NULL) {
		json_t *array = json_array();
		for (size_t i = 0; i < findings->waits->count; i++)
			json_append(document, array,
				    wait_object(document, &findings->waits->items[i]));
		json_put(document, document->root, "waits", array);
	}
	if (findings->wait_groups != NULL)
		json_put(document, document->root, "wait_groups",
			 groups_array(document, findings->wait_groups));
	if (findings->deadlocks != NULL)
		json_put(document, document->root, "deadlocks",
			 deadlocks_array(document, findings->deadlocks));
	json_wait_graph(document);
}
