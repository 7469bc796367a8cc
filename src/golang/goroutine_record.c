/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "golang/goroutine_record.h"

#include <string.h>

#define G_SIZE_MAX 1024

/* Of runtime.g's .atomicstatus; the collector adds a bit while it scans the stack. */
enum {
	STATUS_IDLE,
	STATUS_RUNNABLE,
	STATUS_RUNNING,
	STATUS_SYSCALL,
	STATUS_WAITING,
	STATUS_DEAD = 6,
	STATUS_COPYSTACK = 8,
	STATUS_PREEMPTED = 9,
	STATUS_LEAKED = 10,	/* since Go 1.26: waits, and was found to be leaked */
	STATUS_DEAD_EXTRA = 11, /* since Go 1.26 */
	STATUS_SCAN = 0x1000,
};

static size_t g_size(const struct go_process *process)
{
	uint64_t offset, size = 0;
	for (enum go_field i = GO_G_STACK_LO; i <= GO_G_TIMER; i++)
		if (go_offset(process, i, &offset) && offset + 8 > size)
			size = offset + 8;
	return size < G_SIZE_MAX ? size : G_SIZE_MAX;
}

void goroutine_reader_init(const struct go_process *process, struct goroutine_reader *reader)
{
	reader->process = process;
	reader->g_size = g_size(process);
	for (unsigned i = 0; i < GO_REASONS_MAX; i++)
		reader->reasons[i] = go_wait_reason(process, i);
}

static uint64_t field(const struct goroutine_reader *reader, const uint8_t *g, enum go_field which,
		      size_t size)
{
	uint64_t offset;
	if (!go_offset(reader->process, which, &offset) || offset + size > reader->g_size)
		return 0;
	return bytes_unsigned(g + offset, size, false);
}

static bool state_of(uint64_t status, enum go_state *state)
{
	switch (status & ~(uint64_t)STATUS_SCAN) {
	case STATUS_RUNNABLE:
		*state = GO_RUNNABLE;
		return true;
	case STATUS_RUNNING:
		*state = GO_RUNNING;
		return true;
	case STATUS_SYSCALL:
		*state = GO_IN_SYSCALL;
		return true;
	case STATUS_WAITING:
	case STATUS_LEAKED:
		*state = GO_WAITING;
		return true;
	case STATUS_PREEMPTED:
		*state = GO_PREEMPTED;
		return true;
	case STATUS_IDLE:
	case STATUS_COPYSTACK:
		*state = GO_STARTING;
		return true;
	default:
		return false;
	}
}

const struct target_thread *goroutine_thread(const struct target *target, uint64_t procid)
{
	for (size_t i = 0; procid != 0 && i < target->threads.count; i++) {
		const struct target_thread *thread = &target->threads.items[i];
		if ((uint64_t)thread->tid == procid || (uint64_t)thread->inner_tid == procid)
			return thread;
	}
	return NULL;
}

/* Whether a goroutine that runs can stand at `pc` and `sp`. */
static bool plausible(const struct go_process *process, const struct goroutine *goroutine,
		      uint64_t pc, uint64_t sp)
{
	struct go_function function;
	return sp >= goroutine->stack_low && sp < goroutine->stack_high &&
	       go_function_at(process, pc, &function);
}

/* The registers that the kernel saved when a signal came: struct ucontext names the signal stack,
 * which is the m's gsignal's, at 16; on x86-64 RSP and RIP are the 16th and 17th of its general
 * registers, which begin at 40. */
static bool before_signal(const struct go_process *process, uint64_t m, struct goroutine *goroutine)
{
	uint64_t gsignal = go_pointer(process, m, GO_M_GSIGNAL), low, high, stack, size, pc, sp;
	if (gsignal == 0)
		return false;
	low = go_pointer(process, gsignal, GO_G_STACK_LO);
	high = go_pointer(process, gsignal, GO_G_STACK_HI);
	if (low == 0 || high - low > 1 << 20)
		return false;
	for (uint64_t at = low; at + 160 <= high; at += 8) {
		if (!address_space_u64(process->space, at, &stack) || stack != low ||
		    !address_space_u64(process->space, at + 16, &size) || size > high - low ||
		    !address_space_u64(process->space, at + 24 + 15 * 8, &sp) ||
		    !address_space_u64(process->space, at + 24 + 16 * 8, &pc) ||
		    !plausible(process, goroutine, pc, sp))
			continue;
		goroutine->pc = pc;
		goroutine->sp = sp;
		return true;
	}
	return false;
}

