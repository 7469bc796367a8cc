/* Profiles: numbers for stacks of calls, as pprof has them, and the table of functions that it
 * calls top.
 *
 * To add a kind: a function that fills a struct profile, and a row in the kinds of profile.c.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORESCAN_ANALYSIS_PROFILE_H
#define CORESCAN_ANALYSIS_PROFILE_H

#include "base/gaps.h"
#include "golang/functions.h"

enum profile_kind {
	PROFILE_HEAP,	    /* what the runtime sampled of allocations */
	PROFILE_LIVE,	    /* what is alive of the heap, by size and type */
	PROFILE_GOROUTINES, /* of the program's own */
	PROFILE_LEAKED,	    /* goroutines that will never run again */
	PROFILE_KIND_COUNT,
};

#define PROFILE_TYPES_MAX 4

struct profile_type {
	const char *name, *unit; /* "inuse_space", "bytes"; literals */
};

/* What a profile of this kind tells of each stack. */
struct profile_form {
	const char *name; /* "heap", as --type has it */
	struct profile_type types[PROFILE_TYPES_MAX];
	size_t type_count;
	size_t standard;	    /* of them, that is shown unless another one is asked for */
	struct profile_type period; /* what was sampled */
};

struct profile_sample {
	size_t first, count; /* its calls in .stacks: innermost first */
	int64_t values[PROFILE_TYPES_MAX];
	int64_t block_size;	 /* of the objects; 0: no such thing */
	const char *wait_reason; /* of goroutines; or NULL */
};

struct profile {
	enum profile_kind kind;
	const char *missing; /* why this is not the heap profile that was asked for; or NULL */
	int64_t period;	     /* bytes, or calls, between two samples; 1: all */
	size_t type;	     /* that is shown first */
	const struct module *module; /* the program; or NULL */
	ARRAY(struct go_call) calls; /* each one once */
	ARRAY(uint32_t) stacks;	     /* indexes in .calls */
	ARRAY(struct profile_sample) samples;
	uint32_t *slots; /* private: hash of .calls, index + 1 */
	size_t slot_count;
};

/* A function, and what is said of it: of itself, and with all that it called. */
struct profile_row {
	const char *function;
	int64_t flat[PROFILE_TYPES_MAX], cumulative[PROFILE_TYPES_MAX];
	/* By bits 1 << type: whether there are calls of it that were inlined, and that were not. A
	 * function that is always the outermost has neither. */
	uint8_t inlined, called;
};

struct profile_table {
	ARRAY(struct profile_row) rows;
	int64_t totals[PROFILE_TYPES_MAX];
};

const struct profile_form *profile_form(enum profile_kind kind);

/* The kind of that name; false: there is none. */
bool profile_kind_named(const char *name, enum profile_kind *kind);

/* The type of that name in a profile of that kind; false: it has none. */
bool profile_type_named(enum profile_kind kind, const char *name, size_t *type);

/* Appends a call to the stack that is being made, the last one of .stacks. False when memory is
 * exhausted. A call that is .inlined was expanded into the one that is appended next. */
bool profile_add_call(struct profile *profile, const struct go_call *call);

/* The functions, in order of what they are worth: by their own value, or by the cumulative one.
 * ERROR_NO_MEMORY. */
struct error *profile_tabulate(const struct profile *profile, struct profile_table *table);
void profile_table_sort(struct profile_table *table, size_t type, bool cumulative);
void profile_table_free(struct profile_table *table);

void profile_free(struct profile *profile);

#endif
