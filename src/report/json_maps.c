/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "report/json_parts.h"

static json_t *module_object(struct json_document *document, const struct module *module)
{
	char id[BUILD_ID_TEXT_MAX];
	json_t *object = json_object();
	module_build_id(module, sizeof id, id);
	json_put(document, object, "path", json_words(module->path));
	json_put(document, object, "file", json_words(module->file));
	json_put(document, object, "start", json_address(module->start));
	json_put(document, object, "end", json_address(module->end));
	json_put(document, object, "bias", json_address(module->bias));
	json_put(document, object, "build_id", json_words(id[0] != '\0' ? id : NULL));
	json_put(document, object, "match", json_words(module_match_name(module->match)));
	json_put(document, object, "is_executable", json_boolean(module->is_executable));
	json_put(document, object, "is_libc", json_boolean(module->is_libc));
	return object;
}

void json_modules(struct json_document *document)
{
	json_t *array = json_array();
	for (size_t i = 0; i < document->findings->module_count; i++)
		json_append(document, array,
			    module_object(document, &document->findings->modules[i]));
	json_put(document, document->root, "modules", array);
}

static json_t *segment_object(struct json_document *document, const struct segment *segment)
{
	char permissions[5];
	json_t *object = json_object();
	json_put(document, object, "start", json_address(segment->start));
	json_put(document, object, "end", json_address(segment->end));
	json_put(document, object, "origin", json_words(segment_origin_name(segment->origin)));
	json_put(document, object, "permissions",
		 segment->permissions_known ? json_words(segment_permissions(segment, permissions))
					    : json_null());
	json_put(document, object, "name", json_words(segment->name));
	json_put(document, object, "file_offset",
		 segment->name != NULL ? json_size(segment->file_offset) : json_null());
	return object;
}

void json_maps(struct json_document *document)
{
	const struct findings *findings = document->findings;
	json_t *array = json_array();
	json_modules(document);
	for (size_t i = 0; i < findings->segment_count; i++)
		json_append(document, array, segment_object(document, &findings->segments[i]));
	json_put(document, document->root, "segments", array);
}
