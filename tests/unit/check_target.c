/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "fake_target.h"

#include <check.h>
#include <elf.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

static void seal(struct address_space *space)
{
	ck_assert_ptr_null(address_space_seal(space));
}

static void add(struct address_space *space, uint64_t start, uint64_t end,
		enum segment_origin origin, const uint8_t *bytes, const char *name)
{
	struct segment segment = {
		.start = start, .end = end, .origin = origin, .bytes = bytes, .name = name
	};
	ck_assert_ptr_null(address_space_add(space, &segment));
}

START_TEST(segments_come_sorted_whatever_their_order)
{
	struct address_space *space = address_space_new(NULL, NULL);
	uint8_t bytes[0x300] = { 0 };
	add(space, 0x3000, 0x3100, SEGMENT_CORE, bytes + 0x200, "c");
	add(space, 0x1000, 0x1100, SEGMENT_CORE, bytes, "a");
	add(space, 0x2000, 0x2000, SEGMENT_CORE, bytes, "empty");
	add(space, 0x2000, 0x2100, SEGMENT_CORE, bytes + 0x100, "b");
	seal(space);
	size_t count;
	const struct segment *segments = address_space_segments(space, &count);
	ck_assert_uint_eq(count, 3);
	ck_assert_str_eq(segments[0].name, "a");
	ck_assert_str_eq(segments[2].name, "c");
	ck_assert_ptr_eq(address_space_find(space, 0x20ff), &segments[1]);
	ck_assert_ptr_null(address_space_find(space, 0x2100));
	ck_assert_ptr_null(address_space_find(space, 0));
	ck_assert_ptr_null(address_space_find(space, UINT64_MAX));
	address_space_free(space);
}
END_TEST

START_TEST(where_segments_overlap_bytes_win_then_the_first)
{
	struct address_space *space = address_space_new(NULL, NULL);
	uint8_t first[0x100], second[0x100];
	memset(first, 1, sizeof first);
	memset(second, 2, sizeof second);
	add(space, 0x1000, 0x2000, SEGMENT_ABSENT, NULL, "/lib");
	add(space, 0x1100, 0x1200, SEGMENT_CORE, first, NULL);
	add(space, 0x1180, 0x1280, SEGMENT_CORE, second, NULL);
	seal(space);
	size_t count;
	const struct segment *segments = address_space_segments(space, &count);
	ck_assert_uint_eq(count, 4);
	ck_assert_uint_eq(segments[1].end, 0x1200);
	ck_assert_uint_eq(segments[2].end, 0x1280);
	ck_assert_uint_eq(segments[3].file_offset, 0x280);
	ck_assert_str_eq(segments[3].name, "/lib");
	uint8_t seen[3];
	ck_assert(address_space_probe(space, 0x11ff, seen, 2));
	ck_assert_uint_eq(seen[0], 1);
	ck_assert_uint_eq(seen[1], 2);
	ck_assert(!address_space_probe(space, 0x127e, seen, 3));
	address_space_free(space);
}
END_TEST

START_TEST(a_segment_that_ends_before_it_starts_is_refused)
{
	struct address_space *space = address_space_new(NULL, NULL);
	struct error *error =
	    address_space_add(space, &(struct segment){ .start = 0x2000, .end = 0x1000 });
	ck_assert_ptr_nonnull(error);
	ck_assert_int_eq(error->code, ERROR_BAD_DATA);
	error_free(error);
	address_space_free(space);
}
END_TEST

START_TEST(spans_join_what_is_adjacent_in_both_memories)
{
	struct address_space *space = address_space_new(NULL, NULL);
	uint8_t bytes[0x300] = { 0 };
	add(space, 0x1000, 0x1100, SEGMENT_CORE, bytes, NULL);
	add(space, 0x1100, 0x1200, SEGMENT_CORE, bytes + 0x100, "x");
	add(space, 0x1200, 0x1240, SEGMENT_CORE, bytes + 0x240, NULL);
	seal(space);
	const uint8_t *span;
	ck_assert_uint_eq(address_space_span(space, 0x1010, 0x1000, &span), 0x1f0);
	ck_assert_ptr_eq(span, bytes + 0x10);
	ck_assert_uint_eq(address_space_span(space, 0x1010, 0x20, &span), 0x20);
	ck_assert_uint_eq(address_space_span(space, 0x1200, 0x1000, &span), 0x40);
	ck_assert_uint_eq(address_space_span(space, 0x1240, 1, &span), 0);
	address_space_free(space);
}
END_TEST

