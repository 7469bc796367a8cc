/* Builds x86-64 core files for tests, byte by byte, so that they can also be wrong.
 *
 *     struct fake_core core = { 0 };
 *     fake_core_thread(&core, 7, SIGSEGV);
 *     fake_core_load(&core, 0x1000, PF_R | PF_W, bytes, 0x100, 0x1000);
 *     const char *path = fake_core_write(&core);
 *     …
 *     fake_core_end(&core);
 *
 * Layout of the file: ELF header, program headers (a PT_NOTE first), notes, memory.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORESCAN_TESTS_FAKE_CORE_H
#define CORESCAN_TESTS_FAKE_CORE_H

#include "base/array.h"

#include <elf.h>
#include <stdbool.h>
#include <stdint.h>

typedef ARRAY(uint8_t) fake_core_bytes;

struct fake_core {
	fake_core_bytes notes;
	ARRAY(Elf64_Phdr) loads; /* p_offset counts from the start of the memory */
	fake_core_bytes memory;
	fake_core_bytes file;	 /* made by fake_core_build; tests may change it before the write */
	bool no_notes;		 /* leave out the PT_NOTE */
	bool extended_numbering; /* PN_XNUM */
	char path[64];
};

/* Where in a file that was built the parts are. */
#define FAKE_CORE_HEADERS sizeof(Elf64_Ehdr)

void fake_core_note(struct fake_core *core, const char *owner, uint32_t type, const void *bytes,
		    size_t size);

/* NT_PRSTATUS with rip = tid * 16, and NT_FPREGSET. */
void fake_core_thread(struct fake_core *core, int32_t tid, int signal);
void fake_core_thread_at(struct fake_core *core, int32_t tid, int signal, uint64_t sp);

void fake_core_process(struct fake_core *core, int32_t pid, const char *fname, const char *psargs);
void fake_core_siginfo(struct fake_core *core, int32_t number, int32_t code, uint64_t field);

/* `pairs` are types and values, `count` of them in all; AT_NULL is added. */
void fake_core_auxv(struct fake_core *core, const uint64_t *pairs, size_t count);

/* NT_FILE in pages of 4096: `rows` are start, end and offset in pages; `paths` follow each other,
 * each with its NUL, `paths_size` bytes in all. */
void fake_core_files(struct fake_core *core, uint64_t count, const uint64_t (*rows)[3],
		     const char *paths, size_t paths_size);

/* A PT_LOAD; `bytes` are the `file_size` that were dumped. */
void fake_core_load(struct fake_core *core, uint64_t address, uint32_t flags, const void *bytes,
		    uint64_t file_size, uint64_t memory_size);

/* Lays out .file. */
void fake_core_build(struct fake_core *core);

/* Writes .file (built if it was not) to a temporary file; the path is the core's. */
const char *fake_core_write(struct fake_core *core);

/* Removes the file and frees everything. */
void fake_core_end(struct fake_core *core);

#endif
