/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "analysis/crash.h"

#include "analysis/exception.h"

#include "modules/abort_message.h"
#include "threads/call_target.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

/* How near to the stack pointer a fault must lie to be the stack's own growth: a frame of an
 * ordinary function, and the probes of large ones, are smaller. */
#define STACK_GROWTH 65536

/* si_code of SIGSYS; <signal.h> leaves it out. */
#define CODE_SECCOMP 1

const char *signal_name(int number, char *buffer, size_t size)
{
	static const char *const names[] = {
		[SIGHUP] = "SIGHUP",	   [SIGINT] = "SIGINT",	      [SIGQUIT] = "SIGQUIT",
		[SIGILL] = "SIGILL",	   [SIGTRAP] = "SIGTRAP",     [SIGABRT] = "SIGABRT",
		[SIGBUS] = "SIGBUS",	   [SIGFPE] = "SIGFPE",	      [SIGKILL] = "SIGKILL",
		[SIGUSR1] = "SIGUSR1",	   [SIGSEGV] = "SIGSEGV",     [SIGUSR2] = "SIGUSR2",
		[SIGPIPE] = "SIGPIPE",	   [SIGALRM] = "SIGALRM",     [SIGTERM] = "SIGTERM",
		[SIGSTKFLT] = "SIGSTKFLT", [SIGCHLD] = "SIGCHLD",     [SIGCONT] = "SIGCONT",
		[SIGSTOP] = "SIGSTOP",	   [SIGTSTP] = "SIGTSTP",     [SIGTTIN] = "SIGTTIN",
		[SIGTTOU] = "SIGTTOU",	   [SIGURG] = "SIGURG",	      [SIGXCPU] = "SIGXCPU",
		[SIGXFSZ] = "SIGXFSZ",	   [SIGVTALRM] = "SIGVTALRM", [SIGPROF] = "SIGPROF",
		[SIGWINCH] = "SIGWINCH",   [SIGIO] = "SIGIO",	      [SIGPWR] = "SIGPWR",
		[SIGSYS] = "SIGSYS",
	};
	const int first_realtime = 32, last_realtime = 64;
	if (number > 0 && (size_t)number < sizeof names / sizeof *names && names[number] != NULL)
		snprintf(buffer, size, "%s", names[number]);
	else if (number >= first_realtime && number <= last_realtime)
		/* The kernel's numbering: libc keeps two of them to itself. */
		snprintf(buffer, size, "SIGRTMIN%+d", number - first_realtime - 2);
	else
		snprintf(buffer, size, "signal %d", number);
	return buffer;
}

/* --- an access to memory */

static bool is_canonical(uint64_t address)
{
	const uint64_t high = address >> 47;
	return high == 0 || high == 0x1ffff;
}

static const char *access_words(enum access_kind kind)
{
	static const char *const words[] = {
		[ACCESS_UNKNOWN] = "access to", [ACCESS_READ] = "read of",
		[ACCESS_WRITE] = "write to",	[ACCESS_JUMP] = "jump to",
		[ACCESS_JUMP_VIA] = "read of",
	};
	return words[kind];
}

/* ", through rax = 0x0"; "" for none, or one that always points to the stack. */
static void base_words(const struct access *access, char *buffer, size_t size)
{
	if (access->base == NULL || strcmp(access->base->name, "rsp") == 0)
		buffer[0] = '\0';
	else if (access->base_value == access->address)
		snprintf(buffer, size, ", through %s", access->base->name);
	else
		snprintf(buffer, size, ", through %s = 0x%" PRIx64, access->base->name,
			 access->base_value);
}

/* Where a jump leads that lies in memory. */
static void follow_jump(struct target *target, struct access *access)
{
	uint64_t to;
	if (access->kind != ACCESS_JUMP_VIA || !is_canonical(access->address) ||
	    !address_space_u64(target->space, access->address, &to))
		return;
	*access = (struct access){ .kind = ACCESS_JUMP, .address = to };
}

