/* Numbers of the program in words.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORESCAN_ANALYSIS_VARIABLES_NUMBERS_H
#define CORESCAN_ANALYSIS_VARIABLES_NUMBERS_H

#include "analysis/words.h"
#include "target/arch.h"

#include <elfutils/libdw.h>

/* The unsigned integer in `size` bytes, 8 at most. */
uint64_t number_decode(const struct arch *arch, const uint8_t *bytes, unsigned size);

/* The low `size` bytes of `number`. */
uint64_t number_low(uint64_t number, unsigned size);

/* Appends the integer, boolean or character of `bits` bits, by its DW_ATE encoding; of an
 * enumeration its number. False for an encoding that is none of these. */
bool number_words(Dwarf_Die *type, unsigned encoding, uint64_t number, unsigned bits,
		  struct words *words);

/* Appends the IEEE 754 number of 4 or 8 bytes, or x87's of 16, in the fewest digits that tell it
 * from all others. False for other sizes. */
bool float_words(const struct arch *arch, const uint8_t *bytes, unsigned size, struct words *words);

#endif
