/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "modules/module_file.h"

#include "base/bytes.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static const char deleted[] = " (deleted)";

int module_file_open(const char *root, const char *path)
{
	/* O_NONBLOCK: a FIFO or device of that name must not hold us up. */
	const int flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY;
	if (root == NULL)
		return open(path, flags);
	int directory = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (directory < 0)
		return -1;
	struct open_how how = { .flags = (uint64_t)flags, .resolve = RESOLVE_IN_ROOT };
	int fd = (int)syscall(SYS_openat2, directory, path, &how, sizeof how);
	if (fd < 0 && (errno == ENOSYS || errno == EPERM))
		fd = openat(directory, path + strspn(path, "/"), flags);
	int saved = errno;
	close(directory);
	errno = saved;
	return fd;
}

int module_file_map_descriptor(int fd, const char *path, struct module_file *file)
{
	struct stat status;
	char link[64], name[4096];
	if (fstat(fd, &status) != 0)
		return errno;
	if (S_ISDIR(status.st_mode))
		return EISDIR;
	if (!S_ISREG(status.st_mode) || status.st_size <= 0)
		return EINVAL;
	if (path == NULL) {
		snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
		ssize_t length = readlink(link, name, sizeof name - 1);
		name[length > 0 ? length : 0] = '\0';
	}
	char *kept = strdup(path != NULL ? path : name);
	if (kept == NULL)
		return ENOMEM;
	/* Writable, since libelf notes in its copy of the section headers what it has decompressed:
	 * Go's debug information is compressed. */
	void *bytes = mmap(NULL, (size_t)status.st_size, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_NORESERVE, fd, 0);
	if (bytes == MAP_FAILED) {
		int number = errno;
		free(kept);
		return number;
	}
	*file = (struct module_file){ bytes, (size_t)status.st_size, kept, status.st_dev,
				      status.st_ino };
	return 0;
}

int module_file_map(const char *root, const char *path, struct module_file *file)
{
	char *shown;
	int fd = module_file_open(root, path);
	if (fd < 0)
		return errno;
	int number = ENOMEM;
	if (asprintf(&shown, "%s%s", root != NULL ? root : "", path) >= 0) {
		number = module_file_map_descriptor(fd, shown, file);
		free(shown);
	}
	close(fd);
	return number;
}

void module_file_unmap(struct module_file *file)
{
	if (file->bytes != NULL)
		munmap(file->bytes, file->size);
	free(file->path);
	*file = (struct module_file){ 0 };
}

static struct elf_bytes bytes_of(const struct module_file *file)
{
	return (struct elf_bytes){ file->bytes, file->size };
}

static struct error *check_exe(const char *path, const struct arch *arch,
			       const struct module_file *file)
{
	struct elf_image image;
	struct elf_bytes bytes = bytes_of(file);
	char machine[64];
	if (file->size >= 2 && memcmp(file->bytes, "#!", 2) == 0)
		return error_new(ERROR_BAD_DATA,
				 "%s is a script, not a program: give the interpreter that ran it, "
				 "or leave EXE out",
				 path);
	if (!elf_image_read_header(elf_bytes_source, &bytes, &image))
		return error_new(ERROR_BAD_DATA, "%s is not an ELF program", path);
	if (image.type == ET_CORE)
		return error_new(
		    ERROR_BAD_DATA,
		    "%s is itself a core file: the program stands before the core, EXE CORE", path);
	if (image.machine != arch->elf_machine || image.elf_class != arch->elf_class ||
	    image.elf_data != arch->elf_data)
		return error_new(ERROR_UNSUPPORTED, "%s is a program for %s, the target is %s",
				 path, arch_machine_name(image.machine, machine, sizeof machine),
				 arch->name);
	if (image.type != ET_EXEC && image.type != ET_DYN)
		return error_new(ERROR_BAD_DATA, "%s is an ELF object file, not a linked program",
				 path);
	return NULL;
}

struct error *module_file_map_exe(const char *path, const struct arch *arch,
				  struct module_file *file)
{
	struct module_file mapped = { 0 };
	int number = module_file_map(NULL, path, &mapped);
	switch (number) {
	case 0:
		break;
	case ENOENT:
	case ENOTDIR:
		return error_new(ERROR_NOT_FOUND, "%s: no such file", path);
	case EISDIR:
		return error_new(ERROR_BAD_DATA, "%s is a directory, not a program", path);
	case EINVAL:
		return error_new(ERROR_BAD_DATA, "%s is empty or not a regular file", path);
	default:
		return error_os(number, "cannot open %s", path);
	}
	struct error *error = check_exe(path, arch, &mapped);
	if (error != NULL) {
		module_file_unmap(&mapped);
		return error;
	}
	*file = mapped;
	return NULL;
}

