/* Following variables of a Go program by their types, to find what goroutines wait for in them.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORESCAN_ANALYSIS_GO_TYPED_WALK_H
#define CORESCAN_ANALYSIS_GO_TYPED_WALK_H

#include "golang/goroutines.h"

#include <elfutils/libdw.h>

struct go_typed_walk {
	const struct go_process *process;
	struct go_wait_objects *objects; /* those without a name get one */
	const char *where;		 /* what follows a name: " of main.run"; "" */
	unsigned steps;			 /* that may still be made */
	size_t named;			 /* objects that were given a name */
	char path[256];			 /* private */
};

/* Names the objects that lie in the variable `name` at `address`, or that it leads to over at most
 * `hops` pointers: "main.pool.workers[3].jobs". `type` is as the variable's entry refers to it. */
void go_typed_walk(struct go_typed_walk *walk, const char *name, Dwarf_Die *type, uint64_t address,
		   unsigned hops);

#endif
