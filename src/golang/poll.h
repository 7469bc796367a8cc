/* Files and connections that goroutines wait for.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORESCAN_GOLANG_POLL_H
#define CORESCAN_GOLANG_POLL_H

#include "golang/wait_objects.h"

/* The descriptor, and what it is connected to, of a goroutine that waits in the network poller:
 * into wait->fd, .name and .peer, as far as they are found. */
void go_poll_find(const struct go_process *process, const struct goroutine *goroutine,
		  struct go_places *places, struct go_wait *wait);

/* The address behind a net.Addr (two words at `address`) of network `network` ("tcp", "udp",
 * "unix" …), in the pool; NULL: there is none, or it is not known. */
const char *go_net_address(const struct go_process *process, uint64_t address, const char *network);

#endif
