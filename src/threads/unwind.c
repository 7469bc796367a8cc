/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "threads/unwind.h"

#include "threads/address_map.h"
#include "threads/unwind_rules.h"

#include <dwarf.h>
#include <inttypes.h>
#include <string.h>

/* Frames of an overflown stack of 8 MB, of 16 bytes each. */
#define STEPS_BEYOND_LIMIT (1u << 19)

/* What the unwind information says of the place that a lookup PC stands for. */
struct place {
	const struct module *module;
	bool has_rules;	 /* there is unwind information for it */
	bool outermost;	 /* which says that there is no caller */
	bool trampoline; /* the kernel called it to run a signal handler */
};

struct unwinder {
	struct target *target;
	struct modules *modules;
	const struct unwind_rules *rules; /* or NULL */
	bool attached;
	unsigned frame_limit;
	bool keep_registers;
	int sp_number;
	struct address_map place_map;
	ARRAY(struct place) places;

	/* The walk that is going on. */
	struct unwound_stack *stack;
	const struct registers *raw;	   /* the thread's own */
	struct unwind_registers registers; /* where libdwfl starts, or where it has to stop */
	bool activation; /* the PC is the next instruction to run, not a return address */
	bool restarted;	 /* libdwfl was given a lookup PC; registers.pc has the true one */
	bool guessed;
	struct place place; /* of the last frame */
	bool ended, out_of_memory;
	bool unstopped;				/* few of the thread's registers are known */
	bool stoppable;				/* of those, more would be if it were stopped */
	struct frame_registers frame_registers; /* of the frame that is entered */
	bool faulted;
	uint64_t fault;
	struct raw_frame last;
	struct raw_frame milestone; /* the frame with the largest power of two as its index */
	size_t steps_left;	    /* beyond the frame limit, for all threads */
};

/* --- libdwfl's callbacks */

static pid_t next_thread(Dwfl *dwfl __attribute__((unused)), void *context __attribute__((unused)),
			 void **thread __attribute__((unused)))
{
	return 0; /* threads are asked for one by one, through get_thread */
}

static bool get_thread(Dwfl *dwfl __attribute__((unused)), pid_t tid __attribute__((unused)),
		       void *context, void **thread)
{
	*thread = context;
	return true;
}

static bool memory_read(Dwfl *dwfl __attribute__((unused)), Dwarf_Addr address, Dwarf_Word *result,
			void *context)
{
	struct unwinder *unwinder = context;
	struct address_space *space = unwinder->target->space;
	uint64_t value;
	uint32_t half;
	if (unwinder->target->arch->word_size == 8) {
		if (address_space_u64(space, address, &value)) {
			*result = value;
			return true;
		}
	} else if (address_space_u32(space, address, &half)) {
		*result = half;
		return true;
	}
	unwinder->faulted = true;
	unwinder->fault = address;
	return false;
}

static bool set_initial_registers(Dwfl_Thread *thread, void *context)
{
	struct unwinder *unwinder = context;
	const struct unwind_registers *registers = &unwinder->registers;
	/* libdwfl refuses the numbers that it has no use for. */
	for (int i = 0; i < UNWIND_REGISTERS_MAX; i++)
		if (registers->known[i])
			dwfl_thread_state_registers(thread, i, 1, &registers->values[i]);
	uint64_t pc = registers->pc - (unwinder->activation ? 0 : 1);
	int pc_number = unwinder->target->arch->registers[unwinder->target->arch->pc].dwarf_number;
	if (pc_number >= 0)
		dwfl_thread_state_registers(thread, pc_number, 1, &pc);
	dwfl_thread_state_register_pc(thread, pc);
	return true;
}

static const Dwfl_Thread_Callbacks callbacks = {
	.next_thread = next_thread,
	.get_thread = get_thread,
	.memory_read = memory_read,
	.set_initial_registers = set_initial_registers,
};

/* --- places */

