/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "fake_target.h"

#include <check.h>
#include <string.h>

struct mapping {
	uint64_t start, size;
	uint8_t *bytes;
};

struct fake {
	ARRAY(struct mapping) mappings;
};

static void close_fake(struct target *target)
{
	struct fake *fake = target->back_end;
	for (size_t i = 0; i < fake->mappings.count; i++)
		free(fake->mappings.items[i].bytes);
	array_free(&fake->mappings);
	free(fake);
}

struct target *fake_target_new(void)
{
	struct target *target = target_new_memory(&arch_x86_64);
	ck_assert_ptr_nonnull(target);
	target->back_end = calloc(1, sizeof(struct fake));
	ck_assert_ptr_nonnull(target->back_end);
	target->close = close_fake;
	return target;
}

static uint8_t parse_permissions(const char *text)
{
	ck_assert_uint_ge(strlen(text), 3);
	return (text[0] == 'r' ? SEGMENT_READ : 0) | (text[1] == 'w' ? SEGMENT_WRITE : 0) |
	       (text[2] == 'x' ? SEGMENT_EXECUTE : 0);
}

static void add(struct target *target, const struct segment *segment)
{
	struct error *error = address_space_add(target->space, segment);
	ck_assert_msg(error == NULL, "%s", error != NULL ? error->message : "");
}

uint8_t *fake_target_map_file(struct target *target, uint64_t start, uint64_t size,
			      const char *permissions, const char *name, uint64_t file_offset)
{
	struct fake *fake = target->back_end;
	struct mapping mapping = { start, size, calloc(1, size) };
	ck_assert_ptr_nonnull(mapping.bytes);
	ck_assert(array_push(&fake->mappings, mapping));
	add(target, &(struct segment){
			.start = start,
			.end = start + size,
			.origin = SEGMENT_CORE,
			.permissions = parse_permissions(permissions),
			.permissions_known = true,
			.name = name,
			.file_offset = file_offset,
			.bytes = mapping.bytes,
		    });
	return mapping.bytes;
}

uint8_t *fake_target_map(struct target *target, uint64_t start, uint64_t size,
			 const char *permissions, const char *name)
{
	return fake_target_map_file(target, start, size, permissions, name, 0);
}

void fake_target_absent(struct target *target, uint64_t start, uint64_t size,
			const char *permissions, const char *name)
{
	add(target, &(struct segment){
			.start = start,
			.end = start + size,
			.origin = SEGMENT_ABSENT,
			.permissions = parse_permissions(permissions),
			.permissions_known = true,
			.name = name,
		    });
}

uint8_t *fake_target_bytes(struct target *target, uint64_t address, uint64_t size)
{
	struct fake *fake = target->back_end;
	for (size_t i = 0; i < fake->mappings.count; i++) {
		const struct mapping *mapping = &fake->mappings.items[i];
		if (address >= mapping->start && size <= mapping->size &&
		    address - mapping->start <= mapping->size - size)
			return mapping->bytes + (address - mapping->start);
	}
	ck_abort_msg("no mapping of the fake target holds 0x%llx", (unsigned long long)address);
}

void fake_target_put(struct target *target, uint64_t address, const void *bytes, size_t size)
{
	memcpy(fake_target_bytes(target, address, size), bytes, size);
}

void fake_target_put32(struct target *target, uint64_t address, uint32_t value)
{
	fake_target_put(target, address, &value, sizeof value);
}

void fake_target_put64(struct target *target, uint64_t address, uint64_t value)
{
	fake_target_put(target, address, &value, sizeof value);
}

void fake_target_put_string(struct target *target, uint64_t address, const char *text)
{
	fake_target_put(target, address, text, strlen(text) + 1);
}

struct target_thread *fake_target_thread(struct target *target, int32_t tid)
{
	struct target_thread thread = { .tid = tid, .stopped = true };
	thread.registers.general_size = target->arch->prstatus_registers_size;
	ck_assert(array_push(&target->threads, thread));
	fake_target_set_register(target, tid, "orig_rax", UINT64_MAX);
	return &target->threads.items[target->threads.count - 1];
}

void fake_target_set_register(struct target *target, int32_t tid, const char *name, uint64_t value)
{
	for (size_t i = 0; i < target->threads.count; i++) {
		struct target_thread *thread = &target->threads.items[i];
		for (size_t r = 0; thread->tid == tid && r < target->arch->register_count; r++) {
			const struct arch_register *row = &target->arch->registers[r];
			if (strcmp(row->name, name) != 0)
				continue;
			memcpy(thread->registers.general + row->offset, &value, row->size);
			return;
		}
	}
	ck_abort_msg("the fake target has no thread %d with a register %s", tid, name);
}

void fake_target_auxv(struct target *target, uint64_t type, uint64_t value)
{
	target->auxv = reallocarray(target->auxv, target->auxv_count + 1, sizeof *target->auxv);
	ck_assert_ptr_nonnull(target->auxv);
	target->auxv[target->auxv_count].type = type;
	target->auxv[target->auxv_count++].value = value;
}

void fake_target_seal(struct target *target)
{
	struct error *error = address_space_seal(target->space);
	ck_assert_msg(error == NULL, "%s", error != NULL ? error->message : "");
}
