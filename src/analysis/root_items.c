/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "analysis/root_items.h"

#include "analysis/words.h"
#include "base/bytes.h"
#include "modules/tls.h"

#include <elf.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define NO_ITEM	      UINT32_MAX
#define SPECIFIC_SIZE 512 /* of the keys in struct pthread itself: 32 of two words */

/* A range of memory that belongs to a thread, and what it is. */
struct part {
	uint64_t start, end;
	struct root_item item;
	uint32_t number; /* of the item, once it has one */
	uint64_t block;	 /* ROOT_ITEM_TLS: where the module's block begins */
};

typedef ARRAY(struct part) part_list;

struct splitting {
	const struct subject *subject;
	struct root_items *items;
	part_list fixed;	/* thread-local storage and struct pthread, by address */
	part_list frames;	/* by address */
	uint32_t *module_items; /* the item of each module's rest, or NO_ITEM */
	const struct module *modules;
	size_t module_count;
	uint64_t symbol; /* the variable last seen, which may go on in the next mapping */
	uint32_t symbol_item;
};

/* Parts of threads. */

static int by_start(const void *left, const void *right)
{
	const struct part *a = left, *b = right;
	if (a->start != b->start)
		return a->start < b->start ? -1 : 1;
	return a->end < b->end ? -1 : a->end > b->end;
}

/* Sorted, and without overlaps: what begins first is cut where the next one begins. */
static void tidy(part_list *list)
{
	if (list->count == 0)
		return;
	qsort(list->items, list->count, sizeof *list->items, by_start);
	for (size_t i = 0; i + 1 < list->count; i++)
		if (list->items[i].end > list->items[i + 1].start)
			list->items[i].end = list->items[i + 1].start;
}

static bool add_part(part_list *list, uint64_t start, uint64_t end, const struct root_item *item)
{
	if (start >= end)
		return true;
	return array_push(
	    list,
	    (struct part){
		.start = start, .end = end, .item = *item, .number = NO_ITEM, .block = start });
}

/* Each frame from its SP to that of its caller; inlined ones are parts of the one that holds them.
 * The outermost ends where the stack does, if the stack is known to end with it. */
static bool add_frames(struct splitting *splitting, const struct thread *thread)
{
	const struct frame *frame = NULL;
	struct root_item item = { .kind = ROOT_ITEM_FRAME, .thread = thread };
	for (size_t i = 0; i <= thread->frame_count; i++) {
		const struct frame *next = i < thread->frame_count ? &thread->frames[i] : NULL;
		if (next != NULL && next->inlined)
			continue;
		uint64_t end = next != NULL		     ? next->sp
			       : thread->stop_reason == NULL ? thread->stack_end
							     : 0;
		if (frame != NULL && frame->sp != 0) {
			item.frame = frame;
			item.module = frame->module;
			item.address = frame->sp;
			if (!add_part(&splitting->frames, frame->sp, end, &item))
				return false;
		}
		frame = next;
	}
	return true;
}

static bool add_pthread(struct splitting *splitting, const struct thread *thread)
{
	const struct glibc_pthreads *pthreads = splitting->subject->pthreads;
	if (pthreads == NULL || thread->thread_pointer == 0 || pthreads->layout.size == 0)
		return true;
	const struct glibc_pthread *pthread = glibc_pthreads_at(pthreads, thread->thread_pointer);
	if (pthread == NULL)
		return true;
	struct root_item item = { .kind = ROOT_ITEM_THREAD,
				  .thread = thread,
				  .address = pthread->address };
	uint64_t end = pthread->address + pthreads->layout.size, from = pthread->address;
	if (pthreads->layout.specific_first_block > 0 &&
	    (uint32_t)pthreads->layout.specific_first_block + SPECIFIC_SIZE <=
		pthreads->layout.size) {
		struct root_item specific = item;
		specific.kind = ROOT_ITEM_SPECIFIC;
		specific.address += (uint32_t)pthreads->layout.specific_first_block;
		if (!add_part(&splitting->fixed, from, specific.address, &item) ||
		    !add_part(&splitting->fixed, specific.address, specific.address + SPECIFIC_SIZE,
			      &specific))
			return false;
		from = specific.address + SPECIFIC_SIZE;
	}
	return add_part(&splitting->fixed, from, end, &item);
}

