/* What killed the process: the signal, what lies at the faulting address, and the program's own
 * last words.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORESCAN_ANALYSIS_CRASH_H
#define CORESCAN_ANALYSIS_CRASH_H

#include "analysis/access.h"
#include "analysis/describe.h"
#include "analysis/instruction.h"

/* What is known of a process that no signal ended. */
enum without_signal {
	WITHOUT_SIGNAL_RUNS, /* it goes on, or a debugger copied it */
	WITHOUT_SIGNAL_STOPPED,
	WITHOUT_SIGNAL_UNKNOWN, /* the core lost what would tell */
};

struct crash {
	const struct thread *thread; /* that the signal hit; or NULL */
	struct target_signal signal; /* number 0: stopped, not crashed */
	const char *signal_name;     /* "SIGSEGV"; NULL without a signal */
	struct place fault;	     /* of signal.address, where there is one */
	bool has_fault;
	enum access_kind access;	    /* of SIGSEGV; ACCESS_UNKNOWN where it cannot be told */
	bool has_instruction;		    /* the fault is that of an instruction which is known */
	struct instruction instruction;	    /* at the PC */
	enum without_signal without_signal; /* where signal.number is 0 */
	const char *text;    /* "access to 0x18, null + 24", "sent by process 12"; without a signal
				why it was stopped; in the modules' pool or static */
	const char *message; /* what libc wrote before it aborted ("*** stack smashing detected
			      ***", an assertion's text): its __abort_msg; or NULL */
};

/* Always answers; the result owns nothing. */
void crash_find(const struct subject *subject, struct crash *crash);

/* "SIGSEGV", "SIGRTMIN+3", "signal 99". */
const char *signal_name(int number, char *buffer, size_t size);

#endif
