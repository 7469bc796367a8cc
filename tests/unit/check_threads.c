/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "fake_target.h"
#include "threads/glibc_pthread.h"
#include "threads/threads.h"

#include <check.h>
#include <elf.h>
#include <stdlib.h>
#include <string.h>

#define TEXT  0x400000u
#define STACK 0x7f0000u
#define PID   100

/* One opened target. */
struct opened {
	struct target *target;
	struct modules *modules;
	struct gaps gaps;
	struct threads threads;
};

static void succeed(struct error *error)
{
	ck_assert_msg(error == NULL, "%s", error != NULL ? error->message : "");
}

/* Seals `target` and opens all of it; with `frame_limit` as in struct threads_options. */
static void open_threads(struct opened *opened, struct target *target, unsigned frame_limit)
{
	struct modules_options modules_options = { 0 };
	struct threads_options options = { .frame_limit = frame_limit };
	memset(opened, 0, sizeof *opened);
	opened->target = target;
	fake_target_seal(target);
	succeed(modules_open(target, &modules_options, &opened->gaps, &opened->modules));
	succeed(threads_open(target, opened->modules, &options, &opened->gaps, &opened->threads));
}

static void close_threads(struct opened *opened)
{
	threads_free(&opened->threads);
	modules_free(opened->modules);
	target_close(opened->target);
	gaps_free(&opened->gaps);
}

/* A target with text of no module, a stack, and thread PID with PC and SP. */
static struct target *target_at(uint64_t pc, uint64_t sp)
{
	struct target *target = fake_target_new();
	target->pid = PID;
	fake_target_map(target, TEXT, 0x1000, "r-x", NULL);
	fake_target_map(target, STACK, 0x1000, "rw-", "[stack]");
	fake_target_thread(target, PID);
	fake_target_set_register(target, PID, "rip", pc);
	fake_target_set_register(target, PID, "rsp", sp);
	return target;
}

/* Puts a call instruction that ends at `address`. */
static void put_call(struct target *target, uint64_t address)
{
	static const uint8_t call[] = { 0xe8, 1, 2, 3, 4 };
	fake_target_put(target, address - sizeof call, call, sizeof call);
}

/* A frame at `frame` whose caller's frame pointer and return address are as given. */
static void put_frame(struct target *target, uint64_t frame, uint64_t saved, uint64_t address)
{
	fake_target_put64(target, frame, saved);
	fake_target_put64(target, frame + 8, address);
}

static void has_reason(const struct thread *thread, const char *part)
{
	ck_assert_ptr_nonnull(thread->stop_reason);
	ck_assert_msg(strstr(thread->stop_reason, part) != NULL, "reason is: %s",
		      thread->stop_reason);
}

START_TEST(pc_in_code_of_no_module_is_one_frame)
{
	struct opened opened;
	open_threads(&opened, target_at(TEXT + 0x10, STACK + 0x800), 0);
	const struct thread *thread = threads_find(&opened.threads, PID);
	ck_assert_uint_eq(thread->frame_count, 1);
	ck_assert_uint_eq(thread->frames[0].pc, TEXT + 0x10);
	ck_assert_uint_eq(thread->frames[0].lookup_pc, TEXT + 0x10);
	ck_assert_uint_eq(thread->frames[0].sp, STACK + 0x800);
	ck_assert_ptr_null(thread->frames[0].function);
	has_reason(thread, "pc 0x400010 lies in executable memory of no module");
	ck_assert(thread->is_main);
	ck_assert_uint_eq(thread->stack_start, STACK + 0x800);
	ck_assert_uint_eq(thread->stack_end, STACK + 0x1000);
	close_threads(&opened);
}
END_TEST

START_TEST(early_end_is_a_gap)
{
	struct opened opened;
	open_threads(&opened, target_at(TEXT + 0x10, STACK + 0x800), 0);
	bool told = false;
	for (size_t i = 0; i < opened.gaps.list.count; i++)
		told |= opened.gaps.list.items[i].kind == GAP_THREAD &&
			strstr(opened.gaps.list.items[i].text, "thread 100 ends early") != NULL;
	ck_assert(told);
	close_threads(&opened);
}
END_TEST

