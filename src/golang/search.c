/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "golang/search.h"

#include <string.h>

/* What is believed of lists that are only recognised. */
#define GOROUTINES_MAX (1ull << 26)
#define PROCESSORS_MAX 4096
#define SPANS_MAX      (1ull << 30)

void go_search_begin(struct go_search *search, const struct go_process *process)
{
	*search = (struct go_search){
		.process = process,
		.image = modules_image(process->modules, process->module),
	};
}

const uint8_t *go_search_words(struct go_search *search, size_t *count)
{
	const uint8_t *bytes;
	for (; search->segment < search->image->count; search->segment++, search->at = 0) {
		const struct module_segment *segment = &search->image->segments[search->segment];
		if ((segment->permissions & SEGMENT_EXECUTE) != 0)
			continue;
		if (search->at == 0)
			search->at = (segment->start + 7) & ~7ull;
		while (search->at + 8 <= segment->end) {
			size_t size = address_space_span(search->process->space, search->at,
							 segment->end - search->at, &bytes);
			*count = size / 8;
			if (*count > 0)
				return bytes;
			search->at = (search->at + 4096) & ~4095ull;
		}
	}
	return NULL;
}

bool go_search_word(struct go_search *search, uint64_t value, uint64_t *address)
{
	const uint8_t *bytes;
	size_t count;
	while ((bytes = go_search_words(search, &count)) != NULL) {
		for (size_t i = 0; i < count; i++) {
			uint64_t word;
			memcpy(&word, bytes + 8 * i, sizeof word);
			if (word != value)
				continue;
			*address = search->at + 8 * i;
			search->at = *address + 8;
			return true;
		}
		search->at += 8 * count;
	}
	return false;
}

/* --- recognising */

typedef bool recognise(const struct go_process *process, const struct go_slice *slice);

/* Up to `look` elements of a slice of pointers, those at the front and at the end. */
static bool element(const struct go_process *process, const struct go_slice *slice, uint64_t i,
		    uint64_t *value)
{
	return address_space_u64(process->space, slice->address + 8 * i, value);
}

static bool is_goroutines(const struct go_process *process, const struct go_slice *slice)
{
	uint64_t g, id, goroutine_one = 0;
	if (slice->count < 2 || slice->count > GOROUTINES_MAX)
		return false;
	for (uint64_t i = 0; i < slice->count && i < 32; i++) {
		if (!element(process, slice, i, &g) || (g & 7) != 0 ||
		    go_pointer(process, g, GO_G_SCHED_G) != g)
			return false;
		goroutine_one |= go_read(process, g, GO_G_GOID, 8, &id) && id == 1;
	}
	return goroutine_one != 0;
}

/* Every p keeps its number, and its lists of spare defers and sudogs in itself. */
static bool is_processors(const struct go_process *process, const struct go_slice *slice)
{
	uint64_t p, id;
	if (slice->count == 0 || slice->count > PROCESSORS_MAX)
		return false;
	for (uint64_t i = 0; i < slice->count; i++) {
		if (!element(process, slice, i, &p) || !go_read(process, p, GO_P_ID, 4, &id) ||
		    id != i || go_pointer(process, p, GO_P_DEFERPOOL) - p > 16384 ||
		    go_pointer(process, p, GO_P_SUDOGCACHE) - p > 16384)
			return false;
	}
	return true;
}

static bool span_at(const struct go_process *process, const struct go_slice *slice, uint64_t i,
		    uint64_t *start, uint64_t *pages)
{
	uint64_t span;
	return element(process, slice, i, &span) && (span & 7) == 0 &&
	       go_read(process, span, GO_MSPAN_STARTADDR, 8, start) &&
	       go_read(process, span, GO_MSPAN_NPAGES, 8, pages) && (*start & 8191) == 0 &&
	       *start >> 47 == 0 && *pages <= 1ull << 26;
}

/* mheap_.allspans: all of its spans are of whole pages, and one of them holds the first goroutine.
 */
