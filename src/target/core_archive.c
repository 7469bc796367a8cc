/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "target/core_archive.h"

#include "base/size_text.h"
#include "target/core_headers.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

/* The program headers of a core with 65,535 mappings lie in its first 4 MiB. */
#define HEADERS_ROOM (UINT64_C(4) << 20)
#define PAGE	     4096
/* Of the free space, this part is left to others. */
#define RESERVE_SHARE 20

/* A core on its way out of its archive. */
struct unpacking {
	const char *path; /* of the archive */
	const char *directory;
	struct archive *archive;
	int output;
	uint64_t at;	  /* bytes unpacked */
	uint64_t written; /* of them, those that are not zeros */
	uint64_t room;	  /* bytes that may be written */
	uint64_t end;	  /* where the core ends; UINT64_MAX until its headers told */
	bool checked;	  /* its headers were looked at */
};

bool core_archive_recognised(const void *bytes, size_t size)
{
	static const struct {
		const char *magic;
		size_t size;
	} formats[] = {
		{ "\x28\xb5\x2f\xfd", 4 }, /* zstd */
		{ "\x04\x22\x4d\x18", 4 }, /* lz4 */
		{ "\xfd\x37zXZ", 6 },	   /* xz, its NUL included */
		{ "\x1f\x8b", 2 },	   /* gzip */
		{ "BZh", 3 },		   /* bzip2 */
	};
	for (size_t i = 0; i < sizeof formats / sizeof *formats; i++)
		if (size >= formats[i].size &&
		    memcmp(bytes, formats[i].magic, formats[i].size) == 0)
			return true;
	return false;
}

/* --- the file that is unpacked into */

static int nameless_file(const char *directory)
{
	char name[4096];
	int fd = open(directory, O_RDWR | O_TMPFILE | O_CLOEXEC, 0600);
	if (fd >= 0 || (errno != EOPNOTSUPP && errno != EISDIR))
		return fd;
	if (snprintf(name, sizeof name, "%s/corescan-XXXXXX", directory) >= (int)sizeof name) {
		errno = ENAMETOOLONG;
		return -1;
	}
	fd = mkostemp(name, O_CLOEXEC);
	if (fd >= 0)
		unlink(name);
	return fd;
}

/* TMPDIR, else /var/tmp, which is for what is large, and not often kept in memory. */
static struct error *make_output(struct unpacking *unpacking)
{
	const char *chosen = getenv("TMPDIR");
	struct statvfs status;
	unpacking->directory = chosen != NULL && chosen[0] != '\0' ? chosen : "/var/tmp";
	unpacking->output = nameless_file(unpacking->directory);
	if (unpacking->output < 0)
		return error_os(errno,
				"%s: no file to unpack it into could be made in %s (TMPDIR names "
				"another directory)",
				unpacking->path, unpacking->directory);
	if (fstatvfs(unpacking->output, &status) != 0)
		return error_os(errno, "%s cannot be examined", unpacking->directory);
	uint64_t free_bytes = (uint64_t)status.f_bavail * status.f_frsize;
	unpacking->room = free_bytes - free_bytes / RESERVE_SHARE;
	return NULL;
}

static struct error *no_room(const struct unpacking *unpacking)
{
	return error_new(ERROR_OS,
			 "%s: does not fit into %s, where %s may be used, when unpacked: name a "
			 "directory with more room by TMPDIR",
			 unpacking->path, unpacking->directory, size_text(unpacking->room).text);
}

static struct error *write_all(struct unpacking *unpacking, const uint8_t *bytes, size_t size,
			       uint64_t at)
{
	if (size > unpacking->room - unpacking->written)
		return no_room(unpacking);
	unpacking->written += size;
	while (size > 0) {
		ssize_t done = pwrite(unpacking->output, bytes, size, (off_t)at);
		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0 && (errno == ENOSPC || errno == EDQUOT || errno == EFBIG))
			return no_room(unpacking);
		if (done <= 0)
			return error_os(errno, "%s: cannot be unpacked into %s", unpacking->path,
					unpacking->directory);
		bytes += done;
		size -= (size_t)done;
		at += (uint64_t)done;
	}
	return NULL;
}

static bool all_zero(const uint8_t *bytes, size_t size)
{
	return bytes[0] == 0 && memcmp(bytes, bytes + 1, size - 1) == 0;
}

/* Writes what is not zero, by the page of the output. */
static struct error *write_sparse(struct unpacking *unpacking, const uint8_t *bytes, size_t size)
{
	struct error *error = NULL;
	size_t done = 0; /* written, or left out */
	for (size_t from = 0; from < size && error == NULL;) {
		size_t to = from + PAGE - (unpacking->at + from) % PAGE;
		if (to > size)
			to = size;
		if (all_zero(bytes + from, to - from)) {
			if (from > done)
				error = write_all(unpacking, bytes + done, from - done,
						  unpacking->at + done);
			done = to;
		}
		from = to;
	}
	if (error == NULL && size > done)
		error = write_all(unpacking, bytes + done, size - done, unpacking->at + done);
	if (error == NULL)
		unpacking->at += size;
	return error;
}

/* --- what is unpacked */

