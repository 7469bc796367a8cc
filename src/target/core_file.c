/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "target/core_bytes.h"
#include "target/core_headers.h"
#include "target/core_names.h"
#include "target/core_notes.h"
#include "target/gcore_zeros.h"
#include "target/target.h"

#include <elf.h>
#include <inttypes.h>
#include <string.h>

/* A core on its way to be opened. */
struct opening {
	const struct core_bytes *file;
	struct core_headers headers;
	struct core_notes notes;
	struct target *target;
	struct gaps *gaps;
	uint64_t lost_bytes, lost_segments;	/* dumped, but past the end of the file */
	uint64_t zeroed_bytes, zeroed_segments; /* gdb could not read them and wrote zeros */
	uint64_t damaged_segments;
	uint64_t splits_left; /* enough for headers that do not overlap */
	struct core_names names;
	struct gcore_zeros zeros;
};

static void close_core(struct target *target)
{
	core_bytes_end(target->back_end);
}

/* How many of the bytes [offset, offset + size) of the file are there. */
static uint64_t available(const struct core_bytes *file, uint64_t offset, uint64_t size)
{
	if (offset >= file->size)
		return 0;
	return size < file->size - offset ? size : file->size - offset;
}

static struct error *read_notes(struct opening *opening)
{
	const struct core_bytes *file = opening->file;
	for (uint64_t i = 0; i < opening->headers.count; i++) {
		struct core_segment row = core_headers_segment(&opening->headers, i);
		if (row.type != PT_NOTE)
			continue;
		uint64_t there = available(file, row.offset, row.file_size);
		struct error *error = core_notes_read(
		    &opening->notes, opening->target, file->bytes + (there > 0 ? row.offset : 0),
		    row.file_size, there, (uint32_t)row.align, opening->gaps);
		if (error != NULL)
			return error;
	}
	return core_notes_end(&opening->notes, opening->target);
}

static uint8_t permissions(uint32_t flags)
{
	return (flags & PF_R ? SEGMENT_READ : 0) | (flags & PF_W ? SEGMENT_WRITE : 0) |
	       (flags & PF_X ? SEGMENT_EXECUTE : 0);
}

/* Adds a segment in as many parts as NT_FILE has names for it; the others keep segment.name. */
static struct error *add_named(struct opening *opening, struct segment segment)
{
	uint64_t end = segment.end;
	const char *name = segment.name;
	while (segment.start < end) {
		const struct core_mapping *mapping =
		    core_notes_mapping(&opening->notes, segment.start);
		segment.end = end;
		segment.name = name;
		segment.file_offset = 0;
		if (mapping != NULL) {
			segment.name = mapping->path;
			segment.file_offset =
			    mapping->file_offset + (segment.start - mapping->start);
		}
		/* Overlapping headers must not split every row of NT_FILE again. */
		if (mapping != NULL && mapping->end < end && opening->splits_left > 0) {
			opening->splits_left--;
			segment.end = mapping->end;
		}
		struct error *error = address_space_add(opening->target->space, &segment);
		if (error != NULL)
			return error;
		if (segment.bytes != NULL)
			segment.bytes += segment.end - segment.start;
		segment.start = segment.end;
	}
	return NULL;
}

/* Linux dumps all of a mapping whose pages the process changed, and of others nothing or the first
 * page: only the file's own bytes can be in those. */
static bool may_differ_from_file(const struct core_segment *row)
{
	return (row->flags & PF_W) || (!(row->flags & PF_X) && row->file_size == row->memory_size);
}

static struct error *add_part(struct opening *opening, const struct segment *whole, uint64_t from,
			      uint64_t to, bool lost)
{
	if (from == to)
		return NULL;
	struct segment part = *whole;
	part.start = whole->start + from;
	part.end = whole->start + to;
	part.lost = lost;
	return add_named(opening, part);
}

/* In this order: what the file holds, what gdb left as zeros, what is past the end of the file,
 * and what was not dumped. */
