/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "analysis/waits/lock_list.h"
#include "analysis/waits/wait_graph.h"
#include "analysis/waits/waits.h"
#include "analysis/words.h"
#include "fake_target.h"

#include <check.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define TEXT	 0x400000u
#define DATA	 0x600000u
#define STACKS	 0x700000u
#define LIBC	 0x800000u
#define THREADS	 4
#define FIRST	 100 /* the main thread's tid; the others' follow */
#define FRAMES	 8
#define BLOCKED	 ((uint64_t)-512)
#define RESTARTS ((uint64_t)-516)

enum { FUTEX_WAIT = 0, FUTEX_LOCK_PI = 6, FUTEX_WAIT_BITSET = 9, PRIVATE = 128, REALTIME = 256 };
enum {
	CALL_READ = 0,
	CALL_POLL = 7,
	CALL_PAUSE = 34,
	CALL_WAIT4 = 61,
	CALL_FUTEX = 202,
	CALL_RESTART = 219
};
enum { CALL_CLOCK_NANOSLEEP = 230, CALL_PSELECT = 270, CALL_MQ_RECEIVE = 243, CALL_WAITV = 449 };

/* One subject of hand-made threads, each with a stack of 4 KB at STACKS + 0x1000 * index. */
struct scene {
	struct target *target;
	struct modules *modules;
	struct gaps gaps;
	struct threads threads;
	struct frame *own_frames[THREADS]; /* the unwinder's, while a test's stand in for them */
	size_t own_counts[THREADS];
	struct frame frames[THREADS][FRAMES];
	struct subject subject;
	struct waits waits;
	struct deadlocks deadlocks;
};

static const struct module libc = { .name = "libc.so.6", .is_libc = true };
static const struct module program = { .name = "app" };

static void succeed(struct error *error)
{
	ck_assert_msg(error == NULL, "%s", error != NULL ? error->message : "");
}

static uint64_t stack_of(int tid)
{
	return STACKS + 0x1000u * (uint64_t)(tid - FIRST);
}

static uint64_t sp_of(int tid)
{
	return stack_of(tid) + 0x200;
}

static void set(struct scene *scene, int tid, const char *name, uint64_t value)
{
	fake_target_set_register(scene->target, tid, name, value);
}

/* THREADS threads in no system call, and memory: text, data, stacks. */
static void scene_begin(struct scene *scene)
{
	memset(scene, 0, sizeof *scene);
	scene->target = fake_target_new();
	scene->target->pid = FIRST;
	fake_target_map(scene->target, TEXT, 0x1000, "r-x", NULL);
	fake_target_map(scene->target, DATA, 0x1000, "rw-", NULL);
	for (int tid = FIRST; tid < FIRST + THREADS; tid++) {
		fake_target_map(scene->target, stack_of(tid), 0x1000, "rw-", NULL);
		struct target_thread *thread = fake_target_thread(scene->target, tid);
		snprintf(thread->name, sizeof thread->name, tid == FIRST ? "main" : "worker-%d",
			 tid - FIRST);
		set(scene, tid, "rip", TEXT + 0x100);
		set(scene, tid, "rsp", sp_of(tid));
		set(scene, tid, "fs_base", stack_of(tid) + 0x600);
	}
}

/* Unwinds, so that no memory may be mapped from here on. */
static void scene_open(struct scene *scene)
{
	struct modules_options modules_options = { 0 };
	struct threads_options threads_options = { 0 };
	fake_target_seal(scene->target);
	succeed(modules_open(scene->target, &modules_options, &scene->gaps, &scene->modules));
	succeed(threads_open(scene->target, scene->modules, &threads_options, &scene->gaps,
			     &scene->threads));
	ck_assert_uint_eq(scene->threads.count, THREADS);
	for (size_t i = 0; i < THREADS; i++) {
		scene->own_frames[i] = scene->threads.items[i].frames;
		scene->own_counts[i] = scene->threads.items[i].frame_count;
	}
	scene->subject = (struct subject){
		.target = scene->target,
		.modules = scene->modules,
		.threads = &scene->threads,
		.gaps = &scene->gaps,
	};
}

static void scene_find(struct scene *scene)
{
	succeed(waits_find(&scene->subject, &scene->waits));
	waits_tell_owners(&scene->subject, &scene->waits);
	succeed(deadlocks_find(&scene->subject, &scene->waits, &scene->deadlocks));
	ck_assert_uint_eq(scene->waits.count, THREADS);
}

static void scene_end(struct scene *scene)
{
	deadlocks_free(&scene->deadlocks);
	waits_free(&scene->waits);
	for (size_t i = 0; i < THREADS; i++) {
		scene->threads.items[i].frames = scene->own_frames[i];
		scene->threads.items[i].frame_count = scene->own_counts[i];
	}
	threads_free(&scene->threads);
	modules_free(scene->modules);
	target_close(scene->target);
	gaps_free(&scene->gaps);
}

static void block(struct scene *scene, int tid, uint64_t call, uint64_t result, uint64_t first,
		  uint64_t second, uint64_t third)
{
	set(scene, tid, "orig_rax", call);
	set(scene, tid, "rax", result);
	set(scene, tid, "rdi", first);
	set(scene, tid, "rsi", second);
	set(scene, tid, "rdx", third);
	set(scene, tid, "r10", 0);
}

static void block_on_futex(struct scene *scene, int tid, uint64_t word, uint64_t operation,
			   uint64_t value)
{
	block(scene, tid, CALL_FUTEX, BLOCKED, word, operation, value);
}

/* Gives a thread a stack of named frames, innermost first: "(…)" lie in the program, "<signal>" is
 * a handler's trampoline, all others lie in libc. */
static void stands_in(struct scene *scene, int tid, const char *const names[])
{
	size_t index = (size_t)(tid - FIRST), count = 0;
	struct frame *frames = scene->frames[index];
	for (; names[count] != NULL && count < FRAMES; count++) {
		bool own = names[count][0] == '(';
		frames[count] = (struct frame){
			.pc = own ? TEXT : LIBC,
			.module = own ? &program : &libc,
			.linkage = names[count],
			.function = names[count],
			.sp = sp_of(tid) + 0x40 * count,
			.signal_frame = strcmp(names[count], "<signal>") == 0,
		};
	}
	scene->threads.items[index].frames = frames;
	scene->threads.items[index].frame_count = count;
}

/* Gives a thread the stack `innermost` in libc, and "work" in the program. */
static void called(struct scene *scene, int tid, const char *innermost)
{
	size_t index = (size_t)(tid - FIRST);
	struct frame *frames = scene->frames[index];
	frames[0] = (struct frame){ .pc = LIBC,
				    .module = &libc,
				    .linkage = innermost,
				    .function = innermost,
				    .sp = sp_of(tid) };
	frames[1] = (struct frame){ .pc = TEXT,
				    .module = &program,
				    .linkage = "work",
				    .function = "work",
				    .sp = sp_of(tid) + 0x80 };
	scene->threads.items[index].frames = frames;
	scene->threads.items[index].frame_count = 2;
}

static const struct wait *wait_of(const struct scene *scene, int tid)
{
	return &scene->waits.items[tid - FIRST];
}

static void put_mutex(struct scene *scene, uint64_t address, uint32_t lock, uint32_t owner,
		      uint32_t kind)
{
	fake_target_put32(scene->target, address, lock);
	fake_target_put32(scene->target, address + 8, owner);
	fake_target_put32(scene->target, address + 12, 1);
	fake_target_put32(scene->target, address + 16, kind);
}

/* A stream as fopen makes it, of fd 5, whose lock the thread at `owner` holds. */
static void put_stdio_lock(struct scene *scene, uint64_t file, uint64_t owner)
{
	uint64_t lock = file + 224;
	fake_target_put64(scene->target, file + 136, lock);
	fake_target_put32(scene->target, file + 112, 5);
	fake_target_put32(scene->target, lock, 2);
	fake_target_put32(scene->target, lock + 4, 1);
	fake_target_put64(scene->target, lock + 8, owner);
}

static void has(const char *text, const char *part)
{
	ck_assert_ptr_nonnull(text);
	ck_assert_msg(strstr(text, part) != NULL, "\"%s\" is not in \"%s\"", part, text);
}

/* --- activity */

START_TEST(thread_outside_of_system_calls_runs)
{
	struct scene scene;
	scene_begin(&scene);
	scene_open(&scene);
	scene_find(&scene);
	ck_assert_int_eq(wait_of(&scene, FIRST)->activity, THREAD_RUNNING);
	ck_assert_int_eq(wait_of(&scene, FIRST)->kind, WAIT_NONE);
	ck_assert_str_eq(wait_of(&scene, FIRST)->text, "runs");
	scene_end(&scene);
}
END_TEST

START_TEST(call_that_has_returned_is_no_wait)
{
	struct scene scene;
	scene_begin(&scene);
	block(&scene, FIRST, CALL_READ, 5, 3, 0, 100);
	block(&scene, FIRST + 1, CALL_READ, BLOCKED, 3, 0, 100);
	block(&scene, FIRST + 2, 1, 7, 4, 0, 100); /* a write, cut off after 7 of 100 bytes */
	block(&scene, FIRST + 3, 9999, BLOCKED, 0, 0, 0);
	scene_open(&scene);
	scene_find(&scene);
	ck_assert_int_eq(wait_of(&scene, FIRST)->activity, THREAD_IN_SYSCALL);
	ck_assert_str_eq(wait_of(&scene, FIRST)->text, "is in read");
	ck_assert_int_eq(wait_of(&scene, FIRST + 1)->activity, THREAD_BLOCKED);
	ck_assert_str_eq(wait_of(&scene, FIRST + 1)->text, "reads from fd 3");
	ck_assert_int_eq(wait_of(&scene, FIRST + 2)->kind, WAIT_WRITE);
	ck_assert_int_eq(wait_of(&scene, FIRST + 2)->fd, 4);
	ck_assert_int_eq(wait_of(&scene, FIRST + 3)->kind, WAIT_OTHER);
	ck_assert_str_eq(wait_of(&scene, FIRST + 3)->text, "waits in system call 9999");
	scene_end(&scene);
}
END_TEST

