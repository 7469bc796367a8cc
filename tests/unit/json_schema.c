/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "json_schema.h"

#include <regex.h>
#include <stdio.h>
#include <string.h>

struct validation {
	json_t *root;
	char *why; /* of the last thing that was wrong; empty while all is well */
	size_t size;
};

static bool valid(struct validation *validation, json_t *schema, json_t *value, const char *path);

static bool wrong(struct validation *validation, const char *path, const char *keyword)
{
	snprintf(validation->why, validation->size, "%s: %s", path, keyword);
	return false;
}

static bool is_type(const json_t *value, const char *type)
{
	static const struct {
		const char *name;
		json_type type;
	} types[] = { { "object", JSON_OBJECT },
		      { "array", JSON_ARRAY },
		      { "string", JSON_STRING },
		      { "integer", JSON_INTEGER },
		      { "null", JSON_NULL } };
	if (strcmp(type, "boolean") == 0)
		return json_is_boolean(value);
	for (size_t i = 0; i < sizeof types / sizeof *types; i++)
		if (strcmp(types[i].name, type) == 0)
			return json_typeof(value) == types[i].type;
	return false;
}

static bool check_type(json_t *rule, json_t *value)
{
	size_t index;
	json_t *type;
	if (json_is_string(rule))
		return is_type(value, json_string_value(rule));
	json_array_foreach(rule, index,
			   type) if (is_type(value, json_string_value(type))) return true;
	return false;
}

static bool check_enum(json_t *rule, json_t *value)
{
	size_t index;
	json_t *allowed;
	json_array_foreach(rule, index, allowed) if (json_equal(allowed, value)) return true;
	return false;
}

static bool check_pattern(json_t *rule, json_t *value)
{
	regex_t expression;
	if (!json_is_string(value))
		return true;
	if (regcomp(&expression, json_string_value(rule), REG_EXTENDED | REG_NOSUB) != 0)
		return false;
	const bool matches = regexec(&expression, json_string_value(value), 0, NULL, 0) == 0;
	regfree(&expression);
	return matches;
}

static bool check_required(json_t *rule, json_t *value)
{
	size_t index;
	json_t *name;
	json_array_foreach(rule, index, name) if (json_is_object(value) &&
						  json_object_get(value, json_string_value(name)) ==
						      NULL) return false;
	return true;
}

static bool check_members(struct validation *validation, json_t *schema, json_t *value,
			  const char *path)
{
	const char *name;
	char below[512];
	json_t *member;
	json_t *properties = json_object_get(schema, "properties");
	json_t *others = json_object_get(schema, "additionalProperties");
	json_object_foreach(value, name, member)
	{
		json_t *rule = json_object_get(properties, name);
		snprintf(below, sizeof below, "%s.%s", path, name);
		if (rule == NULL)
			rule = others;
		if (json_is_false(rule))
			return wrong(validation, below, "additionalProperties");
		if (rule != NULL && !valid(validation, rule, member, below))
			return false;
	}
	return true;
}

static bool check_items(struct validation *validation, json_t *rule, json_t *value,
			const char *path)
{
	size_t index;
	json_t *item;
	char below[512];
	json_array_foreach(value, index, item)
	{
		snprintf(below, sizeof below, "%s[%zu]", path, index);
		if (!valid(validation, rule, item, below))
			return false;
	}
	return true;
}

/* How many of the alternatives hold. */
static size_t count_valid(struct validation *validation, json_t *rules, json_t *value,
			  const char *path)
{
	size_t index, count = 0;
	json_t *rule;
	json_array_foreach(rules, index, rule) count += valid(validation, rule, value, path);
	return count;
}

static bool check_reference(struct validation *validation, json_t *rule, json_t *value,
			    const char *path)
{
	static const char prefix[] = "#/definitions/";
	const char *reference = json_string_value(rule);
	if (strncmp(reference, prefix, sizeof prefix - 1) != 0)
		return wrong(validation, path, reference);
	json_t *definitions = json_object_get(validation->root, "definitions");
	json_t *schema = json_object_get(definitions, reference + sizeof prefix - 1);
	return schema != NULL ? valid(validation, schema, value, path)
			      : wrong(validation, path, reference);
}

static bool check_keyword(struct validation *validation, json_t *schema, const char *keyword,
			  json_t *rule, json_t *value, const char *path)
{
	if (strcmp(keyword, "type") == 0)
		return check_type(rule, value);
	if (strcmp(keyword, "enum") == 0)
		return check_enum(rule, value);
	if (strcmp(keyword, "const") == 0)
		return json_equal(rule, value);
	if (strcmp(keyword, "minimum") == 0)
		return !json_is_integer(value) ||
		       json_integer_value(value) >= json_integer_value(rule);
	if (strcmp(keyword, "pattern") == 0)
		return check_pattern(rule, value);
	if (strcmp(keyword, "required") == 0)
		return check_required(rule, value);
	if (strcmp(keyword, "items") == 0)
		return check_items(validation, rule, value, path);
	if (strcmp(keyword, "anyOf") == 0)
		return count_valid(validation, rule, value, path) > 0;
	if (strcmp(keyword, "allOf") == 0)
		return count_valid(validation, rule, value, path) == json_array_size(rule);
	if (strcmp(keyword, "$ref") == 0)
		return check_reference(validation, rule, value, path);
	if (strcmp(keyword, "properties") == 0 || strcmp(keyword, "additionalProperties") == 0)
		return check_members(validation, schema, value, path);
	return strcmp(keyword, "description") == 0 || strcmp(keyword, "title") == 0 ||
	       strcmp(keyword, "$schema") == 0 || strcmp(keyword, "definitions") == 0;
}

static bool valid(struct validation *validation, json_t *schema, json_t *value, const char *path)
{
	const char *keyword;
	json_t *rule;
	json_object_foreach(schema, keyword, rule)
	{
		validation->why[0] = '\0';
		if (check_keyword(validation, schema, keyword, rule, value, path))
			continue;
		return validation->why[0] != '\0' ? false : wrong(validation, path, keyword);
	}
	return true;
}

bool json_schema_valid(json_t *schema, json_t *value, char *why, size_t size)
{
	struct validation validation = { .root = schema, .why = why, .size = size };
	why[0] = '\0';
	return json_is_object(schema) && valid(&validation, schema, value, "$");
}
