/* What killed a process: the decoding of instructions, and the words for signals.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "analysis/crash.h"
#include "fake_target.h"

#include <check.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

/* --- instructions, as the assembler encodes them */

static const struct {
	const char *words, *bytes;
	size_t size, count;
	enum access_kind kind;
	uint64_t address;
	const char *base;
} instructions[] = {
	/* clang-format off */
	{ "mov 0x18(%rax),%rdx", "\x48\x8b\x50\x18", 4, 1, ACCESS_READ, 0x10018, "rax" },
	{ "mov %rdx,0x8(%rcx)", "\x48\x89\x51\x08", 4, 1, ACCESS_WRITE, 0x20008, "rcx" },
	{ "mov (%r12),%rax", "\x49\x8b\x04\x24", 4, 1, ACCESS_READ, 0xd0000, "r12" },
	{ "mov -0x8(%r13),%eax", "\x41\x8b\x45\xf8", 4, 1, ACCESS_READ, 0xdfff8, "r13" },
	{ "mov 0x10(%rax,%rbx,4),%rcx", "\x48\x8b\x4c\x98\x10", 5, 1, ACCESS_READ, 0x110010, "rax" },
	{ "mov (%rax,%r9,2),%rcx", "\x4a\x8b\x0c\x48", 4, 1, ACCESS_READ, 0x150000, "rax" },
	{ "mov 0x1000(,%rdi,8),%rax", "\x48\x8b\x04\xfd\x00\x10\x00\x00", 8, 1, ACCESS_READ, 0x401000, NULL },
	{ "mov %fs:0x28,%rax", "\x64\x48\x8b\x04\x25\x28\x00\x00\x00", 9, 1, ACCESS_READ, 0x1000028, NULL },
	{ "movzbl (%rsi),%eax", "\x0f\xb6\x06", 3, 1, ACCESS_READ, 0x70000, "rsi" },
	{ "movb $0x1,(%rdi)", "\xc6\x07\x01", 3, 1, ACCESS_WRITE, 0x80000, "rdi" },
	{ "addq $0x1,0x40(%rax)", "\x48\x83\x40\x40\x01", 5, 1, ACCESS_WRITE, 0x10040, "rax" },
	{ "cmpl $0x0,(%rdx)", "\x83\x3a\x00", 3, 1, ACCESS_READ, 0x30000, "rdx" },
	{ "cmp %rax,(%rdx)", "\x48\x39\x02", 3, 1, ACCESS_READ, 0x30000, "rdx" },
	{ "add (%rdx),%rax", "\x48\x03\x02", 3, 1, ACCESS_READ, 0x30000, "rdx" },
	{ "add %rax,(%rdx)", "\x48\x01\x02", 3, 1, ACCESS_WRITE, 0x30000, "rdx" },
	{ "testb $0x1,(%rdx)", "\xf6\x02\x01", 3, 1, ACCESS_READ, 0x30000, "rdx" },
	{ "notl (%rdx)", "\xf7\x12", 2, 1, ACCESS_WRITE, 0x30000, "rdx" },
	{ "divq (%rcx)", "\x48\xf7\x31", 3, 1, ACCESS_READ, 0x20000, "rcx" },
	{ "call *0x8(%rax)", "\xff\x50\x08", 3, 1, ACCESS_JUMP_VIA, 0x10008, "rax" },
	{ "jmp *%r11", "\x41\xff\xe3", 3, 1, ACCESS_JUMP, 0xc0000, "r11" },
	{ "call *%rax", "\xff\xd0", 2, 1, ACCESS_JUMP, 0x10000, "rax" },
	{ "ret", "\xc3", 1, 1, ACCESS_JUMP_VIA, 0x50000, "rsp" },
	{ "push %rbx", "\x53", 1, 1, ACCESS_WRITE, 0x4fff8, "rsp" },
	{ "pop %r12", "\x41\x5c", 2, 1, ACCESS_READ, 0x50000, "rsp" },
	{ "call .+0x1000", "\xe8\xfb\x0f\x00\x00", 5, 1, ACCESS_WRITE, 0x4fff8, "rsp" },
	{ "rep stosq", "\xf3\x48\xab", 3, 1, ACCESS_WRITE, 0x80000, "rdi" },
	{ "lodsb", "\xac", 1, 1, ACCESS_READ, 0x70000, "rsi" },
	{ "movaps %xmm0,-0x10(%rbp)", "\x0f\x29\x45\xf0", 4, 1, ACCESS_WRITE, 0x5fff0, "rbp" },
	{ "movups (%r8),%xmm1", "\x41\x0f\x10\x08", 4, 1, ACCESS_READ, 0x90000, "r8" },
	{ "movq (%rax),%xmm0", "\xf3\x0f\x7e\x00", 4, 1, ACCESS_READ, 0x10000, "rax" },
	{ "movq %xmm0,(%rax)", "\x66\x0f\xd6\x00", 4, 1, ACCESS_WRITE, 0x10000, "rax" },
	{ "vmovdqu (%rdi),%ymm0", "\xc5\xfe\x6f\x07", 4, 1, ACCESS_READ, 0x80000, "rdi" },
	{ "vmovdqu %ymm0,(%rdi)", "\xc5\xfe\x7f\x07", 4, 1, ACCESS_WRITE, 0x80000, "rdi" },
	{ "vmovdqu (%r10),%ymm0", "\xc4\xc1\x7e\x6f\x02", 5, 1, ACCESS_READ, 0xb0000, "r10" },
	{ "vpbroadcastb (%rsi),%xmm0", "\xc4\xe2\x79\x78\x06", 5, 1, ACCESS_READ, 0x70000, "rsi" },
	{ "vextracti128 $1,%ymm0,(%rsi)", "\xc4\xe3\x7d\x39\x06\x01", 6, 1, ACCESS_WRITE, 0x70000, "rsi" },
	{ "pshufb (%rsi),%xmm0", "\x66\x0f\x38\x00\x06", 5, 1, ACCESS_READ, 0x70000, "rsi" },
	{ "lock cmpxchg %rcx,(%rdx)", "\xf0\x48\x0f\xb1\x0a", 5, 1, ACCESS_WRITE, 0x30000, "rdx" },
	{ "lock xadd %eax,0x4(%rbx)", "\xf0\x0f\xc1\x43\x04", 5, 1, ACCESS_WRITE, 0x40004, "rbx" },
	{ "sete (%rax)", "\x0f\x94\x00", 3, 1, ACCESS_WRITE, 0x10000, "rax" },
	{ "movnti %rax,(%rcx)", "\x48\x0f\xc3\x01", 4, 1, ACCESS_WRITE, 0x20000, "rcx" },
	{ "cmovne (%rcx),%rax", "\x48\x0f\x45\x01", 4, 1, ACCESS_READ, 0x20000, "rcx" },
	{ "imul (%rcx),%rax", "\x48\x0f\xaf\x01", 4, 1, ACCESS_READ, 0x20000, "rcx" },
	{ "bts %rax,(%rcx)", "\x48\x0f\xab\x01", 4, 1, ACCESS_WRITE, 0x20000, "rcx" },
	{ "movslq (%rcx),%rax", "\x48\x63\x01", 3, 1, ACCESS_READ, 0x20000, "rcx" },
	{ "pushq 0x8(%rcx)", "\xff\x71\x08", 3, 1, ACCESS_READ, 0x20008, "rcx" },
	{ "fldt (%rax)", "\xdb\x28", 2, 1, ACCESS_UNKNOWN, 0x10000, "rax" },
	{ "lea 0x8(%rax),%rbx", "\x48\x8d\x58\x08", 4, 0, ACCESS_UNKNOWN, 0, NULL },
	{ "mov %rax,%rbx", "\x48\x89\xc3", 3, 0, ACCESS_UNKNOWN, 0, NULL },
	{ "mov 0x10(%rip),%rax", "\x48\x8b\x05\x10\x00\x00\x00", 7, 0, ACCESS_UNKNOWN, 0, NULL },
	{ "nopw 0x0(%rax,%rax,1)", "\x66\x0f\x1f\x04\x00", 5, 0, ACCESS_UNKNOWN, 0, NULL },
	{ "jne .+0x1000", "\x0f\x85\xfa\x0f\x00\x00", 6, 0, ACCESS_UNKNOWN, 0, NULL },
	{ "mov (%eax),%ecx", "\x67\x8b\x08", 3, 0, ACCESS_UNKNOWN, 0, NULL },
	{ "vmovdqu64 (%rax),%zmm0", "\x62\xf1\xfe\x48\x6f\x00", 6, 0, ACCESS_UNKNOWN, 0, NULL },
	{ "syscall", "\x0f\x05", 2, 0, ACCESS_UNKNOWN, 0, NULL },
	{ "mov $0x12345678,%eax", "\xb8\x78\x56\x34\x12", 5, 0, ACCESS_UNKNOWN, 0, NULL },
	/* clang-format on */
};

