/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "target/address_space.h"

#include "base/array.h"
#include "base/bytes.h"
#include "base/string_pool.h"
#include "target/live_mirror.h"
#include "target/segment_sweep.h"

#include <inttypes.h>
#include <string.h>

struct address_space {
	ARRAY(struct sweep_segment) added; /* before the seal */
	segment_array segments;		   /* sorted by .start, disjoint */
	ARRAY(struct live_mirror *) mirrors;
	struct string_pool *names;
	address_space_reader *reader;
	void *context;
	bool big_endian;
};

struct address_space *address_space_new(address_space_reader *reader, void *context)
{
	struct address_space *space = calloc(1, sizeof *space);
	if (space == NULL)
		return NULL;
	space->names = string_pool_new();
	if (space->names == NULL) {
		free(space);
		return NULL;
	}
	space->reader = reader;
	space->context = context;
	return space;
}

void address_space_free(struct address_space *space)
{
	if (space == NULL)
		return;
	for (size_t i = 0; i < space->mirrors.count; i++)
		live_mirror_free(space->mirrors.items[i]);
	array_free(&space->mirrors);
	array_free(&space->segments);
	array_free(&space->added);
	string_pool_free(space->names);
	free(space);
}

void address_space_set_big_endian(struct address_space *space, bool big_endian)
{
	space->big_endian = big_endian;
}

struct error *address_space_add(struct address_space *space, const struct segment *segment)
{
	if (segment->end < segment->start)
		return error_new(ERROR_BAD_DATA,
				 "a segment at 0x%" PRIx64 " ends before it starts, at 0x%" PRIx64,
				 segment->start, segment->end);
	if (segment->start == segment->end)
		return NULL;
	struct sweep_segment added = { *segment, space->added.count };
	added.segment.name = string_pool_add(space->names, segment->name);
	added.segment.mirror = NULL;
	if (!array_push(&space->added, added))
		return error_no_memory();
	return NULL;
}

/* One mirror over the live segments [first, last), which are adjacent. */
static struct error *mirror_run(struct address_space *space, size_t first, size_t last)
{
	struct segment *segments = space->segments.items;
	if (!array_reserve(&space->mirrors, 1))
		return error_no_memory();
	struct live_mirror *mirror = live_mirror_new(segments[first].start, segments[last - 1].end,
						     space->reader, space->context);
	if (mirror != NULL) {
		space->mirrors.items[space->mirrors.count++] = mirror;
		for (size_t i = first; i < last; i++)
			segments[i].mirror = mirror;
		return NULL;
	}
	if (last - first == 1) {
		segments[first].origin = SEGMENT_ABSENT;
		return NULL;
	}
	/* One huge reservation in the run must not take its neighbours with it. */
	for (size_t i = first; i < last; i++) {
		struct error *error = mirror_run(space, i, i + 1);
		if (error != NULL)
			return error;
	}
	return NULL;
}

static struct error *make_mirrors(struct address_space *space)
{
	size_t count = space->segments.count;
	const struct segment *segments = space->segments.items;
	for (size_t first = 0, last; first < count; first = last) {
		last = first + 1;
		if (segments[first].origin != SEGMENT_LIVE)
			continue;
		while (last < count && segments[last].origin == SEGMENT_LIVE &&
		       segments[last].start == segments[last - 1].end)
			last++;
		struct error *error = mirror_run(space, first, last);
		if (error != NULL)
			return error;
	}
	return NULL;
}

struct error *address_space_seal(struct address_space *space)
{
	bool fits = segment_sweep(space->added.items, space->added.count, &space->segments);
	array_free(&space->added);
	return fits ? make_mirrors(space) : error_no_memory();
}

const struct segment *address_space_segments(const struct address_space *space, size_t *count)
{
	*count = space->segments.count;
	return space->segments.items;
}

