/* What the notes of a core say of the process: its threads, signal, mappings, auxv. Private to
 * core_file.c.
 *
 * Layouts: Linux's include/linux/elfcore.h (NT_PRSTATUS, NT_PRPSINFO), fs/binfmt_elf.c (NT_FILE),
 * include/uapi/asm-generic/siginfo.h (NT_SIGINFO).
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORESCAN_TARGET_CORE_NOTES_H
#define CORESCAN_TARGET_CORE_NOTES_H

#include "target/target.h"

/* A row of NT_FILE. */
struct core_mapping {
	uint64_t start, end, file_offset;
	const char *path; /* in the core's bytes */
};

struct core_notes {
	ARRAY(struct core_mapping) mappings; /* as the notes have them; core_notes_end sorts */
	const uint8_t *prpsinfo;	     /* arch->prpsinfo_size bytes, or NULL */
	bool any;			     /* there is a PT_NOTE, whatever is in it */
	bool by_debugger;		     /* gdb's own notes or order, not the kernel's */
};

/* Reads one PT_NOTE of the core into `notes` and the target's threads, auxv and signals. Registers
 * borrow from `bytes`. Of its `size` bytes `there` are in the file. Whatever cannot be read is a
 * gap. */
struct error *core_notes_read(struct core_notes *notes, struct target *target, const uint8_t *bytes,
			      uint64_t size, uint64_t there, uint32_t align, struct gaps *gaps);

/* After the last core_notes_read: sorts the mappings by start, and settles pid, comm, command,
 * names and the process's signal, which depend on who wrote the core. */
struct error *core_notes_end(struct core_notes *notes, struct target *target);

/* The mapping that holds `address`, or NULL; after core_notes_end. */
const struct core_mapping *core_notes_mapping(const struct core_notes *notes, uint64_t address);

void core_notes_free(struct core_notes *notes);

#endif
