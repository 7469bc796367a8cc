/* corescan gdb-server.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORESCAN_CLI_SERVE_H
#define CORESCAN_CLI_SERVE_H

#include "cli/options.h"

/* Opens the target and serves a debugger on standard input and output, or those who connect. */
enum exit_status serve(const struct options *options);

#endif
