/* An in-memory target for unit tests: segments with bytes of our own, threads with registers.
 *
 *     struct target *target = fake_target_new();
 *     fake_target_map(target, 0x1000, 0x2000, "rw-", "[heap]");
 *     fake_target_put64(target, 0x1010, 42);
 *     fake_target_thread(target, 7);
 *     fake_target_set_register(target, 7, "rsp", 0x2ff0);
 *     fake_target_seal(target);
 *     …
 *     target_close(target);
 *
 * Every function aborts the test when it is used wrongly or memory is exhausted. Bytes can be put
 * before and after the seal.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORESCAN_TESTS_FAKE_TARGET_H
#define CORESCAN_TESTS_FAKE_TARGET_H

#include "target/target.h"

/* An x86-64 target, empty. */
struct target *fake_target_new(void);

/* Maps `size` zeroed bytes at `start`; permissions as in /proc/PID/maps, "r-xp" or "r-x"; `name`
 * may be NULL. Returns the bytes, which the target owns. The segment's origin is SEGMENT_CORE. */
uint8_t *fake_target_map(struct target *target, uint64_t start, uint64_t size,
			 const char *permissions, const char *name);

/* The same, of the file `name` from `file_offset` on. */
uint8_t *fake_target_map_file(struct target *target, uint64_t start, uint64_t size,
			      const char *permissions, const char *name, uint64_t file_offset);

/* Maps `size` bytes that were not dumped. */
void fake_target_absent(struct target *target, uint64_t start, uint64_t size,
			const char *permissions, const char *name);

/* Our bytes behind [address, address + size), which one mapping holds. */
uint8_t *fake_target_bytes(struct target *target, uint64_t address, uint64_t size);

void fake_target_put(struct target *target, uint64_t address, const void *bytes, size_t size);
void fake_target_put32(struct target *target, uint64_t address, uint32_t value);
void fake_target_put64(struct target *target, uint64_t address, uint64_t value);
void fake_target_put_string(struct target *target, uint64_t address, const char *text);

/* Adds a stopped thread whose registers are zero, orig_rax excepted: -1, in no system call. The
 * pointer lasts until the next thread is added. */
struct target_thread *fake_target_thread(struct target *target, int32_t tid);

/* Sets the register named `name` in thread `tid`. */
void fake_target_set_register(struct target *target, int32_t tid, const char *name, uint64_t value);

/* Adds an auxv entry. */
void fake_target_auxv(struct target *target, uint64_t type, uint64_t value);

/* Seals the address space: no further mappings after this. */
void fake_target_seal(struct target *target);

#endif
