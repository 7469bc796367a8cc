/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "analysis/waits/known_calls.h"

#include "analysis/waits/frame_names.h"
#include "threads/call_target.h"

#include <string.h>

/* Functions of libc, by their plain names (see plain_name). */
static const struct {
	const char *name;
	enum wait_kind kind;
} functions[] = {
	{ "pthread_mutex_lock", WAIT_MUTEX },
	{ "pthread_mutex_lock_full", WAIT_MUTEX },
	{ "pthread_mutex_timedlock", WAIT_MUTEX },
	{ "pthread_mutex_clocklock", WAIT_MUTEX },
	{ "pthread_mutex_clocklock_common", WAIT_MUTEX },
	{ "pthread_mutex_cond_lock", WAIT_MUTEX },
	{ "pthread_mutex_cond_lock_full", WAIT_MUTEX },
	{ "mtx_lock", WAIT_MUTEX },
	{ "mtx_timedlock", WAIT_MUTEX },
	{ "pthread_cond_wait", WAIT_CONDITION },
	{ "pthread_cond_timedwait", WAIT_CONDITION },
	{ "pthread_cond_clockwait", WAIT_CONDITION },
	{ "pthread_cond_wait_common", WAIT_CONDITION },
	{ "cnd_wait", WAIT_CONDITION },
	{ "cnd_timedwait", WAIT_CONDITION },
	{ "pthread_rwlock_rdlock", WAIT_RWLOCK_READ },
	{ "pthread_rwlock_rdlock_full", WAIT_RWLOCK_READ },
	{ "pthread_rwlock_timedrdlock", WAIT_RWLOCK_READ },
	{ "pthread_rwlock_clockrdlock", WAIT_RWLOCK_READ },
	{ "pthread_rwlock_wrlock", WAIT_RWLOCK_WRITE },
	{ "pthread_rwlock_wrlock_full", WAIT_RWLOCK_WRITE },
	{ "pthread_rwlock_timedwrlock", WAIT_RWLOCK_WRITE },
	{ "pthread_rwlock_clockwrlock", WAIT_RWLOCK_WRITE },
	{ "sem_wait", WAIT_SEMAPHORE },
	{ "new_sem_wait", WAIT_SEMAPHORE },
	{ "new_sem_wait_slow", WAIT_SEMAPHORE },
	{ "sem_timedwait", WAIT_SEMAPHORE },
	{ "sem_clockwait", WAIT_SEMAPHORE },
	{ "pthread_barrier_wait", WAIT_BARRIER },
	{ "pthread_join", WAIT_JOIN },
	{ "pthread_timedjoin_np", WAIT_JOIN },
	{ "pthread_clockjoin_np", WAIT_JOIN },
	{ "pthread_timedjoin_ex", WAIT_JOIN },
	{ "pthread_clockjoin_ex", WAIT_JOIN },
	{ "thrd_join", WAIT_JOIN },
	{ "pthread_once", WAIT_ONCE },
	{ "pthread_once_slow", WAIT_ONCE },
	{ "call_once", WAIT_ONCE },
	{ "cxa_guard_acquire", WAIT_STATIC_INIT },
	{ "flockfile", WAIT_FILE_LOCK },
	{ "IO_flockfile", WAIT_FILE_LOCK },
	{ "aio_suspend", WAIT_IO },
	{ "aio_suspend_time64", WAIT_IO },
	{ "lio_listio", WAIT_IO },
	{ "lio_listio_internal", WAIT_IO },
	{ "gai_suspend", WAIT_IO },
	{ "getaddrinfo_a", WAIT_IO },
};

/* Parts of demangled names of the C++ runtime; many are inlined into the program. */
static const struct {
	const char *part;
	enum wait_kind kind;
} cxx_parts[] = {
	{ "std::__atomic_futex_unsigned_base::", WAIT_FUTURE },
	{ "std::__detail::__platform_wait", WAIT_ATOMIC },
	{ "std::__atomic_wait_address", WAIT_ATOMIC },
	{ "std::__detail::__wait_", WAIT_ATOMIC },
	{ "std::__wait_impl", WAIT_ATOMIC },
};

static enum wait_kind function_kind(const char *function)
{
	struct plain_name plain = plain_name(function);
	for (size_t i = 0; i < sizeof functions / sizeof functions[0]; i++)
		if (plain_name_is(plain, functions[i].name))
			return functions[i].kind;
	return WAIT_NONE;
}

static enum wait_kind cxx_kind(const struct frame *frame)
{
	if (frame->function == NULL)
		return WAIT_NONE;
	for (size_t i = 0; i < sizeof cxx_parts / sizeof cxx_parts[0]; i++)
		if (strstr(frame->function, cxx_parts[i].part) != NULL)
			return cxx_parts[i].kind;
	return WAIT_NONE;
}

static bool in_other_libc(const struct frame *frame)
{
	return frame->module != NULL && frame->module->name != NULL &&
	       (strncmp(frame->module->name, "ld-musl", 7) == 0 ||
		strncmp(frame->module->name, "libc.musl", 9) == 0);
}

static bool is_lock_helper(const struct frame *frame)
{
	return frame_is_function(frame, "lll_lock_wait") ||
	       frame_is_function(frame, "lll_lock_wait_private") ||
	       frame_is_function(frame, "futex_wait") ||
	       frame_is_function(frame, "futex_wait_simple");
}

