/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "gdbserver/registers.h"

#include "base/bytes.h"

#include <stdio.h>
#include <string.h>

extern const struct wire_arch wire_x86_64;

const struct wire_arch *wire_arch_find(const struct arch *arch)
{
	static const struct wire_arch *const rows[] = { &wire_x86_64 };
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		if (rows[i]->arch == arch)
			return rows[i];
	return NULL;
}

static unsigned count_of(const struct wire_register *row)
{
	return row->count != 0 ? row->count : 1;
}

/* --- the description */

/* LLDB finds thread-local variables by the register that it knows as "tp" (from LLDB 17 on); gdb
 * asks by qGetTLSAddr, and takes no notice of the attribute. */
static bool is_thread_pointer(const struct arch *arch, const struct wire_register *row)
{
	return row->source == WIRE_GENERAL &&
	       strcmp(row->name, arch->registers[arch->thread_pointer].name) == 0;
}

static void describe_one(const struct arch *arch, const struct wire_register *row, unsigned index,
			 unsigned number, struct reply *xml)
{
	const char *place = strchr(row->name, '#');
	reply_text(xml, "<reg name=\"");
	if (place != NULL)
		reply_format(xml, "%.*s%u%s", (int)(place - row->name), row->name, index,
			     place + 1);
	else
		reply_text(xml, row->name);
	reply_format(xml, "\" bitsize=\"%u\" type=\"%s\" regnum=\"%u\"", row->bits, row->type,
		     number);
	if (row->group != NULL)
		reply_format(xml, " group=\"%s\"", row->group);
	if (is_thread_pointer(arch, row))
		reply_text(xml, " generic=\"tp\"");
	reply_text(xml, "/>\n");
}

void wire_describe(const struct wire_arch *arch, struct reply *xml)
{
	unsigned number = 0;
	reply_format(xml,
		     "<?xml version=\"1.0\"?>\n<!DOCTYPE target SYSTEM \"gdb-target.dtd\">\n"
		     "<target version=\"1.0\">\n<architecture>%s</architecture>\n"
		     "<osabi>GNU/Linux</osabi>\n",
		     arch->architecture);
	for (size_t i = 0; i < arch->feature_count; i++) {
		const struct wire_feature *feature = &arch->features[i];
		reply_format(xml, "<feature name=\"%s\">\n%s", feature->name,
			     feature->types != NULL ? feature->types : "");
		for (size_t j = 0; j < feature->count; j++)
			for (unsigned k = 0; k < count_of(&feature->registers[j]); k++)
				describe_one(arch->arch, &feature->registers[j], k, number++, xml);
		reply_text(xml, "</feature>\n");
	}
	reply_text(xml, "</target>\n");
}

/* --- values */

static bool general_value(const struct arch *arch, const struct registers *registers,
			  const char *name, uint64_t *value)
{
	for (size_t i = 0; i < arch->register_count; i++) {
		if (strcmp(arch->registers[i].name, name) != 0)
			continue;
		*value = arch_register_value(arch, registers, i);
		return registers->general_size >=
			   (uint32_t)arch->registers[i].offset + arch->registers[i].size &&
		       (registers->unknown & UINT64_C(1) << i) == 0;
	}
	return false;
}

static void put_value(uint64_t value, unsigned bits, struct reply *reply)
{
	uint8_t bytes[8];
	for (size_t i = 0; i < sizeof bytes; i++)
		bytes[i] = (uint8_t)(value >> 8 * i);
	reply_hex(reply, bytes, bits / 8);
}

/* The bytes of an extended register, zeros behind them up to its size on the wire. */
static void put_extended(const struct wire_register *row, const uint8_t *bytes, struct reply *reply)
{
	if (row->mask != 0) {
		put_value(bytes_unsigned(bytes, row->size, false) & row->mask, row->bits, reply);
		return;
	}
	reply_hex(reply, bytes, row->size);
	for (unsigned i = row->size; i < row->bits / 8u; i++)
		reply_text(reply, "00");
}

/* Registers of all rows are those of little-endian machines. */
static void put_register(const struct wire_arch *arch, const struct registers *registers,
			 const struct wire_register *row, unsigned index, struct reply *reply)
{
	const uint32_t offset = row->offset + (uint32_t)index * row->stride;
	uint64_t value;
	if (row->source == WIRE_GENERAL &&
	    general_value(arch->arch, registers, row->name, &value)) {
		put_value(value, row->bits, reply);
		return;
	}
	if (row->source != WIRE_GENERAL && registers->extended != NULL &&
	    registers->extended_size >= offset + row->size) {
		if (row->source == WIRE_EXTENDED_TAG)
			put_value(arch->tag_word(registers->extended), row->bits, reply);
		else
			put_extended(row, registers->extended + offset, reply);
		return;
	}
	for (unsigned i = 0; i < row->bits / 8u; i++)
		reply_text(reply, "xx");
}

void wire_registers(const struct wire_arch *arch, const struct registers *registers,
		    struct reply *reply)
{
	for (uint64_t number = 0; wire_register(arch, registers, number, reply); number++)
		;
}

bool wire_register(const struct wire_arch *arch, const struct registers *registers, uint64_t number,
		   struct reply *reply)
{
	for (size_t i = 0; i < arch->feature_count; i++) {
		const struct wire_feature *feature = &arch->features[i];
		for (size_t j = 0; j < feature->count; j++) {
			const unsigned count = count_of(&feature->registers[j]);
			if (number < count) {
				put_register(arch, registers, &feature->registers[j],
					     (unsigned)number, reply);
				return true;
			}
			number -= count;
		}
	}
	return false;
}
