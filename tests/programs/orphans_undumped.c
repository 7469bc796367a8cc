/* Orphans, beside memory that a core does not hold. Truth, one line each:
 *     {"orphan":"0x…","size":N}
 *     {"local":"0x…","size":N}       held by main's frame alone
 *     {"hidden":"0x…","size":N}      with the argument "hide": held by a page alone that is
 *                                    excluded from dumps
 * Without it there is only what no pointer can be in: guard pages, reservations, files, memory that
 * other processes share.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "truth.h"

#include <fcntl.h>
#include <sys/mman.h>

#define SIZE	200
#define PAGE	4096
#define ORPHANS 200

static void *chunk(void)
{
	void *bytes = malloc(SIZE);
	memset(bytes, 0x11, SIZE);
	return bytes;
}

static void *map(int protection, int flags, int fd)
{
	void *memory = mmap(NULL, 16 * PAGE, protection, flags, fd, 0);
	if (memory == MAP_FAILED)
		abort();
	return memory;
}

/* What every larger program has. */
__attribute__((noinline)) static void map_others(void)
{
	char path[] = "orphans_undumped.XXXXXX";
	int file = mkstemp(path);
	if (file < 0 || ftruncate(file, 16 * PAGE) != 0)
		abort();
	map(PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1);
	map(PROT_READ, MAP_PRIVATE, file);
	*(char *)map(PROT_READ | PROT_WRITE, MAP_SHARED, file) = 1;
	map(PROT_READ, MAP_SHARED, file);
	*(char *)map(PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1) = 1;
}

__attribute__((noinline)) static void plant_orphans(void)
{
	for (int i = 0; i < ORPHANS; i++)
		truth("{\"orphan\":\"%p\",\"size\":%d}", chunk(), SIZE);
}

__attribute__((noinline)) static void plant_hidden(void)
{
	void **page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (page == MAP_FAILED || madvise(page, PAGE, MADV_DONTDUMP) != 0)
		abort();
	page[0] = chunk();
	truth("{\"hidden\":\"%p\",\"size\":%d}", page[0], SIZE);
}

int main(int argc, char **argv)
{
	void *volatile local[2] = { chunk(), NULL };
	truth("{\"local\":\"%p\",\"size\":%d}", local[0], SIZE);
	map_others();
	plant_orphans();
	if (argc > 1 && strcmp(argv[1], "hide") == 0)
		plant_hidden();
	truth_wipe_stack();
	truth_ready();
	for (;;)
		pause();
	return local[0] != NULL;
}
