/* Values and types of the program in words.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORESCAN_ANALYSIS_VARIABLES_VALUE_H
#define CORESCAN_ANALYSIS_VARIABLES_VALUE_H

#include "analysis/subject.h"
#include "analysis/words.h"
#include "threads/location.h"

/* Something of `type` (which may have typedefs and qualifiers) that lies `offset` bytes into
 * `location`. */
struct value {
	const struct subject *subject;
	const struct location_place *place;
	const struct location *location;
	uint64_t offset;
	Dwarf_Die type;
	unsigned depth; /* of structs and references around it */
};

/* Appends the value. Strings, arrays and structs are cut to their beginnings. When the value as a
 * whole cannot be told, nothing is appended and the outcome says why. */
enum location_outcome value_words(const struct value *value, struct words *words);

/* Appends the type of the variable or member `die` as C writes it: "const char *", "int[10]". */
void value_type_words(Dwarf_Die *die, struct words *words);

#endif
