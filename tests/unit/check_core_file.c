/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "fake_core.h"

#include "target/target.h"

#include <check.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static struct gaps gaps;
static struct target *target;

static void begin(void)
{
	gaps = (struct gaps){ 0 };
	target = NULL;
}

static void end(void)
{
	target_close(target);
	gaps_free(&gaps);
}

static void open_core(struct fake_core *core)
{
	struct error *error = target_open_core(fake_core_write(core), NULL, &gaps, &target);
	ck_assert_msg(error == NULL, "%s", error != NULL ? error->message : "");
}

static void refuse_path(const char *path, enum error_code code, const char *why)
{
	struct error *error = target_open_core(path, NULL, &gaps, &target);
	ck_assert_ptr_nonnull(error);
	ck_assert_msg(error->code == code && strstr(error->message, why) != NULL,
		      "expected \"%s\" (%d), got (%d) %s", why, code, error->code, error->message);
	ck_assert_ptr_null(strchr(error->message, '\n'));
	ck_assert_ptr_null(target);
	error_free(error);
}

static void refuse(struct fake_core *core, enum error_code code, const char *why)
{
	refuse_path(fake_core_write(core), code, why);
	fake_core_end(core);
}

static bool has_gap(enum gap_kind kind, const char *text)
{
	for (size_t i = 0; i < gaps.list.count; i++)
		if (gaps.list.items[i].kind == kind &&
		    strstr(gaps.list.items[i].text, text) != NULL)
			return true;
	return false;
}

static const struct segment *at(uint64_t address)
{
	return address_space_find(target->space, address);
}

static const uint8_t page[0x1000] = "a page";

/* Patches a field of the built file. */
static void patch(struct fake_core *core, uint64_t offset, uint64_t value, size_t size)
{
	if (core->file.items == NULL)
		fake_core_build(core);
	memcpy(core->file.items + offset, &value, size);
}

static uint64_t header_field(size_t index, size_t member)
{
	return FAKE_CORE_HEADERS + index * sizeof(Elf64_Phdr) + member;
}

/* A core as Linux writes it: an executable at 0x10000, [heap], libc whose text was not dumped, and
 * the main stack. */
static void linux_core(struct fake_core *core)
{
	static const uint64_t rows[][3] = { { 0x10000, 0x11000, 0 },
					    { 0x11000, 0x12000, 1 },
					    { 0x70000, 0x71000, 0 },
					    { 0x71000, 0x75000, 1 } };
	static const char paths[] = "/bin/app\0/bin/app\0/lib/libc.so\0/lib/libc.so";
	static const uint64_t auxv[] = { AT_PHDR,	  0x10040, AT_RANDOM, 0x90008,
					 AT_SYSINFO_EHDR, 0x80000, AT_EXECFN, 0x90020 };
	uint8_t stack[0x1000] = { 0 };
	strcpy((char *)stack + 0x20, "./app");
	fake_core_thread(core, 12, SIGSEGV);
	fake_core_process(core, 11, "app main", "./app --serve ");
	fake_core_siginfo(core, SIGSEGV, 1 /* SEGV_MAPERR */, 0xdead);
	fake_core_auxv(core, auxv, 4);
	fake_core_files(core, 4, rows, paths, sizeof paths);
	fake_core_thread(core, 11, SIGSEGV);
	fake_core_load(core, 0x10000, PF_R | PF_X, page, 0x1000, 0x1000);
	fake_core_load(core, 0x11000, PF_R | PF_W, page, 0x1000, 0x1000);
	fake_core_load(core, 0x12000, PF_R | PF_W, page, 0x1000, 0x1000);
	fake_core_load(core, 0x30000, PF_R | PF_W, page, 0x1000, 0x1000);
	fake_core_load(core, 0x70000, PF_R, page, 0x1000, 0x1000);
	fake_core_load(core, 0x71000, PF_R | PF_X, NULL, 0, 0x4000);
	fake_core_load(core, 0x7c000, PF_R, page, 0x1000, 0x3000);
	fake_core_load(core, 0x7f000, PF_R, page, 0x1000, 0x1000);
	fake_core_load(core, 0x80000, PF_R | PF_X, page, 0x1000, 0x1000);
	fake_core_load(core, 0x90000, PF_R | PF_W, stack, 0x1000, 0x1000);
}