void build_id_text(const uint8_t *build_id, size_t size, char text[2 * ELF_BUILD_ID_MAX + 1])
{
	text[0] = '\0';
	for (size_t i = 0; i < size && i < ELF_BUILD_ID_MAX; i++)
		snprintf(text + 2 * i, 3, "%02x", build_id[i]);
}

bool module_dynamic_agrees(struct target *target, const struct elf_image *image,
			   const struct elf_bytes *file, uint64_t bias)
{
	const struct elf_segment *dynamic = elf_image_segment(image, PT_DYNAMIC);
	size_t word = target->arch->word_size;
	bool big = image->elf_data == ELFDATA2MSB;
	if (dynamic == NULL)
		return true;
	for (uint64_t at = 0; at + 2 * word <= dynamic->filesz && at < 64 * 1024; at += 2 * word) {
		uint8_t theirs[16], ours[16];
		if (!address_space_probe(target->space, bias + dynamic->vaddr + at, theirs,
					 2 * word) ||
		    !elf_bytes_source((void *)(uintptr_t)file, dynamic->offset + at, ours,
				      2 * word))
			return true;
		uint64_t tag = bytes_unsigned(theirs, word, big);
		uint64_t value = bytes_unsigned(theirs + word, word, big);
		uint64_t file_value = bytes_unsigned(ours + word, word, big);
		if (tag != bytes_unsigned(ours, word, big))
			return false;
		if (tag == DT_NULL)
			return true;
		/* The loader relocates pointers in place, and fills in DT_DEBUG. */
		if (tag != DT_DEBUG && value != file_value && value != file_value + bias)
			return false;
	}
	return true;
}

/* Compares build-ids where memory has one. */
static enum module_match check_build_id(const struct module_file *file,
					const struct elf_image *image,
					const struct module_identity *identity, char *why,
					size_t why_size)
{
	uint8_t build_id[ELF_BUILD_ID_MAX];
	size_t size = 0;
	struct elf_bytes bytes = bytes_of(file);
	char theirs[2 * ELF_BUILD_ID_MAX + 1], ours[2 * ELF_BUILD_ID_MAX + 1];
	if (elf_image_build_id(image, elf_bytes_source, &bytes, false, build_id, &size) &&
	    size == identity->build_id_size && memcmp(build_id, identity->build_id, size) == 0)
		return MODULE_VERIFIED;
	build_id_text(identity->build_id, identity->build_id_size, theirs);
	build_id_text(build_id, size, ours);
	snprintf(why, why_size, "has %s%s, in memory is %s",
		 size != 0 ? "build-id " : "no build-id", ours, theirs);
	return MODULE_MISMATCH;
}

enum module_match module_file_check(const struct module_file *file, struct target *target,
				    const struct module_identity *identity, char *why,
				    size_t why_size)
{
	struct elf_image image;
	struct elf_bytes bytes = bytes_of(file);
	enum module_match match = MODULE_UNVERIFIED;
	if (!elf_image_read(elf_bytes_source, &bytes, &image)) {
		snprintf(why, why_size, "is not an ELF file with program headers");
		return MODULE_MISMATCH;
	}
	if (image.machine != target->arch->elf_machine ||
	    image.elf_class != target->arch->elf_class || image.type == ET_CORE) {
		snprintf(why, why_size, "is for another machine");
		match = MODULE_MISMATCH;
	} else if (identity->build_id_size != 0) {
		match = check_build_id(file, &image, identity, why, why_size);
	} else if (identity->image != NULL && !elf_image_equal(&image, identity->image)) {
		snprintf(why, why_size, "has other program headers than the memory");
		match = MODULE_MISMATCH;
	} else if (!module_dynamic_agrees(target, &image, &bytes, identity->bias)) {
		snprintf(why, why_size, "has another dynamic section than the memory");
		match = MODULE_MISMATCH;
	}
	elf_image_free(&image);
	return match;
}

struct place {
	const char *root, *path;
	bool certain; /* the very file, by what the kernel says */
};

static bool ends_in_deleted(const char *path)
{
	size_t length = strlen(path), tail = sizeof deleted - 1;
	return length > tail && strcmp(path + length - tail, deleted) == 0;
}