START_TEST(call_through_null_goes_on_at_the_return_address)
{
	struct opened opened;
	struct target *target = target_at(0, STACK + 0x800);
	put_call(target, TEXT + 0x100);
	fake_target_put64(target, STACK + 0x800, TEXT + 0x100);
	open_threads(&opened, target, 0);
	const struct thread *thread = threads_find(&opened.threads, PID);
	ck_assert_uint_eq(thread->frame_count, 2);
	ck_assert_uint_eq(thread->frames[0].pc, 0);
	ck_assert(!thread->frames[0].guessed);
	ck_assert_uint_eq(thread->frames[1].pc, TEXT + 0x100);
	ck_assert_uint_eq(thread->frames[1].lookup_pc, TEXT + 0xff);
	ck_assert_uint_eq(thread->frames[1].sp, STACK + 0x808);
	ck_assert(thread->frames[1].guessed);
	close_threads(&opened);
}
END_TEST

START_TEST(call_through_null_needs_a_call_before_the_return_address)
{
	struct opened opened;
	struct target *target = target_at(0, STACK + 0x800);
	fake_target_put64(target, STACK + 0x800, TEXT + 0x100);
	open_threads(&opened, target, 0);
	const struct thread *thread = threads_find(&opened.threads, PID);
	ck_assert_uint_eq(thread->frame_count, 1);
	has_reason(thread, "pc 0x0 is not mapped (a jump through a bad pointer)");
	close_threads(&opened);
}
END_TEST

START_TEST(stack_that_was_not_dumped_is_said)
{
	struct opened opened;
	struct target *target = target_at(0, STACK + 0x2800);
	fake_target_absent(target, STACK + 0x2000, 0x1000, "rw-", NULL);
	open_threads(&opened, target, 0);
	const struct thread *thread = threads_find(&opened.threads, PID);
	ck_assert_uint_eq(thread->frame_count, 1);
	has_reason(thread, "bad pointer); the stack at 0x7f2800 is not dumped");
	close_threads(&opened);
}
END_TEST

START_TEST(every_form_of_call_is_known)
{
	static const struct {
		uint8_t length;
		uint8_t bytes[7];
	} calls[] = {
		{ 2, { 0xff, 0xd0 } },			 /* *%rax */
		{ 2, { 0xff, 0x10 } },			 /* *(%rax) */
		{ 3, { 0xff, 0x50, 8 } },		 /* *8(%rax) */
		{ 3, { 0xff, 0x14, 0xd8 } },		 /* *(%rax,%rbx,8) */
		{ 4, { 0xff, 0x54, 0x24, 8 } },		 /* *8(%rsp) */
		{ 6, { 0xff, 0x15, 1, 2, 3, 4 } },	 /* *x(%rip) */
		{ 6, { 0xff, 0x90, 1, 2, 3, 4 } },	 /* *x(%rax) */
		{ 7, { 0xff, 0x94, 0x24, 1, 2, 3, 4 } }, /* *x(%rsp) */
		{ 7, { 0xff, 0x14, 0x25, 1, 2, 3, 4 } }, /* *x */
	};
	for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
		struct opened opened;
		struct target *target = target_at(0, STACK + 0x800);
		fake_target_put(target, TEXT + 0x100 - calls[i].length, calls[i].bytes,
				calls[i].length);
		fake_target_put64(target, STACK + 0x800, TEXT + 0x100);
		open_threads(&opened, target, 0);
		ck_assert_msg(threads_find(&opened.threads, PID)->frame_count == 2, "form %zu", i);
		close_threads(&opened);
	}
}
END_TEST

START_TEST(frame_pointers_lead_on_as_guesses)
{
	struct opened opened;
	struct target *target = target_at(TEXT + 0x10, STACK + 0x700);
	fake_target_set_register(target, PID, "rbp", STACK + 0x800);
	put_call(target, TEXT + 0x100);
	put_call(target, TEXT + 0x200);
	put_frame(target, STACK + 0x800, STACK + 0x900, TEXT + 0x100);
	put_frame(target, STACK + 0x900, 0, TEXT + 0x200);
	open_threads(&opened, target, 0);
	const struct thread *thread = threads_find(&opened.threads, PID);
	ck_assert_uint_eq(thread->frame_count, 3);
	ck_assert_uint_eq(thread->frames[1].pc, TEXT + 0x100);
	ck_assert_uint_eq(thread->frames[1].sp, STACK + 0x810);
	ck_assert_uint_eq(thread->frames[2].pc, TEXT + 0x200);
	ck_assert(thread->frames[1].guessed && thread->frames[2].guessed);
	has_reason(thread, "return address 0x400200");
	close_threads(&opened);
}
END_TEST

