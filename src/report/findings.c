/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "report/findings.h"

#include <stdio.h>
#include <string.h>

const struct module *findings_executable(const struct findings *findings)
{
	for (size_t i = 0; i < findings->module_count; i++)
		if (findings->modules[i].is_executable)
			return &findings->modules[i];
	return NULL;
}

bool findings_have_go(const struct findings *findings)
{
	for (size_t i = 0; i < findings->module_count; i++)
		if (findings->modules[i].is_go)
			return true;
	return false;
}

bool findings_partial(const struct findings *findings)
{
	const struct gaps *gaps = findings->subject->gaps;
	return gaps->list.count > 0 || gaps->lost;
}

bool findings_heap_partial(const struct findings *findings)
{
	const struct gaps *gaps = findings->subject->gaps;
	bool partial = gaps->lost || findings->subject->target->cut_short;
	for (size_t i = 0; i < gaps->list.count && !partial; i++) {
		enum gap_kind kind = gaps->list.items[i].kind;
		partial = kind == GAP_MEMORY || kind == GAP_THREAD || kind == GAP_HEAP ||
			  kind == GAP_LIMIT;
	}
	return partial;
}

char *module_build_id(const struct module *module, size_t digits, char buffer[BUILD_ID_TEXT_MAX])
{
	char *to = buffer;
	for (size_t i = 0; i < module->build_id_size && i < MODULE_BUILD_ID_MAX && 2 * i < digits;
	     i++)
		to += snprintf(to, 3, "%02x", module->build_id[i]);
	*to = '\0';
	return buffer;
}

const char *module_match_name(enum module_match match)
{
	static const char *const names[] = {
		[MODULE_VERIFIED] = "verified",
		[MODULE_UNVERIFIED] = "unverified",
		[MODULE_MISMATCH] = "mismatch",
		[MODULE_MISSING] = "missing",
	};
	return names[match];
}

const char *segment_origin_name(enum segment_origin origin)
{
	static const char *const names[] = {
		[SEGMENT_CORE] = "core",
		[SEGMENT_FILE] = "file",
		[SEGMENT_LIVE] = "live",
		[SEGMENT_ABSENT] = "absent",
	};
	return names[origin];
}

const char *owner_state_name(enum owner_state state)
{
	static const char *const names[] = {
		[OWNER_NONE] = "none",	     [OWNER_THREAD] = "thread", [OWNER_SELF] = "self",
		[OWNER_PROCESS] = "process", [OWNER_GONE] = "gone",	[OWNER_UNKNOWN] = "unknown",
	};
	return names[state];
}

const char *arena_kind_name(enum arena_kind kind)
{
	static const char *const names[] = {
		[ARENA_MAIN] = "main",
		[ARENA_THREAD] = "thread",
		[ARENA_MMAPPED] = "mmapped",
	};
	return names[kind];
}

const char *target_kind_name(enum target_kind kind)
{
	static const char *const names[] = {
		[TARGET_CORE] = "core",
		[TARGET_LIVE] = "live",
		[TARGET_MEMORY] = "memory",
	};
	return names[kind];
}

const char *access_kind_name(enum access_kind kind)
{
	static const char *const names[] = {
		[ACCESS_UNKNOWN] = "unknown", [ACCESS_READ] = "read",	  [ACCESS_WRITE] = "write",
		[ACCESS_JUMP] = "jump",	      [ACCESS_JUMP_VIA] = "read",
	};
	return names[kind];
}

char *segment_permissions(const struct segment *segment, char buffer[5])
{
	if (!segment->permissions_known)
		return strcpy(buffer, "????");
	buffer[0] = segment->permissions & SEGMENT_READ ? 'r' : '-';
	buffer[1] = segment->permissions & SEGMENT_WRITE ? 'w' : '-';
	buffer[2] = segment->permissions & SEGMENT_EXECUTE ? 'x' : '-';
	buffer[3] = segment->shared ? 's' : 'p';
	buffer[4] = '\0';
	return buffer;
}

const char *thread_look_name(const struct target_thread *thread, bool live)
{
	if (!live)
		return NULL;
	return thread->stopped	? "stopped"
	       : thread->asleep ? "asleep"
	       : thread->moved	? "moved"
				: "no";
}
