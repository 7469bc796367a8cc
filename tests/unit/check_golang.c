/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "analysis/goroutine_leaks.h"
#include "fake_target.h"
#include "golang/goroutines.h"
#include "golang/mark.h"
#include "golang/stack_maps.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#define TEXT	  ((uint64_t)0x401000)
#define DATA	  ((uint64_t)0x500000)
#define DATA_SIZE ((uint64_t)0x40000)
#define RUNTIME	  (DATA + 0x20000) /* structs of the runtime */
#define HEAP	  ((uint64_t)0xc000000000)
#define HEAP_SIZE ((uint64_t)0x40000)
#define STACK	  (HEAP + 0x30000)
#define STACK_END (STACK + 0x2000)
#define SP	  (STACK + 0x1000)

/* Three functions of 256 bytes: frames of 24 and 40 bytes, and the outermost. */
enum { LEAF, CALLER, OUTERMOST, FUNCTIONS };

struct fake {
	struct target *target;
	struct modules *modules;
	struct gaps gaps;
	struct go_process *process;
	struct go_places places;
	uint8_t functions[512], names[64], tables[64];
	uint64_t next_span, spans;
};

static void put32(uint8_t *bytes, uint64_t value)
{
	for (unsigned i = 0; i < 4; i++)
		bytes[i] = (uint8_t)(value >> 8 * i);
}

static void make_functions(struct fake *fake)
{
	static const char names[] = "main.leaf\0main.caller\0runtime.goexit";
	static const uint32_t name_at[] = { 0, 10, 22 };
	static const uint8_t sizes[] = { 24, 40, 0 };
	size_t table = 1, at = 64;
	memcpy(fake->names, names, sizeof names);
	for (size_t i = 0; i < FUNCTIONS; i++, at += 44) {
		put32(fake->functions + 8 * i, 256 * i);
		put32(fake->functions + 8 * i + 4, at);
		put32(fake->functions + at + 4, name_at[i]);
		put32(fake->functions + at + 16, table);
		fake->functions[at + 41] = i == OUTERMOST ? GO_FUNCTION_TOP : 0;
		/* From -1, in zigzag, for 256 bytes. */
		fake->tables[table++] = (uint8_t)(2 * (sizes[i] + 1));
		fake->tables[table++] = 0x80;
		fake->tables[table++] = 2;
		fake->tables[table++] = 0;
	}
	put32(fake->functions + 8 * FUNCTIONS, 256 * FUNCTIONS);
	struct go_module module = {
		.functions = { fake->functions, 0, sizeof fake->functions },
		.function_names = { fake->names, 0, sizeof fake->names },
		.pc_tables = { fake->tables, 0, sizeof fake->tables },
		.function_count = FUNCTIONS,
		.text = TEXT,
		.text_end = TEXT + 256 * FUNCTIONS,
		.types = DATA,
		.types_end = DATA + 0x1000,
	};
	ck_assert(array_push(&fake->process->list, module));
}

static struct fake *fake_new(unsigned minor)
{
	struct modules_options options = { 0 };
	struct module no_debug_info = { 0 };
	struct fake *fake = calloc(1, sizeof *fake);
	ck_assert_ptr_nonnull(fake);
	fake->target = fake_target_new();
	fake_target_map(fake->target, DATA, DATA_SIZE, "rw-p", NULL);
	fake_target_map(fake->target, HEAP, HEAP_SIZE, "rw-p", NULL);
	fake_target_seal(fake->target);
	ck_assert_ptr_null(modules_open(fake->target, &options, &fake->gaps, &fake->modules));
	fake->process = calloc(1, sizeof *fake->process);
	ck_assert_ptr_nonnull(fake->process);
	*fake->process = (struct go_process){
		.target = fake->target,
		.space = fake->target->space,
		.modules = fake->modules,
		.minor = minor,
		.has_start_lines = true,
		.heap = RUNTIME,
		.goroutines = { RUNTIME + 0x18000, 1, 1 },
	};
	go_layouts_find(fake->modules, &no_debug_info, minor, &fake->process->layouts);
	ck_assert_int_eq(fake->process->layouts.evidence, LAYOUT_TABLE);
	make_functions(fake);
	fake->next_span = RUNTIME + 0x19000;
	return fake;
}

