/* Sizes in words.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORESCAN_BASE_SIZE_TEXT_H
#define CORESCAN_BASE_SIZE_TEXT_H

#include <stdint.h>

struct size_text {
	char text[16];
};

/* "17 bytes", "412 kB", "12.3 MB", "4.50 GB": three figures, units of 1024. */
struct size_text size_text(uint64_t bytes);

#endif
