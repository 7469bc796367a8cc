/* The commands that gdb gets: `corescan` and a subcommand for each view, as a file of gdb's own
 * commands, for any gdb from 9 on, with Python or without.
 *
 * What they do: gdb tells which core or process it looks at, and of a process all registers, by its
 * own commands into a pipe; corescan on the other end of it (gdb_session.h) opens the same core, or
 * the memory of the same process. The words that the user types reach the shell, so that output can
 * be piped on; the expression of `explain` is gdb's alone.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORESCAN_GDB_COMMAND_FILE_H
#define CORESCAN_GDB_COMMAND_FILE_H

#include <stdio.h>

/* Writes the file; `program` is the corescan that it runs. Write errors are left in ferror(out). */
void command_file_write(const char *program, FILE *out);

#endif
