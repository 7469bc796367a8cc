/* Everything that was found, as the reports render it: text and JSON from the same structs.
 * A NULL part was not asked for, or could not be made (a gap says why).
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORESCAN_REPORT_FINDINGS_H
#define CORESCAN_REPORT_FINDINGS_H

#include "analysis/orphans.h"
#include "analysis/reachability.h"
#include "analysis/waits/waits.h"

struct crash {
	const struct thread *thread; /* or NULL */
	struct target_signal signal; /* number 0: stopped, not crashed */
	struct place fault;	     /* of signal.address, where there is one */
	bool has_fault;
	const char *text; /* "SIGSEGV, read of 0x18, not mapped (null + 24)" or why it stopped */
};

struct findings {
	const struct subject *subject;
	const struct crash *crash;
	const struct stack_groups *stacks;
	const struct waits *waits;
	const struct wait_groups *wait_groups;
	const struct deadlocks *deadlocks;
	const struct reachability *reachability;
	const struct orphans *orphans;
	const struct gaps *gaps;
};

#endif