START_TEST(a_kernel_core_tells_of_the_process)
{
	struct fake_core core = { 0 };
	linux_core(&core);
	open_core(&core);
	ck_assert_uint_eq(gaps.list.count, 0);
	ck_assert_int_eq(target->kind, TARGET_CORE);
	ck_assert_int_eq(target->pid, 11);
	ck_assert_str_eq(target->comm, "app main");
	ck_assert_str_eq(target->command, "./app --serve");
	ck_assert_str_eq(target->exe, "/bin/app");
	ck_assert(!target->from_gcore && !target->truncated);
	ck_assert_uint_eq(target->file_size, target->expected_size);
	ck_assert_int_eq(target->signal.number, SIGSEGV);
	ck_assert(target->signal.has_details);
	ck_assert_int_eq(target->signal.code, 1);
	ck_assert_uint_eq(target->signal.address, 0xdead);
	ck_assert_int_eq(target->signal.sender, 0);
	ck_assert_uint_eq(target->threads.count, 2);
	const struct target_thread *threads = target->threads.items;
	ck_assert_int_eq(threads[0].tid, 12);
	ck_assert_int_eq(threads[0].signal.number, SIGSEGV);
	ck_assert_str_eq(threads[0].name, "");
	ck_assert_uint_eq(arch_pc(target->arch, &threads[0].registers), 192);
	ck_assert_uint_eq(threads[0].registers.extended_size, 512);
	ck_assert_int_eq(threads[1].signal.number, 0);
	ck_assert_str_eq(threads[1].name, "app main");
	ck_assert(threads[1].stopped);
	uint64_t value;
	ck_assert(target_auxv(target, AT_PHDR, &value));
	ck_assert_uint_eq(value, 0x10040);
	ck_assert_uint_eq(target->auxv_count, 4);
	fake_core_end(&core);
}
END_TEST

START_TEST(segments_have_names_and_what_was_not_dumped_is_absent)
{
	struct fake_core core = { 0 };
	linux_core(&core);
	open_core(&core);
	ck_assert_str_eq(at(0x11800)->name, "/bin/app");
	ck_assert_uint_eq(at(0x11800)->file_offset, 0x1000);
	ck_assert_int_eq(at(0x11800)->permissions, SEGMENT_READ | SEGMENT_WRITE);
	ck_assert_ptr_null(at(0x12000)->name);
	ck_assert_str_eq(at(0x30000)->name, "[heap]");
	ck_assert_str_eq(at(0x80000)->name, "[vdso]");
	ck_assert_str_eq(at(0x7f000)->name, "[vvar]");
	ck_assert_str_eq(at(0x7e000)->name, "[vvar]");
	ck_assert_str_eq(at(0x90000)->name, "[stack]");
	ck_assert_int_eq(at(0x72000)->origin, SEGMENT_ABSENT);
	ck_assert(at(0x72000)->permissions_known);
	ck_assert_int_eq(at(0x70000)->origin, SEGMENT_CORE);
	uint8_t byte;
	ck_assert(!address_space_probe(target->space, 0x71000, &byte, 1));
	ck_assert(address_space_probe(target->space, 0x70000, &byte, 1));
	ck_assert_uint_eq(byte, 'a');
	fake_core_end(&core);
}
END_TEST

START_TEST(a_signal_from_outside_names_its_sender)
{
	struct fake_core core = { 0 };
	fake_core_thread(&core, 5, SIGSEGV);
	fake_core_siginfo(&core, SIGSEGV, SI_TKILL, 77);
	fake_core_load(&core, 0x1000, PF_R, page, 16, 0x1000);
	open_core(&core);
	ck_assert_int_eq(target->signal.sender, 77);
	ck_assert_int_eq(target->signal.code, SI_TKILL);
	ck_assert_uint_eq(target->signal.address, 0);
	fake_core_end(&core);
}
END_TEST

START_TEST(nothing_died_in_a_gcore)
{
	static const uint64_t rows[][3] = { { 0x1000, 0x2000, 0 }, { 0x2000, 0x4000, 1 } };
	struct fake_core core = { 0 };
	fake_core_process(&core, 5, "app", "app");
	fake_core_thread(&core, 5, 0);
	fake_core_siginfo(&core, SIGSTOP, SI_KERNEL, 0);
	fake_core_thread(&core, 6, 0);
	fake_core_files(&core, 2, rows, "/a\0/a", 6);
	fake_core_load(&core, 0x1000, PF_R, page, 0x1000, 0x1000);
	open_core(&core);
	ck_assert(target->from_gcore);
	ck_assert_int_eq(target->signal.number, 0);
	ck_assert_int_eq(target->threads.items[0].signal.number, 0);
	ck_assert_str_eq(target->threads.items[0].name, "");
	ck_assert_int_eq(at(0x3000)->origin, SEGMENT_ABSENT);
	ck_assert(!at(0x3000)->permissions_known);
	ck_assert_uint_eq(at(0x2000)->file_offset, 0x1000);
	ck_assert_uint_eq(at(0x2000)->start, 0x2000);
	fake_core_end(&core);
}
END_TEST

