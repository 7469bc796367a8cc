/* Where a debugger can connect to.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORESCAN_GDBSERVER_LISTEN_H
#define CORESCAN_GDBSERVER_LISTEN_H

#include "base/error.h"

#define LISTEN_NAME_MAX 160

/* Listens on `address`: "PORT" or ":PORT" (of the loopback address; 0: any), "HOST:PORT", or the
 * path of a Unix socket, which only its owner may use; one that nobody listens on is replaced.
 * `name` gets what a debugger is told to connect to. `*fd` is the caller's to close, by listen_end,
 * which removes a Unix socket. ERROR_BAD_DATA (no address), ERROR_OS. */
struct error *listen_begin(const char *address, int *fd, char name[LISTEN_NAME_MAX]);
void listen_end(const char *address, int fd);

/* Waits for the next debugger. ERROR_OS. */
struct error *listen_accept(int fd, int *connection);

#endif
