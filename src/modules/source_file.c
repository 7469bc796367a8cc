/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "modules/source_file.h"

#include "base/array.h"
#include "modules/module_file.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SIZE_MOST (64 << 20)

/* As many bytes as there are: the file may be cut or grow meanwhile. */
static size_t read_bytes(int fd, char *bytes, size_t size)
{
	size_t done = 0;
	while (done < size) {
		const ssize_t got = read(fd, bytes + done, size - done);
		if (got <= 0)
			break;
		done += (size_t)got;
	}
	return done;
}

static bool find_lines(struct source_file *file)
{
	ARRAY(size_t) starts = { 0 };
	for (size_t at = 0; at < file->size;) {
		if (!array_push(&starts, at)) {
			array_free(&starts);
			return false;
		}
		const char *end = memchr(file->bytes + at, '\n', file->size - at);
		at = end != NULL ? (size_t)(end - file->bytes) + 1 : file->size;
	}
	file->starts = starts.items;
	file->line_count = starts.count;
	return true;
}

static bool read_all(int fd, struct source_file *file)
{
	struct stat status;
	if (fstat(fd, &status) != 0 || !S_ISREG(status.st_mode) || status.st_size <= 0 ||
	    status.st_size > SIZE_MOST)
		return false;
	file->bytes = malloc((size_t)status.st_size);
	if (file->bytes == NULL)
		return false;
	file->size = read_bytes(fd, file->bytes, (size_t)status.st_size);
	file->seconds = status.st_mtim.tv_sec;
	file->nanoseconds = status.st_mtim.tv_nsec;
	return find_lines(file);
}

bool source_file_read(const char *root, const char *path, struct source_file *file)
{
	struct source_file made = { 0 };
	*file = made;
	const int fd = module_file_open(root, path);
	if (fd < 0)
		return false;
	const bool done = read_all(fd, &made);
	close(fd);
	if (done)
		*file = made;
	else
		source_file_free(&made);
	return done;
}

void source_file_free(struct source_file *file)
{
	free(file->bytes);
	free(file->starts);
	*file = (struct source_file){ 0 };
}

bool source_file_line(const struct source_file *file, unsigned number, const char **line,
		      size_t *size)
{
	if (number == 0 || number > file->line_count)
		return false;
	const size_t start = file->starts[number - 1];
	const size_t next = number < file->line_count ? file->starts[number] : file->size;
	*line = file->bytes + start;
	*size = next - start;
	if (*size > 0 && (*line)[*size - 1] == '\n')
		--*size;
	return true;
}
