/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "target/live_pointed.h"

#include <stdlib.h>
#include <string.h>

/* What is read at once around an address: a block of the mirror. */
#define BLOCK UINT64_C(65536)

/* Of a stack that lies in a large range: more than a hundred ordinary frames. */
#define STACK_READ (4 * BLOCK)

/* Words above SP that are followed: the frames of libc, and of what called it. */
#define STACK_FOLLOWED 16384

/* Words behind an argument that are followed: struct msghdr, an iovec array, lists of requests. */
#define ARGUMENT_FOLLOWED 128

/* struct pthread lies on both sides of the thread pointer or behind it, and is smaller. */
#define PTHREAD_ROOM 4096

struct pointed {
	struct target *target;
	const struct page_run *large;
	size_t count;
	struct page_run all, code; /* around all of them, and around those that may be run */
	uint8_t **blocks;	   /* of each range, a bit for each block that was read */
	uint64_t bytes, most;
	bool failed;
};

static const struct page_run *range_of(const struct pointed *pointed, uint64_t address)
{
	size_t low = 0, high = pointed->count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (pointed->large[middle].end <= address)
			low = middle + 1;
		else
			high = middle;
	}
	return low < pointed->count && pointed->large[low].start <= address ? &pointed->large[low]
									    : NULL;
}

/* Reads the block that holds `address`, once. */
static void read_block(struct pointed *pointed, uint64_t address)
{
	const struct page_run *range = range_of(pointed, address);
	if (range == NULL || pointed->failed)
		return;
	uint64_t block = (address - range->start) / BLOCK;
	uint8_t *byte = &pointed->blocks[range - pointed->large][block / 8];
	if ((*byte >> block % 8 & 1) != 0)
		return;
	*byte |= (uint8_t)(1u << block % 8);
	uint64_t start = range->start + block * BLOCK;
	uint64_t end = range->end - start < BLOCK ? range->end : start + BLOCK;
	pointed->bytes += end - start;
	if (pointed->bytes > pointed->most)
		pointed->failed = true;
	else
		address_space_preload(pointed->target->space, start, end);
}

/* An object may reach into the next block. */
static void read_around(struct pointed *pointed, uint64_t address)
{
	read_block(pointed, address);
	if (address > PTHREAD_ROOM && address < UINT64_MAX - PTHREAD_ROOM &&
	    range_of(pointed, address) != NULL) {
		read_block(pointed, address - PTHREAD_ROOM / 16);
		read_block(pointed, address + PTHREAD_ROOM / 16);
	}
}

/* A word of the process, which runs on a machine like ours. */
static uint64_t word_in(const uint8_t *bytes, size_t size)
{
	uint64_t word = 0;
	uint32_t half;
	if (size == sizeof word) {
		memcpy(&word, bytes, sizeof word);
		return word;
	}
	memcpy(&half, bytes, sizeof half);
	return half;
}

/* What the words of [start, start+size) point to, as far as it lies in `among`. */
static void follow(struct pointed *pointed, uint64_t start, uint64_t size,
		   const struct page_run *among)
{
	const uint8_t *bytes;
	size_t word = pointed->target->arch->word_size;
	start = (start + word - 1) & -(uint64_t)word;
	uint64_t got = address_space_span(pointed->target->space, start, size, &bytes);
	for (uint64_t at = 0; at + word <= got && !pointed->failed; at += word) {
		const uint64_t value = word_in(bytes + at, word);
		if (value >= among->start && value < among->end && range_of(pointed, value) != NULL)
			read_around(pointed, value);
	}
}

static void read_stack(struct pointed *pointed, uint64_t sp)
{
	const struct page_run *range = range_of(pointed, sp);
	for (uint64_t at = sp; range != NULL && at < range->end && at - sp < STACK_READ;
	     at += BLOCK)
		read_block(pointed, at);
	follow(pointed, sp, STACK_FOLLOWED, &pointed->all);
	/* The unwinder looks at generated code where calls return to, deep in the stack too. */
	if (sp < UINT64_MAX - STACK_READ && pointed->code.end != 0)
		follow(pointed, sp + STACK_FOLLOWED, STACK_READ - STACK_FOLLOWED, &pointed->code);
}

static void read_thread(struct pointed *pointed, const struct target_thread *thread)
{
	const struct arch *arch = pointed->target->arch;
	const struct registers *registers = &thread->registers;
	uint64_t pointer = arch_thread_pointer(arch, registers);
	if (registers->general_size == 0)
		return;
	for (size_t i = 0; i < arch->register_count; i++)
		read_around(pointed, arch_register_value(arch, registers, i));
	for (uint64_t at = pointer - PTHREAD_ROOM;
	     pointer > PTHREAD_ROOM && at <= pointer + PTHREAD_ROOM; at += PTHREAD_ROOM)
		read_block(pointed, at);
	read_stack(pointed, arch_sp(arch, registers));
	for (unsigned i = 0; i < 6; i++)
		follow(pointed, arch_syscall_argument(arch, registers, i), ARGUMENT_FOLLOWED,
		       &pointed->all);
}

static void extend(struct page_run *around, const struct page_run *range)
{
	if (around->end == 0)
		*around = *range;
	around->start = range->start < around->start ? range->start : around->start;
	around->end = range->end > around->end ? range->end : around->end;
}

static void find_bounds(struct pointed *pointed)
{
	for (size_t i = 0; i < pointed->count; i++) {
		const struct segment *segment =
		    address_space_find(pointed->target->space, pointed->large[i].start);
		extend(&pointed->all, &pointed->large[i]);
		if (segment != NULL && (segment->permissions & SEGMENT_EXECUTE) != 0)
			extend(&pointed->code, &pointed->large[i]);
	}
}

static bool begin(struct pointed *pointed)
{
	find_bounds(pointed);
	pointed->blocks = calloc(pointed->count + 1, sizeof *pointed->blocks);
	for (size_t i = 0; pointed->blocks != NULL && i < pointed->count; i++) {
		const struct page_run *range = &pointed->large[i];
		pointed->blocks[i] = calloc((range->end - range->start) / BLOCK / 8 + 1, 1);
		if (pointed->blocks[i] == NULL)
			return false;
	}
	return pointed->blocks != NULL;
}

static void end(struct pointed *pointed)
{
	for (size_t i = 0; pointed->blocks != NULL && i < pointed->count; i++)
		free(pointed->blocks[i]);
	free(pointed->blocks);
}

bool live_pointed_read(struct target *target, const struct page_run *large, size_t count,
		       uint64_t most)
{
	struct pointed pointed = { .target = target, .large = large, .count = count, .most = most };
	bool done = begin(&pointed);
	for (size_t i = 0; done && i < target->threads.count; i++)
		read_thread(&pointed, &target->threads.items[i]);
	end(&pointed);
	return done && !pointed.failed;
}