static bool read_rules(Dwarf_CFI *information, uint64_t pc, struct place *place)
{
	Dwarf_Frame *frame;
	if (information == NULL || dwarf_cfi_addrframe(information, pc, &frame) != 0)
		return false;
	Dwarf_Addr start, end;
	int return_address = dwarf_frame_info(frame, &start, &end, &place->trampoline);
	Dwarf_Op memory[3], *operations;
	size_t count;
	/* No operations, in the memory given: undefined, which says that there is no caller. */
	place->outermost =
	    return_address >= 0 &&
	    dwarf_frame_register(frame, return_address, memory, &operations, &count) == 0 &&
	    count == 0 && operations == memory;
	free(frame);
	return true;
}

static struct place look_at(struct unwinder *unwinder, uint64_t lookup_pc)
{
	struct place place = { .module = modules_find(unwinder->modules, lookup_pc) };
	if (!unwinder->attached || place.module == NULL)
		return place;
	Dwfl_Module *module = dwfl_addrmodule(modules_dwfl(unwinder->modules), lookup_pc);
	if (module == NULL)
		return place;
	Dwarf_Addr bias = 0;
	Dwarf_CFI *information = dwfl_module_eh_cfi(module, &bias);
	place.has_rules = read_rules(information, lookup_pc - bias, &place);
	if (!place.has_rules) {
		information = dwfl_module_dwarf_cfi(module, &bias);
		place.has_rules = read_rules(information, lookup_pc - bias, &place);
	}
	return place;
}

static struct place place_of(struct unwinder *unwinder, uint64_t lookup_pc)
{
	uint32_t index;
	if (address_map_find(&unwinder->place_map, lookup_pc, &index))
		return unwinder->places.items[index];
	struct place place = look_at(unwinder, lookup_pc);
	/* Without memory for the cache it is merely slower. */
	if (unwinder->places.count < UINT32_MAX - 1 && array_push(&unwinder->places, place) &&
	    !address_map_add(&unwinder->place_map, lookup_pc, (uint32_t)unwinder->places.count - 1))
		unwinder->places.count--;
	return place;
}

/* --- how a stack ends */

static void end_stack(struct unwinder *unwinder, enum stack_end end, const struct module *module,
		      const char *reason)
{
	unwinder->ended = true;
	unwinder->stack->end = end;
	unwinder->stack->module = module;
	unwinder->stack->reason = reason;
}

static const char *why_unreadable(const struct unwinder *unwinder, uint64_t address)
{
	const struct segment *segment = address_space_find(unwinder->target->space, address);
	if (segment == NULL)
		return "not mapped";
	if (segment->origin != SEGMENT_ABSENT)
		return "not readable";
	return unwinder->target->kind == TARGET_LIVE ? "not read"
	       : segment->lost			     ? "the core is cut off before it"
						     : "not dumped";
}

/* The PC of the last frame lies in no module. */
static void end_outside_modules(struct unwinder *unwinder, const struct raw_frame *frame)
{
	const struct segment *segment =
	    address_space_find(unwinder->target->space, frame->lookup_pc);
	bool is_return = frame->pc != frame->lookup_pc;
	const char *what = is_return ? "return address" : "pc";
	const char *why;
	if (segment == NULL)
		why = is_return ? "is not mapped (overwritten stack?)"
				: "is not mapped (a jump through a bad pointer)";
	else if (segment->permissions & SEGMENT_EXECUTE)
		why = "lies in executable memory of no module (JIT code)";
	else if (segment->permissions_known)
		why = is_return ? "is not executable (overwritten stack?)"
				: "is not executable (a jump through a bad pointer)";
	else
		why = "lies in no module";
	struct string_pool *pool = modules_strings(unwinder->modules);
	const char *reason = string_pool_format(pool, "%s 0x%" PRIx64 " %s", what, frame->pc, why);
	uint64_t word;
	if (!address_space_u64(unwinder->target->space, frame->sp, &word))
		reason = string_pool_format(pool, "%s; the stack at 0x%" PRIx64 " is %s", reason,
					    frame->sp, why_unreadable(unwinder, frame->sp));
	end_stack(unwinder, STACK_NO_MODULE, NULL, reason);
}

