/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "target/elf_notes.h"

#include "base/bytes.h"

#include <elf.h>
#include <string.h>

static uint64_t align_up(uint64_t value, uint32_t align)
{
	return (value + align - 1) & ~(uint64_t)(align - 1);
}

bool elf_notes_next(struct elf_notes *notes, struct elf_note *note)
{
	uint32_t align = notes->align == 8 ? 8 : 4;
	if (notes->damaged || notes->at >= notes->size)
		return false;
	const uint8_t *header = notes->bytes + notes->at;
	uint64_t left = notes->size - notes->at;
	/* A writer's padding at the end is no note. */
	if (left < sizeof(Elf64_Nhdr)) {
		for (uint64_t i = 0; i < left; i++)
			notes->damaged |= header[i] != 0;
		return false;
	}
	uint32_t owner_size = bytes_unsigned(header, 4, notes->big_endian);
	uint32_t size = bytes_unsigned(header + 4, 4, notes->big_endian);
	uint64_t from = align_up(sizeof(Elf64_Nhdr) + (uint64_t)owner_size, align);
	if (from > left || size > left - from) {
		notes->damaged = true;
		return false;
	}
	note->owner = (const char *)header + sizeof(Elf64_Nhdr);
	note->owner_size = strnlen(note->owner, owner_size);
	note->type = bytes_unsigned(header + 8, 4, notes->big_endian);
	note->bytes = header + from;
	note->size = size;
	notes->at += align_up(from + size, align);
	return true;
}

bool elf_note_is_of(const struct elf_note *note, const char *owner)
{
	return note->owner_size == strlen(owner) &&
	       memcmp(note->owner, owner, note->owner_size) == 0;
}
