/* Errors as values.
 *
 * A function that can fail returns `struct error *`: NULL is success, and on failure its result
 * parameters are untouched. "Not mine" or "not there" is a bool, not an error. Bulk scans return
 * counts, never an error per word.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORESCAN_BASE_ERROR_H
#define CORESCAN_BASE_ERROR_H

#include <stdarg.h>
#include <stdint.h>

enum error_code {
	ERROR_NO_MEMORY,     /* an allocation of our own failed */
	ERROR_OS,	     /* a system call failed; the message holds strerror's text */
	ERROR_FAULT,	     /* target memory at .address could not be read */
	ERROR_BAD_DATA,	     /* what was read contradicts itself or its format */
	ERROR_NO_DEBUG_INFO, /* the answer needs debug information that was not found */
	ERROR_UNSUPPORTED,   /* a known format or architecture that corescan does not read */
	ERROR_NOT_FOUND,     /* a named file, process, or symbol does not exist */
	ERROR_INTERRUPTED,   /* SIGINT or SIGTERM arrived, or a deadline passed */
};

struct error {
	enum error_code code;
	uint64_t address;    /* target address for ERROR_FAULT, else 0 */
	const char *message; /* what failed, where, and what to do; no newline at the end */
	char text[];	     /* private: the message itself, unless it is a literal */
};

/* A new error with a printf-style message. Never NULL: when memory is exhausted it is a static
 * ERROR_NO_MEMORY. The caller owns it and ends it with error_free. */
struct error *error_new(enum error_code code, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* As error_new, for ERROR_OS: appends ": " and the text of error number `number`. */
struct error *error_os(int number, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* ERROR_FAULT for `size` bytes at target address `address`. */
struct error *error_fault(uint64_t address, uint64_t size, const char *why);

/* The static ERROR_NO_MEMORY. */
struct error *error_no_memory(void);

/* Put a "context: " in front of an error's message; consumes `error`, returns its replacement. */
struct error *error_prefix(struct error *error, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Ends an error. NULL and the static error are allowed. */
void error_free(struct error *error);

#endif
