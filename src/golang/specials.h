/* What the runtime notes of single objects: finalizers, cleanups.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORESCAN_GOLANG_SPECIALS_H
#define CORESCAN_GOLANG_SPECIALS_H

#include "golang/heap.h"

enum go_special_kind { GO_SPECIAL_OTHER, GO_SPECIAL_FINALIZER, GO_SPECIAL_CLEANUP };

struct go_special {
	enum go_special_kind kind;
	uint64_t address; /* of the runtime's record */
	uint64_t object;  /* what it was set for */
};

typedef void go_special_visitor(void *context, const struct go_special *special);

/* Visits those of all spans. */
void go_specials_visit(const struct go_heap *heap, go_special_visitor *visit, void *context);

#endif
