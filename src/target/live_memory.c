/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "target/live_memory.h"

#include "base/size_text.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
#include <unistd.h>

/* How many entries of pagemap are looked at in one go. */
enum { PAGEMAP_ENTRIES = 4096 };

/* Documentation/admin-guide/mm/pagemap.rst */
#define PAGEMAP_PRESENT (UINT64_C(1) << 63)
#define PAGEMAP_SWAPPED (UINT64_C(1) << 62)
#define PAGEMAP_OF_FILE (UINT64_C(1) << 61)

/* PAGEMAP_SCAN and its arguments, of Linux 6.7 and newer; include/uapi/linux/fs.h. */
struct scan_region {
	uint64_t start, end, categories;
};

struct scan_arguments {
	uint64_t size, flags, start, end, walk_end;
	uint64_t regions, region_count, page_limit;
	uint64_t inverted, all_of, any_of, returned;
};

#define SCAN	     _IOWR('f', 16, struct scan_arguments)
#define SCAN_FILE    (UINT64_C(1) << 2)
#define SCAN_PRESENT (UINT64_C(1) << 3)
#define SCAN_SWAPPED (UINT64_C(1) << 4)

enum { SCAN_REGIONS = 256 };

struct error *live_memory_open(struct proc_task task, struct live_memory *memory)
{
	struct live_memory opened = { .task = task, .mem = -1, .pagemap = -1 };
	opened.page_size = (uint64_t)sysconf(_SC_PAGESIZE);
	opened.mem = proc_open(task, "mem");
	if (opened.mem < 0)
		return error_os(errno, "cannot open /proc/%" PRId32 "/mem", task.pid);
	opened.pagemap = proc_open(task, "pagemap");
	struct error *error = proc_read_maps(task, &opened.maps);
	if (error == NULL && opened.maps.list.count == 0)
		error = error_new(ERROR_NOT_FOUND, "process %" PRId32 " has no memory any more",
				  task.pid);
	if (error != NULL)
		live_memory_close(&opened);
	else
		*memory = opened;
	return error;
}

void live_memory_close(struct live_memory *memory)
{
	proc_maps_free(&memory->maps);
	if (memory->mem >= 0)
		close(memory->mem);
	if (memory->pagemap >= 0)
		close(memory->pagemap);
	memory->mem = memory->pagemap = -1;
}

static bool starts_with(const char *text, const char *start)
{
	return text != NULL && strncmp(text, start, strlen(start)) == 0;
}

/* Files below /dev that are plain memory. */
static bool is_device(const struct proc_mapping *mapping)
{
	return starts_with(mapping->name, "/dev/") && !starts_with(mapping->name, "/dev/zero") &&
	       !starts_with(mapping->name, "/dev/shm/") &&
	       !starts_with(mapping->name, "/dev/hugepages/");
}

/* The kernel's clock pages cannot be read from outside, and hold nothing of the program. */
static bool is_of_kernel(const struct proc_mapping *mapping)
{
	return starts_with(mapping->name, "[vvar") || starts_with(mapping->name, "[vsyscall]");
}

bool live_memory_is_readable(const struct proc_mapping *mapping)
{
	return !is_device(mapping) && !is_of_kernel(mapping);
}

bool live_memory_starts_as_zero(const struct proc_mapping *mapping)
{
	return !mapping->shared && mapping->inode == 0 &&
	       (mapping->name == NULL || strcmp(mapping->name, "[heap]") == 0 ||
		starts_with(mapping->name, "[stack") || starts_with(mapping->name, "[anon:"));
}

struct error *live_memory_add_segments(const struct live_memory *memory,
				       struct address_space *space, struct gaps *gaps)
{
	for (size_t i = 0; i < memory->maps.list.count; i++) {
		const struct proc_mapping *mapping = &memory->maps.list.items[i];
		struct segment segment = {
			.start = mapping->start,
			.end = mapping->end,
			.origin = live_memory_is_readable(mapping) ? SEGMENT_LIVE : SEGMENT_ABSENT,
			.permissions = mapping->permissions,
			.permissions_known = true,
			.shared = mapping->shared,
			.name = mapping->name,
			.file_offset = mapping->name != NULL ? mapping->file_offset : 0,
		};
		struct error *error = address_space_add(space, &segment);
		if (error != NULL)
			return error;
		if (is_device(mapping))
			gaps_add(gaps, GAP_MEMORY, mapping->start, mapping->end,
				 "%s of %s were not read: reading a device may act on it",
				 size_text(mapping->end - mapping->start).text, mapping->name);
	}
	return address_space_seal(space);
}

/* The mapping that holds `address`, or NULL. */
static const struct proc_mapping *find_mapping(const struct live_memory *memory, uint64_t address)
{
	size_t low = 0, high = memory->maps.list.count;
	const struct proc_mapping *items = memory->maps.list.items;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (items[middle].end <= address)
			low = middle + 1;
		else
			high = middle;
	}
	return low < memory->maps.list.count && items[low].start <= address ? &items[low] : NULL;
}

/* Reads memory that may be asked for; returns how many bytes from the front there are. */
static size_t read_bytes(const struct live_memory *memory, const struct proc_mapping *mapping,
			 uint64_t start, uint8_t *bytes, size_t size)
{
	size_t done = 0;
	if (mapping->permissions & SEGMENT_READ) {
		struct iovec local = { bytes, size };
		struct iovec remote = { (void *)(uintptr_t)start, size };
		ssize_t got = process_vm_readv(memory->task.tid, &local, 1, &remote, 1, 0);
		done = got > 0 ? (size_t)got : 0;
	}
	/* This one reads pages that the process itself may not read, too. */
	while (done < size) {
		ssize_t got = pread(memory->mem, bytes + done, size - done, (off_t)(start + done));
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			break;
		done += (size_t)got;
	}
	return done;
}

