/* Large groups of goroutines that wait, and of which there is no proof that they are leaked.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORESCAN_ANALYSIS_GOROUTINE_SUSPICIONS_H
#define CORESCAN_ANALYSIS_GOROUTINE_SUSPICIONS_H

#include "analysis/goroutine_leaks.h"

/* Fills .suspicions, from .leaked. False when memory is exhausted. */
bool goroutine_suspicions_find(const struct goroutines *goroutines, struct goroutine_leaks *leaks);

#endif