START_TEST(frame_pointer_ring_ends)
{
	struct opened opened;
	struct target *target = target_at(TEXT + 0x10, STACK + 0x700);
	fake_target_set_register(target, PID, "rbp", STACK + 0x800);
	put_call(target, TEXT + 0x100);
	put_frame(target, STACK + 0x800, STACK + 0x800, TEXT + 0x100);
	open_threads(&opened, target, 0);
	const struct thread *thread = threads_find(&opened.threads, PID);
	ck_assert_uint_eq(thread->frame_count, 2);
	ck_assert_ptr_nonnull(thread->stop_reason);
	close_threads(&opened);
}
END_TEST

START_TEST(overwritten_frame_pointer_leads_nowhere)
{
	static const uint64_t values[] = { UINT64_MAX,
					   UINT64_MAX - 7,
					   STACK + 0xff8,
					   STACK + 0x801,
					   STACK - 8,
					   0x4141414141414141,
					   1 };
	for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
		struct opened opened;
		struct target *target = target_at(TEXT + 0x10, STACK + 0x700);
		fake_target_set_register(target, PID, "rbp", values[i]);
		open_threads(&opened, target, 0);
		ck_assert_uint_eq(threads_find(&opened.threads, PID)->frame_count, 1);
		close_threads(&opened);
	}
}
END_TEST

START_TEST(outermost_frames_are_kept)
{
	struct opened opened;
	struct target *target = target_at(TEXT + 0x10, STACK + 0x100);
	fake_target_set_register(target, PID, "rbp", STACK + 0x100);
	put_call(target, TEXT + 0x100);
	for (uint64_t frame = STACK + 0x100; frame < STACK + 0xf00; frame += 0x20)
		put_frame(target, frame, frame + 0x20, TEXT + 0x100);
	open_threads(&opened, target, 5);
	const struct thread *thread = threads_find(&opened.threads, PID);
	/* The innermost three and the outermost two of 1 + 112. */
	ck_assert_uint_eq(thread->frame_count, 5);
	ck_assert_uint_eq(thread->left_out, 108);
	ck_assert_uint_eq(thread->left_out_before, 3);
	ck_assert_uint_eq(thread->frames[0].pc, TEXT + 0x10);
	ck_assert_uint_eq(thread->frames[2].sp, STACK + 0x130);
	ck_assert_uint_eq(thread->frames[3].sp, STACK + 0xed0);
	ck_assert_uint_eq(thread->frames[4].sp, STACK + 0xef0);
	has_reason(thread, "return address");
	close_threads(&opened);
}
END_TEST

START_TEST(frames_up_to_the_limit_are_complete)
{
	struct opened opened;
	struct target *target = target_at(TEXT + 0x10, STACK + 0x100);
	fake_target_set_register(target, PID, "rbp", STACK + 0x200);
	put_call(target, TEXT + 0x100);
	put_frame(target, STACK + 0x200, 0, TEXT + 0x100);
	open_threads(&opened, target, 2);
	const struct thread *thread = threads_find(&opened.threads, PID);
	ck_assert_uint_eq(thread->frame_count, 2);
	has_reason(thread, "return address");
	close_threads(&opened);
}
END_TEST

/* As many frames as fit on the stack. */
START_TEST(many_frames_beyond_the_limit_end)
{
	struct opened opened;
	struct target *target = target_at(TEXT + 0x10, STACK + 0x100);
	fake_target_set_register(target, PID, "rbp", STACK + 0x100);
	put_call(target, TEXT + 0x100);
	for (uint64_t frame = STACK + 0x100; frame < STACK + 0xff0; frame += 0x10)
		put_frame(target, frame, frame + 0x10, TEXT + 0x100);
	open_threads(&opened, target, 7);
	const struct thread *thread = threads_find(&opened.threads, PID);
	ck_assert_uint_eq(thread->frame_count, 7);
	ck_assert_uint_eq(thread->left_out, 233);
	close_threads(&opened);
}
END_TEST

/* A handler that was called when RIP and RSP were as given, RBP being STACK + 0x900. */
static struct target *target_in_handler(uint64_t rip, uint64_t rsp)
{
	static const uint8_t trampoline[] = { 0x48, 0xc7, 0xc0, 0x0f, 0, 0, 0, 0x0f, 0x05 };
	struct target *target = target_at(TEXT + 0x10, STACK + 0x100);
	uint64_t general = STACK + 0x210 + 40;
	fake_target_set_register(target, PID, "rbp", STACK + 0x200);
	/* The kernel "called" the handler from the trampoline's first instruction. */
	put_call(target, TEXT + 0x300);
	fake_target_put(target, TEXT + 0x300, trampoline, sizeof trampoline);
	put_frame(target, STACK + 0x200, 0, TEXT + 0x300);
	fake_target_put64(target, general + 10 * 8, STACK + 0x900);
	fake_target_put64(target, general + 15 * 8, rsp);
	fake_target_put64(target, general + 16 * 8, rip);
	return target;
}

