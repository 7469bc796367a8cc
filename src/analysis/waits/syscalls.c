/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "analysis/waits/syscalls.h"

#include "analysis/waits/frame_names.h"
#include "analysis/waits/known_calls.h"

#include <string.h>

static const struct {
	const struct arch *arch;
	const struct syscall_names *names;
} tables[] = {
	{ &arch_x86_64, &syscall_names_x86_64 },
};

/* The calls that the kernel continues through restart_syscall (ERESTART_RESTARTBLOCK). */
static const char *const restarted[] = { "nanosleep", "clock_nanosleep", "poll", "futex" };

/* The kernel's sleeping functions, as /proc/PID/task/TID/wchan names them. */
static const struct {
	const char *wchan, *syscall;
} sleeping[] = {
	{ "futex_do_wait", "futex" }, /* Linux 6.16 on */
	{ "futex_wait_queue", "futex" },
	{ "futex_wait_queue_me", "futex" },
	{ "hrtimer_nanosleep", "clock_nanosleep" },
	{ "do_nanosleep", "clock_nanosleep" },
	{ "poll_schedule_timeout", "poll" },
	{ "do_poll", "poll" },
	{ "do_sys_poll", "poll" },
};

static const struct syscall_names *table_of(const struct arch *arch)
{
	for (size_t i = 0; i < sizeof tables / sizeof tables[0]; i++)
		if (tables[i].arch == arch)
			return tables[i].names;
	return NULL;
}

const char *syscall_name(const struct arch *arch, int64_t number)
{
	const struct syscall_names *table = table_of(arch);
	if (table == NULL || number < 0 || (uint64_t)number >= table->count)
		return NULL;
	return table->names[number];
}

static bool number_of(const struct arch *arch, const char *name, int64_t *number)
{
	const struct syscall_names *table = table_of(arch);
	for (size_t i = 0; table != NULL && i < table->count; i++) {
		if (table->names[i] != NULL && strcmp(table->names[i], name) == 0) {
			*number = (int64_t)i;
			return true;
		}
	}
	return false;
}

static bool is_restarted(const struct arch *arch, int64_t number)
{
	const char *name = syscall_name(arch, number);
	for (size_t i = 0; name != NULL && i < sizeof restarted / sizeof restarted[0]; i++)
		if (strcmp(restarted[i], name) == 0)
			return true;
	return false;
}

/* x86-64: `mov $number,%eax; syscall` in front of the PC. */
static bool by_instructions(const struct subject *subject, const struct thread *thread,
			    int64_t *number)
{
	const struct target *target = subject->target;
	uint8_t code[7];
	uint64_t pc = arch_pc(target->arch, &thread->raw->registers);
	if (target->arch != &arch_x86_64 || pc < sizeof code ||
	    !address_space_probe(target->space, pc - sizeof code, code, sizeof code) ||
	    code[0] != 0xb8 || code[5] != 0x0f || code[6] != 0x05)
		return false;
	*number = (int64_t)code[1] | (int64_t)code[2] << 8 | (int64_t)code[3] << 16 |
		  (int64_t)code[4] << 24;
	return is_restarted(target->arch, *number);
}

/* glibc from 2.41 on calls __internal_syscall_cancel(a1 … a6, number): the seventh argument lies
 * on the stack, at the stack pointer of the caller. */
static bool by_cancel_frame(const struct subject *subject, const struct thread *thread,
			    int64_t *number)
{
	const struct target *target = subject->target;
	if (target->arch != &arch_x86_64)
		return false;
	for (size_t i = 0; i + 1 < thread->frame_count && i < 4; i++) {
		/* Without libc's debug file these functions have no names. */
		const struct frame *frame = &thread->frames[i];
		bool unnamed = frame->function == NULL && frame_in_runtime(frame);
		if (!unnamed && !frame_is_function(frame, "internal_syscall_cancel") &&
		    !frame_is_function(frame, "syscall_cancel"))
			continue;
		uint64_t value;
		uint64_t sp = thread->frames[i + 1].sp;
		if (sp == 0 || !address_space_u64(target->space, sp, &value))
			continue;
		if (value <= INT32_MAX && is_restarted(target->arch, (int64_t)value)) {
			*number = (int64_t)value;
			return true;
		}
	}
	return false;
}

static bool by_frames(const struct subject *subject, const struct thread *thread, int64_t *number)
{
	static const struct {
		const char *function, *syscall;
	} rows[] = {
		{ "poll", "poll" },
		{ "nanosleep", "clock_nanosleep" },
		{ "clock_nanosleep", "clock_nanosleep" },
		{ "futex_abstimed_wait_common", "futex" },
		{ "futex_abstimed_wait_cancelable", "futex" },
	};
	for (size_t i = 0; i < thread->frame_count && i < 4; i++)
		for (size_t row = 0; row < sizeof rows / sizeof rows[0]; row++)
			if (frame_is_function(&thread->frames[i], rows[row].function))
				return number_of(subject->target->arch, rows[row].syscall, number);
	return known_call_find(subject, thread).kind != WAIT_NONE &&
	       number_of(subject->target->arch, "futex", number);
}

/* Through libc's syscall(), where the instructions do not tell: with a futex's operation, and a
 * futex word and a timeout that can be read, it is one. */
static bool by_arguments(const struct subject *subject, const struct thread *thread,
			 int64_t *number)
{
	const struct target *target = subject->target;
	const struct registers *registers = &thread->raw->registers;
	uint64_t word = arch_syscall_argument(target->arch, registers, 0);
	uint64_t operation = arch_syscall_argument(target->arch, registers, 1);
	uint64_t timeout = arch_syscall_argument(target->arch, registers, 3), seconds;
	uint32_t value;
	uint64_t command = operation & ~UINT64_C(0x180); /* private, and by CLOCK_REALTIME */
	if (thread->frame_count == 0 || !frame_is_function(&thread->frames[0], "syscall") ||
	    (command != 0 && command != 9) || word % 4 != 0 || timeout == 0)
		return false;
	return address_space_u32(target->space, word, &value) &&
	       address_space_u64(target->space, timeout, &seconds) &&
	       number_of(target->arch, "futex", number);
}

static bool by_wchan(const struct subject *subject, const struct thread *thread, int64_t *number)
{
	/* Compilers add suffixes: "poll_schedule_timeout.constprop.0". */
	size_t length = strcspn(thread->raw->wchan, ".");
	for (size_t i = 0; i < sizeof sleeping / sizeof sleeping[0]; i++)
		if (strlen(sleeping[i].wchan) == length &&
		    memcmp(sleeping[i].wchan, thread->raw->wchan, length) == 0)
			return number_of(subject->target->arch, sleeping[i].syscall, number);
	return false;
}

bool syscall_restarted(const struct subject *subject, const struct thread *thread, int64_t *number,
		       const char **evidence)
{
	static const struct {
		bool (*find)(const struct subject *subject, const struct thread *thread,
			     int64_t *number);
		const char *evidence;
	} ways[] = {
		{ by_instructions, "restarted call, its number from the instructions" },
		{ by_cancel_frame, "restarted call, its number from the stack" },
		{ by_frames, "restarted call, known by its frame" },
		{ by_wchan, "restarted call, known by where the kernel sleeps" },
		{ by_arguments, "restarted call, its arguments are a futex's" },
	};
	for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
		if (ways[i].find(subject, thread, number)) {
			*evidence = ways[i].evidence;
			return true;
		}
	}
	return false;
}

bool syscall_interrupted(int64_t result)
{
	return result == -4 || (result <= -512 && result >= -516);
}
