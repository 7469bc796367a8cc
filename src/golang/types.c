/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "golang/types.h"

#include <string.h>

/* Offsets in abi.Type. */
enum {
	TYPE_SIZE = 0,
	TYPE_POINTERS = 8,
	TYPE_FLAGS = 20,
	TYPE_KIND = 23,
	TYPE_MASK = 32,
	TYPE_NAME = 40,
};

enum {
	FLAG_EXTRA_STAR = 2,	   /* the name has a '*' in front that is not its own */
	FLAG_MASK_ON_DEMAND = 16,  /* since Go 1.24: TYPE_MASK leads to a pointer to the mask */
	KIND_MASK_IS_PROGRAM = 64, /* up to Go 1.23: TYPE_MASK leads to a program that makes it */
	KIND_MAX = 26,
};

#define NAME_MAX_BYTES 512

static const struct go_module *module_of(const struct go_process *process, uint64_t address)
{
	for (size_t i = 0; i < process->list.count; i++)
		if (address >= process->list.items[i].types &&
		    address < process->list.items[i].types_end)
			return &process->list.items[i];
	return NULL;
}

static bool read_mask(const struct go_process *process, uint64_t address, struct go_type *type)
{
	uint8_t bytes[4];
	if (!address_space_probe(process->space, address + TYPE_FLAGS, bytes, sizeof bytes) ||
	    !address_space_u64(process->space, address + TYPE_MASK, &type->mask))
		return false;
	if (process->minor < 24 && (bytes[3] & KIND_MASK_IS_PROGRAM) != 0)
		type->mask = 0;
	else if (process->minor >= 24 && (bytes[0] & FLAG_MASK_ON_DEMAND) != 0 &&
		 (type->mask == 0 || !address_space_u64(process->space, type->mask, &type->mask)))
		type->mask = 0;
	return (bytes[3] & 31) <= KIND_MAX && (bytes[3] & 31) != 0;
}

bool go_type_read(const struct go_process *process, uint64_t address, struct go_type *type)
{
	struct go_type found;
	if ((address & 7) != 0 ||
	    !address_space_u64(process->space, address + TYPE_SIZE, &found.size) ||
	    !address_space_u64(process->space, address + TYPE_POINTERS, &found.pointers) ||
	    found.pointers > found.size || (found.pointers & 7) != 0 ||
	    !read_mask(process, address, &found))
		return false;
	*type = found;
	return true;
}

const char *go_type_name(const struct go_process *process, uint64_t address)
{
	const struct go_module *module = module_of(process, address);
	uint32_t offset;
	uint8_t head[16], flags;
	char text[NAME_MAX_BYTES + 1];
	if (module == NULL ||
	    !address_space_probe(process->space, address + TYPE_FLAGS, &flags, 1) ||
	    !address_space_u32(process->space, address + TYPE_NAME, &offset) ||
	    offset >= module->types_end - module->types ||
	    !address_space_probe(process->space, module->types + offset, head, 3))
		return NULL;
	/* A byte of flags, the length as a varint, the text. */
	size_t length = head[1] & 0x7f, start = 2;
	if ((head[1] & 0x80) != 0)
		length |= (size_t)(head[2] & 0x7f) << 7, start = 3;
	bool cut = length > NAME_MAX_BYTES;
	if (cut)
		length = NAME_MAX_BYTES;
	if (length == 0 ||
	    !address_space_probe(process->space, module->types + offset + start, text, length))
		return NULL;
	text[length] = '\0';
	size_t skip = (flags & FLAG_EXTRA_STAR) != 0 && text[0] == '*';
	return string_pool_format(modules_strings(process->modules), "%s%s", text + skip,
				  cut ? "…" : "");
}
