/* Pointers into a chunk's interior: most that keep a chunk follow one of a few idioms; others are
 * weak evidence, since what points somewhere into a chunk may be left over from an earlier one.
 *
 *   low-bit tag        less than a word into the chunk
 *   header             up to 16 bytes: what an allocation function of the program put in front, the
 *                      count of a C++ new[], CPython's gc header, the dtv of glibc
 *   base class         the target is an object with a vtable pointer: multiple inheritance
 *   aligned            the target is the first multiple of 64 or 4096 in the chunk; or the word in
 *                      front of it, or one of the first three there, points back to the chunk's
 *                      start: an aligned block that was cut out of a larger one
 *   intrusive links    one of the first three words at the target points to a place whose first
 *                      three words point back, or to the same place in a chunk of equal size:
 *                      list_head, hlist, red-black trees, singly linked nodes but for the last
 *
 * A pointer right behind a chunk's last usable byte (the end of an array that fills it) is weak
 * evidence like the others: it lies before the next chunk's first byte, since the allocator's
 * header is between them. Right behind an mmapped chunk another mapping may begin: there it counts
 * for nothing.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORESCAN_ANALYSIS_INTERIOR_H
#define CORESCAN_ANALYSIS_INTERIOR_H

#include "heap/chunk_table.h"
#include "target/target.h"

/* Whether a pointer `offset` bytes from a chunk's start can mean the chunk of `size` bytes. */
static inline bool interior_reaches(uint64_t size, uint64_t offset)
{
	return offset <= size;
}

/* The idiom ("low-bit tag", "header" …; a literal) that explains a pointer `offset` bytes into the
 * chunk of `size` bytes at `address`, or NULL. The table is frozen. May be called from several
 * threads at once. */
const char *interior_idiom(const struct target *target, const struct chunk_table *table,
			   uint64_t address, uint64_t size, uint64_t offset);

#endif
