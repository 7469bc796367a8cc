/* The loaded files of a target: executable, shared libraries, vdso.
 *
 * Opening them finds each file (below the sysroot, or by build-id), checks it against the build-id
 * in the target's memory, splices its bytes into the address space where memory was not dumped,
 * and reports it to libdwfl, which finds separate debug files (build-id, .gnu_debuglink, and
 * debuginfod where DEBUGINFOD_URLS is set). A file of another build is never used. Symbols, units
 * and types are read when first asked for, so the functions here belong to one thread at a time.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORESCAN_MODULES_MODULES_H
#define CORESCAN_MODULES_MODULES_H

#include "base/error.h"
#include "base/gaps.h"
#include "base/progress.h"
#include "base/string_pool.h"
#include "target/target.h"

#include <elfutils/libdwfl.h>

#define MODULE_BUILD_ID_MAX 64

enum module_match {
	MODULE_VERIFIED,   /* the file's build-id equals the one in memory, it is the very file that
			      the live process has mapped, or it is the vdso */
	MODULE_UNVERIFIED, /* no build-id to compare; the program headers agree */
	MODULE_MISMATCH,   /* the file is another build: not used */
	MODULE_MISSING,	   /* no file */
};

struct module {
	const char *path;		       /* as the process saw it; "[vdso]" */
	const char *file;		       /* the file that was opened, or NULL */
	const char *name;		       /* the last part of .path */
	uint64_t start, end;		       /* of its mappings */
	uint64_t bias;			       /* address in the target minus address in the file */
	uint8_t build_id[MODULE_BUILD_ID_MAX]; /* from memory, else from the verified file */
	size_t build_id_size;		       /* 0: unknown */
	enum module_match match;
	bool is_executable; /* the program itself, not a library */
	bool is_libc;	    /* holds glibc's malloc: libc.so.6, or a static executable */
	bool is_go;	    /* holds a Go runtime: has its table of functions */
	/* The loader's namespace: 0 is the program's own, n one of dlmopen's, which may hold a
	 * second libc with a heap of its own; -1 unknown (static, or the loader's list was not
	 * readable). */
	int link_namespace;
	Dwfl_Module *dwfl; /* NULL when neither file nor memory image was usable */
};

struct modules;

struct modules_options {
	const char *exe;       /* the EXE the user gave, or NULL */
	const char *sysroot;   /* put before every path of the process, or NULL */
	const char *debug_dir; /* searched before the system's /usr/lib/debug, or NULL */
	const struct progress *progress;
};

/* A given EXE that cannot be a program of this target is an error: ERROR_NOT_FOUND (no such file),
 * ERROR_OS (not readable), ERROR_BAD_DATA (a directory, a script, a core file, not ELF),
 * ERROR_UNSUPPORTED (another architecture). One that is another build is a gap that gives both
 * build-ids; it is not used, and the program is looked for by the target's own notes. Missing files
 * are gaps, not errors. Network is used only where DEBUGINFOD_URLS is set.
 * `*modules` borrows the target, and is ended with modules_free before target_close. The spliced
 * bytes are the modules': after modules_free the target's memory is not to be read any more. */
struct error *modules_open(struct target *target, const struct modules_options *options,
			   struct gaps *gaps, struct modules **modules);
void modules_free(struct modules *modules);

/* After address_space_settle, of modules that were opened before: gives the memory that is absent
 * now the bytes of their files. ERROR_NO_MEMORY. */
struct error *modules_settle(struct modules *modules);

/* In address order; borrowed. */
const struct module *modules_list(const struct modules *modules, size_t *count);

/* The module that has `address` in a page of one of its PT_LOADs, or NULL: in the holes between
 * them, which large alignment and huge pages leave, others may map what they like (seen: a page of
 * generated code in a hole of glibc 2.31's ld.so). Where they are not known: in its range. */
const struct module *modules_find(const struct modules *modules, uint64_t address);