START_TEST(a_note_of_gdb_tells_a_gcore_whatever_its_order)
{
	struct fake_core core = { 0 };
	fake_core_thread(&core, 5, 0);
	fake_core_process(&core, 5, "app", "app");
	fake_core_note(&core, "GDB", 0xff000000, "<target/>", 9);
	open_core(&core);
	ck_assert(target->from_gcore);
	fake_core_end(&core);
}
END_TEST

START_TEST(what_gdb_left_as_zeros_is_missing)
{
	enum { BLOCK = 0x100000, SIZE = 4 * BLOCK };
	uint8_t *memory = calloc(1, SIZE);
	memory[BLOCK + 5] = 1; /* in the second block; the fault was in the third */
	memset(memory + 0x1000, 2, 0x1000);
	struct fake_core core = { 0 };
	fake_core_process(&core, 5, "app", "app");
	fake_core_thread_at(&core, 5, 0, 0x10000 + 0x1800);
	fake_core_thread_at(&core, 6, 0, 0x10000 + 3 * BLOCK + 0x800);
	fake_core_load(&core, 0x10000, PF_R | PF_W, memory, SIZE, SIZE);
	open_core(&core);
	ck_assert(has_gap(GAP_MEMORY, "wrote zeros for 2097152 bytes of 1 mapping"));
	ck_assert_int_eq(at(0x10000)->origin, SEGMENT_CORE);
	ck_assert_uint_eq(at(0x10000)->end, 0x10000 + 2 * BLOCK);
	ck_assert_int_eq(at(0x10000 + 2 * BLOCK)->origin, SEGMENT_ABSENT);
	ck_assert(at(0x10000 + 2 * BLOCK)->lost);
	end();
	begin();
	unlink(core.path);
	fake_core_end(&core);

	/* A kernel's core has no such zeros, only true ones. */
	core = (struct fake_core){ 0 };
	fake_core_thread_at(&core, 6, 0, 0x10000 + 3 * BLOCK + 0x800);
	fake_core_load(&core, 0x10000, PF_R | PF_W, memory, SIZE, SIZE);
	open_core(&core);
	ck_assert_uint_eq(gaps.list.count, 0);
	fake_core_end(&core);
	free(memory);
}
END_TEST

START_TEST(a_gcore_of_a_crash_keeps_its_signal)
{
	struct fake_core core = { 0 };
	fake_core_process(&core, 5, "app", "app");
	fake_core_thread(&core, 5, SIGSEGV);
	fake_core_siginfo(&core, SIGSEGV, 1, 0x8);
	fake_core_thread(&core, 6, SIGSEGV);
	fake_core_siginfo(&core, SIGSTOP, SI_TKILL, 1);
	open_core(&core);
	ck_assert(target->from_gcore);
	ck_assert_int_eq(target->signal.number, SIGSEGV);
	ck_assert_uint_eq(target->signal.address, 8);
	ck_assert_int_eq(target->threads.items[1].signal.number, 0);
	fake_core_end(&core);
}
END_TEST

START_TEST(a_truncated_core_says_what_is_missing)
{
	struct fake_core core = { 0 };
	fake_core_thread(&core, 5, SIGABRT);
	fake_core_load(&core, 0x10000, PF_R | PF_W, page, 0x1000, 0x1000);
	fake_core_load(&core, 0x20000, PF_R | PF_W, page, 0x1000, 0x2000);
	fake_core_load(&core, 0x30000, PF_R | PF_X, page, 0x1000, 0x1000);
	fake_core_build(&core);
	uint64_t whole = core.file.count;
	core.file.count -= 0x1800;
	open_core(&core);
	ck_assert(target->truncated);
	ck_assert_uint_eq(target->expected_size, whole);
	ck_assert_uint_eq(target->file_size, whole - 0x1800);
	ck_assert(has_gap(GAP_MEMORY, "6144 bytes of 2 memory segments are missing"));
	ck_assert_uint_eq(target->threads.count, 1);
	ck_assert_int_eq(at(0x207ff)->origin, SEGMENT_CORE);
	ck_assert_int_eq(at(0x20800)->origin, SEGMENT_ABSENT);
	ck_assert(at(0x20800)->lost);
	ck_assert(!at(0x21000)->lost);
	ck_assert(!at(0x30000)->lost);
	uint8_t byte;
	struct error *error = address_space_read(target->space, 0x20800, &byte, 1);
	ck_assert_ptr_nonnull(strstr(error->message, "the core has lost it"));
	error_free(error);
	fake_core_end(&core);
}
END_TEST

