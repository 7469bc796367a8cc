/* A mirror of a run of a live process's memory: contiguous in our memory, filled block by block on
 * first use. Pages that cannot be read are remembered as missing. Private to the address space.
 *
 * All functions but new and free may be called from several threads at once; the reader is called
 * by one of them at a time.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORESCAN_TARGET_LIVE_MIRROR_H
#define CORESCAN_TARGET_LIVE_MIRROR_H

#include "target/address_space.h"

struct live_mirror;

/* Reserves (without committing) memory for [start, end). NULL when there is no room for it. */
struct live_mirror *live_mirror_new(uint64_t start, uint64_t end, address_space_reader *reader,
				    void *context);
void live_mirror_free(struct live_mirror *mirror);

/* address_space_span within the mirror; `address` is in it. */
size_t live_mirror_span(struct live_mirror *mirror, uint64_t address, uint64_t want,
			const uint8_t **bytes);

/* address_space_preload of [start, end), which is in the mirror. */
uint64_t live_mirror_preload(struct live_mirror *mirror, uint64_t start, uint64_t end);

/* Whether the byte at `address` was read, or tried to be; `*end` is where that changes, at most at
 * what it was before. */
bool live_mirror_known(const struct live_mirror *mirror, uint64_t address, uint64_t *end);

/* No block is filled from now on. */
void live_mirror_freeze(struct live_mirror *mirror);

#endif
