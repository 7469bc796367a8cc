/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "fake_go.h"

#include <stdlib.h>

enum { MAIN, SENDER, SENDER_TOO, FIRST, SECOND, READER, RUNTIME, GOROUTINES };
enum { MAIN_STACK, SENDING, LOCKING, READING, IDLING, STACKS };
enum { CHANNEL, MUTEX, OTHER_MUTEX, DONE, OBJECTS };

struct fake_go {
	struct go_process process;
	struct go_heap heap;
	struct goroutines goroutines;
	struct goroutine items[GOROUTINES];
	struct go_call calls[STACKS][4];
	struct go_stack stacks[STACKS];
	struct go_group groups[7];
	const struct goroutine *members[GOROUTINES];
	struct go_object objects[OBJECTS];
	struct go_wait_case cases[GOROUTINES];
	struct go_lock_holders holders;
	struct go_lock_holder holder_items[2];
	struct go_deadlock deadlock;
	struct go_deadlock_link links[2];
	struct goroutine_leaks leaks;
	struct goroutine_leak leak;
	uint8_t leaked[GOROUTINES];
	struct go_resources resources;
	struct go_open_file files[3];
	struct go_ticker tickers[2];
	struct go_defers defers;
	struct go_body body;
	struct go_cycle_type cycle_type;
};

#define SET(list, array, number) ((list).items = (array), (list).count = (number))

static void make_stacks(struct fake_go *fake)
{
	static const struct go_call calls[STACKS][4] = {
		[MAIN_STACK] = { { .function = "main.main", .file = "/src/main.go", .line = 40 } },
		[SENDING] = { { .function = "runtime.gopark",
				.file = "/usr/lib/go/src/runtime/proc.go",
				.line = 398 },
			      { .function = "main.(*worker).run.func1",
				.file = "/src/worker.go",
				.line = 31,
				.inlined = true },
			      { .function =
				    "example.org/a/module/of/some/length/pool.(*Pool[go.shape."
				    "int]).dispatch",
				.file = "/src/pool/dispatch.go",
				.line = 1288 } },
		[LOCKING] = { { .function = "sync.(*Mutex).Lock",
				.file = "/usr/lib/go/src/sync/mutex.go",
				.line = 90 },
			      { .function = "main.transfer", .file = "/src/bank.go", .line = 7 } },
		[READING] = { { .function = "net.(*conn).Read",
				.file = "/usr/lib/go/src/net/net.go",
				.line = 179 } },
		[IDLING] = { { .function = "runtime.bgsweep",
			       .file = "/usr/lib/go/src/runtime/mgcsweep.go",
			       .line = 278 } },
	};
	static const size_t counts[STACKS] = { 1, 3, 2, 1, 1 };
	for (size_t i = 0; i < STACKS; i++) {
		for (size_t k = 0; k < counts[i]; k++)
			fake->calls[i][k] = calls[i][k];
		fake->stacks[i] = (struct go_stack){ .calls = fake->calls[i],
						     .count = counts[i],
						     .complete = i != READING };
	}
	fake->stacks[READING].stopped = "a return address was not dumped";
}

static void make_waits(struct fake_go *fake)
{
	static const struct go_object objects[OBJECTS] = {
		[CHANNEL] = { .kind = GO_WAIT_CHANNEL,
			      .address = 0xc000010060,
			      .name = "w.jobs of main.(*worker).run",
			      .type = "*main.job",
			      .length = 2,
			      .room = 2,
			      .waiters = 2 },
		[MUTEX] = { .kind = GO_WAIT_MUTEX,
			    .address = 0x5b55c8,
			    .name = "main.accounts.lock",
			    .waiters = 1 },
		[OTHER_MUTEX] = { .kind = GO_WAIT_MUTEX, .address = 0xc000010100, .waiters = 1 },
		[DONE] = { .kind = GO_WAIT_CHANNEL,
			   .address = 0xc0000100c0,
			   .type = "struct {}",
			   .waiters = 1 },
	};
	static const uint32_t awaited[] = { DONE, CHANNEL, CHANNEL, MUTEX, OTHER_MUTEX };
	for (size_t i = 0; i < OBJECTS; i++)
		fake->objects[i] = objects[i];
	for (uint32_t i = MAIN; i <= SECOND; i++) {
		fake->cases[i] =
		    (struct go_wait_case){ awaited[i], i == SENDER || i == SENDER_TOO, 0 };
		fake->items[i].wait = (struct go_wait){
			.kind = objects[awaited[i]].kind, .first = i, .count = 1, .fd = -1
		};
	}
	fake->items[READER].wait = (struct go_wait){
		.kind = GO_WAIT_IO, .fd = 7, .name = "10.0.0.2:8080", .peer = "[2001:db8::17]:51234"
	};
	fake->items[RUNTIME].wait = (struct go_wait){ .kind = GO_WAIT_OTHER, .fd = -1 };
	SET(fake->goroutines.objects.objects, fake->objects, OBJECTS);
	SET(fake->goroutines.objects.cases, fake->cases, SECOND + 1);
}

