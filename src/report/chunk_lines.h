/* Every chunk, one a line, for scripts.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORESCAN_REPORT_CHUNK_LINES_H
#define CORESCAN_REPORT_CHUNK_LINES_H

#include "report/report.h"

/* Reads names of chunk states with commas between ("orphaned,possible") into a set of bits
 * 1 << enum chunk_state. False, and `*states` untouched, for any other word, or none. */
bool chunk_states_parse(const char *text, unsigned *states);

/* Writes the chunks whose state is in style->states, in address order: user address, usable size,
 * state, and arena ("main", "mmapped", or the address of its malloc_state), with blanks between, or
 * as one JSON object a line. Write errors are left in ferror(out). */
void chunk_lines(const struct findings *findings, const struct report_style *style, FILE *out);

#endif
