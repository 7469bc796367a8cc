/* The Go runtime inside a process: which version, where its tables and structs lie.
 *
 * Facts about Go (1.18 and newer, linux/amd64) were read from the runtime's own source and debug
 * information, and each layout is believed only where the memory agrees with it. Every function
 * here may be asked of a damaged process: what cannot be read, or contradicts itself, is false.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORESCAN_GOLANG_GOLANG_H
#define CORESCAN_GOLANG_GOLANG_H

#include "base/array.h"
#include "base/bytes.h"
#include "golang/layouts.h"

struct go_bytes {
	const uint8_t *bytes; /* borrowed from the address space, or the process's */
	uint64_t address, size;
};

struct go_slice {
	uint64_t address, count, capacity; /* of elements */
};

/* What a moduledata describes: the program, or a plugin. */
struct go_module {
	uint64_t address; /* of the moduledata itself */
	struct go_bytes functions, function_names, unit_files, files, pc_tables;
	uint64_t function_count;
	uint64_t text, text_end;
	uint64_t data, data_end, bss, bss_end;
	uint64_t types, types_end, rodata, funcdata;
	uint64_t data_mask, data_mask_bits; /* a bit for each word of .data: it holds a pointer */
	uint64_t bss_mask, bss_mask_bits;
};

struct go_process {
	struct target *target;
	struct address_space *space;
	struct modules *modules;
	const struct module *module; /* that holds the runtime */
	const char *version;	     /* "go1.24.4", with what the builder added; in the pool */
	unsigned minor;		     /* 24 */
	struct go_layouts layouts;
	bool stripped;	      /* no symbols: what follows was found by what the memory holds */
	bool has_start_lines; /* functions tell the line they begin at: since Go 1.20 */
	ARRAY(struct go_module) list;
	struct go_slice goroutines;		  /* runtime.allgs */
	struct go_slice processors;		  /* runtime.allp; count 0: not found */
	uint64_t heap;				  /* runtime.mheap_; 0: not found */
	uint64_t wait_reasons, wait_reason_count; /* an array of strings; 0: not found */
	uint64_t finalizers;			  /* address of runtime.allfin; 0: not known */
	uint64_t cleanups; /* address of runtime.gcCleanups.all; 0: not known, or before Go 1.25 */
	uint64_t gc_phase; /* address of runtime.gcphase; 0: not known */
	uint64_t open_files_limit; /* address of syscall.origRlimitNofile; 0: not known */
	ARRAY(uint8_t *) copies;   /* of what does not lie in one piece */
};

/* Looks for a Go runtime. ERROR_NOT_FOUND: there is none, which is no fault of the process;
 * ERROR_UNSUPPORTED: a Go that corescan cannot read, in a sentence; ERROR_BAD_DATA: its structs
 * contradict what is known of them; ERROR_NO_MEMORY. `*process` borrows the modules and is ended
 * with go_process_free before they are. */
struct error *go_process_open(struct target *target, struct modules *modules,
			      struct go_process **process);
void go_process_free(struct go_process *process);

/* --- reading structs of the runtime */

/* The offset of a field; false where this version has none. */
static inline bool go_offset(const struct go_process *process, enum go_field field,
			     uint64_t *offset)
{
	int32_t known = process->layouts.offsets[field];
	if (known < 0)
		return false;
	*offset = (uint64_t)known;
	return true;
}

/* A number of `size` bytes in the field of the struct at `base`. */
bool go_read(const struct go_process *process, uint64_t base, enum go_field field, size_t size,
	     uint64_t *value);

/* The same of a pointer; 0 where it cannot be read. */
uint64_t go_pointer(const struct go_process *process, uint64_t base, enum go_field field);

/* The slice in the field of the struct at `base`; false too when its count exceeds its capacity. */
bool go_read_slice(const struct go_process *process, uint64_t base, enum go_field field,
		   struct go_slice *slice);
bool go_slice_at(const struct go_process *process, uint64_t address, struct go_slice *slice);

/* The string at `address` (pointer and length), cut to `size` - 1 bytes. */
bool go_string_at(const struct go_process *process, uint64_t address, char *buffer, size_t size);

/* Borrows exactly [address, address + size), copying it where it does not lie in one piece. False
 * when it cannot be read as a whole, or is larger than a gigabyte. */
bool go_borrow(struct go_process *process, uint64_t address, uint64_t size, struct go_bytes *bytes);

/* A little-endian number of `size` bytes at `offset`; false beyond the end. */
static inline bool go_bytes_read(const struct go_bytes *bytes, uint64_t offset, size_t size,
				 uint64_t *value)
{
	if (bytes->size < size || offset > bytes->size - size)
		return false;
	*value = bytes_unsigned(bytes->bytes + offset, size, false);
	return true;
}

/* What the collector was in the middle of: "idle", which sweeping is too, "marking" or "ending a
 * mark phase"; NULL: not known. Marking and sweeping move nothing: what is read of the heap and the
 * goroutines is as good as ever. */
const char *go_collector_phase(const struct go_process *process);

/* The name of a wait reason as the runtime itself has it; NULL where it is not known. */
const char *go_wait_reason(const struct go_process *process, unsigned reason);

#endif
