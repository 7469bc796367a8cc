/* Calls that goroutines have deferred.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORESCAN_GOLANG_DEFERRED_CALLS_H
#define CORESCAN_GOLANG_DEFERRED_CALLS_H

#include "golang/goroutines.h"

struct go_deferred_call {
	uint64_t
	    closure;	/* address of a word that holds the code's address, and what it captured */
	uint64_t frame; /* of the function that deferred it: its caller's SP; 0: not known */
};

/* False ends the visit. */
typedef bool go_deferred_visitor(void *context, const struct go_deferred_call *call);

/* Visits the goroutine's chain of deferred calls, and those that its frames keep themselves (open-
 * coded ones), which no chain has. */
void go_deferred_calls_visit(const struct go_process *process, struct go_places *places,
			     const struct goroutine *goroutine, go_deferred_visitor *visit,
			     void *context);

#endif
