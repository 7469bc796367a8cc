/* The wait graph in Graphviz's language.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORESCAN_REPORT_DOT_H
#define CORESCAN_REPORT_DOT_H

#include "report/report.h"

/* Threads and objects as nodes, "waits for" and "held by" as edges, deadlocks in red. Threads that
 * wait for no other thread and that none waits for are left out. Threads that hold nothing and wait
 * for one object alike are one node. Write errors are left in ferror(out).
 * ERROR_NO_MEMORY. */
struct error *dot_graph(const struct findings *findings, FILE *out);

#endif