START_TEST(a_core_cut_off_in_its_headers_gives_the_rest)
{
	struct fake_core core = { 0 };
	fake_core_thread(&core, 5, SIGABRT);
	fake_core_load(&core, 0x10000, PF_R | PF_W, page, 0x1000, 0x1000);
	fake_core_load(&core, 0x20000, PF_R | PF_W, page, 0x1000, 0x2000);
	fake_core_build(&core);
	core.file.count = header_field(2, 8);
	open_core(&core);
	ck_assert(has_gap(GAP_MEMORY, "2 of 3 could be read"));
	ck_assert(has_gap(GAP_THREAD, "notes are cut off"));
	ck_assert(target->truncated);
	ck_assert_ptr_nonnull(at(0x10000));
	ck_assert_ptr_null(at(0x20000));
	fake_core_end(&core);
}
END_TEST

START_TEST(more_headers_than_sixteen_bits_count)
{
	enum { COUNT = 70000 };
	struct fake_core core = { .extended_numbering = true };
	fake_core_thread(&core, 5, SIGABRT);
	for (uint64_t i = COUNT; i-- > 0;)
		fake_core_load(&core, 0x10000 + i * 0x2000, PF_R, page, 8, 0x1000);
	open_core(&core);
	size_t count;
	const struct segment *segments = address_space_segments(target->space, &count);
	ck_assert_uint_eq(count, 2 * COUNT);
	ck_assert_uint_eq(segments[0].start, 0x10000);
	ck_assert_uint_eq(gaps.list.count, 0);
	ck_assert_int_eq(at(0x10000 + (COUNT - 1) * 0x2000)->origin, SEGMENT_CORE);
	end();
	begin();
	/* Without the section header, which stands at the end, the first note tells. */
	unlink(core.path);
	core.file.count -= sizeof(Elf64_Shdr) + 4;
	open_core(&core);
	address_space_segments(target->space, &count);
	ck_assert_uint_eq(count, 2 * COUNT + 1);
	ck_assert(target->truncated);
	fake_core_end(&core);
}
END_TEST

START_TEST(many_threads_open_quickly)
{
	struct fake_core core = { 0 };
	for (int32_t tid = 1; tid <= 10000; tid++)
		fake_core_thread(&core, tid, SIGABRT);
	open_core(&core);
	ck_assert_uint_eq(target->threads.count, 10000);
	ck_assert_int_eq(target->threads.items[9999].tid, 10000);
	fake_core_end(&core);
}
END_TEST

START_TEST(overlapping_headers_neither_hide_bytes_nor_multiply)
{
	enum { COUNT = 2000 };
	static uint64_t rows[COUNT][3];
	char paths[COUNT * 2];
	for (unsigned i = 0; i < COUNT; i++) {
		rows[i][0] = 0x100000 + i * 0x1000;
		rows[i][1] = rows[i][0] + 0x1000;
		memcpy(paths + 2 * i, "f", 2);
	}
	struct fake_core core = { 0 };
	fake_core_files(&core, COUNT, (const uint64_t(*)[3])rows, paths, sizeof paths);
	for (int i = 0; i < COUNT; i++)
		fake_core_load(&core, 0x100000, PF_R, NULL, 0, COUNT * 0x1000);
	fake_core_load(&core, 0x100800, PF_R, "bytes", 5, 5);
	open_core(&core);
	size_t count;
	address_space_segments(target->space, &count);
	ck_assert_uint_le(count, 2 * COUNT);
	char text[8];
	ck_assert(address_space_string(target->space, 0x100800, text, sizeof text));
	ck_assert_str_eq(text, "bytes");
	ck_assert(has_gap(GAP_MODULE, "overlap"));
	fake_core_end(&core);
}
END_TEST