START_TEST(restarted_call_is_told_by_its_instructions)
{
	static const uint8_t poll_call[] = { 0xb8, CALL_POLL, 0, 0, 0, 0x0f, 0x05 };
	static const uint8_t read_call[] = { 0xb8, CALL_READ, 0, 0, 0, 0x0f, 0x05 };
	struct scene scene;
	scene_begin(&scene);
	fake_target_put(scene.target, TEXT + 0x100 - 7, poll_call, sizeof poll_call);
	fake_target_put(scene.target, TEXT + 0x200 - 7, read_call, sizeof read_call);
	fake_target_put32(scene.target, DATA, 9);
	fake_target_put32(scene.target, DATA + 4, 1);
	block(&scene, FIRST, CALL_RESTART, RESTARTS, DATA, 1, 1500);
	block(&scene, FIRST + 1, CALL_RESTART, RESTARTS, DATA, 1, 1500);
	set(&scene, FIRST + 1, "rip", TEXT + 0x200);
	scene_open(&scene);
	scene_find(&scene);
	const struct wait *wait = wait_of(&scene, FIRST);
	ck_assert_int_eq(wait->syscall, CALL_POLL);
	ck_assert_str_eq(wait->text, "polls fd 9, for at most 1.5 s");
	ck_assert_int_eq(wait->timeout_ns, INT64_C(1500000000));
	ck_assert(wait->idle);
	/* The kernel never restarts read so: the bytes are no evidence. */
	ck_assert_int_eq(wait_of(&scene, FIRST + 1)->kind, WAIT_OTHER);
	ck_assert_uint_ge(scene.gaps.list.count, 1);
	scene_end(&scene);
}
END_TEST

/* --- mutexes */

START_TEST(mutex_is_told_by_memory_alone)
{
	struct scene scene;
	scene_begin(&scene);
	put_mutex(&scene, DATA + 0x40, 2, FIRST + 1, 1);
	block_on_futex(&scene, FIRST, DATA + 0x40, FUTEX_WAIT | PRIVATE, 2);
	scene_open(&scene);
	scene_find(&scene);
	const struct wait *wait = wait_of(&scene, FIRST);
	ck_assert_int_eq(wait->kind, WAIT_MUTEX);
	ck_assert_uint_eq(wait->object, DATA + 0x40);
	ck_assert_int_eq(wait->owner_state, OWNER_THREAD);
	ck_assert_int_eq(wait->owner, FIRST + 1);
	ck_assert(!wait->inferred_owner);
	has(wait->text, "waits for mutex 0x600040 (anonymous mapping, rw-), recursive, held by 101 "
			"\"worker-1\"");
	has(wait->detail, "recursive");
	has(wait->evidence, "has the form of a mutex");
	scene_end(&scene);
}
END_TEST

START_TEST(memory_that_is_no_mutex_is_a_futex)
{
	struct scene scene;
	scene_begin(&scene);
	put_mutex(&scene, DATA, 2, FIRST + 1, 0x4000);	  /* no such kind */
	put_mutex(&scene, DATA + 0x40, 2, FIRST + 77, 0); /* no such thread */
	put_mutex(&scene, DATA + 0x80, 1, FIRST + 1, 0);  /* not the word that waiters leave */
	put_mutex(&scene, DATA + 0xc0, 2, FIRST + 1, 0);
	block_on_futex(&scene, FIRST, DATA, FUTEX_WAIT | PRIVATE, 2);
	block_on_futex(&scene, FIRST + 1, DATA + 0x40, FUTEX_WAIT | PRIVATE, 2);
	block_on_futex(&scene, FIRST + 2, DATA + 0x80, FUTEX_WAIT | PRIVATE, 1);
	block_on_futex(&scene, FIRST + 3, DATA + 0xc0, FUTEX_WAIT | PRIVATE, 2);
	scene_open(&scene);
	/* The program's own futex, in whatever form: not libc's object. */
	called(&scene, FIRST + 3, "syscall");
	scene_find(&scene);
	for (int tid = FIRST; tid < FIRST + THREADS; tid++) {
		ck_assert_int_eq(wait_of(&scene, tid)->kind, WAIT_FUTEX);
		ck_assert_int_eq(wait_of(&scene, tid)->owner_state, OWNER_NONE);
		ck_assert_int_eq(wait_of(&scene, tid)->owner, 0);
	}
	scene_end(&scene);
}
END_TEST

START_TEST(owners_are_believed_only_where_they_can_be)
{
	struct scene scene;
	scene_begin(&scene);
	put_mutex(&scene, DATA, 2, 4711, 0);	     /* exited, or another process */
	put_mutex(&scene, DATA + 0x40, 0, FIRST, 0); /* not locked any more */
	put_mutex(&scene, DATA + 0x80, 2, 0, 0);     /* changing hands */
	put_mutex(&scene, DATA + 0xc0, 2, FIRST + 3, 0);
	for (int i = 0; i < THREADS; i++)
		block_on_futex(&scene, FIRST + i, DATA + 0x40u * (unsigned)i, FUTEX_WAIT | PRIVATE,
			       2);
	scene_open(&scene);
	for (int i = 0; i < THREADS; i++)
		called(&scene, FIRST + i, "___pthread_mutex_lock");
	scene_find(&scene);
	ck_assert_int_eq(wait_of(&scene, FIRST)->owner_state, OWNER_GONE);
	ck_assert_int_eq(wait_of(&scene, FIRST)->owner, 4711);
	has(wait_of(&scene, FIRST)->text, "no thread of this process");
	ck_assert_int_eq(wait_of(&scene, FIRST + 1)->owner_state, OWNER_NONE);
	ck_assert_int_eq(wait_of(&scene, FIRST + 2)->owner_state, OWNER_UNKNOWN);
	ck_assert_int_eq(wait_of(&scene, FIRST + 3)->owner_state, OWNER_SELF);
	ck_assert_str_eq(wait_of(&scene, FIRST + 3)->site->function, "work");
	ck_assert_uint_eq(scene.deadlocks.count, 1);
	ck_assert_str_eq(scene.deadlocks.items[0].sentence,
			 "103 \"worker-3\" waits for mutex 0x6000c0 (anonymous mapping, rw-) that "
			 "it holds itself.");
	scene_end(&scene);
}
END_TEST

START_TEST(words_of_the_kernel_carry_the_owner)
{
	struct scene scene;
	scene_begin(&scene);
	put_mutex(&scene, DATA, 0x80000000u | (FIRST + 1), 0, 0x20);
	put_mutex(&scene, DATA + 0x40, 0x80000000u | (FIRST + 2), FIRST + 2, 0x90);
	put_mutex(&scene, DATA + 0x80, 0xc0000000u | 4711, 4711, 0x90);
	block(&scene, FIRST, CALL_FUTEX, (uint64_t)-513, DATA, FUTEX_LOCK_PI | PRIVATE, 0);
	block_on_futex(&scene, FIRST + 1, DATA + 0x40, FUTEX_WAIT, 0x80000000u | (FIRST + 2));
	block_on_futex(&scene, FIRST + 2, DATA + 0x80, FUTEX_WAIT, 0xc0000000u | 4711);
	scene_open(&scene);
	called(&scene, FIRST + 2, "__pthread_mutex_lock_full");
	scene_find(&scene);
	ck_assert_int_eq(wait_of(&scene, FIRST)->kind, WAIT_MUTEX);
	ck_assert_int_eq(wait_of(&scene, FIRST)->owner, FIRST + 1);
	has(wait_of(&scene, FIRST)->detail, "priority inheritance");
	ck_assert_int_eq(wait_of(&scene, FIRST + 1)->kind, WAIT_MUTEX);
	ck_assert_int_eq(wait_of(&scene, FIRST + 1)->owner, FIRST + 2);
	ck_assert_str_eq(wait_of(&scene, FIRST + 1)->detail, "robust");
	ck_assert_int_eq(wait_of(&scene, FIRST + 2)->owner_state, OWNER_GONE);
	has(wait_of(&scene, FIRST + 2)->owner_note, "died while it held it");
	scene_end(&scene);
}
END_TEST

START_TEST(missing_memory_invents_no_owner)
{
	struct scene scene;
	scene_begin(&scene);
	block_on_futex(&scene, FIRST, 0x123450, FUTEX_WAIT | PRIVATE, 2);
	block_on_futex(&scene, FIRST + 1, 0x123450, FUTEX_WAIT | PRIVATE, 2);
	block_on_futex(&scene, FIRST + 2, UINT64_MAX - 3, FUTEX_WAIT | PRIVATE, 2);
	block_on_futex(&scene, FIRST + 3, 1, FUTEX_WAIT_BITSET | PRIVATE, 0);
	scene_open(&scene);
	called(&scene, FIRST + 1, "__pthread_mutex_lock");
	called(&scene, FIRST + 2, "pthread_rwlock_rdlock");
	called(&scene, FIRST + 3, "pthread_cond_wait");
	scene_find(&scene);
	ck_assert_int_eq(wait_of(&scene, FIRST)->kind, WAIT_FUTEX);
	ck_assert_int_eq(wait_of(&scene, FIRST + 1)->kind, WAIT_MUTEX);
	ck_assert_int_eq(wait_of(&scene, FIRST + 1)->owner_state, OWNER_UNKNOWN);
	ck_assert_int_eq(wait_of(&scene, FIRST + 2)->kind, WAIT_RWLOCK_READ);
	ck_assert_int_eq(wait_of(&scene, FIRST + 2)->owner_state, OWNER_UNKNOWN);
	ck_assert_int_eq(wait_of(&scene, FIRST + 3)->kind, WAIT_CONDITION);
	scene_end(&scene);
}
END_TEST

/* --- the other objects of libc */

/* A condition variable whose futex words lie `signals` bytes into it, waited for by `tid` with the
 * mutex at `mutex`, as libc keeps both on the stack. */
static void wait_on_condition(struct scene *scene, int tid, uint64_t condition, uint64_t signals,
			      uint64_t mutex)
{
	fake_target_put64(scene->target, condition, 9 << 1);
	fake_target_put64(scene->target, condition + 8, 3 << 1);
	fake_target_put32(scene->target, condition + signals - 4, 1 << 3);
	put_mutex(scene, mutex, 0, 0, 0);
	fake_target_put64(scene->target, sp_of(tid) + 0x40, condition);
	fake_target_put64(scene->target, sp_of(tid) + 0x48, mutex);
	block_on_futex(scene, tid, condition + signals, FUTEX_WAIT_BITSET | PRIVATE | REALTIME, 0);
}

