/* Chunks, each held by one word in an unusual form alone: what corescan makes of such words is its
 * policy, which corescan(1) states. Truth, one line each:
 *     {"policy":"0x…","size":N,"how":"…","state":"…"}
 * where "state" is what the policy calls the chunk.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "truth.h"

#include <fcntl.h>

#define SIZE 72 /* all of its chunk can be used */

static uintptr_t chunk_of(size_t size, const char *how, const char *state)
{
	char *bytes = malloc(size);
	memset(bytes, 0x11, size);
	truth("{\"policy\":\"%p\",\"size\":%zu,\"how\":\"%s\",\"state\":\"%s\"}", bytes, size, how,
	      state);
	return (uintptr_t)bytes;
}

static uintptr_t chunk(const char *how, const char *state)
{
	return chunk_of(SIZE, how, state);
}

static volatile uintptr_t words[32];
static volatile uint32_t halves[3] __attribute__((aligned(8)));
static struct {
	char tag;
	volatile uintptr_t pointer;
} __attribute__((packed, aligned(8))) record;

/* In any form that points into the chunk. */
__attribute__((noinline)) static void plant_plain(void)
{
	words[0] = chunk("kept as an integer", "reachable");
	for (uintptr_t tag = 1; tag < 8; tag++)
		words[tag] = chunk("a tag in the low bits", "reachable") | tag;
	words[8] = chunk("into the middle", "possible") + 40;
	words[9] = chunk("to the last byte", "possible") + SIZE - 1;
	words[10] = chunk("one past the end", "possible") + SIZE;
	words[11] =
	    chunk_of(SIZE - 8, "one past the end of what was asked for", "possible") + SIZE - 8;
	words[12] = chunk_of(1, "one past the end of one byte", "reachable") + 1;
}

/* In a form that does not. */
__attribute__((noinline)) static void plant_disguised(void)
{
	words[16] = ~chunk("complement", "orphaned");
	words[17] = chunk("XOR with a key", "orphaned") ^ 0x5bd1e9955bd1e995;
	words[18] = chunk("a tag in bits 48 to 63", "orphaned") | 0xfffcUL << 48;
	words[19] = chunk("a tag in bits 57 to 62", "orphaned") | 0x15UL << 57;
	words[20] = chunk("shifted", "orphaned") >> 4;
	words[21] = chunk("rotated", "orphaned");
	words[21] = words[21] << 17 | words[21] >> 47;
	words[22] = chunk("two past the end", "orphaned") + SIZE + 2;
	words[23] = chunk("one before the start", "orphaned") - 1;
	record.pointer = chunk("unaligned, at an odd address", "orphaned");
	uintptr_t pointer = chunk("unaligned, at half a word", "orphaned");
	halves[1] = (uint32_t)pointer;
	halves[2] = (uint32_t)(pointer >> 32);
}

/* Outside of the process's memory. */
__attribute__((noinline)) static void plant_elsewhere(void)
{
	char path[] = "orphans_policy.XXXXXX";
	int file = mkstemp(path), ends[2];
	uintptr_t pointer = chunk("in a file", "orphaned");
	if (write(file, &pointer, sizeof pointer) != sizeof pointer || pipe(ends) != 0)
		abort();
	pointer = chunk("in a pipe", "orphaned");
	if (write(ends[1], &pointer, sizeof pointer) != sizeof pointer)
		abort();
	pointer = 0;
}

int main(void)
{
	plant_plain();
	plant_disguised();
	plant_elsewhere();
	truth_wipe_stack();
	truth_ready();
	for (;;)
		pause();
	return 0;
}
