/* A profile as pprof reads it: profile.proto, gzipped.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORESCAN_REPORT_PPROF_H
#define CORESCAN_REPORT_PPROF_H

#include "analysis/profile.h"

/* Bytes that the caller frees. */
struct pprof_file {
	uint8_t *bytes;
	size_t size;
};

/* `comment` is shown by pprof -comments; `time_nanos` 0: not known. ERROR_NO_MEMORY. */
struct error *pprof_encode(const struct profile *profile, const char *comment, int64_t time_nanos,
			   struct pprof_file *file);

#endif
