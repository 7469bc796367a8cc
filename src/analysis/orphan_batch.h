/* Structures of orphans on their way into groups: their heads are recognised many at once, by
 * several threads, so that the groups are filled in the order in which the structures came.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORESCAN_ANALYSIS_ORPHAN_BATCH_H
#define CORESCAN_ANALYSIS_ORPHAN_BATCH_H

#include "analysis/content.h"
#include "base/workers.h"

struct orphan_batch_item {
	struct chunk head;
	struct orphan_structure structure;
	struct content_shape shape;
	struct content content; /* once recognised */
};

struct orphan_batch {
	const struct subject *subject;
	struct content_recogniser *recognisers[WORKERS_MAX]; /* the first one for anyone's use */
	unsigned recogniser_count;
	struct orphan_batch_item *items;
	size_t count;
};

/* Borrows the subject. False: no memory. */
bool orphan_batch_init(struct orphan_batch *batch, const struct subject *subject);
void orphan_batch_end(struct orphan_batch *batch);

/* Adds an item. Returns whether the batch is full: it has to be recognised then, and emptied by
 * setting .count. */
bool orphan_batch_add(struct orphan_batch *batch, const struct orphan_batch_item *item);

/* Fills .content of all items. */
void orphan_batch_recognise(struct orphan_batch *batch);

#endif
