/* Where a variable of a Go program lies. Go writes its simple locations as blocks, which DWARF 4
 * and libdw have no more as locations.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORESCAN_ANALYSIS_GO_LOCATION_H
#define CORESCAN_ANALYSIS_GO_LOCATION_H

#include "golang/golang.h"

#include <elfutils/libdw.h>

/* The address of the variable `die` in memory; of one of a frame, whose CFA counts as 0, its offset
 * from that. `pc` is as in the DWARF (0 for a global variable), `bias` that of its module. False
 * where it lies in no memory. */
bool go_location(const struct go_process *process, Dwarf_Die *die, uint64_t pc, uint64_t bias,
		 uint64_t *address);

#endif
