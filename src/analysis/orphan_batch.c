/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "analysis/orphan_batch.h"

#include "analysis/content_pointers.h"

#include <stdlib.h>

#define BATCH	      32768
#define WORTH_SHARING 2048
#define ASKED_AHEAD   8

struct share {
	const struct subject *subject;
	struct content_recogniser *recogniser;
	struct orphan_batch_item *items;
	size_t count;
};

bool orphan_batch_init(struct orphan_batch *batch, const struct subject *subject)
{
	*batch = (struct orphan_batch){ .subject = subject };
	batch->items = malloc(BATCH * sizeof *batch->items);
	batch->recognisers[0] = content_recogniser_new(subject);
	batch->recogniser_count = 1;
	return batch->items != NULL && batch->recognisers[0] != NULL;
}

void orphan_batch_end(struct orphan_batch *batch)
{
	while (batch->recogniser_count > 0)
		content_recogniser_free(batch->recognisers[--batch->recogniser_count]);
	free(batch->items);
}

bool orphan_batch_add(struct orphan_batch *batch, const struct orphan_batch_item *item)
{
	batch->items[batch->count++] = *item;
	return batch->count == BATCH;
}

/* What the heads whose turn comes soon are recognised by. */
static void ask_ahead(const struct share *share, size_t at)
{
	if (at + 2 * ASKED_AHEAD < share->count)
		content_pointers_ask(share->subject,
				     share->items[at + 2 * ASKED_AHEAD].head.address);
	if (at + ASKED_AHEAD < share->count) {
		const struct chunk *head = &share->items[at + ASKED_AHEAD].head;
		content_pointers_ask_targets(share->subject, head->address, head->size);
	}
}

static void *recognise(void *argument)
{
	struct share *share = argument;
	for (size_t i = 0; i < share->count; i++) {
		struct orphan_batch_item *item = &share->items[i];
		ask_ahead(share, i);
		content_recognise(share->recogniser, &item->head, &item->shape, &item->content);
	}
	return NULL;
}

void orphan_batch_recognise(struct orphan_batch *batch)
{
	struct share shares[WORKERS_MAX];
	unsigned wanted = batch->count < WORTH_SHARING ? 1 : workers_available();
	for (; batch->recogniser_count < wanted; batch->recogniser_count++) {
		struct content_recogniser *sibling =
		    content_recogniser_sibling(batch->recognisers[0]);
		if (sibling == NULL)
			break;
		batch->recognisers[batch->recogniser_count] = sibling;
	}
	if (wanted > batch->recogniser_count)
		wanted = batch->recogniser_count;
	for (unsigned i = 0; i < wanted; i++) {
		const size_t begin = batch->count * i / wanted;
		shares[i] =
		    (struct share){ batch->subject, batch->recognisers[i], batch->items + begin,
				    batch->count * (i + 1) / wanted - begin };
	}
	workers_run(recognise, shares, sizeof shares[0], wanted);
}
