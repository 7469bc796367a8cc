/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "analysis/waits/frame_names.h"

#include "heap/glibc/malloc_frames.h"

#include <string.h>

/* Shared libraries whose frames are not the program's. */
static const char *const runtime_modules[] = {
	"libc.so",	"libc-2",      "libpthread", "ld-linux", "ld-2",   "ld64.so",
	"libstdc++.so", "libgcc_s.so", "libc++",     "librt.",	 "librt-", "libdl",
	"ld-musl",	"[vdso]",      "linux-vdso", "libm.so",
};

static void skip_prefix(struct plain_name *name, const char *prefix)
{
	size_t length = strlen(prefix);
	if (name->length > length && memcmp(name->start, prefix, length) == 0) {
		name->start += length;
		name->length -= length;
	}
}

static void skip_underscores(struct plain_name *name)
{
	while (name->length > 1 && name->start[0] == '_') {
		name->start++;
		name->length--;
	}
}

struct plain_name plain_name(const char *function)
{
	struct plain_name name = { function, strcspn(function, "@.") };
	skip_underscores(&name);
	skip_prefix(&name, "GI_");
	skip_underscores(&name);
	if (name.length > 2 && memcmp(name.start + name.length - 2, "64", 2) == 0)
		name.length -= 2;
	return name;
}

const char *frame_symbol(const struct frame *frame)
{
	return frame->linkage != NULL ? frame->linkage : frame->function;
}

bool plain_name_is(struct plain_name part, const char *name)
{
	return strlen(name) == part.length && memcmp(part.start, name, part.length) == 0;
}

bool frame_is_function(const struct frame *frame, const char *name)
{
	const char *function = frame_symbol(frame);
	return function != NULL && plain_name_is(plain_name(function), name);
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

bool frame_in_cxx_library(const struct frame *frame)
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

static bool in_rust_source(const char *file)
{
	static const char *const parts[] = { "/library/std/src/", "/library/core/src/",
					     "/library/alloc/src/" };
	for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
		if (strstr(file, parts[i]) != NULL && strstr(file, "rust") != NULL)
			return true;
	return false;
}

/* As rustc mangles: "_R…" is its own form, the older one ends in a hash, "17h0123…E". Names alone
 * would not do: a C++ program, too, may have a namespace core. */
static bool mangled_by_rustc(const char *linkage)
{
	return has_prefix(linkage, "_R") ||
	       (has_prefix(linkage, "_ZN") && strstr(linkage, "17h") != NULL);
}

bool frame_in_rust_library(const struct frame *frame)
{
	static const char *const crates[] = { "std::", "core::", "alloc::" };
	const char *function = frame->function;
	if (frame->file != NULL && in_rust_source(frame->file))
		return true;
	if (function == NULL || frame->linkage == NULL || !mangled_by_rustc(frame->linkage))
		return false;
	function += strspn(function, "<&");
	for (size_t i = 0; i < sizeof crates / sizeof crates[0]; i++)
		if (has_prefix(function, crates[i]))
			return true;
	return false;
}

bool frame_in_runtime(const struct frame *frame)
{
	if (frame_in_cxx_library(frame) || frame_in_rust_library(frame))
		return true;
	const struct module *module = frame->module;
	if (module == NULL || module->name == NULL)
		return false;
	for (size_t i = 0; i < sizeof runtime_modules / sizeof runtime_modules[0]; i++)
		if (has_prefix(module->name, runtime_modules[i]))
			return true;
	return module->is_libc && !module->is_executable;
}

bool frame_in_static_program(const struct frame *frame)
{
	return frame->module != NULL && frame->module->is_libc && frame->module->is_executable;
}

const char *frame_allocates(const struct subject *subject, const struct thread *thread,
			    const struct frame *frame)
{
	const struct target *target = subject != NULL ? subject->target : NULL;
	struct modules *modules = subject != NULL ? subject->modules : NULL;
	return glibc_malloc_function(target, modules, thread->frames, thread->frame_count,
				     (size_t)(frame - thread->frames));
}