START_TEST(absent_memory_is_a_fault_that_names_its_first_address)
{
	struct target *target = fake_target_new();
	fake_target_map(target, 0x1000, 0x1000, "rw-p", NULL);
	fake_target_absent(target, 0x2000, 0x1000, "r-xp", "/lib");
	fake_target_put64(target, 0x1ff8, 0x1122334455667788);
	fake_target_seal(target);
	uint64_t value = 7;
	uint32_t half;
	ck_assert(address_space_u64(target->space, 0x1ff8, &value));
	ck_assert_uint_eq(value, 0x1122334455667788);
	ck_assert(address_space_u32(target->space, 0x1ff9, &half));
	ck_assert_uint_eq(half, 0x44556677);
	uint8_t buffer[16] = { 9 };
	struct error *error = address_space_read(target->space, 0x1ff8, buffer, 16);
	ck_assert_ptr_nonnull(error);
	ck_assert_int_eq(error->code, ERROR_FAULT);
	ck_assert_uint_eq(error->address, 0x2000);
	ck_assert_uint_eq(buffer[0], 9);
	ck_assert_ptr_nonnull(strstr(error->message, "not in the core"));
	error_free(error);
	address_space_set_big_endian(target->space, true);
	ck_assert(address_space_u32(target->space, 0x1ff8, &half));
	ck_assert_uint_eq(half, 0x88776655);
	target_close(target);
}
END_TEST

START_TEST(reads_go_across_pieces_that_lie_apart)
{
	struct target *target = fake_target_new();
	fake_target_map(target, 0x1000, 0x1000, "rw-p", NULL);
	fake_target_map(target, 0x2000, 0x1000, "r--p", "/file");
	fake_target_put(target, 0x1ffe, "ab", 2);
	fake_target_put(target, 0x2000, "cd", 2);
	fake_target_seal(target);
	char text[5] = "";
	ck_assert_ptr_null(address_space_read(target->space, 0x1ffe, text, 4));
	ck_assert_str_eq(text, "abcd");
	uint32_t value;
	uint64_t word = 7;
	ck_assert(address_space_u32(target->space, 0x1ffe, &value));
	ck_assert_uint_eq(value, 0x64636261);
	ck_assert(!address_space_u32(target->space, 0x2ffe, &value));
	ck_assert(!address_space_u64(target->space, 0x2ffe, &word));
	ck_assert_uint_eq(word, 7);
	ck_assert(!address_space_u64(target->space, UINT64_MAX - 3, &word));
	ck_assert(!address_space_string(target->space, 0x1000, text, 0));
	struct error *error = address_space_read(target->space, 0x2ffe, text, 4);
	ck_assert_uint_eq(error->address, 0x3000);
	ck_assert_ptr_nonnull(strstr(error->message, "nothing is mapped"));
	error_free(error);
	ck_assert_uint_eq(address_space_preload(target->space, 0x1800, 0x2800), 0x1000);
	target_close(target);
}
END_TEST

START_TEST(strings_are_cut_at_the_buffer_and_at_unmapped_memory)
{
	struct target *target = fake_target_new();
	fake_target_map(target, 0x1000, 0x10, "rw-p", NULL);
	fake_target_put(target, 0x1000, "abc\0defgh0123456", 16);
	fake_target_seal(target);
	char text[8];
	ck_assert(address_space_string(target->space, 0x1000, text, sizeof text));
	ck_assert_str_eq(text, "abc");
	ck_assert(address_space_string(target->space, 0x1004, text, sizeof text));
	ck_assert_str_eq(text, "defgh01");
	ck_assert(address_space_string(target->space, 0x100d, text, sizeof text));
	ck_assert_str_eq(text, "456");
	ck_assert(!address_space_string(target->space, 0x1010, text, sizeof text));
	target_close(target);
}
END_TEST