START_TEST(both_layouts_of_condition_variables)
{
	struct scene scene;
	scene_begin(&scene);
	wait_on_condition(&scene, FIRST, DATA + 0x40, 40, DATA + 0x80);
	wait_on_condition(&scene, FIRST + 1, DATA + 0x140, 36, DATA + 0x180);
	scene_open(&scene);
	called(&scene, FIRST + 1, "pthread_cond_wait@@GLIBC_2.3.2");
	scene_find(&scene);
	for (int i = 0; i < 2; i++) {
		const struct wait *wait = wait_of(&scene, FIRST + i);
		ck_assert_int_eq(wait->kind, WAIT_CONDITION);
		ck_assert_uint_eq(wait->object, DATA + 0x40 + 0x100u * (unsigned)i);
		ck_assert(wait->idle);
		has(wait->detail, i == 0 ? "with mutex 0x600080" : "with mutex 0x600180");
	}
	scene_end(&scene);
}
END_TEST

START_TEST(mutex_after_a_wake_up_is_no_condition_variable)
{
	struct scene scene;
	scene_begin(&scene);
	put_mutex(&scene, DATA, 2, FIRST + 2, 0);
	block_on_futex(&scene, FIRST, DATA, FUTEX_WAIT | PRIVATE, 2);
	scene_open(&scene);
	called(&scene, FIRST, "pthread_cond_wait");
	scene_find(&scene);
	ck_assert_int_eq(wait_of(&scene, FIRST)->kind, WAIT_MUTEX);
	ck_assert_int_eq(wait_of(&scene, FIRST)->owner, FIRST + 2);
	ck_assert(!wait_of(&scene, FIRST)->idle);
	scene_end(&scene);
}
END_TEST

START_TEST(rwlocks_tell_their_writer_and_count_their_readers)
{
	struct scene scene;
	scene_begin(&scene);
	fake_target_put32(scene.target, DATA, 8 | 3); /* write phase, locked; one reader waits */
	fake_target_put32(scene.target, DATA + 8, 3);
	fake_target_put32(scene.target, DATA + 24, FIRST + 3);
	fake_target_put32(scene.target, DATA + 0x40, 2 << 3 | 2); /* two readers, a writer waits */
	fake_target_put32(scene.target, DATA + 0x48, 2);
	uint64_t operation = FUTEX_WAIT_BITSET | PRIVATE | REALTIME;
	block_on_futex(&scene, FIRST, DATA + 8, operation, 3);
	block_on_futex(&scene, FIRST + 1, DATA + 0x48, operation, 2);
	block_on_futex(&scene, FIRST + 2, DATA + 12, operation, 3);
	scene_open(&scene);
	called(&scene, FIRST + 2, "__pthread_rwlock_wrlock_full64");
	scene_find(&scene);
	ck_assert_int_eq(wait_of(&scene, FIRST)->kind, WAIT_RWLOCK_READ);
	ck_assert_uint_eq(wait_of(&scene, FIRST)->object, DATA);
	ck_assert_int_eq(wait_of(&scene, FIRST)->owner, FIRST + 3);
	ck_assert_int_eq(wait_of(&scene, FIRST + 1)->kind, WAIT_RWLOCK_WRITE);
	ck_assert_uint_eq(wait_of(&scene, FIRST + 1)->object, DATA + 0x40);
	ck_assert_int_eq(wait_of(&scene, FIRST + 1)->owner_state, OWNER_UNKNOWN);
	ck_assert_str_eq(wait_of(&scene, FIRST + 1)->owner_note,
			 "held by 2 readers, which ones is not recorded");
	ck_assert_int_eq(wait_of(&scene, FIRST + 2)->kind, WAIT_RWLOCK_WRITE);
	ck_assert_uint_eq(wait_of(&scene, FIRST + 2)->object, DATA);
	scene_end(&scene);
}
END_TEST

START_TEST(semaphore_and_barrier_by_memory)
{
	struct scene scene;
	scene_begin(&scene);
	fake_target_put64(scene.target, DATA + 0x40, UINT64_C(1) << 32);
	fake_target_put32(scene.target, DATA + 0x80, 8); /* two of the third round of three */
	fake_target_put32(scene.target, DATA + 0x84, 6);
	fake_target_put32(scene.target, DATA + 0x88, 3);
	block_on_futex(&scene, FIRST, DATA + 0x40, FUTEX_WAIT_BITSET | PRIVATE | REALTIME, 0);
	block_on_futex(&scene, FIRST + 1, DATA + 0x84, FUTEX_WAIT | PRIVATE, 6);
	scene_open(&scene);
	scene_find(&scene);
	ck_assert_int_eq(wait_of(&scene, FIRST)->kind, WAIT_SEMAPHORE);
	ck_assert_uint_eq(wait_of(&scene, FIRST)->object, DATA + 0x40);
	ck_assert_int_eq(wait_of(&scene, FIRST + 1)->kind, WAIT_BARRIER);
	ck_assert_uint_eq(wait_of(&scene, FIRST + 1)->object, DATA + 0x80);
	ck_assert_str_eq(wait_of(&scene, FIRST + 1)->detail, "2 of 3 have arrived");
	scene_end(&scene);
}
END_TEST

START_TEST(join_leads_to_the_joined_thread)
{
	struct scene scene;
	scene_begin(&scene);
	uint64_t joined = stack_of(FIRST + 2) + 0x600;
	fake_target_put32(scene.target, joined + 720, FIRST + 2);
	block_on_futex(&scene, FIRST, joined + 720, FUTEX_WAIT_BITSET | REALTIME, FIRST + 2);
	/* 2.43: a state instead of the tid. */
	fake_target_put32(scene.target, joined + 1576, 2);
	block_on_futex(&scene, FIRST + 1, joined + 1576, FUTEX_WAIT_BITSET | REALTIME, 2);
	/* Nothing of a join: private, and no tid. */
	block_on_futex(&scene, FIRST + 3, joined + 64, FUTEX_WAIT | PRIVATE, 5);
	scene_open(&scene);
	scene_find(&scene);
	for (int i = 0; i < 2; i++) {
		ck_assert_int_eq(wait_of(&scene, FIRST + i)->kind, WAIT_JOIN);
		ck_assert_int_eq(wait_of(&scene, FIRST + i)->target_pid, FIRST + 2);
		ck_assert_int_eq(wait_of(&scene, FIRST + i)->owner, FIRST + 2);
		ck_assert_str_eq(wait_of(&scene, FIRST + i)->text,
				 "waits for the end of thread 102 \"worker-2\" (join)");
	}
	ck_assert_int_eq(wait_of(&scene, FIRST + 3)->kind, WAIT_FUTEX);
	scene_end(&scene);
}
END_TEST

START_TEST(stdio_lock_by_its_owner_pointer)
{
	struct scene scene;
	scene_begin(&scene);
	uint64_t file = DATA + 0x100, lock = file + 224;
	put_stdio_lock(&scene, file, stack_of(FIRST + 1) + 0x600);
	block_on_futex(&scene, FIRST, lock, FUTEX_WAIT | PRIVATE, 2);
	scene_open(&scene);
	scene_find(&scene);
	const struct wait *wait = wait_of(&scene, FIRST);
	ck_assert_int_eq(wait->kind, WAIT_FILE_LOCK);
	ck_assert_uint_eq(wait->object, file);
	ck_assert_int_eq(wait->owner, FIRST + 1);
	ck_assert_str_eq(wait->detail, "fd 5");
	scene_end(&scene);
}
END_TEST

static void put_time(struct scene *scene, uint64_t address, uint64_t seconds, uint64_t nanoseconds)
{
	fake_target_put64(scene->target, address, seconds);
	fake_target_put64(scene->target, address + 8, nanoseconds);
}

/* How long is left a core does not tell, but until when by which clock. */
START_TEST(deadlines_are_told_in_cores)
{
	struct scene scene;
	scene_begin(&scene);
	put_time(&scene, DATA + 0x100, 12345, 678900000);
	put_time(&scene, DATA + 0x110, 951782400, 0);
	put_mutex(&scene, DATA, 2, FIRST + 1, 0);
	fake_target_put64(scene.target, DATA + 0x208, DATA + 0x300); /* of a futex_waitv */
	block_on_futex(&scene, FIRST, DATA, FUTEX_WAIT_BITSET | PRIVATE, 2);
	set(&scene, FIRST, "r10", DATA + 0x100);
	block(&scene, FIRST + 1, CALL_WAITV, BLOCKED, DATA + 0x200, 1, 0);
	set(&scene, FIRST + 1, "r10", DATA + 0x100);
	set(&scene, FIRST + 1, "r8", 7); /* CLOCK_BOOTTIME */
	block(&scene, FIRST + 2, CALL_MQ_RECEIVE, BLOCKED, 6, DATA + 0x400, 10);
	set(&scene, FIRST + 2, "r8", DATA + 0x110);
	block(&scene, FIRST + 3, CALL_CLOCK_NANOSLEEP, BLOCKED, (uint64_t)-6, 1,
	      DATA + 0x100); /* as glibc passes it on */
	scene_open(&scene);
	scene_find(&scene);
	has(wait_of(&scene, FIRST)->brief, ", until 12345.678 s of CLOCK_MONOTONIC, held by 101");
	has(wait_of(&scene, FIRST + 1)->text, ", until 12345.678 s of CLOCK_BOOTTIME");
	ck_assert_str_eq(wait_of(&scene, FIRST + 2)->text,
			 "receives from fd 6, until 2000-02-29 00:00:00 UTC");
	ck_assert_str_eq(wait_of(&scene, FIRST + 3)->text,
			 "sleeps, until 12345.678 s of the process's processor time");
	for (int tid = FIRST; tid < FIRST + THREADS; tid++)
		ck_assert(wait_of(&scene, tid)->timed);
	scene_end(&scene);
}
END_TEST