/* What a module's program headers say, at their addresses in the target. */
struct module_segment {
	uint64_t start, end; /* the bytes it needs: p_vaddr to p_vaddr + p_memsz, relocated */
	uint64_t file_end;   /* from here to .end it began as zeros (.bss) */
	uint64_t offset;     /* of .start in the file */
	uint8_t permissions; /* enum segment_permission, as the file asks for */
};

struct module_image {
	const struct module_segment *segments; /* the PT_LOADs, in the file's order */
	size_t count;
	uint64_t relro_start, relro_end; /* PT_GNU_RELRO: writable only while relocating; 0, 0 */
	uint64_t dynamic, dynamic_size;	 /* PT_DYNAMIC; 0, 0 when there is none */
	uint64_t link_map; /* address of its struct link_map; 0 unknown (static, vdso) */
	/* PT_TLS: what every thread's block of this module begins as. tls_size 0: no TLS. */
	uint64_t tls_image, tls_file_size, tls_size, tls_align;
};

/* Borrowed; never NULL for a module of the list. Empty when its headers could not be read. */
const struct module_image *modules_image(const struct modules *modules,
					 const struct module *module);

/* The program itself, or NULL. */
const struct module *modules_executable(const struct modules *modules);

/* Where the program's dynamic section has the address of the loader's struct r_debug (DT_DEBUG, as
 * <link.h> tells): `*place` is the address of that word. False: the program has none, or its
 * section could not be read. */
bool modules_loader_place(const struct modules *modules, uint64_t *place);

/* The libc that the program itself calls (of link_namespace 0 where that is known), or NULL. */
const struct module *modules_libc(const struct modules *modules);

/* Whether one of the modules holds a Go runtime: then there need be no libc, and no malloc. */
bool modules_have_go(const struct modules *modules);

/* Modules' strings (names, paths, demangled symbols) live in this pool, as long as the modules. */
struct string_pool *modules_strings(struct modules *modules);

/* For threads/ alone: the session to attach the unwinder to. */
Dwfl *modules_dwfl(struct modules *modules);

struct symbol {
	const char *name;	/* demangled, with its parameters; in the pool */
	const char *linkage;	/* as in the symbol table */
	uint64_t address, size; /* size 0: unknown */
	const struct module *module;
	bool is_function;
	bool is_tls; /* .address is an offset in the module's TLS block, not an address */
};

/* The symbol that covers `address` (within its size; for symbols without size, the nearest one
 * below in the same section). */
bool modules_symbol_at(struct modules *modules, uint64_t address, struct symbol *symbol);

/* The definition of `linkage` in `module`; when NULL in the program, else in the first module that
 * has one, those of the program's own namespace first. Local
 * symbols count, from .symtab or the debug file; a global one is preferred. A version
 * ("@@GLIBC_2.2.5") is not part of the name. */
bool modules_symbol_named(struct modules *modules, const struct module *module, const char *linkage,
			  struct symbol *symbol);

/* Source file and line of `pc` (the caller has subtracted 1 for return addresses). */
bool modules_line(struct modules *modules, uint64_t pc, const char **file, unsigned *line);

/* The directory in which the unit that covers `pc` was compiled: what relative file names begin at.
 * NULL when it is not told. */
const char *modules_directory(struct modules *modules, uint64_t pc);

/* The compilation unit that covers `pc`, for source lines and inlined calls; also for compilers
 * that write no .debug_aranges (clang, rustc). `*bias` is the address in the target minus the
 * address in the DWARF. Both live as long as the modules. */
bool modules_unit(struct modules *modules, uint64_t pc, Dwarf_Die *unit, uint64_t *bias);

/* `linkage` demangled (C++, Rust) into the pool; itself when it is not mangled. The first gives
 * parameters, the second does not. */
const char *modules_demangle(struct modules *modules, const char *linkage);
const char *modules_demangle_short(struct modules *modules, const char *linkage);

#endif
