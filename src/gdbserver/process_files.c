/* What stands for /proc/PID's files: "info proc" and gcore of gdb's read them. proc(5).
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "report/findings.h"
#include "gdbserver/session.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static void write_maps(const struct target *target, struct reply *text)
{
	size_t count;
	const struct segment *segments = address_space_segments(target->space, &count);
	for (size_t i = 0; i < count; i++) {
		const struct segment *segment = &segments[i];
		char permissions[5];
		segment_permissions(segment, permissions);
		if (!segment->permissions_known)
			strcpy(permissions, "r--p");
		reply_format(text, "%" PRIx64 "-%" PRIx64 " %s %08" PRIx64 " 00:00 %u",
			     segment->start, segment->end, permissions, segment->file_offset,
			     segment->name != NULL && segment->name[0] == '/');
		reply_text(text, segment->name != NULL ? "                   " : "");
		for (const char *at = segment->name; at != NULL && *at != '\0'; at++)
			reply_bytes(text, *at == '\n' ? "?" : at, 1);
		reply_text(text, "\n");
	}
}

static void write_command(const struct target *target, struct reply *text)
{
	if (target->command != NULL) /* a NUL follows each word */
		reply_bytes(text, target->command, strlen(target->command) + 1);
}

static void write_status(const struct target *target, struct reply *text)
{
	reply_format(text,
		     "Name:\t%s\nState:\tt (tracing stop)\nTgid:\t%" PRId32 "\nPid:\t%" PRId32
		     "\nThreads:\t%zu\n",
		     target->comm != NULL ? target->comm : "", target->pid, target->pid,
		     target->threads.count);
}

static const struct {
	const char *name;
	void (*write)(const struct target *target, struct reply *text);
} files[] = {
	{ "maps", write_maps },
	{ "cmdline", write_command },
	{ "status", write_status },
};

/* "/proc/PID/NAME" of the process that is served, or of one of its threads. */
static const char *name_in_process(const struct session *session, const char *path)
{
	int32_t pid, tid;
	int length = 0;
	if (sscanf(path, "/proc/%" SCNd32 "/task/%" SCNd32 "/%n", &pid, &tid, &length) == 2 &&
	    length > 0)
		return pid == session_pid(session) ? path + length : NULL;
	length = 0;
	if (sscanf(path, "/proc/%" SCNd32 "/%n", &pid, &length) == 1 && length > 0)
		return pid == session_pid(session) ? path + length : NULL;
	return NULL;
}

bool process_file(const struct session *session, const char *path, struct reply *text)
{
	const char *name = name_in_process(session, path);
	for (size_t i = 0; name != NULL && i < sizeof files / sizeof *files; i++) {
		if (strcmp(name, files[i].name) == 0) {
			files[i].write(session->served->subject->target, text);
			return true;
		}
	}
	return false;
}

bool process_link(const struct session *session, const char *path, struct reply *text)
{
	const char *name = name_in_process(session, path);
	const char *exe = session->served->subject->target->exe;
	if (name == NULL || strcmp(name, "exe") != 0 || exe == NULL)
		return false;
	reply_text(text, exe);
	return true;
}