static bool add_tls(struct splitting *splitting, const struct tls_layout *layout,
		    const struct thread *thread)
{
	const struct subject *subject = splitting->subject;
	for (size_t i = 0; i < splitting->module_count; i++) {
		const struct module *module = &splitting->modules[i];
		uint64_t size = modules_image(subject->modules, module)->tls_size, block;
		struct root_item item = { .kind = ROOT_ITEM_TLS,
					  .thread = thread,
					  .module = module };
		if (size == 0 ||
		    !tls_block(subject->modules, layout, module, thread->thread_pointer, &block))
			continue;
		item.address = block;
		if (block + size > block &&
		    !add_part(&splitting->fixed, block, block + size, &item))
			return false;
	}
	return true;
}

static bool find_parts(struct splitting *splitting)
{
	const struct subject *subject = splitting->subject;
	struct tls_layout layout = { .evidence = LAYOUT_NONE };
	if (subject->modules != NULL)
		tls_layout_find(subject->modules, &layout);
	for (size_t i = 0; subject->threads != NULL && i < subject->threads->count; i++) {
		const struct thread *thread = &subject->threads->items[i];
		if (!add_frames(splitting, thread) || !add_pthread(splitting, thread) ||
		    !add_tls(splitting, &layout, thread))
			return false;
	}
	tidy(&splitting->fixed);
	tidy(&splitting->frames);
	return true;
}

/* The index of the first part that ends above `address`. */
static size_t part_from(const part_list *list, uint64_t address)
{
	size_t low = 0, high = list->count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (list->items[middle].end > address)
			high = middle;
		else
			low = middle + 1;
	}
	return low;
}

/* The part that holds `address`, or NULL; `*until` comes down to where another one begins. */
static struct part *part_at(const part_list *list, uint64_t address, uint64_t *until)
{
	size_t at = part_from(list, address);
	while (at < list->count && list->items[at].start >= list->items[at].end)
		at++;
	if (at == list->count)
		return NULL;
	struct part *part = &list->items[at];
	if (part->start <= address) {
		if (part->end < *until)
			*until = part->end;
		return part;
	}
	if (part->start < *until)
		*until = part->start;
	return NULL;
}

/* Items and their sources. */

static bool add_item(struct splitting *splitting, const struct root_item *item, uint32_t *number)
{
	*number = (uint32_t)splitting->items->items.count;
	return array_push(&splitting->items->items, *item);
}

static bool add_memory(struct splitting *splitting, uint32_t item, uint64_t start, uint64_t end)
{
	return array_push(&splitting->items->sources,
			  (struct dominator_source){ .item = item, .start = start, .end = end });
}

/* The first word in [*at, end) that points to a chunk in use. Aligned as the mark's. */
static bool next_pointer(const struct subject *subject, uint64_t *at, uint64_t end)
{
	const struct arch *arch = subject->target->arch;
	size_t word = arch->word_size;
	while (*at + word <= end) {
		const uint8_t *bytes;
		uint64_t got = address_space_span(subject->target->space, *at, end - *at, &bytes);
		for (uint64_t i = 0; i + word <= got; i += word) {
			struct chunk chunk;
			uint64_t value =
			    bytes_unsigned(bytes + i, word, arch->elf_data == ELFDATA2MSB);
			if (!chunk_table_find(subject->heap->chunks, value, &chunk) || !chunk.used)
				continue;
			*at += i;
			return true;
		}
		*at += got - got % word;
		if (got < word)
			*at += arch->page_size - *at % arch->page_size;
	}
	return false;
}

