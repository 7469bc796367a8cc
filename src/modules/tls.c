/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "modules/tls.h"

#include "modules/modules_private.h"

#include <string.h>

/* link_map.l_tls_offset of a module whose blocks are only in the dtv. */
#define NO_OFFSET 0
/* More modules than a process can have. */
#define MODULE_ID_MAX 65536

/* A _thread_db_ symbol describes a field: its bits, its elements, its offset. */
struct field_description {
	uint32_t bits, elements, offset;
};

static bool describe_field(struct modules *modules, const char *name,
			   struct field_description *field)
{
	struct address_space *space = modules->target->space;
	struct symbol symbol;
	return modules_symbol_named(modules, NULL, name, &symbol) &&
	       address_space_u32(space, symbol.address, &field->bits) &&
	       address_space_u32(space, symbol.address + 4, &field->elements) &&
	       address_space_u32(space, symbol.address + 8, &field->offset) &&
	       field->bits <= 8 * 4096 && field->offset <= 65536;
}

static bool from_thread_db(struct modules *modules, struct tls_layout *layout)
{
	struct field_description offset, id, dtv, element, block;
	if (!describe_field(modules, "_thread_db_link_map_l_tls_offset", &offset) ||
	    !describe_field(modules, "_thread_db_link_map_l_tls_modid", &id) ||
	    !describe_field(modules, "_thread_db_pthread_dtvp", &dtv) ||
	    !describe_field(modules, "_thread_db_dtv_dtv", &element) ||
	    !describe_field(modules, "_thread_db_dtv_t_pointer_val", &block))
		return false;
	*layout = (struct tls_layout){
		.map_offset = offset.offset,
		.map_id = id.offset,
		.pthread_dtv = dtv.offset,
		.element_size = element.bits / 8,
		.element_block = block.offset,
		.evidence = LAYOUT_THREAD_DB,
	};
	return layout->element_size != 0;
}

static bool from_dwarf(struct modules *modules, struct tls_layout *layout)
{
	struct type_layout questions[] = {
		{ .type = "link_map",
		  .fields = { { .name = "l_tls_offset" }, { .name = "l_tls_modid" } } },
		{ .type = "pthread", .fields = { { .name = "header.dtv" } } },
		{ .type = "dtv_t", .fields = { { .name = "pointer.val" } } },
	};
	const struct module *libc = modules_libc(modules);
	struct tls_layout found = { .evidence = LAYOUT_DWARF };
	if (libc == NULL || type_layouts_from_dwarf(modules, libc, questions, 3) != 3 ||
	    !type_layout_offset(&questions[0], "l_tls_offset", &found.map_offset) ||
	    !type_layout_offset(&questions[0], "l_tls_modid", &found.map_id) ||
	    !type_layout_offset(&questions[1], "header.dtv", &found.pthread_dtv) ||
	    !type_layout_offset(&questions[2], "pointer.val", &found.element_block))
		return false;
	found.element_size = questions[2].size;
	*layout = found;
	return true;
}

bool tls_layout_find(struct modules *modules, struct tls_layout *layout)
{
	return from_thread_db(modules, layout) || from_dwarf(modules, layout);
}

/* A static program has no loader: its one block lies where the ELF TLS ABI puts the first. */
static bool static_block(const struct modules *modules, const struct module_image *image,
			 uint64_t thread_pointer, uint64_t *address)
{
	uint64_t align = image->tls_align != 0 ? image->tls_align : 1;
	if (!modules->target->arch->tls_below_thread_pointer || (align & (align - 1)) != 0 ||
	    (image->tls_image & (align - 1)) != 0)
		return false;
	*address = thread_pointer - ((image->tls_size + align - 1) & -align);
	return true;
}

bool tls_block(const struct modules *modules, const struct tls_layout *layout,
	       const struct module *module, uint64_t thread_pointer, uint64_t *address)
{
	const struct module_image *image = modules_image(modules, module);
	/* All bits set: in l_tls_offset "only in the dtv", as is 0; in the dtv "not allocated yet".
	 */
	const uint64_t none = modules->target->arch->word_size == 8 ? UINT64_MAX : UINT32_MAX;
	uint64_t offset, id, dtv, block;
	if (image->tls_size == 0 || thread_pointer == 0)
		return false;
	if (image->link_map == 0)
		return module->is_executable && module->link_namespace < 0 &&
		       static_block(modules, image, thread_pointer, address);
	if (layout->evidence == LAYOUT_NONE)
		return false;
	if (modules_word(modules, image->link_map + layout->map_offset, &offset) && offset != 0 &&
	    offset != none) {
		*address = modules->target->arch->tls_below_thread_pointer
			       ? thread_pointer - offset
			       : thread_pointer + offset;
		return true;
	}
	if (!modules_word(modules, image->link_map + layout->map_id, &id) || id == 0 ||
	    id > MODULE_ID_MAX ||
	    !modules_word(modules, thread_pointer + layout->pthread_dtv, &dtv) ||
	    !modules_word(modules, dtv + id * layout->element_size + layout->element_block,
			  &block) ||
	    block == none || block == 0)
		return false;
	*address = block;
	return true;
}
