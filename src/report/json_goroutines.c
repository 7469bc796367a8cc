/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "report/json_parts.h"

static json_t *call_object(struct json_document *document, const struct go_call *call)
{
	json_t *object = json_object();
	json_put(document, object, "function", json_words(call->function));
	json_put(document, object, "file", json_words(call->file));
	json_put(document, object, "line",
		 call->file != NULL ? json_integer(call->line) : json_null());
	json_put(document, object, "pc", json_address(call->pc));
	json_put(document, object, "inlined", json_boolean(call->inlined));
	return object;
}

static json_t *stack_object(struct json_document *document, const struct go_stack *stack)
{
	json_t *object = json_object(), *calls = json_array();
	for (size_t i = 0; i < stack->count; i++)
		json_append(document, calls, call_object(document, &stack->calls[i]));
	json_put(document, object, "calls", calls);
	json_put(document, object, "left_out", json_size(stack->left_out));
	json_put(document, object, "left_out_before", json_size(stack->left_out_before));
	json_put(document, object, "complete", json_boolean(stack->complete));
	json_put(document, object, "stop_reason", json_words(stack->stopped));
	return object;
}

static json_t *holders_of(struct json_document *document, uint32_t object)
{
	const struct go_lock_holders *holders = document->findings->go_lock_holders;
	const struct go_lock_holder *first = NULL;
	size_t count = holders != NULL ? go_lock_holders_of(holders, object, &first) : 0;
	json_t *ids = json_array();
	for (size_t i = 0; i < count; i++)
		json_append(document, ids, json_size(first[i].holder->id));
	return ids;
}

static json_t *case_object(struct json_document *document, const struct goroutine *one,
			   const struct go_wait_case *at)
{
	const struct go_object *thing =
	    &document->findings->goroutines->objects.objects.items[at->object];
	bool channel = thing->kind == GO_WAIT_CHANNEL;
	json_t *object = json_object();
	(void)one;
	json_put(document, object, "address", json_address(thing->address));
	json_put(document, object, "kind", json_words(go_wait_kind_name(thing->kind)));
	json_put(document, object, "name", json_words(thing->name));
	json_put(document, object, "sends", channel ? json_boolean(at->sends) : json_null());
	json_put(document, object, "element_type", json_words(thing->type));
	json_put(document, object, "length", channel ? json_size(thing->length) : json_null());
	json_put(document, object, "capacity", channel ? json_size(thing->room) : json_null());
	json_put(document, object, "closed", channel ? json_boolean(thing->closed) : json_null());
	json_put(document, object, "waiters", json_size(thing->waiters));
	json_put(document, object, "holders", holders_of(document, at->object));
	return object;
}

static json_t *wait_object(struct json_document *document, const struct goroutine *one)
{
	const struct goroutines *goroutines = document->findings->goroutines;
	const struct go_wait *wait = &one->wait;
	if (wait->kind == GO_WAIT_NONE)
		return json_null();
	json_t *object = json_object(), *cases = json_array();
	for (uint32_t i = 0; i < wait->count; i++)
		json_append(
		    document, cases,
		    case_object(document, one, &goroutines->objects.cases.items[wait->first + i]));
	json_put(document, object, "kind", json_words(go_wait_kind_name(wait->kind)));
	json_put(document, object, "objects", cases);
	json_put(document, object, "due_ns",
		 wait->due > 0 ? json_size((uint64_t)wait->due) : json_null());
	json_put(document, object, "fd", wait->fd >= 0 ? json_integer(wait->fd) : json_null());
	json_put(document, object, "name", json_words(wait->name));
	json_put(document, object, "peer", json_words(wait->peer));
	return object;
}

static json_t *waited(const struct goroutines *goroutines, const struct goroutine *one)
{
	if (one->state != GO_WAITING || one->wait_since <= 0 || one->wait_since > goroutines->now)
		return json_null();
	return json_size((uint64_t)(goroutines->now - one->wait_since));
}

static json_t *goroutine_object(struct json_document *document, const struct goroutine *one)
{
	const struct goroutine_leaks *leaks = document->findings->goroutine_leaks;
	json_t *object = json_object();
	json_put(document, object, "id", json_size(one->id));
	json_put(document, object, "address", json_address(one->address));
	json_put(document, object, "state", json_words(go_state_name(one->state)));
	json_put(document, object, "system", json_boolean(one->system));
	json_put(document, object, "reason", json_words(one->reason));
	json_put(document, object, "waited_ns", waited(document->findings->goroutines, one));
	json_put(document, object, "wait", wait_object(document, one));
	json_put(document, object, "parent",
		 one->parent != 0 ? json_size(one->parent) : json_null());
	json_put(document, object, "thread", one->tid != 0 ? json_integer(one->tid) : json_null());
	json_put(document, object, "stack", json_integer(one->stack));
	bool leaked = leaks != NULL && leaks->leaked[one - document->findings->goroutines->items];
	json_put(document, object, "leaked", leaks != NULL ? json_boolean(leaked) : json_null());
	json_put(document, object, "leak_reason",
		 json_words(leaked ? goroutine_leak_reason(one) : NULL));
	return object;
}