static bool module_item(struct splitting *splitting, const struct module *module, uint32_t *number)
{
	size_t index = (size_t)(module - splitting->modules);
	if (index < splitting->module_count && splitting->module_items[index] != NO_ITEM) {
		*number = splitting->module_items[index];
		return true;
	}
	struct root_item item = { .kind = ROOT_ITEM_MODULE,
				  .module = module,
				  .address = module->start };
	if (!add_item(splitting, &item, number))
		return false;
	if (index < splitting->module_count)
		splitting->module_items[index] = *number;
	return true;
}

static bool symbol_item(struct splitting *splitting, const struct symbol *symbol, uint32_t *number)
{
	struct root_item item = { .kind = ROOT_ITEM_SYMBOL,
				  .module = symbol->module,
				  .symbol = symbol->name,
				  .address = symbol->address };
	*number = splitting->symbol_item;
	if (*number != NO_ITEM && splitting->symbol == symbol->address)
		return true;
	splitting->symbol = symbol->address;
	if (!add_item(splitting, &item, number))
		return false;
	splitting->symbol_item = *number;
	return true;
}

/* Variables of a module, by the pointers in them. */
static bool split_module(struct splitting *splitting, const struct module *module, uint64_t at,
			 uint64_t end)
{
	const struct subject *subject = splitting->subject;
	size_t word = subject->target->arch->word_size;
	for (uint64_t until; next_pointer(subject, &at, end); at = until) {
		struct symbol symbol;
		uint32_t number;
		until = at + word;
		if (!modules_symbol_at(subject->modules, at, &symbol) || symbol.is_function) {
			if (!module_item(splitting, module, &number))
				return false;
		} else if (!symbol_item(splitting, &symbol, &number)) {
			return false;
		} else if (symbol.size > at - symbol.address) {
			until = symbol.address + symbol.size;
		}
		/* Words stay aligned, where a variable is not. */
		until = at + (until - at + word - 1) / word * word;
		if (until > end || until < at)
			until = end;
		if (!add_memory(splitting, number, at, until))
			return false;
	}
	return true;
}

/* Variables of a block of thread-local storage, by the pointers in them. */
static bool split_tls(struct splitting *splitting, struct part *part, uint64_t at, uint64_t end)
{
	const struct subject *subject = splitting->subject;
	size_t word = subject->target->arch->word_size;
	for (uint64_t until; next_pointer(subject, &at, end); at = until) {
		struct symbol symbol;
		uint32_t number = part->number;
		until = at + word;
		if (tls_symbol_at(subject->modules, part->item.module, at - part->block, &symbol)) {
			struct root_item item = part->item;
			item.symbol = symbol.name;
			item.address = part->block + symbol.address;
			if (!add_item(splitting, &item, &number))
				return false;
			if (item.address + symbol.size > until)
				until = item.address + symbol.size;
			until = at + (until - at + word - 1) / word * word;
		} else if (number == NO_ITEM) {
			if (!add_item(splitting, &part->item, &part->number))
				return false;
			number = part->number;
		}
		if (until > end)
			until = end;
		if (!add_memory(splitting, number, at, until))
			return false;
	}
	return true;
}

static bool split_part(struct splitting *splitting, struct part *part, uint64_t start, uint64_t end)
{
	if (part->item.kind == ROOT_ITEM_TLS)
		return split_tls(splitting, part, start, end);
	if (part->number == NO_ITEM && !add_item(splitting, &part->item, &part->number))
		return false;
	return add_memory(splitting, part->number, start, end);
}

/* What is in no part. `*number` is the root's own item. */
static bool split_rest(struct splitting *splitting, const struct root *root, uint64_t start,
		       uint64_t end, uint32_t *number)
{
	static const enum root_item_kind kinds[ROOT_KIND_COUNT] = {
		[ROOT_STACK] = ROOT_ITEM_STACK,	    [ROOT_RED_ZONE] = ROOT_ITEM_RED_ZONE,
		[ROOT_TLS] = ROOT_ITEM_MAPPING,	    [ROOT_MODULE_DATA] = ROOT_ITEM_MODULE,
		[ROOT_MAPPING] = ROOT_ITEM_MAPPING, [ROOT_EXITED_THREAD] = ROOT_ITEM_EXITED,
	};
	if (root->kind == ROOT_MODULE_DATA && root->module != NULL)
		return split_module(splitting, root->module, start, end);
	struct root_item item = { .kind = kinds[root->kind],
				  .thread = root->thread,
				  .module = root->module,
				  .address = start };
	if (*number == NO_ITEM && !add_item(splitting, &item, number))
		return false;
	return add_memory(splitting, *number, start, end);
}

