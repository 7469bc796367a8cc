/* Finalizers and cleanups that the collector has found to be due, and that have not run yet. What
 * they are given is kept for them.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORESCAN_GOLANG_PENDING_H
#define CORESCAN_GOLANG_PENDING_H

#include "golang/golang.h"

typedef void go_word_visitor(void *context, uint64_t word);

/* Visits the words of all that are due, functions and what they are given among them. */
void go_pending_visit(const struct go_process *process, go_word_visitor *visit, void *context);

/* Finds the queues of a program without symbols by what they hold: those in which something is due.
 */
void go_pending_find(struct go_process *process);

#endif