static const char *const names[] = { "rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi",
				     "r8",  "r9",  "r10", "r11", "r12", "r13", "r14", "r15" };

/* Each general register holds its number, from 1, times 0x10000. */
static struct target *target_with_registers(void)
{
	struct target *target = fake_target_new();
	fake_target_thread(target, 7);
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		fake_target_set_register(target, 7, names[i], (i + 1) * 0x10000);
	fake_target_set_register(target, 7, "fs_base", 0x1000000);
	return target;
}

START_TEST(instructions_tell_their_memory_operand)
{
	struct access found[ACCESS_MAX];
	struct target *target = target_with_registers();
	const uint8_t *bytes = (const uint8_t *)instructions[_i].bytes;
	const size_t count = access_decode_x86_64(target->arch, &target->threads.items[0].registers,
						  bytes, instructions[_i].size, found);
	ck_assert_msg(count == instructions[_i].count, "%s: %zu accesses", instructions[_i].words,
		      count);
	if (count == 1) {
		const char *base = found[0].base != NULL ? found[0].base->name : "none";
		const char *expected =
		    instructions[_i].base != NULL ? instructions[_i].base : "none";
		ck_assert_msg(found[0].kind == instructions[_i].kind, "%s: kind %d",
			      instructions[_i].words, found[0].kind);
		ck_assert_msg(found[0].address == instructions[_i].address, "%s: 0x%lx",
			      instructions[_i].words, (unsigned long)found[0].address);
		ck_assert_msg(strcmp(base, expected) == 0, "%s: %s", instructions[_i].words, base);
	}
	target_close(target);
}
END_TEST