/* Writes the file again, with holes where it has pages of zeros. */
static void make_sparse(const struct fake_core *core)
{
	static const uint8_t zeros[0x1000];
	ck_assert_int_eq(truncate(core->path, 0), 0);
	ck_assert_int_eq(truncate(core->path, (off_t)core->file.count), 0);
	FILE *file = fopen(core->path, "r+");
	for (size_t at = 0; at < core->file.count; at += sizeof zeros) {
		size_t size =
		    core->file.count - at < sizeof zeros ? core->file.count - at : sizeof zeros;
		if (memcmp(core->file.items + at, zeros, size) == 0)
			continue;
		ck_assert_int_eq(fseek(file, (long)at, SEEK_SET), 0);
		ck_assert_uint_eq(fwrite(core->file.items + at, 1, size, file), size);
	}
	ck_assert_int_eq(fclose(file), 0);
}

START_TEST(holes_read_as_the_zeros_that_they_are)
{
	enum { SIZE = 0x900000, FIRST = 0x123456, SECOND = 0x789abc };
	uint8_t *memory = calloc(1, SIZE);
	memory[FIRST] = 1;
	memory[SECOND] = 2;
	struct fake_core core = { 0 };
	fake_core_thread(&core, 5, SIGABRT);
	fake_core_load(&core, 0x10000, PF_R | PF_W, memory, SIZE, SIZE);
	fake_core_load(&core, 0x10000 + SIZE, PF_R, page, sizeof page, sizeof page);
	fake_core_write(&core);
	make_sparse(&core);
	ck_assert_ptr_null(target_open_core(core.path, NULL, &gaps, &target));
	const uint8_t *span;
	ck_assert_uint_eq(address_space_span(target->space, 0x10000, UINT64_MAX, &span),
			  SIZE + sizeof page);
	ck_assert_mem_eq(span, memory, SIZE);
	ck_assert_mem_eq(span + SIZE, page, sizeof page);
	ck_assert(!target->truncated);
	fake_core_end(&core);
	free(memory);
}
END_TEST

START_TEST(contradicting_headers_are_passed_over)
{
	struct fake_core core = { 0 };
	fake_core_thread(&core, 5, SIGABRT);
	fake_core_load(&core, 0x10000, PF_R, page, 0x1000, 0x1000);
	fake_core_load(&core, 0x20000, PF_R, page, 0x1000, 0x800);
	fake_core_load(&core, UINT64_MAX - 0x800, PF_R, page, 0x1000, 0x1000);
	fake_core_load(&core, 0x30000, PF_R, page, 0x1000, 0x1000);
	patch(&core, header_field(4, offsetof(Elf64_Phdr, p_offset)), UINT64_MAX - 16, 8);
	open_core(&core);
	ck_assert(has_gap(GAP_MEMORY, "3 of the core's program headers contradict themselves"));
	ck_assert(!target->truncated);
	size_t count;
	address_space_segments(target->space, &count);
	ck_assert_uint_eq(count, 1);
	fake_core_end(&core);
}
END_TEST

START_TEST(damaged_notes_do_not_hide_those_before)
{
	struct fake_core core = { 0 };
	fake_core_thread(&core, 5, SIGABRT);
	fake_core_note(&core, "CORE", NT_PRSTATUS, page, 100);
	fake_core_note(&core, "CORE", NT_SIGINFO, page, 3);
	fake_core_note(&core, "CORE", NT_PRPSINFO, page, 3);
	fake_core_note(&core, "CORE", NT_FILE, page, 3);
	fake_core_thread(&core, 6, SIGABRT);
	size_t last = core.notes.count;
	fake_core_thread(&core, 7, SIGABRT);
	memset(core.notes.items + last, 0xff, 8);
	open_core(&core);
	ck_assert_uint_eq(target->threads.count, 2);
	ck_assert_int_eq(target->threads.items[1].tid, 6);
	ck_assert_int_eq(target->signal.number, SIGABRT);
	ck_assert(!target->signal.has_details);
	ck_assert(has_gap(GAP_THREAD, "NT_PRSTATUS"));
	ck_assert(has_gap(GAP_THREAD, "NT_SIGINFO"));
	ck_assert(has_gap(GAP_THREAD, "NT_PRPSINFO"));
	ck_assert(has_gap(GAP_MODULE, "NT_FILE"));
	ck_assert(has_gap(GAP_THREAD, "notes are damaged at byte"));
	fake_core_end(&core);
}
END_TEST