/* A general protection fault: the kernel does not tell the address, the instruction does. */
static const char *protection_fault(const struct subject *subject, struct crash *crash)
{
	struct access found[ACCESS_MAX];
	char base[64];
	struct string_pool *pool = modules_strings(subject->modules);
	size_t count = 0;
	if (crash->thread != NULL)
		count = access_decode(subject->target, &crash->thread->raw->registers, found);
	for (size_t i = 0; i < count; i++) {
		follow_jump(subject->target, &found[i]);
		if (is_canonical(found[i].address))
			continue;
		crash->access = found[i].kind;
		base_words(&found[i], base, sizeof base);
		return string_pool_format(pool, "%s 0x%" PRIx64 ", which is no valid address%s",
					  access_words(found[i].kind), found[i].address, base);
	}
	if (count > 0 && found[0].address % 16 != 0)
		return string_pool_format(
		    pool,
		    "general protection fault at an access to 0x%" PRIx64
		    ", which is no multiple of 16: some instructions need one",
		    found[0].address);
	return "general protection fault; the kernel recorded no address";
}

static bool is_stack_overflow(const struct subject *subject, const struct crash *crash)
{
	if (crash->thread == NULL || crash->thread->raw->registers.general_size == 0)
		return false;
	const uint64_t address = crash->signal.address;
	const uint64_t sp = arch_sp(subject->target->arch, &crash->thread->raw->registers);
	const uint64_t distance = address > sp ? address - sp : sp - address;
	const struct segment *there = crash->fault.segment;
	if (distance > STACK_GROWTH ||
	    (there != NULL && there->permissions_known && there->permissions != 0))
		return false;
	const struct segment *above =
	    address_space_find(subject->target->space, (address | 0xfff) + 1 + STACK_GROWTH);
	return above != NULL && (above->permissions & SEGMENT_WRITE) != 0;
}

/* What the instruction does at the faulting address, where it is known to do something there;
 * else what the mapping tells, where it forbids one kind only. `base` gets words, or "". */
static enum access_kind access_kind(const struct subject *subject, const struct crash *crash,
				    char *base, size_t size)
{
	const uint64_t widest = 64; /* bytes of an operand */
	const struct thread *thread = crash->thread;
	const struct segment *segment = crash->fault.segment;
	struct access found[ACCESS_MAX];
	base[0] = '\0';
	if (thread != NULL && thread->raw->registers.general_size > 0) {
		if (arch_pc(subject->target->arch, &thread->raw->registers) ==
		    crash->signal.address)
			return ACCESS_JUMP;
		size_t count = access_decode(subject->target, &thread->raw->registers, found);
		for (size_t i = 0; i < count; i++) {
			if (crash->signal.address - found[i].address >= widest)
				continue;
			base_words(&found[i], base, size);
			if (found[i].kind != ACCESS_UNKNOWN)
				return found[i].kind;
		}
	}
	if (crash->signal.code == SEGV_ACCERR && segment != NULL && segment->permissions_known &&
	    (segment->permissions & SEGMENT_READ) != 0)
		return ACCESS_WRITE;
	return ACCESS_UNKNOWN;
}

/* What the mapping forbade, as a clause; "" where nothing was mapped. */
static const char *forbidden_words(const struct crash *crash)
{
	const struct segment *segment = crash->fault.segment;
	if (crash->signal.code != SEGV_ACCERR || segment == NULL || !segment->permissions_known)
		return "";
	if (crash->access == ACCESS_JUMP && (segment->permissions & SEGMENT_EXECUTE) == 0)
		return ", which is not executable";
	if ((segment->permissions & SEGMENT_READ) == 0)
		return ", which may not be accessed";
	return (segment->permissions & SEGMENT_WRITE) == 0 ? ", which is read-only" : "";
}

static const char *segment_words(const struct subject *subject, struct crash *crash)
{
	char base[64];
	struct string_pool *pool = modules_strings(subject->modules);
	const uint64_t address = crash->signal.address;
	if (crash->signal.code == SI_KERNEL)
		return protection_fault(subject, crash);
	describe_address(subject, address, &crash->fault);
	crash->has_fault = true;
	crash->access = access_kind(subject, crash, base, sizeof base);
	const char *kind = access_words(crash->access);
	if (is_stack_overflow(subject, crash))
		return string_pool_format(
		    pool, "stack overflow: %s 0x%" PRIx64 ", just past the end of the stack", kind,
		    address);
	return string_pool_format(pool, "%s 0x%" PRIx64 ", %s%s%s", kind, address,
				  describe_place(subject, &crash->fault), forbidden_words(crash),
				  base);
}

