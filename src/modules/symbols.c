/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "modules/demangle.h"
#include "modules/modules_private.h"
#include "modules/tls.h"

#include <string.h>

struct table_symbol {
	const char *name; /* libdwfl's, with a version after '@' */
	uint64_t address; /* in the target; of TLS symbols the offset */
	uint64_t end;	  /* of what it covers */
	uint64_t reach;	  /* the greatest .end up to this one, in address order */
	uint32_t next;	  /* in its hash bucket, plus 1; 0 ends */
	uint8_t type, binding;
	bool sized;
	bool in_code;
};

/* Sorted by address; TLS symbols stand after the others, which .addressed counts. */
struct symbol_table {
	ARRAY(struct table_symbol) symbols;
	size_t addressed;
	uint32_t *buckets; /* index + 1 */
	size_t bucket_mask;
};

void symbol_table_free(struct symbol_table *table)
{
	if (table == NULL)
		return;
	array_free(&table->symbols);
	free(table->buckets);
	free(table);
}

static size_t name_length(const char *name)
{
	return strcspn(name, "@");
}

static size_t hash_name(const char *name, size_t length)
{
	uint64_t hash = 14695981039346656037u;
	for (size_t i = 0; i < length; i++)
		hash = (hash ^ (unsigned char)name[i]) * 1099511628211u;
	return (size_t)(hash ^ hash >> 32);
}

/* Symbols that name no object: sections, files, and the mapping symbols ($x, $d) of ARM. */
static bool names_something(const char *name, const GElf_Sym *symbol, GElf_Word section)
{
	int type = GELF_ST_TYPE(symbol->st_info);
	return name != NULL && name[0] != '\0' && name[0] != '$' && name[0] != '@' &&
	       section != SHN_UNDEF && type != STT_SECTION && type != STT_FILE;
}

/* The end of the section that holds a symbol, in the target; 0 unknown. */
static uint64_t section_end(Elf *elf, GElf_Word index, const GElf_Sym *symbol, uint64_t address,
			    bool *in_code)
{
	GElf_Shdr header;
	*in_code = false;
	if (elf == NULL || index >= SHN_LORESERVE ||
	    gelf_getshdr(elf_getscn(elf, index), &header) == NULL)
		return 0;
	*in_code = (header.sh_flags & SHF_EXECINSTR) != 0;
	if (symbol->st_value < header.sh_addr || symbol->st_value - header.sh_addr > header.sh_size)
		return 0;
	return address + (header.sh_addr + header.sh_size - symbol->st_value);
}

static bool add_symbol(struct symbol_table *table, const struct module *module, int index)
{
	GElf_Sym raw;
	GElf_Addr address;
	GElf_Word section;
	Elf *elf;
	Dwarf_Addr bias;
	const char *name =
	    dwfl_module_getsym_info(module->dwfl, index, &raw, &address, &section, &elf, &bias);
	if (!names_something(name, &raw, section))
		return true;
	struct table_symbol symbol = {
		.name = name,
		.address = address,
		.type = GELF_ST_TYPE(raw.st_info),
		.binding = GELF_ST_BIND(raw.st_info),
		.sized = raw.st_size != 0,
	};
	uint64_t limit = section_end(elf, section, &raw, address, &symbol.in_code);
	if (symbol.type == STT_TLS) {
		symbol.address = raw.st_value;
		symbol.end = raw.st_value + raw.st_size;
	} else if (address < module->start || address >= module->end) {
		return true;
	} else if (symbol.sized) {
		symbol.end =
		    raw.st_size < module->end - address ? address + raw.st_size : module->end;
	} else {
		symbol.end = symbol.in_code && limit > address ? limit : address;
	}
	return array_push(&table->symbols, symbol);
}

/* Lower is the better name for one address. */
static int rank(const struct table_symbol *symbol)
{
	static const uint8_t bindings[] = { [STB_GLOBAL] = 0, [STB_WEAK] = 1, [STB_LOCAL] = 2 };
	int untyped = symbol->type == STT_NOTYPE, unsized = !symbol->sized;
	int underscores = (int)strspn(symbol->name, "_");
	int binding = symbol->binding < 3 ? bindings[symbol->binding] : 3;
	return unsized * 1024 + untyped * 512 + (underscores < 15 ? underscores : 15) * 16 +
	       binding;
}

/* By address; for one address the best name last, which a search from above meets first. */
static int by_address(const void *a, const void *b)
{
	const struct table_symbol *p = a, *q = b;
	bool p_tls = p->type == STT_TLS, q_tls = q->type == STT_TLS;
	if (p_tls != q_tls)
		return p_tls ? 1 : -1;
	if (p->address != q->address)
		return p->address > q->address ? 1 : -1;
	int difference = rank(q) - rank(p);
	return difference != 0 ? difference : strcmp(q->name, p->name);
}

static bool build_hash(struct symbol_table *table)
{
	size_t buckets = 16;
	while (buckets < table->symbols.count)
		buckets *= 2;
	table->buckets = calloc(buckets, sizeof *table->buckets);
	if (table->buckets == NULL)
		return false;
	table->bucket_mask = buckets - 1;
	for (size_t i = 0; i < table->symbols.count; i++) {
		struct table_symbol *symbol = &table->symbols.items[i];
		size_t bucket =
		    hash_name(symbol->name, name_length(symbol->name)) & table->bucket_mask;
		symbol->next = table->buckets[bucket];
		table->buckets[bucket] = (uint32_t)i + 1;
	}
	return true;
}