static struct error *add_load(struct opening *opening, const struct core_segment *row)
{
	uint64_t there = available(opening->file, row->offset, row->file_size);
	const uint8_t *bytes = there > 0 ? opening->file->bytes + row->offset : NULL;
	uint64_t copied = gcore_zeros_copied(&opening->zeros, row->address, bytes, there);
	struct segment whole = { .start = row->address,
				 .origin = SEGMENT_CORE,
				 .permissions = permissions(row->flags),
				 .permissions_known = true,
				 .name = core_names_of(&opening->names, row),
				 .bytes = bytes };
	struct segment absent = whole;
	absent.origin = SEGMENT_ABSENT;
	absent.bytes = NULL;
	opening->zeroed_bytes += there - copied;
	opening->zeroed_segments += copied < there;
	opening->lost_bytes += row->file_size - there;
	opening->lost_segments += there < row->file_size;
	struct error *error = add_part(opening, &whole, 0, copied, false);
	if (error == NULL)
		error = add_part(opening, &absent, copied, there, true);
	if (error == NULL)
		error =
		    add_part(opening, &absent, there, row->file_size, may_differ_from_file(row));
	if (error == NULL)
		error = add_part(opening, &absent, row->file_size, row->memory_size, false);
	return error;
}

static struct error *read_loads(struct opening *opening)
{
	struct target *target = opening->target;
	target->expected_size = opening->file->size;
	for (uint64_t i = 0; i < opening->headers.count; i++) {
		struct core_segment row = core_headers_segment(&opening->headers, i);
		uint64_t file_end, end;
		if (row.type != PT_LOAD && row.type != PT_NOTE)
			continue;
		if (__builtin_add_overflow(row.offset, row.file_size, &file_end) ||
		    __builtin_add_overflow(row.address, row.memory_size, &end) ||
		    (row.type == PT_LOAD && row.file_size > row.memory_size)) {
			opening->damaged_segments++;
			continue;
		}
		if (row.file_size > 0 && file_end > target->expected_size)
			target->expected_size = file_end;
		if (row.type == PT_NOTE)
			continue;
		struct error *error = add_load(opening, &row);
		if (error != NULL)
			return error;
	}
	target->file_size = opening->file->size;
	target->truncated = target->expected_size > target->file_size;
	return NULL;
}

/* Mappings that only NT_FILE tells of: gdb 13's gcore leaves out what the files hold. The space
 * lets what was dumped win over these. */
static struct error *add_mappings(struct opening *opening)
{
	for (size_t i = 0; i < opening->notes.mappings.count; i++) {
		const struct core_mapping *mapping = &opening->notes.mappings.items[i];
		struct segment segment = {
			.start = mapping->start,
			.end = mapping->end,
			.origin = SEGMENT_ABSENT,
			.name = mapping->path,
			.file_offset = mapping->file_offset,
		};
		struct error *error = address_space_add(opening->target->space, &segment);
		if (error != NULL)
			return error;
	}
	return NULL;
}

static void tell_gaps(const struct opening *opening)
{
	const struct target *target = opening->target;
	struct gaps *gaps = opening->gaps;
	if (target->truncated)
		gaps_add(gaps, GAP_MEMORY, 0, 0,
			 "the core is truncated: %" PRIu64 " of %" PRIu64
			 " bytes are there, %" PRIu64 " byte%s of %" PRIu64
			 " memory segment%s missing; look for a full disk, a "
			 "core size limit (ulimit -c), or a dump that is still being written",
			 target->file_size, target->expected_size, opening->lost_bytes,
			 opening->lost_bytes == 1 ? "" : "s", opening->lost_segments,
			 opening->lost_segments == 1 ? " is" : "s are");
	if (opening->damaged_segments > 0)
		gaps_add(gaps, GAP_MEMORY, 0, 0,
			 "%" PRIu64 " of the core's program headers contradict themselves and were "
			 "passed over: the file is damaged",
			 opening->damaged_segments);
	if (opening->zeroed_segments > 0)
		gaps_add(
		    gaps, GAP_MEMORY, 0, 0,
		    "gdb's gcore wrote zeros for %" PRIu64 " bytes of %" PRIu64
		    " mappings that hold threads' stacks, because it cannot read across guard "
		    "pages: the stacks are missing; let the kernel write the core (kill -ABRT), "
		    "or use corescan -p",
		    opening->zeroed_bytes, opening->zeroed_segments);
	if (opening->splits_left == 0)
		gaps_add(gaps, GAP_MODULE, 0, 0,
			 "the core's segments overlap: some may have the wrong file name");
	if (target->threads.count == 0)
		gaps_add(gaps, GAP_THREAD, 0, 0,
			 opening->notes.any
			     ? "no thread is in the core's notes: there are no registers "
			       "and no stacks"
			     : "the core has no notes: there are no registers, no "
			       "stacks and no file names");
}

