/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "fake_module.h"

#include "modules/elf_image.h"
#include "modules/modules.h"
#include "modules/tls.h"
#include "modules/type_layout.h"

#include <check.h>
#include <elf.h>
#include <gnu/libc-version.h>
#include <inttypes.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define BIAS	   0x7f0000000000
#define OTHER_BIAS 0x7f0000100000

struct opened {
	struct target *target;
	struct modules *modules;
	struct gaps gaps;
};

static void open_modules(struct opened *opened, struct target *target,
			 const struct modules_options *options)
{
	static const struct modules_options none;
	opened->target = target;
	opened->gaps = (struct gaps){ 0 };
	struct error *error = modules_open(target, options != NULL ? options : &none, &opened->gaps,
					   &opened->modules);
	ck_assert_msg(error == NULL, "%s", error != NULL ? error->message : "");
}

static void close_modules(struct opened *opened)
{
	modules_free(opened->modules);
	target_close(opened->target);
	gaps_free(&opened->gaps);
}

static bool has_gap(const struct opened *opened, enum gap_kind kind, const char *words)
{
	for (size_t i = 0; i < opened->gaps.list.count; i++)
		if (opened->gaps.list.items[i].kind == kind &&
		    strstr(opened->gaps.list.items[i].text, words) != NULL)
			return true;
	return false;
}

static size_t module_count(const struct opened *opened)
{
	size_t count;
	modules_list(opened->modules, &count);
	return count;
}

static uint8_t byte_at(const struct opened *opened, uint64_t address)
{
	uint8_t byte;
	ck_assert_msg(address_space_probe(opened->target->space, address, &byte, 1),
		      "0x%" PRIx64 " cannot be read", address);
	return byte;
}

static bool readable(const struct opened *opened, uint64_t address)
{
	uint8_t byte;
	return address_space_probe(opened->target->space, address, &byte, 1);
}

START_TEST(a_module_is_found_verified_and_spliced)
{
	struct fake_module file = { .build_id = "an id of 16 byte", .code_byte = 0xc3 };
	struct target *target = fake_target_new();
	struct opened opened;
	fake_module_write(&file);
	fake_module_map(target, &file, BIAS, FAKE_MODULE_DUMPED_HEADERS);
	fake_target_seal(target);
	fake_target_put64(target, BIAS + FAKE_MODULE_DATA + 0x100, 42);
	open_modules(&opened, target, NULL);

	ck_assert_uint_eq(module_count(&opened), 1);
	const struct module *module = modules_find(opened.modules, BIAS + 0x1234);
	ck_assert_ptr_nonnull(module);
	ck_assert_int_eq(module->match, MODULE_VERIFIED);
	ck_assert_str_eq(module->path, file.path);
	ck_assert_uint_eq(module->start, BIAS);
	ck_assert_uint_eq(module->end, BIAS + FAKE_MODULE_END);
	ck_assert_uint_eq(module->bias, BIAS);
	ck_assert_uint_eq(module->build_id_size, 16);
	ck_assert_mem_eq(module->build_id, "an id of 16 byte", 16);
	ck_assert_ptr_null(modules_find(opened.modules, BIAS + FAKE_MODULE_END));
	ck_assert_ptr_null(modules_find(opened.modules, BIAS - 1));
	/* Between code and data the file has nothing. */
	static const struct {
		uint64_t offset;
		bool loaded;
	} rows[] = { { 0, true },      { 0x1fff, true }, { 0x2000, false }, { 0x2fff, false },
		     { 0x3000, true }, { 0x4fff, true }, { 0x5000, false } };
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		ck_assert_msg(modules_find(opened.modules, BIAS + rows[i].offset) ==
				  (rows[i].loaded ? module : NULL),
			      "0x%" PRIx64, rows[i].offset);
	/* Code came from the file, data from the dump. */
	ck_assert_uint_eq(byte_at(&opened, BIAS + FAKE_MODULE_CODE + 0xfff), 0xc3);
	ck_assert_uint_eq(byte_at(&opened, BIAS + FAKE_MODULE_DATA + 0x100), 42);
	ck_assert_uint_eq(opened.gaps.list.count, 0);
	close_modules(&opened);
	fake_module_remove(&file);
}
END_TEST

START_TEST(what_the_program_headers_say_is_told)
{
	struct fake_module file = { .build_id = "x" };
	struct target *target = fake_target_new();
	struct opened opened;
	fake_module_write(&file);
	fake_module_map(target, &file, BIAS, FAKE_MODULE_DUMPED_HEADERS);
	fake_target_seal(target);
	open_modules(&opened, target, NULL);
	const struct module_image *image =
	    modules_image(opened.modules, modules_find(opened.modules, BIAS));
	ck_assert_uint_eq(image->count, 3);
	ck_assert_uint_eq(image->segments[2].start, BIAS + FAKE_MODULE_DATA);
	ck_assert_uint_eq(image->segments[2].file_end,
			  BIAS + FAKE_MODULE_DATA + FAKE_MODULE_DATA_SIZE);
	ck_assert_uint_eq(image->segments[2].end, BIAS + FAKE_MODULE_END);
	ck_assert_uint_eq(image->segments[2].permissions, SEGMENT_READ | SEGMENT_WRITE);
	ck_assert_uint_eq(image->dynamic, BIAS + FAKE_MODULE_DATA);
	ck_assert_uint_eq(image->tls_size, 0);
	close_modules(&opened);
	fake_module_remove(&file);
}
END_TEST