static void make_goroutines(struct fake_go *fake)
{
	static const struct {
		uint32_t stack;
		const char *reason;
	} of[GOROUTINES] = {
		{ MAIN_STACK, "chan receive" }, { SENDING, "chan send" },
		{ SENDING, "chan send" },	{ LOCKING, "sync.Mutex.Lock" },
		{ LOCKING, "sync.Mutex.Lock" }, { READING, "IO wait" },
		{ IDLING, "GC sweep wait" },
	};
	for (size_t i = 0; i < GOROUTINES; i++)
		fake->items[i] = (struct goroutine){ .address = 0xc000002000 + 0x200 * i,
						     .id = i == MAIN ? 1 : 17 + i,
						     .state = GO_WAITING,
						     .reason = of[i].reason,
						     .stack = of[i].stack,
						     .parent = i > SENDER_TOO ? 0 : 1,
						     .system = i == RUNTIME,
						     .wait_since = i == SENDER ? 1000000000 : 0,
						     .stack_low = 0xc000100000 + 0x1000 * i,
						     .stack_high = 0xc000100800 + 0x1000 * i };
	fake->goroutines.items = fake->items;
	fake->goroutines.count = GOROUTINES;
	fake->goroutines.stacks = fake->stacks;
	fake->goroutines.stack_count = STACKS;
	fake->goroutines.now = INT64_C(7201) * 1000000000;
}

static void make_groups(struct fake_go *fake)
{
	static const size_t sizes[] = { 2, 1, 1, 1, 1, 1 };
	static const size_t order[] = { SENDER, SENDER_TOO, MAIN, FIRST, SECOND, READER, RUNTIME };
	size_t at = 0;
	for (size_t i = 0; i < GOROUTINES; i++)
		fake->members[i] = &fake->items[order[i]];
	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; at += sizes[i++])
		fake->groups[i] = (struct go_group){
			.members = &fake->members[at],
			.count = sizes[i],
			.stack = &fake->stacks[fake->members[at]->stack],
		};
	fake->groups[0].creator =
	    (struct go_call){ .function = "main.handle", .file = "/src/server.go", .line = 88 };
	fake->goroutines.groups = fake->groups;
	fake->goroutines.group_count = sizeof sizes / sizeof *sizes;
}

static void make_verdicts(struct fake_go *fake)
{
	fake->leaked[SENDER] = fake->leaked[SENDER_TOO] = 1;
	fake->leak = (struct goroutine_leak){ .group = &fake->groups[0],
					      .count = 2,
					      .bytes = 5 << 20,
					      .objects = 1234,
					      .stack_bytes = 4096 };
	fake->leaks = (struct goroutine_leaks){ .leaked = fake->leaked,
						.count = 2,
						.groups = &fake->leak,
						.group_count = 1,
						.bytes = 5 << 20,
						.objects = 1234,
						.stack_bytes = 4096,
						.live_bytes = 40 << 20,
						.live_objects = 100000 };
	fake->holder_items[0] = (struct go_lock_holder){ MUTEX, &fake->items[SECOND] };
	fake->holder_items[1] = (struct go_lock_holder){ OTHER_MUTEX, &fake->items[FIRST] };
	SET(fake->holders.holders, fake->holder_items, 2);
	fake->links[0] = (struct go_deadlock_link){ &fake->items[FIRST], MUTEX };
	fake->links[1] = (struct go_deadlock_link){ &fake->items[SECOND], OTHER_MUTEX };
	SET(fake->holders.links, fake->links, 2);
	fake->deadlock = (struct go_deadlock){ 0, 2 };
	SET(fake->holders.deadlocks, &fake->deadlock, 1);
}

static void make_resources(struct fake_go *fake)
{
	struct go_resources *resources = &fake->resources;
	fake->files[0] = (struct go_open_file){ .fd = 3, .name = "/var/log/service.log" };
	fake->files[1] = (struct go_open_file){ .fd = 7,
						.connection = true,
						.network = "tcp",
						.name = "10.0.0.2:8080",
						.peer = "[2001:db8::17]:51234" };
	fake->files[2] = (struct go_open_file){ .fd = 1000, .name = "/dev/null" };
	SET(resources->files, fake->files, 3);
	resources->files_limit = 1024;
	fake->tickers[0] = fake->tickers[1] = (struct go_ticker){ .period = 1000000000 };
	SET(resources->tickers, fake->tickers, 2);
	resources->tickers_are_kept = true;
	fake->defers = (struct go_defers){ &fake->items[MAIN], 5000, "main.(*closer).close" };
	SET(resources->defers, &fake->defers, 1);
	fake->body = (struct go_body){ &fake->items[READER], "10.0.0.9:443" };
	SET(resources->bodies, &fake->body, 1);
	fake->cycle_type = (struct go_cycle_type){ "*main.entry", 0x4a0000, 14 };
	SET(resources->cycles.types, &fake->cycle_type, 1);
	resources->cycles.count = 14;
	resources->cycles.bytes = 72000;
	resources->cycles.objects = 21;
	resources->long_sleeps = 3;
}

struct fake_go *fake_go_new(struct findings *findings)
{
	struct fake_go *fake = calloc(1, sizeof *fake);
	if (fake == NULL)
		abort();
	fake->process.version = "go1.24.4";
	fake->process.minor = 24;
	fake->process.processors.count = 8;
	fake->process.layouts.evidence = LAYOUT_DWARF;
	fake->heap.bytes = 64 << 20;
	make_stacks(fake);
	make_goroutines(fake);
	make_waits(fake);
	make_groups(fake);
	make_verdicts(fake);
	make_resources(fake);
	findings->go = &fake->process;
	findings->go_heap = &fake->heap;
	findings->goroutines = &fake->goroutines;
	findings->goroutine_leaks = &fake->leaks;
	findings->go_lock_holders = &fake->holders;
	findings->go_resources = &fake->resources;
	return fake;
}

void fake_go_free(struct fake_go *fake)
{
	free(fake);
}