/* The end of the mapping that `segment` begins: a snapshot cuts mappings into what it copied and
 * what it did not. */
static uint64_t mapping_end(const struct target *target, const struct segment *segment)
{
	size_t count;
	const struct segment *segments = address_space_segments(target->space, &count);
	const struct segment *next = segment + 1;
	uint64_t end = segment->end;
	for (; next < segments + count && next->start == end && next->name != NULL &&
	       next->permissions == segment->permissions &&
	       next->file_offset == segment->file_offset + (end - segment->start) &&
	       strcmp(next->name, segment->name) == 0;
	     next++)
		end = next->end;
	return end;
}

/* /proc/PID/map_files has the file itself, even when it was deleted or replaced. */
static bool map_files_path(const struct target *target, uint64_t header, char *path, size_t size)
{
	if (target->kind != TARGET_LIVE)
		return false;
	const struct segment *segment = address_space_find(target->space, header);
	if (segment == NULL || segment->name == NULL || segment->name[0] != '/' ||
	    segment->start != header)
		return false;
	snprintf(path, size, "/proc/%" PRId32 "/map_files/%" PRIx64 "-%" PRIx64, target->pid,
		 segment->start, mapping_end(target, segment));
	return true;
}

/* Tries one place; keeps the file when it is better than the best one so far. True: verified. */
static bool try_place(const struct place *place, struct target *target,
		      const struct module_identity *identity, struct module_file *file,
		      enum module_match *match, char *why, size_t why_size)
{
	struct module_file candidate = { 0 };
	char reason[256] = "";
	if (module_file_map(place->root, place->path, &candidate) != 0)
		return false;
	enum module_match found =
	    module_file_check(&candidate, target, identity, reason, sizeof reason);
	if (place->certain && found == MODULE_UNVERIFIED)
		found = MODULE_VERIFIED;
	if (found == MODULE_MISMATCH) {
		if (*match == MODULE_MISSING) {
			snprintf(why, why_size, "%s %s", candidate.path, reason);
			*match = MODULE_MISMATCH;
		}
		module_file_unmap(&candidate);
		return false;
	}
	/* The file at the path is the very one: its path says more than map_files'. */
	bool same = file->bytes != NULL && file->device == candidate.device &&
		    file->inode == candidate.inode;
	if (same && found == MODULE_VERIFIED)
		*match = found;
	if (same || (found == MODULE_UNVERIFIED && *match == MODULE_UNVERIFIED)) {
		module_file_unmap(&candidate);
		return *match == MODULE_VERIFIED;
	}
	module_file_unmap(file);
	*file = candidate;
	*match = found;
	return found == MODULE_VERIFIED;
}

enum module_match module_file_find(struct target *target, const struct modules_options *options,
				   const struct module_identity *identity, struct module_file *file,
				   char *why, size_t why_size)
{
	char map_files[80], plain[4096];
	struct place places[4];
	size_t count = 0;
	struct module_file found = { 0 };
	enum module_match match = MODULE_MISSING;

	/* /proc/self/fd/3, which the loader tells of a memfd, is another file for us. */
	bool is_path = identity->path != NULL && identity->path[0] != '[' &&
		       strncmp(identity->path, "/proc/", 6) != 0;
	if (is_path) {
		snprintf(plain, sizeof plain, "%s", identity->path);
		if (ends_in_deleted(plain))
			plain[strlen(plain) - (sizeof deleted - 1)] = '\0';
		if (options->sysroot != NULL && plain[0] == '/')
			places[count++] = (struct place){ options->sysroot, plain, false };
		if (target->root != NULL && plain[0] == '/')
			places[count++] = (struct place){ target->root, plain, false };
	}
	/* Outside the sysroot only a file of the same build-id is the right one, as is a path that
	 * was relative to an unknown directory. */
	if (is_path && (identity->build_id_size != 0 ||
			(plain[0] == '/' && options->sysroot == NULL && target->root == NULL)))
		places[count++] = (struct place){ NULL, plain, false };

	if (map_files_path(target, identity->header, map_files, sizeof map_files))
		places[count++] = (struct place){ NULL, map_files, true };

	for (size_t i = 0; i < count; i++)
		if (try_place(&places[i], target, identity, &found, &match, why, why_size))
			break;
	if (match == MODULE_VERIFIED || match == MODULE_UNVERIFIED)
		*file = found;
	return match;
}
