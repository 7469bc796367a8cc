/* What goroutines reach by themselves.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORESCAN_ANALYSIS_GOROUTINE_ROOTS_H
#define CORESCAN_ANALYSIS_GOROUTINE_ROOTS_H

#include "golang/goroutines.h"
#include "golang/mark.h"
#include "golang/stack_maps.h"

/* Borrows all that it points to. */
struct goroutine_roots {
	const struct go_process *process;
	const struct goroutines *goroutines;
	struct go_mark *mark;
	struct go_stack_scan scan; /* .no_memory: not all was visited */
};

void goroutine_roots_init(const struct go_process *process, struct goroutines *goroutines,
			  struct go_mark *mark, struct goroutine_roots *roots);
void goroutine_roots_free(struct goroutine_roots *roots);

/* Marks what the goroutine's stack and its record lead to, what it waits for, and, of one that
 * runs, what the registers of its thread lead to, and what the runtime does for it. */
void goroutine_roots_mark(struct goroutine_roots *roots, const struct goroutine *goroutine);

#endif
