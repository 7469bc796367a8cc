/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "analysis/waits/program_waits.h"

#include "analysis/waits/frame_names.h"
#include "analysis/waits/known_calls.h"

#include <string.h>

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
	{ "ObjectMonitor::enter", NULL, WAIT_NONE, "a monitor of Java", false },
	{ "ObjectMonitor::wait", NULL, WAIT_NONE, "Object.wait of Java", true },
	{ "Unsafe_Park", NULL, WAIT_NONE, "LockSupport.park of Java", true },
	{ "GangWorker::loop", NULL, WAIT_NONE, "work of the JVM's own", true },
	{ "WorkerThread::run", NULL, WAIT_NONE, "work of the JVM's own", true },
	{ "runtime.stopm", NULL, WAIT_NONE, "work of Go's scheduler", true },
	{ "runtime.sysmon", NULL, WAIT_NONE, "the next look of Go's monitor thread", true },
	{ "runtime.templateThread", NULL, WAIT_NONE, "threads that Go's runtime starts", true },
	{ "runtime.lock2", NULL, WAIT_NONE, "a lock of Go's runtime", false },
	{ "ProcSleep", NULL, WAIT_NONE, "a lock of PostgreSQL's lock manager", false },
	{ "LWLockAcquire", NULL, WAIT_NONE, "a lightweight lock of PostgreSQL", false },
	{ "LWLockAcquireOrWait", NULL, WAIT_NONE, "a lightweight lock of PostgreSQL", false },
	{ "gomp_barrier_wait_end", NULL, WAIT_NONE, "a barrier of OpenMP (libgomp)", false },
	{ "gomp_team_barrier_wait_end", NULL, WAIT_NONE, "a barrier of OpenMP (libgomp)", false },
	{ "gomp_simple_barrier_wait", NULL, WAIT_NONE, "work in OpenMP's pool (libgomp)", true },
};

static const struct frame *static_site(const struct thread *thread)
{
	for (size_t i = 0; i < thread->frame_count && i < RUNTIME_FRAMES_MAX; i++)
		if (thread->frames[i].file != NULL && !frame_in_cxx_library(&thread->frames[i]))
			return &thread->frames[i];
	struct known_call call = known_call_find(NULL, thread);
	size_t next = call.frame != NULL ? (size_t)(call.frame - thread->frames) + 1 : 1;
	return next < thread->frame_count ? &thread->frames[next] : NULL;
}

const struct frame *wait_site(const struct thread *thread)
{
	if (thread->frame_count > 0 && frame_in_static_program(&thread->frames[0]))
		return static_site(thread);
	for (size_t i = 0; i < thread->frame_count; i++)
		if (!frame_in_runtime(&thread->frames[i]))
			return &thread->frames[i];
	return NULL;
}

/* By its linkage name as known_calls.h has them, or by its name in C++ or Go. */
static bool is_named(const struct frame *frame, const char *name)
{
	const size_t length = strlen(name);
	const char *function = frame->function;
	return frame_is_function(frame, name) ||
	       (function != NULL && strncmp(function, name, length) == 0 &&
		(function[length] == '\0' || function[length] == '('));
}

static const struct frame *on_stack(const struct thread *thread, const char *function)
{
	for (size_t i = 0; i < thread->frame_count && i < RUNTIME_FRAMES_MAX; i++)
		if (is_named(&thread->frames[i], function))
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
