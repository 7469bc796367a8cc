/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "analysis/waits/wait_graph.h"

#include <stdlib.h>

size_t wait_next(const struct subject *subject, const struct waits *waits, size_t from)
{
	const struct wait *wait = &waits->items[from];
	if (wait->kind == WAIT_NONE)
		return WAIT_NOWHERE;
	if (wait->owner_state == OWNER_SELF)
		return from;
	if (wait->owner_state != OWNER_THREAD)
		return WAIT_NOWHERE;
	const struct thread *owner = threads_find(subject->threads, wait->owner);
	if (owner == NULL)
		return WAIT_NOWHERE;
	size_t index = (size_t)(owner - subject->threads->items);
	return index < waits->count ? index : WAIT_NOWHERE;
}

#define UNKNOWN (SIZE_MAX - 1)

/* The last wait of the chain that begins at `start`, or WAIT_NOWHERE; for all waits on the way too.
 * `ends` holds UNKNOWN where it is not known yet, `mark` who came by. */
static void find_end(const struct subject *subject, const struct waits *waits, size_t *ends,
		     size_t *mark, size_t start)
{
	size_t at = start, end;
	for (;;) {
		if (ends[at] != UNKNOWN) {
			end = ends[at];
			break;
		}
		if (mark[at] == start) {
			end = WAIT_NOWHERE;
			break;
		}
		mark[at] = start;
		size_t next = wait_next(subject, waits, at);
		if (next == WAIT_NOWHERE) {
			end = at;
			break;
		}
		at = next;
	}
	for (at = start; at != WAIT_NOWHERE && ends[at] == UNKNOWN;
	     at = wait_next(subject, waits, at))
		ends[at] = end;
}

size_t *wait_ends(const struct subject *subject, const struct waits *waits)
{
	size_t *ends = calloc(waits->count + 1, sizeof *ends);
	size_t *mark = calloc(waits->count + 1, sizeof *mark);
	if (ends == NULL || mark == NULL) {
		free(ends);
		free(mark);
		return NULL;
	}
	for (size_t i = 0; i < waits->count; i++) {
		ends[i] = UNKNOWN;
		mark[i] = WAIT_NOWHERE;
	}
	for (size_t i = 0; i < waits->count; i++)
		find_end(subject, waits, ends, mark, i);
	free(mark);
	return ends;
}