START_TEST(a_file_backs_only_what_is_absent)
{
	struct address_space *space = address_space_new(NULL, NULL);
	uint8_t core[0x100], file[0x400];
	memset(core, 1, sizeof core);
	memset(file, 2, sizeof file);
	file[0x350] = 3;
	add(space, 0x1100, 0x1200, SEGMENT_CORE, core, "/lib");
	add(space, 0x1200, 0x1300, SEGMENT_ABSENT, NULL, "/lib");
	struct segment lost = {
		.start = 0x1300, .end = 0x1340, .origin = SEGMENT_ABSENT, .lost = true
	};
	ck_assert_ptr_null(address_space_add(space, &lost));
	seal(space);
	ck_assert_ptr_null(address_space_back(space, 0x1000, 0x400, file, "/usr/lib", 0x5000,
					      SEGMENT_READ | SEGMENT_EXECUTE));
	size_t count;
	const struct segment *segments = address_space_segments(space, &count);
	ck_assert_uint_eq(count, 5);
	ck_assert_int_eq(segments[0].origin, SEGMENT_FILE);
	ck_assert_str_eq(segments[0].name, "/usr/lib");
	ck_assert_uint_eq(segments[0].file_offset, 0x5000);
	ck_assert_int_eq(segments[1].origin, SEGMENT_CORE);
	ck_assert_int_eq(segments[2].origin, SEGMENT_FILE);
	ck_assert_str_eq(segments[2].name, "/lib");
	ck_assert_int_eq(segments[3].origin, SEGMENT_ABSENT);
	ck_assert_uint_eq(segments[4].file_offset, 0x5340);
	ck_assert_ptr_null(address_space_back(space, 0x1150, 0x10, file, "/x", 0, SEGMENT_READ));
	address_space_segments(space, &count);
	ck_assert_uint_eq(count, 5); /* what was dumped is not split */
	uint8_t seen;
	ck_assert(address_space_probe(space, 0x1350, &seen, 1));
	ck_assert_uint_eq(seen, 3);
	ck_assert(address_space_probe(space, 0x1150, &seen, 1));
	ck_assert_uint_eq(seen, 1);
	ck_assert(!address_space_probe(space, 0x1310, &seen, 1));
	ck_assert_ptr_null(
	    address_space_back(space, 0x1230, 0x10, file, "/again", 0, SEGMENT_READ));
	segments = address_space_segments(space, &count);
	ck_assert_uint_le(count, 7);
	ck_assert_ptr_eq(segments[2].bytes, file + 0x200);
	struct error *error =
	    address_space_back(space, UINT64_MAX - 8, 0x10, file, "/wrap", 0, SEGMENT_READ);
	ck_assert_ptr_nonnull(error);
	error_free(error);
	address_space_free(space);
}
END_TEST

START_TEST(many_overlapping_segments_are_flattened)
{
	struct address_space *space = address_space_new(NULL, NULL);
	static uint8_t bytes[0x10000];
	for (unsigned i = 0; i < 20000; i++)
		add(space, 0x10000 + i, 0x10000 + i + 0x8000, SEGMENT_CORE, bytes, NULL);
	seal(space);
	size_t count;
	const struct segment *segments = address_space_segments(space, &count);
	for (size_t i = 1; i < count; i++)
		ck_assert_uint_le(segments[i - 1].end, segments[i].start);
	ck_assert_uint_eq(segments[0].start, 0x10000);
	ck_assert_uint_eq(segments[count - 1].end, 0x10000 + 19999 + 0x8000);
	address_space_free(space);
}
END_TEST

/* --- the space against a model that keeps one row per byte */

enum { MODEL_SIZE = 256, MODEL_SEGMENTS = 12 };

struct model_byte {
	bool mapped, dumped, lost;
	uint8_t value;
};

static unsigned next_random(unsigned *state, unsigned below)
{
	*state = *state * 1103515245u + 12345u;
	return (*state >> 16) % below;
}

static void model_add(struct model_byte *model, const struct segment *segment)
{
	for (uint64_t at = segment->start; at < segment->end; at++) {
		bool dumped = segment->bytes != NULL;
		if (model[at].mapped && (model[at].dumped || !dumped))
			continue;
		model[at] = (struct model_byte){
			.mapped = true,
			.dumped = dumped,
			.lost = segment->lost,
			.value = dumped ? segment->bytes[at - segment->start] : 0,
		};
	}
}

static void model_back(struct model_byte *model, uint64_t start, uint64_t size,
		       const uint8_t *bytes)
{
	for (uint64_t i = 0; i < size; i++)
		if (!model[start + i].dumped && !model[start + i].lost)
			model[start + i] = (struct model_byte){ true, true, false, bytes[i] };
}