START_TEST(a_file_of_another_build_is_not_used)
{
	struct fake_module file = { .build_id = "the build that ran", .code_byte = 0x11 };
	struct target *target = fake_target_new();
	struct opened opened;
	fake_module_write(&file);
	fake_module_map(target, &file, BIAS, FAKE_MODULE_DUMPED_HEADERS);
	fake_target_seal(target);
	file.build_id = "the build of today";
	fake_module_write(&file);
	open_modules(&opened, target, NULL);

	const struct module *module = modules_find(opened.modules, BIAS);
	ck_assert_int_eq(module->match, MODULE_MISMATCH);
	ck_assert_ptr_null(module->file);
	ck_assert_ptr_null(module->dwfl);
	ck_assert_mem_eq(module->build_id, "the build that ran", 18);
	ck_assert(!readable(&opened, BIAS + FAKE_MODULE_CODE));
	/* "the build " in hexadecimal, and how the two go on */
	ck_assert(has_gap(&opened, GAP_MODULE, "746865206275696c642074686174"));
	ck_assert(has_gap(&opened, GAP_MODULE, "746865206275696c64206f6620"));
	close_modules(&opened);
	fake_module_remove(&file);
}
END_TEST

START_TEST(a_missing_file_is_one_gap_that_says_what_to_do)
{
	struct fake_module file = { .build_id = "gone" };
	struct target *target = fake_target_new();
	struct opened opened;
	fake_module_write(&file);
	fake_module_map(target, &file, BIAS, FAKE_MODULE_DUMPED_HEADERS);
	fake_target_seal(target);
	fake_module_remove(&file);
	open_modules(&opened, target, NULL);
	ck_assert_int_eq(modules_find(opened.modules, BIAS)->match, MODULE_MISSING);
	ck_assert_uint_eq(opened.gaps.list.count, 1);
	ck_assert(has_gap(&opened, GAP_MODULE, "676f6e65"));
	ck_assert(has_gap(&opened, GAP_MODULE, "--sysroot"));
	close_modules(&opened);
}
END_TEST

START_TEST(without_a_file_the_memory_image_serves_if_it_is_whole)
{
	struct fake_module file = { .build_id = "whole" };
	struct target *target = fake_target_new();
	struct opened opened;
	fake_module_write(&file);
	fake_module_map(target, &file, BIAS, FAKE_MODULE_DUMPED_ALL);
	fake_target_seal(target);
	fake_module_remove(&file);
	open_modules(&opened, target, NULL);
	const struct module *module = modules_find(opened.modules, BIAS);
	ck_assert_int_eq(module->match, MODULE_MISSING);
	GElf_Addr bias;
	ck_assert_ptr_nonnull(module->dwfl);
	ck_assert_ptr_nonnull(dwfl_module_getelf(module->dwfl, &bias));
	ck_assert_uint_eq(bias, BIAS);
	close_modules(&opened);
}
END_TEST

START_TEST(without_a_build_id_the_headers_decide)
{
	struct fake_module file = { .code_byte = 0x22 };
	struct target *target = fake_target_new();
	struct opened opened;
	fake_module_write(&file);
	fake_module_map(target, &file, BIAS, FAKE_MODULE_DUMPED_HEADERS);
	fake_target_seal(target);
	open_modules(&opened, target, NULL);
	ck_assert_int_eq(modules_find(opened.modules, BIAS)->match, MODULE_UNVERIFIED);
	ck_assert_uint_eq(byte_at(&opened, BIAS + FAKE_MODULE_CODE), 0x22);
	ck_assert(has_gap(&opened, GAP_MODULE, "no build-id"));
	close_modules(&opened);

	/* Another size of a segment is another file. */
	target = fake_target_new();
	fake_module_map(target, &file, BIAS, FAKE_MODULE_DUMPED_HEADERS);
	fake_target_seal(target);
	Elf64_Phdr *row =
	    (Elf64_Phdr *)fake_target_bytes(target, BIAS + sizeof(Elf64_Ehdr), sizeof *row);
	row->p_filesz -= 8;
	open_modules(&opened, target, NULL);
	ck_assert_int_eq(modules_find(opened.modules, BIAS)->match, MODULE_MISMATCH);
	close_modules(&opened);

	/* So is another dynamic section. */
	target = fake_target_new();
	fake_module_map(target, &file, BIAS, FAKE_MODULE_DUMPED_HEADERS);
	fake_target_seal(target);
	fake_target_put64(target, BIAS + FAKE_MODULE_DATA + 8, 0x78);
	open_modules(&opened, target, NULL);
	ck_assert_int_eq(modules_find(opened.modules, BIAS)->match, MODULE_MISMATCH);
	close_modules(&opened);
	fake_module_remove(&file);
}
END_TEST

START_TEST(headers_that_were_not_dumped_come_from_the_file)
{
	struct fake_module file = { .build_id = "of the file", .code_byte = 0x33 };
	struct target *target = fake_target_new();
	struct opened opened;
	fake_module_write(&file);
	fake_module_map(target, &file, BIAS, FAKE_MODULE_DUMPED_DATA);
	fake_target_seal(target);
	open_modules(&opened, target, NULL);
	const struct module *module = modules_find(opened.modules, BIAS);
	ck_assert_ptr_nonnull(module);
	ck_assert_int_eq(module->match, MODULE_UNVERIFIED);
	ck_assert_mem_eq(module->build_id, "of the file", 11);
	ck_assert_uint_eq(byte_at(&opened, BIAS + FAKE_MODULE_CODE), 0x33);
	close_modules(&opened);
	fake_module_remove(&file);
}
END_TEST

