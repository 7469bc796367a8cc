/* Reading a source file.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORESCAN_MODULES_SOURCE_FILE_H
#define CORESCAN_MODULES_SOURCE_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct source_file {
	char *bytes; /* owned; NULL: there is no such file */
	size_t size;
	size_t *starts; /* of each line, owned */
	size_t line_count;
	int64_t seconds, nanoseconds; /* when it was last changed */
};

/* Reads the regular file `path`, looked up below `root` when that is not NULL (absolute symbolic
 * links stay below it). False, and `file` empty, when it is not there, is none, or is larger than
 * source files are. */
bool source_file_read(const char *root, const char *path, struct source_file *file);
void source_file_free(struct source_file *file);

/* Line `number`, the first being 1, without its end. False when the file has fewer. */
bool source_file_line(const struct source_file *file, unsigned number, const char **line,
		      size_t *size);

#endif