/* What has no size covers the code up to the next symbol. */
static void bound_unsized(struct symbol_table *table)
{
	uint64_t next = UINT64_MAX, current = UINT64_MAX, reach = 0;
	for (size_t i = table->addressed; i-- > 0;) {
		struct table_symbol *symbol = &table->symbols.items[i];
		if (symbol->address != current) {
			next = current;
			current = symbol->address;
		}
		if (!symbol->sized && symbol->end > next)
			symbol->end = next;
	}
	for (size_t i = 0; i < table->addressed; i++) {
		struct table_symbol *symbol = &table->symbols.items[i];
		reach = symbol->end > reach ? symbol->end : reach;
		symbol->reach = reach;
	}
}

/* The module's symbols, read when first asked for; NULL when it has none. */
static const struct symbol_table *table_of(struct modules *modules, const struct module *module)
{
	struct module_entry *entry = modules_entry(modules, module);
	if (entry->symbols != NULL)
		return entry->symbols;
	if (module->dwfl == NULL)
		return NULL;
	struct symbol_table *table = calloc(1, sizeof *table);
	if (table == NULL)
		return NULL;
	int count = dwfl_module_getsymtab(module->dwfl);
	for (int i = 1; i < count; i++)
		if (!add_symbol(table, module, i))
			break;
	if (table->symbols.count != 0)
		qsort(table->symbols.items, table->symbols.count, sizeof *table->symbols.items,
		      by_address);
	while (table->addressed < table->symbols.count &&
	       table->symbols.items[table->addressed].type != STT_TLS)
		table->addressed++;
	bound_unsized(table);
	if (!build_hash(table)) {
		symbol_table_free(table);
		return NULL;
	}
	entry->symbols = table;
	return table;
}

static void tell(struct modules *modules, const struct module *module,
		 const struct table_symbol *found, struct symbol *symbol)
{
	const char *linkage = string_pool_format(modules->strings, "%.*s",
						 (int)name_length(found->name), found->name);
	*symbol = (struct symbol){
		.name = modules_demangle(modules, linkage),
		.linkage = linkage,
		.address = found->address,
		.size = found->sized ? found->end - found->address : 0,
		.module = module,
		.is_function = found->type == STT_FUNC || found->type == STT_GNU_IFUNC ||
			       (found->type == STT_NOTYPE && found->in_code),
		.is_tls = found->type == STT_TLS,
	};
}

/* The last symbol at or below `address`, plus 1. */
static size_t upper_bound(const struct symbol_table *table, uint64_t address)
{
	size_t low = 0, high = table->addressed;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (table->symbols.items[middle].address <= address)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

bool modules_symbol_at(struct modules *modules, uint64_t address, struct symbol *symbol)
{
	const struct module *module = modules_find(modules, address);
	const struct symbol_table *table = module != NULL ? table_of(modules, module) : NULL;
	const struct table_symbol *unsized = NULL;
	if (table == NULL)
		return false;
	for (size_t i = upper_bound(table, address); i-- > 0;) {
		const struct table_symbol *candidate = &table->symbols.items[i];
		if (candidate->reach <= address)
			break;
		if (candidate->end <= address)
			continue;
		if (candidate->sized) {
			tell(modules, module, candidate, symbol);
			return true;
		}
		if (unsized == NULL)
			unsized = candidate;
	}
	if (unsized == NULL)
		return false;
	tell(modules, module, unsized, symbol);
	return true;
}

bool tls_symbol_at(struct modules *modules, const struct module *module, uint64_t offset,
		   struct symbol *symbol)
{
	const struct symbol_table *table = table_of(modules, module);
	if (table == NULL)
		return false;
	for (size_t i = table->symbols.count; i-- > table->addressed;) {
		const struct table_symbol *candidate = &table->symbols.items[i];
		if (offset < candidate->address || offset >= candidate->end)
			continue;
		tell(modules, module, candidate, symbol);
		return true;
	}
	return false;
}

static bool symbol_in(struct modules *modules, const struct module *module, const char *linkage,
		      struct symbol *symbol)
{
	const struct symbol_table *table = table_of(modules, module);
	const struct table_symbol *best = NULL;
	size_t length = strlen(linkage);
	if (table == NULL)
		return false;
	for (uint32_t i = table->buckets[hash_name(linkage, length) & table->bucket_mask]; i != 0;
	     i = table->symbols.items[i - 1].next) {
		const struct table_symbol *candidate = &table->symbols.items[i - 1];
		if (name_length(candidate->name) == length &&
		    memcmp(candidate->name, linkage, length) == 0 &&
		    (best == NULL || rank(candidate) < rank(best)))
			best = candidate;
	}
	if (best == NULL)
		return false;
	tell(modules, module, best, symbol);
	return true;
}

bool modules_symbol_named(struct modules *modules, const struct module *module, const char *linkage,
			  struct symbol *symbol)
{
	if (module != NULL)
		return symbol_in(modules, module, linkage, symbol);
	module = modules_executable(modules);
	if (module != NULL && symbol_in(modules, module, linkage, symbol))
		return true;
	for (int others = 0; others < 2; others++)
		for (size_t i = 0; i < modules->entries.count; i++) {
			module = &modules->list[i];
			if ((module->link_namespace > 0) == (others != 0) &&
			    symbol_in(modules, module, linkage, symbol))
				return true;
		}
	return false;
}

static const char *demangled(struct modules *modules, const char *linkage, bool parameters)
{
	char *text = linkage != NULL ? demangle(linkage, parameters) : NULL;
	const char *kept = string_pool_add(modules->strings, text != NULL ? text : linkage);
	free(text);
	return kept;
}

const char *modules_demangle(struct modules *modules, const char *linkage)
{
	return demangled(modules, linkage, true);
}

const char *modules_demangle_short(struct modules *modules, const char *linkage)
{
	return demangled(modules, linkage, false);
}
