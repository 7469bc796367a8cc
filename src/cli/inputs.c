/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cli/inputs.h"

#include "target/core_archive.h"

#include <elf.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

enum input_kind input_kind(const char *path)
{
	unsigned char header[EI_NIDENT + 2];
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return INPUT_OTHER;
	const ssize_t size = read(fd, header, sizeof header);
	close(fd);
	if (size > 0 && core_archive_recognised(header, (size_t)size))
		return INPUT_CORE;
	if (size != sizeof header || memcmp(header, ELFMAG, SELFMAG) != 0)
		return INPUT_OTHER;
	const unsigned first = header[EI_NIDENT], second = header[EI_NIDENT + 1];
	const unsigned type =
	    header[EI_DATA] == ELFDATA2MSB ? first << 8 | second : second << 8 | first;
	return type == ET_CORE ? INPUT_CORE : INPUT_PROGRAM;
}

struct error *inputs_from_gdb(struct options *options, struct gdb_session *session)
{
	struct error *error = gdb_session_read(stdin, session);
	if (error != NULL)
		return error;
	options->core = session->core;
	options->pid = session->pid;
	options->held = session->core == NULL ? &session->threads : NULL;
	/* A process has its own files; a core's are to be named. */
	if (session->core != NULL)
		options->exe = session->exe;
	if (options->sysroot == NULL)
		options->sysroot = session->sysroot;
	if (options->color == COLOR_AUTO && session->plain)
		options->color = COLOR_NEVER;
	options->address = session->address;
	return NULL;
}

bool inputs_settle(struct options *options)
{
	if (options->exe == NULL || options->core == NULL ||
	    input_kind(options->exe) != INPUT_CORE || input_kind(options->core) == INPUT_CORE)
		return false;
	const char *core = options->exe;
	options->exe = options->core;
	options->core = core;
	return true;
}
