/* Looking for words whose value lies in a range: who points to an object.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORESCAN_ANALYSIS_WORD_SCAN_H
#define CORESCAN_ANALYSIS_WORD_SCAN_H

#include "target/target.h"

/* Told of each word found; `at` is its address, or its offset in bytes of our own. False ends the
 * scan. */
typedef bool word_visitor(void *context, uint64_t at, uint64_t value);

/* Visits the aligned words in [start, end) of the target's memory whose value lies in
 * [low, low + size), in address order. What cannot be read is passed over. False: it was ended. */
bool word_scan_memory(const struct target *target, uint64_t start, uint64_t end, uint64_t low,
		      uint64_t size, word_visitor *visit, void *context);

/* The same of bytes of our own (registers). */
bool word_scan_bytes(const struct target *target, const uint8_t *bytes, uint64_t count,
		     uint64_t low, uint64_t size, word_visitor *visit, void *context);

#endif