START_TEST(a_string_move_reads_and_writes)
{
	struct access found[ACCESS_MAX];
	struct target *target = target_with_registers();
	const struct registers *registers = &target->threads.items[0].registers;
	const uint8_t *bytes = (const uint8_t *)"\xf3\xa4"; /* rep movsb */
	ck_assert_uint_eq(access_decode_x86_64(target->arch, registers, bytes, 2, found), 2);
	ck_assert_int_eq(found[0].kind, ACCESS_READ);
	ck_assert_uint_eq(found[0].address, 0x70000);
	ck_assert_int_eq(found[1].kind, ACCESS_WRITE);
	ck_assert_uint_eq(found[1].address, 0x80000);
	target_close(target);
}
END_TEST

/* Any bytes at all, from the end of readable memory backwards: nothing is read past them. */
START_TEST(garbage_is_decoded_without_harm)
{
	struct access found[ACCESS_MAX];
	struct target *target = target_with_registers();
	const struct registers *registers = &target->threads.items[0].registers;
	unsigned seed = 1;
	for (unsigned round = 0; round < 200000; round++) {
		size_t size = round % 16;
		uint8_t *bytes = malloc(size + 1);
		for (size_t i = 0; i < size; i++)
			bytes[i] = (uint8_t)((seed = seed * 1103515245 + 12345) >> 16);
		ck_assert_uint_le(access_decode_x86_64(target->arch, registers, bytes, size, found),
				  ACCESS_MAX);
		free(bytes);
	}
	target_close(target);
}
END_TEST

/* --- words */

#define CODE  0x400000
#define DATA  0x500000
#define STACK 0x7f0000010000

struct scene {
	struct target *target;
	struct modules *modules;
	struct thread thread, *by_stack;
	struct threads threads;
	struct gaps gaps;
	struct subject subject;
	struct crash crash;
};

/* A thread at CODE, where `bytes` are the instruction, that got `signal`. */
static void scene_begin(struct scene *scene, struct target_signal signal, const void *bytes,
			size_t size)
{
	static const struct modules_options options = { 0 };
	memset(scene, 0, sizeof *scene);
	scene->target = target_with_registers();
	fake_target_map(scene->target, CODE, 0x1000, "r-xp", NULL);
	fake_target_map(scene->target, DATA, 0x1000, "r--p", NULL);
	fake_target_map(scene->target, STACK, 0x20000, "rw-p", NULL);
	fake_target_seal(scene->target);
	fake_target_put(scene->target, CODE, bytes, size);
	fake_target_set_register(scene->target, 7, "rip", CODE);
	fake_target_set_register(scene->target, 7, "rsp", STACK + 0x8000);
	scene->target->pid = 7;
	scene->target->signal = signal;
	ck_assert_ptr_null(modules_open(scene->target, &options, &scene->gaps, &scene->modules));
	scene->thread =
	    (struct thread){ .raw = &scene->target->threads.items[0], .tid = 7, .crashed = true };
	scene->by_stack = &scene->thread;
	scene->threads =
	    (struct threads){ .items = &scene->thread, .count = 1, .by_stack = &scene->by_stack };
	scene->subject = (struct subject){ .target = scene->target,
					   .modules = scene->modules,
					   .threads = &scene->threads,
					   .gaps = &scene->gaps };
}