START_TEST(signal_trampoline_is_crossed_by_its_instructions)
{
	struct opened opened;
	struct target *target = target_in_handler(TEXT + 0x500, STACK + 0x800);
	put_call(target, TEXT + 0x600);
	put_frame(target, STACK + 0x900, 0, TEXT + 0x600);
	open_threads(&opened, target, 0);
	const struct thread *thread = threads_find(&opened.threads, PID);
	ck_assert_uint_eq(thread->frame_count, 4);
	ck_assert(thread->frames[1].signal_frame);
	ck_assert_uint_eq(thread->frames[2].pc, TEXT + 0x500);
	ck_assert_uint_eq(thread->frames[2].lookup_pc, TEXT + 0x500);
	ck_assert_uint_eq(thread->frames[2].sp, STACK + 0x800);
	ck_assert(!thread->frames[2].guessed);
	ck_assert_uint_eq(thread->frames[3].pc, TEXT + 0x600);
	ck_assert_uint_eq(thread->frames[3].lookup_pc, TEXT + 0x5ff);
	close_threads(&opened);
}
END_TEST

START_TEST(handler_of_a_call_through_null_shows_the_caller)
{
	struct opened opened;
	struct target *target = target_in_handler(0, STACK + 0x800);
	put_call(target, TEXT + 0x600);
	fake_target_put64(target, STACK + 0x800, TEXT + 0x600);
	open_threads(&opened, target, 0);
	const struct thread *thread = threads_find(&opened.threads, PID);
	ck_assert_uint_ge(thread->frame_count, 4);
	ck_assert_uint_eq(thread->frames[2].pc, 0);
	ck_assert_uint_eq(thread->frames[3].pc, TEXT + 0x600);
	ck_assert(thread->frames[3].guessed);
	close_threads(&opened);
}
END_TEST

START_TEST(thread_without_registers_says_so)
{
	struct opened opened;
	struct target *target = target_at(TEXT, STACK + 0x800);
	struct target_thread *thread = fake_target_thread(target, 101);
	thread->stopped = false;
	thread->registers.general_size = 0;
	open_threads(&opened, target, 0);
	const struct thread *unstopped = threads_find(&opened.threads, 101);
	ck_assert_uint_eq(unstopped->frame_count, 0);
	ck_assert_str_eq(unstopped->stop_reason, "the thread could not be stopped");
	ck_assert_uint_eq(unstopped->stack_end, 0);
	close_threads(&opened);
}
END_TEST

/* Threads of the given ids, all at one PC. */
static struct target *target_with_threads(const int32_t *tids, size_t count)
{
	struct target *target = fake_target_new();
	target->pid = PID;
	fake_target_map(target, TEXT, 0x1000, "r-x", NULL);
	for (size_t i = 0; i < count; i++) {
		uint64_t stack = STACK + 0x10000 * i;
		fake_target_map(target, stack, 0x1000, "rw-", NULL);
		fake_target_thread(target, tids[i]);
		fake_target_set_register(target, tids[i], "rip", TEXT + 0x10);
		fake_target_set_register(target, tids[i], "rsp", stack + 0x800);
	}
	return target;
}

START_TEST(crashed_thread_comes_first_then_by_tid)
{
	static const int32_t tids[] = { 300, PID, 900, 200 };
	struct opened opened;
	struct target *target = target_with_threads(tids, 4);
	target->signal.number = 11;
	strcpy(target->threads.items[3].name, "worker");
	open_threads(&opened, target, 0);
	static const int32_t expected[] = { 300, PID, 200, 900 };
	for (size_t i = 0; i < 4; i++) {
		ck_assert_int_eq(opened.threads.items[i].tid, expected[i]);
		ck_assert_ptr_eq(threads_find(&opened.threads, expected[i]),
				 &opened.threads.items[i]);
	}
	ck_assert(opened.threads.items[0].crashed);
	ck_assert(!opened.threads.items[1].crashed);
	ck_assert_str_eq(opened.threads.items[2].name, "worker");
	ck_assert_str_eq(opened.threads.items[0].name, "");
	ck_assert_ptr_null(threads_find(&opened.threads, 301));
	close_threads(&opened);
}
END_TEST