static void end_without_rules(struct unwinder *unwinder, const struct module *module)
{
	const struct raw_frame *frame = &unwinder->last;
	if (module == NULL) {
		end_outside_modules(unwinder, frame);
		return;
	}
	Dwarf_Addr bias;
	const char *why;
	if (module->match == MODULE_MISMATCH)
		why = "the file found is another build";
	else if (module->dwfl == NULL)
		why = "the file was not found";
	else if (!unwinder->attached)
		why = "libdwfl could not be attached";
	else if (dwfl_module_eh_cfi(module->dwfl, &bias) == NULL &&
		 dwfl_module_dwarf_cfi(module->dwfl, &bias) == NULL)
		why = "it has neither .eh_frame nor .debug_frame";
	else
		why = "none covers this function";
	end_stack(unwinder, STACK_NO_UNWIND_INFO, module,
		  string_pool_format(modules_strings(unwinder->modules),
				     "no unwind information for %s at 0x%" PRIx64 ": %s",
				     module->name, frame->lookup_pc - module->bias, why));
}

/* libdwfl had unwind information for the last frame, and yet no caller came of it. */
static void end_of_libdwfl(struct unwinder *unwinder, int result)
{
	struct string_pool *pool = modules_strings(unwinder->modules);
	if (unwinder->unstopped && !unwinder->faulted) {
		end_stack(unwinder, STACK_REGISTER, NULL,
			  unwinder->stoppable
			      ? "its caller is found by registers that are known of stopped "
				"threads only (--stop)"
			      : "its caller is found by registers that are not known");
	} else if (unwinder->faulted) {
		end_stack(unwinder, STACK_MEMORY, NULL,
			  string_pool_format(pool, "cannot read stack memory at 0x%" PRIx64 " (%s)",
					     unwinder->fault,
					     why_unreadable(unwinder, unwinder->fault)));
	} else if (result == 0) {
		end_stack(unwinder, STACK_ZERO, NULL,
			  "the return address is 0 (the end of a coroutine's stack, or an "
			  "overwritten stack)");
	} else {
		const char *message = dwfl_errmsg(-1);
		end_stack(unwinder, STACK_UNWINDER_FAILED, NULL,
			  string_pool_format(pool, "libdwfl: %s",
					     message != NULL ? message : "unknown error"));
	}
}

/* --- frames */

static bool same_frame(const struct raw_frame *a, const struct raw_frame *b)
{
	return a->pc == b->pc && a->sp == b->sp;
}

static void keep_registers(struct unwinder *unwinder, struct raw_frame *frame)
{
	struct unwound_stack *stack = unwinder->stack;
	if (!unwinder->keep_registers)
		return;
	if (!array_push(&stack->registers, unwinder->frame_registers))
		unwinder->out_of_memory = unwinder->ended = true;
	else
		frame->registers = (uint32_t)stack->registers.count;
}

/* Beyond the limit frames are not kept; only the last ones are, since what began a recursion is
 * told there. The walk has a bound for all threads together. */
static void pass_frame(struct unwinder *unwinder, const struct raw_frame *frame)
{
	struct unwound_stack *stack = unwinder->stack;
	if (unwinder->steps_left == 0) {
		end_stack(unwinder, STACK_LIMIT, NULL, NULL);
		return;
	}
	unwinder->steps_left--;
	const size_t place = stack->left_out++ % STACK_OUTERMOST;
	const uint32_t registers = stack->outermost[place].registers;
	stack->outermost[place] = *frame;
	/* The registers of the frame that was there make room for these. */
	if (stack->left_out > STACK_OUTERMOST && registers != 0) {
		stack->registers.items[registers - 1] = unwinder->frame_registers;
		stack->outermost[place].registers = registers;
	} else {
		keep_registers(unwinder, &stack->outermost[place]);
	}
}

