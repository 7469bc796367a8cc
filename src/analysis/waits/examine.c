/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "analysis/waits/examine.h"

#include "analysis/waits/futex.h"
#include "target/live_descriptors.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define SECOND INT64_C(1000000000)

/* The tids that glibc itself wrote down, by the struct pthread at each thread pointer; where that
 * is not known, those that the kernel tells. */
static void read_own_tids(struct examination *all)
{
	const struct subject *subject = all->subject;
	for (size_t i = 0; i < subject->threads->count; i++) {
		const struct thread *thread = &subject->threads->items[i];
		const struct glibc_pthread *pthread =
		    subject->pthreads != NULL
			? glibc_pthreads_at(subject->pthreads, thread->thread_pointer)
			: NULL;
		if (pthread != NULL && pthread->state == GLIBC_STACK_RUNNING)
			all->own_tids[i] = pthread->tid;
		else
			all->own_tids[i] = thread->raw->inner_tid;
	}
}

bool examination_begin(struct examination *all, const struct subject *subject,
		       struct examination_memory *memory)
{
	*memory = (struct examination_memory){ 0 };
	*all = (struct examination){ .subject = subject, .memory = memory };
	all->own_tids = calloc(subject->threads->count + 1, sizeof *all->own_tids);
	memory->names = object_names_new(subject);
	if (all->own_tids == NULL || memory->names == NULL) {
		free(all->own_tids);
		object_names_free(memory->names);
		return false;
	}
	all->descriptors = live_descriptors_open(subject->target);
	read_own_tids(all);
	return true;
}

void examination_end(struct examination *all)
{
	free(all->own_tids);
	object_names_free(all->memory->names);
	live_descriptors_close(all->descriptors);
}

void examined_evidence(struct examined *examined, const char *format, ...)
{
	char clause[256];
	va_list arguments;
	va_start(arguments, format);
	vsnprintf(clause, sizeof clause, format, arguments);
	va_end(arguments);
	words_separate(&examined->evidence, "; ");
	words_add(&examined->evidence, "%s", clause);
}

const char *examined_name_at(const struct examined *examined, uint64_t address)
{
	return object_name_at(examined->all->memory->names, address);
}

void examined_object(struct examined *examined, uint64_t address)
{
	examined->wait->object = address;
	examined->wait->object_name = examined_name_at(examined, address);
}

const struct thread *examined_thread(const struct examination *all, int32_t tid)
{
	const struct threads *threads = all->subject->threads;
	if (tid <= 0)
		return NULL;
	for (size_t i = 0; i < threads->count; i++)
		if (all->own_tids[i] == tid)
			return &threads->items[i];
	const struct thread *thread = threads_find(threads, tid);
	/* In a PID namespace the kernel's id of one thread may be glibc's of another. */
	if (thread != NULL && all->own_tids[thread - threads->items] != 0)
		return NULL;
	return thread;
}

const struct thread *examined_thread_at(const struct examination *all, uint64_t pointer)
{
	const struct threads *threads = all->subject->threads;
	if (pointer == 0)
		return NULL;
	for (size_t i = 0; i < threads->count; i++)
		if (threads->items[i].thread_pointer == pointer)
			return &threads->items[i];
	const struct glibc_pthreads *pthreads = all->subject->pthreads;
	const struct glibc_pthread *pthread =
	    pthreads != NULL ? glibc_pthreads_at(pthreads, pointer) : NULL;
	if (pthread == NULL || pthread->address != pointer || pthread->state != GLIBC_STACK_RUNNING)
		return NULL;
	const struct thread *thread = examined_thread(all, pthread->tid);
	/* A thread whose pointer is known has it elsewhere. */
	return thread != NULL && thread->thread_pointer == 0 ? thread : NULL;
}

bool examined_some_ran(const struct examination *all)
{
	const struct threads *threads = all->subject->threads;
	for (size_t i = 0; all->subject->target->kind == TARGET_LIVE && i < threads->count; i++)
		if (!threads->items[i].raw->stopped && !threads->items[i].raw->asleep)
			return true;
	return false;
}

