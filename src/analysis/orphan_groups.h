/* Structures of orphans gathered into groups.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORESCAN_ANALYSIS_ORPHAN_GROUPS_H
#define CORESCAN_ANALYSIS_ORPHAN_GROUPS_H

#include "analysis/content.h"

struct orphan_grouper;

/* Borrows the subject. NULL: no memory. */
struct orphan_grouper *orphan_grouper_new(const struct subject *subject,
					  enum orphan_grouping grouping);
void orphan_grouper_free(struct orphan_grouper *grouper);

/* Whether the chunk is a container that other chunks are parts of: the head of a cycle. */
bool orphan_grouper_is_owner(struct orphan_grouper *grouper, const struct chunk *chunk);

/* Adds a structure of the given shape; `head` is its head's chunk. False: no memory. */
bool orphan_grouper_add(struct orphan_grouper *grouper, const struct chunk *head,
			const struct orphan_structure *structure,
			const struct content_shape *shape);

/* Merges what would be too many groups, names them, and moves them to `orphans`, the one with most
 * bytes first. False: no memory. */
bool orphan_grouper_finish(struct orphan_grouper *grouper, struct orphans *orphans);

#endif
