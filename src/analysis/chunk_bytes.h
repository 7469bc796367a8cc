/* For loops that read all chunks: the bytes of each region at once.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORESCAN_ANALYSIS_CHUNK_BYTES_H
#define CORESCAN_ANALYSIS_CHUNK_BYTES_H

#include "heap/chunk_table.h"
#include "target/target.h"

/* For each region of the table, our own address of its first byte, where all its bytes are one
 * span; else NULL: ask address_space_span. Freed by the caller. NULL: no memory. */
const uint8_t **chunk_bytes_new(const struct target *target, const struct chunk_table *table);

#endif