/* The index of the first segment that ends after `address`; the count when none does. */
static size_t lower_bound(const struct address_space *space, uint64_t address)
{
	size_t low = 0, high = space->segments.count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (space->segments.items[middle].end <= address)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

const struct segment *address_space_find(const struct address_space *space, uint64_t address)
{
	size_t at = lower_bound(space, address);
	if (at == space->segments.count || space->segments.items[at].start > address)
		return NULL;
	return &space->segments.items[at];
}

/* `old`, which is absent, with the file's bytes. */
static struct segment backed(const struct segment *old, const struct segment *file)
{
	struct segment part = segment_part(file, old->start, old->end);
	if (old->name != NULL) {
		part.name = old->name;
		part.file_offset = old->file_offset;
	}
	if (old->permissions_known)
		part.permissions = old->permissions;
	part.shared = old->shared;
	return part;
}

/* Appends `old`, whose part [start, end) the file covers. */
static bool back_part(const struct segment *old, uint64_t start, uint64_t end,
		      const struct segment *file, segment_array *parts)
{
	if (old->origin != SEGMENT_ABSENT || old->lost)
		return array_push(parts, *old);
	struct segment inside = segment_part(old, start, end);
	return (old->start == start || array_push(parts, segment_part(old, old->start, start))) &&
	       array_push(parts, backed(&inside, file)) &&
	       (old->end == end || array_push(parts, segment_part(old, end, old->end)));
}

/* What stands for the segments [first, last) once `file` is laid under them. */
static bool lay_under(const struct address_space *space, size_t first, size_t last,
		      const struct segment *file, segment_array *parts)
{
	uint64_t at = file->start;
	for (size_t i = first; i < last; i++) {
		const struct segment *old = &space->segments.items[i];
		uint64_t start = old->start > file->start ? old->start : file->start;
		uint64_t end = old->end < file->end ? old->end : file->end;
		if (at < start && !array_push(parts, segment_part(file, at, start)))
			return false;
		if (!back_part(old, start, end, file, parts))
			return false;
		at = end;
	}
	return at == file->end || array_push(parts, segment_part(file, at, file->end));
}

struct error *address_space_back(struct address_space *space, uint64_t start, uint64_t size,
				 const uint8_t *bytes, const char *name, uint64_t file_offset,
				 uint8_t permissions)
{
	if (size == 0)
		return NULL;
	if (start + size < start)
		return error_new(ERROR_BAD_DATA, "%s would be mapped past the end of memory",
				 name != NULL ? name : "a file");
	struct segment file = {
		.start = start,
		.end = start + size,
		.origin = SEGMENT_FILE,
		.permissions = permissions,
		.permissions_known = true,
		.name = string_pool_add(space->names, name),
		.file_offset = file_offset,
		.bytes = bytes,
	};
	size_t first = lower_bound(space, start), last = first;
	while (last < space->segments.count && space->segments.items[last].start < file.end)
		last++;

	segment_array parts = { 0 };
	bool fits = lay_under(space, first, last, &file, &parts) &&
		    array_reserve(&space->segments, parts.count);
	if (fits) {
		struct segment *items = space->segments.items;
		memmove(items + first + parts.count, items + last,
			(space->segments.count - last) * sizeof *items);
		memcpy(items + first, parts.items, parts.count * sizeof *items);
		space->segments.count = space->segments.count - (last - first) + parts.count;
	}
	array_free(&parts);
	return fits ? NULL : error_no_memory();
}

size_t address_space_span(struct address_space *space, uint64_t address, uint64_t want,
			  const uint8_t **bytes)
{
	size_t at = lower_bound(space, address);
	if (at == space->segments.count)
		return 0;
	const struct segment *segment = &space->segments.items[at];
	if (segment->start > address)
		return 0;
	if (segment->mirror != NULL)
		return live_mirror_span(segment->mirror, address, want, bytes);
	if (segment->bytes == NULL)
		return 0;

	*bytes = segment->bytes + (address - segment->start);
	uint64_t have = segment->end - address;
	const struct segment *end = space->segments.items + space->segments.count;
	for (const struct segment *next = segment + 1;
	     have < want && next < end && next->start == segment->end && next->bytes != NULL &&
	     next->bytes == segment->bytes + (segment->end - segment->start);
	     segment = next++)
		have += next->end - next->start;
	return have < want ? have : want;
}

/* How many of `size` bytes from the front are there. */
static size_t readable(struct address_space *space, uint64_t address, size_t size)
{
	const uint8_t *unused;
	size_t done = 0;
	for (size_t got; done < size; done += got) {
		got = address_space_span(space, address + done, size - done, &unused);
		if (got == 0)
			break;
	}
	return done;
}

/* Copies `size` bytes, all of which are readable. */
static void copy(struct address_space *space, uint64_t address, void *buffer, size_t size)
{
	const uint8_t *bytes;
	for (size_t done = 0, got; done < size; done += got) {
		got = address_space_span(space, address + done, size - done, &bytes);
		memcpy((uint8_t *)buffer + done, bytes, got);
	}
}

static const char *why_missing(const struct address_space *space, uint64_t address)
{
	const struct segment *segment = address_space_find(space, address);
	if (segment == NULL)
		return "nothing is mapped there";
	if (segment->lost)
		return "the core has lost it (cut off, or not written)";
	if (segment->origin == SEGMENT_LIVE)
		return "the process's memory could not be read there";
	return space->mirrors.count > 0 ? "it was not copied from the process"
					: "its bytes are not in the core";
}

struct error *address_space_read(struct address_space *space, uint64_t address, void *buffer,
				 size_t size)
{
	size_t there = readable(space, address, size);
	if (there < size)
		return error_fault(address + there, size - there,
				   why_missing(space, address + there));
	copy(space, address, buffer, size);
	return NULL;
}

bool address_space_probe(struct address_space *space, uint64_t address, void *buffer, size_t size)
{
	const uint8_t *bytes;
	if (size > 0 && address_space_span(space, address, size, &bytes) == size) {
		memcpy(buffer, bytes, size);
		return true;
	}
	if (readable(space, address, size) < size)
		return false;
	copy(space, address, buffer, size);
	return true;
}

bool address_space_u32(struct address_space *space, uint64_t address, uint32_t *value)
{
	uint8_t bytes[4];
	if (!address_space_probe(space, address, bytes, sizeof bytes))
		return false;
	*value = (uint32_t)bytes_unsigned(bytes, sizeof bytes, space->big_endian);
	return true;
}

bool address_space_u64(struct address_space *space, uint64_t address, uint64_t *value)
{
	uint8_t bytes[8];
	if (!address_space_probe(space, address, bytes, sizeof bytes))
		return false;
	*value = bytes_unsigned(bytes, sizeof bytes, space->big_endian);
	return true;
}

bool address_space_string(struct address_space *space, uint64_t address, char *buffer, size_t size)
{
	if (size == 0)
		return false;
	size_t got = readable(space, address, size - 1);
	if (got == 0)
		return false;
	copy(space, address, buffer, got);
	buffer[got] = '\0';
	return true;
}

uint64_t address_space_preload(struct address_space *space, uint64_t start, uint64_t end)
{
	uint64_t readable = 0;
	for (size_t i = lower_bound(space, start);
	     i < space->segments.count && space->segments.items[i].start < end; i++) {
		const struct segment *segment = &space->segments.items[i];
		uint64_t from = segment->start > start ? segment->start : start;
		uint64_t to = segment->end < end ? segment->end : end;
		if (segment->mirror != NULL)
			readable += live_mirror_preload(segment->mirror, from, to);
		else if (segment->bytes != NULL)
			readable += to - from;
	}
	return readable;
}

void address_space_freeze(struct address_space *space)
{
	for (size_t i = 0; i < space->mirrors.count; i++)
		live_mirror_freeze(space->mirrors.items[i]);
}

/* The parts of a live segment: those in the mirror, and what is absent between them. */
static bool settle_segment(const struct segment *segment, segment_array *parts)
{
	bool fits = true;
	for (uint64_t at = segment->start, end; at < segment->end && fits; at = end) {
		end = segment->end;
		bool known = live_mirror_known(segment->mirror, at, &end);
		struct segment part = segment_part(segment, at, end);
		if (!known) {
			part.origin = SEGMENT_ABSENT;
			part.mirror = NULL;
		}
		fits = array_push(parts, part);
	}
	return fits;
}

struct error *address_space_settle(struct address_space *space)
{
	segment_array parts = { 0 };
	bool fits = true;
	address_space_freeze(space);
	for (size_t i = 0; i < space->segments.count && fits; i++) {
		const struct segment *segment = &space->segments.items[i];
		fits = segment->mirror != NULL ? settle_segment(segment, &parts)
					       : array_push(&parts, *segment);
	}
	if (!fits) {
		array_free(&parts);
		return error_no_memory();
	}
	array_free(&space->segments);
	space->segments = parts;
	return NULL;
}

struct error *address_space_lose(struct address_space *space, uint64_t start, uint64_t end)
{
	segment_array parts = { 0 };
	bool fits = true;
	for (size_t i = 0; i < space->segments.count && fits; i++) {
		const struct segment *segment = &space->segments.items[i];
		uint64_t from = segment->start > start ? segment->start : start;
		uint64_t to = segment->end < end ? segment->end : end;
		if (from >= to) {
			fits = array_push(&parts, *segment);
			continue;
		}
		struct segment lost = segment_part(segment, from, to);
		lost.origin = SEGMENT_ABSENT;
		lost.mirror = NULL;
		lost.bytes = NULL;
		lost.lost = true;
		fits = (segment->start == from ||
			array_push(&parts, segment_part(segment, segment->start, from))) &&
		       array_push(&parts, lost) &&
		       (to == segment->end ||
			array_push(&parts, segment_part(segment, to, segment->end)));
	}
	if (!fits) {
		array_free(&parts);
		return error_no_memory();
	}
	array_free(&space->segments);
	space->segments = parts;
	return NULL;
}
