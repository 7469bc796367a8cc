/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "fake_findings.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	CRASHED,
	MAIN,
	FLUSHER,
	BEHIND,		   /* two of them */
	IDLE = BEHIND + 2, /* three of them */
	BUSY = IDLE + 3,
	THREAD_COUNT,
};

struct fake_findings {
	struct target target;
	struct target_thread raw[THREAD_COUNT];
	struct module modules[2];
	struct segment segments[2];
	struct frame frames[6][4];
	struct thread items[THREAD_COUNT];
	struct threads threads;
	struct glibc_pthreads pthreads;
	struct heap heap;
	struct heap_arena arenas[3];
	struct heap_finding damage[2];
	struct gaps gaps;
	struct subject subject;
	struct crash crash;
	const struct thread *members[THREAD_COUNT];
	struct stack_group stack_items[6];
	struct stack_groups stacks;
	struct wait wait_items[THREAD_COUNT];
	const struct wait *wait_pointers[THREAD_COUNT];
	struct waits waits;
	struct wait_group group_items[6];
	struct wait_groups groups;
	const struct wait *cycle[2];
	struct deadlock deadlock;
	struct deadlocks deadlocks;
	struct convoy convoy;
	struct convoys convoys;
	struct suspicion suspicion;
	struct suspicions suspicions;
	struct lock lock_items[4];
	struct locks locks;
	struct reachability reachability;
	struct orphan_group orphan_items[8];
	struct orphans orphans;
	struct chunk_region region;
	struct reference path[2];
	struct referrer referrers[3];
	struct explanation explanation;
	struct retained_root retained_roots[4];
	struct retained_head retained_heads[2];
	struct retained retained;
	struct findings findings;
};

static void make_target(struct fake_findings *fake)
{
	fake->target = (struct target){
		.kind = TARGET_CORE,
		.arch = &arch_x86_64,
		.path = "core.1234",
		.pid = 1234,
		.comm = "app",
		.command = "./app --port 80",
		.exe = "/srv/app",
		.signal = { .number = 11, .code = 1, .has_details = true, .address = 0x18 },
		.file_size = 1000000,
		.expected_size = 1000000,
	};
	fake->modules[0] = (struct module){
		.path = "/srv/app",
		.file = "./app",
		.name = "app",
		.start = 0x400000,
		.end = 0x420000,
		.build_id = { 0x3f, 0x9a, 0x21, 0xc4, 0x55 },
		.build_id_size = 5,
		.match = MODULE_VERIFIED,
		.is_executable = true,
	};
	fake->modules[1] = (struct module){
		.path = "/usr/lib/x86_64-linux-gnu/libc.so.6",
		.name = "libc.so.6",
		.start = 0x7f0000000000,
		.end = 0x7f0000200000,
		.match = MODULE_MISSING,
		.is_libc = true,
	};
	fake->segments[0] = (struct segment){
		.start = 0x400000,
		.end = 0x420000,
		.origin = SEGMENT_FILE,
		.permissions = SEGMENT_READ | SEGMENT_EXECUTE,
		.permissions_known = true,
		.name = "/srv/app",
		.file_offset = 0x1000,
	};
	fake->segments[1] = (struct segment){
		.start = 0x7f1000000000,
		.end = 0x7f1010000000,
		.origin = SEGMENT_ABSENT,
	};
}

static struct frame call(const struct module *module, const char *function, const char *file,
			 unsigned line)
{
	return (struct frame){
		.pc = 0x401000 + line,
		.lookup_pc = 0x401000 + line,
		.sp = 0x7ffe00000000,
		.module = module,
		.function = function,
		.linkage = function,
		.offset = 0x20,
		.file = file,
		.line = line,
	};
}

static void make_frames(struct fake_findings *fake)
{
	const struct module *app = &fake->modules[0], *libc = &fake->modules[1];
	const struct frame frames[6][4] = {
		{ call(app, "parse_header", "/src/app/http.c", 212),
		  call(app, "handle", "/src/app/server.c", 88),
		  call(app, "worker", "/src/app/pool.c", 41), call(libc, "start_thread", NULL, 0) },
		{ call(libc, "__lll_lock_wait", NULL, 0), call(app, "refresh", "cache.c", 77),
		  call(app, "main", "main.c", 20) },
		{ call(libc, "__lll_lock_wait", NULL, 0), call(app, "flush", "log.c", 31) },
		{ call(libc, "__lll_lock_wait", NULL, 0), call(app, "log_write", "log.c", 12) },
		{ call(libc, "pthread_cond_wait", NULL, 0), call(app, "pool_wait", "pool.c", 29),
		  call(app, "worker", "pool.c", 38) },
		{ call(app,
		       "compress::stream<std::vector<unsigned char, std::allocator<unsigned char> "
		       "> >::write(std::vector<unsigned char> const&)",
		       NULL, 0) },
	};
	memcpy(fake->frames, frames, sizeof frames);
	fake->frames[0][1].inlined = true;
}

