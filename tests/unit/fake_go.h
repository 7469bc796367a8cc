/* A Go program made by hand, beside the findings of fake_findings.h: goroutines that are leaked,
 * that hold each other up and that wait for a peer, and what the program holds open.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORESCAN_TESTS_FAKE_GO_H
#define CORESCAN_TESTS_FAKE_GO_H

#include "report/findings.h"

struct fake_go;

/* Becomes part of the findings; it ends after they were rendered last. */
struct fake_go *fake_go_new(struct findings *findings);
void fake_go_free(struct fake_go *fake);

#endif
