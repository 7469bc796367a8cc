/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/error.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct error out_of_memory = { .code = ERROR_NO_MEMORY, .message = "out of memory" };

struct error *error_no_memory(void)
{
	return &out_of_memory;
}

/* `suffix` may be NULL. */
__attribute__((format(printf, 3, 0))) static struct error *make(enum error_code code,
								const char *suffix,
								const char *format,
								va_list arguments)
{
	va_list again;
	va_copy(again, arguments);
	int length = vsnprintf(NULL, 0, format, again);
	va_end(again);
	if (length < 0)
		return error_no_memory();

	size_t tail = suffix != NULL ? strlen(suffix) + 2 : 0;
	struct error *error = malloc(sizeof *error + (size_t)length + tail + 1);
	if (error == NULL)
		return error_no_memory();
	error->code = code;
	error->address = 0;
	error->message = error->text;
	vsnprintf(error->text, (size_t)length + 1, format, arguments);
	if (suffix != NULL) {
		memcpy(error->text + length, ": ", 2);
		memcpy(error->text + length + 2, suffix, tail - 1);
	}
	return error;
}

struct error *error_new(enum error_code code, const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	struct error *error = make(code, NULL, format, arguments);
	va_end(arguments);
	return error;
}

struct error *error_os(int number, const char *format, ...)
{
	char text[128];
	va_list arguments;
	va_start(arguments, format);
	struct error *error =
	    make(ERROR_OS, strerror_r(number, text, sizeof text), format, arguments);
	va_end(arguments);
	return error;
}

struct error *error_fault(uint64_t address, uint64_t size, const char *why)
{
	struct error *error = error_new(
	    ERROR_FAULT, "cannot read %" PRIu64 " bytes at 0x%" PRIx64 ": %s", size, address, why);
	if (error->code == ERROR_FAULT)
		error->address = address;
	return error;
}

struct error *error_prefix(struct error *error, const char *format, ...)
{
	if (error == NULL || error == error_no_memory())
		return error;
	va_list arguments;
	va_start(arguments, format);
	struct error *longer = make(error->code, error->message, format, arguments);
	va_end(arguments);
	if (longer != error_no_memory())
		longer->address = error->address;
	error_free(error);
	return longer;
}

void error_free(struct error *error)
{
	if (error != error_no_memory())
		free(error);
}