static void fake_free(struct fake *fake)
{
	go_places_free(&fake->places);
	go_process_free(fake->process);
	modules_free(fake->modules);
	target_close(fake->target);
	gaps_free(&fake->gaps);
	free(fake);
}

static void put(struct fake *fake, uint64_t base, enum go_field field, uint64_t value)
{
	uint64_t offset;
	ck_assert(go_offset(fake->process, field, &offset));
	fake_target_put64(fake->target, base + offset, value);
}

static void put_small(struct fake *fake, uint64_t base, enum go_field field, const void *value,
		      size_t size)
{
	uint64_t offset;
	ck_assert(go_offset(fake->process, field, &offset));
	fake_target_put(fake->target, base + offset, value, size);
}

/* --- tables of functions */

START_TEST(functions_are_found_by_address)
{
	struct fake *fake = fake_new(24);
	struct go_function function;
	ck_assert(!go_function_at(fake->process, TEXT - 1, &function));
	ck_assert(!go_function_at(fake->process, TEXT + 256 * FUNCTIONS, &function));
	ck_assert(go_function_at(fake->process, TEXT + 256, &function));
	ck_assert_str_eq(go_function_name(fake->process, &function), "main.caller");
	ck_assert(go_function_at(fake->process, TEXT + 255, &function));
	ck_assert_str_eq(go_function_name(fake->process, &function), "main.leaf");
	/* A name beyond the names' end, and a function beyond the functions' end. */
	put32(fake->functions + 64 + 4, 1000);
	ck_assert_ptr_null(go_function_name(fake->process, &function));
	put32(fake->functions + 4, 500);
	ck_assert(!go_function_at(fake->process, TEXT, &function));
	fake_free(fake);
}
END_TEST

START_TEST(damaged_tables_end)
{
	struct fake *fake = fake_new(24);
	struct go_function function;
	uint32_t size;
	ck_assert(go_function_at(fake->process, TEXT, &function));
	ck_assert(go_frame_size(&function, TEXT + 255, &size));
	ck_assert_uint_eq(size, 24);
	memset(fake->tables, 0x80, sizeof fake->tables);
	ck_assert(!go_frame_size(&function, TEXT, &size));
	/* Values that hold for no code. */
	for (size_t i = 0; i < sizeof fake->tables; i++)
		fake->tables[i] = i % 2;
	ck_assert(!go_frame_size(&function, TEXT, &size));
	function.pc_sp = UINT32_MAX;
	ck_assert(!go_frame_size(&function, TEXT, &size));
	function.pc_sp = 0;
	ck_assert(!go_frame_size(&function, TEXT, &size));
	fake_free(fake);
}
END_TEST

/* --- stacks */

static size_t walk(struct fake *fake, struct go_unwind *unwind, uint64_t pc, bool exact)
{
	struct go_frame frame;
	size_t count = 0;
	go_unwind_begin(unwind, fake->process, &fake->places, STACK, STACK_END, pc, SP, exact);
	while (go_unwind_next(unwind, &frame)) {
		ck_assert_uint_lt(count, 16);
		count++;
	}
	return count;
}

static void put_stack(struct fake *fake)
{
	fake_target_put64(fake->target, SP + 24, TEXT + 256 + 16);
	fake_target_put64(fake->target, SP + 32 + 40, TEXT + 512 + 1);
}

START_TEST(stacks_end_at_the_outermost_function)
{
	struct fake *fake = fake_new(24);
	struct go_unwind unwind;
	put_stack(fake);
	ck_assert_uint_eq(walk(fake, &unwind, TEXT + 100, false), 3);
	ck_assert(unwind.complete);
	ck_assert_ptr_null(unwind.stopped);
	/* Where the PC is no return address the byte before it may be another function's. */
	ck_assert_uint_eq(walk(fake, &unwind, TEXT, true), 3);
	ck_assert(unwind.complete);
	fake_free(fake);
}
END_TEST