static bool byte_agrees(struct address_space *space, const struct model_byte *model, uint64_t at)
{
	uint8_t value = 0;
	return (address_space_find(space, at) != NULL) == model[at].mapped &&
	       address_space_probe(space, at, &value, 1) == model[at].dumped &&
	       (!model[at].dumped || value == model[at].value);
}

static bool range_agrees(struct address_space *space, const struct model_byte *model, uint64_t at)
{
	uint8_t bytes[64];
	bool there = at + sizeof bytes <= MODEL_SIZE, same = true;
	for (uint64_t i = 0; there && i < sizeof bytes; i++)
		there = model[at + i].dumped;
	if (address_space_probe(space, at, bytes, sizeof bytes) != there)
		return false;
	for (uint64_t i = 0; there && i < sizeof bytes; i++)
		same = same && bytes[i] == model[at + i].value;
	return same;
}

/* One check for all bytes: Check takes its time over each. */
static void compare_with_model(struct address_space *space, const struct model_byte *model)
{
	bool agrees = true;
	for (uint64_t at = 0; at < MODEL_SIZE; at++)
		agrees = agrees && byte_agrees(space, model, at) && range_agrees(space, model, at);
	size_t count;
	const struct segment *segments = address_space_segments(space, &count);
	for (size_t i = 1; i < count; i++)
		agrees = agrees && segments[i - 1].end <= segments[i].start;
	ck_assert(agrees);
}

static void try_random_space(unsigned state)
{
	static uint8_t bytes[2 * MODEL_SIZE];
	for (size_t i = 0; i < sizeof bytes; i++)
		bytes[i] = (uint8_t)(i * 7 + i / 256);
	struct model_byte model[MODEL_SIZE] = { 0 };
	struct address_space *space = address_space_new(NULL, NULL);
	for (int i = 0; i < MODEL_SEGMENTS; i++) {
		struct segment segment = { .start = next_random(&state, MODEL_SIZE) };
		segment.end = segment.start +
			      next_random(&state, (unsigned)(MODEL_SIZE - segment.start) / 3 + 1);
		segment.origin = next_random(&state, 2) ? SEGMENT_CORE : SEGMENT_ABSENT;
		if (segment.origin == SEGMENT_CORE)
			segment.bytes = bytes + next_random(&state, MODEL_SIZE);
		else
			segment.lost = next_random(&state, 4) == 0;
		ck_assert_ptr_null(address_space_add(space, &segment));
		model_add(model, &segment);
	}
	seal(space);
	compare_with_model(space, model);
	for (int i = 0; i < 6; i++) {
		uint64_t start = next_random(&state, MODEL_SIZE);
		uint64_t size = next_random(&state, (unsigned)(MODEL_SIZE - start) + 1);
		const uint8_t *from = bytes + next_random(&state, MODEL_SIZE);
		ck_assert_ptr_null(
		    address_space_back(space, start, size, from, "/lib", 0, SEGMENT_READ));
		model_back(model, start, size, from);
		compare_with_model(space, model);
	}
	address_space_free(space);
}

START_TEST(random_segments_and_files_agree_with_a_model)
{
	for (unsigned seed = 1; seed <= 300; seed++)
		try_random_space(seed);
}
END_TEST

/* A process's memory: byte n of it is n / 4096; the pages of `unreadable` fault. */
struct fake_process {
	uint64_t start, end;
	uint64_t unreadable[2];
	unsigned reads;
};

static size_t read_fake(void *context, uint64_t start, void *bytes, size_t size)
{
	struct fake_process *process = context;
	process->reads++;
	ck_assert(start >= process->start && start + size <= process->end);
	for (size_t i = 0; i < size; i++) {
		uint64_t address = start + i;
		for (int u = 0; u < 2; u++)
			if (address / 4096 == process->unreadable[u])
				return i;
		((uint8_t *)bytes)[i] = (uint8_t)(address / 4096);
	}
	return size;
}

#define LIVE_START 0x100000
#define LIVE_END   (LIVE_START + 0x50000)

static struct address_space *live_space(struct fake_process *process)
{
	process->start = LIVE_START;
	process->end = LIVE_END;
	struct address_space *space = address_space_new(read_fake, process);
	add(space, LIVE_START, LIVE_START + 0x3000, SEGMENT_LIVE, NULL, "a");
	add(space, LIVE_START + 0x3000, LIVE_END, SEGMENT_LIVE, NULL, "b");
	seal(space);
	return space;
}

