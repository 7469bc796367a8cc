/* Small x86-64 ELF files for tests, and their loading into an in-memory target as a kernel and its
 * core dump would leave them.
 *
 *     struct fake_module module = { .build_id = "0123456789abcdef" };
 *     fake_module_write(&module);
 *     fake_module_map(target, &module, 0x7f0000000000, FAKE_MODULE_DUMPED_HEADERS);
 *
 * The file: a readable page with headers and the build-id note, a page of code, and a writable
 * segment (file offset 0x2000, address 0x3000) of FAKE_MODULE_DATA_SIZE bytes with PT_DYNAMIC in
 * front, followed by zeros up to address 0x5000.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORESCAN_TESTS_FAKE_MODULE_H
#define CORESCAN_TESTS_FAKE_MODULE_H

#include "fake_target.h"

#define FAKE_MODULE_CODE	0x1000
#define FAKE_MODULE_DATA	0x3000
#define FAKE_MODULE_DATA_OFFSET 0x2000
#define FAKE_MODULE_DATA_SIZE	0x800
#define FAKE_MODULE_END		0x5000
#define FAKE_MODULE_SIZE	0x2800 /* of the file */
/* Value of DT_DEBUG, the second entry of PT_DYNAMIC. */
#define FAKE_MODULE_DEBUG (FAKE_MODULE_DATA + 24)

struct fake_module {
	const char *build_id; /* its characters are the id; NULL: no note */
	bool program;	      /* has PT_INTERP */
	uint8_t code_byte;    /* what the code page is filled with */
	uint16_t machine;     /* 0: x86-64 */
	uint16_t type;	      /* 0: ET_DYN */
	_Alignas(8) uint8_t file[FAKE_MODULE_SIZE];
	char path[96];
};

enum fake_module_dump {
	FAKE_MODULE_DUMPED_HEADERS, /* as kernels do: the first page, and what is writable */
	FAKE_MODULE_DUMPED_DATA,    /* as gdb's gcore does: only what was written to */
	FAKE_MODULE_DUMPED_NOTHING, /* not even private memory */
	FAKE_MODULE_DUMPED_ALL,
};

/* Makes .file, and writes it to .path, which fake_module_remove removes. */
void fake_module_write(struct fake_module *module);
void fake_module_remove(struct fake_module *module);

/* Maps the module at `bias`, with .path as its name. */
void fake_module_map(struct target *target, const struct fake_module *module, uint64_t bias,
		     enum fake_module_dump dump);

/* Maps pages of a file of which nothing was dumped. */
void fake_module_absent(struct target *target, uint64_t start, uint64_t size,
			const char *permissions, const char *name, uint64_t file_offset);

#endif