START_TEST(stack_owner_is_the_thread_whose_used_stack_holds_the_address)
{
	static const int32_t tids[] = { PID, 101, 102 };
	struct opened opened;
	open_threads(&opened, target_with_threads(tids, 3), 0);
	uint64_t second = STACK + 0x10000;
	ck_assert_int_eq(threads_stack_owner(&opened.threads, second + 0x800)->tid, 101);
	ck_assert_int_eq(threads_stack_owner(&opened.threads, second + 0xfff)->tid, 101);
	ck_assert_ptr_null(threads_stack_owner(&opened.threads, second + 0x7ff));
	ck_assert_ptr_null(threads_stack_owner(&opened.threads, second + 0x1000));
	ck_assert_ptr_null(threads_stack_owner(&opened.threads, 0));
	ck_assert_ptr_null(threads_stack_owner(&opened.threads, UINT64_MAX));
	close_threads(&opened);
}
END_TEST

START_TEST(equal_stacks_are_grouped)
{
	static const int32_t tids[] = { PID, 101, 102, 103, 104, 105 };
	struct opened opened;
	struct target *target = target_with_threads(tids, 6);
	target->signal.number = 6;
	fake_target_set_register(target, PID, "rip", TEXT + 0x99);
	fake_target_set_register(target, 102, "rip", TEXT + 0x20);
	fake_target_set_register(target, 104, "rip", TEXT + 0x20);
	open_threads(&opened, target, 0);
	struct stack_groups groups;
	succeed(stack_groups_make(&opened.threads, &groups));
	ck_assert_uint_eq(groups.count, 3);
	ck_assert_int_eq(groups.items[0].members[0]->tid, PID);
	ck_assert_uint_eq(groups.items[1].count, 3);
	ck_assert_int_eq(groups.items[1].members[0]->tid, 101);
	ck_assert_int_eq(groups.items[1].members[2]->tid, 105);
	ck_assert_uint_eq(groups.items[2].count, 2);
	ck_assert_int_eq(groups.items[2].members[1]->tid, 104);
	stack_groups_free(&groups);
	close_threads(&opened);
}
END_TEST

START_TEST(no_threads_are_no_groups)
{
	struct threads threads = { 0 };
	struct stack_groups groups;
	succeed(stack_groups_make(&threads, &groups));
	ck_assert_uint_eq(groups.count, 0);
	stack_groups_free(&groups);
	ck_assert_ptr_null(threads_find(&threads, 1));
	ck_assert_ptr_null(threads_stack_owner(&threads, 1));
}
END_TEST

/* --- struct pthread, as glibc 2.36 lays it out on x86-64 */

enum { LIST = 704, TID = 720, CANCEL = 776, JOINID = 1568, RESULT = 1576, START = 1592 };
enum { BLOCK = 1680, BLOCK_SIZE = 1688, GUARD_SIZE = 1696 };

#define THREAD_STACK(i) (UINT64_C(0x10000000) + (uint64_t)(i)*0x100000)
#define STACK_SIZE	0x10000u
#define DESCRIPTOR(i)	(THREAD_STACK(i) + STACK_SIZE - 0x940)
#define MAIN_DESCRIPTOR UINT64_C(0x600740)
#define LIST_HEADS	UINT64_C(0x601000) /* used, user, cache */

static void put_descriptor(struct target *target, uint64_t address, int32_t tid)
{
	fake_target_put64(target, address, address);
	fake_target_put64(target, address + 16, address);
	fake_target_put32(target, address + TID, (uint32_t)tid);
}

static void link_ring(struct target *target, uint64_t head, const uint64_t *nodes, size_t count)
{
	uint64_t last = head;
	for (size_t i = 0; i < count; i++) {
		fake_target_put64(target, last, nodes[i]);
		fake_target_put64(target, nodes[i] + 8, last);
		last = nodes[i];
	}
	fake_target_put64(target, last, head);
	fake_target_put64(target, head + 8, last);
}

/* Thread `i` that glibc started. */
static void put_thread(struct target *target, unsigned i, int32_t tid)
{
	uint64_t address = DESCRIPTOR(i);
	fake_target_map(target, THREAD_STACK(i), STACK_SIZE, "rw-", NULL);
	put_descriptor(target, address, tid);
	fake_target_put64(target, address + START, TEXT + 0x40);
	fake_target_put64(target, address + BLOCK, THREAD_STACK(i));
	fake_target_put64(target, address + BLOCK_SIZE, STACK_SIZE);
	fake_target_put64(target, address + GUARD_SIZE, 0x1000);
}

/* A process whose main thread is PID, with two more running threads (1, 2), one that has exited
 * (3) and a cached stack (4). */