static bool split_memory(struct splitting *splitting, const struct root *root)
{
	const unsigned word = splitting->subject->target->arch->word_size;
	uint32_t rest = NO_ITEM;
	for (uint64_t at = root->start, until; at < root->end; at = until) {
		until = root->end;
		struct part *part = part_at(&splitting->fixed, at, &until);
		if (part == NULL && root->kind != ROOT_RED_ZONE)
			part = part_at(&splitting->frames, at, &until);
		/* Words stay aligned, where a part is not. */
		until = at + (until - at + word - 1) / word * word;
		if (until > root->end)
			until = root->end;
		bool fits = part != NULL ? split_part(splitting, part, at, until)
					 : split_rest(splitting, root, at, until, &rest);
		if (!fits)
			return false;
	}
	return true;
}

static bool split_registers(struct splitting *splitting, const struct root *root)
{
	const struct arch *arch = splitting->subject->target->arch;
	const struct registers *registers = &root->thread->raw->registers;
	struct root_item item = { .kind = ROOT_ITEM_REGISTER, .thread = root->thread };
	uint32_t number;
	const uint8_t *general = registers->general;
	if (root->bytes < general || root->bytes >= general + sizeof registers->general)
		return add_item(splitting, &item, &number) &&
		       array_push(&splitting->items->sources,
				  (struct dominator_source){
				      .item = number, .bytes = root->bytes, .size = root->size });
	for (size_t i = 0; i < arch->register_count; i++) {
		const struct arch_register *row = &arch->registers[i];
		const uint8_t *bytes = general + row->offset;
		if (bytes < root->bytes || bytes + row->size > root->bytes + root->size)
			continue;
		item.symbol = row->name;
		if (!add_item(splitting, &item, &number) ||
		    !array_push(&splitting->items->sources,
				(struct dominator_source){
				    .item = number, .bytes = bytes, .size = row->size }))
			return false;
	}
	return true;
}

static int by_item(const void *left, const void *right)
{
	const struct dominator_source *a = left, *b = right;
	if (a->item != b->item)
		return a->item < b->item ? -1 : 1;
	return a->start < b->start ? -1 : a->start > b->start;
}

static bool split_all(struct splitting *splitting, const struct roots *roots,
		      enum root_strength strength)
{
	struct modules *modules = splitting->subject->modules;
	if (modules != NULL)
		splitting->modules = modules_list(modules, &splitting->module_count);
	splitting->module_items =
	    malloc((splitting->module_count + 1) * sizeof *splitting->module_items);
	if (splitting->module_items == NULL || !find_parts(splitting))
		return false;
	for (size_t i = 0; i < splitting->module_count; i++)
		splitting->module_items[i] = NO_ITEM;
	for (size_t i = 0; i < roots->list.count; i++) {
		const struct root *root = &roots->list.items[i];
		if (root->strength != strength || root->kind == ROOT_KERNEL)
			continue;
		if (!(root->bytes != NULL ? split_registers(splitting, root)
					  : split_memory(splitting, root)))
			return false;
	}
	return true;
}

struct error *root_items_find(const struct subject *subject, const struct roots *roots,
			      enum root_strength strength, struct root_items *items)
{
	struct root_items made = { 0 };
	struct splitting splitting = { .subject = subject, .items = &made, .symbol_item = NO_ITEM };
	bool fits = split_all(&splitting, roots, strength);
	array_free(&splitting.fixed);
	array_free(&splitting.frames);
	free(splitting.module_items);
	if (!fits) {
		root_items_free(&made);
		return error_no_memory();
	}
	if (made.sources.count > 0)
		qsort(made.sources.items, made.sources.count, sizeof *made.sources.items, by_item);
	*items = made;
	return NULL;
}