START_TEST(writable_pages_come_from_the_file_only_where_private_memory_is_dumped)
{
	struct fake_module file = { .build_id = "x", .code_byte = 0x44 };
	struct opened opened;
	fake_module_write(&file);
	for (int private = 0; private < 2; private ++) {
		struct target *target = fake_target_new();
		uint8_t *headers = fake_target_map_file(target, BIAS, 0x1000, "r--", file.path, 0);
		memcpy(headers, file.file, 0x1000);
		fake_module_absent(target, BIAS + FAKE_MODULE_CODE, 0x1000, "r-x", file.path,
				   FAKE_MODULE_CODE);
		fake_module_absent(target, BIAS + FAKE_MODULE_DATA, 0x1000, "rw-", file.path,
				   FAKE_MODULE_DATA_OFFSET);
		fake_module_absent(target, BIAS + FAKE_MODULE_DATA + 0x1000, 0x1000, "rw-", NULL,
				   0);
		if (private)
			fake_target_map(target, 0x1000000, 0x1000, "rw-", NULL);
		fake_target_seal(target);
		open_modules(&opened, target, NULL);
		ck_assert_uint_eq(byte_at(&opened, BIAS + FAKE_MODULE_CODE), 0x44);
		ck_assert_int_eq(readable(&opened, BIAS + FAKE_MODULE_DATA + 0x400), private);
		/* What follows the file's part of the segment is never the file's. */
		ck_assert(!readable(&opened, BIAS + FAKE_MODULE_DATA + FAKE_MODULE_DATA_SIZE));
		close_modules(&opened);
	}
	fake_module_remove(&file);
}
END_TEST

START_TEST(a_file_mapped_for_reading_is_no_module)
{
	struct fake_module file = { .build_id = "data" };
	struct target *target = fake_target_new();
	struct opened opened;
	fake_module_write(&file);
	/* Once as any reader would, once with all that a loaded file has but its data's place. */
	uint8_t *bytes = fake_target_map_file(target, BIAS, 0x5000, "r--", file.path, 0);
	memcpy(bytes, file.file, sizeof file.file);
	bytes = fake_target_map_file(target, OTHER_BIAS, 0x5000, "rwx", file.path, 0);
	memcpy(bytes, file.file, sizeof file.file);
	fake_target_seal(target);
	open_modules(&opened, target, NULL);
	ck_assert_uint_eq(module_count(&opened), 0);
	close_modules(&opened);
	fake_module_remove(&file);
}
END_TEST

START_TEST(one_file_may_be_loaded_twice)
{
	struct fake_module file = { .build_id = "twin" };
	struct target *target = fake_target_new();
	struct opened opened;
	fake_module_write(&file);
	fake_module_map(target, &file, OTHER_BIAS, FAKE_MODULE_DUMPED_HEADERS);
	fake_module_map(target, &file, BIAS, FAKE_MODULE_DUMPED_HEADERS);
	fake_target_seal(target);
	open_modules(&opened, target, NULL);
	ck_assert_uint_eq(module_count(&opened), 2);
	ck_assert_uint_eq(modules_find(opened.modules, BIAS)->bias, BIAS);
	ck_assert_uint_eq(modules_find(opened.modules, OTHER_BIAS)->bias, OTHER_BIAS);
	close_modules(&opened);
	fake_module_remove(&file);
}
END_TEST

START_TEST(a_deleted_file_is_looked_for_by_its_name)
{
	struct fake_module file = { .build_id = "kept" };
	struct target *target = fake_target_new();
	struct opened opened;
	fake_module_write(&file);
	struct fake_module as_seen = file;
	strcat(as_seen.path, " (deleted)");
	fake_module_map(target, &as_seen, BIAS, FAKE_MODULE_DUMPED_HEADERS);
	fake_target_seal(target);
	open_modules(&opened, target, NULL);
	const struct module *module = modules_find(opened.modules, BIAS);
	ck_assert_int_eq(module->match, MODULE_VERIFIED);
	ck_assert_str_eq(module->file, file.path);
	close_modules(&opened);
	fake_module_remove(&file);
}
END_TEST