static struct target *process_with_pthreads(void)
{
	struct target *target = target_at(TEXT + 0x10, STACK + 0x800);
	fake_target_map(target, 0x600000, 0x2000, "rw-", "libc.so.6");
	put_descriptor(target, MAIN_DESCRIPTOR, PID);
	fake_target_auxv(target, AT_RANDOM, STACK + 0xf00);
	fake_target_set_register(target, PID, "fs_base", MAIN_DESCRIPTOR);
	for (unsigned i = 1; i <= 4; i++)
		put_thread(target, i, i <= 2 ? PID + (int32_t)i : 0);
	for (int32_t i = 1; i <= 2; i++) {
		fake_target_thread(target, PID + i);
		fake_target_set_register(target, PID + i, "fs_base", DESCRIPTOR(i));
		fake_target_set_register(target, PID + i, "rsp", THREAD_STACK(i) + 0x8000);
	}
	fake_target_put32(target, DESCRIPTOR(3) + CANCEL, 0x10);
	fake_target_put64(target, DESCRIPTOR(3) + RESULT, 0xabcd);
	fake_target_put32(target, DESCRIPTOR(4) + CANCEL, 0x30);
	fake_target_put64(target, DESCRIPTOR(1) + JOINID, DESCRIPTOR(1));
	const uint64_t used[] = { DESCRIPTOR(3) + LIST, DESCRIPTOR(2) + LIST,
				  DESCRIPTOR(1) + LIST };
	const uint64_t user[] = { MAIN_DESCRIPTOR + LIST };
	const uint64_t cache[] = { DESCRIPTOR(4) + LIST };
	link_ring(target, LIST_HEADS, used, 3);
	link_ring(target, LIST_HEADS + 16, user, 1);
	link_ring(target, LIST_HEADS + 32, cache, 1);
	return target;
}

static void open_pthreads(struct opened *opened, struct glibc_pthreads *pthreads,
			  struct target *target)
{
	open_threads(opened, target, 0);
	succeed(glibc_pthreads_open(target, opened->modules, &opened->gaps, pthreads));
}

static void close_pthreads(struct opened *opened, struct glibc_pthreads *pthreads)
{
	glibc_pthreads_free(pthreads);
	close_threads(opened);
}

START_TEST(pthreads_are_found_with_their_states)
{
	static const struct {
		uint64_t address;
		enum glibc_stack_state state;
	} expected[] = {
		{ MAIN_DESCRIPTOR, GLIBC_STACK_RUNNING }, { DESCRIPTOR(1), GLIBC_STACK_RUNNING },
		{ DESCRIPTOR(2), GLIBC_STACK_RUNNING },	  { DESCRIPTOR(3), GLIBC_STACK_EXITED },
		{ DESCRIPTOR(4), GLIBC_STACK_CACHED },
	};
	struct opened opened;
	struct glibc_pthreads pthreads;
	open_pthreads(&opened, &pthreads, process_with_pthreads());
	ck_assert_int_eq(pthreads.layout.evidence, LAYOUT_TABLE);
	ck_assert_int_eq(pthreads.layout.start_routine, START);
	ck_assert_uint_eq(pthreads.count, 5);
	for (size_t i = 0; i < 5; i++) {
		ck_assert_uint_eq(pthreads.items[i].address, expected[i].address);
		ck_assert_int_eq(pthreads.items[i].state, expected[i].state);
	}
	ck_assert_uint_eq(pthreads.items[0].stack_start, STACK);
	ck_assert(pthreads.items[1].detached && !pthreads.items[2].detached);
	ck_assert_uint_eq(pthreads.items[1].stack_start, THREAD_STACK(1) + 0x1000);
	ck_assert_uint_eq(pthreads.items[1].stack_end, THREAD_STACK(1) + STACK_SIZE);
	ck_assert_uint_eq(pthreads.items[3].result, 0xabcd);
	close_pthreads(&opened, &pthreads);
}
END_TEST

START_TEST(pthreads_are_found_with_broken_lists)
{
	struct opened opened;
	struct glibc_pthreads pthreads;
	struct target *target = process_with_pthreads();
	fake_target_put64(target, DESCRIPTOR(2) + LIST, 0x4141414141414141);
	fake_target_put64(target, LIST_HEADS, UINT64_MAX - 3);
	fake_target_put64(target, LIST_HEADS + 32, LIST_HEADS + 32);
	open_pthreads(&opened, &pthreads, target);
	ck_assert_uint_eq(pthreads.count, 5); /* by the tops of their stacks */
	close_pthreads(&opened, &pthreads);
}
END_TEST

