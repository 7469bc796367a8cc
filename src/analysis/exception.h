/* The C++ exception that ended a program because nothing caught it.
 *
 * Source: libstdc++'s unwind-cxx.h, whose struct __cxa_exception the Itanium C++ ABI lays down, and
 * eh_throw.cc: what nothing catches counts as caught before std::terminate is called, so that the
 * thread's __cxa_eh_globals leads to it.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORESCAN_ANALYSIS_EXCEPTION_H
#define CORESCAN_ANALYSIS_EXCEPTION_H

#include "analysis/subject.h"

/* "std::runtime_error \"planted\"": its type and, where that is one of the standard library's that
 * hold a text, this. In the modules' pool; NULL where the thread has no exception that can be
 * recognised. */
const char *exception_of(const struct subject *subject, const struct thread *thread);

#endif
