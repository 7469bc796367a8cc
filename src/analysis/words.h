/* A sentence put together piece by piece, cut (never overflown) where it gets too long.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORESCAN_ANALYSIS_WORDS_H
#define CORESCAN_ANALYSIS_WORDS_H

#include <stddef.h>
#include <stdint.h>

struct words {
	char text[1000]; /* NUL-terminated; starts as { 0 } */
	size_t length;
};

/* Appends. What does not fit is cut, and the text ends in "…" then. */
void words_add(struct words *words, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Appends `separator` unless nothing was written yet. */
void words_separate(struct words *words, const char *separator);

/* Appends a number with commas between thousands: "3,333". */
void words_add_count(struct words *words, uint64_t count);

/* Appends a duration as people say it: "250 ms", "1.5 s", "2 h 5 min". */
void words_add_duration(struct words *words, int64_t nanoseconds);

#endif