/* As glibc 2.42 and newer guard their stacks: without a mapping of the guard's own. */
START_TEST(pthreads_are_found_in_one_mapping)
{
	struct opened opened;
	struct glibc_pthreads pthreads;
	struct target *target = target_at(TEXT + 0x10, STACK + 0x800);
	uint64_t start = THREAD_STACK(1);
	fake_target_map(target, start, 3 * STACK_SIZE, "rw-", NULL);
	for (unsigned i = 0; i < 3; i++) {
		uint64_t address = start + (i + 1) * STACK_SIZE - 0x940;
		put_descriptor(target, address, i == 1 ? PID : 0);
		fake_target_put64(target, address + START, TEXT + 0x40);
		fake_target_put64(target, address + BLOCK, start + i * STACK_SIZE);
		fake_target_put64(target, address + BLOCK_SIZE, STACK_SIZE);
		fake_target_put64(target, address + GUARD_SIZE, 0x1000);
	}
	fake_target_set_register(target, PID, "fs_base", start + 2 * STACK_SIZE - 0x940);
	fake_target_set_register(target, PID, "rsp", start + STACK_SIZE + 0x8000);
	open_pthreads(&opened, &pthreads, target);
	ck_assert_uint_eq(pthreads.count, 3);
	glibc_pthreads_bound_stacks(&pthreads, &opened.threads);
	ck_assert_uint_eq(opened.threads.items[0].stack_end, start + 2 * STACK_SIZE);
	close_pthreads(&opened, &pthreads);
}
END_TEST

START_TEST(list_that_turns_back_on_itself_ends)
{
	struct opened opened;
	struct glibc_pthreads pthreads;
	struct target *target = process_with_pthreads();
	/* 1 → 2 → 1, never the head. */
	fake_target_put64(target, DESCRIPTOR(1) + LIST, DESCRIPTOR(2) + LIST);
	fake_target_put64(target, DESCRIPTOR(2) + LIST, DESCRIPTOR(1) + LIST);
	fake_target_put64(target, DESCRIPTOR(2) + LIST + 8, DESCRIPTOR(1) + LIST);
	fake_target_put64(target, DESCRIPTOR(1) + LIST + 8, DESCRIPTOR(2) + LIST);
	open_pthreads(&opened, &pthreads, target);
	ck_assert_uint_eq(pthreads.count, 5);
	close_pthreads(&opened, &pthreads);
}
END_TEST

START_TEST(newer_row_is_told_by_its_start_routines)
{
	struct opened opened;
	struct glibc_pthreads pthreads;
	struct target *target = process_with_pthreads();
	for (int i = 1; i <= 4; i++) {
		fake_target_put64(target, DESCRIPTOR(i) + START, 0);
		fake_target_put64(target, DESCRIPTOR(i) + START + 8, TEXT + 0x40);
	}
	fake_target_put32(target, DESCRIPTOR(2) + JOINID + 8, 3); /* 2.43's joinstate */
	open_pthreads(&opened, &pthreads, target);
	ck_assert_int_eq(pthreads.layout.start_routine, START + 8);
	ck_assert_int_eq(pthreads.layout.result, RESULT + 8);
	ck_assert(!pthreads.items[1].detached && pthreads.items[2].detached);
	ck_assert_uint_eq(pthreads.count, 5);
	close_pthreads(&opened, &pthreads);
}
END_TEST

START_TEST(other_thread_ids_are_no_glibc)
{
	struct opened opened;
	struct glibc_pthreads pthreads;
	struct target *target = process_with_pthreads();
	fake_target_put32(target, MAIN_DESCRIPTOR + TID, 7);
	for (int i = 1; i <= 2; i++)
		fake_target_put32(target, DESCRIPTOR(i) + TID, 7);
	open_pthreads(&opened, &pthreads, target);
	ck_assert_uint_eq(pthreads.count, 0);
	ck_assert_ptr_null(glibc_pthreads_at(&pthreads, MAIN_DESCRIPTOR));
	bool told = false;
	for (size_t i = 0; i < opened.gaps.list.count; i++)
		told |= strstr(opened.gaps.list.items[i].text, "struct pthread") != NULL;
	ck_assert(told);
	close_pthreads(&opened, &pthreads);
}
END_TEST

