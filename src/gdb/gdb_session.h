/* What a gdb that runs corescan tells of itself, by the commands of command_file.h: the core or the
 * process it looks at, and the registers of its threads.
 *
 * The text is gdb's for people: "info inferiors", "info files", "thread apply all". Names that the
 * program chose stand in it too, so what is looked for comes before them, and the first that is
 * found counts.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORESCAN_GDB_GDB_SESSION_H
#define CORESCAN_GDB_GDB_SESSION_H

#include "base/error.h"
#include "target/held_threads.h"

#include <stdio.h>

struct gdb_session {
	char *core;    /* NULL: a process */
	char *exe;     /* or NULL */
	char *sysroot; /* that the user chose, or NULL */
	int32_t pid;   /* of the process; 0: a core */
	bool plain;    /* gdb's own output has no colours */
	bool has_address;
	uint64_t address; /* the value of an expression */
	struct held_threads threads;
};

/* Reads all of `in`. `*session` is ended with gdb_session_end. ERROR_UNSUPPORTED where gdb looks at
 * what corescan cannot (a remote target, nothing at all): the message says what to do.
 * ERROR_BAD_DATA when gdb did not tell all: its own message says why, and the text is "". */
struct error *gdb_session_read(FILE *in, struct gdb_session *session);
void gdb_session_end(struct gdb_session *session);

#endif
