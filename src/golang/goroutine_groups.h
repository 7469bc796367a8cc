/* Goroutines that are alike.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORESCAN_GOLANG_GOROUTINE_GROUPS_H
#define CORESCAN_GOLANG_GOROUTINE_GROUPS_H

#include "golang/goroutines.h"

/* Fills .groups and .members from .items and .stacks. False when memory is exhausted. */
bool goroutine_groups_make(const struct go_process *process, struct goroutines *goroutines);

#endif
