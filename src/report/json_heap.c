/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "report/json_parts.h"

#include <stdio.h>

static json_t *arena_object(struct json_document *document, const struct heap_arena *arena)
{
	json_t *object = json_object();
	json_put(document, object, "kind", json_words(arena_kind_name(arena->kind)));
	json_put(document, object, "address",
		 arena->address != 0 ? json_address(arena->address) : json_null());
	json_put(document, object, "used_chunks", json_size(arena->used_chunks));
	json_put(document, object, "used_bytes", json_size(arena->used_bytes));
	json_put(document, object, "free_chunks", json_size(arena->free_chunks));
	json_put(document, object, "free_bytes", json_size(arena->free_bytes));
	json_put(document, object, "cached_chunks", json_size(arena->cached_chunks));
	json_put(document, object, "cached_bytes", json_size(arena->cached_bytes));
	json_put(document, object, "top_bytes", json_size(arena->top_bytes));
	json_put(document, object, "system_bytes", json_size(arena->system_bytes));
	json_put(document, object, "lost_bytes", json_size(arena->lost_bytes));
	json_put(document, object, "heaps", json_integer(arena->heap_count));
	json_put(document, object, "in_flux", json_boolean(arena->in_flux));
	return object;
}

static json_t *neighbour_object(struct json_document *document, const struct heap_neighbour *chunk)
{
	if (chunk->address == 0)
		return json_null();
	json_t *object = json_object();
	json_put(document, object, "address", json_address(chunk->address));
	json_put(document, object, "size", json_size(chunk->size));
	json_put(document, object, "used", json_boolean(chunk->used));
	return object;
}

static json_t *dump_array(struct json_document *document, const struct heap_finding *finding)
{
	json_t *array = json_array();
	for (unsigned row = 0; row < finding->dump_rows; row++) {
		char digits[2 * HEAP_DUMP_ROW + 1];
		for (unsigned i = 0; i < HEAP_DUMP_ROW; i++)
			snprintf(digits + (size_t)2 * i, 3, "%02x",
				 finding->dump[row * HEAP_DUMP_ROW + i]);
		json_t *object = json_object();
		json_put(document, object, "address",
			 json_address(finding->dump_start + row * HEAP_DUMP_ROW));
		json_put(document, object, "bytes", json_words(digits));
		json_put(document, object, "what", json_words(finding->dump_what[row]));
		json_append(document, array, object);
	}
	return array;
}

static json_t *finding_object(struct json_document *document, const struct heap_finding *finding)
{
	json_t *object = json_object();
	json_put(document, object, "kind", json_words(heap_finding_row(finding->kind)->name));
	json_put(document, object, "address", json_address(finding->address));
	json_put(document, object, "arena", json_integer(finding->arena));
	json_put(document, object, "in_flux", json_boolean(finding->in_flux));
	json_put(document, object, "text", json_words(finding->text));
	json_put(document, object, "word",
		 finding->word != 0 ? json_address(finding->word) : json_null());
	json_put(document, object, "found",
		 finding->has_found ? json_address(finding->found) : json_null());
	json_put(document, object, "expected", json_words(finding->expected));
	json_put(document, object, "overrun", json_words(finding->overrun));
	json_put(document, object, "previous", neighbour_object(document, &finding->previous));
	json_put(document, object, "next", neighbour_object(document, &finding->next));
	json_put(document, object, "lost_bytes", json_size(finding->lost_bytes));
	json_put(document, object, "dump", dump_array(document, finding));
	return object;
}

static json_t *findings_array(struct json_document *document, const struct heap *heap)
{
	json_t *array = json_array();
	for (size_t i = 0; i < heap->findings.count; i++)
		json_append(document, array, finding_object(document, &heap->findings.items[i]));
	return array;
}

static json_t *total_object(struct json_document *document, const struct chunk_total *total)
{
	json_t *object = json_object();
	json_put(document, object, "chunks", json_size(total->chunks));
	json_put(document, object, "bytes", json_size(total->bytes));
	return object;
}

static json_t *words_or_null(const char *words)
{
	return words[0] != '\0' ? json_words(words) : json_null();
}

static json_t *states_object(struct json_document *document, const struct reachability *result)
{
	json_t *object = json_object();
	for (unsigned state = 0; state < CHUNK_STATE_COUNT; state++)
		json_put(document, object, chunk_state_name((enum chunk_state)state),
			 total_object(document, &result->totals[state]));
	return object;
}

/* Only groups that there are chunks in. */
static json_t *sizes_array(struct json_document *document, const struct chunk_sizes *sizes)
{
	json_t *array = json_array();
	for (size_t i = 0; i < CHUNK_SIZES_COUNT; i++) {
		const struct chunk_size *group = &sizes->groups[i];
		if (group->chunks == 0)
			continue;
		json_t *object = json_object();
		json_put(document, object, "least", json_size(group->least));
		json_put(document, object, "most", json_size(group->most));
		json_put(document, object, "chunks", json_size(group->chunks));
		json_put(document, object, "bytes", json_size(group->bytes));
		json_append(document, array, object);
	}
	return array;
}