START_TEST(live_memory_is_read_once_and_contiguous)
{
	struct fake_process process = { 0 };
	struct address_space *space = live_space(&process);
	ck_assert_uint_eq(process.reads, 0);
	const uint8_t *span, *again;
	ck_assert_uint_eq(address_space_span(space, LIVE_START + 0x2ff0, 0x1000, &span), 0x1000);
	ck_assert_uint_eq(process.reads, 1);
	ck_assert_uint_eq(span[0], (uint8_t)(LIVE_START / 4096 + 2));
	ck_assert_uint_eq(span[0x10], (uint8_t)(LIVE_START / 4096 + 3));
	ck_assert_uint_eq(address_space_span(space, LIVE_START, UINT64_MAX, &again),
			  LIVE_END - LIVE_START);
	ck_assert_ptr_eq(again + 0x2ff0, span);
	ck_assert_uint_eq(process.reads, 2);
	address_space_span(space, LIVE_START, UINT64_MAX, &again);
	ck_assert_uint_eq(process.reads, 2);
	address_space_free(space);
}
END_TEST

START_TEST(unreadable_live_pages_are_absent_one_by_one)
{
	struct fake_process process = { .unreadable = { LIVE_START / 4096 + 5,
							LIVE_START / 4096 + 0x4f } };
	struct address_space *space = live_space(&process);
	const uint8_t *span;
	ck_assert_uint_eq(address_space_span(space, LIVE_START, UINT64_MAX, &span), 0x5000);
	ck_assert_uint_eq(address_space_span(space, LIVE_START + 0x5800, 0x10, &span), 0);
	ck_assert_uint_eq(address_space_span(space, LIVE_START + 0x6000, UINT64_MAX, &span),
			  0x50000 - 0x7000);
	unsigned reads = process.reads;
	ck_assert_uint_eq(address_space_preload(space, 0, UINT64_MAX), 0x50000 - 0x2000);
	ck_assert_uint_eq(process.reads, reads);
	uint8_t byte;
	struct error *error = address_space_read(space, LIVE_START + 0x5000, &byte, 1);
	ck_assert_ptr_nonnull(error);
	ck_assert_uint_eq(error->address, LIVE_START + 0x5000);
	error_free(error);
	address_space_free(space);
}
END_TEST

START_TEST(what_is_too_large_to_mirror_is_absent_and_takes_nothing_with_it)
{
	struct fake_process process = { .start = LIVE_START, .end = LIVE_END };
	struct address_space *space = address_space_new(read_fake, &process);
	add(space, LIVE_START, LIVE_START + 0x3000, SEGMENT_LIVE, NULL, NULL);
	add(space, LIVE_START + 0x3000, UINT64_C(1) << 60, SEGMENT_LIVE, NULL, NULL);
	seal(space);
	uint8_t byte;
	ck_assert(address_space_probe(space, LIVE_START + 0x2fff, &byte, 1));
	ck_assert(!address_space_probe(space, LIVE_START + 0x3000, &byte, 1));
	ck_assert_int_eq(address_space_find(space, LIVE_START)->origin, SEGMENT_LIVE);
	ck_assert_int_eq(address_space_find(space, LIVE_START + 0x3000)->origin, SEGMENT_ABSENT);
	address_space_free(space);
}
END_TEST

START_TEST(a_frozen_space_keeps_what_it_has)
{
	struct fake_process process = { 0 };
	struct address_space *space = live_space(&process);
	ck_assert_uint_eq(address_space_preload(space, LIVE_START, LIVE_START + 0x1000), 0x1000);
	address_space_freeze(space);
	unsigned reads = process.reads;
	uint8_t byte;
	ck_assert(address_space_probe(space, LIVE_START, &byte, 1));
	ck_assert(!address_space_probe(space, LIVE_END - 1, &byte, 1));
	ck_assert_uint_eq(process.reads, reads);
	address_space_free(space);
}
END_TEST

static void *read_all(void *argument)
{
	struct address_space *space = argument;
	for (uint64_t address = LIVE_START; address < LIVE_END; address += 64) {
		uint64_t value;
		if (!address_space_u64(space, address, &value) ||
		    (uint8_t)value != (uint8_t)(address / 4096))
			return space;
	}
	return NULL;
}

