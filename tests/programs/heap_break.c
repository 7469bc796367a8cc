/* heap_break MODE: a main arena that is not one piece.
 *
 *     foreign   the program itself moves the break, by odd amounts, in between
 *     blocked   a mapping lies in the way of the break: malloc goes on in mappings
 *     both      first the one, then the other
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "heap_truth.h"

#include <sys/mman.h>

static void use(unsigned seed, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		void *pointer = malloc(seed % 7 * 16 + i * 37 % 9000);
		if (i % 4 == 1)
			heap_truth_free(pointer);
		else
			heap_truth_keep(pointer);
	}
}

static void move_break(long bytes)
{
	unsigned char *mine = sbrk(bytes);
	if (mine == (void *)-1)
		abort();
	memset(mine, 0x21, (size_t)bytes);
}

static void block_break(void)
{
	char *here = (char *)(((uintptr_t)sbrk(0) + 4095) & ~(uintptr_t)4095);
	if (mmap(here, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) !=
	    here)
		abort();
}

int main(int argc, char **argv)
{
	const char *mode = argc > 1 ? argv[1] : "foreign";
	heap_truth_begin();
	mallopt(M_MMAP_THRESHOLD, 32 << 20);
	use(1, 500);
	if (strcmp(mode, "blocked") != 0) {
		static const long odd[] = { 1000, 4096, 8, 70001, 16 };
		for (unsigned i = 0; i < 5; i++) {
			move_break(odd[i]);
			use(2 + i, 400);
		}
	}
	if (strcmp(mode, "foreign") != 0) {
		block_break();
		for (unsigned i = 0; i < 6; i++)
			use(9 + i, 1000);
	}
	heap_truth_tell();
	for (;;)
		pause();
}
