/* heap_mmapped [MODE]: chunks that are mappings of their own, also moved by mremap and aligned by
 * memalign, beside pages that only look like such chunks.
 *
 *     plain     no look-alikes (the default)
 *     decoys    look-alikes of other sizes, inside larger mappings
 *     twin      a look-alike of the same size as a chunk, inside a larger mapping
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "heap_truth.h"

#include <sys/mman.h>

#define PAGE 4096UL

static void *map(size_t size)
{
	void *pages = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (pages == MAP_FAILED)
		abort();
	return pages;
}

/* glibc 2.43 counts a few bytes too many each time that mremap changes a chunk, and keeps them. */
static size_t drift_of_mremap(void)
{
	size_t before = heap_truth_mmapped();
	char *pointer = realloc(malloc(150000), 300000);
	asm volatile("" : : "r"(pointer) : "memory");
	free(pointer);
	return heap_truth_mmapped() - before;
}

/* A page in the middle of a mapping that has an mmapped chunk's header. */
static void plant_decoy(size_t pages)
{
	unsigned long *middle = (unsigned long *)((char *)map((pages + 8) * PAGE) + 4 * PAGE);
	middle[0] = 0;
	middle[1] = pages * PAGE | 2;
	truth("{\"decoy\":%lu}", (unsigned long)(middle + 2));
}

int main(int argc, char **argv)
{
	const char *mode = argc > 1 ? argv[1] : "plain";
	heap_truth_begin();
	mallopt(M_MMAP_THRESHOLD, 128 * 1024); /* and so it stays */
	size_t drift = drift_of_mremap();
	heap_truth_drift = drift;
	for (size_t i = 0; i < 12; i++)
		heap_truth_keep(malloc(200000 + i * 50000));
	char *grown = malloc(150000);
	memset(grown, 0x5a, 150000);
	for (size_t size = 300000; size < 3000000; size *= 2) {
		grown = realloc(grown, size);
		heap_truth_drift += drift;
	}
	heap_truth_keep(grown);
	heap_truth_keep(realloc(malloc(900000), 400000));
	heap_truth_drift += drift;
	for (size_t alignment = 32; alignment <= 4 << 20; alignment *= 2)
		heap_truth_keep(memalign(alignment, 140000 + alignment % 1000));
	/* What memalign leaves at the start of the pages, mremap does not renew. */
	for (size_t alignment = 256; alignment <= 2 << 20; alignment *= 2) {
		heap_truth_keep(realloc(memalign(alignment, 300000), 900000));
		heap_truth_keep(realloc(memalign(alignment, 900000), 300000));
		heap_truth_drift += 2 * drift;
	}
	heap_truth_free(malloc(700000));
	/* A look-alike inside of a real chunk is that chunk's data. */
	unsigned long *inner = heap_truth_keep(malloc(1 << 20));
	inner[(4 * PAGE - 16) / 8] = 0;
	inner[(4 * PAGE - 16) / 8 + 1] = 2 * PAGE | 2;
	if (strcmp(mode, "decoys") == 0)
		for (size_t i = 0; i < 5; i++)
			plant_decoy(3 + i);
	else if (strcmp(mode, "twin") == 0)
		plant_decoy((200000 + 16 + PAGE - 1) / PAGE);
	heap_truth_tell();
	for (;;)
		pause();
}