/* After what is told of the object. */
START_TEST(deadline_is_a_clause_of_its_own)
{
	static const char *const functions[] = { "aio_suspend64", "flockfile", "unheard_of",
						 "sem_timedwait" };
	static const char *const texts[] = {
		"waits for I/O, in aio_suspend64, until 5.000 s of CLOCK_MONOTONIC",
		"fd 5, until 5.000 s of CLOCK_MONOTONIC, held by 102",
		"waits while it is 7, now it is 0, until 5.000 s of CLOCK_MONOTONIC",
		", until 5.000 s of CLOCK_MONOTONIC",
	};
	struct scene scene;
	scene_begin(&scene);
	put_time(&scene, DATA + 0x80, 5, 0);
	put_stdio_lock(&scene, DATA + 0x100, stack_of(FIRST + 1) + 0x600);
	for (int i = 0; i < THREADS; i++) {
		block_on_futex(&scene, FIRST + i, i == 1 ? DATA + 0x1e0 : DATA + 0x800,
			       FUTEX_WAIT_BITSET | PRIVATE, i == 1 ? 2 : 7);
		set(&scene, FIRST + i, "r10", DATA + 0x80);
	}
	scene_open(&scene);
	for (int i = 0; i < THREADS; i++)
		called(&scene, FIRST + i, functions[i]);
	scene.threads.items[1].thread_pointer = 0x1000; /* else it held its own lock */
	scene.threads.items[2].thread_pointer = stack_of(FIRST + 1) + 0x600;
	scene_find(&scene);
	for (int i = 0; i < THREADS; i++)
		has(wait_of(&scene, FIRST + i)->text, texts[i]);
	scene_end(&scene);
}
END_TEST

START_TEST(deadlines_count_down_in_the_living)
{
	struct scene scene;
	struct timespec now;
	clock_gettime(CLOCK_REALTIME, &now);
	scene_begin(&scene);
	put_time(&scene, DATA + 0x100, (uint64_t)now.tv_sec + 7290, (uint64_t)now.tv_nsec);
	put_time(&scene, DATA + 0x110, (uint64_t)now.tv_sec - 1, 0);
	for (int tid = FIRST; tid < FIRST + 2; tid++) {
		block_on_futex(&scene, tid, DATA, FUTEX_WAIT_BITSET | PRIVATE | REALTIME, 5);
		set(&scene, tid, "r10", tid == FIRST ? DATA + 0x100 : DATA + 0x110);
	}
	block_on_futex(&scene, FIRST + 2, DATA, FUTEX_WAIT_BITSET | PRIVATE, 5);
	set(&scene, FIRST + 2, "r10", 0x10);
	block(&scene, FIRST + 3, CALL_CLOCK_NANOSLEEP, BLOCKED, 2, 1, DATA + 0x100);
	scene_open(&scene);
	scene.target->kind = TARGET_LIVE;
	scene_find(&scene);
	has(wait_of(&scene, FIRST)->text, ", 2 h 1 min left");
	has(wait_of(&scene, FIRST + 1)->text, ", its timeout has passed");
	has(wait_of(&scene, FIRST + 2)->text, ", with a timeout");
	/* Its processor time is not ours. */
	has(wait_of(&scene, FIRST + 3)->text, " s of the process's processor time");
	scene_end(&scene);
}
END_TEST

/* Of a thread that ran and was not stopped no register is known, its thread pointer neither. */
START_TEST(stdio_lock_of_a_thread_that_was_not_stopped)
{
	struct scene scene;
	scene_begin(&scene);
	uint64_t file = DATA + 0x100, lock = file + 224, unknown = DATA + 0x800;
	struct glibc_pthread pthread = { .address = stack_of(FIRST + 1) + 0x600,
					 .tid = FIRST + 1,
					 .state = GLIBC_STACK_RUNNING };
	const struct glibc_pthread *sorted = &pthread;
	const struct glibc_pthreads pthreads = {
		.layout = { .size = 64 }, .items = &pthread, .count = 1, .by_address = &sorted
	};
	put_stdio_lock(&scene, file, pthread.address);
	put_stdio_lock(&scene, file + 0x200, unknown);
	put_mutex(&scene, DATA + 0x600, 2, 4711, 0);
	block_on_futex(&scene, FIRST, lock, FUTEX_WAIT | PRIVATE, 2);
	block_on_futex(&scene, FIRST + 2, lock + 0x200, FUTEX_WAIT | PRIVATE, 2);
	block_on_futex(&scene, FIRST + 3, DATA + 0x600, FUTEX_WAIT | PRIVATE, 2);
	scene_open(&scene);
	for (int tid = FIRST; tid < FIRST + THREADS; tid++)
		called(&scene, tid, tid == FIRST + 3 ? "__pthread_mutex_lock" : "flockfile");
	scene.target->kind = TARGET_LIVE;
	scene.target->threads.items[1].stopped = false;
	scene.threads.items[1].thread_pointer = 0;
	scene.subject.pthreads = &pthreads;
	scene_find(&scene);
	ck_assert_int_eq(wait_of(&scene, FIRST)->owner_state, OWNER_THREAD);
	ck_assert_int_eq(wait_of(&scene, FIRST)->owner, FIRST + 1);
	ck_assert_int_eq(wait_of(&scene, FIRST + 2)->owner_state, OWNER_UNKNOWN);
	ck_assert_int_eq(wait_of(&scene, FIRST + 3)->owner_state, OWNER_UNKNOWN);
	has(wait_of(&scene, FIRST + 3)->text, ", held by 4711, which was no thread when they");
	scene_end(&scene);
}
END_TEST

START_TEST(handler_that_allocates_in_an_allocation_waits_for_itself)
{
	static const char *const stuck[] = { "__lll_lock_wait_private",
					     "malloc",
					     "(handler)",
					     "<signal>",
					     "_int_free",
					     "cfree",
					     "(work)",
					     NULL };
	static const char *const waits[] = { "__lll_lock_wait_private", "malloc", "(work)", "free",
					     NULL };
	static const char *const elsewhere[] = {
		"__lll_lock_wait_private", "malloc", "(handler)", "<signal>", "read", "(work)", NULL
	};
	static const char *const handler[] = { "nanosleep",	     "(handler)", "<signal>",
					       "pthread_mutex_lock", "(work)",	  NULL };
	struct scene scene;
	scene_begin(&scene);
	fake_target_put32(scene.target, DATA, 2);
	for (int tid = FIRST; tid < FIRST + THREADS; tid++)
		block_on_futex(&scene, tid, DATA, FUTEX_WAIT | PRIVATE, 2);
	scene_open(&scene);
	stands_in(&scene, FIRST, stuck);
	stands_in(&scene, FIRST + 1, waits);
	stands_in(&scene, FIRST + 2, elsewhere);
	stands_in(&scene, FIRST + 3, handler);
	scene_find(&scene);
	ck_assert_int_eq(wait_of(&scene, FIRST)->kind, WAIT_MUTEX);
	ck_assert_int_eq(wait_of(&scene, FIRST)->owner_state, OWNER_SELF);
	ck_assert(wait_of(&scene, FIRST)->inferred_owner);
	for (int i = 1; i <= 2; i++) {
		ck_assert_int_eq(wait_of(&scene, FIRST + i)->kind, WAIT_MUTEX);
		ck_assert_int_eq(wait_of(&scene, FIRST + i)->owner_state, OWNER_UNKNOWN);
	}
	/* What the handler interrupted is not what it waits for. */
	ck_assert_int_eq(wait_of(&scene, FIRST + 3)->kind, WAIT_FUTEX);
	ck_assert_uint_eq(scene.deadlocks.count, 1);
	has(scene.deadlocks.items[0].sentence, "that it holds itself (as the stacks show).");
	scene_end(&scene);
}
END_TEST

START_TEST(locks_of_another_libc_keep_their_owner_to_themselves)
{
	static const struct module musl = { .name = "ld-musl-x86_64.so.1" };
	struct scene scene;
	scene_begin(&scene);
	put_mutex(&scene, DATA, 2, FIRST + 1, 0);
	block_on_futex(&scene, FIRST, DATA, FUTEX_WAIT | PRIVATE, 2);
	scene_open(&scene);
	called(&scene, FIRST, "pthread_mutex_lock");
	scene.frames[0][0].module = &musl;
	scene_find(&scene);
	ck_assert_int_eq(wait_of(&scene, FIRST)->kind, WAIT_MUTEX);
	ck_assert_int_eq(wait_of(&scene, FIRST)->owner_state, OWNER_UNKNOWN);
	scene_end(&scene);
}
END_TEST

/* Waits that programs and their runtimes build for themselves, by frames of C, C++ and Go. */
START_TEST(runtimes_are_known_by_their_frames)
{
	static const struct {
		const char *frames[4];
		const char *detail;
		bool idle;
	} rows[] = {
		{ { "(runtime.futex)", "runtime.stopm" }, "work of Go's scheduler", true },
		{ { "(runtime.futex)", "runtime.stopmore" }, NULL, false },
		{ { "(syscall)", "ObjectMonitor::enter(JavaThread*)" },
		  "a monitor of Java",
		  false },
		{ { "(syscall)", "ProcSleep" }, "a lock of PostgreSQL's lock manager", false },
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct scene scene;
		scene_begin(&scene);
		block_on_futex(&scene, FIRST, DATA, FUTEX_WAIT | PRIVATE, 0);
		scene_open(&scene);
		stands_in(&scene, FIRST, rows[i].frames);
		scene_find(&scene);
		const struct wait *wait = wait_of(&scene, FIRST);
		ck_assert_int_eq(wait->idle, rows[i].idle);
		if (rows[i].detail != NULL)
			has(wait->detail, rows[i].detail);
		else
			ck_assert_ptr_null(wait->detail);
		scene_end(&scene);
	}
}
END_TEST

START_TEST(restarted_call_is_told_by_where_the_kernel_sleeps)
{
	struct scene scene;
	scene_begin(&scene);
	for (int i = 0; i < 3; i++)
		block(&scene, FIRST + i, CALL_RESTART, RESTARTS, DATA, 1, 0);
	strcpy(scene.target->threads.items[0].wchan, "poll_schedule_timeout.isra.0");
	strcpy(scene.target->threads.items[1].wchan, "hrtimer_nanosleep");
	strcpy(scene.target->threads.items[2].wchan, "do_wait");
	scene_open(&scene);
	scene_find(&scene);
	ck_assert_int_eq(wait_of(&scene, FIRST)->kind, WAIT_POLL);
	ck_assert_int_eq(wait_of(&scene, FIRST + 1)->kind, WAIT_SLEEP);
	ck_assert_int_eq(wait_of(&scene, FIRST + 2)->kind, WAIT_OTHER);
	scene_end(&scene);
}
END_TEST

