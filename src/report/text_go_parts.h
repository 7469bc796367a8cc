/* What the views of a Go program share.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORESCAN_REPORT_TEXT_GO_PARTS_H
#define CORESCAN_REPORT_TEXT_GO_PARTS_H

#include "report/text_parts.h"

/* NULL: none of the group is leaked, or it is not known. */
const struct goroutine_leak *go_text_leak(const struct findings *findings,
					  const struct go_group *group);

/* Why it waits, in the runtime's words; else its state. */
const char *go_text_state(const struct goroutine *goroutine);

/* "5.0 s", "12 minutes", "3 hours": of nanoseconds. */
void go_text_duration(int64_t nanoseconds, char *buffer, size_t size);

/* Appends "before function file.go:12" to the buffer, as one string: lines break between its
 * words. */
void go_text_call(const char *before, const struct go_call *call, char *buffer, size_t size);

/* OPEN: what the program holds open; nothing where that is nothing. `all`: with a row for each. */
void text_go_open(struct text *text, const struct findings *findings, bool all);

#endif