static struct error *copy_text(const char *text, const char **copy)
{
	*copy = strdup(text);
	return *copy != NULL ? NULL : error_no_memory();
}

/* The file that holds the program headers that Linux passed to the process; where the core names
 * no files, the path that was given to execve. */
static struct error *find_exe(struct opening *opening)
{
	struct target *target = opening->target;
	const struct core_mapping *mapping = core_names_exe(target, &opening->notes);
	uint64_t address;
	if (mapping != NULL)
		return copy_text(mapping->path, &target->exe);
	char path[4096];
	if (target_auxv(target, AT_EXECFN, &address) &&
	    address_space_string(target->space, address, path, sizeof path) && path[0] != '\0')
		return copy_text(path, &target->exe);
	return NULL;
}

static struct error *build(struct opening *opening)
{
	struct error *error = read_notes(opening);
	if (error != NULL)
		return error;
	core_names_find(&opening->names, opening->target, &opening->headers, &opening->notes);
	opening->splits_left = 2 * opening->notes.mappings.count + 1;
	error = gcore_zeros_begin(&opening->zeros, opening->target, opening->file->size);
	if (error == NULL)
		error = read_loads(opening);
	if (error == NULL)
		error = add_mappings(opening);
	if (error == NULL)
		error = address_space_seal(opening->target->space);
	if (error == NULL)
		error = find_exe(opening);
	return error;
}

static struct error *open_mapped(const char *path, struct core_bytes *file, struct gaps *gaps,
				 struct target **target)
{
	struct opening opening = { .file = file, .gaps = gaps };
	struct error *error =
	    core_headers_read(path, file->bytes, file->size, gaps, &opening.headers);
	if (error != NULL)
		return error;
	opening.target = target_new(TARGET_CORE, opening.headers.arch, NULL, NULL);
	if (opening.target == NULL)
		return error_no_memory();
	error = copy_text(path, &opening.target->path);
	if (error == NULL)
		error = build(&opening);
	core_notes_free(&opening.notes);
	gcore_zeros_end(&opening.zeros);
	size_t segments;
	address_space_segments(opening.target->space, &segments);
	if (error == NULL && segments == 0 && opening.target->threads.count == 0)
		error = error_new(ERROR_BAD_DATA,
				  "%s: a core with neither memory nor threads that could be read: "
				  "nothing is to be found in it",
				  path);
	if (error != NULL) {
		target_close(opening.target);
		return error;
	}
	tell_gaps(&opening);
	*target = opening.target;
	return NULL;
}

struct error *target_open_core(const char *path, const struct target_options *options,
			       struct gaps *gaps, struct target **target)
{
	struct core_bytes *file;
	struct target *opened = NULL;
	struct error *error =
	    core_bytes_map(path, options != NULL ? options->progress : NULL, gaps, &file);
	if (error != NULL)
		return error;
	error = open_mapped(path, file, gaps, &opened);
	if (error != NULL) {
		core_bytes_end(file);
		return error;
	}
	opened->back_end = file;
	opened->close = close_core;
	*target = opened;
	return NULL;
}
