/* ELF headers, program headers and notes, decoded from a target's memory or from a file, in the
 * image's own byte order and class. Nothing is believed: counts, sizes and offsets are bounded.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORESCAN_MODULES_ELF_IMAGE_H
#define CORESCAN_MODULES_ELF_IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ELF_IMAGE_SEGMENTS_MAX 256
#define ELF_BUILD_ID_MAX       64

struct elf_segment {
	uint32_t type, flags;
	uint64_t offset, vaddr, filesz, memsz, align;
};

struct elf_image {
	uint8_t elf_class, elf_data;
	uint16_t type, machine;
	uint64_t entry, program_headers, section_headers;
	struct elf_segment *segments; /* owned */
	size_t count;
};

/* Copies `size` bytes at `offset` of an image; false when they are not there. */
typedef bool elf_source(void *context, uint64_t offset, void *buffer, size_t size);

/* An elf_source over bytes of ours; the context is a struct elf_bytes. */
struct elf_bytes {
	const uint8_t *bytes;
	size_t size;
};
bool elf_bytes_source(void *context, uint64_t offset, void *buffer, size_t size);

/* Reads the headers. False when there is no ELF header, its class or byte order are unknown, or
 * the program headers are not there or more than ELF_IMAGE_SEGMENTS_MAX. Core files and object
 * files, which have none or many, are told from their type by elf_image_read_header. */
bool elf_image_read(elf_source *source, void *context, struct elf_image *image);

/* Only the ELF header: everything but .segments and .count, which are NULL and 0. */
bool elf_image_read_header(elf_source *source, void *context, struct elf_image *image);

void elf_image_free(struct elf_image *image);

/* Both images have the same header fields and the same program headers. */
bool elf_image_equal(const struct elf_image *a, const struct elf_image *b);

/* The first program header of `type` (PT_…), or NULL. */
const struct elf_segment *elf_image_segment(const struct elf_image *image, uint32_t type);

/* The first page of the first PT_LOAD, and the end of the last page of the last one; unrelocated,
 * pages of `page` bytes. False when there is no PT_LOAD, or their sizes overflow. */
bool elf_image_range(const struct elf_image *image, uint64_t page, uint64_t *start, uint64_t *end);

/* The GNU build-id among the image's notes; of a Go program that has none the part of Go's own that
 * stands for its content. `in_memory`: the source counts offsets from the image's
 * start in memory, so that notes are found at their vaddr; else at their file offset. */
bool elf_image_build_id(const struct elf_image *image, elf_source *source, void *context,
			bool in_memory, uint8_t build_id[ELF_BUILD_ID_MAX], size_t *size);

#endif