START_TEST(damaged_stacks_end_early)
{
	struct fake *fake = fake_new(24);
	struct go_unwind unwind;
	put_stack(fake);
	fake_target_put64(fake->target, SP + 32 + 40, 0x4141414141414141);
	ck_assert_uint_eq(walk(fake, &unwind, TEXT + 100, false), 2);
	ck_assert(!unwind.complete);
	ck_assert_ptr_nonnull(unwind.stopped);
	go_unwind_begin(&unwind, fake->process, &fake->places, STACK, SP + 16, TEXT + 100, SP,
			false);
	struct go_frame frame;
	ck_assert(go_unwind_next(&unwind, &frame));
	ck_assert_uint_eq(frame.fp, 0);
	ck_assert(!go_unwind_next(&unwind, &frame));
	ck_assert_ptr_nonnull(unwind.stopped);
	go_unwind_begin(&unwind, fake->process, &fake->places, STACK, STACK_END, TEXT, STACK_END,
			false);
	ck_assert(!go_unwind_next(&unwind, &frame));
	ck_assert_ptr_nonnull(unwind.stopped);
	fake_free(fake);
}
END_TEST

static void put_goroutine(struct fake *fake, uint64_t g, uint64_t id, uint32_t status)
{
	put(fake, g, GO_G_SCHED_G, g);
	put(fake, g, GO_G_GOID, id);
	put(fake, g, GO_G_STACK_LO, STACK);
	put(fake, g, GO_G_STACK_HI, STACK_END);
	put(fake, g, GO_G_SCHED_PC, TEXT + 100);
	put(fake, g, GO_G_SCHED_SP, SP);
	put(fake, g, GO_G_STARTPC, TEXT + 256);
	put_small(fake, g, GO_G_ATOMICSTATUS, &status, sizeof status);
}

START_TEST(goroutines_that_cannot_be_read_are_counted)
{
	struct fake *fake = fake_new((unsigned)_i);
	struct goroutines goroutines;
	uint64_t list = fake->process->goroutines.address;
	put_stack(fake);
	fake->process->goroutines.count = fake->process->goroutines.capacity = 5;
	put_goroutine(fake, HEAP, 7, 4);
	put_goroutine(fake, HEAP + 1024, 8, 0x1001);
	put_goroutine(fake, HEAP + 2048, 9, 6);
	put(fake, HEAP + 3072, GO_G_SCHED_G, HEAP); /* another one's */
	for (uint64_t i = 0; i < 4; i++)
		fake_target_put64(fake->target, list + 8 * i, HEAP + 1024 * i);
	fake_target_put64(fake->target, list + 32, 0x12345678);
	ck_assert_ptr_null(goroutines_open(fake->process, &fake->gaps, &goroutines));
	ck_assert_uint_eq(goroutines.count, 2);
	ck_assert_uint_eq(goroutines.items[0].id, 7);
	ck_assert_int_eq(goroutines.items[0].state, GO_WAITING);
	ck_assert_int_eq(goroutines.items[1].state, GO_RUNNABLE);
	ck_assert_uint_eq(goroutines.items[0].stack, goroutines.items[1].stack);
	ck_assert_uint_eq(goroutines.stack_count, 1);
	ck_assert_uint_eq(goroutines.stacks[0].count, 3);
	ck_assert_uint_eq(goroutines.group_count, 2);
	ck_assert_uint_eq(goroutines.dead, 1);
	ck_assert_uint_eq(goroutines.unreadable, 2);
	ck_assert_uint_eq(fake->gaps.list.count, 1);
	goroutines_free(&goroutines);
	fake_free(fake);
}
END_TEST

/* --- the heap */

