/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "golang/functions.h"

#include <string.h>

#define FUNCTAB_SIZE 8

/* Sizes of struct _func without and with .startLine, and where its last four bytes (kind, flags,
 * padding, number of funcdata) begin. */
enum { FUNC_SIZE_118 = 40, FUNC_SIZE_120 = 44 };

static uint64_t func_size(const struct go_process *process)
{
	return process->has_start_lines ? FUNC_SIZE_120 : FUNC_SIZE_118;
}

static uint32_t word(const struct go_bytes *bytes, uint64_t offset)
{
	uint64_t value;
	return go_bytes_read(bytes, offset, 4, &value) ? (uint32_t)value : 0;
}

/* Entry of the i-th function; its end is the entry of the next one. */
static uint64_t entry_of(const struct go_module *module, uint64_t i)
{
	return module->text + word(&module->functions, i * FUNCTAB_SIZE);
}

/* funcID_wrapper, the last of the kinds. */
static bool is_wrapper(const struct go_process *process, uint8_t kind)
{
	return kind == (process->minor >= 25 ? 23 : process->minor >= 22 ? 22 : 21);
}

static bool read_function(const struct go_process *process, const struct go_module *module,
			  uint64_t i, struct go_function *function)
{
	const struct go_bytes *bytes = &module->functions;
	uint64_t at = word(bytes, i * FUNCTAB_SIZE + 4), size = func_size(process);
	if (at > bytes->size || bytes->size - at < size)
		return false;
	*function = (struct go_function){
		.module = module,
		.entry = entry_of(module, i),
		.end = entry_of(module, i + 1),
		.offset = at,
		.args = word(bytes, at + 8),
		.pc_sp = word(bytes, at + 16),
		.pc_file = word(bytes, at + 20),
		.pc_line = word(bytes, at + 24),
		.pcdata_count = word(bytes, at + 28),
		.unit_files = word(bytes, at + 32),
		.wrapper = is_wrapper(process, bytes->bytes[at + size - 4]),
		.flags = bytes->bytes[at + size - 3],
		.funcdata_count = bytes->bytes[at + size - 1],
	};
	return function->pcdata_count < 64 &&
	       bytes->size - at - size >=
		   4ull * (function->pcdata_count + function->funcdata_count);
}

bool go_function_at(const struct go_process *process, uint64_t pc, struct go_function *function)
{
	for (size_t m = 0; m < process->list.count; m++) {
		const struct go_module *module = &process->list.items[m];
		if (pc < module->text || pc >= module->text_end)
			continue;
		uint64_t low = 0, high = module->function_count;
		while (high - low > 1) {
			uint64_t middle = low + (high - low) / 2;
			if (entry_of(module, middle) <= pc)
				low = middle;
			else
				high = middle;
		}
		return entry_of(module, low) <= pc && pc < entry_of(module, low + 1) &&
		       read_function(process, module, low, function);
	}
	return false;
}

/* The string at `offset` of a table of strings that end in NUL. */
static const char *text_at(const struct go_process *process, const struct go_bytes *table,
			   uint64_t offset)
{
	if (offset >= table->size || memchr(table->bytes + offset, 0, table->size - offset) == NULL)
		return NULL;
	return string_pool_add(modules_strings(process->modules),
			       (const char *)table->bytes + offset);
}

const char *go_function_name(const struct go_process *process, const struct go_function *function)
{
	const struct go_module *module = function->module;
	return text_at(process, &module->function_names,
		       word(&module->functions, function->offset + 4));
}

/* Compares in place: names are not to be kept for having been looked at. */
static bool is_named(const struct go_function *function, const char *name)
{
	const struct go_bytes *names = &function->module->function_names;
	uint64_t offset = word(&function->module->functions, function->offset + 4);
	size_t size = strlen(name) + 1;
	return offset < names->size && names->size - offset >= size &&
	       memcmp(names->bytes + offset, name, size) == 0;
}

bool go_function_named(const struct go_process *process, const char *name,
		       struct go_function *function)
{
	struct go_function found;
	for (size_t m = 0; m < process->list.count; m++) {
		const struct go_module *module = &process->list.items[m];
		for (uint64_t i = 0; i < module->function_count; i++)
			if (read_function(process, module, i, &found) && is_named(&found, name)) {
				*function = found;
				return true;
			}
	}
	return false;
}

/* --- tables by PC */

