/* A server of gdb's remote serial protocol, for gdb, LLDB and what is built on them: threads with
 * what each waits for, registers, memory, loaded files, thread-local variables, and corescan's own
 * reports as monitor commands. It only reads: whoever asks for more is told so, and goes on.
 *
 * The protocol: gdb's manual, appendix "Remote Protocol"; LLDB's additions to it:
 * docs/lldb-gdb-remote.txt.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORESCAN_GDBSERVER_GDBSERVER_H
#define CORESCAN_GDBSERVER_GDBSERVER_H

#include "analysis/waits/waits.h"

#include <sys/types.h>

/* What is served; all borrowed. */
struct gdbserver {
	const struct subject *subject; /* its target and modules; threads may be NULL */
	const struct waits *waits;     /* or NULL */

	/* Begins to answer one of corescan's commands, as words ("leaks --limit 3"): `*output` is
	 * the read end of a pipe, the caller's to close, that what is said comes from, and `*child`
	 * the process to be waited for when it has ended. ERROR_OS. */
	struct error *(*ask)(void *context, const char *command, int *output, pid_t *child);
	void *context;
};

/* Serves one debugger that writes to `in` and reads from `out`, until it detaches or goes away.
 * Whatever it sends, the worst answer is an error. ERROR_OS (the connection broke),
 * ERROR_UNSUPPORTED (an architecture without registers on the wire), ERROR_NO_MEMORY. */
struct error *gdbserver_serve(const struct gdbserver *server, int in, int out);

#endif