static void scene_end(struct scene *scene)
{
	modules_free(scene->modules);
	target_close(scene->target);
	gaps_free(&scene->gaps);
}

static void check_words(struct scene *scene, const char *expected)
{
	crash_find(&scene->subject, &scene->crash);
	ck_assert_str_eq(scene->crash.text, expected);
	ck_assert_ptr_eq(scene->crash.thread, &scene->thread);
	scene_end(scene);
}

static struct target_signal fault(int number, int code, uint64_t address)
{
	return (struct target_signal){
		.number = number, .code = code, .has_details = true, .address = address
	};
}

static struct target_signal sent(int number, int32_t sender)
{
	return (struct target_signal){
		.number = number, .code = SI_USER, .has_details = true, .sender = sender
	};
}

START_TEST(a_null_pointer_names_its_register)
{
	struct scene scene;
	scene_begin(&scene, fault(SIGSEGV, SEGV_MAPERR, 0x18), "\x48\x8b\x50\x18", 4);
	fake_target_set_register(scene.target, 7, "rax", 0);
	crash_find(&scene.subject, &scene.crash);
	ck_assert_str_eq(scene.crash.signal_name, "SIGSEGV");
	ck_assert_int_eq(scene.crash.access, ACCESS_READ);
	ck_assert(scene.crash.has_fault);
	check_words(&scene, "read of 0x18, not mapped (null + 24), through rax = 0x0");
}
END_TEST

static void check_instruction(const void *bytes, size_t size, const char *text,
			      const char *registers)
{
	struct scene scene;
	char told[64] = "";
	scene_begin(&scene, fault(SIGSEGV, SEGV_MAPERR, 0x18), bytes, size);
	crash_find(&scene.subject, &scene.crash);
	ck_assert(scene.crash.has_instruction);
	ck_assert_str_eq(scene.crash.instruction.text, text);
	ck_assert_uint_eq(scene.crash.instruction.address, CODE);
	for (size_t i = 0; i < scene.crash.instruction.register_count; i++) {
		strcat(told, scene.crash.instruction.registers[i].name);
		strcat(told, " ");
	}
	ck_assert_str_eq(told, registers);
	scene_end(&scene);
}

START_TEST(the_instruction_is_told_with_what_it_reads)
{
	check_instruction("\x48\x8b\x50\x18", 4, "mov 0x18(%rax),%rdx", "rax ");
	check_instruction("\x44\x89\x0c\x37", 4, "mov %r9d,(%rdi,%rsi,1)", "rdi rsi r9 ");
	check_instruction("\x88\x20", 2, "mov %ah,(%rax)", "rax ");
	check_instruction("\x48\x01\xd0", 3, "add %rdx,%rax", "rdx rax ");
	check_instruction("\xff\x10", 2, "call *(%rax)", "rax ");
	check_instruction("\xf3\xa4", 2, "rep movsb %ds:(%rsi),%es:(%rdi)", "rsi rdi ");
	check_instruction("\x64\x48\x8b\x04\x25\x28\0\0\0", 9, "mov %fs:0x28,%rax", "fs_base ");
}
END_TEST

START_TEST(what_is_no_code_is_not_disassembled)
{
	static const uint64_t places[] = { DATA, 0x1000, CODE + 0xfff };
	for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
		struct scene scene;
		scene_begin(&scene, fault(SIGSEGV, SEGV_MAPERR, 0x18), "\x90", 1);
		fake_target_put(scene.target, CODE + 0xfff, "\x48", 1); /* it is cut off */
		fake_target_put(scene.target, DATA, "\x90", 1);
		fake_target_set_register(scene.target, 7, "rip", places[i]);
		crash_find(&scene.subject, &scene.crash);
		ck_assert(!scene.crash.has_instruction);
		scene_end(&scene);
	}
	struct scene scene;
	scene_begin(&scene, fault(SIGSEGV, SEGV_MAPERR, 0x18), "\x06", 1); /* no instruction */
	crash_find(&scene.subject, &scene.crash);
	ck_assert(!scene.crash.has_instruction);
	scene_end(&scene);
	scene_begin(&scene, sent(SIGABRT, 4711), "\x90", 1); /* not the instruction's fault */
	crash_find(&scene.subject, &scene.crash);
	ck_assert(!scene.crash.has_instruction);
	scene_end(&scene);
}
END_TEST