static unsigned stack_of(unsigned thread)
{
	return thread < BEHIND ? thread : thread < IDLE ? 3 : thread < BUSY ? 4 : 5;
}

static void make_threads(struct fake_findings *fake)
{
	static const int32_t tids[] = { 1240, 1234, 1235, 1250, 1251, 1241, 1242, 1243, 1260 };
	static const char *const names[] = { "worker-3", "main", "flusher", "writer", "writer",
					     "pool",	 "pool", "pool",    "lz" };
	static const size_t depths[] = { 4, 3, 2, 2, 3, 1 };
	for (unsigned i = 0; i < THREAD_COUNT; i++) {
		fake->raw[i] = (struct target_thread){ .tid = tids[i], .stopped = true };
		snprintf(fake->raw[i].name, sizeof fake->raw[i].name, "%s", names[i]);
		fake->items[i] = (struct thread){
			.raw = &fake->raw[i],
			.tid = tids[i],
			.name = fake->raw[i].name,
			.crashed = i == CRASHED,
			.is_main = i == MAIN,
			.frames = fake->frames[stack_of(i)],
			.frame_count = depths[stack_of(i)],
		};
		fake->members[i] = &fake->items[i];
	}
	fake->items[BUSY].stop_reason = "no unwind information for pc 0x401000";
	fake->target.threads.items = fake->raw;
	fake->target.threads.count = THREAD_COUNT;
	fake->threads = (struct threads){ .items = fake->items, .count = THREAD_COUNT };
}

static struct wait lock_wait(const struct thread *thread, uint64_t object, int32_t owner,
			     const char *words)
{
	return (struct wait){
		.thread = thread,
		.activity = THREAD_BLOCKED,
		.kind = WAIT_MUTEX,
		.object = object,
		.owner_state = OWNER_THREAD,
		.owner = owner,
		.fd = -1,
		.timeout_ns = -1,
		.syscall = 202,
		.brief = words,
		.text = words,
		.evidence = "futex word in rdi; owner field of the mutex",
		.site = &thread->frames[1],
	};
}

static void make_waits(struct fake_findings *fake)
{
	static const char behind[] = "waits for mutex 0x4040a0 <log_lock>, held by 1234 \"main\"";
	struct wait *waits = fake->wait_items;
	struct thread *threads = fake->items;
	waits[CRASHED] = (struct wait){ .thread = &threads[CRASHED],
					.activity = THREAD_CRASHED,
					.fd = -1,
					.timeout_ns = -1,
					.syscall = -1,
					.brief = "crashed",
					.text = "crashed" };
	waits[MAIN] = lock_wait(&threads[MAIN], 0x404060, 1235,
				"waits for mutex 0x404060 <cache_lock>, held by 1235 \"flusher\"");
	waits[FLUSHER] = lock_wait(&threads[FLUSHER], 0x4040a0, 1234, behind);
	for (unsigned i = BEHIND; i < IDLE; i++)
		waits[i] = lock_wait(&threads[i], 0x4040a0, 1234, behind);
	for (unsigned i = IDLE; i < BUSY; i++) {
		waits[i] = lock_wait(&threads[i], 0x4040e0, 0,
				     "waits for condition variable 0x4040e0 <pool.nonempty>");
		waits[i].kind = WAIT_CONDITION;
		waits[i].owner_state = OWNER_NONE;
		waits[i].idle = true;
	}
	waits[BUSY] = waits[CRASHED];
	waits[BUSY].thread = &threads[BUSY];
	waits[BUSY].activity = THREAD_RUNNING;
	waits[BUSY].brief = waits[BUSY].text = "runs";
	fake->waits = (struct waits){ .items = waits, .count = THREAD_COUNT };
}

