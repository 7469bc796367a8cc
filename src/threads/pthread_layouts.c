/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "threads/pthread_layouts.h"

#include <elf.h>

/* Offsets of the built-in table, seen on 2.31, 2.36, 2.41 and 2.43. To add a row: append it, raise
 * PTHREAD_LAYOUT_GUESSES, and see that glibc_pthread.c's checks of the memory tell it from the
 * rows above it. */
struct table_row {
	uint16_t elf_machine;
	struct glibc_pthread_layout layout;
};

#define COMMON_X86_64                                                                              \
	.list = 704, .tid = 720, .cancel_handling = 776, .specific_first_block = 784,              \
	.specific = 1296, .stack_block = 1680, .stack_block_size = 1688, .guard_size = 1696,       \
	.dtv = 8, .evidence = LAYOUT_TABLE

static const struct table_row table[] = {
	/* 2.36 to 2.42 */
	{ EM_X86_64,
	  { COMMON_X86_64, .join_id = 1568, .result = 1576, .start_routine = 1592,
	    .argument = 1600 } },
	/* 2.31; and 2.43, which has a joinstate in the place of joinid */
	{ EM_X86_64,
	  { COMMON_X86_64, .join_id = 1576, .result = 1584, .start_routine = 1600,
	    .argument = 1608 } },
};

#define TABLE_ROWS (sizeof table / sizeof *table)

_Static_assert(PTHREAD_LAYOUT_GUESSES == 4 + TABLE_ROWS, "each row is a guess");

static int32_t field(const struct type_layout *type, const char *name)
{
	uint64_t offset;
	return type_layout_offset(type, name, &offset) && offset < type->size ? (int32_t)offset
									      : -1;
}

static bool from_dwarf(const struct pthread_layout_sources *sources, const struct module *module,
		       struct glibc_pthread_layout *layout)
{
	struct type_layout type = {
		.type = "pthread",
		.fields = { { .name = "tid" },
			    { .name = "stackblock" },
			    { .name = "stackblock_size" },
			    { .name = "guardsize" },
			    { .name = "joinid" },
			    { .name = "joinstate" },
			    { .name = "result" },
			    { .name = "start_routine" },
			    { .name = "arg" },
			    { .name = "cancelhandling" },
			    { .name = "specific_1stblock" },
			    { .name = "specific" },
			    { .name = "list" },
			    { .name = "header.dtv" } },
	};
	if (type_layouts_from_dwarf(sources->modules, module, &type, 1) == 0 ||
	    type.size > UINT16_MAX)
		return false;
	*layout = (struct glibc_pthread_layout){
		.tid = field(&type, "tid"),
		.stack_block = field(&type, "stackblock"),
		.stack_block_size = field(&type, "stackblock_size"),
		.join_id = field(&type, "joinid"),
		.result = field(&type, "result"),
		.start_routine = field(&type, "start_routine"),
		.argument = field(&type, "arg"),
		.cancel_handling = field(&type, "cancelhandling"),
		.specific_first_block = field(&type, "specific_1stblock"),
		.specific = field(&type, "specific"),
		.list = field(&type, "list"),
		.guard_size = field(&type, "guardsize"),
		.dtv = field(&type, "header.dtv"),
		.size = (uint32_t)type.size,
		.evidence = LAYOUT_DWARF,
	};
	if (layout->join_id < 0)
		layout->join_id = field(&type, "joinstate");
	return layout->tid >= 0;
}

/* What libthread_db would read: a symbol's number `index` of 4 bytes. */
static bool thread_db_number(const struct pthread_layout_sources *sources,
			     const struct module *module, const char *name, unsigned index,
			     uint32_t *value)
{
	struct symbol symbol;
	return modules_symbol_named(sources->modules, module, name, &symbol) &&
	       address_space_u32(sources->target->space, symbol.address + (uint64_t)index * 4,
				 value);
}

/* The offset in { bits, count, offset }; -1 where there is none. */
static int32_t thread_db_offset(const struct pthread_layout_sources *sources,
				const struct module *module, const char *name)
{
	uint32_t offset;
	return thread_db_number(sources, module, name, 2, &offset) && offset < UINT16_MAX
		   ? (int32_t)offset
		   : -1;
}

/* The _thread_db_* symbols tell of some fields; the row of the table that agrees with all of them
 * gives the rest. */
static bool from_thread_db(const struct pthread_layout_sources *sources,
			   const struct module *module, struct glibc_pthread_layout *layout)
{
	int32_t tid = thread_db_offset(sources, module, "_thread_db_pthread_tid");
	int32_t list = thread_db_offset(sources, module, "_thread_db_pthread_list");
	int32_t specific = thread_db_offset(sources, module, "_thread_db_pthread_specific");
	int32_t start_routine =
	    thread_db_offset(sources, module, "_thread_db_pthread_start_routine");
	int32_t cancel = thread_db_offset(sources, module, "_thread_db_pthread_cancelhandling");
	if (tid < 0)
		return false;
	struct glibc_pthread_layout made = { -1, -1, -1, -1, -1, -1, -1, -1,
					     -1, -1, -1, -1, -1, 0,  0 };
	for (size_t i = 0; i < TABLE_ROWS; i++) {
		const struct glibc_pthread_layout *row = &table[i].layout;
		if (table[i].elf_machine == sources->target->arch->elf_machine && row->tid == tid &&
		    row->list == list && row->specific == specific &&
		    row->start_routine == start_routine)
			made = *row;
	}
	made.tid = tid;
	made.list = list;
	made.specific = specific;
	made.start_routine = start_routine;
	made.dtv = thread_db_offset(sources, module, "_thread_db_pthread_dtvp");
	if (cancel >= 0)
		made.cancel_handling = cancel;
	made.evidence = LAYOUT_THREAD_DB;
	if (!thread_db_number(sources, module, "_thread_db_sizeof_pthread", 0, &made.size) ||
	    made.size > UINT16_MAX)
		made.size = 0;
	*layout = made;
	return true;
}

bool pthread_layout_guess(const struct pthread_layout_sources *sources, size_t number,
			  struct glibc_pthread_layout *layout)
{
	if (number < 4) {
		const struct module *module = number % 2 == 0 ? sources->libpthread : sources->libc;
		if (module == NULL)
			return false;
		return number < 2 ? from_dwarf(sources, module, layout)
				  : from_thread_db(sources, module, layout);
	}
	const struct table_row *row = &table[number - 4];
	if (number - 4 >= TABLE_ROWS || row->elf_machine != sources->target->arch->elf_machine)
		return false;
	*layout = row->layout;
	return true;
}