void examined_owner(struct examined *examined, int32_t tid)
{
	struct wait *wait = examined->wait;
	const struct thread *owner = examined_thread(examined->all, tid);
	if (owner == NULL && !wait->shared && examined_some_ran(examined->all)) {
		examined_no_owner(examined, OWNER_UNKNOWN,
				  "held by %" PRId32 ", which was no thread when they were listed, "
				  "but others ran on",
				  tid);
		return;
	}
	if (owner == NULL) {
		wait->owner_state = OWNER_GONE;
		wait->owner = tid;
		words_add(&examined->owner_note, "%s",
			  wait->shared ? "which is no thread of this process: it has ended, or "
					 "belongs to another process"
				       : "which is no thread of this process any more: it ended "
					 "without unlocking, or a fork left its lock behind");
		if (examined->all->subject->target->inner_pid != 0)
			words_add(&examined->owner_note, " (%" PRId32 " is its id inside)", tid);
		return;
	}
	wait->owner_state = owner == examined->thread ? OWNER_SELF : OWNER_THREAD;
	wait->owner = owner->tid;
}

void examined_no_owner(struct examined *examined, enum owner_state state, const char *format, ...)
{
	char note[256];
	va_list arguments;
	va_start(arguments, format);
	vsnprintf(note, sizeof note, format, arguments);
	va_end(arguments);
	examined->wait->owner_state = state;
	examined->wait->owner = 0;
	words_add(&examined->owner_note, "%s", note);
}

bool examined_u32(const struct examined *examined, uint64_t address, uint32_t *value)
{
	return address_space_u32(examined->all->subject->target->space, address, value);
}

bool examined_u64(const struct examined *examined, uint64_t address, uint64_t *value)
{
	return address_space_u64(examined->all->subject->target->space, address, value);
}

bool examined_timespec(const struct examined *examined, uint64_t address, int64_t *nanoseconds)
{
	uint64_t seconds, fraction;
	if (address == 0 || address > UINT64_MAX - 8 ||
	    !examined_u64(examined, address, &seconds) ||
	    !examined_u64(examined, address + 8, &fraction))
		return false;
	if (seconds > INT64_MAX / SECOND - 1 || fraction >= SECOND)
		return false;
	*nanoseconds = (int64_t)seconds * SECOND + (int64_t)fraction;
	return true;
}

/* The clocks that calls wait by (linux/time.h). Those of processor time count only while the
 * process runs, and corescan's own clock of the same number is another one. */
static const struct {
	int clock;
	const char *name;
	bool of_date;	/* counts from 1970 on, leap seconds excluded */
	bool is_shared; /* the same for all processes */
} clocks[] = {
	{ CLOCK_REALTIME, "CLOCK_REALTIME", true, true },
	{ CLOCK_MONOTONIC, "CLOCK_MONOTONIC", false, true },
	{ CLOCK_PROCESS_CPUTIME_ID, "the process's processor time", false, false },
	{ CLOCK_THREAD_CPUTIME_ID, "the thread's processor time", false, false },
	{ CLOCK_BOOTTIME, "CLOCK_BOOTTIME", false, true },
	{ CLOCK_REALTIME_ALARM, "CLOCK_REALTIME_ALARM", true, true },
	{ CLOCK_BOOTTIME_ALARM, "CLOCK_BOOTTIME_ALARM", false, true },
	{ CLOCK_TAI, "CLOCK_TAI", false, true },
};
#define CLOCKS (sizeof clocks / sizeof clocks[0])

static size_t clock_row(int clock)
{
	size_t row = 0;
	while (row < CLOCKS && clocks[row].clock != clock)
		row++;
	return row;
}

/* Of negative ones (linux/posix-timers_types.h) the pid's complement lies above bit 3, 0 the caller
 * itself, and bit 2 is set of a thread. */