/* Adds a frame, or ends the stack in its place. The milestones find cycles of any length. */
static void add_frame(struct unwinder *unwinder, const struct raw_frame *frame)
{
	struct unwound_stack *stack = unwinder->stack;
	size_t index = stack->frames.count + stack->left_out;
	if (index > 0 &&
	    (same_frame(frame, &unwinder->last) || same_frame(frame, &unwinder->milestone))) {
		end_stack(unwinder, STACK_DOES_NOT_MOVE, NULL,
			  "frames repeat (corrupt stack or unwind information)");
		return;
	}
	if (stack->frames.count >= unwinder->frame_limit)
		pass_frame(unwinder, frame);
	else if (!array_push(&stack->frames, *frame))
		unwinder->out_of_memory = unwinder->ended = true;
	else
		keep_registers(unwinder, &stack->frames.items[stack->frames.count - 1]);
	unwinder->last = *frame;
	if ((index & (index - 1)) == 0)
		unwinder->milestone = *frame;
}

/* Adds the frame of `pc`. */
static void enter_frame(struct unwinder *unwinder, uint64_t pc, uint64_t sp)
{
	uint64_t lookup_pc = unwinder->activation ? pc : pc - 1;
	struct place place = unwinder->place = place_of(unwinder, lookup_pc);
	struct raw_frame frame = {
		.pc = pc,
		/* The trampoline is entered by returning to its first instruction. */
		.lookup_pc = place.trampoline ? pc : lookup_pc,
		.sp = sp,
		.signal_frame = place.trampoline,
		.guessed = unwinder->guessed,
	};
	add_frame(unwinder, &frame);
	if (!unwinder->ended && place.outermost)
		end_stack(unwinder, STACK_COMPLETE, NULL, NULL);
	unwinder->guessed = false;
	unwinder->faulted = false;
	/* What comes next was interrupted, it did not call. */
	unwinder->activation = place.trampoline;
}

/* Keeps what is known of the frame at which libdwfl has to stop. */
static void take_registers(struct unwinder *unwinder, Dwfl_Frame *state, uint64_t pc, uint64_t sp)
{
	struct unwind_registers *registers = &unwinder->registers;
	for (int i = 0; i < UNWIND_REGISTERS_MAX; i++)
		registers->known[i] =
		    dwfl_frame_reg(state, (unsigned)i, &registers->values[i]) == 0;
	registers->pc = pc;
	registers->sp = sp;
}

/* Those of the frame that is entered next: of libdwfl's `state`, or where that is NULL those at
 * which libdwfl was to start. */
static void read_registers(struct unwinder *unwinder, Dwfl_Frame *state)
{
	struct frame_registers *registers = &unwinder->frame_registers;
	const bool innermost = unwinder->stack->frames.count == 0;
	if (!unwinder->keep_registers)
		return;
	*registers = (struct frame_registers){ .raw = innermost ? unwinder->raw : NULL };
	for (unsigned i = 0; i < FRAME_REGISTERS_MAX; i++) {
		bool known;
		if (state != NULL) {
			known = dwfl_frame_reg(state, i, &registers->values[i]) == 0;
		} else {
			known = unwinder->registers.known[i];
			registers->values[i] = unwinder->registers.values[i];
		}
		registers->known |= (uint64_t)known << i;
	}
}

static int take_frame(Dwfl_Frame *state, void *context)
{
	struct unwinder *unwinder = context;
	Dwarf_Addr pc;
	Dwarf_Word sp = 0;
	if (unwinder->restarted) {
		pc = unwinder->registers.pc;
		unwinder->restarted = false;
	} else if (!dwfl_frame_pc(state, &pc, NULL)) {
		return DWARF_CB_ABORT;
	}
	if (unwinder->sp_number < 0 ||
	    dwfl_frame_reg(state, (unsigned)unwinder->sp_number, &sp) != 0)
		sp = 0;
	read_registers(unwinder, state);
	enter_frame(unwinder, pc, sp);
	if (unwinder->ended)
		return DWARF_CB_ABORT;
	if (!unwinder->place.has_rules || unwinder->place.trampoline)
		take_registers(unwinder, state, pc, sp);
	return unwinder->place.has_rules ? DWARF_CB_OK : DWARF_CB_ABORT;
}