START_TEST(restarted_futex_through_syscall_is_told_by_its_arguments)
{
	struct scene scene;
	scene_begin(&scene);
	fake_target_put64(scene.target, DATA + 0x100, 60);
	for (int i = 0; i < 3; i++) {
		block(&scene, FIRST + i, CALL_RESTART, RESTARTS, DATA, FUTEX_WAIT | PRIVATE, 0);
		set(&scene, FIRST + i, "r10", DATA + 0x100);
	}
	set(&scene, FIRST + 1, "rdi", 0x123450); /* no futex word there */
	scene_open(&scene);
	called(&scene, FIRST, "syscall");
	called(&scene, FIRST + 1, "syscall");
	scene_find(&scene);
	ck_assert_int_eq(wait_of(&scene, FIRST)->kind, WAIT_FUTEX);
	ck_assert_int_eq(wait_of(&scene, FIRST)->syscall, CALL_FUTEX);
	ck_assert_int_eq(wait_of(&scene, FIRST)->timeout_ns, INT64_C(60000000000));
	ck_assert_int_eq(wait_of(&scene, FIRST + 1)->kind, WAIT_OTHER);
	ck_assert_int_eq(wait_of(&scene, FIRST + 2)->kind, WAIT_OTHER);
	scene_end(&scene);
}
END_TEST

/* --- descriptors */

START_TEST(hostile_arrays_are_bounded)
{
	struct scene scene;
	scene_begin(&scene);
	block(&scene, FIRST, CALL_POLL, BLOCKED, UINT64_MAX - 8, UINT64_MAX, (uint64_t)-1);
	block(&scene, FIRST + 1, CALL_POLL, BLOCKED, DATA + 0xff8, 5, (uint64_t)-1);
	block(&scene, FIRST + 2, 270, BLOCKED, UINT64_MAX, UINT64_MAX - 4, 0);
	block(&scene, FIRST + 3, CALL_WAIT4, BLOCKED, (uint64_t)(uint32_t)-1, 0, 0);
	scene_open(&scene);
	scene_find(&scene);
	ck_assert_int_eq(wait_of(&scene, FIRST)->kind, WAIT_POLL);
	has(wait_of(&scene, FIRST)->detail, "could not be read");
	has(wait_of(&scene, FIRST + 1)->detail, "5 fds, whose list could not be read");
	ck_assert_int_eq(wait_of(&scene, FIRST + 2)->kind, WAIT_SELECT);
	has(wait_of(&scene, FIRST + 2)->detail, "could not be read");
	ck_assert_str_eq(wait_of(&scene, FIRST + 3)->text, "waits for any child process");
	ck_assert_int_eq(wait_of(&scene, FIRST + 3)->target_pid, -1);
	scene_end(&scene);
}
END_TEST

/* Whatever registers and memory hold, every thread gets an answer, and no owner that is no
 * thread. */
START_TEST(noise_gives_no_owner)
{
	static const uint64_t calls[] = { 0, 1, 7, 23, 61, 72, 202, 219, 230, 232, 270, 271, 449 };
	static const char *const functions[] = { "pthread_mutex_lock",	  "pthread_cond_wait",
						 "pthread_rwlock_wrlock", "pthread_join",
						 "pthread_once",	  "flockfile",
						 "__cxa_guard_acquire",	  "nothing known" };
	static const char *const names[] = { "rdi", "rsi", "rdx", "r10", "r8", "r9" };
	srandom((unsigned)_i);
	struct scene scene;
	scene_begin(&scene);
	for (unsigned i = 0; i < 0x1000 / 4; i++)
		fake_target_put32(scene.target, DATA + 4 * i,
				  random() % 3 == 0 ? (uint32_t)random()
						    : (uint32_t)random() % 130);
	for (int tid = FIRST; tid < FIRST + THREADS; tid++) {
		block(&scene, tid, calls[(size_t)random() % (sizeof calls / sizeof *calls)],
		      random() % 2 == 0 ? BLOCKED : RESTARTS, 0, 0, 0);
		for (size_t i = 0; i < sizeof names / sizeof *names; i++)
			set(&scene, tid, names[i],
			    random() % 2 == 0 ? DATA + (uint64_t)random() % 0x1100
					      : (uint64_t)random() * (uint64_t)random());
		if (random() % 2 == 0)
			set(&scene, tid, "rsi",
			    (uint64_t)random() % 16 | (uint64_t)random() % 4 << 7);
	}
	scene_open(&scene);
	for (int tid = FIRST; tid < FIRST + THREADS; tid++)
		if (random() % 2 == 0)
			called(
			    &scene, tid,
			    functions[(size_t)random() % (sizeof functions / sizeof *functions)]);
	scene_find(&scene);
	for (int tid = FIRST; tid < FIRST + THREADS; tid++) {
		const struct wait *wait = wait_of(&scene, tid);
		ck_assert_ptr_nonnull(wait->text);
		ck_assert_uint_gt(strlen(wait->text), 0);
		bool thread = threads_find(&scene.threads, wait->owner) != NULL;
		ck_assert_int_eq(
		    wait->owner_state == OWNER_THREAD || wait->owner_state == OWNER_SELF, thread);
	}
	scene_end(&scene);
}
END_TEST

/* --- deadlocks */

static void lock_ring(struct scene *scene, int count)
{
	for (int i = 0; i < count; i++) {
		uint64_t next = DATA + 0x40u * (unsigned)((i + 1) % count);
		put_mutex(scene, DATA + 0x40u * (unsigned)i, 2, (uint32_t)(FIRST + i), 0);
		block_on_futex(scene, FIRST + i, next, FUTEX_WAIT | PRIVATE, 2);
	}
}

START_TEST(deadlock_of_two_in_a_sentence)
{
	struct scene scene;
	scene_begin(&scene);
	lock_ring(&scene, 2);
	block_on_futex(&scene, FIRST + 3, DATA + 0x40, FUTEX_WAIT | PRIVATE, 2);
	scene_open(&scene);
	scene_find(&scene);
	ck_assert_uint_eq(scene.deadlocks.count, 1);
	const struct deadlock *deadlock = &scene.deadlocks.items[0];
	ck_assert_uint_eq(deadlock->count, 2);
	ck_assert_int_eq(deadlock->waits[0]->thread->tid, FIRST);
	ck_assert_uint_eq(deadlock->behind_count, 1);
	ck_assert_int_eq(deadlock->behind[0]->thread->tid, FIRST + 3);
	ck_assert_str_eq(deadlock->sentence,
			 "100 \"main\" waits for mutex 0x600040 (anonymous mapping, rw-) held by "
			 "101 \"worker-1\"; 101 waits for mutex 0x600000 (anonymous mapping, rw-) "
			 "held by 100.");
	scene_end(&scene);
}
END_TEST

START_TEST(deadlock_of_all)
{
	struct scene scene;
	scene_begin(&scene);
	lock_ring(&scene, THREADS);
	scene_open(&scene);
	scene_find(&scene);
	ck_assert_uint_eq(scene.deadlocks.count, 1);
	ck_assert_uint_eq(scene.deadlocks.items[0].count, THREADS);
	for (int i = 0; i < THREADS; i++)
		ck_assert_int_eq(scene.deadlocks.items[0].waits[i]->thread->tid, FIRST + i);
	scene_end(&scene);
}
END_TEST

START_TEST(chain_is_no_deadlock)
{
	struct scene scene;
	scene_begin(&scene);
	lock_ring(&scene, THREADS);
	set(&scene, FIRST + 2, "orig_rax", UINT64_MAX); /* it runs */
	scene_open(&scene);
	scene_find(&scene);
	ck_assert_uint_eq(scene.deadlocks.count, 0);
	ck_assert_int_eq(wait_of(&scene, FIRST + 1)->owner, FIRST + 2);
	scene_end(&scene);
}
END_TEST

START_TEST(timed_wait_in_a_deadlock_is_said)
{
	struct scene scene;
	scene_begin(&scene);
	lock_ring(&scene, 2);
	set(&scene, FIRST + 1, "r10", DATA + 0x800);
	fake_target_put64(scene.target, DATA + 0x800, 30);
	scene_open(&scene);
	scene_find(&scene);
	ck_assert_uint_eq(scene.deadlocks.count, 1);
	ck_assert_int_eq(wait_of(&scene, FIRST + 1)->timeout_ns, INT64_C(30000000000));
	has(scene.deadlocks.items[0].sentence, "held by 100, until its timeout.");
	scene_end(&scene);
}
END_TEST

/* --- groups */

/* --- convoys, suspicions, locks */

START_TEST(owner_of_a_lock_is_told_with_what_it_does)
{
	struct scene scene;
	scene_begin(&scene);
	put_mutex(&scene, DATA, 2, FIRST + 1, 1);
	put_mutex(&scene, DATA + 0x40, 2, FIRST + 2, 0);
	block_on_futex(&scene, FIRST, DATA, FUTEX_WAIT | PRIVATE, 2);
	block_on_futex(&scene, FIRST + 1, DATA + 0x40, FUTEX_WAIT | PRIVATE, 2);
	block(&scene, FIRST + 2, CALL_READ, BLOCKED, 3, 0, 100);
	scene_open(&scene);
	for (int i = 0; i < 2; i++)
		called(&scene, FIRST + i, "___pthread_mutex_lock");
	called(&scene, FIRST + 2, "read");
	scene_find(&scene);
	ck_assert_str_eq(wait_of(&scene, FIRST)->owner_does,
			 "waits for mutex 0x600040 (anonymous mapping, rw-) at work()");
	has(wait_of(&scene, FIRST)->text,
	    "recursive, held by 101 \"worker-1\", which waits for mutex 0x600040");
	has(wait_of(&scene, FIRST + 1)->text,
	    "held by 102 \"worker-2\", which reads from fd 3 at work()");
	ck_assert_ptr_null(wait_of(&scene, FIRST + 2)->owner_does);
	scene_end(&scene);
}
END_TEST