/* A span of `pages`, all of whose objects are in use. Returns the mspan. */
static uint64_t add_span(struct fake *fake, uint64_t start, uint64_t pages, uint64_t size,
			 uint16_t count, uint8_t class)
{
	uint64_t span = fake->next_span, offset;
	uint8_t in_use = 1;
	fake->next_span += 256;
	put(fake, span, GO_MSPAN_STARTADDR, start);
	put(fake, span, GO_MSPAN_NPAGES, pages);
	put(fake, span, GO_MSPAN_ELEMSIZE, size);
	put_small(fake, span, GO_MSPAN_NELEMS, &count, sizeof count);
	put_small(fake, span, GO_MSPAN_FREEINDEX, &count, sizeof count);
	put_small(fake, span, GO_MSPAN_SPANCLASS, &class, 1);
	put_small(fake, span, GO_MSPAN_STATE, &in_use, 1);
	ck_assert(go_offset(fake->process, GO_MHEAP_ALLSPANS, &offset));
	uint64_t list = RUNTIME + 0x1f000;
	fake_target_put64(fake->target, list + 8 * fake->spans++, span);
	fake_target_put64(fake->target, RUNTIME + offset, list);
	fake_target_put64(fake->target, RUNTIME + offset + 8, fake->spans);
	fake_target_put64(fake->target, RUNTIME + offset + 16, fake->spans);
	return span;
}

enum { SCAN = 2 << 1, NOSCAN = 2 << 1 | 1 };

/* A page of objects of 64 bytes, and one of goroutines. */
static void put_heap(struct fake *fake)
{
	add_span(fake, HEAP, 1, 64, 126, SCAN);
	add_span(fake, HEAP + GO_PAGE, 1, 512, 15, NOSCAN);
	/* The g is in a page of its own, whose map tells its pointers. */
	static const enum go_field pointers[] = { GO_G_DEFER, GO_G_M, GO_G_WAITING };
	uint64_t g = HEAP + 3 * GO_PAGE, offset;
	add_span(fake, g, 1, 512, 15, SCAN);
	for (size_t i = 0; i < sizeof pointers / sizeof *pointers; i++) {
		ck_assert(go_offset(fake->process, pointers[i], &offset));
		uint8_t *byte = fake_target_bytes(fake->target, g + GO_PAGE - 128 + offset / 64, 1);
		*byte |= (uint8_t)(1u << offset / 8 % 8);
	}
	fake_target_put64(fake->target, fake->process->goroutines.address, g);
}

/* The word of an object of the first page is a pointer, to `value`. */
static void put_pointer(struct fake *fake, uint64_t address, uint64_t value)
{
	uint64_t bit = (address - HEAP) / 8;
	uint8_t *byte = fake_target_bytes(fake->target, HEAP + GO_PAGE - 128 + bit / 8, 1);
	*byte |= (uint8_t)(1u << bit % 8);
	fake_target_put64(fake->target, address, value);
}

START_TEST(pointers_are_followed_where_the_map_says)
{
	struct fake *fake = fake_new(24);
	struct go_heap heap;
	put_heap(fake);
	put_pointer(fake, HEAP + 8, HEAP + 64 + 16);		  /* into the second's middle */
	put_pointer(fake, HEAP + 64 + 56, HEAP + GO_PAGE + 1024); /* to one without pointers */
	fake_target_put64(fake->target, HEAP + 16, HEAP + 192);	  /* no pointer */
	ck_assert_ptr_null(go_heap_open(fake->process, &heap));
	ck_assert_uint_eq(heap.objects, 156);
	struct go_mark *mark = go_mark_new(&heap);
	go_mark_pointer(mark, HEAP + 63);
	go_mark_drain(mark);
	ck_assert_uint_eq(mark->objects, 3);
	ck_assert_uint_eq(mark->bytes, 64 + 64 + 512);
	ck_assert(go_mark_is_marked(mark, HEAP + 127));
	ck_assert(!go_mark_is_marked(mark, HEAP + 192));
	/* The rest behind the last object, and what is no span. */
	go_mark_pointer(mark, HEAP + 126 * 64);
	go_mark_pointer(mark, HEAP + 5 * GO_PAGE);
	go_mark_pointer(mark, UINT64_MAX);
	ck_assert_uint_eq(mark->objects, 3);
	go_mark_free(mark);
	go_heap_free(&heap);
	fake_free(fake);
}
END_TEST

