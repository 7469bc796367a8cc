/* What a signal's number and code tell of it: sigaction(2), siginfo of
 * include/uapi/asm-generic/siginfo.h.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORESCAN_TARGET_SIGNAL_KINDS_H
#define CORESCAN_TARGET_SIGNAL_KINDS_H

#include <signal.h>
#include <stdbool.h>

/* Whether si_addr means something. */
static inline bool signal_has_address(int number)
{
	return number == SIGSEGV || number == SIGBUS || number == SIGILL || number == SIGFPE ||
	       number == SIGTRAP;
}

/* Whether si_pid does. */
static inline bool signal_has_sender(int code)
{
	return code == SI_USER || code == SI_QUEUE || code == SI_MESGQ || code == SI_TKILL;
}

/* A signal with which a debugger can have stopped a process that was about to die of it. */
static inline bool signal_is_crash(int number)
{
	return signal_has_address(number) ? number != SIGTRAP
					  : number == SIGABRT || number == SIGSYS;
}

#endif