START_TEST(several_threads_may_read_live_memory)
{
	struct fake_process process = { 0 };
	struct address_space *space = live_space(&process);
	pthread_t threads[4];
	for (int i = 0; i < 4; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, read_all, space), 0);
	for (int i = 0; i < 4; i++) {
		void *wrong;
		pthread_join(threads[i], &wrong);
		ck_assert_ptr_null(wrong);
	}
	ck_assert_uint_eq(process.reads, 5);
	address_space_free(space);
}
END_TEST

START_TEST(registers_are_found_by_their_row)
{
	struct target *target = fake_target_new();
	fake_target_thread(target, 11);
	fake_target_thread(target, 12);
	fake_target_set_register(target, 12, "rip", 0x401000);
	fake_target_set_register(target, 12, "fs_base", 0x7000);
	const struct registers *registers = &target->threads.items[1].registers;
	int64_t number;
	ck_assert_uint_eq(arch_pc(target->arch, registers), 0x401000);
	ck_assert_uint_eq(arch_thread_pointer(target->arch, registers), 0x7000);
	ck_assert(!arch_syscall(target->arch, registers, &number));
	fake_target_set_register(target, 12, "orig_rax", 202);
	fake_target_set_register(target, 12, "r9", 6);
	ck_assert(arch_syscall(target->arch, registers, &number));
	ck_assert_int_eq(number, 202);
	ck_assert_uint_eq(arch_syscall_argument(target->arch, registers, 5), 6);
	struct registers unread = { 0 };
	ck_assert(!arch_syscall(target->arch, &unread, &number));
	ck_assert_uint_eq(arch_pc(target->arch, &unread), 0);
	fake_target_seal(target);
	target_close(target);
}
END_TEST

START_TEST(architectures_without_a_row_have_a_name)
{
	char buffer[32];
	ck_assert_ptr_eq(arch_find(EM_X86_64, ELFCLASS64, ELFDATA2LSB), &arch_x86_64);
	ck_assert_ptr_null(arch_find(EM_X86_64, ELFCLASS32, ELFDATA2LSB));
	ck_assert_str_eq(arch_machine_name(EM_AARCH64, buffer, sizeof buffer), "AArch64");
	ck_assert_str_eq(arch_machine_name(0xfff0, buffer, sizeof buffer), "ELF machine 65520");
}
END_TEST

static void note_resume(struct target *target)
{
	target->paused_us++;
}

START_TEST(a_target_is_resumed_once)
{
	struct target *target = target_new_memory(&arch_x86_64);
	target->resume = note_resume;
	target_resume(target);
	target_resume(target);
	ck_assert_uint_eq(target->paused_us, 1);
	uint64_t value;
	ck_assert(!target_auxv(target, AT_PHDR, &value));
	fake_target_auxv(target, AT_PHDR, 64);
	ck_assert(target_auxv(target, AT_PHDR, &value));
	ck_assert_uint_eq(value, 64);
	target_close(target);
	target_close(NULL);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("target");
	TCase *space = tcase_create("address space");
	tcase_add_test(space, segments_come_sorted_whatever_their_order);
	tcase_add_test(space, where_segments_overlap_bytes_win_then_the_first);
	tcase_add_test(space, a_segment_that_ends_before_it_starts_is_refused);
	tcase_add_test(space, spans_join_what_is_adjacent_in_both_memories);
	tcase_add_test(space, absent_memory_is_a_fault_that_names_its_first_address);
	tcase_add_test(space, reads_go_across_pieces_that_lie_apart);
	tcase_add_test(space, strings_are_cut_at_the_buffer_and_at_unmapped_memory);
	tcase_add_test(space, a_file_backs_only_what_is_absent);
	tcase_add_test(space, many_overlapping_segments_are_flattened);
	tcase_add_test(space, random_segments_and_files_agree_with_a_model);
	tcase_add_test(space, live_memory_is_read_once_and_contiguous);
	tcase_add_test(space, unreadable_live_pages_are_absent_one_by_one);
	tcase_add_test(space, what_is_too_large_to_mirror_is_absent_and_takes_nothing_with_it);
	tcase_add_test(space, a_frozen_space_keeps_what_it_has);
	tcase_add_test(space, several_threads_may_read_live_memory);
	suite_add_tcase(suite, space);
	TCase *target = tcase_create("target");
	tcase_add_test(target, registers_are_found_by_their_row);
	tcase_add_test(target, architectures_without_a_row_have_a_name);
	tcase_add_test(target, a_target_is_resumed_once);
	suite_add_tcase(suite, target);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