/* --- going on without unwind information */

static bool may_be_code(const struct unwinder *unwinder, uint64_t pc)
{
	const struct segment *segment = address_space_find(unwinder->target->space, pc);
	if (segment == NULL || !segment->permissions_known)
		return unwinder->place.module != NULL;
	return segment->permissions & SEGMENT_EXECUTE;
}

/* From the last frame, which has none, to its caller. False: nothing that the memory confirms. */
static bool apply_rules(struct unwinder *unwinder)
{
	const struct unwind_rules *rules = unwinder->rules;
	struct address_space *space = unwinder->target->space;
	struct unwound_stack *stack = unwinder->stack;
	const struct raw_frame *last = &unwinder->last;
	if (rules == NULL)
		return false;
	if (rules->signal_trampoline != NULL &&
	    rules->signal_trampoline(space, &unwinder->registers)) {
		if (stack->left_out == 0) {
			struct raw_frame *frame = &stack->frames.items[stack->frames.count - 1];
			frame->signal_frame = true;
			frame->lookup_pc = frame->pc;
		}
		unwinder->activation = true;
		return true;
	}
	unwinder->activation = false;
	unwinder->guessed = true;
	if (may_be_code(unwinder, last->pc))
		return rules->frame_pointer != NULL &&
		       rules->frame_pointer(space, &unwinder->registers);
	bool is_return = last->pc != last->lookup_pc;
	return !is_return && rules->failed_call != NULL &&
	       rules->failed_call(space, &unwinder->registers);
}

/* A thread is born, and its creator goes on, behind the system call in clone or clone3, where glibc
 * writes no unwind information. The new one, in which the call returns 0, has no caller. */
static bool leave_clone(struct unwinder *unwinder, const struct target_thread *thread)
{
	static const char *const names[] = { "clone3", "__clone3", "__GI___clone3",
					     "clone",  "__clone",  "__GI___clone" };
	const struct unwind_rules *rules = unwinder->rules;
	const struct arch *arch = unwinder->target->arch;
	struct symbol symbol;
	if (unwinder->stack->frames.count != 1 || unwinder->place.module == NULL ||
	    !modules_symbol_at(unwinder->modules, unwinder->last.lookup_pc, &symbol))
		return false;
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		if (strcmp(symbol.linkage, names[i]) != 0)
			continue;
		if (arch_register_value(arch, &thread->registers, arch->return_value) == 0) {
			end_stack(unwinder, STACK_COMPLETE, NULL, NULL);
			return true;
		}
		unwinder->activation = false;
		unwinder->guessed = true;
		return rules != NULL && rules->failed_call != NULL &&
		       rules->failed_call(unwinder->target->space, &unwinder->registers);
	}
	return false;
}

/* The frames from .registers on, as far as unwind information leads: at least one, or the stack has
 * ended. Returns libdwfl's result. */
static int run_libdwfl(struct unwinder *unwinder, const struct target_thread *thread)
{
	const struct unwound_stack *stack = unwinder->stack;
	size_t before = stack->frames.count + stack->left_out;
	int result = -1;
	unwinder->restarted = true;
	if (unwinder->attached)
		result =
		    dwfl_getthread_frames(modules_dwfl(unwinder->modules),
					  thread->tid > 0 ? thread->tid : 1, take_frame, unwinder);
	if (!unwinder->ended && stack->frames.count + stack->left_out == before) {
		read_registers(unwinder, NULL);
		enter_frame(unwinder, unwinder->registers.pc, unwinder->registers.sp);
	}
	return result;
}

