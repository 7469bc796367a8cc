/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "target/live_semaphores.h"

#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define PREFIX "sem." /* of the files' names */

/* More files are not looked at. */
#define FILES_MAX 65536

/* The inode of the file that is mapped at `address`; 0: none. */
static uint64_t mapped_inode(int32_t pid, uint64_t address)
{
	char path[64], line[512];
	uint64_t found = 0;
	snprintf(path, sizeof path, "/proc/%" PRId32 "/maps", pid);
	FILE *maps = fopen(path, "re");
	while (maps != NULL && found == 0 && fgets(line, sizeof line, maps) != NULL) {
		uint64_t start, end, inode;
		if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %*s %*x %*x:%*x %" SCNu64, &start, &end,
			   &inode) == 3 &&
		    address >= start && address < end)
			found = inode;
	}
	if (maps != NULL)
		fclose(maps);
	return found;
}

bool live_semaphore_name(int32_t pid, uint64_t address, char *name, size_t size)
{
	char path[64];
	const uint64_t inode = mapped_inode(pid, address);
	snprintf(path, sizeof path, "/proc/%" PRId32 "/root/dev/shm", pid);
	DIR *directory = inode != 0 ? opendir(path) : NULL;
	if (directory == NULL)
		return false;
	const struct dirent *entry = NULL;
	name[0] = '\0';
	for (unsigned i = 0; i < FILES_MAX && (entry = readdir(directory)) != NULL; i++) {
		if (entry->d_ino != inode || strncmp(entry->d_name, PREFIX, strlen(PREFIX)) != 0)
			continue;
		snprintf(name, size, "/%s", entry->d_name + strlen(PREFIX));
		break;
	}
	closedir(directory);
	return name[0] != '\0' || entry == NULL;
}
