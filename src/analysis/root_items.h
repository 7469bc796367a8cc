/* Roots in the parts that people know: a global variable, a frame of a thread's stack, a
 * thread-local variable, a register.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORESCAN_ANALYSIS_ROOT_ITEMS_H
#define CORESCAN_ANALYSIS_ROOT_ITEMS_H

#include "analysis/dominators.h"

enum root_item_kind {
	ROOT_ITEM_SYMBOL,   /* a variable of a module */
	ROOT_ITEM_MODULE,   /* data of a module that no symbol covers */
	ROOT_ITEM_FRAME,    /* a frame of a thread's stack */
	ROOT_ITEM_STACK,    /* the rest of a stack: not unwound, arguments, environment */
	ROOT_ITEM_RED_ZONE, /* below a thread's SP */
	ROOT_ITEM_TLS,	    /* a thread-local variable, or a module's block without symbols */
	ROOT_ITEM_THREAD,   /* struct pthread: what the C library keeps for a thread */
	ROOT_ITEM_SPECIFIC, /* values of pthread_setspecific in it */
	ROOT_ITEM_REGISTER, /* a general register, or the vector registers together */
	ROOT_ITEM_MAPPING,  /* any other mapping */
	ROOT_ITEM_EXITED,   /* the result of a thread that exited and was not joined */
	ROOT_ITEM_KIND_COUNT,
};

struct root_item {
	enum root_item_kind kind;
	const struct thread *thread; /* or NULL */
	const struct frame *frame;   /* ROOT_ITEM_FRAME */
	const struct module *module; /* or NULL */
	const char *symbol;	     /* the variable's, or the register's name; or NULL */
	uint64_t address;	     /* where it begins, or a frame's SP; 0 for registers */
};

struct root_items {
	ARRAY(struct root_item) items;
	ARRAY(struct dominator_source) sources; /* grouped by item, item numbers rise */
};

/* The items of the roots of `strength`, the kernel's words left out. Bytes of registers are
 * borrowed from the roots. Places in modules and blocks of thread-local storage that hold no
 * pointer to a used chunk are left out. ERROR_NO_MEMORY. */
struct error *root_items_find(const struct subject *subject, const struct roots *roots,
			      enum root_strength strength, struct root_items *items);
void root_items_free(struct root_items *items);

/* In words: "<cache>", "thread 1240 \"worker\" parse_header()", "thread 1240 <buffer>
 * (thread-local)", "thread 1240 register rbx", "mapping 0x7f…". Into `strings`. */
const char *root_item_name(const struct subject *subject, const struct root_item *item,
			   struct string_pool *strings);

const char *root_item_kind_name(enum root_item_kind kind); /* "symbol", "frame" … */

#endif
