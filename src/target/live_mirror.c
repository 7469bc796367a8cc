/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "target/live_mirror.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { PAGE = 4096, BLOCK = 16 * PAGE, GROUP = 4096 /* blocks */ };

/* process_vm_readv and /proc/PID/mem are at full speed from 1 MB on; more at once would only keep
 * other threads waiting. */
#define FILL_MAX ((uint64_t)256 * BLOCK)

enum block_state {
	BLOCK_UNKNOWN,	/* not read so far */
	BLOCK_COMPLETE, /* all of it is in the mirror */
	BLOCK_PARTIAL,	/* read; .missing says which of its pages are not there */
};

struct live_mirror {
	uint64_t start, size;
	uint8_t *bytes;
	_Atomic uint8_t *states; /* enum block_state of each block */
	_Atomic uint8_t *groups; /* whether any block of a group is known: most of a sanitizer's
				    terabytes never are */
	uint8_t *missing;	 /* of a partial block: a bit for each page */
	address_space_reader *reader;
	void *context;
	atomic_bool frozen;
	pthread_mutex_t fill; /* held while the reader runs */
};

/* Zeroed memory that costs nothing until it is touched. */
static void *reserve(uint64_t size)
{
	if (size > SIZE_MAX)
		return NULL;
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	return memory == MAP_FAILED ? NULL : memory;
}

static void release(void *memory, uint64_t size)
{
	if (memory != NULL)
		munmap(memory, size);
}

static uint64_t block_count(const struct live_mirror *mirror)
{
	return mirror->size / BLOCK + (mirror->size % BLOCK != 0);
}

struct live_mirror *live_mirror_new(uint64_t start, uint64_t end, address_space_reader *reader,
				    void *context)
{
	struct live_mirror *mirror = calloc(1, sizeof *mirror);
	if (mirror == NULL)
		return NULL;
	mirror->start = start;
	mirror->size = end - start;
	mirror->reader = reader;
	mirror->context = context;
	pthread_mutex_init(&mirror->fill, NULL);
	mirror->bytes = reserve(mirror->size);
	mirror->states = reserve(block_count(mirror));
	mirror->groups = reserve(block_count(mirror) / GROUP + 1);
	mirror->missing = reserve(block_count(mirror) * (BLOCK / PAGE / 8));
	if (mirror->bytes == NULL || mirror->states == NULL || mirror->groups == NULL ||
	    mirror->missing == NULL) {
		live_mirror_free(mirror);
		return NULL;
	}
	return mirror;
}

void live_mirror_free(struct live_mirror *mirror)
{
	if (mirror == NULL)
		return;
	release(mirror->bytes, mirror->size);
	release((void *)mirror->states, block_count(mirror));
	release((void *)mirror->groups, block_count(mirror) / GROUP + 1);
	release(mirror->missing, block_count(mirror) * (BLOCK / PAGE / 8));
	pthread_mutex_destroy(&mirror->fill);
	free(mirror);
}

static enum block_state state_of(const struct live_mirror *mirror, uint64_t block)
{
	return atomic_load_explicit(&mirror->states[block], memory_order_acquire);
}

static void set_state(struct live_mirror *mirror, uint64_t block, enum block_state state)
{
	atomic_store_explicit(&mirror->states[block], state, memory_order_release);
	atomic_store_explicit(&mirror->groups[block / GROUP], 1, memory_order_relaxed);
}

static bool page_missing(const struct live_mirror *mirror, uint64_t page)
{
	return mirror->missing[page / 8] >> page % 8 & 1;
}

static size_t read_at(struct live_mirror *mirror, uint64_t offset, uint64_t size)
{
	if (mirror->reader == NULL)
		return 0;
	size_t got =
	    mirror->reader(mirror->context, mirror->start + offset, mirror->bytes + offset, size);
	return got < size ? got : size;
}

/* Reads a block of which some page is known to be unreadable. */
static void fill_by_page(struct live_mirror *mirror, uint64_t block)
{
	uint64_t end = (block + 1) * BLOCK < mirror->size ? (block + 1) * BLOCK : mirror->size;
	bool complete = true;
	for (uint64_t offset = block * BLOCK; offset < end; offset += PAGE) {
		uint64_t size = end - offset < PAGE ? end - offset : PAGE;
		if (read_at(mirror, offset, size) == size)
			continue;
		mirror->missing[offset / PAGE / 8] |= 1u << offset / PAGE % 8;
		complete = false;
	}
	set_state(mirror, block, complete ? BLOCK_COMPLETE : BLOCK_PARTIAL);
}

