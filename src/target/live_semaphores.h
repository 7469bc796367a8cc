/* The names of the named semaphores that a live process has mapped. A core records nothing of this.
 *
 * [S] sem_open (glibc) makes a semaphore under a temporary name in /dev/shm, maps it, and gives it
 * its own by link(2): the mapping of the process that made it keeps the temporary one, "(deleted)".
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORESCAN_TARGET_LIVE_SEMAPHORES_H
#define CORESCAN_TARGET_LIVE_SEMAPHORES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The name, as sem_open takes it ("/jobs"), of the semaphore in the mapping of process `pid` that
 * holds `address`; "" when it was unlinked. False: it is not known. */
bool live_semaphore_name(int32_t pid, uint64_t address, char *name, size_t size);

#endif