/* A running goroutine's place is in its thread's registers; in the signal frame, where the thread
 * handles a signal; or saved, where the thread does the runtime's work on a stack of its own. */
static void place_running(const struct go_process *process, uint64_t m, struct goroutine *goroutine)
{
	const struct target *target = process->target;
	uint64_t procid = go_pointer(process, m, GO_M_PROCID);
	const struct target_thread *thread = goroutine_thread(target, procid);
	goroutine->tid = thread != NULL ? thread->tid : 0;
	goroutine->exact = true;
	if (thread != NULL) {
		uint64_t pc = arch_pc(target->arch, &thread->registers);
		uint64_t sp = arch_sp(target->arch, &thread->registers);
		if (plausible(process, goroutine, pc, sp)) {
			goroutine->pc = pc;
			goroutine->sp = sp;
			return;
		}
	}
	if (before_signal(process, m, goroutine))
		return;
	uint64_t pc = go_pointer(process, goroutine->address, GO_G_SCHED_PC);
	uint64_t sp = go_pointer(process, goroutine->address, GO_G_SCHED_SP);
	goroutine->exact = false;
	if (plausible(process, goroutine, pc, sp)) {
		goroutine->pc = pc;
		goroutine->sp = sp;
	}
}

static void place(const struct goroutine_reader *reader, const uint8_t *g,
		  struct goroutine *goroutine)
{
	uint64_t m = field(reader, g, GO_G_M, 8);
	uint64_t call = field(reader, g, GO_G_SYSCALLSP, 8);
	if (goroutine->state == GO_RUNNING && m != 0) {
		place_running(reader->process, m, goroutine);
		return;
	}
	goroutine->pc = field(reader, g, GO_G_SCHED_PC, 8);
	goroutine->sp = field(reader, g, GO_G_SCHED_SP, 8);
	if (goroutine->state == GO_IN_SYSCALL && call != 0) {
		goroutine->pc = field(reader, g, GO_G_SYSCALLPC, 8);
		goroutine->sp = call;
	}
	if (goroutine->state == GO_IN_SYSCALL && m != 0) {
		uint64_t procid = go_pointer(reader->process, m, GO_M_PROCID);
		const struct target_thread *thread =
		    goroutine_thread(reader->process->target, procid);
		goroutine->tid = thread != NULL ? thread->tid : 0;
	}
}

/* The runtime's own begin in it, but for the one that runs main. */
static bool is_system(const struct go_process *process, uint64_t start)
{
	struct go_function function;
	const char *name =
	    go_function_at(process, start, &function) ? go_function_name(process, &function) : NULL;
	return name != NULL && strncmp(name, "runtime.", 8) == 0 &&
	       strcmp(name, "runtime.main") != 0;
}

bool goroutine_read(const struct goroutine_reader *reader, uint64_t address,
		    struct goroutine *goroutine, bool *dead)
{
	uint8_t g[G_SIZE_MAX];
	const struct go_process *process = reader->process;
	*dead = false;
	if (!address_space_probe(process->space, address, g, reader->g_size) ||
	    field(reader, g, GO_G_SCHED_G, 8) != address)
		return false;
	*goroutine = (struct goroutine){
		.address = address,
		.id = field(reader, g, GO_G_GOID, 8),
		.parent = field(reader, g, GO_G_PARENTGOID, 8),
		.wait_since = (int64_t)field(reader, g, GO_G_WAITSINCE, 8),
		.stack_low = field(reader, g, GO_G_STACK_LO, 8),
		.stack_high = field(reader, g, GO_G_STACK_HI, 8),
		.creator_pc = field(reader, g, GO_G_GOPC, 8),
		.start_pc = field(reader, g, GO_G_STARTPC, 8),
	};
	uint64_t status = field(reader, g, GO_G_ATOMICSTATUS, 4);
	if (!state_of(status, &goroutine->state)) {
		*dead = (status & ~(uint64_t)STATUS_SCAN) == STATUS_DEAD ||
			(status & ~(uint64_t)STATUS_SCAN) == STATUS_DEAD_EXTRA;
		return *dead;
	}
	/* One that was just made, and is not in use yet. */
	if (goroutine->state == GO_STARTING && goroutine->stack_low == 0)
		return *dead = true;
	unsigned reason = (unsigned)field(reader, g, GO_G_WAITREASON, 1);
	if (goroutine->state == GO_WAITING && reason < GO_REASONS_MAX)
		goroutine->reason = reader->reasons[reason];
	goroutine->system = is_system(process, goroutine->start_pc);
	place(reader, g, goroutine);
	return true;
}
