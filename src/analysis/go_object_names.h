/* The variables that channels, locks … lie in, by the debug information.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORESCAN_ANALYSIS_GO_OBJECT_NAMES_H
#define CORESCAN_ANALYSIS_GO_OBJECT_NAMES_H

#include "golang/goroutines.h"

/* Goroutines whose own variables are looked at, for what no global variable leads to. */
#define GO_NAMED_GOROUTINES 10000

/* Names what goroutines wait for: "main.pool.jobs" after the global variable that it lies in or
 * that leads to it, "w.jobs of main.(*worker).run" after one of a goroutine that waits for it.
 * Without debug information only a global variable itself has a name, if there are symbols.
 * ERROR_NO_MEMORY. */
struct error *go_object_names_find(const struct go_process *process, struct goroutines *goroutines);

#endif
