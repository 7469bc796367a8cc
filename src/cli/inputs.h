/* EXE and CORE as the user gave them.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORESCAN_CLI_INPUTS_H
#define CORESCAN_CLI_INPUTS_H

#include "cli/options.h"
#include "gdb/gdb_session.h"

enum input_kind {
	INPUT_OTHER,   /* not an ELF file, or not readable: opening it says why */
	INPUT_PROGRAM, /* executable, shared library, object */
	INPUT_CORE,    /* compressed files too: what is in them is seen when one is opened */
};

/* What the file at `path` is, by how it begins. */
enum input_kind input_kind(const char *path);

/* Puts EXE and CORE in their places when they were given the other way round. True when it did. */
bool inputs_settle(struct options *options);

/* Puts there what gdb tells on standard input. `*session` is ended with gdb_session_end, after the
 * options. */
struct error *inputs_from_gdb(struct options *options, struct gdb_session *session);

#endif