START_TEST(a_wrong_file_list_is_read_as_far_as_it_goes)
{
	static const uint64_t rows[][3] = { { 0x1000, 0x2000, 0 },
					    { 0x3000, 0x4000, 0 },
					    { 0x6000, 0x5000, 0 } };
	struct fake_core core = { 0 };
	fake_core_thread(&core, 5, SIGABRT);
	fake_core_files(&core, 3, rows, "/a\0/b\0/c", 9);
	open_core(&core);
	ck_assert(has_gap(GAP_MODULE, "2 of its rows"));
	ck_assert_str_eq(at(0x3000)->name, "/b");
	ck_assert_ptr_null(at(0x5000));
	end();
	begin();
	fake_core_end(&core);

	/* A count that the note cannot hold, and a path without its end. */
	uint64_t head[2 + 3 + 1] = { UINT64_MAX, 4096, 0x1000, 0x2000, 0, 0x6161616161616161 };
	core = (struct fake_core){ 0 };
	fake_core_thread(&core, 5, SIGABRT);
	fake_core_note(&core, "CORE", NT_FILE, head, sizeof head);
	open_core(&core);
	ck_assert(has_gap(GAP_MODULE, "0 of its rows"));
	ck_assert_ptr_null(at(0x1000));
	fake_core_end(&core);
}
END_TEST

START_TEST(a_core_without_notes_still_has_memory)
{
	struct fake_core core = { .no_notes = true };
	fake_core_load(&core, 0x10000, PF_R, page, 0x1000, 0x1000);
	open_core(&core);
	ck_assert(has_gap(GAP_THREAD, "the core has no notes"));
	ck_assert_ptr_nonnull(at(0x10000));
	ck_assert_ptr_null(target->exe);
	fake_core_end(&core);
}
END_TEST

START_TEST(without_a_file_list_the_stack_names_the_executable)
{
	static const uint64_t auxv[] = { AT_EXECFN, 0x90001 };
	struct fake_core core = { 0 };
	fake_core_thread(&core, 5, SIGABRT);
	fake_core_auxv(&core, auxv, 1);
	fake_core_load(&core, 0x90000, PF_R | PF_W, "\0./app", 7, 0x1000);
	open_core(&core);
	ck_assert_str_eq(target->exe, "./app");
	ck_assert_str_eq(at(0x90000)->name, "[stack]");
	fake_core_end(&core);
}
END_TEST

START_TEST(what_is_no_core_is_refused_with_a_reason)
{
	refuse_path("/nonexistent/core", ERROR_NOT_FOUND, "no such file");
	refuse_path("/tmp", ERROR_BAD_DATA, "a directory");
	refuse_path("/dev/null", ERROR_BAD_DATA, "not a regular file");
	refuse_path("/proc/self/exe", ERROR_BAD_DATA, "not a core: give the core");

	char fifo[] = "/tmp/corescan-unit-XXXXXX";
	ck_assert_ptr_nonnull(mkdtemp(fifo));
	char path[sizeof fifo + 8];
	snprintf(path, sizeof path, "%s/fifo", fifo);
	ck_assert_int_eq(mkfifo(path, 0600), 0);
	refuse_path(path, ERROR_BAD_DATA, "not a regular file");
	unlink(path);
	rmdir(fifo);
}
END_TEST

static void refuse_bytes(const char *bytes, size_t size, enum error_code code, const char *why)
{
	struct fake_core core = { 0 };
	fake_core_build(&core);
	memset(core.file.items, 0, core.file.count);
	memcpy(core.file.items, bytes, size);
	core.file.count = size;
	refuse(&core, code, why);
}

START_TEST(other_formats_are_told_by_name)
{
	refuse_bytes("", 0, ERROR_BAD_DATA, "empty");
	refuse_bytes("hello, world", 12, ERROR_BAD_DATA, "not an ELF file");
	refuse_bytes("\177ELF\2\1\1", 7, ERROR_BAD_DATA, "cut off within its ELF header");
	refuse_bytes("\x28\xb5\x2f\xfd....", 8, ERROR_BAD_DATA, "cannot be unpacked");
	refuse_bytes("\x04\x22\x4d\x18....", 8, ERROR_BAD_DATA, "cannot be unpacked");
	refuse_bytes("\xfd"
		     "7zXZ\0..",
		     8, ERROR_BAD_DATA, "cannot be unpacked");
	refuse_bytes("\x1f\x8b......", 8, ERROR_BAD_DATA, "cannot be unpacked");
	refuse_bytes("BZh9....", 8, ERROR_BAD_DATA, "cannot be unpacked");
}
END_TEST

static void refuse_patched(size_t offset, uint64_t value, size_t size, enum error_code code,
			   const char *why)
{
	struct fake_core core = { 0 };
	linux_core(&core);
	patch(&core, offset, value, size);
	refuse(&core, code, why);
}

