/* Memory that is asked for ahead of time.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORESCAN_BASE_PREFETCH_H
#define CORESCAN_BASE_PREFETCH_H

/* The cache line that holds `address`, which need not be one of ours. GCC takes a function that
 * does nothing but prefetch for one without effect, and leaves out the calls of it: the empty
 * statement is an effect. */
static inline void prefetch(const void *address)
{
	__builtin_prefetch(address);
	__asm__ volatile("");
}

#endif