static void start(struct unwinder *unwinder, const struct target_thread *thread)
{
	const struct arch *arch = unwinder->target->arch;
	struct unwind_registers *registers = &unwinder->registers;
	memset(registers, 0, sizeof *registers);
	for (size_t i = 0; i < arch->register_count; i++) {
		int number = arch->registers[i].dwarf_number;
		if (number < 0 || number >= UNWIND_REGISTERS_MAX)
			continue;
		registers->values[number] = arch_register_value(arch, &thread->registers, i);
		registers->known[number] = (thread->registers.unknown >> i & 1) == 0;
	}
	unwinder->unstopped = thread->registers.unknown != 0;
	unwinder->stoppable = unwinder->target->unstopped && thread->state != 'D';
	registers->pc = arch_pc(arch, &thread->registers);
	registers->sp = arch_sp(arch, &thread->registers);
	unwinder->raw = &thread->registers;
	unwinder->activation = true;
	unwinder->guessed = unwinder->ended = unwinder->out_of_memory = false;
}

static const char *why_no_registers(const struct unwinder *unwinder,
				    const struct target_thread *thread)
{
	if (thread->moved)
		return "it ran while it was looked at without a stop (--stop)";
	if (thread->stopped)
		return "its registers could not be read";
	return unwinder->target->unstopped ? "it ran, and was not stopped (--stop)"
					   : "the thread could not be stopped";
}

struct error *unwinder_unwind(struct unwinder *unwinder, const struct target_thread *thread,
			      struct unwound_stack *stack)
{
	stack->frames.count = stack->registers.count = 0;
	stack->end = STACK_COMPLETE;
	stack->reason = NULL;
	stack->module = NULL;
	stack->left_out = 0;
	unwinder->stack = stack;
	if (thread->registers.general_size == 0) {
		end_stack(unwinder, STACK_NO_REGISTERS, NULL, why_no_registers(unwinder, thread));
		return NULL;
	}
	start(unwinder, thread);
	while (!unwinder->ended) {
		int result = run_libdwfl(unwinder, thread);
		if (unwinder->ended)
			break;
		const struct place *place = &unwinder->place;
		/* libdwfl takes an interrupted PC of 0, a call through a null pointer, for the
		 * outermost frame: the trampoline's own rule does not. */
		if (!place->has_rules && leave_clone(unwinder, thread))
			continue;
		bool may_go_on =
		    !place->has_rules || (place->trampoline && result == 0 && !unwinder->faulted);
		if (may_go_on && apply_rules(unwinder))
			continue;
		if (place->has_rules)
			end_of_libdwfl(unwinder, result);
		else
			end_without_rules(unwinder, place->module);
	}
	return unwinder->out_of_memory ? error_no_memory() : NULL;
}

struct error *unwinder_new(struct target *target, struct modules *modules, unsigned frame_limit,
			   bool registers, struct unwinder **unwinder)
{
	struct unwinder *made = calloc(1, sizeof *made);
	if (made == NULL)
		return error_no_memory();
	made->target = target;
	made->modules = modules;
	made->rules = unwind_rules_find(target->arch->elf_machine);
	made->frame_limit = frame_limit;
	made->keep_registers = registers;
	made->steps_left = STEPS_BEYOND_LIMIT;
	made->sp_number = target->arch->registers[target->arch->sp].dwarf_number;
	/* Fails where no module has an ELF file that tells the machine: then there is no unwind
	 * information either. */
	made->attached = dwfl_attach_state(modules_dwfl(modules), NULL,
					   target->pid > 0 ? target->pid : 1, &callbacks, made);
	*unwinder = made;
	return NULL;
}

void unwinder_free(struct unwinder *unwinder)
{
	if (unwinder == NULL)
		return;
	address_map_free(&unwinder->place_map);
	array_free(&unwinder->places);
	free(unwinder);
}