START_TEST(convoy_ends_at_the_thread_that_waits_for_nobody)
{
	struct scene scene;
	struct convoys convoys;
	scene_begin(&scene);
	put_mutex(&scene, DATA, 2, FIRST + 1, 0);
	put_mutex(&scene, DATA + 0x40, 2, FIRST + 2, 0);
	block_on_futex(&scene, FIRST, DATA, FUTEX_WAIT | PRIVATE, 2);
	block_on_futex(&scene, FIRST + 1, DATA + 0x40, FUTEX_WAIT | PRIVATE, 2);
	block_on_futex(&scene, FIRST + 3, DATA + 0x40, FUTEX_WAIT | PRIVATE, 2);
	scene_open(&scene);
	scene_find(&scene);
	succeed(convoys_find(&scene.subject, &scene.waits, &convoys));
	ck_assert_uint_eq(convoys.count, 1);
	ck_assert_ptr_eq(convoys.items[0].head, wait_of(&scene, FIRST + 2));
	ck_assert_uint_eq(convoys.items[0].count, 3);
	ck_assert_uint_eq(convoys.items[0].first->object, DATA + 0x40);
	has(convoys.items[0].sentence,
	    "3 threads wait behind 102 \"worker-2\", which holds mutex 0x600040 (anonymous "
	    "mapping, rw-) and runs");
	convoys_free(&convoys);
	scene_end(&scene);
}
END_TEST

START_TEST(deadlocks_and_single_waiters_are_no_convoys)
{
	struct scene scene;
	struct convoys convoys;
	scene_begin(&scene);
	for (unsigned i = 0; i < 3; i++) {
		put_mutex(&scene, DATA + 0x40 * i, 2, FIRST + (i == 0 ? 1 : i == 1 ? 0 : 3), 0);
		block_on_futex(&scene, FIRST + (int)i, DATA + 0x40 * i, FUTEX_WAIT | PRIVATE, 2);
	}
	scene_open(&scene);
	scene_find(&scene);
	ck_assert_uint_eq(scene.deadlocks.count, 1);
	succeed(convoys_find(&scene.subject, &scene.waits, &convoys));
	ck_assert_uint_eq(convoys.count, 0);
	convoys_free(&convoys);
	scene_end(&scene);
}
END_TEST

START_TEST(lock_of_an_owner_that_is_gone_holds_up_even_one)
{
	struct scene scene;
	struct convoys convoys;
	struct locks locks;
	scene_begin(&scene);
	put_mutex(&scene, DATA, 2, 4711, 0);
	block_on_futex(&scene, FIRST, DATA, FUTEX_WAIT | PRIVATE, 2);
	scene_open(&scene);
	called(&scene, FIRST, "___pthread_mutex_lock");
	scene_find(&scene);
	succeed(convoys_find(&scene.subject, &scene.waits, &convoys));
	ck_assert_uint_eq(convoys.count, 1);
	ck_assert_ptr_null(convoys.items[0].head);
	ck_assert_int_eq(convoys.items[0].head_state, OWNER_GONE);
	has(convoys.items[0].sentence, "held by 4711, which is no thread of this process any more");
	succeed(locks_find(&scene.subject, &scene.waits, false, &locks));
	ck_assert_uint_eq(locks.count, 1);
	ck_assert_int_eq(locks.items[0].owner_state, OWNER_GONE);
	ck_assert_ptr_null(locks.items[0].owner_wait);
	locks_free(&locks);
	convoys_free(&convoys);
	scene_end(&scene);
}
END_TEST

/* How many convoys one thread makes that waits to write where `readers` read: while another thread
 * is at work, or has the lock's address on its stack. */
static size_t convoys_of_writer(uint32_t readers, bool works, bool elsewhere)
{
	static const char *const sleeps[] = { "pause", "(work)", NULL };
	struct scene scene;
	struct convoys convoys;
	scene_begin(&scene);
	fake_target_put32(scene.target, DATA + 0x40, readers << 3 | 2); /* a writer waits */
	fake_target_put32(scene.target, DATA + 0x48, 2);
	block_on_futex(&scene, FIRST, DATA + 0x48, FUTEX_WAIT_BITSET | PRIVATE | REALTIME, 2);
	for (int tid = FIRST + 1; tid < FIRST + THREADS; tid++)
		block(&scene, tid, CALL_PAUSE, BLOCKED, 0, 0, 0);
	if (works)
		set(&scene, FIRST + 2, "orig_rax", UINT64_MAX);
	if (elsewhere)
		fake_target_put64(scene.target, sp_of(FIRST + 1) + 0x20, DATA + 0x40);
	scene_open(&scene);
	for (int tid = FIRST; tid < FIRST + THREADS; tid++) {
		stands_in(&scene, tid, sleeps);
		scene.threads.items[tid - FIRST].stop_reason = NULL;
	}
	called(&scene, FIRST, "pthread_rwlock_wrlock");
	scene_find(&scene);
	ck_assert_int_eq(wait_of(&scene, FIRST)->kind, WAIT_RWLOCK_WRITE);
	succeed(convoys_find(&scene.subject, &scene.waits, &convoys));
	size_t count = convoys.count;
	if (count > 0)
		has(convoys.items[0].sentence,
		    "1 thread waits behind rwlock 0x600040 (anonymous mapping, rw-), held by 1 "
		    "reader, which one is not recorded; no other thread's stack has its address: "
		    "who waits may hold it.");
	convoys_free(&convoys);
	scene_end(&scene);
	return count;
}

START_TEST(writer_that_may_be_its_own_reader_is_held_up)
{
	ck_assert_uint_eq(convoys_of_writer(1, false, false), 1);
	ck_assert_uint_eq(convoys_of_writer(2, false, false), 0); /* another reads too */
	ck_assert_uint_eq(convoys_of_writer(1, true, false), 0);
	ck_assert_uint_eq(convoys_of_writer(1, false, true), 0);
}
END_TEST

/* glibc's ids are those of the process's own PID namespace. */
START_TEST(ids_of_another_namespace_are_told_with_ours)
{
	struct scene scene;
	scene_begin(&scene);
	put_mutex(&scene, DATA, 2, 8, 0);
	put_mutex(&scene, DATA + 0x40, 2, 7, 0);
	put_mutex(&scene, DATA + 0x80, 2, 99, 0);
	block_on_futex(&scene, FIRST, DATA, FUTEX_WAIT | PRIVATE, 2);
	block_on_futex(&scene, FIRST + 1, DATA + 0x40, FUTEX_WAIT | PRIVATE, 2);
	block_on_futex(&scene, FIRST + 2, DATA + 0x80, FUTEX_WAIT | PRIVATE, 2);
	scene.target->inner_pid = 7;
	for (int i = 0; i < THREADS; i++)
		scene.target->threads.items[i].inner_tid = 7 + i;
	scene_open(&scene);
	called(&scene, FIRST + 2, "___pthread_mutex_lock");
	scene_find(&scene);
	ck_assert_uint_eq(scene.deadlocks.count, 1);
	has(scene.deadlocks.items[0].sentence, "100 (7 inside) \"main\" waits for mutex 0x600000");
	has(scene.deadlocks.items[0].sentence, " held by 101 (8 inside) \"worker-1\"; 101 waits");
	has(wait_of(&scene, FIRST + 2)->text, ", held by 99, which is no thread");
	has(wait_of(&scene, FIRST + 2)->text, " (99 is its id inside)");
	scene_end(&scene);
}
END_TEST

START_TEST(sets_of_select_in_words)
{
	struct scene scene;
	scene_begin(&scene);
	fake_target_put64(scene.target, DATA, 1u << 3 | 1u << 5);
	fake_target_put64(scene.target, DATA + 8, 1u << 4 | 1u << 6);
	fake_target_put64(scene.target, DATA + 16, 1u << 5 | 1u << 6 | 1u << 7);
	block(&scene, FIRST, CALL_PSELECT, BLOCKED, 8, DATA, DATA + 8);
	set(&scene, FIRST, "r10", DATA + 16);
	scene_open(&scene);
	scene_find(&scene);
	has(wait_of(&scene, FIRST)->text,
	    "fds 3, 4 (out), 5 (in, priority), 6 (out, priority), 7 (priority)");
	scene_end(&scene);
}
END_TEST

/* All threads wait on semaphores; one of them as `spoil` has it. */
static size_t suspicions_of(uint64_t operation, uint32_t word, bool runs)
{
	struct scene scene;
	struct suspicions suspicions;
	scene_begin(&scene);
	for (int i = 0; i < THREADS; i++)
		block_on_futex(&scene, FIRST + i, DATA + 0x40u * (unsigned)i,
			       FUTEX_WAIT_BITSET | PRIVATE, 0);
	block_on_futex(&scene, FIRST + 1, DATA + 0x40, operation, 0);
	fake_target_put32(scene.target, DATA + 0x40, word);
	if (runs)
		set(&scene, FIRST + 1, "orig_rax", UINT64_MAX);
	scene_open(&scene);
	for (int i = 0; i < THREADS; i++)
		called(&scene, FIRST + i, "sem_wait");
	scene_find(&scene);
	succeed(suspicions_find(&scene.subject, &scene.waits, &scene.deadlocks, &suspicions));
	size_t count = suspicions.count;
	if (count > 0) {
		ck_assert_int_eq(suspicions.items[0].kind, SUSPICION_STALL);
		ck_assert_uint_eq(suspicions.items[0].count, THREADS);
		has(suspicions.items[0].sentence, "All 4 threads wait for another one");
	}
	suspicions_free(&suspicions);
	scene_end(&scene);
	return count;
}

START_TEST(stall_is_suspected_only_where_nobody_is_left)
{
	ck_assert_uint_eq(suspicions_of(FUTEX_WAIT_BITSET | PRIVATE, 0, false), 1);
	ck_assert_uint_eq(suspicions_of(FUTEX_WAIT_BITSET | PRIVATE, 0, true), 0);
	ck_assert_uint_eq(suspicions_of(FUTEX_WAIT_BITSET | PRIVATE, 1, false), 0); /* woken */
	ck_assert_uint_eq(suspicions_of(FUTEX_WAIT_BITSET, 0, false), 0);	    /* by others */
}
END_TEST

