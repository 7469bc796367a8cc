/* A pool of strings that live as long as the pool: equal strings are stored once, so equal strings
 * have equal pointers. Several threads may add to a pool at once.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORESCAN_BASE_STRING_POOL_H
#define CORESCAN_BASE_STRING_POOL_H

#include <stddef.h>

struct string_pool;

/* NULL when memory is exhausted. */
struct string_pool *string_pool_new(void);

/* The pool's copy of `text`; NULL stays NULL. When memory is exhausted the result is a static
 * "(out of memory)". */
const char *string_pool_add(struct string_pool *pool, const char *text);

/* As string_pool_add, of a formatted string. */
const char *string_pool_format(struct string_pool *pool, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

void string_pool_free(struct string_pool *pool);

#endif