const char *examined_clock_name(int clock)
{
	const size_t row = clock_row(clock);
	if (row < CLOCKS)
		return clocks[row].name;
	if (clock >= 0)
		return "an unknown clock";
	if (~(clock >> 3) != 0)
		return "another's processor time";
	return (clock & 4) != 0 ? "the thread's processor time" : "the process's processor time";
}

/* How much is left until then by a clock that runs alike for corescan. */
static bool time_left(const struct examined *examined, int64_t nanoseconds, size_t row,
		      int64_t *left)
{
	struct timespec now;
	if (examined->all->subject->target->kind != TARGET_LIVE || row >= CLOCKS ||
	    !clocks[row].is_shared || clock_gettime(clocks[row].clock, &now) != 0)
		return false;
	*left = nanoseconds - ((int64_t)now.tv_sec * SECOND + now.tv_nsec);
	return true;
}

void examined_deadline(struct examined *examined, int64_t nanoseconds, int clock)
{
	struct words *detail = &examined->detail;
	const size_t row = clock_row(clock);
	const time_t seconds = nanoseconds / SECOND;
	struct tm broken;
	char text[40];
	int64_t left;
	examined->wait->timed = true;
	examined->told_time = true;
	words_separate(detail, ", ");
	if (time_left(examined, nanoseconds, row, &left)) {
		/* It stands still while it is looked at, and its time goes on. */
		if (left <= 0) {
			words_add(detail, "its timeout has passed");
			return;
		}
		words_add_duration(detail, left / 1000000 * 1000000);
		words_add(detail, " left");
	} else if (row < CLOCKS && clocks[row].of_date && gmtime_r(&seconds, &broken) != NULL &&
		   strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S UTC", &broken) > 0) {
		words_add(detail, "until %s", text);
	} else {
		words_add(detail, "until %" PRId64 ".%03" PRId64 " s of %s", (int64_t)seconds,
			  nanoseconds % SECOND / 1000000, examined_clock_name(clock));
	}
}

void examined_timeout(struct examined *examined, uint64_t address)
{
	int64_t time;
	if (address == 0)
		return;
	examined->wait->timed = true;
	if (examined_timespec(examined, address, &time))
		examined->wait->timeout_ns = time;
}

void examined_deadline_at(struct examined *examined, uint64_t address, int clock)
{
	int64_t time;
	if (address == 0)
		return;
	examined->wait->timed = true;
	if (examined_timespec(examined, address, &time))
		examined_deadline(examined, time, clock);
}

bool examined_uninterrupted(const struct examined *examined)
{
	const struct target *target = examined->all->subject->target;
	int64_t number;
	/* Else the register has restart_syscall. */
	return examined->thread->raw->asleep &&
	       arch_syscall(target->arch, &examined->thread->raw->registers, &number) &&
	       number == examined->number;
}

/* Of a core: the stream of stdio that has the descriptor. */
static const char *stream_name(const struct examined *examined, int32_t fd)
{
	const struct subject *subject = examined->all->subject;
	struct place place;
	uint64_t file;
	if (!stdio_of_descriptor(examined, fd, &file))
		return NULL;
	describe_address(subject, file, &place);
	return string_pool_format(
	    modules_strings(subject->modules), "of FILE 0x%" PRIx64 " %s", file,
	    place.kind == PLACE_SYMBOL ? describe_place(subject, &place) : "of stdio");
}

const char *examined_descriptor_name(const struct examined *examined, int32_t fd)
{
	char text[512];
	if (examined->all->subject->target->kind == TARGET_CORE)
		return stream_name(examined, fd);
	if (!live_descriptors_describe(examined->all->descriptors, fd, text, sizeof text))
		return NULL;
	return string_pool_add(modules_strings(examined->all->subject->modules), text);
}

void examined_descriptor(struct examined *examined, int32_t fd)
{
	examined->wait->fd = fd;
	examined_evidence(
	    examined, "fd in %s",
	    examined->all->subject->target->arch
		->registers[examined->all->subject->target->arch->syscall_arguments[0]]
		.name);
	examined->wait->fd_name = examined_descriptor_name(examined, fd);
}
