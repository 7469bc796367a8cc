/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "golang/golang.h"

#include <string.h>

#define BORROW_MAX (1ull << 30)

bool go_read(const struct go_process *process, uint64_t base, enum go_field field, size_t size,
	     uint64_t *value)
{
	uint64_t offset;
	uint8_t bytes[8];
	if (size > sizeof bytes || !go_offset(process, field, &offset) ||
	    !address_space_probe(process->space, base + offset, bytes, size))
		return false;
	*value = bytes_unsigned(bytes, size, false);
	return true;
}

uint64_t go_pointer(const struct go_process *process, uint64_t base, enum go_field field)
{
	uint64_t value;
	return go_read(process, base, field, 8, &value) ? value : 0;
}

bool go_slice_at(const struct go_process *process, uint64_t address, struct go_slice *slice)
{
	struct go_slice found;
	if (!address_space_u64(process->space, address, &found.address) ||
	    !address_space_u64(process->space, address + 8, &found.count) ||
	    !address_space_u64(process->space, address + 16, &found.capacity) ||
	    found.count > found.capacity || found.capacity > UINT64_MAX >> 8)
		return false;
	*slice = found;
	return true;
}

bool go_read_slice(const struct go_process *process, uint64_t base, enum go_field field,
		   struct go_slice *slice)
{
	uint64_t offset;
	return go_offset(process, field, &offset) && go_slice_at(process, base + offset, slice);
}

bool go_string_at(const struct go_process *process, uint64_t address, char *buffer, size_t size)
{
	uint64_t text, length;
	if (!address_space_u64(process->space, address, &text) ||
	    !address_space_u64(process->space, address + 8, &length) || size == 0)
		return false;
	if (length > size - 1)
		length = size - 1;
	if (length > 0 && !address_space_probe(process->space, text, buffer, length))
		return false;
	buffer[length] = '\0';
	return true;
}

bool go_borrow(struct go_process *process, uint64_t address, uint64_t size, struct go_bytes *bytes)
{
	const uint8_t *found;
	if (size > BORROW_MAX)
		return false;
	if (size == 0 || address_space_span(process->space, address, size, &found) == size) {
		*bytes = (struct go_bytes){ size == 0 ? NULL : found, address, size };
		return true;
	}
	uint8_t byte, *copy = NULL;
	/* The end is looked at before so much is asked for. */
	if (address_space_probe(process->space, address + size - 1, &byte, 1) &&
	    array_reserve(&process->copies, 1))
		copy = malloc(size);
	if (copy == NULL || !address_space_probe(process->space, address, copy, size)) {
		free(copy);
		return false;
	}
	array_push(&process->copies, copy);
	*bytes = (struct go_bytes){ copy, address, size };
	return true;
}

const char *go_collector_phase(const struct go_process *process)
{
	static const char *const names[] = { "idle", "marking", "ending a mark phase" };
	uint32_t phase;
	if (process->gc_phase == 0 ||
	    !address_space_u32(process->space, process->gc_phase, &phase) ||
	    phase >= sizeof names / sizeof *names)
		return NULL;
	return names[phase];
}

const char *go_wait_reason(const struct go_process *process, unsigned reason)
{
	char text[64];
	if (reason >= process->wait_reason_count ||
	    !go_string_at(process, process->wait_reasons + 16ull * reason, text, sizeof text))
		return NULL;
	return string_pool_add(modules_strings(process->modules), text);
}

void go_process_free(struct go_process *process)
{
	if (process == NULL)
		return;
	for (size_t i = 0; i < process->copies.count; i++)
		free(process->copies.items[i]);
	array_free(&process->copies);
	array_free(&process->list);
	free(process);
}
