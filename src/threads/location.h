/* DWARF expressions: where a variable lies, or what it is, evaluated over a frame's registers and
 * the target's memory. The expressions are the file's and as hostile as the memory: steps, stack
 * and pieces are bounded.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORESCAN_THREADS_LOCATION_H
#define CORESCAN_THREADS_LOCATION_H

#include "threads/threads.h"

enum location_outcome {
	LOCATION_FOUND,
	LOCATION_OPTIMIZED_OUT,	 /* the compiler keeps it nowhere at this place of the code */
	LOCATION_REGISTER_LOST,	 /* in a register that a called function may have overwritten */
	LOCATION_MEMORY_MISSING, /* in memory that cannot be read */
	LOCATION_NOT_SET,	 /* its function has only begun, and has not stored it yet */
	LOCATION_NOT_EVALUATED,	 /* by means that corescan does not evaluate, or broken */
};

/* "optimized out", "its register was not saved" … */
const char *location_outcome_words(enum location_outcome outcome);

enum location_kind {
	LOCATION_NOWHERE,  /* this piece is optimized out */
	LOCATION_MEMORY,   /* at .number */
	LOCATION_REGISTER, /* in register .number, by DWARF number */
	LOCATION_VALUE,	   /* .number is its value: it lies nowhere */
	LOCATION_BYTES,	   /* .bytes are its value */
};

struct location_piece {
	enum location_kind kind;
	uint64_t number;
	const uint8_t *bytes; /* libdw's */
	uint64_t size;	      /* bytes; of the last piece 0: as much as is wanted */
};

#define LOCATION_PIECES_MAX 16

struct location {
	struct location_piece pieces[LOCATION_PIECES_MAX];
	size_t count;
};

/* A number on an expression's stack. Types of the file's own are integers here, or not known. */
struct location_value {
	uint64_t bits; /* zero-extended from .size */
	uint8_t size;  /* bytes, 1 to 8 */
	bool is_signed;
};

/* Where an expression is evaluated. Every function may be NULL: what needs it is not evaluated. */
struct location_place {
	const struct arch *arch;
	struct address_space *space;
	const struct frame_registers *registers; /* or NULL */
	uint64_t bias;				 /* of addresses in the file */
	void *context;				 /* of the functions */
	/* What a variable's location is relative to, and the CFA. */
	enum location_outcome (*frame_base)(void *context, uint64_t *base);
	enum location_outcome (*cfa)(void *context, uint64_t *cfa);
	/* What register `number` held when the function was called. */
	enum location_outcome (*entry_register)(void *context, unsigned number, uint64_t *value);
};

/* Evaluates `count` operations. `attribute` is where they came from, for those that refer to more
 * of it; NULL: those are not evaluated. */
enum location_outcome location_evaluate(const struct location_place *place,
					Dwarf_Attribute *attribute, const Dwarf_Op *operations,
					size_t count, struct location *location);

/* As location_evaluate, of an expression that computes a number: what it left on the stack; or of
 * a register location its content. */
enum location_outcome location_number(const struct location_place *place,
				      Dwarf_Attribute *attribute, const Dwarf_Op *operations,
				      size_t count, uint64_t *number);

/* Copies `size` bytes from `offset` on of what lies at `location`. */
enum location_outcome location_read(const struct location_place *place,
				    const struct location *location, uint64_t offset, void *buffer,
				    size_t size);

/* The address of what lies at `offset` of `location`; false where that has none. */
bool location_address(const struct location *location, uint64_t offset, uint64_t *address);

#endif