static json_t *heap_object(struct json_document *document, const struct heap *heap)
{
	const struct reachability *reachability = document->findings->reachability;
	json_t *object = json_object(), *arenas = json_array();
	for (size_t i = 0; i < heap->arenas.count; i++)
		json_append(document, arenas, arena_object(document, &heap->arenas.items[i]));
	json_put(document, object, "provider", json_words(heap->provider));
	json_put(document, object, "version", json_words(heap->version));
	json_put(document, object, "evidence", json_words(heap->evidence));
	json_put(document, object, "arenas", arenas);
	json_put(document, object, "findings", findings_array(document, heap));
	json_put(document, object, "corruption", json_size(heap_corruption_count(heap)));
	json_put(document, object, "lost_bytes", json_size(heap_lost_bytes(heap)));
	json_put(document, object, "states",
		 reachability != NULL ? states_object(document, reachability) : json_null());
	json_put(document, object, "unheld",
		 reachability != NULL ? total_object(document, &reachability->unheld)
				      : json_null());
	json_put(document, object, "doubt",
		 reachability != NULL ? words_or_null(reachability->doubt) : json_null());
	json_put(document, object, "caution",
		 reachability != NULL ? words_or_null(reachability->caution) : json_null());
	json_put(document, object, "unread_bytes",
		 reachability != NULL ? json_size(reachability->unread_bytes) : json_null());
	if (document->findings->sizes != NULL)
		json_put(document, object, "sizes",
			 sizes_array(document, document->findings->sizes));
	return object;
}

void json_heap(struct json_document *document)
{
	const struct heap *heap = document->findings->subject->heap;
	json_put(document, document->root, "heap",
		 heap != NULL ? heap_object(document, heap) : json_null());
	json_retained(document);
}

/* --- leaks */

json_t *json_orphan_structure(struct json_document *document,
			      const struct orphan_structure *structure)
{
	json_t *object = json_object();
	json_put(document, object, "head", json_address(structure->head));
	json_put(document, object, "head_size", json_size(structure->head_size));
	json_put(document, object, "chunks", json_size(structure->chunks));
	json_put(document, object, "bytes", json_size(structure->bytes));
	json_put(document, object, "cyclic", json_boolean(structure->cyclic));
	json_put(document, object, "shared_by", json_size(structure->shared_by));
	return object;
}

static json_t *bytes_words(const uint8_t *bytes, unsigned count)
{
	char text[2 * ORPHAN_HEAD_BYTES + 1] = "";
	for (unsigned i = 0; i < count && i < ORPHAN_HEAD_BYTES; i++)
		snprintf(text + (size_t)2 * i, 3, "%02x", bytes[i]);
	return json_words(text);
}

static json_t *group_object(struct json_document *document, const struct orphan_group *group)
{
	json_t *object = json_object(), *examples = json_array();
	for (unsigned i = 0; i < group->example_count; i++)
		json_append(document, examples,
			    json_orphan_structure(document, &group->examples[i]));
	json_put(document, object, "content", json_words(content_kind_name(group->content)));
	json_put(document, object, "what", json_words(group->what));
	json_put(document, object, "head_size",
		 group->head_size != 0 ? json_size(group->head_size) : json_null());
	json_put(document, object, "structures", json_size(group->structures));
	json_put(document, object, "chunks", json_size(group->chunks));
	json_put(document, object, "bytes", json_size(group->bytes));
	json_put(document, object, "shared", json_size(group->shared));
	json_put(document, object, "head_size_min", json_size(group->head_size_min));
	json_put(document, object, "head_size_max", json_size(group->head_size_max));
	json_put(document, object, "largest", json_orphan_structure(document, &group->largest));
	json_put(document, object, "examples", examples);
	json_put(document, object, "head_bytes",
		 bytes_words(group->head_bytes, group->head_byte_count));
	return object;
}

static json_t *orphans_object(struct json_document *document, const struct orphans *orphans)
{
	json_t *object = json_object(), *groups = json_array();
	const size_t rows = json_rows(document, orphans->groups.count);
	for (size_t i = 0; i < rows; i++)
		json_append(document, groups, group_object(document, &orphans->groups.items[i]));
	json_put(document, object, "structures", json_size(orphans->structures));
	json_put(document, object, "chunks", json_size(orphans->chunks));
	json_put(document, object, "bytes", json_size(orphans->bytes));
	json_put(document, object, "groups", groups);
	json_put(document, object, "groups_omitted", json_size(orphans->groups.count - rows));
	return object;
}

/* What nothing leads to stands under one of two names: where it is in doubt it is not orphaned. */
void json_leaks(struct json_document *document)
{
	static const struct orphans none;
	const struct findings *findings = document->findings;
	const struct orphans *orphans = findings->orphans;
	const bool doubt =
	    findings->reachability != NULL && findings->reachability->doubt[0] != '\0';
	json_heap(document);
	json_put(document, document->root, "orphans",
		 orphans != NULL ? orphans_object(document, doubt ? &none : orphans) : json_null());
	json_put(document, document->root, "possible_orphans",
		 orphans != NULL && doubt ? orphans_object(document, orphans) : json_null());
}