static json_t *group_object(struct json_document *document, const struct go_group *group)
{
	json_t *object = json_object(), *ids = json_array();
	for (size_t i = 0; i < group->count; i++)
		json_append(document, ids, json_size(group->members[i]->id));
	json_put(document, object, "count", json_size(group->count));
	json_put(document, object, "goroutines", ids);
	json_put(document, object, "creator",
		 group->creator.function != NULL ? call_object(document, &group->creator)
						 : json_null());
	json_put(document, object, "stack", json_integer(group->members[0]->stack));
	return object;
}

static void put_go(struct json_document *document)
{
	const struct go_process *go = document->findings->go;
	json_t *object = json_object();
	json_put(document, object, "version", json_words(go->version));
	json_put(document, object, "gomaxprocs",
		 go->processors.count > 0 ? json_size(go->processors.count) : json_null());
	json_put(document, object, "heap_bytes",
		 document->findings->go_heap != NULL ? json_size(document->findings->go_heap->bytes)
						     : json_null());
	json_put(document, object, "collector", json_words(go_collector_phase(go)));
	json_put(document, object, "stripped", json_boolean(go->stripped));
	json_put(document, object, "evidence",
		 json_words(layout_evidence_name(go->layouts.evidence)));
	json_put(document, document->root, "go", object);
}

static void put_groups(struct json_document *document)
{
	const struct goroutines *goroutines = document->findings->goroutines;
	json_t *groups = json_array();
	size_t rows = json_rows(document, goroutines->group_count);
	for (size_t i = 0; i < rows; i++)
		json_append(document, groups, group_object(document, &goroutines->groups[i]));
	json_put(document, document->root, "goroutine_groups", groups);
	json_t *stacks = json_array();
	for (size_t i = 0; i < goroutines->stack_count; i++)
		json_append(document, stacks, stack_object(document, &goroutines->stacks[i]));
	json_put(document, document->root, "go_stacks", stacks);
}

static size_t group_index(const struct json_document *document, const struct go_group *group)
{
	return (size_t)(group - document->findings->goroutines->groups);
}

static json_t *leak_object(struct json_document *document, const struct goroutine_leak *leak)
{
	json_t *object = json_object();
	json_put(document, object, "group", json_size(group_index(document, leak->group)));
	json_put(document, object, "count", json_size(leak->count));
	json_put(document, object, "reason",
		 json_words(goroutine_leak_reason(leak->group->members[0])));
	json_put(document, object, "bytes", json_size(leak->bytes));
	json_put(document, object, "objects", json_size(leak->objects));
	json_put(document, object, "stack_bytes", json_size(leak->stack_bytes));
	return object;
}

static json_t *suspicion_object(struct json_document *document,
				const struct goroutine_suspicion *suspicion)
{
	json_t *object = json_object();
	json_put(document, object, "group", json_size(group_index(document, suspicion->group)));
	json_put(document, object, "count", json_size(suspicion->count));
	json_put(document, object, "why", json_words(suspicion->why));
	return object;
}

static json_t *file_object(struct json_document *document, const struct go_open_file *file)
{
	json_t *object = json_object();
	json_put(document, object, "fd", json_integer(file->fd));
	json_put(document, object, "address", json_address(file->address));
	json_put(document, object, "network", json_words(file->network));
	json_put(document, object, "name", json_words(file->name));
	json_put(document, object, "peer", json_words(file->peer));
	return object;
}

static json_t *ticker_object(struct json_document *document, const struct go_ticker *ticker)
{
	json_t *object = json_object();
	json_put(document, object, "address", json_address(ticker->address));
	json_put(document, object, "period_ns", json_size((uint64_t)ticker->period));
	json_put(document, object, "awaited", json_boolean(ticker->awaited));
	return object;
}

static json_t *defers_object(struct json_document *document, const struct go_defers *defers)
{
	json_t *object = json_object();
	json_put(document, object, "goroutine", json_size(defers->goroutine->id));
	json_put(document, object, "count", json_size(defers->count));
	json_put(document, object, "function", json_words(defers->function));
	return object;
}

static json_t *body_object(struct json_document *document, const struct go_body *body)
{
	json_t *object = json_object();
	json_put(document, object, "goroutine", json_size(body->reader->id));
	json_put(document, object, "peer", json_words(body->peer));
	return object;
}

static json_t *cycles_object(struct json_document *document,
			     const struct go_finalizer_cycles *cycles)
{
	json_t *object = json_object(), *types = json_array();
	for (size_t i = 0; i < cycles->types.count; i++) {
		json_t *type = json_object();
		json_put(document, type, "type", json_words(cycles->types.items[i].type));
		json_put(document, type, "count", json_size(cycles->types.items[i].count));
		json_append(document, types, type);
	}
	json_put(document, object, "count", json_size(cycles->count));
	json_put(document, object, "bytes", json_size(cycles->bytes));
	json_put(document, object, "objects", json_size(cycles->objects));
	json_put(document, object, "types", types);
	return object;
}

