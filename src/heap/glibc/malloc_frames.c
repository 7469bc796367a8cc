/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "heap/glibc/malloc_frames.h"

#include "threads/call_target.h"

#include <string.h>

/* Malloc's functions without the underscores in front, of all glibcs from 2.31 to 2.43: the
 * exported ones, and by the debug file the inner ones. */
static const char *const functions[] = {
	"malloc",
	"free",
	"cfree",
	"calloc",
	"realloc",
	"reallocarray",
	"memalign",
	"aligned_alloc",
	"posix_memalign",
	"valloc",
	"pvalloc",
	"malloc_trim",
	"libc_malloc",
	"libc_malloc2",
	"libc_free",
	"libc_calloc",
	"libc_calloc2",
	"libc_realloc",
	"libc_memalign",
	"libc_reallocarray",
	"libc_valloc",
	"libc_pvalloc",
	"mid_memalign",
	"malloc_consolidate",
	"systrim",
	"unlink_chunk",
	"arena_get2",
	"arena_get_retry",
	"new_heap",
	"alloc_new_heap",
	"detach_arena",
	"malloc_arena_thread_freeres",
	"libc_thread_freeres",
};

/* What all of a family begin with. */
static const char *const families[] = { "int_malloc",	"int_free",  "int_realloc",
					"int_memalign", "sysmalloc", "tcache_" };

/* Without what builds of libc add to a name: "__GI___libc_free", "unlink_chunk.isra.0". */
static bool is_malloc_function(const char *name)
{
	name += strspn(name, "_");
	if (strncmp(name, "GI_", 3) == 0)
		name += 3;
	name += strspn(name, "_");
	const size_t length = strcspn(name, "@.");
	for (size_t i = 0; i < sizeof functions / sizeof *functions; i++)
		if (strlen(functions[i]) == length && memcmp(functions[i], name, length) == 0)
			return true;
	for (size_t i = 0; i < sizeof families / sizeof *families; i++)
		if (strncmp(name, families[i], strlen(families[i])) == 0)
			return true;
	return false;
}

const char *glibc_malloc_function(const struct target *target, struct modules *modules,
				  const struct frame *frames, size_t count, size_t index)
{
	const struct frame *frame = &frames[index];
	if (frame->module == NULL || !frame->module->is_libc || frame->signal_frame)
		return NULL;
	const char *name = frame_called_as(target, modules, frames, count, index);
	return name != NULL && is_malloc_function(name) ? name : NULL;
}
