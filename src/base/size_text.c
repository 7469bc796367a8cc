/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/size_text.h"

#include <inttypes.h>
#include <stdio.h>

struct size_text size_text(uint64_t bytes)
{
	static const char *const units[] = { "kB", "MB", "GB", "TB", "PB", "EB" };
	struct size_text result;
	if (bytes < 1024) {
		snprintf(result.text, sizeof result.text, "%u byte%s", (unsigned)bytes,
			 bytes == 1 ? "" : "s");
		return result;
	}
	double value = (double)bytes / 1024;
	unsigned unit = 0;
	for (; value >= 999.5 && unit < 5; unit++)
		value /= 1024;
	int decimals = value >= 99.95 ? 0 : value >= 9.995 ? 1 : 2;
	/* Whole kilobytes need no decimals. */
	if (unit == 0 && bytes % 1024 == 0)
		decimals = 0;
	snprintf(result.text, sizeof result.text, "%.*f %s", decimals, value, units[unit]);
	return result;
}
