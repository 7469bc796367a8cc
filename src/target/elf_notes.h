/* Walking the notes of an ELF note segment or section, with every size checked.
 *
 *     struct elf_notes notes = { .bytes = bytes, .size = size, .align = 4 };
 *     struct elf_note note;
 *     while (elf_notes_next(&notes, &note))
 *             …
 *     if (notes.damaged) …
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORESCAN_TARGET_ELF_NOTES_H
#define CORESCAN_TARGET_ELF_NOTES_H

#include <stdbool.h>
#include <stdint.h>

struct elf_notes {
	const uint8_t *bytes;
	uint64_t size;
	uint32_t align;	 /* 8 where p_align or sh_addralign is 8; all else counts as 4 */
	bool big_endian; /* of the file */
	uint64_t at;	 /* offset of the next note; 0 to begin with */
	bool damaged;	 /* set when a note passes the end: the rest cannot be read */
};

/* One note; its pointers go into elf_notes.bytes. */
struct elf_note {
	const char *owner;   /* not terminated */
	uint32_t owner_size; /* without its NUL */
	uint32_t type;
	const uint8_t *bytes;
	uint32_t size;
};

/* The next note; false at the end. */
bool elf_notes_next(struct elf_notes *notes, struct elf_note *note);

/* Whether the note is `owner`'s ("CORE", "LINUX", "GNU" …). */
bool elf_note_is_of(const struct elf_note *note, const char *owner);

#endif
