/* Values in words: counts, durations, and strings of the target made harmless.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORESCAN_REPORT_FORMAT_H
#define CORESCAN_REPORT_FORMAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FORMAT_MAX 48 /* bytes that any of the number formats takes, its NUL included */

/* "84,910". */
char *format_count(uint64_t count, char buffer[FORMAT_MAX]);

/* "850 us", "12 ms", "3.2 s". */
char *format_duration(uint64_t microseconds, char buffer[FORMAT_MAX]);

/* The share of `part` in `whole`: "3.3 %"; "0 %" for an empty whole. */
char *format_share(uint64_t part, uint64_t whole, char buffer[FORMAT_MAX]);

/* Decodes one character of UTF-8 at `*at` and moves `*at` behind it. Returns the code point, or -1
 * for a byte that is no part of valid UTF-8 (`*at` then moves by that byte). 0 at the end, where
 * `*at` stays. */
int32_t format_decode(const char **at);

/* The next character of `*at` in a form that any terminal shows and none obeys; moves `*at`.
 * Control characters, bytes that are not UTF-8, and invisible or reordering characters become
 * escapes ("\n", "\x1b", "\u{202e}"). Without `utf8` what is not ASCII does too, but for the
 * signs that corescan itself writes ("…" becomes "..."). `printed` gets the bytes and their NUL;
 * the return value is the columns they take. */
#define FORMAT_CHARACTER_MAX 16
unsigned format_character(const char **at, bool utf8, char printed[FORMAT_CHARACTER_MAX]);

/* Columns of `string` as format_character prints it. */
unsigned format_width(const char *string, bool utf8);

/* A name in C++ or Rust without what stands in its outermost template brackets and parameter
 * lists: "std::map<…>::find(…)". Returns the bytes written, the NUL excluded, cut to `size`. */
size_t format_short_name(const char *name, char *buffer, size_t size);

/* The part of `path` after its last slash. */
const char *format_base_name(const char *path);

#endif
