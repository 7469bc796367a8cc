/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "modules/glibc_version.h"

#include <string.h>

#define BANNER	    "GNU C Library"
#define BANNER_PART " release version "

/* Finds `text` in the target's memory from `start` on. 0: not there. */
static uint64_t find_text(struct address_space *space, uint64_t start, uint64_t end,
			  const char *text)
{
	const uint8_t *bytes;
	size_t length = strlen(text);
	for (uint64_t at = start; at < end;) {
		size_t size = address_space_span(space, at, end - at, &bytes);
		const uint8_t *found = size != 0 ? memmem(bytes, size, text, length) : NULL;
		if (found != NULL)
			return at + (uint64_t)(found - bytes);
		at += size != 0 ? size : 4096;
	}
	return 0;
}

static const char *banner_version(struct address_space *space, struct string_pool *strings,
				  const struct module *module)
{
	char text[160];
	size_t count;
	const struct segment *segments = address_space_segments(space, &count);
	for (size_t i = 0; i < count; i++) {
		const struct segment *segment = &segments[i];
		if (segment->start < module->start || segment->end > module->end ||
		    segment->origin == SEGMENT_ABSENT ||
		    (segment->permissions & SEGMENT_WRITE) != 0)
			continue;
		uint64_t at = find_text(space, segment->start, segment->end, BANNER);
		if (at == 0 || !address_space_string(space, at, text, sizeof text))
			continue;
		const char *part = strstr(text, BANNER_PART);
		if (part == NULL)
			continue;
		part += strlen(BANNER_PART);
		size_t length = strspn(part, "0123456789.");
		while (length > 0 && part[length - 1] == '.')
			length--;
		if (length > 0 && length < 16)
			return string_pool_format(strings, "glibc %.*s", (int)length, part);
	}
	return NULL;
}

const char *glibc_version(struct address_space *space, struct modules *modules)
{
	size_t count;
	const char *version = NULL;
	const struct module *list = modules_list(modules, &count);
	for (size_t i = 0; i < count && version == NULL; i++)
		if (list[i].is_libc)
			version = banner_version(space, modules_strings(modules), &list[i]);
	return version;
}
