/* What a program tells of its own heap: each arena's totals as malloc_info gives them, those of all
 * together as mallinfo2 does, and each remembered pointer with its malloc_usable_size. The table of
 * pointers and the text of malloc_info lie outside of the heap, so that telling changes nothing of
 * it.
 *
 *     heap_truth_begin();                   first in main
 *     void *kept = heap_truth_keep(malloc(100));
 *     heap_truth_free(other);               told as freed
 *     heap_truth_tell();                    when nothing allocates any more; ends in "ready"
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORESCAN_TESTS_HEAP_TRUTH_H
#define CORESCAN_TESTS_HEAP_TRUTH_H

#include "truth.h"

#include <malloc.h>
#include <stdatomic.h>
#include <stdbool.h>

#define HEAP_TRUTH_MAX 65536

static void *heap_truth_pointers[HEAP_TRUTH_MAX];
static bool heap_truth_freed[HEAP_TRUTH_MAX];
static atomic_size_t heap_truth_count;
static char heap_truth_text[4 << 20];
static FILE *heap_truth_file;
static size_t heap_truth_drift; /* bytes of mmapped chunks that malloc counts too many */

#if __GLIBC_PREREQ(2, 33)
#define heap_truth_mallinfo mallinfo2
#else
#define heap_truth_mallinfo mallinfo /* of int: for less than 2 GB */
#endif

/* The bytes of mmapped chunks, as malloc counts them. */
__attribute__((unused)) static size_t heap_truth_mmapped(void)
{
	return (size_t)heap_truth_mallinfo().hblkhd;
}

/* Of all arenas together; "keep" is the main arena's top. */
static void heap_truth_tell_mallinfo(void)
{
	__typeof__(heap_truth_mallinfo()) told = heap_truth_mallinfo();
	truth("{\"mallinfo_system\":%zu,\"free\":%zu,\"used\":%zu,\"mmapped_count\":%zu,"
	      "\"mmapped_bytes\":%zu,\"keep\":%zu}",
	      (size_t)told.arena, (size_t)told.fordblks, (size_t)told.uordblks, (size_t)told.hblks,
	      (size_t)told.hblkhd - heap_truth_drift, (size_t)told.keepcost);
}

static void heap_truth_begin(void)
{
	static char buffer[4096];
	heap_truth_file = fmemopen(heap_truth_text, sizeof heap_truth_text - 1, "w");
	if (heap_truth_file == NULL)
		abort();
	setvbuf(heap_truth_file, buffer, _IOFBF, sizeof buffer);
}

/* Returns `pointer`. */
__attribute__((unused)) static void *heap_truth_keep(void *pointer)
{
	size_t number = atomic_fetch_add(&heap_truth_count, 1);
	if (pointer == NULL || number >= HEAP_TRUTH_MAX)
		abort();
	heap_truth_pointers[number] = pointer;
	return pointer;
}

__attribute__((unused)) static void heap_truth_free(void *pointer)
{
	size_t number = atomic_fetch_add(&heap_truth_count, 1);
	if (number >= HEAP_TRUTH_MAX)
		abort();
	heap_truth_pointers[number] = pointer;
	heap_truth_freed[number] = true;
	free(pointer);
}

/* Reads count and size of <total type="NAME" count="…" size="…"/> in [text, end). */
static bool heap_truth_total(const char *text, const char *end, const char *name, long *count,
			     long *size)
{
	char wanted[64];
	snprintf(wanted, sizeof wanted, "<total type=\"%s\"", name);
	const char *at = strstr(text, wanted);
	return at != NULL && at < end &&
	       sscanf(at + strlen(wanted), " count=\"%ld\" size=\"%ld\"", count, size) == 2;
}

static long heap_truth_number(const char *text, const char *end, const char *before)
{
	long number;
	const char *at = strstr(text, before);
	return at != NULL && at < end && sscanf(at + strlen(before), "%ld", &number) == 1 ? number
											  : -1;
}

static void heap_truth_tell(void)
{
	malloc_info(0, heap_truth_file);
	fflush(heap_truth_file);
	const char *at = heap_truth_text;
	int arena = 0;
	for (const char *heap; (heap = strstr(at, "<heap nr=")) != NULL; arena++) {
		long fast_count = 0, fast_bytes = 0, rest_count = 0, rest_bytes = 0;
		const char *end = strstr(heap, "</heap>");
		if (end == NULL || !heap_truth_total(heap, end, "rest", &rest_count, &rest_bytes))
			abort();
		heap_truth_total(heap, end, "fast", &fast_count, &fast_bytes);
		truth("{\"arena\":%d,\"fast_count\":%ld,\"fast_bytes\":%ld,\"rest_count\":%ld,"
		      "\"rest_bytes\":%ld,\"system_bytes\":%ld,\"heaps\":%ld}",
		      arena, fast_count, fast_bytes, rest_count, rest_bytes,
		      heap_truth_number(heap, end, "<system type=\"current\" size=\""),
		      heap_truth_number(heap, end, "<aspace type=\"subheaps\" size=\""));
		at = end;
	}
	long count = 0, bytes = 0;
	heap_truth_total(at, at + strlen(at), "mmap", &count, &bytes);
	truth("{\"mmapped_count\":%ld,\"mmapped_bytes\":%ld}", count,
	      bytes - (long)heap_truth_drift);
	heap_truth_tell_mallinfo();
	for (size_t i = 0; i < heap_truth_count; i++)
		if (heap_truth_freed[i])
			truth("{\"freed\":%lu}", (unsigned long)heap_truth_pointers[i]);
		else
			truth("{\"pointer\":%lu,\"usable\":%zu}",
			      (unsigned long)heap_truth_pointers[i],
			      malloc_usable_size(heap_truth_pointers[i]));
	truth_ready();
}

#endif