static void make_groups(struct fake_findings *fake)
{
	static const struct {
		size_t first, count;
	} groups[] = { { CRASHED, 1 }, { MAIN, 1 }, { FLUSHER, 1 },
		       { BEHIND, 2 },  { BUSY, 1 }, { IDLE, 3 } };
	for (size_t i = 0; i < THREAD_COUNT; i++)
		fake->wait_pointers[i] = &fake->wait_items[i];
	for (size_t i = 0; i < 6; i++) {
		fake->stack_items[i] = (struct stack_group){
			.members = &fake->members[groups[i].first],
			.count = groups[i].count,
		};
		fake->group_items[i] = (struct wait_group){
			.members = &fake->wait_pointers[groups[i].first],
			.count = groups[i].count,
		};
	}
	fake->stacks = (struct stack_groups){ .items = fake->stack_items, .count = 6 };
	fake->groups = (struct wait_groups){ .items = fake->group_items, .count = 6 };
	fake->deadlock = (struct deadlock){
		.waits = &fake->wait_pointers[MAIN],
		.count = 2,
		.behind = &fake->wait_pointers[BEHIND],
		.behind_count = 2,
		.sentence = "1234 \"main\" waits for mutex 0x404060 <cache_lock> held by 1235 "
			    "\"flusher\"; 1235 waits for mutex 0x4040a0 <log_lock> held by 1234.",
	};
	fake->deadlocks = (struct deadlocks){ .items = &fake->deadlock, .count = 1 };
}

/* What goes with the waits; that it does not go with the deadlock is no matter to renderers. */
static void make_graph(struct fake_findings *fake)
{
	const struct wait *const waits = fake->wait_items;
	fake->convoy = (struct convoy){
		.head_state = OWNER_THREAD,
		.head = &waits[MAIN],
		.first = &waits[BEHIND],
		.behind = &fake->wait_pointers[BEHIND],
		.count = 2,
		.sentence = "2 threads wait behind 1234 \"main\", which holds mutex 0x4040a0 "
			    "<log_lock> and sleeps for 10 s, at refresh() cache.c:77.",
	};
	fake->convoys = (struct convoys){ .items = &fake->convoy, .count = 1 };
	fake->suspicion = (struct suspicion){
		.kind = SUSPICION_STALL,
		.waits = &fake->wait_pointers[IDLE],
		.count = 3,
		.sentence = "All 3 threads wait for another one to wake them.",
	};
	fake->suspicions = (struct suspicions){ .items = &fake->suspicion, .count = 1 };
	fake->lock_items[0] = (struct lock){
		.kind = WAIT_MUTEX,
		.address = 0x4040a0,
		.name = "<log_lock>",
		.owner_state = OWNER_THREAD,
		.owner = 1234,
		.owner_wait = &waits[MAIN],
		.owner_does = "waits for mutex 0x404060 <cache_lock> at refresh() cache.c:77",
		.waiters = &fake->wait_pointers[FLUSHER],
		.waiter_count = 3,
		.text = "mutex 0x4040a0 <log_lock>, held by 1234 \"main\", which waits for mutex "
			"0x404060 <cache_lock> at refresh() cache.c:77",
		.evidence = "owner field of the mutex",
	};
	fake->lock_items[1] = fake->lock_items[0];
	fake->lock_items[1].owner_state = OWNER_GONE;
	fake->lock_items[1].owner = 4711;
	fake->lock_items[1].owner_wait = NULL;
	fake->lock_items[1].owner_does = NULL;
	fake->lock_items[1].waiter_count = 1;
	fake->lock_items[1].text = "mutex 0x4040a0 <log_lock>, held by 4711, which is no thread of "
				   "this process any more: it ended without unlocking";
	fake->lock_items[2] = fake->lock_items[0];
	fake->lock_items[2].waiter_count = 0;
	fake->lock_items[2].detail = "recursive";
	fake->lock_items[3] = fake->lock_items[2];
	fake->lock_items[3].kind = WAIT_RWLOCK_WRITE;
	fake->lock_items[3].address = 0x602010;
	fake->lock_items[3].name = "104-byte heap chunk";
	fake->locks = (struct locks){ .items = fake->lock_items, .count = 4 };
}