START_TEST(other_architectures_and_damaged_headers_are_refused)
{
	refuse_patched(offsetof(Elf64_Ehdr, e_machine), EM_AARCH64, 2, ERROR_UNSUPPORTED,
		       "64-bit AArch64");
	refuse_patched(EI_CLASS, ELFCLASS32, 1, ERROR_UNSUPPORTED, "32-bit");
	refuse_patched(EI_CLASS, 9, 1, ERROR_UNSUPPORTED, "x86-64 programs only");
	refuse_patched(offsetof(Elf64_Ehdr, e_type), ET_REL, 2, ERROR_BAD_DATA, "object file");
	refuse_patched(offsetof(Elf64_Ehdr, e_type), 99, 2, ERROR_BAD_DATA, "type 99");
	refuse_patched(offsetof(Elf64_Ehdr, e_phentsize), 32, 2, ERROR_BAD_DATA, "32 bytes each");
	refuse_patched(offsetof(Elf64_Ehdr, e_phnum), 0, 2, ERROR_BAD_DATA, "program headers");
	refuse_patched(offsetof(Elf64_Ehdr, e_phoff), UINT64_MAX - 3, 8, ERROR_BAD_DATA,
		       "past its end");
	struct fake_core core = { 0 };
	linux_core(&core);
	patch(&core, EI_DATA, ELFDATA2MSB, 1);
	patch(&core, offsetof(Elf64_Ehdr, e_type), 0x0400, 2);
	patch(&core, offsetof(Elf64_Ehdr, e_machine), 0x1500, 2);
	refuse(&core, ERROR_UNSUPPORTED, "64-bit big-endian PowerPC64");
	core = (struct fake_core){ .no_notes = true };
	fake_core_load(&core, 0x1000, PF_R, NULL, 0, 0);
	refuse(&core, ERROR_BAD_DATA, "neither memory nor threads");
}
END_TEST

/* A core of /bin/sleep that this kernel wrote, or false where it writes none here. */
static bool real_core(fake_core_bytes *bytes)
{
	char directory[] = "/tmp/corescan-unit-XXXXXX", name[64];
	ck_assert_ptr_nonnull(mkdtemp(directory));
	pid_t child = fork();
	if (child == 0) {
		struct rlimit limit = { RLIM_INFINITY, RLIM_INFINITY };
		if (chdir(directory) != 0 || setrlimit(RLIMIT_CORE, &limit) != 0)
			_exit(1);
		execl("/bin/sleep", "sleep", "60", NULL);
		_exit(1);
	}
	usleep(200000);
	kill(child, SIGABRT);
	int status;
	waitpid(child, &status, 0);
	FILE *file = NULL;
	for (int with_pid = 0; with_pid < 2 && file == NULL; with_pid++) {
		snprintf(name, sizeof name, with_pid ? "%s/core.%d" : "%s/core", directory, child);
		file = fopen(name, "r");
	}
	if (file != NULL) {
		unlink(name);
		ck_assert(array_reserve(bytes, 1 << 20));
		bytes->count = fread(bytes->items, 1, 1 << 20, file);
		fclose(file);
	}
	rmdir(directory);
	return file != NULL && bytes->count > 0;
}

static uint64_t random_state = 88172645463325252u;

static uint64_t random_number(uint64_t below)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state % below;
}

/* Some numbers are worse than others. */
static void mutate(uint8_t *bytes, uint64_t size)
{
	static const uint64_t bad[] = { 0,	 1,	     0x7f,	 0xff,	     0xffff,
					0x10000, UINT32_MAX, UINT64_MAX, 1ULL << 63, 0x1000 };
	uint64_t value = random_number(2) ? bad[random_number(sizeof bad / sizeof *bad)]
					  : random_number(UINT64_MAX);
	size_t width = (size_t)1 << random_number(4);
	uint64_t offset = random_number(size - width);
	if (random_number(4) != 0)
		offset &= ~(uint64_t)(width - 1);
	memcpy(bytes + offset, &value, width);
}

static void use_all_of_it(void)
{
	size_t count;
	const struct segment *segments = address_space_segments(target->space, &count);
	volatile uint8_t sink = 0;
	for (size_t i = 0; i < count; i++) {
		const uint8_t *span;
		size_t size = address_space_span(target->space, segments[i].start,
						 segments[i].end - segments[i].start, &span);
		if (size > 0)
			sink += span[0] + span[size - 1];
		ck_assert_uint_lt(segments[i].start, segments[i].end);
		ck_assert(i == 0 || segments[i - 1].end <= segments[i].start);
	}
	for (size_t i = 0; i < target->threads.count; i++) {
		const struct registers *registers = &target->threads.items[i].registers;
		if (registers->extended_size > 0)
			sink += registers->extended[registers->extended_size - 1];
	}
	(void)sink;
}