static size_t suspicions_at_mutex(uint32_t owner)
{
	struct scene scene;
	struct suspicions suspicions;
	scene_begin(&scene);
	for (int i = 0; i < THREADS; i++)
		block_on_futex(&scene, FIRST + i, DATA + 0x40, FUTEX_WAIT_BITSET | PRIVATE, 0);
	put_mutex(&scene, DATA, 2, owner, 0);
	block_on_futex(&scene, FIRST, DATA, FUTEX_WAIT | PRIVATE, 2);
	scene_open(&scene);
	for (int i = 0; i < THREADS; i++)
		called(&scene, FIRST + i, i == 0 ? "___pthread_mutex_lock" : "sem_wait");
	scene_find(&scene);
	ck_assert_int_eq(wait_of(&scene, FIRST)->kind, WAIT_MUTEX);
	succeed(suspicions_find(&scene.subject, &scene.waits, &scene.deadlocks, &suspicions));
	size_t count = suspicions.count;
	suspicions_free(&suspicions);
	scene_end(&scene);
	return count;
}

START_TEST(lock_of_an_owner_that_is_gone_is_no_lost_wake_up)
{
	ck_assert_uint_eq(suspicions_at_mutex(FIRST + 1), 1);
	ck_assert_uint_eq(suspicions_at_mutex(4711), 0);
}
END_TEST

/* What a stall of threads that all wait in `function` on words that name no holder is called. */
static void check_stall(const char *function, const char *words)
{
	struct scene scene;
	struct suspicions suspicions;
	scene_begin(&scene);
	for (int i = 0; i < THREADS; i++)
		block_on_futex(&scene, FIRST + i, DATA + 0x40u * (unsigned)(i % 2),
			       FUTEX_WAIT_BITSET | PRIVATE, 2);
	fake_target_put32(scene.target, DATA, 2);
	fake_target_put32(scene.target, DATA + 0x40, 2);
	scene_open(&scene);
	for (int i = 0; i < THREADS; i++) {
		called(&scene, FIRST + i, "syscall");
		scene.frames[i][1].function = function;
		scene.frames[i][1].file = "/rustc/0123/library/std/src/sys/sync/mutex/futex.rs";
	}
	scene_find(&scene);
	succeed(suspicions_find(&scene.subject, &scene.waits, &scene.deadlocks, &suspicions));
	ck_assert_uint_eq(suspicions.count, 1);
	has(suspicions.items[0].sentence, words);
	suspicions_free(&suspicions);
	scene_end(&scene);
}

START_TEST(stall_over_locks_without_holders_is_no_lost_wake_up)
{
	check_stall("std::sys::sync::mutex::futex::Mutex::lock_contended",
		    "): probably a deadlock, over locks that do not tell who holds them");
	check_stall("unheard_of", "): a deadlock, where one holds a lock");
}
END_TEST

static size_t locks_in_memory(struct scene *scene, struct locks *locks)
{
	scene_open(scene);
	scene_find(scene);
	succeed(locks_find(&scene->subject, &scene->waits, true, locks));
	return locks->count;
}

START_TEST(held_locks_are_found_where_all_words_agree)
{
	struct scene scene;
	struct locks locks;
	scene_begin(&scene);
	const uint64_t at = sp_of(FIRST + 1) + 0x80;
	put_mutex(&scene, at, 1, FIRST + 1, 0);
	fake_target_put32(scene.target, at + 0x40, 3); /* an rwlock */
	fake_target_put32(scene.target, at + 0x48, 1);
	fake_target_put32(scene.target, at + 0x4c, 1);
	fake_target_put32(scene.target, at + 0x58, FIRST + 2);
	ck_assert_uint_eq(locks_in_memory(&scene, &locks), 2);
	ck_assert_uint_eq(locks.items[0].address, at);
	ck_assert_int_eq(locks.items[0].kind, WAIT_MUTEX);
	ck_assert_int_eq(locks.items[0].owner, FIRST + 1);
	ck_assert_ptr_eq(locks.items[0].owner_wait, wait_of(&scene, FIRST + 1));
	ck_assert_uint_eq(locks.items[0].waiter_count, 0);
	ck_assert_uint_eq(locks.items[1].address, at + 0x40);
	ck_assert_int_eq(locks.items[1].kind, WAIT_RWLOCK_WRITE);
	/* The heap is not known here, and is told to have been left out. */
	ck_assert_uint_ge(scene.gaps.list.count, 1);
	locks_free(&locks);
	scene_end(&scene);
}
END_TEST

START_TEST(what_only_looks_like_a_held_lock_is_none)
{
	static const struct {
		unsigned offset;
		uint32_t word;
	} spoils[] = { { 0, 0 },  { 0, 3 },	{ 4, 1 },  { 8, 99 },  { 12, 0 },
		       { 16, 8 }, { 16, 0x21 }, { 20, 1 }, { 24, 64 }, { 36, 1 } };
	for (size_t i = 0; i <= sizeof spoils / sizeof spoils[0]; i++) {
		struct scene scene;
		struct locks locks;
		scene_begin(&scene);
		const bool dead = i == sizeof spoils / sizeof spoils[0];
		const uint64_t at = dead ? stack_of(FIRST + 1) + 0x100 : sp_of(FIRST + 1) + 0x80;
		put_mutex(&scene, at, 1, FIRST + 1, 0);
		if (!dead)
			fake_target_put32(scene.target, at + spoils[i].offset, spoils[i].word);
		ck_assert_msg(locks_in_memory(&scene, &locks) == 0, "spoiled by row %zu", i);
		locks_free(&locks);
		scene_end(&scene);
	}
}
END_TEST

/* Whatever stands in memory: no crash, and no owner that is no thread. */
START_TEST(noise_holds_nothing_by_strangers)
{
	struct scene scene;
	struct locks locks;
	scene_begin(&scene);
	uint8_t *bytes = fake_target_bytes(scene.target, sp_of(FIRST), 0x800);
	srandom((unsigned)_i);
	for (size_t i = 0; i < 0x800; i += 4) {
		static const uint32_t words[] = { 0, 1, 2, 3, FIRST, FIRST + 1, 0x10, 0x20 };
		memcpy(bytes + i, &words[random() % 8], 4);
	}
	locks_in_memory(&scene, &locks);
	for (size_t i = 0; i < locks.count; i++)
		ck_assert_ptr_nonnull(locks.items[i].owner_wait);
	locks_free(&locks);
	scene_end(&scene);
}
END_TEST

START_TEST(groups_put_locks_first_and_idle_threads_last)
{
	struct scene scene;
	scene_begin(&scene);
	put_mutex(&scene, DATA, 2, FIRST + 3, 0);
	wait_on_condition(&scene, FIRST, DATA + 0x40, 40, DATA + 0x80);
	block_on_futex(&scene, FIRST + 1, DATA, FUTEX_WAIT | PRIVATE, 2);
	block_on_futex(&scene, FIRST + 2, DATA, FUTEX_WAIT | PRIVATE, 2);
	scene_open(&scene);
	called(&scene, FIRST + 1, "pthread_mutex_lock");
	called(&scene, FIRST + 2, "pthread_mutex_lock");
	scene_find(&scene);
	struct stack_groups stacks;
	struct wait_groups groups;
	succeed(stack_groups_make(&scene.threads, &stacks));
	succeed(wait_groups_make(&scene.subject, &scene.waits, &stacks, &groups));
	ck_assert_uint_eq(groups.count, 3);
	ck_assert_int_eq(groups.items[0].members[0]->thread->tid, FIRST + 3); /* the holder */
	ck_assert_uint_eq(groups.items[0].behind, 2);
	ck_assert_uint_eq(groups.items[1].count, 2);
	ck_assert_int_eq(groups.items[1].members[0]->thread->tid, FIRST + 1);
	ck_assert_int_eq(groups.items[1].members[1]->thread->tid, FIRST + 2);
	ck_assert_int_eq(groups.items[2].members[0]->thread->tid, FIRST); /* idle */
	wait_groups_free(&groups);
	stack_groups_free(&stacks);
	scene_end(&scene);
}
END_TEST

/* 40 threads wait for locks of four others, which wait for one of a thread that sleeps; two more
 * wait for each other, and many do nothing. */
START_TEST(groups_put_those_first_whom_many_wait_for)
{
	enum {
		MAIN,
		HOLDERS,
		WAITERS = HOLDERS + 4,
		CYCLE = WAITERS + 40,
		IDLE = CYCLE + 2,
		ALL = IDLE + 50
	};
	struct thread items[ALL] = { 0 };
	struct wait wait_items[ALL] = { 0 };
	for (int i = 0; i < ALL; i++) {
		struct wait *wait = &wait_items[i];
		items[i].tid = 1000 + i;
		*wait = (struct wait){ .thread = &items[i], .activity = THREAD_BLOCKED };
		wait->kind = i >= HOLDERS && i < IDLE ? WAIT_MUTEX : WAIT_SLEEP;
		wait->idle = wait->kind == WAIT_SLEEP;
		if (wait->kind == WAIT_MUTEX) {
			const int owner = i < WAITERS ? MAIN
					  : i < CYCLE ? HOLDERS + i % 4
						      : CYCLE + (i == CYCLE);
			wait->owner_state = OWNER_THREAD;
			wait->owner = 1000 + owner;
			wait->object = (uint64_t)owner + 1;
		}
	}
	const struct threads threads = { .items = items, .count = ALL };
	const struct subject subject = { .threads = &threads };
	const struct waits waits = { .items = wait_items, .count = ALL };
	struct stack_groups stacks;
	struct wait_groups groups;
	succeed(stack_groups_make(&threads, &stacks));
	succeed(wait_groups_make(&subject, &waits, &stacks, &groups));
	/* main sleeps as the idle threads do, but they hold nothing */
	ck_assert(groups.items[0].deadlocked && groups.items[1].deadlocked);
	ck_assert_uint_eq(groups.items[2].behind, 44);
	ck_assert_uint_eq(groups.items[2].count, 1);
	ck_assert_ptr_eq(groups.items[2].members[0]->thread, &items[MAIN]);
	ck_assert_uint_eq(groups.items[3].behind, 40);
	ck_assert_uint_eq(groups.items[3].count, 4);
	ck_assert_uint_eq(groups.items[groups.count - 1].count, 50);
	ck_assert_uint_eq(groups.items[groups.count - 1].behind, 0);
	wait_groups_free(&groups);
	stack_groups_free(&stacks);
}
END_TEST

