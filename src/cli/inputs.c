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
