/* Findings made by hand: a program that crashed, with a deadlock, waiting threads, a heap with
 * orphans, and gaps; for the tests of the renderers.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORESCAN_TESTS_FAKE_FINDINGS_H
#define CORESCAN_TESTS_FAKE_FINDINGS_H

#include "report/findings.h"

struct fake_findings;

struct fake_findings *fake_findings_new(void);
void fake_findings_free(struct fake_findings *fake);

/* To render, and to change before. */
struct findings *fake_findings_get(struct fake_findings *fake);
struct target *fake_findings_target(struct fake_findings *fake);
struct thread *fake_findings_threads(struct fake_findings *fake); /* the crashed one, main, … */
struct explanation *fake_findings_explanation(struct fake_findings *fake);
struct orphans *fake_findings_orphans(struct fake_findings *fake);
struct reachability *fake_findings_reachability(struct fake_findings *fake);

/* From now on who holds what is part of the findings. */
struct retained *fake_findings_retain(struct fake_findings *fake);

#endif
