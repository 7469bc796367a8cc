/* Finding, opening and verifying the files of modules. Only modules.c and module_list.c call this.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORESCAN_MODULES_MODULE_FILE_H
#define CORESCAN_MODULES_MODULE_FILE_H

#include "modules/elf_image.h"
#include "modules/modules.h"

/* A file mapped for reading. Its last page reads as zeros past the end of the file. */
struct module_file {
	uint8_t *bytes; /* NULL: no file */
	size_t size;	/* of the file */
	char *path;	/* owned */
	dev_t device;	/* with .inode: which file it is, whatever its path */
	ino_t inode;
};

/* Opens `path` for reading as module_file_map does. -1 and errno where that fails; the caller
 * checks what it is, and closes it. */
int module_file_open(const char *root, const char *path);

/* Maps the regular file `path`, looked up below `root` when that is not NULL (absolute symbolic
 * links stay below it). An errno value, or 0. Directories give EISDIR; empty files and what is no
 * regular file give EINVAL. */
int module_file_map(const char *root, const char *path, struct module_file *file);
/* Maps the whole of an open file; `path` may be NULL where the descriptor tells it. */
int module_file_map_descriptor(int fd, const char *path, struct module_file *file);
void module_file_unmap(struct module_file *file);

/* Checks and maps the EXE that the user gave; see modules_open for the errors. */
struct error *module_file_map_exe(const char *path, const struct arch *arch,
				  struct module_file *file);

/* What is known of a module before its file is found. */
struct module_identity {
	const char *path;	       /* as the process saw it, or NULL */
	uint64_t bias, header;	       /* .header: address of its ELF header */
	const struct elf_image *image; /* from memory; NULL when its headers were not dumped */
	const uint8_t *build_id;       /* from memory */
	size_t build_id_size;	       /* 0: unknown */
};

/* Whether `file` is the module's file. MODULE_VERIFIED: build-ids are equal. MODULE_UNVERIFIED:
 * there is none to compare, and nothing speaks against it. MODULE_MISMATCH: another build; `why`
 * then holds a clause ("has build-id 12ab…, the core's is 34cd…"). */
enum module_match module_file_check(const struct module_file *file, struct target *target,
				    const struct module_identity *identity, char *why,
				    size_t why_size);

/* Where the PT_DYNAMIC in memory contradicts the file's: false when they cannot both come from the
 * same file. True too when one of them cannot be read. */
bool module_dynamic_agrees(struct target *target, const struct elf_image *image,
			   const struct elf_bytes *file, uint64_t bias);

/* Looks for the module's file in all places but those that need the network or a build-id
 * directory: below the sysroot, below the process's root, in a live process's map_files, at its
 * path. The first that is verified wins, else the first unverified one. `file` is untouched unless
 * the result is MODULE_VERIFIED or MODULE_UNVERIFIED. On MODULE_MISMATCH `why` names file and
 * reason. */
enum module_match module_file_find(struct target *target, const struct modules_options *options,
				   const struct module_identity *identity, struct module_file *file,
				   char *why, size_t why_size);

/* `size` bytes as hexadecimal digits. */
void build_id_text(const uint8_t *build_id, size_t size, char text[2 * ELF_BUILD_ID_MAX + 1]);

#endif
