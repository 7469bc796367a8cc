/* Lines on standard error.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORESCAN_CLI_MESSAGES_H
#define CORESCAN_CLI_MESSAGES_H

#include "cli/progress.h"

/* Prints "corescan: …" with a newline, the progress line erased before, and nothing of the
 * target's names obeyed by the terminal. `line` may be NULL. */
void message(struct progress_line *line, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Whether the locale prints UTF-8. */
bool locale_is_utf8(void);

#endif
