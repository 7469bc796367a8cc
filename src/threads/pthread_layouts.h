/* Where the fields of struct pthread may lie: guesses, best evidence first. The memory decides.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORESCAN_THREADS_PTHREAD_LAYOUTS_H
#define CORESCAN_THREADS_PTHREAD_LAYOUTS_H

#include "threads/glibc_pthread.h"

struct pthread_layout_sources {
	struct target *target;
	struct modules *modules;
	/* Either may be NULL. From 2.34 on threads are in libc, and libpthread is a stub. */
	const struct module *libpthread, *libc;
};

/* DWARF and _thread_db_* symbols of both modules, and the rows of the built-in table. */
#define PTHREAD_LAYOUT_GUESSES 6

/* The guess of that number, from 0 on. False: there is none of that kind; try the next. */
bool pthread_layout_guess(const struct pthread_layout_sources *sources, size_t number,
			  struct glibc_pthread_layout *layout);

#endif