START_TEST(hidden_words_and_free_objects_are_not_followed)
{
	struct fake *fake = fake_new(24);
	struct go_heap heap;
	uint16_t free_index = 4;
	put_heap(fake);
	/* From the fifth on a bitmap says which are in use: the sixth. */
	put_small(fake, RUNTIME + 0x19000, GO_MSPAN_FREEINDEX, &free_index, sizeof free_index);
	put(fake, RUNTIME + 0x19000, GO_MSPAN_ALLOCBITS, DATA + 0x2000);
	fake_target_put64(fake->target, DATA + 0x2000, 1 << 5);
	put_pointer(fake, HEAP, HEAP + 64);
	put_pointer(fake, HEAP + 8, HEAP + 128);
	put_pointer(fake, HEAP + 16, HEAP + 4 * 64);
	put_pointer(fake, HEAP + 24, HEAP + 5 * 64);
	ck_assert_ptr_null(go_heap_open(fake->process, &heap));
	struct go_mark *mark = go_mark_new(&heap);
	ck_assert_uint_eq(go_mark_note(mark, HEAP + 9), HEAP);
	ck_assert_uint_eq(go_mark_note(mark, HEAP + 4 * 64), 0);
	ck_assert(go_mark_hide(mark, HEAP + 8));
	go_mark_pointer(mark, HEAP);
	go_mark_drain(mark);
	ck_assert(go_mark_is_marked(mark, HEAP + 64));
	ck_assert(!go_mark_is_marked(mark, HEAP + 128));
	ck_assert(!go_mark_is_marked(mark, HEAP + 4 * 64));
	ck_assert(go_mark_is_marked(mark, HEAP + 5 * 64));
	go_mark_free(mark);
	go_heap_free(&heap);
	fake_free(fake);
}
END_TEST

START_TEST(types_repeat_through_an_object)
{
	struct fake *fake = fake_new(24);
	struct go_heap heap;
	uint64_t type = DATA + 0x100, object = HEAP + 2 * GO_PAGE;
	uint8_t kind = 25;
	put_heap(fake);
	add_span(fake, object, 1, 1024, 8, SCAN);
	fake_target_put64(fake->target, object, type);
	/* Three words, the second one a pointer. */
	fake_target_put64(fake->target, type, 24);
	fake_target_put64(fake->target, type + 8, 16);
	fake_target_put(fake->target, type + 23, &kind, 1);
	fake_target_put64(fake->target, type + 32, DATA + 0x200);
	fake_target_put64(fake->target, DATA + 0x200, 2);
	ck_assert_ptr_null(go_heap_open(fake->process, &heap));
	const struct go_span *span = go_heap_span(&heap, object);
	bool more;
	uint64_t words = go_object_pointers(&heap, span, object, 0, 64, &more);
	for (unsigned i = 0; i < 64; i++)
		ck_assert_int_eq(words >> i & 1, i > 0 && (i - 1) % 3 == 1);
	words = go_object_pointers(&heap, span, object, 512, 64, &more);
	for (unsigned i = 0; i < 64; i++)
		ck_assert_int_eq(words >> i & 1, (i + 63) % 3 == 1);
	/* A type that cannot be one: any word may be a pointer. */
	fake_target_put64(fake->target, object + 1024, type + 8);
	ck_assert_uint_eq(go_object_pointers(&heap, span, object + 1024, 0, 64, &more), UINT64_MAX);
	go_heap_free(&heap);
	fake_free(fake);
}
END_TEST

START_TEST(spans_that_cannot_be_are_refused)
{
	struct fake *fake = fake_new(24);
	struct go_heap heap;
	put_heap(fake);
	uint64_t span = add_span(fake, HEAP + 4 * GO_PAGE, 1, 64, 60000, SCAN);
	add_span(fake, HEAP + 5 * GO_PAGE + 8, 1, 64, 10, SCAN);
	add_span(fake, HEAP + 6 * GO_PAGE, 1ull << 40, 64, 10, SCAN);
	add_span(fake, HEAP + 7 * GO_PAGE, 1, 0, 10, SCAN);
	ck_assert_ptr_null(go_heap_open(fake->process, &heap));
	ck_assert_uint_eq(heap.spans.count, 3);
	go_heap_free(&heap);
	/* A map that says of no pointer that it is one. */
	memset(fake_target_bytes(fake->target, HEAP + 4 * GO_PAGE - 128, 64), 0, 64);
	struct error *error = go_heap_open(fake->process, &heap);
	ck_assert_ptr_nonnull(error);
	ck_assert_int_eq(error->code, ERROR_UNSUPPORTED);
	error_free(error);
	/* Nothing agrees with a heap that holds no goroutine. */
	fake_target_put64(fake->target, fake->process->goroutines.address, HEAP + 7 * GO_PAGE);
	error = go_heap_open(fake->process, &heap);
	ck_assert_ptr_nonnull(error);
	ck_assert_int_eq(error->code, ERROR_UNSUPPORTED);
	error_free(error);
	(void)span;
	fake_free(fake);
}
END_TEST

