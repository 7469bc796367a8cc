/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "analysis/waits/known_calls.h"

#include "analysis/waits/call_target.h"

#include <string.h>

/* How many frames from the innermost one may belong to a wait inside the runtime libraries. */
#define RUNTIME_DEPTH 24

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
	{ "gai_suspend", WAIT_IO },
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

/* Shared libraries whose frames are not the program's. */
static const char *const runtime_modules[] = {
	"libc.so",	"libc-2",      "libpthread", "ld-linux", "ld-2",   "ld64.so",
	"libstdc++.so", "libgcc_s.so", "libc++",     "librt.",	 "librt-", "libdl",
	"ld-musl",	"[vdso]",      "linux-vdso", "libm.so",
};

/* Waits that programs build for themselves, by the function that stands on the stack or by the
 * variable that holds the object; `kind` is what they are made of, WAIT_NONE: anything. */
static const struct {
	const char *function, *variable;
	enum wait_kind kind;
	const char *detail;
	bool idle;
} program_waits[] = {
	{ "take_gil", NULL, WAIT_NONE, "Python's global interpreter lock", false },
	{ "PyEval_RestoreThread", NULL, WAIT_CONDITION, "Python's global interpreter lock", false },
	{ NULL, "_PyRuntime", WAIT_CONDITION, "Python's global interpreter lock", false },
	{ "PyThread_acquire_lock_timed", NULL, WAIT_NONE,
	  "a lock or queue of Python's threading module", false },
	{ "ProcSleep", NULL, WAIT_NONE, "a lock of PostgreSQL's lock manager", false },
	{ "LWLockAcquire", NULL, WAIT_NONE, "a lightweight lock of PostgreSQL", false },
	{ "LWLockAcquireOrWait", NULL, WAIT_NONE, "a lightweight lock of PostgreSQL", false },
	{ "gomp_barrier_wait_end", NULL, WAIT_NONE, "a barrier of OpenMP (libgomp)", false },
	{ "gomp_team_barrier_wait_end", NULL, WAIT_NONE, "a barrier of OpenMP (libgomp)", false },
	{ "gomp_simple_barrier_wait", NULL, WAIT_NONE, "work in OpenMP's pool (libgomp)", true },
};

struct name_part {
	const char *start;
	size_t length;
};

static void skip_prefix(struct name_part *name, const char *prefix)
{
	size_t length = strlen(prefix);
	if (name->length > length && memcmp(name->start, prefix, length) == 0) {
		name->start += length;
		name->length -= length;
	}
}

static void skip_underscores(struct name_part *name)
{
	while (name->length > 1 && name->start[0] == '_') {
		name->start++;
		name->length--;
	}
}

/* "___pthread_cond_timedwait64", "pthread_cond_wait@@GLIBC_2.3.2", "__GI___pthread_once" and
 * "__pthread_mutex_lock.part.0" without what builds of libc add to the name. */
static struct name_part plain_name(const char *function)
{
	struct name_part name = { function, strcspn(function, "@.") };
	skip_underscores(&name);
	skip_prefix(&name, "GI_");
	skip_underscores(&name);
	if (name.length > 2 && memcmp(name.start + name.length - 2, "64", 2) == 0)
		name.length -= 2;
	return name;
}

static const char *frame_name(const struct frame *frame)
{
	return frame->linkage != NULL ? frame->linkage : frame->function;
}

static bool same_name(struct name_part part, const char *name)
{
	return strlen(name) == part.length && memcmp(part.start, name, part.length) == 0;
}

bool frame_is_function(const struct frame *frame, const char *name)
{
	const char *function = frame_name(frame);
	return function != NULL && same_name(plain_name(function), name);
}