/* The operand lies elsewhere: what the instruction does there tells nothing of this fault. */
START_TEST(an_instruction_that_does_not_fit_is_not_believed)
{
	struct scene scene;
	scene_begin(&scene, fault(SIGSEGV, SEGV_MAPERR, 0x18), "\x48\x8b\x50\x18", 4);
	check_words(&scene, "access to 0x18, not mapped (null + 24)");
}
END_TEST

START_TEST(a_wild_pointer_is_found_by_its_instruction)
{
	struct scene scene;
	scene_begin(&scene, fault(SIGSEGV, SI_KERNEL, 0), "\x48\x89\x51\x08", 4);
	fake_target_set_register(scene.target, 7, "rcx", 0x4141414141414141);
	check_words(&scene, "write to 0x4141414141414149, which is no valid address, through "
			    "rcx = 0x4141414141414141");
	scene_begin(&scene, fault(SIGSEGV, SI_KERNEL, 0), "\xc3", 1);
	fake_target_put64(scene.target, STACK + 0x8000, 0x4242424242424242);
	check_words(&scene, "jump to 0x4242424242424242, which is no valid address");
	scene_begin(&scene, fault(SIGSEGV, SI_KERNEL, 0), "\xf4", 1); /* hlt */
	check_words(&scene, "general protection fault; the kernel recorded no address");
	scene_begin(&scene, fault(SIGSEGV, SI_KERNEL, 0), "\x0f\x29\x45\xf0", 4);
	fake_target_set_register(scene.target, 7, "rbp", STACK + 8);
	check_words(&scene, "general protection fault at an access to 0x7f000000fff8, which is no "
			    "multiple of 16: some instructions need one");
}
END_TEST

START_TEST(what_the_mapping_forbids_is_said)
{
	struct scene scene;
	scene_begin(&scene, fault(SIGSEGV, SEGV_ACCERR, DATA + 8), "\x90", 1);
	crash_find(&scene.subject, &scene.crash);
	ck_assert_int_eq(scene.crash.access, ACCESS_WRITE);
	ck_assert_ptr_nonnull(strstr(scene.crash.text, "write to 0x500008, "));
	ck_assert_ptr_nonnull(strstr(scene.crash.text, ", which is read-only"));
	scene_end(&scene);
	scene_begin(&scene, fault(SIGSEGV, SEGV_ACCERR, DATA + 8), "\x90", 1);
	fake_target_set_register(scene.target, 7, "rip", DATA + 8);
	crash_find(&scene.subject, &scene.crash);
	ck_assert_ptr_nonnull(strstr(scene.crash.text, "jump to 0x500008, "));
	ck_assert_ptr_nonnull(strstr(scene.crash.text, ", which is not executable"));
	scene_end(&scene);
}
END_TEST

START_TEST(a_stack_that_ran_out_is_said)
{
	struct scene scene;
	scene_begin(&scene, fault(SIGSEGV, SEGV_MAPERR, STACK - 8), "\x53", 1);
	fake_target_set_register(scene.target, 7, "rsp", STACK);
	check_words(&scene,
		    "stack overflow: write to 0x7f000000fff8, just past the end of the stack");
	/* Near the stack pointer, but nothing of a stack is near. */
	scene_begin(&scene, fault(SIGSEGV, SEGV_MAPERR, 0x4ffff8), "\x53", 1);
	fake_target_set_register(scene.target, 7, "rsp", 0x500000);
	check_words(&scene, "write to 0x4ffff8, not mapped");
}
END_TEST

START_TEST(other_signals_say_why_and_who)
{
	struct scene scene;
	scene_begin(&scene, sent(SIGTERM, 4711), "\x90", 1);
	check_words(&scene, "sent by process 4711");
	scene_begin(&scene, sent(SIGABRT, 7), "\x90", 1);
	check_words(&scene, "the program ended itself (abort)");
	scene_begin(&scene, sent(SIGSEGV, 7), "\x90", 1);
	check_words(&scene, "the program sent it to itself");
	scene_begin(&scene, fault(SIGFPE, FPE_INTDIV, 0x10), "\x90", 1);
	check_words(&scene, "integer division by zero at 0x10, not mapped (null + 16)");
	scene_begin(&scene, (struct target_signal){ .number = SIGQUIT }, "\x90", 1);
	check_words(&scene, "the core records no details of the signal");
	scene_begin(&scene, fault(SIGIO, 3, 0), "\x90", 1);
	check_words(&scene, "sent by the kernel (si_code 3)");
}
END_TEST