static bool is_spans(const struct go_process *process, const struct go_slice *slice)
{
	uint64_t start, pages, g;
	bool holds = false;
	if (slice->count < 4 || slice->count > SPANS_MAX ||
	    !element(process, &process->goroutines, 0, &g) ||
	    !span_at(process, slice, slice->count - 1, &start, &pages))
		return false;
	for (uint64_t i = 0; i < slice->count; i++) {
		if (!span_at(process, slice, i, &start, &pages))
			return false;
		holds = holds || (g >= start && g - start < pages << 13);
	}
	return holds;
}

/* The slices among the module's words: pointer, length, capacity. */
static bool find_slice(const struct go_process *process, recognise *is, uint64_t *address,
		       struct go_slice *slice)
{
	struct go_search search;
	const uint8_t *bytes;
	size_t count;
	go_search_begin(&search, process);
	for (; (bytes = go_search_words(&search, &count)) != NULL; search.at += 8 * count) {
		for (size_t i = 0; i + 2 < count; i++) {
			struct go_slice found = {
				bytes_unsigned(bytes + 8 * i, 8, false),
				bytes_unsigned(bytes + 8 * i + 8, 8, false),
				bytes_unsigned(bytes + 8 * i + 16, 8, false),
			};
			if (found.address < 4096 || (found.address & 7) != 0 || found.count == 0 ||
			    found.count > found.capacity || found.capacity > UINT32_MAX ||
			    !is(process, &found))
				continue;
			*address = search.at + 8 * i;
			*slice = found;
			return true;
		}
	}
	return false;
}

/* The array of the reasons' names: the second one is "GC assist marking" in every version. Names
 * follow until a word is no string. */
static void find_wait_reasons(struct go_process *process)
{
	static const char second[] = "GC assist marking";
	const uint64_t length = sizeof second - 1;
	struct go_search search;
	char text[64];
	uint64_t at, pointer;
	go_search_begin(&search, process);
	while (go_search_word(&search, length, &at)) {
		if (!address_space_u64(process->space, at - 8, &pointer) ||
		    !go_string_at(process, at - 8, text, sizeof text) || strcmp(text, second) != 0)
			continue;
		process->wait_reasons = at - 8 - 16;
		while (
		    process->wait_reason_count < 64 &&
		    address_space_u64(process->space,
				      process->wait_reasons + 16 * process->wait_reason_count + 8,
				      &pointer) &&
		    pointer < 64 &&
		    go_string_at(process, process->wait_reasons + 16 * process->wait_reason_count,
				 text, sizeof text))
			process->wait_reason_count++;
		return;
	}
}

/* "go1.26", "go1.26.5", "go1.26rc1", and what the builder added behind a blank. */
static bool is_version(const char *text)
{
	static const char digits[] = "0123456789";
	if (strncmp(text, "go1.", 4) != 0)
		return false;
	text += 4;
	if (strspn(text, digits) < 2 || strspn(text, digits) > 3)
		return false;
	text += strspn(text, digits);
	if (strncmp(text, "rc", 2) == 0)
		text += 2;
	else if (strncmp(text, "beta", 4) == 0)
		text += 4;
	else if (*text == '.')
		text++;
	text += strspn(text, digits);
	return *text == '\0' || *text == ' ';
}

bool go_find_version_text(const struct go_process *process, char *text, size_t size)
{
	struct go_search search;
	const struct module *module = process->module;
	const uint8_t *bytes;
	size_t count;
	go_search_begin(&search, process);
	for (; (bytes = go_search_words(&search, &count)) != NULL; search.at += 8 * count) {
		for (size_t i = 0; i + 1 < count; i++) {
			uint64_t string = bytes_unsigned(bytes + 8 * i, 8, false);
			uint64_t length = bytes_unsigned(bytes + 8 * i + 8, 8, false);
			if (string >= module->start && string < module->end && length >= 6 &&
			    length < size && go_string_at(process, search.at + 8 * i, text, size) &&
			    is_version(text))
				return true;
		}
	}
	return false;
}

void go_find_by_content(struct go_process *process)
{
	uint64_t address, offset;
	struct go_slice spans;
	if (!find_slice(process, is_goroutines, &address, &process->goroutines))
		return;
	find_slice(process, is_processors, &address, &process->processors);
	if (find_slice(process, is_spans, &address, &spans) &&
	    go_offset(process, GO_MHEAP_ALLSPANS, &offset))
		process->heap = address - offset;
	find_wait_reasons(process);
}
