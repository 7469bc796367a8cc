/* The address space of a target: sorted, non-overlapping segments, each saying where its bytes
 * come from. Memory that was not dumped is absent, never zeros.
 *
 * Bytes are handed out as borrowed pointers (spans), so that the hot loops neither copy nor call
 * per word: a core's spans point into the mapped file; a live process's into a mirror that is
 * filled on demand. A span lives as long as the address space.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORESCAN_TARGET_ADDRESS_SPACE_H
#define CORESCAN_TARGET_ADDRESS_SPACE_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum segment_origin {
	SEGMENT_CORE,	/* dumped in the core */
	SEGMENT_FILE,	/* not dumped; from the mapped file, verified to be the same build */
	SEGMENT_LIVE,	/* the memory of a live process */
	SEGMENT_ABSENT, /* mapped in the process, its bytes are not to be had */
};

enum segment_permission { SEGMENT_READ = 4, SEGMENT_WRITE = 2, SEGMENT_EXECUTE = 1 };

struct segment {
	uint64_t start, end; /* [start, end) */
	enum segment_origin origin;
	uint8_t permissions;	/* enum segment_permission */
	bool permissions_known; /* false where only NT_FILE tells of the mapping */
	bool lost;		/* absent because the core was cut off or not fully written, and the
				   process may have changed it: no file stands for it */
	bool shared;		/* MAP_SHARED, as far as known (live, and gcore's); else false */
	const char *name;	/* the mapped file's path as the process saw it, "[stack]",
				   "[heap]", "[vdso]" …; NULL for anonymous; owned */
	uint64_t file_offset;	/* of .start in the file .name */
	const uint8_t *bytes;	/* of .start, or NULL: absent, or live and filled on demand.
				   Use address_space_span, not this. */
	void *mirror;		/* private */
};

struct address_space;

/* Fills [start, start+size) of a live target into `bytes`. Returns how many bytes from the front
 * were read: fewer than `size` where a page is unreadable. */
typedef size_t address_space_reader(void *context, uint64_t start, void *bytes, size_t size);

/* NULL when memory is exhausted. `reader` may be NULL (nothing is live). */
struct address_space *address_space_new(address_space_reader *reader, void *context);
void address_space_free(struct address_space *space);

/* The target's byte order for address_space_u32 and _u64; little-endian unless told. */
void address_space_set_big_endian(struct address_space *space, bool big_endian);

/* Builds. Segments may come in any order; where two overlap the one that has bytes wins, then the
 * one added first. The name is copied. Ends in address_space_seal, which sorts and splices.
 * `segment->bytes` must outlive the space. An empty segment is passed over. The seal makes a live
 * segment absent when there is no room to mirror it: the back end says so in a gap. */
struct error *address_space_add(struct address_space *space, const struct segment *segment);
struct error *address_space_seal(struct address_space *space);

/* After the seal: gives absent memory in [start, start+size) the bytes of a verified file.
 * `bytes` stands for `start` and must outlive the space. Only absent parts change. Where nothing
 * at all was mapped (gcore of gdb 13 leaves out text) new segments appear, with `permissions`;
 * they also go to absent parts whose own are not known. */
struct error *address_space_back(struct address_space *space, uint64_t start, uint64_t size,
				 const uint8_t *bytes, const char *name, uint64_t file_offset,
				 uint8_t permissions);

/* All segments in address order; the array is borrowed and changes with address_space_back. */
const struct segment *address_space_segments(const struct address_space *space, size_t *count);

/* The segment that holds `address`, or NULL. */
const struct segment *address_space_find(const struct address_space *space, uint64_t address);

/* Borrows up to `want` bytes at `address`: `*bytes` points to them, and the return value says how
 * many there are (0: none; fewer than `want` only where the bytes that follow are unmapped, absent
 * or lie elsewhere in our memory: ask again at address + result). Pieces that are adjacent both in
 * the target and in our memory come as one span. `*bytes` has no alignment to rely on. This and
 * all functions below may be called from several threads at once, with the reader called by one
 * of them at a time; building the space and address_space_back may not. */
size_t address_space_span(struct address_space *space, uint64_t address, uint64_t want,
			  const uint8_t **bytes);

/* Copies exactly `size` bytes, or ERROR_FAULT that names the first address that is missing. */
struct error *address_space_read(struct address_space *space, uint64_t address, void *buffer,
				 size_t size);

/* As address_space_read for callers that only probe: no error object. */
bool address_space_probe(struct address_space *space, uint64_t address, void *buffer, size_t size);

/* One little-endian or big-endian (the target's) unsigned of 4 or 8 bytes. */
bool address_space_u32(struct address_space *space, uint64_t address, uint32_t *value);
bool address_space_u64(struct address_space *space, uint64_t address, uint64_t *value);

/* A NUL-terminated string, cut to `size` - 1 bytes. False when not even one byte can be read. */
bool address_space_string(struct address_space *space, uint64_t address, char *buffer, size_t size);

/* Fills the mirror of [start, end) now (a no-op for cores), so that the process may run on.
 * Returns the bytes that are readable. */
uint64_t address_space_preload(struct address_space *space, uint64_t start, uint64_t end);

/* From now on nothing is read from the process: what is not in the mirror reads as absent. */
void address_space_freeze(struct address_space *space);

/* Freezes, and makes what is not in the mirror absent segments, which address_space_back can give
 * a file's bytes. Pointers to segments end here. ERROR_NO_MEMORY. */
struct error *address_space_settle(struct address_space *space);

/* After the settling: [start, end) is absent, and lost: no file stands for it. Pointers to segments
 * end here. ERROR_NO_MEMORY. */
struct error *address_space_lose(struct address_space *space, uint64_t start, uint64_t end);

#endif
