/* Thread-local storage: where a thread's block of a module lies, and what variables are in it.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORESCAN_MODULES_TLS_H
#define CORESCAN_MODULES_TLS_H

#include "modules/type_layout.h"

/* Where glibc keeps what leads to a block: offsets in struct link_map, in struct pthread (the
 * thread pointer points to it) and in the elements of the dtv. */
struct tls_layout {
	uint64_t map_offset;	/* link_map.l_tls_offset */
	uint64_t map_id;	/* link_map.l_tls_modid: the index in the dtv */
	uint64_t pthread_dtv;	/* pthread.header.dtv */
	uint64_t element_size;	/* of dtv_t */
	uint64_t element_block; /* dtv_t.pointer.val */
	enum layout_evidence evidence;
};

/* Takes the layout from libc's _thread_db_* symbols (in .dynsym since 2.34, before that in
 * libpthread's .symtab), else from DWARF. False: neither is there. Ask once, keep the answer. */
bool tls_layout_find(struct modules *modules, struct tls_layout *layout);

/* The address of the block that `module` has in the thread of that thread pointer. A static
 * program needs no layout: its evidence may be LAYOUT_NONE. False where the module has no TLS, the
 * thread has not allocated it yet, or the memory does not tell. */
bool tls_block(const struct modules *modules, const struct tls_layout *layout,
	       const struct module *module, uint64_t thread_pointer, uint64_t *address);

/* The thread-local variable at `offset` in the block of `module`; symbol.is_tls is set, and
 * symbol.address is its offset in the block. */
bool tls_symbol_at(struct modules *modules, const struct module *module, uint64_t offset,
		   struct symbol *symbol);

#endif