START_TEST(stack_that_does_not_hold_its_descriptor_is_unknown)
{
	static const struct {
		uint64_t block, size, guard;
	} bad[] = {
		{ UINT64_MAX, 1, 0 },
		{ 0x1000, UINT64_MAX, 0 },
		{ THREAD_STACK(1), 0x10, 0 },
		{ THREAD_STACK(2), STACK_SIZE, 0 },
	};
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		struct opened opened;
		struct glibc_pthreads pthreads;
		struct target *target = process_with_pthreads();
		fake_target_put64(target, DESCRIPTOR(1) + BLOCK, bad[i].block);
		fake_target_put64(target, DESCRIPTOR(1) + BLOCK_SIZE, bad[i].size);
		open_pthreads(&opened, &pthreads, target);
		ck_assert_uint_eq(pthreads.items[1].stack_end, 0);
		close_pthreads(&opened, &pthreads);
	}
}
END_TEST

START_TEST(pthread_around_an_address)
{
	struct opened opened;
	struct glibc_pthreads pthreads;
	open_pthreads(&opened, &pthreads, process_with_pthreads());
	ck_assert_ptr_eq(glibc_pthreads_at(&pthreads, DESCRIPTOR(2)), &pthreads.items[2]);
	ck_assert_ptr_eq(glibc_pthreads_at(&pthreads, DESCRIPTOR(2) + TID), &pthreads.items[2]);
	ck_assert_ptr_null(glibc_pthreads_at(&pthreads, DESCRIPTOR(2) - 1));
	ck_assert_ptr_null(glibc_pthreads_at(&pthreads, DESCRIPTOR(2) + 0x2000));
	ck_assert_ptr_null(glibc_pthreads_at(&pthreads, UINT64_MAX));
	close_pthreads(&opened, &pthreads);
}
END_TEST

START_TEST(stack_bounds_come_from_struct_pthread)
{
	struct opened opened;
	struct glibc_pthreads pthreads;
	struct target *target = process_with_pthreads();
	fake_target_put64(target, DESCRIPTOR(2) + BLOCK_SIZE, STACK_SIZE - 0x100);
	open_pthreads(&opened, &pthreads, target);
	glibc_pthreads_bound_stacks(&pthreads, &opened.threads);
	const struct thread *thread = threads_find(&opened.threads, PID + 2);
	ck_assert_uint_eq(thread->stack_end, THREAD_STACK(2) + STACK_SIZE - 0x100);
	close_pthreads(&opened, &pthreads);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("threads");
	TCase *stacks = tcase_create("stacks");
	tcase_add_test(stacks, pc_in_code_of_no_module_is_one_frame);
	tcase_add_test(stacks, early_end_is_a_gap);
	tcase_add_test(stacks, call_through_null_goes_on_at_the_return_address);
	tcase_add_test(stacks, call_through_null_needs_a_call_before_the_return_address);
	tcase_add_test(stacks, stack_that_was_not_dumped_is_said);
	tcase_add_test(stacks, every_form_of_call_is_known);
	tcase_add_test(stacks, frame_pointers_lead_on_as_guesses);
	tcase_add_test(stacks, frame_pointer_ring_ends);
	tcase_add_test(stacks, overwritten_frame_pointer_leads_nowhere);
	tcase_add_test(stacks, outermost_frames_are_kept);
	tcase_add_test(stacks, frames_up_to_the_limit_are_complete);
	tcase_add_test(stacks, many_frames_beyond_the_limit_end);
	tcase_add_test(stacks, signal_trampoline_is_crossed_by_its_instructions);
	tcase_add_test(stacks, handler_of_a_call_through_null_shows_the_caller);
	tcase_add_test(stacks, thread_without_registers_says_so);
	suite_add_tcase(suite, stacks);
	TCase *threads = tcase_create("threads");
	tcase_add_test(threads, crashed_thread_comes_first_then_by_tid);
	tcase_add_test(threads, stack_owner_is_the_thread_whose_used_stack_holds_the_address);
	tcase_add_test(threads, equal_stacks_are_grouped);
	tcase_add_test(threads, no_threads_are_no_groups);
	suite_add_tcase(suite, threads);
	TCase *pthreads = tcase_create("pthreads");
	tcase_add_test(pthreads, pthreads_are_found_with_their_states);
	tcase_add_test(pthreads, pthreads_are_found_with_broken_lists);
	tcase_add_test(pthreads, pthreads_are_found_in_one_mapping);
	tcase_add_test(pthreads, list_that_turns_back_on_itself_ends);
	tcase_add_test(pthreads, newer_row_is_told_by_its_start_routines);
	tcase_add_test(pthreads, other_thread_ids_are_no_glibc);
	tcase_add_test(pthreads, stack_that_does_not_hold_its_descriptor_is_unknown);
	tcase_add_test(pthreads, pthread_around_an_address);
	tcase_add_test(pthreads, stack_bounds_come_from_struct_pthread);
	suite_add_tcase(suite, pthreads);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