/* --- other signals */

/* What the kernel says with a code: a row for each. */
static const struct {
	int signal, code;
	const char *words;
} reasons[] = {
	{ SIGFPE, FPE_INTDIV, "integer division by zero" },
	{ SIGFPE, FPE_INTOVF, "integer overflow" },
	{ SIGFPE, FPE_FLTDIV, "floating-point division by zero" },
	{ SIGFPE, FPE_FLTOVF, "floating-point overflow" },
	{ SIGFPE, FPE_FLTUND, "floating-point underflow" },
	{ SIGFPE, FPE_FLTRES, "inexact floating-point result" },
	{ SIGFPE, FPE_FLTINV, "invalid floating-point operation" },
	{ SIGBUS, BUS_ADRALN, "misaligned access" },
	{ SIGBUS, BUS_ADRERR, "access behind the end of a mapped file" },
	{ SIGBUS, BUS_OBJERR, "hardware error" },
	{ SIGBUS, BUS_MCEERR_AR, "memory failure (hardware)" },
	{ SIGBUS, BUS_MCEERR_AO, "memory failure (hardware)" },
	{ SIGILL, ILL_ILLOPC, "illegal opcode" },
	{ SIGILL, ILL_ILLOPN, "illegal operand (the compiler's trap, as a rule)" },
	{ SIGILL, ILL_PRVOPC, "privileged instruction" },
	{ SIGTRAP, TRAP_BRKPT, "breakpoint instruction" },
	{ SIGTRAP, SI_KERNEL, "breakpoint instruction" },
	{ SIGSYS, CODE_SECCOMP, "a system call that a seccomp filter forbids" },
};

static const char *reason_words(const struct target_signal *signal)
{
	for (size_t i = 0; i < sizeof reasons / sizeof *reasons; i++)
		if (reasons[i].signal == signal->number && reasons[i].code == signal->code)
			return reasons[i].words;
	return NULL;
}

static bool has_address(int number)
{
	return number == SIGSEGV || number == SIGBUS || number == SIGILL || number == SIGFPE ||
	       number == SIGTRAP;
}

static const char *fault_words(const struct subject *subject, struct crash *crash)
{
	struct string_pool *pool = modules_strings(subject->modules);
	const char *reason = reason_words(&crash->signal);
	if (crash->signal.number == SIGSYS || !has_address(crash->signal.number) ||
	    crash->signal.code == SI_KERNEL)
		return reason != NULL ? reason
				      : string_pool_format(pool, "sent by the kernel (si_code %d)",
							   crash->signal.code);
	describe_address(subject, crash->signal.address, &crash->fault);
	crash->has_fault = true;
	return string_pool_format(pool, "%s at 0x%" PRIx64 ", %s",
				  reason != NULL ? reason : "cause not recorded",
				  crash->signal.address, describe_place(subject, &crash->fault));
}

/* Also where the compiler put the part that does not return elsewhere, without a symbol (libstdc++
 * 16's __cxa_rethrow). */
static bool has_frame(const struct subject *subject, const struct thread *thread,
		      const char *linkage)
{
	for (size_t i = 0; thread != NULL && i < thread->frame_count; i++) {
		const char *name = frame_called_as(subject->target, subject->modules,
						   thread->frames, thread->frame_count, i);
		if (name != NULL && strcmp(name, linkage) == 0)
			return true;
	}
	return false;
}

/* A broken noexcept does not go by way of std::terminate itself, but by functions that have no
 * symbol in a stripped library, save the one that unwinding calls. */
static bool was_terminated(const struct subject *subject, const struct thread *thread)
{
	static const char *const functions[] = {
		"_ZSt9terminatev",
		"_ZN10__cxxabiv111__terminateEPFvvE",
		"_ZN9__gnu_cxx27__verbose_terminate_handlerEv",
		"__cxa_call_terminate",
		"__gxx_personality_v0",
	};
	for (size_t i = 0; i < sizeof functions / sizeof *functions; i++)
		if (has_frame(subject, thread, functions[i]))
			return true;
	return false;
}