static void make_heap(struct fake_findings *fake)
{
	fake->arenas[0] = (struct heap_arena){
		.kind = ARENA_MAIN,
		.address = 0x7f0000100000,
		.used_chunks = 84000,
		.used_bytes = 12 << 20,
		.free_chunks = 2000,
		.free_bytes = 1 << 20,
		.cached_chunks = 113,
		.cached_bytes = 90 << 10,
		.top_bytes = 65536,
		.system_bytes = 14 << 20,
		.heap_count = 1,
	};
	fake->arenas[1] = (struct heap_arena){
		.kind = ARENA_THREAD,
		.address = 0x7f0008000030,
		.used_chunks = 893,
		.used_bytes = 100000,
		.top_bytes = 30000,
		.system_bytes = 135168,
		.heap_count = 1,
		.in_flux = true,
	};
	fake->arenas[2] = (struct heap_arena){
		.kind = ARENA_MMAPPED,
		.used_chunks = 17,
		.used_bytes = 3 << 20,
	};
	fake->arenas[0].lost_bytes = 96;
	fake->damage[0] = (struct heap_finding){
		.kind = HEAP_DAMAGED_SIZE,
		.address = 0x510660,
		.text = "the chunk at 0x510660 has the impossible size word 0x6b6e756863; intact "
			"chunks go on at 0x5106c0",
		.word = 0x510658,
		.has_found = true,
		.found = 0x6b6e756863,
		.expected = "a multiple of 16 from 0x20 to 0xb40, and flags",
		.overrun = "the chunk before it, 0x510600 (88 bytes, in use), was written past its "
			   "end: its text runs on into the header, \"too long for its chunk…\"",
		.previous = { 0x510600, 88, true },
		.next = { 0x5106c0, 88, false },
		.lost_bytes = 96,
		.dump_start = 0x510630,
		.dump_rows = HEAP_DUMP_ROWS,
		.dump_what = { "chunk before", "chunk before", "header", "memory" },
	};
	memcpy(fake->damage[0].dump + 15, "this is too long for its chunk", 30);
	fake->damage[1] = (struct heap_finding){
		.kind = HEAP_DAMAGED_UNLISTED,
		.address = 0x7f0008000a00,
		.arena = 1,
		.in_flux = true,
		.text =
		    "the free chunk at 0x7f0008000a00 (120 usable bytes) is in no bin (in flux: "
		    "a call of malloc was under way)",
	};
	fake->heap = (struct heap){
		.provider = "glibc malloc",
		.version = "glibc 2.36",
		.evidence = "malloc_state: debug info; tcache: thread pointer - 0x48",
		.arenas = { .items = fake->arenas, .count = 3 },
		.findings = { .items = fake->damage, .count = 2 },
	};
	struct chunk_total *totals = fake->reachability.totals;
	totals[CHUNK_FREE] = (struct chunk_total){ 2113, (1 << 20) + (90 << 10) };
	totals[CHUNK_REACHABLE] = (struct chunk_total){ 80585, 14 << 20 };
	totals[CHUNK_POSSIBLE] = (struct chunk_total){ 12, 2048 };
	totals[CHUNK_ORPHANED] = (struct chunk_total){ 4313, 412 << 10 };
	fake->reachability.unheld = totals[CHUNK_ORPHANED];
}

static void make_orphans(struct fake_findings *fake)
{
	static const struct {
		enum content_kind content;
		const char *what;
		uint64_t head_size, structures, chunks, bytes;
		struct orphan_structure largest;
	} groups[8] = {
		{ CONTENT_TEXT,
		  "text \"HTTP/1.1 200 OK\\r\\n…\"",
		  204808,
		  1,
		  1,
		  204808,
		  { 0x5100a0, 204808, 1, 204808, false, 2 } },
		{ CONTENT_POINTERS,
		  "list of 24-byte nodes",
		  24,
		  1,
		  4000,
		  96000,
		  { 0x5200a0, 24, 4000, 96000, true, 0 } },
		{ CONTENT_OBJECT,
		  "class Session (vtable)",
		  152,
		  300,
		  306,
		  46512,
		  { 0x5300a0, 152, 3, 456, false, 0 } },
		{ CONTENT_DATA, "data", 1000, 2, 2, 2000, { 0x5400a0, 1000, 1, 1000, false, 2 } },
		{ CONTENT_DATA, "data", 500, 1, 1, 500, { 0x5500a0, 500, 1, 500, false, 0 } },
		{ CONTENT_DATA, "data", 100, 1, 1, 100, { 0x5600a0, 100, 1, 100, false, 0 } },
		{ CONTENT_EMPTY, "zeros", 24, 1, 1, 24, { 0x5700a0, 24, 1, 24, false, 0 } },
		{ CONTENT_EMPTY, "zeros", 0, 1, 1, 8, { 0x5800a0, 8, 1, 8, false, 0 } },
	};
	for (size_t i = 0; i < 8; i++)
		fake->orphan_items[i] = (struct orphan_group){
			.content = groups[i].content,
			.what = groups[i].what,
			.head_size = groups[i].head_size,
			.structures = groups[i].structures,
			.chunks = groups[i].chunks,
			.bytes = groups[i].bytes,
			.largest = groups[i].largest,
			.head_size_min = groups[i].head_size,
			.head_size_max = groups[i].head_size,
			.shared = groups[i].largest.shared_by > 0,
		};
	fake->orphan_items[2].examples[0] =
	    (struct orphan_structure){ 0x5301a0, 152, 2, 304, false, 0 };
	fake->orphan_items[2].example_count = 1;
	fake->orphan_items[0].head_byte_count = 17;
	memcpy(fake->orphan_items[0].head_bytes, "HTTP/1.1 200 OK\r\n", 17);
	fake->orphans = (struct orphans){
		.groups = { .items = fake->orphan_items, .count = 8 },
		.structures = 308,
		.chunks = 4313,
		.bytes = 412 << 10,
	};
}