/* Refuses what is no core before all of it is unpacked, and finds where the core ends. */
static struct error *check_headers(struct unpacking *unpacking)
{
	struct core_headers headers;
	struct gaps unused = { 0 }; /* all of it is read again once it is unpacked */
	uint64_t size = unpacking->at < HEADERS_ROOM ? unpacking->at : HEADERS_ROOM;
	uint8_t *bytes = malloc(size + 1);
	if (bytes == NULL)
		return error_no_memory();
	ssize_t got = pread(unpacking->output, bytes, size, 0);
	if (got >= 0 && (uint64_t)got < size)
		memset(bytes + got, 0, size - (uint64_t)got); /* zeros at the end are not written */
	struct error *error =
	    got < 0 ? error_os(errno, "%s: cannot be read back", unpacking->path)
		    : core_headers_read(unpacking->path, bytes, size, &unused, &headers);
	if (error == NULL)
		unpacking->end = core_headers_end(&headers, bytes);
	else
		error = error_prefix(error, "unpacked");
	unpacking->checked = true;
	gaps_free(&unused);
	free(bytes);
	return error;
}

static struct error *take_block(struct unpacking *unpacking, const void *bytes, size_t size)
{
	if (size > unpacking->end - unpacking->at)
		size = (size_t)(unpacking->end - unpacking->at);
	if (size == 0)
		return NULL;
	struct error *error = write_sparse(unpacking, bytes, size);
	if (error == NULL && !unpacking->checked && unpacking->at >= HEADERS_ROOM)
		error = check_headers(unpacking);
	return error;
}

static struct error *bad_archive(const struct unpacking *unpacking)
{
	const char *why = archive_error_string(unpacking->archive);
	return error_new(ERROR_BAD_DATA, "%s: cannot be unpacked: %s", unpacking->path,
			 why != NULL ? why : "damaged at its beginning");
}

/* What came before the damage is kept. */
static struct error *end_early(struct unpacking *unpacking, struct gaps *gaps)
{
	const char *why = archive_error_string(unpacking->archive);
	if (unpacking->at == 0)
		return bad_archive(unpacking);
	gaps_add(gaps, GAP_MEMORY, 0, 0,
		 "the compressed core ends early, or is damaged, after %" PRIu64
		 " unpacked bytes (%s): what follows was not examined; copy it again",
		 unpacking->at, why != NULL ? why : "no more is told");
	return NULL;
}

static struct error *unpack_blocks(struct unpacking *unpacking, uint64_t packed_size,
				   const struct progress *progress, struct gaps *gaps)
{
	struct error *error = NULL;
	while (error == NULL && unpacking->at < unpacking->end) {
		const void *bytes;
		size_t size;
		la_int64_t at;
		int status = archive_read_data_block(unpacking->archive, &bytes, &size, &at);
		if (status == ARCHIVE_EOF)
			break;
		if (status < ARCHIVE_WARN) {
			error = end_early(unpacking, gaps);
			break;
		}
		error = take_block(unpacking, bytes, size);
		progress_tell(progress, "unpacking the core",
			      (uint64_t)archive_filter_bytes(unpacking->archive, -1), packed_size);
	}
	if (error == NULL && !unpacking->checked && unpacking->at > 0)
		error = check_headers(unpacking);
	if (error == NULL && ftruncate(unpacking->output, (off_t)unpacking->at) != 0)
		error = error_os(errno, "%s: its %s cannot be unpacked into %s", unpacking->path,
				 size_text(unpacking->at).text, unpacking->directory);
	return error;
}

/* A stream that is compressed once, and holds one file without a name. */
static struct error *open_archive(struct unpacking *unpacking, int fd)
{
	struct archive_entry *entry;
	unpacking->archive = archive_read_new();
	if (unpacking->archive == NULL)
		return error_no_memory();
	archive_read_support_filter_zstd(unpacking->archive);
	archive_read_support_filter_lz4(unpacking->archive);
	archive_read_support_filter_xz(unpacking->archive);
	archive_read_support_filter_gzip(unpacking->archive);
	archive_read_support_filter_bzip2(unpacking->archive);
	archive_read_support_format_raw(unpacking->archive);
	if (lseek(fd, 0, SEEK_SET) != 0)
		return error_os(errno, "%s: cannot be read from its beginning", unpacking->path);
	if (archive_read_open_fd(unpacking->archive, fd, 1 << 18) < ARCHIVE_WARN ||
	    archive_read_next_header(unpacking->archive, &entry) < ARCHIVE_WARN)
		return bad_archive(unpacking);
	/* One is for the bytes as they are. */
	if (archive_filter_count(unpacking->archive) < 2)
		return bad_archive(unpacking);
	return NULL;
}

struct error *core_archive_unpack(const char *path, int fd, const struct progress *progress,
				  struct gaps *gaps, int *unpacked)
{
	struct unpacking unpacking = { .path = path, .output = -1, .end = UINT64_MAX };
	struct stat status = { 0 };
	struct error *error = open_archive(&unpacking, fd);
	if (error == NULL)
		error = make_output(&unpacking);
	if (error == NULL && fstat(fd, &status) != 0)
		error = error_os(errno, "%s: cannot be examined", path);
	if (error == NULL)
		error = unpack_blocks(&unpacking, (uint64_t)status.st_size, progress, gaps);
	archive_read_free(unpacking.archive);
	if (error != NULL && unpacking.output >= 0)
		close(unpacking.output);
	else if (error == NULL)
		*unpacked = unpacking.output;
	return error;
}
