/* Types in the debug information.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORESCAN_MODULES_TYPE_DIE_H
#define CORESCAN_MODULES_TYPE_DIE_H

#include <elfutils/libdw.h>
#include <stdbool.h>
#include <stdint.h>

/* A struct, class or union. */
bool type_is_aggregate(Dwarf_Die *die);

/* The type of a member, variable, element or typedef, without typedefs and qualifiers. False for
 * void, and for what is broken. */
bool type_of_die(Dwarf_Die *die, Dwarf_Die *type);

/* The member's offset in its struct, in bytes. Union members have none: 0. */
bool type_member_offset(Dwarf_Die *member, uint64_t *offset);

/* Elements of all dimensions; false when a bound is no constant. C's lower bound is 0. */
bool type_element_count(Dwarf_Die *array, uint64_t *count);

/* In bytes; 0 when it has none that is fixed. */
uint64_t type_size(Dwarf_Die *type);

#endif