/* Adds [start, end) to the runs, the last of which it may continue. False when they are full. */
static bool add_run(struct page_run *runs, size_t *count, size_t limit, uint64_t start,
		    uint64_t end)
{
	if (*count > 0 && runs[*count - 1].end == start) {
		runs[*count - 1].end = end;
		return true;
	}
	if (*count == limit)
		return false;
	runs[(*count)++] = (struct page_run){ start, end };
	return true;
}

/* By PAGEMAP_SCAN, which is fast over what was never touched. False when there is no such thing. */
static bool scan_pages(const struct live_memory *memory, enum page_kind kind, uint64_t start,
		       uint64_t end, struct page_run *runs, size_t limit, size_t *count,
		       uint64_t *looked_to)
{
	struct scan_region regions[SCAN_REGIONS];
	struct scan_arguments arguments = {
		.size = sizeof arguments,
		.start = start,
		.end = end,
		.regions = (uint64_t)(uintptr_t)regions,
		.region_count = limit < SCAN_REGIONS ? limit : SCAN_REGIONS,
		.inverted = kind == PAGES_COPIED ? SCAN_FILE : 0,
		.all_of = kind == PAGES_COPIED ? SCAN_FILE : 0,
		.any_of = SCAN_PRESENT | SCAN_SWAPPED,
		.returned = SCAN_PRESENT | SCAN_SWAPPED,
	};
	int found = ioctl(memory->pagemap, SCAN, &arguments);
	if (found < 0)
		return false;
	*count = 0;
	for (int i = 0; i < found; i++)
		add_run(runs, count, limit, regions[i].start, regions[i].end);
	*looked_to = arguments.walk_end > start ? arguments.walk_end : end;
	return true;
}

static bool is_of_kind(uint64_t entry, enum page_kind kind)
{
	if ((entry & (PAGEMAP_PRESENT | PAGEMAP_SWAPPED)) == 0)
		return false;
	return kind == PAGES_TOUCHED || (entry & PAGEMAP_OF_FILE) == 0;
}

/* By reading pagemap. False when it cannot be read. */
static bool read_pagemap(const struct live_memory *memory, enum page_kind kind, uint64_t start,
			 uint64_t end, struct page_run *runs, size_t limit, size_t *count,
			 uint64_t *looked_to)
{
	uint64_t entries[PAGEMAP_ENTRIES], page = memory->page_size;
	uint64_t want = (end - start) / page;
	want = want < PAGEMAP_ENTRIES ? want : PAGEMAP_ENTRIES;
	ssize_t got = pread(memory->pagemap, entries, want * sizeof *entries,
			    (off_t)(start / page * sizeof *entries));
	if (got < (ssize_t)sizeof *entries)
		return false;
	*count = 0;
	uint64_t at = start;
	for (size_t i = 0; i < (size_t)got / sizeof *entries; i++, at += page)
		if (is_of_kind(entries[i], kind) && !add_run(runs, count, limit, at, at + page))
			break;
	*looked_to = at;
	return true;
}

size_t live_memory_find_pages(const struct live_memory *memory, enum page_kind kind, uint64_t start,
			      uint64_t end, struct page_run *runs, size_t limit,
			      uint64_t *looked_to)
{
	size_t count;
	if (memory->pagemap >= 0 && start < end &&
	    (scan_pages(memory, kind, start, end, runs, limit, &count, looked_to) ||
	     read_pagemap(memory, kind, start, end, runs, limit, &count, looked_to)))
		return count;
	*looked_to = end;
	if (start >= end || limit == 0)
		return 0;
	runs[0] = (struct page_run){ start, end };
	return 1;
}

/* Reads [start, start+size) of a mapping whose untouched pages are zero, as `bytes` is. */
static size_t read_touched(const struct live_memory *memory, const struct proc_mapping *mapping,
			   uint64_t start, uint8_t *bytes, size_t size)
{
	struct page_run runs[SCAN_REGIONS];
	uint64_t page = memory->page_size, stop = start + size;
	uint64_t at = start - start % page, end = stop + (page - stop % page) % page;
	while (at < end) {
		size_t count =
		    live_memory_find_pages(memory, PAGES_TOUCHED, at, end, runs, SCAN_REGIONS, &at);
		for (size_t i = 0; i < count; i++) {
			uint64_t from = runs[i].start > start ? runs[i].start : start;
			uint64_t to = runs[i].end < stop ? runs[i].end : stop;
			page_pool_move(memory->pool, bytes + (from - start), to - from);
			size_t got =
			    read_bytes(memory, mapping, from, bytes + (from - start), to - from);
			if (got < to - from)
				return from - start + got;
		}
	}
	return size;
}

size_t live_memory_read(void *context, uint64_t start, void *bytes, size_t size)
{
	const struct live_memory *memory = context;
	size_t done = 0;
	while (done < size) {
		const struct proc_mapping *mapping = find_mapping(memory, start + done);
		if (mapping == NULL)
			break;
		uint64_t left = mapping->end - (start + done);
		size_t want = left < size - done ? left : size - done;
		uint8_t *to = (uint8_t *)bytes + done;
		size_t got = live_memory_starts_as_zero(mapping)
				 ? read_touched(memory, mapping, start + done, to, want)
				 : read_bytes(memory, mapping, start + done, to, want);
		done += got;
		if (got < want)
			break;
	}
	return done;
}