void root_items_free(struct root_items *items)
{
	array_free(&items->items);
	array_free(&items->sources);
}

/* Names. */

static void add_thread(struct words *words, const struct thread *thread)
{
	if (thread == NULL)
		return;
	words_add(words, "thread %" PRId32, thread->tid);
	if (thread->name != NULL && thread->name[0] != '\0')
		words_add(words, " \"%s\"", thread->name);
	words_add(words, " ");
}

static void add_frame(struct words *words, const struct frame *frame)
{
	if (frame->function == NULL)
		words_add(words, "0x%" PRIx64 "%s%s", frame->pc,
			  frame->module != NULL ? " in " : "",
			  frame->module != NULL ? frame->module->name : "");
	else
		words_add(words, strchr(frame->function, '(') != NULL ? "%s" : "%s()",
			  frame->function);
}

static void add_mapping(const struct subject *subject, const struct root_item *item,
			struct words *words)
{
	const struct segment *segment = address_space_find(subject->target->space, item->address);
	const char *name = segment != NULL ? segment->name : NULL;
	words_add(words, "mapping 0x%" PRIx64 " (%s)", item->address,
		  name != NULL ? name : "anonymous");
}

static void add_tls_name(const struct root_item *item, struct words *words)
{
	if (item->symbol != NULL)
		words_add(words, "<%s> (thread-local)", item->symbol);
	else
		words_add(words, "thread-local storage of %s", item->module->name);
}

const char *root_item_name(const struct subject *subject, const struct root_item *item,
			   struct string_pool *strings)
{
	struct words words = { 0 };
	add_thread(&words, item->thread);
	switch (item->kind) {
	case ROOT_ITEM_SYMBOL:
		words_add(&words, "<%s>", item->symbol);
		break;
	case ROOT_ITEM_MODULE:
		words_add(&words, "data of %s without a symbol",
			  item->module != NULL ? item->module->name : "a module");
		break;
	case ROOT_ITEM_FRAME:
		add_frame(&words, item->frame);
		break;
	case ROOT_ITEM_STACK:
		words_add(&words, item->thread != NULL ? "stack outside of its frames"
						       : "stack of a thread that is not listed");
		break;
	case ROOT_ITEM_RED_ZONE:
		words_add(&words, "red zone");
		break;
	case ROOT_ITEM_TLS:
		add_tls_name(item, &words);
		break;
	case ROOT_ITEM_THREAD:
		words_add(&words, "struct pthread");
		break;
	case ROOT_ITEM_SPECIFIC:
		words_add(&words, "thread-specific data");
		break;
	case ROOT_ITEM_REGISTER:
		words_add(&words, item->symbol != NULL ? "register %s" : "vector registers",
			  item->symbol);
		break;
	case ROOT_ITEM_EXITED:
		words_add(&words, "result of an exited thread");
		break;
	case ROOT_ITEM_MAPPING:
	case ROOT_ITEM_KIND_COUNT:
		add_mapping(subject, item, &words);
		break;
	}
	return string_pool_add(strings, words.text);
}

const char *root_item_kind_name(enum root_item_kind kind)
{
	static const char *const names[ROOT_ITEM_KIND_COUNT] = {
		[ROOT_ITEM_SYMBOL] = "symbol",	       [ROOT_ITEM_MODULE] = "module data",
		[ROOT_ITEM_FRAME] = "frame",	       [ROOT_ITEM_STACK] = "stack",
		[ROOT_ITEM_RED_ZONE] = "red zone",     [ROOT_ITEM_TLS] = "thread-local",
		[ROOT_ITEM_THREAD] = "struct pthread", [ROOT_ITEM_SPECIFIC] = "thread-specific",
		[ROOT_ITEM_REGISTER] = "register",     [ROOT_ITEM_MAPPING] = "mapping",
		[ROOT_ITEM_EXITED] = "exited thread",
	};
	return names[kind];
}
