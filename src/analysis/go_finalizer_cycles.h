/* Objects with finalizers that lead to each other, or to themselves: the collector frees none of
 * them, ever, nor what they lead to.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORESCAN_ANALYSIS_GO_FINALIZER_CYCLES_H
#define CORESCAN_ANALYSIS_GO_FINALIZER_CYCLES_H

#include "base/error.h"
#include "golang/goroutines.h"
#include "golang/heap.h"

/* Objects of one type that have a finalizer, and are kept by such a cycle. */
struct go_cycle_type {
	const char
	    *type; /* of the pointer that the finalizer gets: "*main.entry"; in the pool; or NULL */
	uint64_t type_address;
	size_t count;
};

struct go_finalizer_cycles {
	ARRAY(struct go_cycle_type) types; /* most first */
	size_t count;			   /* of all types together */
	uint64_t bytes, objects;	   /* that only they keep, themselves included */
};

/* ERROR_NO_MEMORY. */
struct error *go_finalizer_cycles_find(const struct go_process *process,
				       struct goroutines *goroutines, struct go_heap *heap,
				       struct go_finalizer_cycles *cycles);
void go_finalizer_cycles_free(struct go_finalizer_cycles *cycles);

#endif
