/* Names for the mappings of a core that are no file's: the kernel shows them in /proc/PID/maps
 * ([heap], [stack], [vdso], [vvar], [vsyscall]), but does not write them into a core. A mapping
 * gets a name only by evidence: what auxv points to, or the place that Linux gives it. Private to
 * core_file.c.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORESCAN_TARGET_CORE_NAMES_H
#define CORESCAN_TARGET_CORE_NAMES_H

#include "target/core_headers.h"
#include "target/core_notes.h"

#define CORE_NAMES_MAX 8

struct core_names {
	struct core_name {
		const char *name;
		uint64_t address; /* the mapping that holds it has the name */
	} list[CORE_NAMES_MAX];
	size_t count;
};

/* Fills `names`, which is zeroed; after core_notes_end. */
void core_names_find(struct core_names *names, const struct target *target,
		     const struct core_headers *headers, const struct core_notes *notes);

/* The name of the mapping that a program header describes, a literal, or NULL. */
const char *core_names_of(const struct core_names *names, const struct core_segment *row);

/* The mapping of the executable that holds its program headers (AT_PHDR), else its entry point, or
 * NULL. */
const struct core_mapping *core_names_exe(const struct target *target,
					  const struct core_notes *notes);

#endif