static void make_explanation(struct fake_findings *fake)
{
	const struct chunk chunk = {
		.address = 0x5100a0, .size = 40, .used = true, .region = &fake->region
	};
	const struct chunk entry = {
		.address = 0x511000, .size = 280, .used = true, .region = &fake->region
	};
	fake->region = (struct chunk_region){ .start = 0x510010, .end = 0x520010, .arena = 1 };
	fake->path[0] = (struct reference){
		.storage = { .kind = STORAGE_MODULE,
			     .name = "cache",
			     .offset = 8,
			     .module = &fake->modules[0] },
		.at = 0x404068,
		.value = 0x511000,
		.text = "<cache>+8 (data of app)",
	};
	fake->path[1] = (struct reference){
		.storage = { .kind = STORAGE_CHUNK,
			     .place = { .kind = PLACE_CHUNK, .chunk = entry, .offset = 16 },
			     .offset = 16 },
		.at = 0x511010,
		.value = 0x5100a8,
		.text = "+16 of 280-byte chunk 0x511000",
		.content = "class Entry (vtable)",
	};
	fake->referrers[0] = (struct referrer){
		.class = REFERRER_WEAK,
		.word = { .storage = { .kind = STORAGE_REGISTER,
				       .name = "xmm3",
				       .thread = &fake->items[MAIN] },
			  .value = 0x5100a0,
			  .text = "xmm3 of 1234 \"main\"" },
	};
	fake->referrers[1] = (struct referrer){ .class = REFERRER_CHUNK,
						.word = fake->path[1],
						.state = CHUNK_POSSIBLE };
	fake->referrers[2] = (struct referrer){
		.class = REFERRER_STALE,
		.word = { .storage = { .kind = STORAGE_UNUSED_STACK },
			  .at = 0x7ffe00000000,
			  .value = 0x5100a0,
			  .text = "unused stack of 1234 \"main\"" },
	};
	const struct explain_chunk explained = {
		.chunk = chunk,
		.state = CHUNK_POSSIBLE,
		.content = CONTENT_OBJECT,
		.what = "class Session (vtable)",
	};
	fake->explanation = (struct explanation){
		.address = 0x5100b0,
		.storage = fake->path[1].storage,
		.text = "+16 of 40-byte chunk 0x5100a0",
		.in_chunk = true,
		.chunk = explained,
		.has_before = true,
		.before = explained,
		.path = { .items = fake->path, .count = 2 },
		.why = "only a register leads to it that the system call its thread is in leaves "
		       "dead: what it holds may be left over",
		.has_referrers = true,
		.object = 0x5100a0,
		.object_size = 40,
		.referrers = { .counts = { [REFERRER_WEAK] = 1,
					   [REFERRER_CHUNK] = 1,
					   [REFERRER_STALE] = 2000 },
			       .list = { .items = fake->referrers, .count = 3 } },
	};
	struct explain_chunk *before = &fake->explanation.before;
	before->chunk.used = false;
	before->state = CHUNK_FREE;
	before->what = NULL;
	before->chunk.address = 0x510080;
	before->chunk.size = 24;
}