START_TEST(an_uncaught_exception_is_told_by_its_frames)
{
	struct frame frames[] = { { .linkage = "abort" },
				  { .linkage = "_ZSt9terminatev" },
				  { .linkage = "__cxa_throw" } };
	struct scene scene;
	scene_begin(&scene, sent(SIGABRT, 7), "\x90", 1);
	scene.thread.frames = frames;
	scene.thread.frame_count = 3;
	check_words(&scene, "an exception that nothing catches (std::terminate)");
}
END_TEST

START_TEST(without_a_signal_nothing_crashed)
{
	struct crash crash;
	struct target target = { .kind = TARGET_LIVE };
	struct subject subject = { .target = &target };
	crash_find(&subject, &crash);
	ck_assert_str_eq(crash.text, "the process runs on");
	ck_assert_ptr_null(crash.signal_name);
	ck_assert_int_eq(crash.without_signal, WITHOUT_SIGNAL_RUNS);
	target = (struct target){ .kind = TARGET_CORE, .from_gcore = true };
	crash_find(&subject, &crash);
	ck_assert_str_eq(crash.text, "a debugger stopped the process and copied it (gcore)");
	target = (struct target){ .kind = TARGET_CORE };
	crash_find(&subject, &crash);
	ck_assert_int_eq(crash.without_signal, WITHOUT_SIGNAL_UNKNOWN);
	ck_assert_ptr_nonnull(strstr(crash.text, "cannot be told"));
}
END_TEST

START_TEST(a_stop_before_us_is_told)
{
	struct scene scene;
	scene_begin(&scene, (struct target_signal){ 0 }, "\x90", 1);
	scene.target->kind = TARGET_LIVE;
	scene.target->threads.items[0].state = 'S';
	crash_find(&scene.subject, &scene.crash);
	ck_assert_int_eq(scene.crash.without_signal, WITHOUT_SIGNAL_RUNS);
	scene.target->threads.items[0].state = 'T';
	crash_find(&scene.subject, &scene.crash);
	ck_assert_int_eq(scene.crash.without_signal, WITHOUT_SIGNAL_STOPPED);
	ck_assert_ptr_nonnull(strstr(scene.crash.text, "kill -CONT 7 lets it go on"));
	scene.target->kind = TARGET_MEMORY;
	scene_end(&scene);
}
END_TEST

START_TEST(signals_have_names)
{
	char name[32];
	ck_assert_str_eq(signal_name(SIGSEGV, name, sizeof name), "SIGSEGV");
	ck_assert_str_eq(signal_name(34, name, sizeof name), "SIGRTMIN+0");
	ck_assert_str_eq(signal_name(64, name, sizeof name), "SIGRTMIN+30");
	ck_assert_str_eq(signal_name(32, name, sizeof name), "SIGRTMIN-2");
	ck_assert_str_eq(signal_name(99, name, sizeof name), "signal 99");
	ck_assert_str_eq(signal_name(-1, name, sizeof name), "signal -1");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("crash");
	TCase *all = tcase_create("all");
	tcase_add_loop_test(all, instructions_tell_their_memory_operand, 0,
			    sizeof instructions / sizeof *instructions);
	tcase_add_test(all, a_string_move_reads_and_writes);
	tcase_add_test(all, garbage_is_decoded_without_harm);
	tcase_add_test(all, a_null_pointer_names_its_register);
	tcase_add_test(all, an_instruction_that_does_not_fit_is_not_believed);
	tcase_add_test(all, a_wild_pointer_is_found_by_its_instruction);
	tcase_add_test(all, what_the_mapping_forbids_is_said);
	tcase_add_test(all, a_stack_that_ran_out_is_said);
	tcase_add_test(all, other_signals_say_why_and_who);
	tcase_add_test(all, an_uncaught_exception_is_told_by_its_frames);
	tcase_add_test(all, without_a_signal_nothing_crashed);
	tcase_add_test(all, a_stop_before_us_is_told);
	tcase_add_test(all, the_instruction_is_told_with_what_it_reads);
	tcase_add_test(all, what_is_no_code_is_not_disassembled);
	tcase_add_test(all, signals_have_names);
	suite_add_tcase(suite, all);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	const int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
