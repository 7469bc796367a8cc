/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "analysis/goroutine_roots.h"

/* Of a thread's own stack, which the runtime works on. */
#define THREAD_STACK_MAX (1u << 20)

static void visit(void *context, uint64_t pointer)
{
	struct go_mark *mark = context;
	go_mark_pointer(mark, pointer);
}

void goroutine_roots_init(const struct go_process *process, struct goroutines *goroutines,
			  struct go_mark *mark, struct goroutine_roots *roots)
{
	*roots = (struct goroutine_roots){
		.process = process,
		.goroutines = goroutines,
		.mark = mark,
		.scan = { .process = process,
			  .places = &goroutines->places,
			  .visit = visit,
			  .context = mark },
	};
}

void goroutine_roots_free(struct goroutine_roots *roots)
{
	go_stack_scan_free(&roots->scan);
}

static void mark_stack_from(struct goroutine_roots *roots, uint64_t g, uint64_t sp)
{
	uint64_t low = g != 0 ? go_pointer(roots->process, g, GO_G_STACK_LO) : 0;
	uint64_t high = g != 0 ? go_pointer(roots->process, g, GO_G_STACK_HI) : 0;
	roots->scan.low = roots->scan.high = 0;
	if (sp >= low && sp < high)
		go_scan_words(&roots->scan, sp,
			      high - sp > THREAD_STACK_MAX ? sp + THREAD_STACK_MAX : high);
}

/* The registers of a thread that runs a goroutine, and what the runtime does for it on stacks of
 * its own. */
static void mark_thread(struct goroutine_roots *roots, const struct goroutine *one)
{
	const struct target *target = roots->process->target;
	uint64_t m = go_pointer(roots->process, one->address, GO_G_M);
	uint64_t system = go_pointer(roots->process, m, GO_M_G0);
	const struct target_thread *thread =
	    goroutine_thread(target, go_pointer(roots->process, m, GO_M_PROCID));
	if (thread == NULL)
		return;
	for (size_t i = 0; i < target->arch->register_count; i++)
		if (target->arch->registers[i].can_point)
			go_mark_pointer(roots->mark,
					arch_register_value(target->arch, &thread->registers, i));
	uint64_t sp = arch_sp(target->arch, &thread->registers);
	mark_stack_from(roots, go_pointer(roots->process, m, GO_M_GSIGNAL), sp);
	/* Where the goroutine's own code was running, the runtime's stack has only what is left
	 * from before. */
	if (one->exact && one->sp != 0)
		return;
	mark_stack_from(roots, system, sp);
	if (system != 0)
		mark_stack_from(roots, system, go_pointer(roots->process, system, GO_G_SCHED_SP));
}

void goroutine_roots_mark(struct goroutine_roots *roots, const struct goroutine *goroutine)
{
	const struct go_wait_objects *objects = &roots->goroutines->objects;
	const struct go_wait *wait = &goroutine->wait;
	if (goroutine->state == GO_RUNNING)
		mark_thread(roots, goroutine);
	go_mark_content(roots->mark, goroutine->address);
	go_stack_scan(&roots->scan, goroutine);
	for (uint32_t i = 0; i < wait->count; i++)
		go_mark_pointer(
		    roots->mark,
		    objects->objects.items[objects->cases.items[wait->first + i].object].address);
	go_mark_drain(roots->mark);
}
