/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "fake_core.h"

#include "target/arch.h"

#include <check.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static void append(fake_core_bytes *array, const void *bytes, size_t size)
{
	ck_assert(array_reserve(array, size));
	if (size > 0)
		memcpy(array->items + array->count, bytes, size);
	array->count += size;
}

static void pad(fake_core_bytes *array, size_t align)
{
	static const uint8_t zeros[4096];
	append(array, zeros, (align - array->count % align) % align);
}

void fake_core_note(struct fake_core *core, const char *owner, uint32_t type, const void *bytes,
		    size_t size)
{
	Elf64_Nhdr header = { strlen(owner) + 1, size, type };
	append(&core->notes, &header, sizeof header);
	append(&core->notes, owner, header.n_namesz);
	pad(&core->notes, 4);
	append(&core->notes, bytes, size);
	pad(&core->notes, 4);
}

static void put(uint8_t *bytes, size_t offset, uint64_t value, size_t size)
{
	memcpy(bytes + offset, &value, size);
}

void fake_core_thread(struct fake_core *core, int32_t tid, int signal)
{
	fake_core_thread_at(core, tid, signal, 0);
}

void fake_core_thread_at(struct fake_core *core, int32_t tid, int signal, uint64_t sp)
{
	const struct arch *arch = &arch_x86_64;
	uint8_t status[336] = { 0 }, floating[512] = { 0 };
	put(status, arch->prstatus_cursig, (uint64_t)signal, 2);
	put(status, arch->prstatus_pid, (uint32_t)tid, 4);
	put(status, arch->prstatus_registers + arch->registers[arch->pc].offset, (uint64_t)tid * 16,
	    8);
	put(status, arch->prstatus_registers + arch->registers[arch->sp].offset, sp, 8);
	fake_core_note(core, "CORE", NT_PRSTATUS, status, sizeof status);
	fake_core_note(core, "CORE", NT_FPREGSET, floating, sizeof floating);
}

void fake_core_process(struct fake_core *core, int32_t pid, const char *fname, const char *psargs)
{
	const struct arch *arch = &arch_x86_64;
	uint8_t info[136] = { 0 };
	put(info, arch->prpsinfo_pid, (uint32_t)pid, 4);
	memcpy(info + arch->prpsinfo_fname, fname, strnlen(fname, 16));
	memcpy(info + arch->prpsinfo_psargs, psargs, strnlen(psargs, 80));
	fake_core_note(core, "CORE", NT_PRPSINFO, info, sizeof info);
}

void fake_core_siginfo(struct fake_core *core, int32_t number, int32_t code, uint64_t field)
{
	uint8_t info[128] = { 0 };
	put(info, 0, (uint32_t)number, 4);
	put(info, 8, (uint32_t)code, 4);
	put(info, 16, field, 8);
	fake_core_note(core, "CORE", NT_SIGINFO, info, sizeof info);
}

void fake_core_auxv(struct fake_core *core, const uint64_t *pairs, size_t count)
{
	fake_core_bytes bytes = { 0 };
	static const uint64_t end[2] = { AT_NULL, 0 };
	append(&bytes, pairs, count * 2 * sizeof *pairs);
	append(&bytes, end, sizeof end);
	fake_core_note(core, "CORE", NT_AUXV, bytes.items, bytes.count);
	array_free(&bytes);
}

void fake_core_files(struct fake_core *core, uint64_t count, const uint64_t (*rows)[3],
		     const char *paths, size_t paths_size)
{
	fake_core_bytes bytes = { 0 };
	uint64_t head[2] = { count, 4096 };
	append(&bytes, head, sizeof head);
	append(&bytes, rows, count * sizeof *rows);
	append(&bytes, paths, paths_size);
	fake_core_note(core, "CORE", NT_FILE, bytes.items, bytes.count);
	array_free(&bytes);
}

void fake_core_load(struct fake_core *core, uint64_t address, uint32_t flags, const void *bytes,
		    uint64_t file_size, uint64_t memory_size)
{
	Elf64_Phdr row = {
		.p_type = PT_LOAD,
		.p_flags = flags,
		.p_offset = core->memory.count,
		.p_vaddr = address,
		.p_filesz = file_size,
		.p_memsz = memory_size,
		.p_align = 4096,
	};
	ck_assert(array_push(&core->loads, row));
	append(&core->memory, bytes, file_size);
}

void fake_core_build(struct fake_core *core)
{
	size_t note_count = core->no_notes ? 0 : 1, count = core->loads.count + note_count;
	uint64_t notes = FAKE_CORE_HEADERS + count * sizeof(Elf64_Phdr);
	uint64_t memory = notes + core->notes.count;
	Elf64_Ehdr header = {
		.e_ident = { ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB,
			     EV_CURRENT },
		.e_type = ET_CORE,
		.e_machine = EM_X86_64,
		.e_version = EV_CURRENT,
		.e_phoff = FAKE_CORE_HEADERS,
		.e_ehsize = sizeof header,
		.e_phentsize = sizeof(Elf64_Phdr),
		.e_phnum = core->extended_numbering ? PN_XNUM : count,
		.e_shoff = core->extended_numbering ? memory + core->memory.count : 0,
		.e_shentsize = sizeof(Elf64_Shdr),
	};
	Elf64_Phdr note = { .p_type = PT_NOTE, .p_offset = notes, .p_filesz = core->notes.count };
	core->file.count = 0;
	append(&core->file, &header, sizeof header);
	append(&core->file, &note, note_count * sizeof note);
	for (size_t i = 0; i < core->loads.count; i++) {
		Elf64_Phdr row = core->loads.items[i];
		row.p_offset += memory;
		append(&core->file, &row, sizeof row);
	}
	append(&core->file, core->notes.items, core->notes.count);
	append(&core->file, core->memory.items, core->memory.count);
	Elf64_Shdr section = { .sh_info = count };
	if (core->extended_numbering)
		append(&core->file, &section, sizeof section);
}

const char *fake_core_write(struct fake_core *core)
{
	if (core->file.items == NULL)
		fake_core_build(core);
	snprintf(core->path, sizeof core->path, "/tmp/corescan-unit-XXXXXX");
	int fd = mkstemp(core->path);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, core->file.items, core->file.count), core->file.count);
	close(fd);
	return core->path;
}

void fake_core_end(struct fake_core *core)
{
	if (core->path[0] != '\0')
		unlink(core->path);
	array_free(&core->notes);
	array_free(&core->loads);
	array_free(&core->memory);
	array_free(&core->file);
}