static enum wait_kind function_kind(const char *function)
{
	struct name_part plain = plain_name(function);
	for (size_t i = 0; i < sizeof functions / sizeof functions[0]; i++)
		if (same_name(plain, functions[i].name))
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

static bool has_prefix(const char *text, const char *prefix)
{
	return strncmp(text, prefix, strlen(prefix)) == 0;
}

/* Source of the C++ library's headers: "/usr/include/x86_64-linux-gnu/c++/12/bits/…". */
static bool in_cxx_header(const struct frame *frame)
{
	const char *include = frame->file != NULL ? strstr(frame->file, "/include/") : NULL;
	return include != NULL && strstr(include, "/c++/") != NULL;
}

/* A function of the C++ library, wherever it was compiled into. */
static bool in_std(const struct frame *frame)
{
	static const char *const prefixes[] = { "_ZNSt", "_ZNKSt", "_ZSt", "_ZN9__gnu_cxx",
						"_ZNK9__gnu_cxx" };
	for (size_t i = 0; frame->linkage != NULL && i < sizeof prefixes / sizeof prefixes[0]; i++)
		if (has_prefix(frame->linkage, prefixes[i]))
			return true;
	return in_cxx_header(frame) ||
	       (frame->function != NULL && (has_prefix(frame->function, "std::") ||
					    has_prefix(frame->function, "__gnu_cxx::")));
}

bool frame_in_runtime(const struct frame *frame)
{
	if (in_std(frame))
		return true;
	const struct module *module = frame->module;
	if (module == NULL || module->name == NULL)
		return false;
	for (size_t i = 0; i < sizeof runtime_modules / sizeof runtime_modules[0]; i++)
		if (has_prefix(module->name, runtime_modules[i]))
			return true;
	return module->is_libc && !module->is_executable;
}

static bool in_other_libc(const struct frame *frame)
{
	return frame->module != NULL && frame->module->name != NULL &&
	       (has_prefix(frame->module->name, "ld-musl") ||
		has_prefix(frame->module->name, "libc.musl"));
}

/* In a static executable libc's functions lie among the program's: only names and the missing
 * source lines tell them apart. */
static bool in_static_program(const struct frame *frame)
{
	return frame->module != NULL && frame->module->is_libc && frame->module->is_executable;
}

static bool is_allocation(const char *function)
{
	static const char *const names[] = {
		"malloc",	  "calloc",
		"realloc",	  "free",
		"cfree",	  "memalign",
		"int_malloc",	  "int_free",
		"int_realloc",	  "int_memalign",
		"sysmalloc",	  "systrim",
		"arena_get2",	  "malloc_consolidate",
		"libc_malloc",	  "libc_calloc",
		"libc_realloc",	  "libc_free",
		"libc_memalign",  "posix_memalign",
		"int_free_chunk", "aligned_alloc",
	};
	struct name_part plain = plain_name(function);
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		if (same_name(plain, names[i]))
			return true;
	return false;
}

bool frame_allocates(const struct frame *frame)
{
	return (frame_in_runtime(frame) || in_static_program(frame)) && frame_name(frame) != NULL &&
	       is_allocation(frame_name(frame));
}

bool frame_called_allocation(const struct subject *subject, const struct frame *frame)
{
	struct symbol symbol;
	return call_target(subject, frame->pc, &symbol) && is_allocation(symbol.linkage);
}

static bool is_lock_helper(const struct frame *frame)
{
	return frame_is_function(frame, "lll_lock_wait") ||
	       frame_is_function(frame, "lll_lock_wait_private") ||
	       frame_is_function(frame, "futex_wait") ||
	       frame_is_function(frame, "futex_wait_simple");
}

/* The first function outside of the lock's own: who takes it ("malloc"). */
static void internal_lock(const struct thread *thread, size_t first, struct known_call *call)
{
	for (size_t i = first; i < thread->frame_count && i < RUNTIME_DEPTH; i++) {
		const struct frame *frame = &thread->frames[i];
		if (is_lock_helper(frame))
			continue;
		if (frame_name(frame) == NULL ||
		    (!frame_in_runtime(frame) && !in_static_program(frame)))
			return;
		call->kind = WAIT_MUTEX;
		call->internal_lock = true;
		call->name = frame->function != NULL ? frame->function : frame->linkage;
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
		{ "std::latch::", WAIT_BARRIER },
		{ "std::barrier<", WAIT_BARRIER },
		{ "std::__tree_barrier", WAIT_BARRIER },
	};
	for (const struct frame *frame = call->frame;
	     frame < thread->frames + thread->frame_count && in_std(frame); frame++) {
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

struct known_call known_call_find(const struct thread *thread)
{
	struct known_call call = { .kind = WAIT_NONE };
	size_t helper = SIZE_MAX;
	for (size_t i = 0; i < thread->frame_count && i < RUNTIME_DEPTH; i++) {
		const struct frame *frame = &thread->frames[i];
		enum wait_kind kind = cxx_kind(frame);
		if (frame->signal_frame)
			break;
		if (kind == WAIT_NONE && !frame_in_runtime(frame) && !in_static_program(frame))
			break;
		if (kind == WAIT_NONE && frame_name(frame) != NULL)
			kind = function_kind(frame_name(frame));
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
		if (helper == SIZE_MAX && frame_allocates(frame))
			helper = i;
	}
	if (helper != SIZE_MAX)
		internal_lock(thread, helper, &call);
	return call;
}

struct known_call known_call_by_instruction(const struct subject *subject,
					    const struct thread *thread)
{
	struct known_call call = { .kind = WAIT_NONE };
	size_t i = 0;
	while (i < thread->frame_count && i < RUNTIME_DEPTH &&
	       (frame_in_runtime(&thread->frames[i]) || thread->frames[i].inlined))
		i++;
	struct symbol symbol;
	if (i == 0 || i == thread->frame_count ||
	    !call_target(subject, thread->frames[i].pc, &symbol))
		return call;
	call.kind = function_kind(symbol.linkage);
	call.name = symbol.linkage;
	call.frame = &thread->frames[i - 1];
	return call;
}

static const struct frame *static_site(const struct thread *thread)
{
	for (size_t i = 0; i < thread->frame_count && i < RUNTIME_DEPTH; i++)
		if (thread->frames[i].file != NULL && !in_std(&thread->frames[i]))
			return &thread->frames[i];
	struct known_call call = known_call_find(thread);
	size_t next = call.frame != NULL ? (size_t)(call.frame - thread->frames) + 1 : 1;
	return next < thread->frame_count ? &thread->frames[next] : NULL;
}

const struct frame *wait_site(const struct thread *thread)
{
	if (thread->frame_count > 0 && in_static_program(&thread->frames[0]))
		return static_site(thread);
	for (size_t i = 0; i < thread->frame_count; i++)
		if (!frame_in_runtime(&thread->frames[i]))
			return &thread->frames[i];
	return NULL;
}

static const struct frame *on_stack(const struct thread *thread, const char *function)
{
	for (size_t i = 0; i < thread->frame_count && i < RUNTIME_DEPTH; i++)
		if (frame_is_function(&thread->frames[i], function))
			return &thread->frames[i];
	return NULL;
}

static bool in_variable(const struct subject *subject, uint64_t object, const char *variable)
{
	struct symbol symbol;
	return object != 0 && modules_symbol_at(subject->modules, object, &symbol) &&
	       symbol.linkage != NULL && strcmp(symbol.linkage, variable) == 0;
}

struct program_wait program_wait_find(const struct subject *subject, const struct wait *wait)
{
	struct program_wait found = { 0 };
	for (size_t i = 0; i < sizeof program_waits / sizeof program_waits[0]; i++) {
		if (program_waits[i].kind != WAIT_NONE && program_waits[i].kind != wait->kind)
			continue;
		if (program_waits[i].function != NULL)
			found.frame = on_stack(wait->thread, program_waits[i].function);
		if (found.frame == NULL &&
		    (program_waits[i].variable == NULL ||
		     !in_variable(subject, wait->object, program_waits[i].variable)))
			continue;
		found.detail = program_waits[i].detail;
		found.idle = program_waits[i].idle;
		return found;
	}
	return found;
}