/* A varint of 32 bits; false at the end of the table. */
static bool varint(const struct go_bytes *table, uint64_t *at, uint32_t *value)
{
	uint32_t result = 0;
	for (unsigned shift = 0; shift < 35 && *at < table->size; shift += 7) {
		uint8_t byte = table->bytes[(*at)++];
		result |= shift < 32 ? (uint32_t)(byte & 0x7f) << shift : 0;
		if ((byte & 0x80) == 0) {
			*value = result;
			return true;
		}
	}
	return false;
}

/* Pairs of a value's change, in zigzag, and of how many bytes of code it holds for. */
bool go_pc_value(const struct go_function *function, uint32_t table, uint64_t pc, int32_t *value)
{
	const struct go_bytes *tables = &function->module->pc_tables;
	uint64_t at = table, covered = function->entry;
	uint32_t change, length, current = UINT32_MAX;
	if (table == 0)
		return false;
	for (bool first = true; varint(tables, &at, &change) && (first || change != 0);
	     first = false) {
		current += (change & 1) != 0 ? ~(change >> 1) : change >> 1;
		if (!varint(tables, &at, &length) || length == 0)
			return false;
		covered += length;
		if (pc < covered) {
			*value = (int32_t)current;
			return true;
		}
		if (covered > function->end)
			return false;
	}
	return false;
}

bool go_frame_size(const struct go_function *function, uint64_t pc, uint32_t *size)
{
	int32_t value;
	if (!go_pc_value(function, function->pc_sp, pc, &value) || value < 0)
		return false;
	*size = (uint32_t)value;
	return true;
}

int32_t go_pcdata(const struct go_process *process, const struct go_function *function,
		  enum go_pcdata which, uint64_t pc)
{
	int32_t value;
	if ((unsigned)which >= function->pcdata_count)
		return -1;
	uint32_t table = word(&function->module->functions,
			      function->offset + func_size(process) + 4ull * which);
	return go_pc_value(function, table, pc, &value) ? value : -1;
}

uint64_t go_funcdata(const struct go_process *process, const struct go_function *function,
		     enum go_funcdata which)
{
	if ((unsigned)which >= function->funcdata_count)
		return 0;
	uint32_t offset =
	    word(&function->module->functions,
		 function->offset + func_size(process) + 4ull * (function->pcdata_count + which));
	return offset == UINT32_MAX ? 0 : function->module->funcdata + offset;
}

/* --- lines and inlined calls */

static void read_line(const struct go_process *process, const struct go_function *function,
		      uint64_t pc, struct go_call *call)
{
	const struct go_module *module = function->module;
	int32_t file, line;
	if (!go_pc_value(function, function->pc_file, pc, &file) || file < 0 ||
	    !go_pc_value(function, function->pc_line, pc, &line))
		return;
	uint64_t offset;
	if (!go_bytes_read(&module->unit_files,
			   4 * ((uint64_t)function->unit_files + (uint32_t)file), 4, &offset) ||
	    offset == UINT32_MAX)
		return;
	call->file = text_at(process, &module->files, offset);
	call->line = line > 0 ? (uint32_t)line : 0;
}

/* An entry of the function's tree of inlined calls: the called function's name, and an offset of
 * code whose line is where it was called. Go 1.18 and 1.19 have larger ones. */
static bool read_inlined(const struct go_process *process, uint64_t tree, uint32_t index,
			 uint32_t *name, uint32_t *parent)
{
	uint64_t size = process->has_start_lines ? 16 : 20;
	uint64_t at = tree + size * index + (process->has_start_lines ? 4 : 12);
	return address_space_u32(process->space, at, name) &&
	       address_space_u32(process->space, at + 4, parent);
}

size_t go_calls_at(const struct go_process *process, const struct go_function *function,
		   uint64_t pc, uint64_t lookup, struct go_call calls[GO_INLINE_MAX])
{
	uint64_t tree = go_funcdata(process, function, GO_FUNCDATA_INLINED);
	size_t count = 0;
	while (count + 1 < GO_INLINE_MAX) {
		uint32_t name, parent;
		int32_t index =
		    tree != 0 ? go_pcdata(process, function, GO_PCDATA_INLINED, lookup) : -1;
		calls[count] = (struct go_call){ .pc = pc };
		read_line(process, function, lookup, &calls[count]);
		if (index < 0 || !read_inlined(process, tree, (uint32_t)index, &name, &parent) ||
		    parent >= function->end - function->entry)
			break;
		calls[count].function = text_at(process, &function->module->function_names, name);
		calls[count++].inlined = true;
		lookup = function->entry + parent;
	}
	calls[count].function = go_function_name(process, function);
	calls[count].inlined = false;
	return count + 1;
}
