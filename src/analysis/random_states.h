/* Pages that the C library keeps for getrandom(), which no dump holds: from glibc 2.41 and Linux
 * 6.11 on, random numbers are made in the process itself, and the kernel gives the states pages
 * that are never dumped (MAP_DROPPABLE). Every program that asked for a random number has such a
 * page. It holds keys, and no pointers.
 *
 * Source: getrandom.c and vgetrandom in glibc's sysdeps/unix/sysv/linux, mm/mmap.c of Linux, seen
 * with glibc 2.41: libc's data leads to a page of its own, a table of pointers to all states, which
 * lie at equal distances (192 bytes) from the start of each page on.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORESCAN_ANALYSIS_RANDOM_STATES_H
#define CORESCAN_ANALYSIS_RANDOM_STATES_H

#include "analysis/subject.h"

struct random_states {
	ARRAY(uint64_t) starts; /* of the mappings; few */
	bool sought;
};

/* Whether an absent segment is made of such pages. Looks for them when it is first called; `states`
 * starts as { 0 }. */
bool random_states_are_in(const struct subject *subject, struct random_states *states,
			  const struct segment *segment);
void random_states_free(struct random_states *states);

#endif
