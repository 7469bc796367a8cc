/* corescan diff OLD NEW.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORESCAN_CLI_DIFF_RUN_H
#define CORESCAN_CLI_DIFF_RUN_H

#include "cli/options.h"

enum exit_status diff_run(const struct options *options);

#endif
