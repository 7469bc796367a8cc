/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "target/core_headers.h"

#include "base/bytes.h"

#include <elf.h>
#include <inttypes.h>
#include <string.h>

#define FIELD(base, type, member, big_endian)                                                      \
	bytes_unsigned((base) + offsetof(type, member), sizeof((type){ 0 }.member), big_endian)

static struct error *check_identity(const char *path, const uint8_t *bytes, uint64_t size)
{
	if (size == 0)
		return error_new(ERROR_BAD_DATA,
				 "%s: empty: nothing was dumped; look for a full disk, or for a "
				 "core size limit (ulimit -c)",
				 path);
	if (size < SELFMAG || memcmp(bytes, ELFMAG, SELFMAG) != 0)
		return error_new(ERROR_BAD_DATA,
				 "%s: not an ELF file, so no core: name a core file, or a process "
				 "by -p PID",
				 path);
	if (size < sizeof(Elf64_Ehdr))
		return error_new(ERROR_BAD_DATA,
				 "%s: cut off within its ELF header, after %" PRIu64
				 " bytes: copy or take the core again",
				 path, size);
	return NULL;
}

static struct error *check_type(const char *path, uint64_t type)
{
	switch (type) {
	case ET_CORE:
		return NULL;
	case ET_EXEC:
	case ET_DYN:
		return error_new(ERROR_BAD_DATA,
				 "%s: an executable or shared library, not a core: give the core "
				 "after it (corescan %s CORE)",
				 path, path);
	case ET_REL:
		return error_new(ERROR_BAD_DATA, "%s: an object file, not a core: name a core file",
				 path);
	default:
		return error_new(ERROR_BAD_DATA,
				 "%s: an ELF file of type %" PRIu64
				 ", not a core: name a core file",
				 path, type);
	}
}

static struct error *find_arch(const char *path, const uint8_t *bytes, const struct arch **arch)
{
	uint8_t class = bytes[EI_CLASS], data = bytes[EI_DATA];
	uint16_t machine = FIELD(bytes, Elf64_Ehdr, e_machine, data == ELFDATA2MSB);
	const struct arch *found = arch_find(machine, class, data);
	if (found == NULL) {
		char buffer[32];
		return error_new(ERROR_UNSUPPORTED,
				 "%s: of a %s%s%s program: corescan reads cores of 64-bit x86-64 "
				 "programs only (gdb may read this one)",
				 path,
				 class == ELFCLASS32   ? "32-bit "
				 : class == ELFCLASS64 ? "64-bit "
						       : "",
				 data == ELFDATA2MSB ? "big-endian " : "",
				 arch_machine_name(machine, buffer, sizeof buffer));
	}
	*arch = found;
	return NULL;
}

/* Linux puts the first note right after the program headers, so that they can be counted also
 * where the section header that should say how many there are was cut off. */
static uint64_t count_up_to_first_note(const struct core_headers *headers)
{
	struct core_segment first = core_headers_segment(headers, 0);
	return first.type == PT_NOTE ? first.offset / sizeof(Elf64_Phdr) : 0;
}

static uint64_t claimed_count(const uint8_t *bytes, uint64_t size, struct core_headers *headers)
{
	bool big_endian = headers->arch->elf_data == ELFDATA2MSB;
	uint64_t count = FIELD(bytes, Elf64_Ehdr, e_phnum, big_endian);
	if (count != PN_XNUM)
		return count;
	uint64_t sections = FIELD(bytes, Elf64_Ehdr, e_shoff, big_endian);
	if (sections > 0 && sections <= size && size - sections >= sizeof(Elf64_Shdr))
		return FIELD(bytes + sections, Elf64_Shdr, sh_info, big_endian);
	uint64_t counted = count_up_to_first_note(headers);
	return counted > PN_XNUM ? counted : PN_XNUM;
}

