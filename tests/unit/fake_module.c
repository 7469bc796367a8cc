/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "fake_module.h"

#include <check.h>
#include <elf.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define NOTE_OFFSET   0x400
#define INTERP_OFFSET 0x500
#define PAGE	      0x1000

static void put_note(struct fake_module *module)
{
	size_t size = strlen(module->build_id);
	Elf64_Nhdr note = { .n_namesz = 4, .n_descsz = (uint32_t)size, .n_type = NT_GNU_BUILD_ID };
	memcpy(module->file + NOTE_OFFSET, &note, sizeof note);
	memcpy(module->file + NOTE_OFFSET + sizeof note, "GNU", 4);
	memcpy(module->file + NOTE_OFFSET + sizeof note + 4, module->build_id, size);
}

static void put_headers(struct fake_module *module)
{
	size_t id = module->build_id != NULL ? strlen(module->build_id) : 0;
	Elf64_Phdr rows[6] = {
		{ PT_LOAD, PF_R, 0, 0, 0, PAGE, PAGE, PAGE },
		{ PT_LOAD, PF_R | PF_X, FAKE_MODULE_CODE, FAKE_MODULE_CODE, 0, PAGE, PAGE, PAGE },
		{ PT_LOAD, PF_R | PF_W, FAKE_MODULE_DATA_OFFSET, FAKE_MODULE_DATA, 0,
		  FAKE_MODULE_DATA_SIZE, FAKE_MODULE_END - FAKE_MODULE_DATA, PAGE },
		{ PT_DYNAMIC, PF_R | PF_W, FAKE_MODULE_DATA_OFFSET, FAKE_MODULE_DATA, 0, 48, 48,
		  8 },
		{ PT_NOTE, PF_R, NOTE_OFFSET, NOTE_OFFSET, 0, 16 + id, 16 + id, 4 },
		{ PT_INTERP, PF_R, INTERP_OFFSET, INTERP_OFFSET, 0, 16, 16, 1 },
	};
	if (module->build_id == NULL)
		rows[4].p_type = PT_NULL;
	if (!module->program)
		rows[5].p_type = PT_NULL;
	Elf64_Ehdr header = {
		.e_ident = { ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB,
			     EV_CURRENT },
		.e_type = module->type != 0 ? module->type : ET_DYN,
		.e_machine = module->machine != 0 ? module->machine : EM_X86_64,
		.e_version = EV_CURRENT,
		.e_phoff = sizeof header,
		.e_ehsize = sizeof header,
		.e_phentsize = sizeof(Elf64_Phdr),
		.e_phnum = 6,
	};
	memcpy(module->file, &header, sizeof header);
	memcpy(module->file + sizeof header, rows, sizeof rows);
	strcpy((char *)module->file + INTERP_OFFSET, "/lib/ld.so");
}

void fake_module_write(struct fake_module *module)
{
	memset(module->file, 0, sizeof module->file);
	put_headers(module);
	if (module->build_id != NULL)
		put_note(module);
	memset(module->file + FAKE_MODULE_CODE, module->code_byte, PAGE);
	memset(module->file + FAKE_MODULE_DATA_OFFSET, 0xda, FAKE_MODULE_DATA_SIZE);
	Elf64_Dyn dynamic[3] = { { DT_STRSZ, { 0x77 } }, { DT_DEBUG, { 0 } }, { DT_NULL, { 0 } } };
	memcpy(module->file + FAKE_MODULE_DATA_OFFSET, dynamic, sizeof dynamic);

	if (module->path[0] == '\0') {
		snprintf(module->path, sizeof module->path, "/tmp/corescan-module-XXXXXX");
		close(mkstemp(module->path));
	}
	FILE *file = fopen(module->path, "w");
	ck_assert_ptr_nonnull(file);
	ck_assert_uint_eq(fwrite(module->file, 1, sizeof module->file, file), sizeof module->file);
	ck_assert_int_eq(fclose(file), 0);
}

void fake_module_remove(struct fake_module *module)
{
	unlink(module->path);
}

void fake_module_absent(struct target *target, uint64_t start, uint64_t size,
			const char *permissions, const char *name, uint64_t file_offset)
{
	struct segment segment = {
		.start = start,
		.end = start + size,
		.origin = SEGMENT_ABSENT,
		.permissions = (permissions[0] == 'r' ? SEGMENT_READ : 0) |
			       (permissions[1] == 'w' ? SEGMENT_WRITE : 0) |
			       (permissions[2] == 'x' ? SEGMENT_EXECUTE : 0),
		.permissions_known = true,
		.name = name,
		.file_offset = file_offset,
	};
	ck_assert_ptr_null(address_space_add(target->space, &segment));
}

static void map_pages(struct target *target, const struct fake_module *module, uint64_t bias,
		      uint64_t address, uint64_t offset, const char *permissions, bool dumped)
{
	if (!dumped) {
		fake_module_absent(target, bias + address, PAGE, permissions, module->path, offset);
		return;
	}
	uint8_t *bytes =
	    fake_target_map_file(target, bias + address, PAGE, permissions, module->path, offset);
	size_t there = sizeof module->file - offset;
	memcpy(bytes, module->file + offset, there < PAGE ? there : PAGE);
}

void fake_module_map(struct target *target, const struct fake_module *module, uint64_t bias,
		     enum fake_module_dump dump)
{
	bool headers = dump == FAKE_MODULE_DUMPED_HEADERS || dump == FAKE_MODULE_DUMPED_ALL;
	bool data = dump != FAKE_MODULE_DUMPED_NOTHING;
	map_pages(target, module, bias, 0, 0, "r--", headers);
	map_pages(target, module, bias, FAKE_MODULE_CODE, FAKE_MODULE_CODE, "r-x",
		  dump == FAKE_MODULE_DUMPED_ALL);
	map_pages(target, module, bias, FAKE_MODULE_DATA, FAKE_MODULE_DATA_OFFSET, "rw-", data);
	if (data)
		fake_target_map(target, bias + FAKE_MODULE_DATA + PAGE, PAGE, "rw-", NULL);
	else
		fake_module_absent(target, bias + FAKE_MODULE_DATA + PAGE, PAGE, "rw-", NULL, 0);
}