/* --- descriptions */

static const char *described(const struct scene *scene, uint64_t address)
{
	struct place place;
	describe_address(&scene->subject, address, &place);
	ck_assert_uint_eq(place.address, address);
	return describe_place(&scene->subject, &place);
}

START_TEST(addresses_in_words)
{
	struct scene scene;
	scene_begin(&scene);
	fake_target_map(scene.target, 0x900000, 0x1000, "---", NULL);
	fake_target_map(scene.target, 0xa00000, 0x1000, "r--", "/data/table");
	set(&scene, FIRST, "rsp", STACKS - 0x18); /* it ran over its stack's end */
	scene_open(&scene);
	ck_assert_str_eq(described(&scene, 0), "not mapped (null)");
	ck_assert_str_eq(described(&scene, 24), "not mapped (null + 24)");
	ck_assert_str_eq(described(&scene, 0x1234567800), "not mapped");
	ck_assert_str_eq(described(&scene, UINT64_C(0xdeadbeefdeadbeef)),
			 "not a canonical address");
	ck_assert_str_eq(described(&scene, DATA + 8), "anonymous mapping, rw-");
	ck_assert_str_eq(described(&scene, 0xa00000), "mapping of /data/table, r--");
	ck_assert_str_eq(described(&scene, sp_of(FIRST + 1) + 8), "stack of 101 \"worker-1\"");
	ck_assert_str_eq(described(&scene, STACKS - 0x20),
			 "just below the stack of 100 \"main\": stack overflow");
	ck_assert_str_eq(described(&scene, 0x900000), "anonymous mapping, ---");
	scene_end(&scene);
}
END_TEST

/* As madvise makes it: no mapping of its own tells that SP has left the stack. */
START_TEST(a_guard_in_the_stacks_own_mapping)
{
	struct scene scene;
	const uint64_t sp = sp_of(FIRST + 1);
	struct glibc_pthread pthread = { .address = 0x700000,
					 .tid = FIRST + 1,
					 .state = GLIBC_STACK_RUNNING,
					 .stack_start = sp + 0x20,
					 .stack_end = sp + 0x100,
					 .guard_size = 0x20 };
	const struct glibc_pthread *sorted = &pthread;
	const struct glibc_pthreads pthreads = {
		.layout = { .size = 64 }, .items = &pthread, .count = 1, .by_address = &sorted
	};
	scene_begin(&scene);
	scene_open(&scene);
	scene.threads.items[1].thread_pointer = pthread.address;
	scene.subject.pthreads = &pthreads;
	ck_assert_str_eq(described(&scene, sp + 8),
			 "in the guard of the stack of 101 \"worker-1\": stack overflow");
	ck_assert_str_eq(described(&scene, sp + 0x20), "stack of 101 \"worker-1\"");
	scene_end(&scene);
}
END_TEST

START_TEST(chunks_in_words)
{
	struct scene scene;
	struct heap heap = { .chunks = chunk_table_new() };
	uint32_t region;
	scene_begin(&scene);
	scene_open(&scene);
	ck_assert_ptr_nonnull(heap.chunks);
	succeed(
	    chunk_table_add_region(heap.chunks, DATA + 0x10, DATA + 0x90, 8, 0, false, &region));
	chunk_table_add(heap.chunks, region, DATA + 0x10, true);
	chunk_table_add(heap.chunks, region, DATA + 0x50, false);
	succeed(chunk_table_freeze(heap.chunks));
	struct heap_own_range own = { DATA + 0x200, DATA + 0x300, "top chunk" };
	ck_assert(array_push(&heap.own, own));
	scene.subject.heap = &heap;
	ck_assert_str_eq(described(&scene, DATA + 0x10), "56-byte heap chunk");
	ck_assert_str_eq(described(&scene, DATA + 0x20),
			 "16 bytes into a 56-byte heap chunk at 0x600010");
	ck_assert_str_eq(described(&scene, DATA + 0x58),
			 "8 bytes into a 56-byte free heap chunk at 0x600050");
	ck_assert_str_eq(described(&scene, DATA + 0x210), "the allocator's top chunk");
	ck_assert_str_eq(described(&scene, DATA + 0x400), "anonymous mapping, rw-");
	array_free(&heap.own);
	chunk_table_free(heap.chunks);
	scene_end(&scene);
}
END_TEST

START_TEST(words_are_cut_between_characters)
{
	struct words words = { 0 };
	for (int i = 0; i < 1000; i++)
		words_add(&words, "xé");
	ck_assert_uint_eq(strlen(words.text), words.length);
	ck_assert_uint_lt(words.length, sizeof words.text);
	ck_assert_str_eq(words.text + words.length - 3, "…");
	const char *before = words.text + words.length - 4;
	ck_assert(*before == 'x' || (unsigned char)*before == 0xa9);
	size_t length = words.length;
	words_add(&words, "more");
	ck_assert_uint_eq(words.length, length);
}
END_TEST

START_TEST(durations_in_words)
{
	static const struct {
		int64_t nanoseconds;
		const char *text;
	} rows[] = {
		{ 0, "0 ns" },
		{ 1500, "1.5 µs" },
		{ 250000000, "250 ms" },
		{ INT64_C(1020000000), "1.02 s" },
		{ INT64_C(5000000000), "5 s" },
		{ INT64_C(7500000000000), "2 h 5 min" },
		{ INT64_C(864000000000000), "10 days" },
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct words words = { 0 };
		words_add_duration(&words, rows[i].nanoseconds);
		ck_assert_str_eq(words.text, rows[i].text);
	}
}
END_TEST

static void add_waits(Suite *suite)
{
	TCase *waits = tcase_create("waits");
	tcase_add_test(waits, thread_outside_of_system_calls_runs);
	tcase_add_test(waits, call_that_has_returned_is_no_wait);
	tcase_add_test(waits, restarted_call_is_told_by_its_instructions);
	tcase_add_test(waits, mutex_is_told_by_memory_alone);
	tcase_add_test(waits, memory_that_is_no_mutex_is_a_futex);
	tcase_add_test(waits, owners_are_believed_only_where_they_can_be);
	tcase_add_test(waits, words_of_the_kernel_carry_the_owner);
	tcase_add_test(waits, missing_memory_invents_no_owner);
	tcase_add_test(waits, both_layouts_of_condition_variables);
	tcase_add_test(waits, runtimes_are_known_by_their_frames);
	tcase_add_test(waits, mutex_after_a_wake_up_is_no_condition_variable);
	tcase_add_test(waits, rwlocks_tell_their_writer_and_count_their_readers);
	tcase_add_test(waits, semaphore_and_barrier_by_memory);
	tcase_add_test(waits, join_leads_to_the_joined_thread);
	tcase_add_test(waits, stdio_lock_by_its_owner_pointer);
	tcase_add_test(waits, stdio_lock_of_a_thread_that_was_not_stopped);
	tcase_add_test(waits, deadlines_are_told_in_cores);
	tcase_add_test(waits, deadline_is_a_clause_of_its_own);
	tcase_add_test(waits, deadlines_count_down_in_the_living);
	tcase_add_test(waits, handler_that_allocates_in_an_allocation_waits_for_itself);
	tcase_add_test(waits, locks_of_another_libc_keep_their_owner_to_themselves);
	tcase_add_test(waits, restarted_call_is_told_by_where_the_kernel_sleeps);
	tcase_add_test(waits, restarted_futex_through_syscall_is_told_by_its_arguments);
	tcase_add_test(waits, sets_of_select_in_words);
	tcase_add_test(waits, hostile_arrays_are_bounded);
	tcase_add_loop_test(waits, noise_gives_no_owner, 0, 300);
	suite_add_tcase(suite, waits);
}

static void add_others(Suite *suite)
{
	TCase *deadlocks = tcase_create("deadlocks");
	tcase_add_test(deadlocks, deadlock_of_two_in_a_sentence);
	tcase_add_test(deadlocks, deadlock_of_all);
	tcase_add_test(deadlocks, chain_is_no_deadlock);
	tcase_add_test(deadlocks, timed_wait_in_a_deadlock_is_said);
	tcase_add_test(deadlocks, owner_of_a_lock_is_told_with_what_it_does);
	tcase_add_test(deadlocks, convoy_ends_at_the_thread_that_waits_for_nobody);
	tcase_add_test(deadlocks, deadlocks_and_single_waiters_are_no_convoys);
	tcase_add_test(deadlocks, lock_of_an_owner_that_is_gone_holds_up_even_one);
	tcase_add_test(deadlocks, ids_of_another_namespace_are_told_with_ours);
	tcase_add_test(deadlocks, writer_that_may_be_its_own_reader_is_held_up);
	tcase_add_test(deadlocks, stall_is_suspected_only_where_nobody_is_left);
	tcase_add_test(deadlocks, lock_of_an_owner_that_is_gone_is_no_lost_wake_up);
	tcase_add_test(deadlocks, stall_over_locks_without_holders_is_no_lost_wake_up);
	tcase_add_test(deadlocks, held_locks_are_found_where_all_words_agree);
	tcase_add_test(deadlocks, what_only_looks_like_a_held_lock_is_none);
	tcase_add_loop_test(deadlocks, noise_holds_nothing_by_strangers, 0, 100);
	tcase_add_test(deadlocks, groups_put_locks_first_and_idle_threads_last);
	tcase_add_test(deadlocks, groups_put_those_first_whom_many_wait_for);
	suite_add_tcase(suite, deadlocks);
	TCase *words = tcase_create("words");
	tcase_add_test(words, addresses_in_words);
	tcase_add_test(words, a_guard_in_the_stacks_own_mapping);
	tcase_add_test(words, chunks_in_words);
	tcase_add_test(words, words_are_cut_between_characters);
	tcase_add_test(words, durations_in_words);
	suite_add_tcase(suite, words);
}

int main(void)
{
	Suite *suite = suite_create("waits");
	add_waits(suite);
	add_others(suite);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
