/* The findings on standard output.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORESCAN_CLI_RENDER_H
#define CORESCAN_CLI_RENDER_H

#include "cli/options.h"

/* Renders in the style that options, environment and terminal ask for. ERROR_OS when standard
 * output could not be written, ERROR_NO_MEMORY. `*reader_gone` tells that a pipe's reader closed
 * it, which needs no words. */
struct error *render(const struct options *options, const struct findings *findings,
		     bool *reader_gone);

/* How the options have it, on this terminal. */
struct report_style render_style(const struct options *options);

#endif
