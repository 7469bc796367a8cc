/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "modules/elf_image.h"

#include "base/bytes.h"
#include "target/elf_notes.h"

#include <elf.h>
#include <stdlib.h>
#include <string.h>

/* More note bytes than any linker writes; a note segment beyond it is cut. */
#define NOTES_MAX (64 * 1024)

bool elf_bytes_source(void *context, uint64_t offset, void *buffer, size_t size)
{
	const struct elf_bytes *bytes = context;
	if (offset > bytes->size || size > bytes->size - offset)
		return false;
	memcpy(buffer, bytes->bytes + offset, size);
	return true;
}

#define FIELD(image, raw, type, member)                                                            \
	((image)->elf_class == ELFCLASS64 ? bytes_unsigned((raw) + offsetof(Elf64_##type, member), \
							   sizeof(((Elf64_##type *)0)->member),    \
							   (image)->elf_data == ELFDATA2MSB)       \
					  : bytes_unsigned((raw) + offsetof(Elf32_##type, member), \
							   sizeof(((Elf32_##type *)0)->member),    \
							   (image)->elf_data == ELFDATA2MSB))

static bool read_header(elf_source *source, void *context, struct elf_image *image,
			uint8_t header[sizeof(Elf64_Ehdr)])
{
	if (!source(context, 0, header, sizeof(Elf32_Ehdr)))
		return false;
	if (memcmp(header, ELFMAG, SELFMAG) != 0)
		return false;
	*image = (struct elf_image){ .elf_class = header[EI_CLASS], .elf_data = header[EI_DATA] };
	if (image->elf_data != ELFDATA2LSB && image->elf_data != ELFDATA2MSB)
		return false;
	if (image->elf_class == ELFCLASS64) {
		if (!source(context, 0, header, sizeof(Elf64_Ehdr)))
			return false;
	} else if (image->elf_class != ELFCLASS32) {
		return false;
	}
	image->type = (uint16_t)FIELD(image, header, Ehdr, e_type);
	image->machine = (uint16_t)FIELD(image, header, Ehdr, e_machine);
	image->entry = FIELD(image, header, Ehdr, e_entry);
	image->program_headers = FIELD(image, header, Ehdr, e_phoff);
	image->section_headers = FIELD(image, header, Ehdr, e_shoff);
	return true;
}

bool elf_image_read_header(elf_source *source, void *context, struct elf_image *image)
{
	uint8_t header[sizeof(Elf64_Ehdr)];
	struct elf_image read = { 0 };
	if (!read_header(source, context, &read, header))
		return false;
	*image = read;
	return true;
}

static void decode_segment(const struct elf_image *image, const uint8_t *raw,
			   struct elf_segment *segment)
{
	segment->type = (uint32_t)FIELD(image, raw, Phdr, p_type);
	segment->flags = (uint32_t)FIELD(image, raw, Phdr, p_flags);
	segment->offset = FIELD(image, raw, Phdr, p_offset);
	segment->vaddr = FIELD(image, raw, Phdr, p_vaddr);
	segment->filesz = FIELD(image, raw, Phdr, p_filesz);
	segment->memsz = FIELD(image, raw, Phdr, p_memsz);
	segment->align = FIELD(image, raw, Phdr, p_align);
}

bool elf_image_read(elf_source *source, void *context, struct elf_image *image)
{
	uint8_t header[sizeof(Elf64_Ehdr)];
	struct elf_image read = { 0 };
	if (!read_header(source, context, &read, header))
		return false;
	size_t entry_size = FIELD(&read, header, Ehdr, e_phentsize);
	size_t count = FIELD(&read, header, Ehdr, e_phnum);
	size_t expected = read.elf_class == ELFCLASS64 ? sizeof(Elf64_Phdr) : sizeof(Elf32_Phdr);
	if (count == 0 || count > ELF_IMAGE_SEGMENTS_MAX || entry_size != expected ||
	    read.program_headers > UINT64_MAX / 2)
		return false;
	read.segments = calloc(count, sizeof *read.segments);
	if (read.segments == NULL)
		return false;
	for (size_t i = 0; i < count; i++) {
		uint8_t raw[sizeof(Elf64_Phdr)];
		if (!source(context, read.program_headers + i * entry_size, raw, entry_size)) {
			elf_image_free(&read);
			return false;
		}
		decode_segment(&read, raw, &read.segments[i]);
	}
	read.count = count;
	*image = read;
	return true;
}

void elf_image_free(struct elf_image *image)
{
	free(image->segments);
	*image = (struct elf_image){ 0 };
}

bool elf_image_equal(const struct elf_image *a, const struct elf_image *b)
{
	if (a->elf_class != b->elf_class || a->elf_data != b->elf_data || a->type != b->type ||
	    a->machine != b->machine || a->entry != b->entry ||
	    a->program_headers != b->program_headers || a->section_headers != b->section_headers ||
	    a->count != b->count)
		return false;
	for (size_t i = 0; i < a->count; i++) {
		const struct elf_segment *p = &a->segments[i], *q = &b->segments[i];
		if (p->type != q->type || p->flags != q->flags || p->offset != q->offset ||
		    p->vaddr != q->vaddr || p->filesz != q->filesz || p->memsz != q->memsz)
			return false;
	}
	return true;
}

const struct elf_segment *elf_image_segment(const struct elf_image *image, uint32_t type)
{
	for (size_t i = 0; i < image->count; i++)
		if (image->segments[i].type == type)
			return &image->segments[i];
	return NULL;
}

bool elf_image_range(const struct elf_image *image, uint64_t page, uint64_t *start, uint64_t *end)
{
	uint64_t low = UINT64_MAX, high = 0;
	for (size_t i = 0; i < image->count; i++) {
		const struct elf_segment *segment = &image->segments[i];
		if (segment->type != PT_LOAD || segment->memsz == 0)
			continue;
		if (segment->memsz > UINT64_MAX / 2 || segment->vaddr > UINT64_MAX / 2)
			return false;
		uint64_t first = segment->vaddr & -page;
		uint64_t last = (segment->vaddr + segment->memsz + page - 1) & -page;
		low = first < low ? first : low;
		high = last > high ? last : high;
	}
	if (low >= high)
		return false;
	*start = low;
	*end = high;
	return true;
}

/* Go's linker writes an id of its own: hashes in base64 with slashes between, the last one that of
 * the content. */
#define NOTE_GO_BUILD_ID 4

static bool find_build_id(struct elf_notes notes, uint8_t build_id[ELF_BUILD_ID_MAX], size_t *size)
{
	struct elf_note note;
	*size = 0;
	while (elf_notes_next(&notes, &note)) {
		bool gnu = note.type == NT_GNU_BUILD_ID && elf_note_is_of(&note, ELF_NOTE_GNU);
		if (!gnu && (note.type != NOTE_GO_BUILD_ID || !elf_note_is_of(&note, "Go")))
			continue;
		const uint8_t *slash = gnu ? NULL : memrchr(note.bytes, '/', note.size);
		const uint8_t *bytes = slash != NULL ? slash + 1 : note.bytes;
		size_t length = (size_t)(note.bytes + note.size - bytes);
		if (length == 0 || length > ELF_BUILD_ID_MAX)
			continue;
		memcpy(build_id, bytes, length);
		*size = length;
		if (gnu)
			return true;
	}
	return *size != 0;
}

bool elf_image_build_id(const struct elf_image *image, elf_source *source, void *context,
			bool in_memory, uint8_t build_id[ELF_BUILD_ID_MAX], size_t *size)
{
	const struct elf_segment *first = elf_image_segment(image, PT_LOAD);
	for (size_t i = 0; i < image->count; i++) {
		const struct elf_segment *segment = &image->segments[i];
		if (segment->type != PT_NOTE || segment->filesz == 0)
			continue;
		uint64_t at = segment->offset;
		if (in_memory && first != NULL)
			at = segment->vaddr - (first->vaddr - first->offset);
		size_t length = segment->filesz < NOTES_MAX ? segment->filesz : NOTES_MAX;
		uint8_t *notes = malloc(length);
		bool found = notes != NULL && source(context, at, notes, length) &&
			     find_build_id(
				 (struct elf_notes){ .bytes = notes,
						     .size = length,
						     .align = segment->align == 8 ? 8 : 4,
						     .big_endian = image->elf_data == ELFDATA2MSB },
				 build_id, size);
		free(notes);
		if (found)
			return true;
	}
	return false;
}
