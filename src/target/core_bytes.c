/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "target/core_bytes.h"

#include "target/core_archive.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* A hole is worth a mapping from this size on; of the 65,530 mappings that a process may have by
 * default, this many are left to others. */
#define HOLE_MIN UINT64_C(0x100000)
enum { HOLES_MAX = 16384, EXTENTS_MAX = 1 << 20 };

static struct error *open_file(const char *path, int *result)
{
	/* O_NONBLOCK: a named pipe must not make us wait for its writer. */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0 && errno == ENOENT)
		return error_new(ERROR_NOT_FOUND,
				 "%s: no such file: check the path; systemd keeps cores itself "
				 "(coredumpctl list)",
				 path);
	if (fd < 0 && errno == EACCES)
		return error_os(errno,
				"%s: cannot be opened: cores belong to the user the process ran "
				"as; try as that user or as root",
				path);
	if (fd < 0)
		return error_os(errno, "%s: cannot be opened", path);
	*result = fd;
	return NULL;
}

/* Puts zeros of our own over the hole [start, end). False when the kernel refuses. */
static bool cover_hole(uint8_t *bytes, uint64_t start, uint64_t end)
{
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
	start = (start + page - 1) & -page;
	end &= -page;
	if (end < start || end - start < HOLE_MIN)
		return true;
	if (mmap(bytes + start, end - start, PROT_READ,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0) == MAP_FAILED)
		return false;
	madvise(bytes + start, end - start, MADV_HUGEPAGE);
	return true;
}

/* A file system that knows no holes says that all is data. */
static void cover_holes(int fd, uint8_t *bytes, uint64_t size)
{
	uint64_t at = 0;
	int covered = 0;
	for (int extents = 0; at < size && covered < HOLES_MAX && extents < EXTENTS_MAX;
	     extents++) {
		off_t hole = lseek(fd, (off_t)at, SEEK_HOLE);
		if (hole < 0 || (uint64_t)hole >= size)
			return;
		off_t data = lseek(fd, hole, SEEK_DATA);
		at = data < 0 || (uint64_t)data > size ? size : (uint64_t)data;
		if (at <= (uint64_t)hole)
			return;
		if (at - (uint64_t)hole < HOLE_MIN)
			continue;
		covered++;
		if (!cover_hole(bytes, (uint64_t)hole, at))
			return;
	}
}

static struct error *map_opened(const char *path, int fd, struct core_bytes *file)
{
	struct stat status;
	if (fstat(fd, &status) != 0)
		return error_os(errno, "%s: cannot be examined", path);
	if (S_ISDIR(status.st_mode))
		return error_new(ERROR_BAD_DATA, "%s: a directory: name a core file in it", path);
	if (!S_ISREG(status.st_mode))
		return error_new(ERROR_BAD_DATA,
				 "%s: not a regular file: save the core to a file first", path);
	file->size = (uint64_t)status.st_size;
	if (file->size == 0)
		return NULL;
	void *bytes = mmap(NULL, file->size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (bytes == MAP_FAILED)
		return error_os(errno, "%s: its %" PRIu64 " bytes cannot be mapped", path,
				file->size);
	file->bytes = bytes;
	/* A file without holes has blocks for all of its bytes. */
	if ((uint64_t)status.st_blocks * 512 < file->size)
		cover_holes(fd, bytes, file->size);
	return NULL;
}

/* Puts the unpacked file in the place of a compressed one. */
static struct error *unpack_opened(const char *path, const struct progress *progress,
				   struct gaps *gaps, int *fd)
{
	unsigned char magic[CORE_ARCHIVE_MAGIC_MAX];
	ssize_t got = pread(*fd, magic, sizeof magic, 0);
	int unpacked = -1;
	if (got <= 0 || !core_archive_recognised(magic, (size_t)got))
		return NULL;
	struct error *error = core_archive_unpack(path, *fd, progress, gaps, &unpacked);
	if (error == NULL) {
		close(*fd);
		*fd = unpacked;
	}
	return error;
}

struct error *core_bytes_map(const char *path, const struct progress *progress, struct gaps *gaps,
			     struct core_bytes **file)
{
	struct core_bytes *mapped = calloc(1, sizeof *mapped);
	if (mapped == NULL)
		return error_no_memory();
	int fd = -1;
	struct error *error = open_file(path, &fd);
	if (error == NULL)
		error = unpack_opened(path, progress, gaps, &fd);
	if (error == NULL)
		error = map_opened(path, fd, mapped);
	if (fd >= 0)
		close(fd);
	if (error != NULL) {
		core_bytes_end(mapped);
		return error;
	}
	*file = mapped;
	return NULL;
}

void core_bytes_end(struct core_bytes *file)
{
	if (file->bytes != NULL)
		munmap((void *)file->bytes, file->size);
	free(file);
}