START_TEST(colors_tell_what_one_alone_keeps)
{
	struct fake *fake = fake_new(24);
	struct go_heap heap;
	put_heap(fake);
	put_pointer(fake, HEAP, HEAP + 64);
	put_pointer(fake, HEAP + 64, HEAP + 128);
	put_pointer(fake, HEAP + 192, HEAP + 64);
	ck_assert_ptr_null(go_heap_open(fake->process, &heap));
	struct go_mark *mark = go_mark_new(&heap);
	ck_assert(go_mark_color(mark, 1));
	go_mark_pointer(mark, HEAP);
	go_mark_drain(mark);
	ck_assert_uint_eq(mark->color_objects[1], 3);
	ck_assert(go_mark_color(mark, 2));
	go_mark_pointer(mark, HEAP + 192);
	go_mark_drain(mark);
	ck_assert_uint_eq(mark->color_objects[1], 1);
	ck_assert_uint_eq(mark->color_objects[2], 1);
	ck_assert_uint_eq(mark->color_objects[GO_SHARED], 2);
	ck_assert_uint_eq(mark->objects, 4);
	go_mark_free(mark);
	go_heap_free(&heap);
	fake_free(fake);
}
END_TEST

START_TEST(names_of_types_are_bounded)
{
	struct fake *fake = fake_new(24);
	uint64_t type = DATA + 0x100;
	uint8_t extra_star = 2;
	fake_target_put32(fake->target, type + 40, 0x400);
	fake_target_put(fake->target, DATA + 0x400, "\0\5*main", 7);
	ck_assert_str_eq(go_type_name(fake->process, type), "*main");
	fake_target_put(fake->target, type + 20, &extra_star, 1);
	ck_assert_str_eq(go_type_name(fake->process, type), "main");
	fake_target_put(fake->target, DATA + 0x400, "\0\377\177", 3);
	ck_assert_uint_le(strlen(go_type_name(fake->process, type)), 600);
	fake_target_put32(fake->target, type + 40, 0x7fffffff);
	ck_assert_ptr_null(go_type_name(fake->process, type));
	ck_assert_ptr_null(go_type_name(fake->process, HEAP));
	fake_free(fake);
}
END_TEST

int main(void)
{
	static const int versions[] = { 19, 21, 22, 23, 24, 25, 26, 27 };
	Suite *suite = suite_create("golang");
	TCase *all = tcase_create("all");
	tcase_add_test(all, functions_are_found_by_address);
	tcase_add_test(all, damaged_tables_end);
	tcase_add_test(all, stacks_end_at_the_outermost_function);
	tcase_add_test(all, damaged_stacks_end_early);
	for (size_t i = 0; i < sizeof versions / sizeof *versions; i++)
		tcase_add_loop_test(all, goroutines_that_cannot_be_read_are_counted, versions[i],
				    versions[i] + 1);
	tcase_add_test(all, pointers_are_followed_where_the_map_says);
	tcase_add_test(all, hidden_words_and_free_objects_are_not_followed);
	tcase_add_test(all, types_repeat_through_an_object);
	tcase_add_test(all, spans_that_cannot_be_are_refused);
	tcase_add_test(all, colors_tell_what_one_alone_keeps);
	tcase_add_test(all, names_of_types_are_bounded);
	suite_add_tcase(suite, all);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