/* An exception that is being handled is no cause: one is that is on its way. */
static const char *terminate_words(const struct subject *subject, const struct crash *crash)
{
	const bool thrown = has_frame(subject, crash->thread, "__cxa_throw") ||
			    has_frame(subject, crash->thread, "__cxa_rethrow") ||
			    has_frame(subject, crash->thread, "_Unwind_Resume");
	const char *exception = thrown ? exception_of(subject, crash->thread) : NULL;
	if (exception != NULL)
		return string_pool_format(modules_strings(subject->modules),
					  "an exception that nothing catches: %s (std::terminate)",
					  exception);
	return thrown ? "an exception that nothing catches (std::terminate)"
		      : "the C++ runtime ended the program (std::terminate)";
}

static const char *own_words(const struct subject *subject, const struct crash *crash)
{
	if (crash->signal.number != SIGABRT)
		return "the program sent it to itself";
	if (was_terminated(subject, crash->thread))
		return terminate_words(subject, crash);
	return "the program ended itself (abort)";
}

static const char *sender_words(const struct subject *subject, const struct crash *crash)
{
	const int32_t sender = crash->signal.sender;
	if (sender == 0)
		return "sent by the kernel, or from outside the container";
	if (sender == subject->target->pid)
		return own_words(subject, crash);
	return string_pool_format(modules_strings(subject->modules), "sent by process %" PRId32,
				  sender);
}

static const char *signal_words(const struct subject *subject, struct crash *crash)
{
	if (!crash->signal.has_details)
		return "the core records no details of the signal";
	if (crash->signal.code <= 0)
		return sender_words(subject, crash);
	if (crash->signal.number == SIGSEGV)
		return segment_words(subject, crash);
	return fault_words(subject, crash);
}

/* Whether an instruction did it, at which the PC still stands. A breakpoint's is already past. */
static bool is_fault(const struct crash *crash)
{
	const int number = crash->signal.number;
	return crash->thread != NULL && crash->signal.has_details && crash->signal.code > 0 &&
	       crash->access != ACCESS_JUMP &&
	       (number == SIGSEGV || number == SIGBUS || number == SIGILL || number == SIGFPE);
}

/* A stop holds all threads of a process, as soon as each leaves the kernel. */
static bool was_stopped(const struct target *target)
{
	for (size_t i = 0; i < target->threads.count; i++)
		if (target->threads.items[i].state == 'T')
			return true;
	return false;
}

static void find_without_signal(const struct subject *subject, struct crash *crash)
{
	const struct target *target = subject->target;
	if (target->kind == TARGET_LIVE && was_stopped(target)) {
		crash->without_signal = WITHOUT_SIGNAL_STOPPED;
		crash->text = string_pool_format(
		    modules_strings(subject->modules),
		    "by SIGSTOP or SIGTSTP before corescan looked (kill -CONT %" PRId32
		    " lets it go on)",
		    target->pid);
	} else if (target->kind == TARGET_LIVE) {
		crash->text = "the process runs on";
	} else if (target->from_gcore) {
		crash->text = "a debugger stopped the process and copied it (gcore)";
	} else if (target->threads.count == 0) {
		crash->without_signal = WITHOUT_SIGNAL_UNKNOWN;
		crash->text = "the core holds no thread's notes: whether a signal ended the "
			      "process cannot be told";
	} else {
		crash->text = "stopped: the core names no signal";
	}
}

void crash_find(const struct subject *subject, struct crash *crash)
{
	char name[32];
	*crash = (struct crash){ .signal = subject->target->signal };
	if (crash->signal.number == 0) {
		find_without_signal(subject, crash);
		return;
	}
	crash->signal_name = string_pool_add(modules_strings(subject->modules),
					     signal_name(crash->signal.number, name, sizeof name));
	if (subject->threads != NULL && subject->threads->count > 0 &&
	    subject->threads->items[0].crashed)
		crash->thread = &subject->threads->items[0];
	crash->text = signal_words(subject, crash);
	crash->has_instruction =
	    is_fault(crash) && instruction_find(subject, crash->thread, &crash->instruction);
	if (crash->signal.number == SIGABRT)
		crash->message = modules_abort_message(subject->modules, subject->target);
}
