/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "analysis/content_cxx.h"

#include <string.h>

#define FUNCTION_PREFIX "object with function "
#define HANDLER_PREFIX	FUNCTION_PREFIX "std::_Function_handler<"
#define INPLACE_PREFIX	"std::shared_ptr<"
#define BLOCK_PREFIX	"control block of std::shared_ptr ("

/* The length of the first template argument of a name that begins with `prefix`; 0: there is none.
 */
static int first_argument(const char *name, const char *prefix, const char **argument)
{
	unsigned depth = 0;
	if (strncmp(name, prefix, strlen(prefix)) != 0)
		return 0;
	*argument = name + strlen(prefix);
	for (const char *at = *argument; *at != '\0'; at++) {
		if (*at == '<' || *at == '(')
			depth++;
		else if (depth == 0 && (*at == ',' || *at == '>'))
			return (int)(at - *argument - (at > *argument && at[-1] == ' '));
		else if (depth > 0 && (*at == ')' || (*at == '>' && at[-1] != '-')))
			depth--;
	}
	return 0;
}

/* The formats are those of the callers' tables: each takes a length and its text. */
static const char *phrase(struct string_pool *strings, const char *format, int length,
			  const char *argument)
{
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	return string_pool_format(strings, format, length, argument);
#pragma GCC diagnostic pop
}

const char *content_cxx_class(struct string_pool *strings, const char *name)
{
	static const struct {
		const char *prefix, *format;
	} blocks[] = {
		{ "std::_Sp_counted_ptr_inplace<", INPLACE_PREFIX "%.*s> (make_shared)" },
		{ "std::_Sp_counted_ptr<", BLOCK_PREFIX "%.*s)" },
		{ "std::_Sp_counted_deleter<", BLOCK_PREFIX "%.*s, deleter)" },
	};
	for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++) {
		const char *argument;
		const int length = first_argument(name, blocks[i].prefix, &argument);
		if (length > 0)
			return phrase(strings, blocks[i].format, length, argument);
	}
	return string_pool_format(strings, "class %s (vtable)", name);
}

const char *content_cxx_function(struct string_pool *strings, const char *name)
{
	static const char *const managers[] = { "std::any::_Manager_external<",
						"std::any::_Manager_internal<" };
	for (size_t i = 0; i < sizeof managers / sizeof *managers; i++) {
		const char *argument;
		const int length = first_argument(name, managers[i], &argument);
		if (length > 0)
			return phrase(strings, "std::any (%.*s)", length, argument);
	}
	return string_pool_format(strings, FUNCTION_PREFIX "%s", name);
}

const char *content_cxx_function_object(struct string_pool *strings, const char *managed,
					const char *called)
{
	const char *argument;
	const int length = first_argument(called, HANDLER_PREFIX, &argument);
	/* The manager may be that of a base, which has no signature. */
	if (length <= 0 || strstr(called, ">::_M_invoke(") == NULL ||
	    strstr(managed, ">::_M_manager(") == NULL)
		return NULL;
	return phrase(strings, "std::function<%.*s>", length, argument);
}

const char *content_cxx_shared_pointer(struct string_pool *strings, const char *block)
{
	if (strncmp(block, INPLACE_PREFIX, strlen(INPLACE_PREFIX)) == 0) {
		const char *end = strstr(block, " (make_shared)");
		return end != NULL ? phrase(strings, "%.*s", (int)(end - block), block) : NULL;
	}
	if (strncmp(block, BLOCK_PREFIX, strlen(BLOCK_PREFIX)) != 0)
		return NULL;
	block += strlen(BLOCK_PREFIX);
	const char *end = strstr(block, ", deleter)");
	const size_t length = end != NULL ? (size_t)(end - block) : strlen(block) - 1;
	/* "X*" */
	return length > 1 && block[length - 1] == '*'
		   ? phrase(strings, INPLACE_PREFIX "%.*s>", (int)length - 1, block)
		   : NULL;
}
