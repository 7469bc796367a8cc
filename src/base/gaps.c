/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/gaps.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static bool already_there(const struct gaps *gaps, enum gap_kind kind, const char *text)
{
	for (size_t i = 0; i < gaps->list.count; i++)
		if (gaps->list.items[i].kind == kind && strcmp(gaps->list.items[i].text, text) == 0)
			return true;
	return false;
}

void gaps_add(struct gaps *gaps, enum gap_kind kind, uint64_t start, uint64_t end,
	      const char *format, ...)
{
	char *text;
	va_list arguments;
	va_start(arguments, format);
	int length = vasprintf(&text, format, arguments);
	va_end(arguments);
	if (length < 0) {
		gaps->lost = true;
		return;
	}
	if (already_there(gaps, kind, text)) {
		free(text);
		return;
	}
	if (!array_push(&gaps->list, (struct gap){ kind, start, end, text })) {
		free(text);
		gaps->lost = true;
	}
}

const char *gap_kind_name(enum gap_kind kind)
{
	static const char *const names[] = {
		[GAP_MEMORY] = "memory", [GAP_MODULE] = "module", [GAP_DEBUG_INFO] = "debug-info",
		[GAP_THREAD] = "thread", [GAP_HEAP] = "heap",	  [GAP_WAIT] = "wait",
		[GAP_LIMIT] = "limit",
	};
	return names[kind];
}

void gaps_free(struct gaps *gaps)
{
	for (size_t i = 0; i < gaps->list.count; i++)
		free(gaps->list.items[i].text);
	array_free(&gaps->list);
}
