/* One run of corescan: open, analyse, render.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORESCAN_CLI_RUN_H
#define CORESCAN_CLI_RUN_H

#include "cli/options.h"

/* The findings go to standard output, messages to standard error. */
enum exit_status run(const struct options *options);

#endif