struct fake_findings *fake_findings_new(void)
{
	struct fake_findings *fake = calloc(1, sizeof *fake);
	if (fake == NULL)
		abort();
	make_target(fake);
	make_frames(fake);
	make_threads(fake);
	make_waits(fake);
	make_groups(fake);
	make_graph(fake);
	make_heap(fake);
	make_orphans(fake);
	make_explanation(fake);
	fake->pthreads.layout.evidence = LAYOUT_DWARF;
	gaps_add(&fake->gaps, GAP_MEMORY, 0x7f1000000000, 0x7f1010000000,
		 "mapping 0x7f1000000000 (256 MiB, shared) was not dumped: what its memory points "
		 "to is unknown");
	fake->crash = (struct crash){
		.thread = &fake->items[CRASHED],
		.signal = fake->target.signal,
		.signal_name = "SIGSEGV",
		.has_fault = true,
		.fault = { .kind = PLACE_UNMAPPED, .address = 0x18, .offset = 0x18 },
		.access = ACCESS_READ,
		.has_instruction = true,
		.instruction = { .address = 0x401234,
				 .text = "mov 0x18(%rax),%rdx",
				 .registers = { { "rax", 0 } },
				 .register_count = 1 },
		.text = "read of 0x18, not mapped (null + 24), through rax = 0x0",
	};
	fake->subject = (struct subject){
		.target = &fake->target,
		.threads = &fake->threads,
		.pthreads = &fake->pthreads,
		.heap = &fake->heap,
		.gaps = &fake->gaps,
	};
	fake->findings = (struct findings){
		.subject = &fake->subject,
		.modules = fake->modules,
		.module_count = 2,
		.segments = fake->segments,
		.segment_count = 2,
		.libc_version = "glibc 2.36",
		.crash = &fake->crash,
		.stacks = &fake->stacks,
		.waits = &fake->waits,
		.wait_groups = &fake->groups,
		.deadlocks = &fake->deadlocks,
		.convoys = &fake->convoys,
		.suspicions = &fake->suspicions,
		.locks = &fake->locks,
		.reachability = &fake->reachability,
		.orphans = &fake->orphans,
		.explanation = &fake->explanation,
		.exit_status = 1,
	};
	return fake;
}

void fake_findings_free(struct fake_findings *fake)
{
	gaps_free(&fake->gaps);
	free(fake);
}

struct findings *fake_findings_get(struct fake_findings *fake)
{
	return &fake->findings;
}

struct target *fake_findings_target(struct fake_findings *fake)
{
	return &fake->target;
}

struct thread *fake_findings_threads(struct fake_findings *fake)
{
	return fake->items;
}

struct explanation *fake_findings_explanation(struct fake_findings *fake)
{
	return &fake->explanation;
}

struct retained *fake_findings_retain(struct fake_findings *fake)
{
	const struct thread *crashed = fake_findings_threads(fake);
	fake->retained_roots[0] = (struct retained_root){
		{ .kind = ROOT_ITEM_SYMBOL, .symbol = "cache", .address = 0x404080 },
		"<cache>",
		{ 50000, 7100000 },
		0x5100a0,
		24584,
		"class Entry (vtable)"
	};
	fake->retained_roots[1] = (struct retained_root){
		{ .kind = ROOT_ITEM_FRAME, .thread = crashed, .frame = crashed->frames },
		"thread 1240 \"worker-3\" parse_header()",
		{ 12, 400000 },
		0x5200a0,
		8,
		NULL
	};
	fake->retained_roots[2] = (struct retained_root){
		{ .kind = ROOT_ITEM_REGISTER, .thread = crashed, .symbol = "rbx" },
		"thread 1240 \"worker-3\" register rbx",
		{ 1, 24 },
		0x5300a0,
		24,
		"zeros"
	};
	fake->retained_heads[0] = (struct retained_head){ 0x5400a0,
							  64,
							  { 3, 1000000 },
							  "pointers to chunks",
							  { "<cache>", "<session_table>" },
							  2,
							  false };
	fake->retained_heads[1] =
	    (struct retained_head){ 0x5500a0,
				    1 << 20,
				    { 1, 1 << 20 },
				    NULL,
				    { "<cache>", "chunk 0x5400a0", "<a>", "<b>" },
				    4,
				    true };
	fake->retained = (struct retained){
		.roots = { .items = fake->retained_roots, .count = 3 },
		.shared = { 4, 2048576 },
		.head_count = 2,
		.heads = { .items = fake->retained_heads, .count = 2 },
		.internal = { 14, 9072 },
		.departed = { 2, 400 },
		.total = { 50033, 9558072 },
	};
	fake->findings.retained = &fake->retained;
	return &fake->retained;
}

struct reachability *fake_findings_reachability(struct fake_findings *fake)
{
	return &fake->reachability;
}

struct orphans *fake_findings_orphans(struct fake_findings *fake)
{
	return &fake->orphans;
}
