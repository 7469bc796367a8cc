/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "analysis/go_location.h"

#include "threads/location.h"

#include <dwarf.h>

/* A number of up to 64 bits at `*at`, seven a byte; signed. */
static bool signed_number(const Dwarf_Block *block, size_t *at, uint64_t *value)
{
	uint64_t result = 0;
	for (unsigned shift = 0; shift < 64 && *at < block->length; shift += 7) {
		uint8_t byte = block->data[(*at)++];
		result |= (uint64_t)(byte & 0x7f) << shift;
		if ((byte & 0x80) != 0)
			continue;
		if ((byte & 0x40) != 0 && shift + 7 < 64)
			result |= UINT64_MAX << (shift + 7);
		*value = result;
		return true;
	}
	return false;
}

/* "address", "CFA", "CFA + number", and relative to the frame base, which is the CFA. */
static bool from_block(const Dwarf_Block *block, uint64_t bias, uint64_t *address)
{
	size_t at = 1;
	if (block->length == 0)
		return false;
	switch (block->data[0]) {
	case DW_OP_addr:
		if (block->length != 9)
			return false;
		*address = bytes_unsigned(block->data + 1, 8, false) + bias;
		return true;
	case DW_OP_fbreg:
		return signed_number(block, &at, address) && at == block->length;
	case DW_OP_call_frame_cfa:
		*address = 0;
		return block->length == 1 ||
		       (block->data[at++] == DW_OP_consts && signed_number(block, &at, address) &&
			at + 1 == block->length && block->data[at] == DW_OP_plus);
	default:
		return false;
	}
}

static enum location_outcome from_zero(void *context, uint64_t *base)
{
	(void)context;
	*base = 0;
	return LOCATION_FOUND;
}

static bool is_block(unsigned form)
{
	return form == DW_FORM_block || form == DW_FORM_block1 || form == DW_FORM_block2 ||
	       form == DW_FORM_block4;
}

bool go_location(const struct go_process *process, Dwarf_Die *die, uint64_t pc, uint64_t bias,
		 uint64_t *address)
{
	const struct location_place place = {
		.arch = process->target->arch,
		.space = process->space,
		.bias = bias,
		.frame_base = from_zero,
		.cfa = from_zero,
	};
	struct location location;
	Dwarf_Attribute attribute;
	Dwarf_Block block;
	Dwarf_Op *operations;
	size_t count;
	if (dwarf_attr_integrate(die, DW_AT_location, &attribute) == NULL)
		return false;
	if (is_block(dwarf_whatform(&attribute)))
		return dwarf_formblock(&attribute, &block) == 0 &&
		       from_block(&block, bias, address);
	return dwarf_getlocation_addr(&attribute, pc, &operations, &count, 1) == 1 &&
	       location_evaluate(&place, &attribute, operations, count, &location) ==
		   LOCATION_FOUND &&
	       location_address(&location, 0, address);
}