static void open_mutated(const fake_core_bytes *original, int rounds)
{
	struct fake_core core = { 0 };
	ck_assert(array_reserve(&core.file, original->count));
	core.file.count = original->count;
	int opened = 0;
	fake_core_write(&core);
	FILE *file = fopen(core.path, "r+");
	setbuf(file, NULL);
	/* Headers and notes of a small core are within its first pages. */
	uint64_t head = original->count < 0x3000 ? original->count : 0x3000;
	for (int round = 0; round < rounds; round++) {
		memcpy(core.file.items, original->items, original->count);
		for (uint64_t i = random_number(4) + 1; i > 0; i--)
			mutate(core.file.items, random_number(3) ? 0x800 : head);
		uint64_t size =
		    random_number(4) ? original->count : random_number(original->count + 1);
		rewind(file);
		ck_assert_uint_eq(fwrite(core.file.items, 1, round ? head : original->count, file),
				  round ? head : original->count);
		ck_assert_int_eq(ftruncate(fileno(file), (off_t)size), 0);
		begin();
		struct error *error = target_open_core(core.path, NULL, &gaps, &target);
		if (error == NULL) {
			opened++;
			use_all_of_it();
		}
		error_free(error);
		end();
		if (size < original->count) {
			rewind(file);
			fwrite(original->items, 1, original->count, file);
		}
	}
	fclose(file);
	ck_assert_int_gt(opened, rounds / 4);
	fake_core_end(&core);
	begin();
}

START_TEST(mutated_cores_are_read_or_refused)
{
	struct fake_core core = { 0 };
	linux_core(&core);
	fake_core_build(&core);
	open_mutated(&core.file, 3000);
	fake_core_end(&core);
	static const uint8_t zeros[0x3000];
	core = (struct fake_core){ 0 };
	fake_core_process(&core, 5, "app", "app");
	fake_core_thread_at(&core, 5, 0, 0x11000);
	fake_core_thread_at(&core, 6, 0, 0x21000);
	fake_core_load(&core, 0x10000, PF_R | PF_W, zeros, sizeof zeros, sizeof zeros);
	fake_core_load(&core, 0x20000, PF_R | PF_W, page, sizeof page, sizeof zeros);
	fake_core_build(&core);
	open_mutated(&core.file, 1000);
	fake_core_end(&core);
	fake_core_bytes real = { 0 };
	if (real_core(&real))
		open_mutated(&real, 3000);
	array_free(&real);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("core file");
	TCase *all = tcase_create("all");
	tcase_add_checked_fixture(all, begin, end);
	tcase_set_timeout(all, 60);
	tcase_add_test(all, a_kernel_core_tells_of_the_process);
	tcase_add_test(all, segments_have_names_and_what_was_not_dumped_is_absent);
	tcase_add_test(all, a_signal_from_outside_names_its_sender);
	tcase_add_test(all, nothing_died_in_a_gcore);
	tcase_add_test(all, a_note_of_gdb_tells_a_gcore_whatever_its_order);
	tcase_add_test(all, what_gdb_left_as_zeros_is_missing);
	tcase_add_test(all, a_gcore_of_a_crash_keeps_its_signal);
	tcase_add_test(all, a_truncated_core_says_what_is_missing);
	tcase_add_test(all, a_core_cut_off_in_its_headers_gives_the_rest);
	tcase_add_test(all, more_headers_than_sixteen_bits_count);
	tcase_add_test(all, many_threads_open_quickly);
	tcase_add_test(all, overlapping_headers_neither_hide_bytes_nor_multiply);
	tcase_add_test(all, holes_read_as_the_zeros_that_they_are);
	tcase_add_test(all, contradicting_headers_are_passed_over);
	tcase_add_test(all, damaged_notes_do_not_hide_those_before);
	tcase_add_test(all, a_wrong_file_list_is_read_as_far_as_it_goes);
	tcase_add_test(all, a_core_without_notes_still_has_memory);
	tcase_add_test(all, without_a_file_list_the_stack_names_the_executable);
	tcase_add_test(all, what_is_no_core_is_refused_with_a_reason);
	tcase_add_test(all, other_formats_are_told_by_name);
	tcase_add_test(all, other_architectures_and_damaged_headers_are_refused);
	tcase_add_test(all, mutated_cores_are_read_or_refused);
	suite_add_tcase(suite, all);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