static void put_resources(struct json_document *document)
{
	const struct go_resources *resources = document->findings->go_resources;
	json_t *object = json_object(), *files = json_array(), *tickers = json_array();
	json_t *defers = json_array(), *bodies = json_array();
	for (size_t i = 0; i < resources->files.count; i++)
		json_append(document, files, file_object(document, &resources->files.items[i]));
	for (size_t i = 0; i < resources->tickers.count; i++)
		json_append(document, tickers,
			    ticker_object(document, &resources->tickers.items[i]));
	for (size_t i = 0; i < resources->defers.count; i++)
		json_append(document, defers, defers_object(document, &resources->defers.items[i]));
	for (size_t i = 0; i < resources->bodies.count; i++)
		json_append(document, bodies, body_object(document, &resources->bodies.items[i]));
	json_put(document, object, "files", files);
	json_put(document, object, "tickers", tickers);
	json_put(document, object, "files_limit",
		 resources->files_limit > 0 ? json_size(resources->files_limit) : json_null());
	json_put(document, object, "finalizer_cycles", cycles_object(document, &resources->cycles));
	json_put(document, object, "tickers_are_kept", json_boolean(resources->tickers_are_kept));
	json_put(document, object, "defers", defers);
	json_put(document, object, "bodies", bodies);
	json_put(document, object, "long_sleeps", json_size(resources->long_sleeps));
	json_put(document, document->root, "go_resources", object);
}

static void put_leaks(struct json_document *document)
{
	const struct goroutine_leaks *leaks = document->findings->goroutine_leaks;
	json_t *object = json_object(), *groups = json_array(), *suspicions = json_array();
	for (size_t i = 0; i < leaks->group_count; i++)
		json_append(document, groups, leak_object(document, &leaks->groups[i]));
	for (size_t i = 0; i < leaks->suspicion_count; i++)
		json_append(document, suspicions,
			    suspicion_object(document, &leaks->suspicions[i]));
	json_put(document, object, "count", json_size(leaks->count));
	json_put(document, object, "bytes", json_size(leaks->bytes));
	json_put(document, object, "objects", json_size(leaks->objects));
	json_put(document, object, "shared_bytes", json_size(leaks->shared_bytes));
	json_put(document, object, "stack_bytes", json_size(leaks->stack_bytes));
	json_put(document, object, "live_bytes", json_size(leaks->live_bytes));
	json_put(document, object, "live_objects", json_size(leaks->live_objects));
	json_put(document, object, "main_waits_forever", json_boolean(leaks->main_waits_forever));
	json_put(document, object, "all_wait", json_boolean(leaks->all_wait));
	json_put(document, object, "groups", groups);
	json_put(document, object, "suspicions", suspicions);
	json_put(document, document->root, "goroutine_leaks", object);
}

static void put_deadlocks(struct json_document *document)
{
	const struct go_lock_holders *holders = document->findings->go_lock_holders;
	const struct go_wait_objects *objects = &document->findings->goroutines->objects;
	json_t *cycles = json_array();
	for (size_t i = 0; i < holders->deadlocks.count; i++) {
		const struct go_deadlock *cycle = &holders->deadlocks.items[i];
		json_t *links = json_array();
		for (size_t k = cycle->first; k < cycle->first + cycle->count; k++) {
			const struct go_deadlock_link *link = &holders->links.items[k];
			json_t *object = json_object();
			json_put(document, object, "goroutine", json_size(link->waiter->id));
			json_put(document, object, "object",
				 json_address(objects->objects.items[link->object].address));
			json_put(document, object, "name",
				 json_words(objects->objects.items[link->object].name));
			json_append(document, links, object);
		}
		json_append(document, cycles, links);
	}
	json_put(document, document->root, "go_deadlocks", cycles);
}

void json_go(struct json_document *document)
{
	if (document->findings->go == NULL)
		return;
	put_go(document);
	if (document->findings->goroutines != NULL)
		put_groups(document);
	if (document->findings->goroutines != NULL && document->findings->go_lock_holders != NULL)
		put_deadlocks(document);
	if (document->findings->goroutine_leaks != NULL)
		put_leaks(document);
	if (document->findings->go_resources != NULL)
		put_resources(document);
}

void json_goroutines(struct json_document *document, FILE *out)
{
	const struct goroutines *goroutines = document->findings->goroutines;
	fputs(" \"goroutines\": [", out);
	for (size_t i = 0; goroutines != NULL && i < goroutines->count; i++) {
		json_t *object = goroutine_object(document, &goroutines->items[i]);
		fputs(i > 0 ? ",\n  " : "\n  ", out);
		if (object == NULL || document->failed)
			document->failed = true;
		else
			json_dumpf(object, out, JSON_COMPACT);
		json_decref(object);
	}
	fputs("\n ]", out);
}
