/* Functions of a Go program: names, source lines, inlined calls, frame sizes and pointer maps, all
 * from the table that every Go program carries (pclntab), stripped or not.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORESCAN_GOLANG_FUNCTIONS_H
#define CORESCAN_GOLANG_FUNCTIONS_H

#include "golang/golang.h"

/* The compiler's tables of numbers by PC, and of addresses, that each function may have. */
enum go_pcdata { GO_PCDATA_STACK_MAP = 1, GO_PCDATA_INLINED = 2 };
enum go_funcdata {
	GO_FUNCDATA_ARGS = 0,
	GO_FUNCDATA_LOCALS = 1,
	GO_FUNCDATA_STACK_OBJECTS = 2,
	GO_FUNCDATA_INLINED = 3,
	GO_FUNCDATA_OPEN_DEFERS = 4, /* deferred calls that the frame keeps itself */
};

enum { GO_FUNCTION_TOP = 1, GO_FUNCTION_WRITES_SP = 2 }; /* .flags */

struct go_function {
	const struct go_module *module;
	uint64_t entry, end;
	uint64_t offset; /* of its struct _func in module->functions */
	uint32_t args;	 /* bytes of arguments and results on the stack */
	uint32_t pc_sp, pc_file, pc_line;
	uint32_t unit_files;
	uint32_t pcdata_count;
	uint8_t flags;
	uint8_t funcdata_count;
	bool wrapper; /* made by the compiler, around another one: Go leaves it out of stacks */
};

/* The function that holds `pc`. */
bool go_function_at(const struct go_process *process, uint64_t pc, struct go_function *function);

/* The function of that name, looked for among all; false: none is linked in. */
bool go_function_named(const struct go_process *process, const char *name,
		       struct go_function *function);

/* Its name as Go writes it; in the pool; NULL when it cannot be read. */
const char *go_function_name(const struct go_process *process, const struct go_function *function);

/* The value for `pc` of one of the function's tables, at `table` in its module's .pc_tables (0:
 * there is none). */
bool go_pc_value(const struct go_function *function, uint32_t table, uint64_t pc, int32_t *value);

/* Bytes between the stack pointer at `pc` and the return address. */
bool go_frame_size(const struct go_function *function, uint64_t pc, uint32_t *size);

/* -1 where the function has no such table, or no value at `pc`. */
int32_t go_pcdata(const struct go_process *process, const struct go_function *function,
		  enum go_pcdata which, uint64_t pc);

/* The address of the data; 0: there is none. */
uint64_t go_funcdata(const struct go_process *process, const struct go_function *function,
		     enum go_funcdata which);

/* One line of a stack. */
struct go_call {
	const char *function; /* in the pool; NULL: no Go function is there */
	const char *file;     /* in the pool, or NULL */
	uint32_t line;
	bool inlined; /* expanded into the call that follows */
	uint64_t pc;
};

#define GO_INLINE_MAX 64 /* calls inlined into each other; more is no program, but damage */

/* The calls at `pc`, innermost first, at most GO_INLINE_MAX. `lookup` is pc, or pc - 1 where it is
 * a return address. Returns how many; at least 1. */
size_t go_calls_at(const struct go_process *process, const struct go_function *function,
		   uint64_t pc, uint64_t lookup, struct go_call calls[GO_INLINE_MAX]);

#endif