/* A sysroot in a temporary directory, with `file` at path /lib/NAME in it. */
static void make_sysroot(char *sysroot, size_t size, const struct fake_module *file,
			 const char *name)
{
	char path[256];
	snprintf(sysroot, size, "/tmp/corescan-sysroot-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(sysroot));
	snprintf(path, sizeof path, "%s/real", sysroot);
	ck_assert_int_eq(mkdir(path, 0700), 0);
	snprintf(path, sizeof path, "%s/lib", sysroot);
	ck_assert_int_eq(symlink("/real", path), 0); /* absolute, below the sysroot */
	snprintf(path, sizeof path, "%s/real/%s", sysroot, name);
	FILE *copy = fopen(path, "w");
	ck_assert_ptr_nonnull(copy);
	ck_assert_uint_eq(fwrite(file->file, sizeof file->file, 1, copy), 1);
	fclose(copy);
}

static void remove_sysroot(const char *sysroot, const char *name)
{
	char path[256];
	snprintf(path, sizeof path, "%s/real/%s", sysroot, name);
	unlink(path);
	snprintf(path, sizeof path, "%s/real", sysroot);
	rmdir(path);
	snprintf(path, sizeof path, "%s/lib", sysroot);
	unlink(path);
	rmdir(sysroot);
}

START_TEST(a_sysroot_stands_before_the_paths_of_the_process)
{
	struct fake_module file = { .build_id = "elsewhere" };
	struct target *target = fake_target_new();
	struct opened opened;
	char sysroot[64];
	fake_module_write(&file);
	fake_module_remove(&file);
	make_sysroot(sysroot, sizeof sysroot, &file, "libx.so");
	snprintf(file.path, sizeof file.path, "/lib/libx.so");
	fake_module_map(target, &file, BIAS, FAKE_MODULE_DUMPED_HEADERS);
	fake_target_seal(target);
	open_modules(&opened, target, &(struct modules_options){ .sysroot = sysroot });
	const struct module *module = modules_find(opened.modules, BIAS);
	ck_assert_int_eq(module->match, MODULE_VERIFIED);
	ck_assert_str_eq(module->path, "/lib/libx.so");
	ck_assert_int_eq(strncmp(module->file, sysroot, strlen(sysroot)), 0);
	close_modules(&opened);
	remove_sysroot(sysroot, "libx.so");
}
END_TEST

START_TEST(a_file_is_found_by_its_build_id)
{
	struct fake_module file = { .build_id = "\x12\x34\x56\x78\x9a\xbc\xde\xf0" };
	struct target *target = fake_target_new();
	struct opened opened;
	char directory[64] = "/tmp/corescan-debug-XXXXXX", path[256];
	fake_module_write(&file);
	fake_module_map(target, &file, BIAS, FAKE_MODULE_DUMPED_HEADERS);
	fake_target_seal(target);
	ck_assert_ptr_nonnull(mkdtemp(directory));
	snprintf(path, sizeof path, "%s/.build-id", directory);
	ck_assert_int_eq(mkdir(path, 0700), 0);
	strcat(path, "/12");
	ck_assert_int_eq(mkdir(path, 0700), 0);
	strcat(path, "/3456789abcdef0");
	ck_assert_int_eq(rename(file.path, path), 0);
	open_modules(&opened, target, &(struct modules_options){ .debug_dir = directory });
	const struct module *module = modules_find(opened.modules, BIAS);
	ck_assert_int_eq(module->match, MODULE_VERIFIED);
	ck_assert_str_eq(module->file, path);
	close_modules(&opened);
	unlink(path);
	*strrchr(path, '/') = '\0';
	rmdir(path);
	*strrchr(path, '/') = '\0';
	rmdir(path);
	rmdir(directory);
}
END_TEST

/* A target with a program at BIAS and a library at OTHER_BIAS, and a page for the loader's list. */
#define LOADER_PAGE 0x2000000

static struct target *target_with_program(const struct fake_module *program,
					  const struct fake_module *library)
{
	struct target *target = fake_target_new();
	fake_module_map(target, program, BIAS, FAKE_MODULE_DUMPED_HEADERS);
	if (library != NULL)
		fake_module_map(target, library, OTHER_BIAS, FAKE_MODULE_DUMPED_HEADERS);
	fake_target_map(target, LOADER_PAGE, 0x1000, "rw-", NULL);
	fake_target_auxv(target, AT_PHDR, BIAS + sizeof(Elf64_Ehdr));
	fake_target_seal(target);
	/* r_debug at the page's start, two link_maps behind it */
	fake_target_put64(target, BIAS + FAKE_MODULE_DEBUG, LOADER_PAGE);
	fake_target_put32(target, LOADER_PAGE, 1);
	fake_target_put64(target, LOADER_PAGE + 8, LOADER_PAGE + 0x100);
	fake_target_put64(target, LOADER_PAGE + 0x100, BIAS);
	fake_target_put64(target, LOADER_PAGE + 0x110, BIAS + FAKE_MODULE_DATA);
	fake_target_put64(target, LOADER_PAGE + 0x118, LOADER_PAGE + 0x200);
	fake_target_put64(target, LOADER_PAGE + 0x200, OTHER_BIAS);
	fake_target_put64(target, LOADER_PAGE + 0x208, LOADER_PAGE + 0x800);
	fake_target_put64(target, LOADER_PAGE + 0x210, OTHER_BIAS + FAKE_MODULE_DATA);
	if (library != NULL)
		fake_target_put_string(target, LOADER_PAGE + 0x800, library->path);
	return target;
}

START_TEST(the_program_and_the_loaders_list_are_found)
{
	struct fake_module program = { .build_id = "program", .program = true };
	struct fake_module library = { .build_id = "library" };
	struct opened opened;
	fake_module_write(&program);
	fake_module_write(&library);
	open_modules(&opened, target_with_program(&program, &library), NULL);
	const struct module *executable = modules_executable(opened.modules);
	ck_assert_ptr_eq(executable, modules_find(opened.modules, BIAS));
	ck_assert(executable->is_executable);
	const struct module *other = modules_find(opened.modules, OTHER_BIAS);
	ck_assert(!other->is_executable);
	ck_assert_int_eq(other->link_namespace, 0);
	ck_assert_uint_eq(modules_image(opened.modules, other)->link_map, LOADER_PAGE + 0x200);
	ck_assert_uint_eq(opened.gaps.list.count, 0);
	close_modules(&opened);
	fake_module_remove(&program);
	fake_module_remove(&library);
}
END_TEST

/* The same target with no mapping named, as a core of 65,536 mappings has it. */
START_TEST(without_names_the_loaders_list_tells_the_modules)
{
	struct fake_module program = { .build_id = "program", .program = true };
	struct fake_module library = { .build_id = "library", .code_byte = 0x55 };
	struct opened opened;
	fake_module_write(&program);
	fake_module_write(&library);
	struct target *named = target_with_program(&program, &library);
	struct target *target = fake_target_new();
	size_t count;
	const struct segment *segments = address_space_segments(named->space, &count);
	for (size_t i = 0; i < count; i++) {
		struct segment nameless = segments[i];
		nameless.name = NULL;
		nameless.file_offset = 0;
		ck_assert_ptr_null(address_space_add(target->space, &nameless));
	}
	fake_target_seal(target);
	fake_target_auxv(target, AT_PHDR, BIAS + sizeof(Elf64_Ehdr));
	target->exe = program.path;
	open_modules(&opened, target, NULL);

	ck_assert_uint_eq(module_count(&opened), 2);
	const struct module *module = modules_find(opened.modules, OTHER_BIAS);
	ck_assert_int_eq(module->match, MODULE_VERIFIED);
	ck_assert_str_eq(module->path, library.path);
	ck_assert_int_eq(modules_executable(opened.modules)->match, MODULE_VERIFIED);
	ck_assert_uint_eq(byte_at(&opened, OTHER_BIAS + FAKE_MODULE_CODE), 0x55);
	target->exe = NULL;
	close_modules(&opened);
	target_close(named);
	fake_module_remove(&program);
	fake_module_remove(&library);
}
END_TEST

START_TEST(a_cycle_in_the_loaders_list_is_a_gap)
{
	struct fake_module program = { .build_id = "program", .program = true };
	struct opened opened;
	fake_module_write(&program);
	struct target *target = target_with_program(&program, NULL);
	fake_target_put64(target, LOADER_PAGE + 0x218, LOADER_PAGE + 0x100);
	open_modules(&opened, target, NULL);
	ck_assert(has_gap(&opened, GAP_MODULE, "does not end: it was left after 4 entries"));
	ck_assert_uint_eq(module_count(&opened), 1);
	close_modules(&opened);

	target = target_with_program(&program, NULL);
	fake_target_put64(target, LOADER_PAGE + 0x218, 0x666);
	open_modules(&opened, target, NULL);
	ck_assert(has_gap(&opened, GAP_MODULE, "breaks off at 0x666"));
	close_modules(&opened);
	fake_module_remove(&program);
}
END_TEST

START_TEST(a_given_exe_is_used_when_it_is_the_program)
{
	struct fake_module program = { .build_id = "program", .program = true };
	struct fake_module given;
	struct opened opened;
	fake_module_write(&program);
	given = program;
	given.path[0] = '\0';
	fake_module_write(&given);
	struct target *target = target_with_program(&program, NULL);
	fake_target_put64(target, LOADER_PAGE + 0x118, 0);
	fake_module_remove(&program);
	open_modules(&opened, target, &(struct modules_options){ .exe = given.path });
	ck_assert_str_eq(modules_executable(opened.modules)->file, given.path);
	ck_assert_int_eq(modules_executable(opened.modules)->match, MODULE_VERIFIED);
	ck_assert_uint_eq(opened.gaps.list.count, 0);
	close_modules(&opened);
	fake_module_remove(&given);
}
END_TEST

START_TEST(a_given_exe_of_another_build_is_said_and_not_used)
{
	struct fake_module program = { .build_id = "program", .program = true };
	struct fake_module given = { .build_id = "another", .program = true };
	struct opened opened;
	fake_module_write(&program);
	fake_module_write(&given);
	struct target *target = target_with_program(&program, NULL);
	fake_target_put64(target, LOADER_PAGE + 0x118, 0);
	open_modules(&opened, target, &(struct modules_options){ .exe = given.path });
	/* The program's own path leads to the right file. */
	ck_assert_str_eq(modules_executable(opened.modules)->file, program.path);
	ck_assert_uint_eq(opened.gaps.list.count, 1);
	ck_assert(has_gap(&opened, GAP_MODULE, given.path));
	ck_assert(has_gap(&opened, GAP_MODULE, "70726f6772616d"));
	ck_assert(has_gap(&opened, GAP_MODULE, "616e6f74686572"));
	close_modules(&opened);
	fake_module_remove(&program);
	fake_module_remove(&given);
}
END_TEST

static void expect_refused(const char *exe, enum error_code code, const char *words)
{
	struct target *target = fake_target_new();
	struct modules *modules = NULL;
	struct gaps gaps = { 0 };
	fake_target_seal(target);
	struct error *error =
	    modules_open(target, &(struct modules_options){ .exe = exe }, &gaps, &modules);
	ck_assert_msg(error != NULL, "%s was taken", exe);
	ck_assert_ptr_null(modules);
	ck_assert_msg(strstr(error->message, words) != NULL, "%s", error->message);
	ck_assert_int_eq(error->code, code);
	error_free(error);
	gaps_free(&gaps);
	target_close(target);
}

START_TEST(an_exe_that_is_no_program_is_an_error)
{
	struct fake_module file = { .machine = EM_AARCH64 };
	expect_refused("/no/such/file", ERROR_NOT_FOUND, "no such file");
	expect_refused("/tmp", ERROR_BAD_DATA, "directory");
	expect_refused("/dev/null", ERROR_BAD_DATA, "not a regular file");
	fake_module_write(&file);
	expect_refused(file.path, ERROR_UNSUPPORTED, "x86-64");
	file.machine = 0;
	file.type = ET_CORE;
	fake_module_write(&file);
	expect_refused(file.path, ERROR_BAD_DATA, "itself a core file");
	file.type = ET_REL;
	fake_module_write(&file);
	expect_refused(file.path, ERROR_BAD_DATA, "object file");
	FILE *script = fopen(file.path, "w");
	fputs("#!/bin/sh\n", script);
	fclose(script);
	expect_refused(file.path, ERROR_BAD_DATA, "script");
	script = fopen(file.path, "w");
	fputs("hello\n", script);
	fclose(script);
	expect_refused(file.path, ERROR_BAD_DATA, "not an ELF");
	fake_module_remove(&file);
}
END_TEST

/* No input may crash or hang: headers with bits flipped, and headers of noise. */
START_TEST(damaged_headers_do_no_harm)
{
	struct fake_module program = { .build_id = "program", .program = true };
	uint64_t seed = 88172645463325252u;
	fake_module_write(&program);
	for (int round = 0; round < 600; round++) {
		struct opened opened;
		struct target *target = target_with_program(&program, NULL);
		uint8_t *page = fake_target_bytes(target, BIAS, 0x1000);
		uint8_t *data = fake_target_bytes(target, BIAS + FAKE_MODULE_DATA, 0x1000);
		for (int flip = 0; flip < 1 + round % 8; flip++) {
			seed ^= seed << 13, seed ^= seed >> 7, seed ^= seed << 17;
			page[seed % 0x440] = (uint8_t)(seed >> 20);
			data[(seed >> 8) % 48] = (uint8_t)(seed >> 28);
		}
		open_modules(&opened, target, NULL);
		struct symbol symbol;
		const char *file;
		unsigned line;
		modules_symbol_at(opened.modules, BIAS + FAKE_MODULE_CODE, &symbol);
		modules_symbol_named(opened.modules, NULL, "main", &symbol);
		modules_line(opened.modules, BIAS + FAKE_MODULE_CODE, &file, &line);
		close_modules(&opened);
	}
	fake_module_remove(&program);
}
END_TEST

START_TEST(absurd_counts_and_sizes_are_refused)
{
	struct fake_module file = { .build_id = "x" };
	struct elf_image image;
	struct elf_bytes bytes = { file.file, sizeof file.file };
	uint8_t id[ELF_BUILD_ID_MAX];
	size_t id_size = 0;
	fake_module_write(&file);
	ck_assert(elf_image_read(elf_bytes_source, &bytes, &image));
	ck_assert(elf_image_build_id(&image, elf_bytes_source, &bytes, false, id, &id_size));
	ck_assert_uint_eq(id_size, 1);
	elf_image_free(&image);

	Elf64_Nhdr *note = (Elf64_Nhdr *)(file.file + 0x400);
	note->n_descsz = UINT32_MAX;
	ck_assert(elf_image_read(elf_bytes_source, &bytes, &image));
	ck_assert(!elf_image_build_id(&image, elf_bytes_source, &bytes, false, id, &id_size));
	note->n_descsz = 1;
	note->n_namesz = UINT32_MAX - 2;
	ck_assert(!elf_image_build_id(&image, elf_bytes_source, &bytes, false, id, &id_size));
	elf_image_free(&image);

	Elf64_Ehdr *header = (Elf64_Ehdr *)file.file;
	header->e_phnum = 65535;
	ck_assert(!elf_image_read(elf_bytes_source, &bytes, &image));
	header->e_phnum = 6;
	header->e_phoff = UINT64_MAX - 8;
	ck_assert(!elf_image_read(elf_bytes_source, &bytes, &image));
	header->e_phoff = sizeof *header;
	Elf64_Phdr *row = (Elf64_Phdr *)(header + 1);
	row->p_memsz = UINT64_MAX;
	ck_assert(elf_image_read(elf_bytes_source, &bytes, &image));
	uint64_t start, end;
	ck_assert(!elf_image_range(&image, 4096, &start, &end));
	elf_image_free(&image);
	fake_module_remove(&file);
}
END_TEST

/* This program itself, as a module at BIAS with nothing but its headers dumped. */
static void open_self(struct opened *opened)
{
	static char path[4096];
	ssize_t length = readlink("/proc/self/exe", path, sizeof path - 1);
	ck_assert_int_gt(length, 0);
	path[length] = '\0';
	struct target *target = fake_target_new();
	FILE *file = fopen(path, "r");
	Elf64_Ehdr header;
	ck_assert_uint_eq(fread(&header, sizeof header, 1, file), 1);
	for (int i = 0; i < header.e_phnum; i++) {
		Elf64_Phdr row;
		fseek(file, (long)(header.e_phoff + (size_t)i * sizeof row), SEEK_SET);
		ck_assert_uint_eq(fread(&row, sizeof row, 1, file), 1);
		if (row.p_type != PT_LOAD)
			continue;
		uint64_t start = row.p_vaddr & -4096ull, offset = row.p_offset & -4096ull;
		uint64_t end = (row.p_vaddr + row.p_memsz + 4095) & -4096ull;
		if (offset == 0) {
			uint8_t *page =
			    fake_target_map_file(target, BIAS + start, 4096, "r-x", path, 0);
			fseek(file, 0, SEEK_SET);
			ck_assert_uint_eq(fread(page, 4096, 1, file), 1);
			start += 4096;
			offset += 4096;
		}
		fake_module_absent(target, BIAS + start, end - start,
				   row.p_flags & PF_X ? "r-x" : "rw-", path, offset);
	}
	fclose(file);
	fake_target_map(target, LOADER_PAGE, 0x1000, "rw-", NULL);
	fake_target_auxv(target, AT_PHDR, BIAS + header.e_phoff);
	fake_target_seal(target);
	open_modules(opened, target, NULL);
	ck_assert_int_eq(modules_executable(opened->modules)->match, MODULE_VERIFIED);
}

static __attribute__((noinline, used)) int a_static_function(int x)
{
	__asm__ volatile("" : "+r"(x));
	return x * 3;
}

static int a_static_variable[10] = { 1 };

/* A function of 32 bytes with another of 4 inside, at 8, and 16 bytes of code with a bare label. */
__asm__(".pushsection .text\n"
	"planted_outer:\n"
	".skip 8, 0x90\n"
	"planted_inner:\n"
	".skip 24, 0x90\n"
	"planted_label:\n"
	".skip 16, 0x90\n"
	"planted_after:\n"
	".skip 16, 0x90\n"
	".type planted_outer, @function\n"
	".size planted_outer, 32\n"
	".type planted_inner, @function\n"
	".size planted_inner, 4\n"
	".type planted_after, @function\n"
	".size planted_after, 8\n"
	".popsection\n");

static void expect_symbol(struct opened *opened, uint64_t address, const char *name, uint64_t size)
{
	struct symbol symbol;
	ck_assert(modules_symbol_at(opened->modules, address, &symbol));
	ck_assert_str_eq(symbol.name, name);
	ck_assert_uint_eq(symbol.size, size);
}

START_TEST(the_innermost_symbol_that_covers_an_address_is_told)
{
	struct opened opened;
	struct symbol outer;
	open_self(&opened);
	ck_assert(modules_symbol_named(opened.modules, NULL, "planted_outer", &outer));
	expect_symbol(&opened, outer.address + 7, "planted_outer", 32);
	expect_symbol(&opened, outer.address + 8, "planted_inner", 4);
	expect_symbol(&opened, outer.address + 11, "planted_inner", 4);
	expect_symbol(&opened, outer.address + 12, "planted_outer", 32);
	expect_symbol(&opened, outer.address + 31, "planted_outer", 32);
	expect_symbol(&opened, outer.address + 32, "planted_label", 0);
	expect_symbol(&opened, outer.address + 47, "planted_label", 0);
	expect_symbol(&opened, outer.address + 48, "planted_after", 8);
	/* A label ends where another symbol begins. */
	ck_assert(!modules_symbol_at(opened.modules, outer.address + 56, &outer));
	close_modules(&opened);
}
END_TEST

START_TEST(symbols_are_told_by_address_and_by_name)
{
	struct opened opened;
	struct symbol symbol, again;
	a_static_variable[0] = a_static_function(7);
	open_self(&opened);
	ck_assert(modules_symbol_named(opened.modules, NULL, "a_static_function", &symbol));
	ck_assert(symbol.is_function);
	ck_assert(!symbol.is_tls);
	ck_assert_uint_gt(symbol.size, 0);
	ck_assert(modules_symbol_at(opened.modules, symbol.address + symbol.size - 1, &again));
	ck_assert_str_eq(again.name, "a_static_function");
	ck_assert_uint_eq(again.address, symbol.address);
	ck_assert(!modules_symbol_at(opened.modules, symbol.address + symbol.size, &again) ||
		  again.address != symbol.address);

	ck_assert(modules_symbol_named(opened.modules, NULL, "a_static_variable", &again));
	ck_assert(!again.is_function);
	ck_assert_uint_eq(again.size, sizeof a_static_variable);
	/* Their distance is that of the running program. */
	ck_assert_uint_eq(again.address - symbol.address,
			  (uint64_t)(uintptr_t)a_static_variable -
			      (uint64_t)(uintptr_t)a_static_function);
	/* The code of the file is at its address. */
	uint8_t code[8];
	ck_assert(address_space_probe(opened.target->space, symbol.address, code, sizeof code));
	ck_assert_mem_eq(code, (const void *)(uintptr_t)a_static_function, sizeof code);
	ck_assert(!modules_symbol_named(opened.modules, NULL, "no_such_symbol", &symbol));
	ck_assert(!modules_symbol_at(opened.modules, 0x1000, &symbol));
	close_modules(&opened);
}
END_TEST

typedef struct {
	int lock;
	union {
		struct {
			short first, second;
		};
		int both;
	};
} planted_alias;

struct planted_inner {
	long before;
	planted_alias alias;
	char tail[3];
};

struct planted_struct {
	char kind;
	struct planted_inner inner;
	struct planted_struct *next;
	unsigned bits : 4;
	uint16_t counts[5];
};

static struct planted_struct planted;
static planted_alias planted_alone;

START_TEST(layouts_come_from_debug_information)
{
	struct opened opened;
	struct type_layout layouts[] = {
		{ .type = "planted_struct",
		  .fields = { { .name = "kind" },
			      { .name = "inner.alias.lock" },
			      { .name = "inner.alias.second" },
			      { .name = "next" },
			      { .name = "counts" },
			      { .name = "missing" },
			      { .name = "kind.more" } } },
		{ .type = "planted_alias", .fields = { { .name = "both" } } },
		{ .type = "no_such_type", .fields = { { .name = "x" } } },
	};
	uint64_t offset = 99;
	planted.kind = (char)planted_alone.both;
	open_self(&opened);
	ck_assert_uint_eq(
	    type_layouts_from_dwarf(opened.modules, modules_executable(opened.modules), layouts, 3),
	    2);
	ck_assert_uint_eq(layouts[0].size, sizeof(struct planted_struct));
	ck_assert_int_eq(layouts[0].evidence, LAYOUT_DWARF);
	ck_assert(type_layout_offset(&layouts[0], "kind", &offset));
	ck_assert_uint_eq(offset, 0);
	ck_assert(type_layout_offset(&layouts[0], "inner.alias.lock", &offset));
	ck_assert_uint_eq(offset, offsetof(struct planted_struct, inner.alias.lock));
	ck_assert(type_layout_offset(&layouts[0], "inner.alias.second", &offset));
	ck_assert_uint_eq(offset, offsetof(struct planted_struct, inner.alias.second));
	ck_assert(type_layout_offset(&layouts[0], "next", &offset));
	ck_assert_uint_eq(offset, offsetof(struct planted_struct, next));
	ck_assert(type_layout_offset(&layouts[0], "counts", &offset));
	ck_assert_uint_eq(offset, offsetof(struct planted_struct, counts));
	ck_assert_uint_eq(layouts[0].fields[4].size, sizeof planted.counts);
	offset = 99;
	ck_assert(!type_layout_offset(&layouts[0], "missing", &offset));
	ck_assert(!type_layout_offset(&layouts[0], "kind.more", &offset));
	ck_assert(!type_layout_offset(&layouts[0], "never asked", &offset));
	ck_assert_uint_eq(offset, 99);
	ck_assert_uint_eq(layouts[1].size, sizeof(planted_alias));
	ck_assert(type_layout_offset(&layouts[1], "both", &offset));
	ck_assert_uint_eq(offset, offsetof(planted_alias, both));
	ck_assert_uint_eq(layouts[2].size, 0);
	ck_assert_int_eq(layouts[2].evidence, LAYOUT_NONE);
	close_modules(&opened);
}
END_TEST

START_TEST(source_lines_are_told)
{
	struct opened opened;
	struct symbol symbol;
	const char *file = NULL;
	unsigned line = 0;
	open_self(&opened);
	ck_assert(modules_symbol_named(opened.modules, NULL, "a_static_function", &symbol));
	ck_assert(modules_line(opened.modules, symbol.address, &file, &line));
	ck_assert_msg(strstr(file, "check_modules.c") != NULL, "%s", file);
	ck_assert_uint_gt(line, 1);
	ck_assert(!modules_line(opened.modules, 0x1000, &file, &line));
	close_modules(&opened);
}
END_TEST

static __thread long a_thread_local[3] = { 5 };

/* A fork of this program is at the same addresses: what is told of it can be compared with &. */
START_TEST(a_live_process_is_told_as_it_is)
{
	struct opened opened = { 0 };
	struct symbol symbol;
	struct tls_layout layout = { 0 };
	uint64_t block;
	pid_t pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;)
			pause();
	}
	struct target *target = NULL;
	struct error *error = target_open_live(pid, NULL, &opened.gaps, &target);
	ck_assert_msg(error == NULL, "%s", error != NULL ? error->message : "");
	open_modules(&opened, target, NULL);

	uint64_t function = (uintptr_t)a_static_function;
	ck_assert(modules_symbol_at(opened.modules, function, &symbol));
	ck_assert_str_eq(symbol.linkage, "a_static_function");
	ck_assert(symbol.module->is_executable);
	ck_assert_uint_eq(symbol.address, function);
	const struct module *libc = modules_libc(opened.modules);
	ck_assert_ptr_nonnull(libc);
	ck_assert_int_eq(libc->match, MODULE_VERIFIED);
	ck_assert(modules_symbol_named(opened.modules, libc, "gnu_get_libc_version", &symbol));
	ck_assert_uint_eq(symbol.address, (uintptr_t)gnu_get_libc_version);

	const struct module *self = modules_executable(opened.modules);
	uint64_t pointer = arch_thread_pointer(target->arch, &target->threads.items[0].registers);
	ck_assert(tls_layout_find(opened.modules, &layout));
	ck_assert(tls_block(opened.modules, &layout, self, pointer, &block));
	ck_assert(modules_symbol_named(opened.modules, self, "a_thread_local", &symbol));
	ck_assert(symbol.is_tls);
	ck_assert_uint_eq(block + symbol.address, (uintptr_t)a_thread_local);
	ck_assert(tls_symbol_at(opened.modules, self, symbol.address + 8, &symbol));
	ck_assert_str_eq(symbol.name, "a_thread_local");
	close_modules(&opened);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}
