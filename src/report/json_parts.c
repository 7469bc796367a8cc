/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <config.h>

#include "report/json_parts.h"

#include "report/format.h"

#include <inttypes.h>
#include <string.h>

void json_put(struct json_document *document, json_t *object, const char *name, json_t *value)
{
	if (json_object_set_new(object, name, value) != 0)
		document->failed = true;
}

void json_append(struct json_document *document, json_t *array, json_t *value)
{
	if (json_array_append_new(array, value) != 0)
		document->failed = true;
}

json_t *json_address(uint64_t address)
{
	char text[24];
	snprintf(text, sizeof text, "0x%" PRIx64, address);
	return json_string(text);
}

json_t *json_size(uint64_t size)
{
	return json_integer(size > INT64_MAX ? INT64_MAX : (json_int_t)size);
}

/* `string` with U+FFFD for each byte that is not UTF-8. */
static json_t *repaired(const char *string)
{
	static const char replacement[] = "\xef\xbf\xbd";
	const size_t longest = 3 * strlen(string) + 1;
	char *copy = malloc(longest), *to = copy;
	if (copy == NULL)
		return NULL;
	while (*string != '\0') {
		const char *from = string;
		if (format_decode(&string) < 0)
			from = replacement;
		const size_t length = from == replacement ? 3 : (size_t)(string - from);
		memcpy(to, from, length);
		to += length;
	}
	json_t *value = json_stringn(copy, (size_t)(to - copy));
	free(copy);
	return value;
}

json_t *json_words(const char *string)
{
	if (string == NULL)
		return json_null();
	json_t *value = json_string(string);
	return value != NULL ? value : repaired(string);
}

json_t *json_tid(const struct thread *thread)
{
	return thread != NULL ? json_integer(thread->tid) : json_null();
}

size_t json_rows(const struct json_document *document, size_t count)
{
	const int limit = document->style->limit;
	return limit > 0 && count > (size_t)limit ? (size_t)limit : count;
}

static json_t *target_object(struct json_document *document)
{
	const struct target *target = document->findings->subject->target;
	json_t *object = json_object();
	json_put(document, object, "kind", json_words(target_kind_name(target->kind)));
	json_put(document, object, "path", json_words(target->path));
	json_put(document, object, "pid", json_integer(target->pid));
	json_put(document, object, "inner_pid",
		 target->inner_pid != 0 ? json_integer(target->inner_pid) : json_null());
	json_put(document, object, "architecture", json_words(target->arch->name));
	json_put(document, object, "command", json_words(target->command));
	json_put(document, object, "executable", json_words(target->exe));
	json_put(document, object, "run_as", json_words(document->findings->run_as));
	json_put(document, object, "executable_deleted", json_boolean(target->deleted));
	json_put(document, object, "threads", json_size(target->threads.count));
	json_put(document, object, "from_gcore", json_boolean(target->from_gcore));
	json_put(document, object, "truncated", json_boolean(target->truncated));
	json_put(document, object, "file_size",
		 target->kind == TARGET_CORE ? json_size(target->file_size) : json_null());
	json_put(document, object, "expected_size",
		 target->kind == TARGET_CORE ? json_size(target->expected_size) : json_null());
	json_put(document, object, "stopped",
		 target->kind == TARGET_LIVE ? json_boolean(!target->unstopped) : json_null());
	json_put(document, object, "stopped_because",
		 json_words(target->held ? "a debugger holds it" : target->stopped_because));
	json_put(document, object, "stop_cut_short", json_boolean(target->cut_short));
	json_put(document, object, "stopped_us",
		 target->kind == TARGET_LIVE ? json_size(target->paused_us) : json_null());
	return object;
}

static json_t *gaps_array(struct json_document *document)
{
	const struct gaps *gaps = document->findings->subject->gaps;
	json_t *array = json_array();
	for (size_t i = 0; i < gaps->list.count; i++) {
		const struct gap *gap = &gaps->list.items[i];
		json_t *object = json_object();
		const bool placed = gap->start != 0 || gap->end != 0;
		json_put(document, object, "kind", json_words(gap_kind_name(gap->kind)));
		json_put(document, object, "start",
			 placed ? json_address(gap->start) : json_null());
		json_put(document, object, "end", placed ? json_address(gap->end) : json_null());
		json_put(document, object, "text", json_words(gap->text));
		json_append(document, array, object);
	}
	return array;
}

void json_common(struct json_document *document, const char *view)
{
	const struct findings *findings = document->findings;
	json_t *root = document->root;
	json_put(document, root, "schema", json_integer(JSON_SCHEMA_VERSION));
	json_put(document, root, "corescan", json_string(PACKAGE_VERSION));
	json_put(document, root, "view", json_string(view));
	json_put(document, root, "exit_status", json_integer(findings->exit_status));
	json_put(document, root, "partial", json_boolean(findings_partial(findings)));
	json_put(document, root, "target", target_object(document));
	json_put(document, root, "gaps", gaps_array(document));
	json_put(document, root, "gaps_lost", json_boolean(findings->subject->gaps->lost));
}

json_t *json_place(struct json_document *document, const struct place *place)
{
	static const char *const kinds[] = {
		[PLACE_UNMAPPED] = "unmapped", [PLACE_SYMBOL] = "symbol", [PLACE_MODULE] = "module",
		[PLACE_STACK] = "stack",       [PLACE_CHUNK] = "chunk",	  [PLACE_HEAP] = "heap",
		[PLACE_MAPPING] = "mapping",
	};
	const char *symbol = place->kind == PLACE_SYMBOL ? place->symbol.name : NULL;
	const char *module = place->module != NULL ? place->module->name : NULL;
	json_t *object = json_object();
	json_put(document, object, "kind", json_words(kinds[place->kind]));
	json_put(document, object, "address", json_address(place->address));
	json_put(document, object, "offset", json_size(place->offset));
	json_put(document, object, "symbol", json_words(symbol));
	json_put(document, object, "module", json_words(module));
	json_put(document, object, "tid", json_tid(place->thread));
	return object;
}
