/* Words that the kernel holds for the process, and those that it just handed back: what
 * epoll_event.data and sigev_value were set to. Many programs keep a connection's only pointer
 * there.
 *
 * A live process's are read from /proc (target/kernel_words.h). In a core the kernel's memory is
 * missing; but where a thread waits in epoll_wait, the array that it gave holds the events of the
 * last time, until the kernel writes over them. Those are read in either case: on x86 the fields
 * are packed, so that a scan of aligned words would see every other one only.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORESCAN_ANALYSIS_KERNEL_HELD_H
#define CORESCAN_ANALYSIS_KERNEL_HELD_H

#include "analysis/subject.h"

enum kernel_held_kind {
	KERNEL_HELD_EPOLL, /* registered with an epoll */
	KERNEL_HELD_TIMER, /* a timer's */
	KERNEL_HELD_EVENT, /* in the array of a thread that waits in epoll_wait */
};

struct kernel_held_word {
	enum kernel_held_kind kind;
	int32_t holder;		     /* the epoll's fd, or the timer's id */
	int32_t watched;	     /* KERNEL_HELD_EPOLL: the fd registered with it */
	const struct thread *thread; /* KERNEL_HELD_EVENT */
	uint64_t address;	     /* KERNEL_HELD_EVENT: where the word lies; else 0 */
};

struct kernel_held {
	ARRAY(struct kernel_held_word) words;
	uint8_t *bytes; /* their values, in the target's byte order and word size */
	/* A thread that waits for events of an epoll whose registrations are not known; or NULL. */
	const struct thread *unseen;
	bool requests; /* the program uses io_uring or io_submit: /proc does not tell what it gave
			  requests under way */
};

/* ERROR_NO_MEMORY. */
struct error *kernel_held_find(const struct subject *subject, struct kernel_held *held);
void kernel_held_free(struct kernel_held *held);

#endif