/* The first function outside of the lock's own: who takes it ("malloc"). */
static void internal_lock(const struct subject *subject, const struct thread *thread, size_t first,
			  struct known_call *call)
{
	for (size_t i = first; i < thread->frame_count && i < RUNTIME_FRAMES_MAX; i++) {
		const struct frame *frame = &thread->frames[i];
		if (is_lock_helper(frame))
			continue;
		const char *name = frame_symbol(frame) != NULL
				       ? frame_symbol(frame)
				       : frame_allocates(subject, thread, frame);
		if (name == NULL || (!frame_in_runtime(frame) && !frame_in_static_program(frame)))
			return;
		call->kind = WAIT_MUTEX;
		call->internal_lock = true;
		call->name = frame->function != NULL ? frame->function : name;
		call->frame = frame;
		return;
	}
}

/* What the C++ library built on a bare futex: the outermost of its functions says. */
static void refine_atomic(const struct thread *thread, struct known_call *call)
{
	static const struct {
		const char *part;
		enum wait_kind kind;
	} rows[] = {
		{ "semaphore", WAIT_SEMAPHORE },
		{ "std::latch::", WAIT_LATCH },
		{ "std::barrier<", WAIT_BARRIER },
		{ "std::__tree_barrier", WAIT_BARRIER },
	};
	for (const struct frame *frame = call->frame;
	     frame < thread->frames + thread->frame_count && frame_in_cxx_library(frame); frame++) {
		for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
			if (frame->function == NULL ||
			    strstr(frame->function, rows[i].part) == NULL)
				continue;
			call->atomic_kind = rows[i].kind;
			call->name = frame->function;
			call->frame = frame;
		}
	}
}

struct known_call known_call_find(const struct subject *subject, const struct thread *thread)
{
	struct known_call call = { .kind = WAIT_NONE };
	size_t helper = SIZE_MAX;
	for (size_t i = 0; i < thread->frame_count && i < RUNTIME_FRAMES_MAX; i++) {
		const struct frame *frame = &thread->frames[i];
		enum wait_kind kind = cxx_kind(frame);
		if (frame->signal_frame)
			break;
		if (kind == WAIT_NONE && !frame_in_runtime(frame) &&
		    !frame_in_static_program(frame))
			break;
		if (kind == WAIT_NONE && frame_symbol(frame) != NULL)
			kind = function_kind(frame_symbol(frame));
		if (kind != WAIT_NONE) {
			call.kind = kind;
			call.name = frame->function != NULL ? frame->function : frame->linkage;
			call.frame = frame;
			call.other_libc = in_other_libc(frame);
			call.atomic_kind = WAIT_ATOMIC;
			if (kind == WAIT_ATOMIC)
				refine_atomic(thread, &call);
			return call;
		}
		if (i == 0)
			call.raw = frame_is_function(frame, "syscall");
		if (frame_is_function(frame, "lll_lock_wait_private") ||
		    (helper == SIZE_MAX && frame_is_function(frame, "lll_lock_wait")))
			helper = i + 1;
		/* Whose helper has no name. */
		if (helper == SIZE_MAX && frame_allocates(subject, thread, frame) != NULL)
			helper = i;
	}
	if (helper != SIZE_MAX)
		internal_lock(subject, thread, helper, &call);
	return call;
}

/* Functions of Rust's std that wait, by a part of the path and the end of the name: the modules
 * moved between releases (std::sys::unix::locks, std::sys::sync …), the names stayed. */
static enum wait_kind rust_kind(const char *function)
{
	static const struct {
		const char *path, *name;
		enum wait_kind kind;
	} rows[] = {
		{ "utex", "::lock_contended", WAIT_MUTEX },
		{ "wlock", "::read_contended", WAIT_RWLOCK_READ },
		{ "wlock", "::write_contended", WAIT_RWLOCK_WRITE },
		{ "ondvar", "::wait", WAIT_CONDITION },
		{ "ondvar", "::wait_timeout", WAIT_CONDITION },
		{ "ondvar", "::wait_optional_timeout", WAIT_CONDITION },
		{ "arker", "::park", WAIT_PARK },
		{ "arker", "::park_timeout", WAIT_PARK },
		{ "nce", "::wait", WAIT_ONCE },
		{ "nce", "::call", WAIT_ONCE },
	};
	const size_t length = strlen(function);
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		const size_t end = strlen(rows[i].name);
		if (strstr(function, rows[i].path) != NULL && length > end &&
		    strcmp(function + length - end, rows[i].name) == 0)
			return rows[i].kind;
	}
	return WAIT_NONE;
}

struct known_call known_call_of_rust(const struct thread *thread)
{
	struct known_call call = { .kind = WAIT_NONE };
	for (size_t i = 0; i < thread->frame_count && i < RUNTIME_FRAMES_MAX; i++) {
		const struct frame *frame = &thread->frames[i];
		if (frame->signal_frame)
			break;
		if (i == 0 && frame_is_function(frame, "syscall"))
			continue;
		if (!frame_in_rust_library(frame))
			break;
		if (frame->function == NULL ||
		    (call.kind = rust_kind(frame->function)) == WAIT_NONE)
			continue;
		call.name = frame->function;
		call.frame = frame;
		break;
	}
	return call;
}

struct known_call known_call_by_instruction(const struct subject *subject,
					    const struct thread *thread)
{
	struct known_call call = { .kind = WAIT_NONE };
	size_t i = 0;
	while (i < thread->frame_count && i < RUNTIME_FRAMES_MAX &&
	       (frame_in_runtime(&thread->frames[i]) || thread->frames[i].inlined))
		i++;
	struct symbol symbol;
	if (i == 0 || i == thread->frame_count ||
	    !call_target(subject->target, subject->modules, thread->frames[i].pc, &symbol))
		return call;
	call.kind = function_kind(symbol.linkage);
	call.name = symbol.linkage;
	call.frame = &thread->frames[i - 1];
	return call;
}