/* Fills the unknown blocks [first, last), as much at once as can be read. */
static void fill(struct live_mirror *mirror, uint64_t first, uint64_t last)
{
	while (first < last) {
		uint64_t offset = first * BLOCK;
		uint64_t end = last * BLOCK < mirror->size ? last * BLOCK : mirror->size;
		uint64_t size = end - offset < FILL_MAX ? end - offset : FILL_MAX;
		uint64_t got = read_at(mirror, offset, size);
		uint64_t whole = got == end - offset ? last - first : got / BLOCK;
		for (uint64_t i = 0; i < whole; i++)
			set_state(mirror, first + i, BLOCK_COMPLETE);
		first += whole;
		if (got < size)
			fill_by_page(mirror, first++);
	}
}

/* Makes sure that the blocks [first, last) were read, unless the mirror is frozen. */
static void fill_unknown(struct live_mirror *mirror, uint64_t first, uint64_t last)
{
	pthread_mutex_lock(&mirror->fill);
	while (first < last && !atomic_load(&mirror->frozen)) {
		uint64_t end = first;
		while (end < last && state_of(mirror, end) == BLOCK_UNKNOWN)
			end++;
		fill(mirror, first, end);
		first = end + (end == first);
	}
	pthread_mutex_unlock(&mirror->fill);
}

/* How many bytes of [offset, end) in one block are there, from the front. */
static uint64_t block_span(const struct live_mirror *mirror, uint64_t block, uint64_t offset,
			   uint64_t end)
{
	switch (state_of(mirror, block)) {
	case BLOCK_COMPLETE:
		return end - offset;
	case BLOCK_PARTIAL:
		for (uint64_t page = offset / PAGE; page * PAGE < end; page++)
			if (page_missing(mirror, page))
				return page * PAGE <= offset ? 0 : page * PAGE - offset;
		return end - offset;
	default:
		return 0;
	}
}

size_t live_mirror_span(struct live_mirror *mirror, uint64_t address, uint64_t want,
			const uint8_t **bytes)
{
	uint64_t from = address - mirror->start, offset = from;
	uint64_t end = want < mirror->size - from ? from + want : mirror->size;
	while (offset < end) {
		uint64_t block = offset / BLOCK;
		uint64_t block_end = (block + 1) * BLOCK < end ? (block + 1) * BLOCK : end;
		if (state_of(mirror, block) == BLOCK_UNKNOWN &&
		    !atomic_load_explicit(&mirror->frozen, memory_order_relaxed)) {
			uint64_t ahead = end - offset < FILL_MAX ? end : offset + FILL_MAX;
			fill_unknown(mirror, block, (ahead - 1) / BLOCK + 1);
			continue;
		}
		uint64_t got = block_span(mirror, block, offset, block_end);
		offset += got;
		if (offset < block_end)
			break;
	}
	if (offset > from)
		*bytes = mirror->bytes + from;
	return offset - from;
}

uint64_t live_mirror_preload(struct live_mirror *mirror, uint64_t start, uint64_t end)
{
	uint64_t readable = 0;
	const uint8_t *unused;
	while (start < end) {
		size_t got = live_mirror_span(mirror, start, end - start, &unused);
		readable += got;
		start += got;
		/* One missing page, or what is left of it. */
		if (start < end)
			start = mirror->start + ((start - mirror->start) / PAGE + 1) * PAGE;
	}
	return readable;
}

bool live_mirror_known(const struct live_mirror *mirror, uint64_t address, uint64_t *end)
{
	uint64_t block = (address - mirror->start) / BLOCK;
	uint64_t last = (*end - 1 - mirror->start) / BLOCK;
	bool known = state_of(mirror, block) != BLOCK_UNKNOWN;
	while (block <= last) {
		if (!known && block % GROUP == 0 &&
		    atomic_load_explicit(&mirror->groups[block / GROUP], memory_order_relaxed) ==
			0) {
			block += GROUP;
			continue;
		}
		if ((state_of(mirror, block) != BLOCK_UNKNOWN) != known)
			break;
		block++;
	}
	if (block <= last)
		*end = mirror->start + block * BLOCK;
	return known;
}

void live_mirror_freeze(struct live_mirror *mirror)
{
	/* The lock waits for a fill that runs. */
	pthread_mutex_lock(&mirror->fill);
	atomic_store(&mirror->frozen, true);
	pthread_mutex_unlock(&mirror->fill);
}
