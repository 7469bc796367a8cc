/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cli/messages.h"

#include "report/format.h"

#include <langinfo.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool locale_is_utf8(void)
{
	return strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
}

void message(struct progress_line *line, const char *format, ...)
{
	char *text, printed[FORMAT_CHARACTER_MAX];
	const bool utf8 = locale_is_utf8();
	va_list arguments;
	if (line != NULL)
		progress_line_erase(line);
	va_start(arguments, format);
	const int length = vasprintf(&text, format, arguments);
	va_end(arguments);
	if (length < 0) {
		fputs("corescan: out of memory\n", stderr);
		return;
	}
	fputs("corescan: ", stderr);
	for (const char *at = text; *at != '\0';) {
		format_character(&at, utf8, printed);
		fputs(printed, stderr);
	}
	fputc('\n', stderr);
	free(text);
}