END_TEST

START_TEST(names_are_demangled)
{
	static const struct {
		const char *linkage, *name, *without_parameters;
	} rows[] = {
		{ "_ZN3app5Cache3getEiPKc", "app::Cache::get(int, char const*)",
		  "app::Cache::get" },
		{ "_ZTV7Session", "vtable for Session", "vtable for Session" },
		{ "_ZN4core3fmt9Formatter3pad17h0123456789abcdefE", "core::fmt::Formatter::pad",
		  "core::fmt::Formatter::pad" },
		{ "_RNvC7mycrate3foo", "mycrate::foo", "mycrate::foo" },
		{ "main", "main", "main" },
		{ "_Znot_mangled", "_Znot_mangled", "_Znot_mangled" },
		{ "_Z", "_Z", "_Z" },
		{ "Zebra", "Zebra", "Zebra" },
		{ "", "", "" },
	};
	struct opened opened;
	struct target *target = fake_target_new();
	fake_target_seal(target);
	open_modules(&opened, target, NULL);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		ck_assert_str_eq(modules_demangle(opened.modules, rows[i].linkage), rows[i].name);
		ck_assert_str_eq(modules_demangle_short(opened.modules, rows[i].linkage),
				 rows[i].without_parameters);
	}
	close_modules(&opened);
}
END_TEST