struct error *core_headers_read(const char *path, const uint8_t *bytes, uint64_t size,
				struct gaps *gaps, struct core_headers *headers)
{
	struct core_headers found = { 0 };
	struct error *error = check_identity(path, bytes, size);
	if (error == NULL)
		error = check_type(path,
				   FIELD(bytes, Elf64_Ehdr, e_type, bytes[EI_DATA] == ELFDATA2MSB));
	if (error == NULL)
		error = find_arch(path, bytes, &found.arch);
	if (error != NULL)
		return error;

	bool big_endian = found.arch->elf_data == ELFDATA2MSB;
	uint64_t table = FIELD(bytes, Elf64_Ehdr, e_phoff, big_endian);
	uint64_t row_size = FIELD(bytes, Elf64_Ehdr, e_phentsize, big_endian);
	if (row_size != sizeof(Elf64_Phdr))
		return error_new(ERROR_BAD_DATA,
				 "%s: damaged: its program headers claim to be of %" PRIu64
				 " bytes each instead of %zu: copy or take the core again",
				 path, row_size, sizeof(Elf64_Phdr));
	uint64_t room = table < size ? (size - table) / sizeof(Elf64_Phdr) : 0;
	if (room == 0)
		return error_new(ERROR_BAD_DATA,
				 "%s: cut off or damaged: its program headers, at offset %" PRIu64
				 ", are past its end: copy or take the core again",
				 path, table);
	found.table = bytes + table;
	uint64_t count = claimed_count(bytes, size, &found);
	found.claimed = count;
	found.count = count < room ? count : room;
	if (found.count == 0)
		return error_new(ERROR_BAD_DATA,
				 "%s: a core without program headers: nothing is "
				 "in it",
				 path);
	if (found.count < count)
		gaps_add(gaps, GAP_MEMORY, 0, 0,
			 "the core is cut off within its program headers: %" PRIu64 " of %" PRIu64
			 " could be read",
			 found.count, count);
	*headers = found;
	return NULL;
}

struct core_segment core_headers_segment(const struct core_headers *headers, uint64_t index)
{
	const uint8_t *row = headers->table + index * sizeof(Elf64_Phdr);
	bool big_endian = headers->arch->elf_data == ELFDATA2MSB;
	return (struct core_segment){
		.type = FIELD(row, Elf64_Phdr, p_type, big_endian),
		.flags = FIELD(row, Elf64_Phdr, p_flags, big_endian),
		.offset = FIELD(row, Elf64_Phdr, p_offset, big_endian),
		.address = FIELD(row, Elf64_Phdr, p_vaddr, big_endian),
		.file_size = FIELD(row, Elf64_Phdr, p_filesz, big_endian),
		.memory_size = FIELD(row, Elf64_Phdr, p_memsz, big_endian),
		.align = FIELD(row, Elf64_Phdr, p_align, big_endian),
	};
}

/* The table of the sections, which some cores have, lies behind everything. */
static uint64_t sections_end(const uint8_t *bytes, bool big_endian)
{
	uint64_t at = FIELD(bytes, Elf64_Ehdr, e_shoff, big_endian), end;
	uint64_t count = FIELD(bytes, Elf64_Ehdr, e_shnum, big_endian);
	/* PN_XNUM has one section to count the program headers, and old kernels say 0 then. */
	uint64_t size = (count > 0 ? count : 1) * sizeof(Elf64_Shdr);
	if (at == 0)
		return 0;
	return __builtin_add_overflow(at, size, &end) ? UINT64_MAX : end;
}

uint64_t core_headers_end(const struct core_headers *headers, const uint8_t *bytes)
{
	uint64_t last = sections_end(bytes, headers->arch->elf_data == ELFDATA2MSB);
	if (headers->count < headers->claimed)
		return UINT64_MAX;
	for (uint64_t i = 0; i < headers->count; i++) {
		struct core_segment row = core_headers_segment(headers, i);
		uint64_t end;
		if (row.file_size == 0)
			continue;
		if (__builtin_add_overflow(row.offset, row.file_size, &end))
			return UINT64_MAX;
		if (end > last)
			last = end;
	}
	uint64_t table_end =
	    (uint64_t)(headers->table - bytes) + headers->count * sizeof(Elf64_Phdr);
	return last > table_end ? last : table_end;
}