/* Each pair is of two of the pair before: 2^60 names in a linkage name of 600 characters. */
START_TEST(a_name_that_would_fill_the_memory_stays_mangled)
{
	char linkage[1024] = "_Z1fSt4pairIiiES_IS0_S0_E";
	static const char digits[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";
	for (int i = 1; i < 60; i++) {
		char reference[8];
		snprintf(reference, sizeof reference, "S%s%c_", i < 36 ? "" : "1", digits[i % 36]);
		snprintf(linkage + strlen(linkage), sizeof linkage - strlen(linkage), "S_I%s%sE",
			 reference, reference);
	}
	struct opened opened;
	struct target *target = fake_target_new();
	fake_target_seal(target);
	open_modules(&opened, target, NULL);
	ck_assert_str_eq(modules_demangle(opened.modules, linkage), linkage);
	close_modules(&opened);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("modules");
	TCase *find = tcase_create("find");
	tcase_add_test(find, a_module_is_found_verified_and_spliced);
	tcase_add_test(find, what_the_program_headers_say_is_told);
	tcase_add_test(find, a_file_of_another_build_is_not_used);
	tcase_add_test(find, a_missing_file_is_one_gap_that_says_what_to_do);
	tcase_add_test(find, without_a_file_the_memory_image_serves_if_it_is_whole);
	tcase_add_test(find, without_a_build_id_the_headers_decide);
	tcase_add_test(find, headers_that_were_not_dumped_come_from_the_file);
	tcase_add_test(find, writable_pages_come_from_the_file_only_where_private_memory_is_dumped);
	tcase_add_test(find, a_file_mapped_for_reading_is_no_module);
	tcase_add_test(find, one_file_may_be_loaded_twice);
	tcase_add_test(find, a_deleted_file_is_looked_for_by_its_name);
	tcase_add_test(find, a_sysroot_stands_before_the_paths_of_the_process);
	tcase_add_test(find, a_file_is_found_by_its_build_id);
	suite_add_tcase(suite, find);
	TCase *program = tcase_create("program");
	tcase_add_test(program, the_program_and_the_loaders_list_are_found);
	tcase_add_test(program, without_names_the_loaders_list_tells_the_modules);
	tcase_add_test(program, a_cycle_in_the_loaders_list_is_a_gap);
	tcase_add_test(program, a_given_exe_is_used_when_it_is_the_program);
	tcase_add_test(program, a_given_exe_of_another_build_is_said_and_not_used);
	tcase_add_test(program, an_exe_that_is_no_program_is_an_error);
	tcase_add_test(program, damaged_headers_do_no_harm);
	tcase_add_test(program, absurd_counts_and_sizes_are_refused);
	tcase_set_timeout(program, 60);
	suite_add_tcase(suite, program);
	TCase *names = tcase_create("names");
	tcase_add_test(names, the_innermost_symbol_that_covers_an_address_is_told);
	tcase_add_test(names, symbols_are_told_by_address_and_by_name);
	tcase_add_test(names, layouts_come_from_debug_information);
	tcase_add_test(names, source_lines_are_told);
	tcase_add_test(names, a_live_process_is_told_as_it_is);
	tcase_add_test(names, names_are_demangled);
	tcase_add_test(names, a_name_that_would_fill_the_memory_stays_mangled);
	tcase_set_timeout(names, 60);
	suite_add_tcase(suite, names);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
