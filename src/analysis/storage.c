/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "analysis/storage.h"

#include "analysis/words.h"
#include "modules/tls.h"

#include <inttypes.h>
#include <string.h>

#define NEGATIVE_MAX	65536 /* numbers below 0 that are told as such */
#define NULL_AREA	65536
#define KEYS_IN_PTHREAD 32 /* of struct pthread.specific_1stblock: PTHREAD_KEY_2NDLEVEL_SIZE */

/* A thread's block of a module. */
struct tls_range {
	uint64_t start, end;
	const struct module *module;
	const struct thread *thread;
};

struct storage_map {
	const struct subject *subject;
	const struct kernel_held *kernel;  /* of the roots, or NULL */
	ARRAY(const struct root *) memory; /* the roots that are memory, by address */
	ARRAY(struct tls_range) tls;	   /* by address */
};

static int by_root_start(const void *left, const void *right)
{
	const struct root *a = *(const struct root *const *)left;
	const struct root *b = *(const struct root *const *)right;
	return a->start < b->start ? -1 : a->start > b->start;
}

static int by_tls_start(const void *left, const void *right)
{
	const struct tls_range *a = left, *b = right;
	return a->start < b->start ? -1 : a->start > b->start;
}

static bool take_roots(struct storage_map *map, const struct roots *roots)
{
	for (size_t i = 0; roots != NULL && i < roots->list.count; i++)
		if (roots->list.items[i].bytes == NULL &&
		    !array_push(&map->memory, &roots->list.items[i]))
			return false;
	if (map->memory.count > 0)
		qsort(map->memory.items, map->memory.count, sizeof *map->memory.items,
		      by_root_start);
	return true;
}

static bool take_tls(struct storage_map *map)
{
	const struct subject *subject = map->subject;
	struct tls_layout layout = { .evidence = LAYOUT_NONE };
	if (subject->modules == NULL || subject->threads == NULL)
		return true;
	tls_layout_find(subject->modules, &layout);
	size_t count;
	const struct module *modules = modules_list(subject->modules, &count);
	for (size_t i = 0; i < count; i++) {
		uint64_t size = modules_image(subject->modules, &modules[i])->tls_size;
		for (size_t k = 0; size != 0 && k < subject->threads->count; k++) {
			const struct thread *thread = &subject->threads->items[k];
			uint64_t start;
			if (tls_block(subject->modules, &layout, &modules[i],
				      thread->thread_pointer, &start) &&
			    start + size > start &&
			    !array_push(&map->tls, (struct tls_range){ start, start + size,
								       &modules[i], thread }))
				return false;
		}
	}
	if (map->tls.count > 0)
		qsort(map->tls.items, map->tls.count, sizeof *map->tls.items, by_tls_start);
	return true;
}

struct error *storage_map_new(const struct subject *subject, const struct roots *roots,
			      struct storage_map **map)
{
	struct storage_map *made = calloc(1, sizeof *made);
	if (made == NULL)
		return error_no_memory();
	made->subject = subject;
	made->kernel = roots != NULL ? &roots->kernel : NULL;
	if (!take_roots(made, roots) || !take_tls(made)) {
		storage_map_free(made);
		return error_no_memory();
	}
	*map = made;
	return NULL;
}

void storage_map_free(struct storage_map *map)
{
	if (map == NULL)
		return;
	array_free(&map->memory);
	array_free(&map->tls);
	free(map);
}

/* Looking up. */

static const struct root *root_at(const struct storage_map *map, uint64_t address)
{
	size_t low = 0, high = map->memory.count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (map->memory.items[middle]->start <= address)
			low = middle + 1;
		else
			high = middle;
	}
	return low > 0 && address < map->memory.items[low - 1]->end ? map->memory.items[low - 1]
								    : NULL;
}

static const struct tls_range *tls_at(const struct storage_map *map, uint64_t address)
{
	size_t low = 0, high = map->tls.count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (map->tls.items[middle].start <= address)
			low = middle + 1;
		else
			high = middle;
	}
	return low > 0 && address < map->tls.items[low - 1].end ? &map->tls.items[low - 1] : NULL;
}

static bool in_tls(const struct storage_map *map, uint64_t address, struct storage *storage)
{
	const struct tls_range *range = tls_at(map, address);
	if (range == NULL)
		return false;
	struct symbol symbol;
	storage->kind = STORAGE_TLS;
	storage->module = range->module;
	storage->thread = range->thread;
	storage->offset = address - range->start;
	if (tls_symbol_at(map->subject->modules, range->module, address - range->start, &symbol)) {
		storage->name = symbol.name;
		storage->offset -= symbol.address;
	}
	return true;
}

static const struct thread *thread_of(const struct subject *subject,
				      const struct glibc_pthread *pthread)
{
	const struct threads *threads = subject->threads;
	if (threads == NULL || pthread->state != GLIBC_STACK_RUNNING)
		return NULL;
	for (size_t i = 0; i < threads->count; i++)
		if (threads->items[i].thread_pointer == pthread->address)
			return &threads->items[i];
	return threads_find(threads, pthread->tid);
}

/* struct pthread of a thread that runs, or whose result waits to be fetched. */
static bool in_pthread(const struct storage_map *map, uint64_t address, struct storage *storage)
{
	const struct subject *subject = map->subject;
	if (subject->pthreads == NULL)
		return false;
	const struct glibc_pthread *pthread = glibc_pthreads_at(subject->pthreads, address);
	if (pthread == NULL || pthread->state == GLIBC_STACK_CACHED)
		return false;
	const uint64_t word = subject->target->arch->word_size;
	const struct glibc_pthread_layout *layout = &subject->pthreads->layout;
	const int32_t keys = layout->specific_first_block;
	storage->kind = STORAGE_PTHREAD;
	storage->thread = thread_of(subject, pthread);
	storage->offset = address - pthread->address;
	if (layout->dtv > 0 && storage->offset - (uint64_t)layout->dtv < word)
		storage->name = "dtv";
	else if (layout->result > 0 && storage->offset - (uint64_t)layout->result < word)
		storage->name = "result";
	if (keys < 0 || storage->offset < (uint64_t)keys)
		return true;
	uint64_t in_keys = storage->offset - (uint64_t)keys;
	if (in_keys < 2 * word * KEYS_IN_PTHREAD && in_keys % (2 * word) >= word) {
		storage->kind = STORAGE_PTHREAD_KEY;
		storage->name = string_pool_format(modules_strings(subject->modules), "%" PRIu64,
						   in_keys / (2 * word));
		storage->offset = in_keys % word;
	}
	return true;
}

/* The physical frame around `address`: the one with the highest SP at or below it. How far up the
 * outermost one reaches is not known. */
static void find_frame(const struct thread *thread, uint64_t address, struct storage *storage)
{
	uint64_t above = UINT64_MAX;
	storage->frame = NULL;
	for (size_t i = 0; i < thread->frame_count; i++) {
		const struct frame *frame = &thread->frames[i];
		if (frame->inlined || frame->sp == 0)
			continue;
		if (frame->sp > address) {
			above = frame->sp < above ? frame->sp : above;
			continue;
		}
		if (storage->frame == NULL || frame->sp >= storage->frame->sp) {
			storage->frame = frame;
			storage->frame_number = i;
		}
	}
	if (above == UINT64_MAX)
		storage->frame = NULL;
	if (storage->frame != NULL)
		storage->offset = address - storage->frame->sp;
}

static void in_stack(uint64_t address, const struct thread *thread, struct storage *storage)
{
	const struct root *root = storage->root;
	storage->kind = STORAGE_STACK;
	storage->thread = thread;
	if (root != NULL && root->kind == ROOT_RED_ZONE) {
		storage->kind = STORAGE_RED_ZONE;
		storage->offset = root->end - address;
		return;
	}
	storage->offset = root != NULL ? address - root->start : address - thread->stack_start;
	find_frame(thread, address, storage);
}

/* Whether the stack of a thread, in its block or mapping, is unused there, or its thread gone. */
static bool in_unused_stack(const struct storage_map *map, uint64_t address,
			    struct storage *storage)
{
	const struct glibc_pthreads *pthreads = map->subject->pthreads;
	for (size_t i = 0; pthreads != NULL && i < pthreads->count; i++) {
		const struct glibc_pthread *pthread = &pthreads->items[i];
		if (address < pthread->stack_start || address >= pthread->stack_end)
			continue;
		storage->kind = STORAGE_UNUSED_STACK;
		storage->thread = thread_of(map->subject, pthread);
		storage->offset = address - pthread->stack_start;
		return true;
	}
	const struct segment *segment = storage->place.segment;
	const struct threads *threads = map->subject->threads;
	for (size_t i = 0; threads != NULL && i < threads->count; i++) {
		const struct thread *thread = &threads->items[i];
		if (!thread->is_main || segment == NULL || address >= thread->stack_start ||
		    thread->stack_start < segment->start || thread->stack_start >= segment->end)
			continue;
		storage->kind = STORAGE_UNUSED_STACK;
		storage->thread = thread;
		storage->offset = address - segment->start;
		return true;
	}
	return false;
}

/* The places that describe_address knows. */
static void in_place(const struct storage_map *map, uint64_t address, struct storage *storage)
{
	const struct place *place = &storage->place;
	const struct root *root = storage->root;
	switch (place->kind) {
	case PLACE_UNMAPPED:
		storage->kind = describe_canonical(map->subject, address) ? STORAGE_UNMAPPED
									  : STORAGE_NOT_CANONICAL;
		return;
	case PLACE_SYMBOL:
		storage->name = place->symbol.name;
		__attribute__((fallthrough));
	case PLACE_MODULE:
		storage->kind = STORAGE_MODULE;
		storage->module = place->module;
		return;
	case PLACE_CHUNK:
		storage->kind = heap_is_internal(map->subject->heap, &place->chunk)
				    ? STORAGE_ALLOCATOR
				    : STORAGE_CHUNK;
		return;
	case PLACE_HEAP:
		storage->kind = STORAGE_ALLOCATOR;
		return;
	case PLACE_STACK:
		in_stack(address, place->thread, storage);
		return;
	case PLACE_MAPPING:
		storage->kind = STORAGE_MAPPING;
		if (root != NULL && root->thread != NULL)
			in_stack(address, root->thread, storage);
		else if (root == NULL)
			in_unused_stack(map, address, storage);
		return;
	}
}

void storage_at(const struct storage_map *map, uint64_t address, struct storage *storage)
{
	struct storage found = { 0 };
	describe_address(map->subject, address, &found.place);
	found.offset = found.place.offset;
	if (found.place.kind != PLACE_UNMAPPED) {
		found.root = root_at(map, address);
		if (in_tls(map, address, &found) || in_pthread(map, address, &found)) {
			*storage = found;
			return;
		}
	}
	in_place(map, address, &found);
	*storage = found;
}

static void in_kernel(const struct storage_map *map, const struct root *root, uint64_t offset,
		      struct storage *storage)
{
	const size_t word = map->subject->target->arch->word_size;
	const struct kernel_held_word *held = &map->kernel->words.items[offset / word];
	*storage = (struct storage){ .kind = STORAGE_KERNEL,
				     .thread = held->thread,
				     .root = root,
				     .held = held,
				     .offset = offset % word };
}

static void in_register(const struct storage_map *map, const struct root *root, uint64_t offset,
			struct storage *storage)
{
	const struct arch *arch = map->subject->target->arch;
	const struct registers *registers = &root->thread->raw->registers;
	*storage = (struct storage){
		.kind = STORAGE_REGISTER, .thread = root->thread, .root = root, .offset = offset
	};
	if (root->bytes == registers->extended) {
		unsigned index;
		const struct arch_register_file *row =
		    arch_extended_register(arch, offset, &index, &storage->offset);
		if (row != NULL)
			storage->name = string_pool_format(modules_strings(map->subject->modules),
							   "%s%u", row->name, index);
		return;
	}
	uint64_t at = (uint64_t)(root->bytes - registers->general) + offset;
	for (size_t i = 0; i < arch->register_count; i++) {
		const struct arch_register *row = &arch->registers[i];
		if (at >= row->offset && at < (uint64_t)row->offset + row->size) {
			storage->name = row->name;
			storage->offset = at - row->offset;
		}
	}
}

void storage_of_bytes(const struct storage_map *map, const struct root *root, uint64_t offset,
		      struct storage *storage)
{
	if (root->kind == ROOT_KERNEL)
		in_kernel(map, root, offset, storage);
	else
		in_register(map, root, offset, storage);
}

const struct thread *storage_tls_user(const struct storage_map *map, uint64_t value)
{
	struct address_space *space = map->subject->target->space;
	const uint64_t word = map->subject->target->arch->word_size;
	for (size_t i = 0; i < map->tls.count; i++) {
		const struct tls_range *range = &map->tls.items[i];
		uint64_t start = (range->start + word - 1) / word * word, found;
		for (uint64_t at = start; at + word <= range->end; at += word)
			if (address_space_u64(space, at, &found) && found == value)
				return range->thread;
	}
	return NULL;
}

/* Words. */

static void add_thread(struct words *words, const struct thread *thread)
{
	if (thread == NULL) {
		words_add(words, "a thread that is gone");
		return;
	}
	words_add(words, "%" PRId32, thread->tid);
	if (thread->name != NULL && thread->name[0] != '\0')
		words_add(words, " \"%s\"", thread->name);
}

static void add_of(struct words *words, const struct thread *thread)
{
	words_add(words, " of ");
	add_thread(words, thread);
}

static void add_stack(struct words *words, const struct storage *storage)
{
	words_add(words, "stack");
	add_of(words, storage->thread);
	if (storage->frame == NULL) {
		words_add(words, " +%" PRIu64, storage->offset);
		return;
	}
	words_add(words, ", frame #%zu", storage->frame_number);
	if (storage->frame->function != NULL)
		words_add(words, " %s", storage->frame->function);
	words_add(words, " +%" PRIu64, storage->offset);
}

static void add_register(struct words *words, const struct storage *storage)
{
	words_add(words, "%s", storage->name != NULL ? storage->name : "vector registers");
	if (storage->offset != 0)
		words_add(words, "+%" PRIu64, storage->offset);
	add_of(words, storage->thread);
}

static void add_tls(struct words *words, const struct storage *storage)
{
	if (storage->name != NULL)
		words_add(words, "thread-local <%s>+%" PRIu64, storage->name, storage->offset);
	else
		words_add(words, "thread-local storage of %s +%" PRIu64, storage->module->name,
			  storage->offset);
	add_of(words, storage->thread);
}

static void add_module(struct words *words, const struct storage *storage)
{
	const char *part = describe_module_part(&storage->place);
	if (storage->name != NULL)
		words_add(words, "<%s>+%" PRIu64 " (%s of %s)", storage->name, storage->offset,
			  part, storage->module->name);
	else
		words_add(words, "%s of %s, 0x%" PRIx64, part, storage->module->name,
			  storage->place.address - storage->module->bias);
}

static void add_held(struct words *words, const struct storage *storage)
{
	const struct kernel_held_word *held = storage->held;
	switch (held->kind) {
	case KERNEL_HELD_EPOLL:
		words_add(words,
			  "held by the kernel: epoll fd %" PRId32 "'s registration of fd %" PRId32,
			  held->holder, held->watched);
		break;
	case KERNEL_HELD_TIMER:
		words_add(words, "held by the kernel: sigev_value of POSIX timer %" PRId32,
			  held->holder);
		break;
	case KERNEL_HELD_EVENT:
		words_add(words, "event array of epoll_wait, 0x%" PRIx64, held->address);
		add_of(words, held->thread);
		break;
	}
}

static void add_chunk(struct words *words, const struct storage *storage)
{
	const struct chunk *chunk = &storage->place.chunk;
	words_add(words, "+%" PRIu64 " of %" PRIu64 "-byte %schunk 0x%" PRIx64,
		  storage->place.offset, chunk->size, chunk->used ? "" : "free ", chunk->address);
}

static void add_allocator(const struct storage_map *map, struct words *words,
			  const struct storage *storage)
{
	if (storage->place.kind == PLACE_CHUNK)
		words_add(words, "tcache at 0x%" PRIx64 " +%" PRIu64, storage->place.chunk.address,
			  storage->place.offset);
	else
		words_add(words, "%s +%" PRIu64, describe_place(map->subject, &storage->place),
			  storage->place.offset);
}

/* Where an address that is not mapped lies: between which mappings, or what kind of number it is.
 */
static void add_surroundings(const struct storage_map *map, uint64_t address, struct words *words)
{
	size_t count;
	uint64_t before = 0, after = 0;
	const struct segment *segments =
	    address_space_segments(map->subject->target->space, &count);
	if (address < NULL_AREA)
		return;
	if (!describe_canonical(map->subject, address)) {
		words_add(words, ": no memory can be there");
		return;
	}
	if (describe_kernels(map->subject, address)) {
		words_add(words, " of the addresses: no memory of the process");
		if (-address <= NEGATIVE_MAX)
			words_add(words, "; as a number it is -%" PRIu64, -address);
		return;
	}
	for (size_t i = 0; i < count; i++) {
		if (segments[i].end <= address)
			before = segments[i].end;
		else if (after == 0 && !describe_kernels(map->subject, segments[i].start))
			after = segments[i].start;
	}
	if (before != 0)
		words_add(words, ", 0x%" PRIx64 " bytes behind the mapping that ends at 0x%" PRIx64,
			  address - before, before);
	if (after != 0)
		words_add(words, "%s 0x%" PRIx64 " bytes before the one that starts at 0x%" PRIx64,
			  before != 0 ? " and" : ",", after - address, after);
}

const char *storage_text(const struct storage_map *map, const struct storage *storage)
{
	struct words words = { 0 };
	switch (storage->kind) {
	case STORAGE_REGISTER:
		add_register(&words, storage);
		break;
	case STORAGE_STACK:
		add_stack(&words, storage);
		break;
	case STORAGE_RED_ZONE:
		words_add(&words, "red zone, %" PRIu64 " below SP", storage->offset);
		add_of(&words, storage->thread);
		break;
	case STORAGE_UNUSED_STACK:
		words_add(&words, "unused stack");
		add_of(&words, storage->thread);
		break;
	case STORAGE_TLS:
		add_tls(&words, storage);
		break;
	case STORAGE_PTHREAD_KEY:
		words_add(&words, "pthread key %s", storage->name);
		add_of(&words, storage->thread);
		break;
	case STORAGE_PTHREAD:
		words_add(&words, "struct pthread +%" PRIu64, storage->offset);
		if (storage->name != NULL)
			words_add(&words, " (%s)", storage->name);
		add_of(&words, storage->thread);
		break;
	case STORAGE_MODULE:
		add_module(&words, storage);
		break;
	case STORAGE_CHUNK:
		add_chunk(&words, storage);
		break;
	case STORAGE_ALLOCATOR:
		add_allocator(map, &words, storage);
		break;
	case STORAGE_KERNEL:
		add_held(&words, storage);
		break;
	case STORAGE_UNMAPPED:
	case STORAGE_NOT_CANONICAL:
	case STORAGE_MAPPING:
	case STORAGE_KIND_COUNT:
		words_add(&words, "%s", describe_place(map->subject, &storage->place));
		if (storage->kind == STORAGE_UNMAPPED || storage->kind == STORAGE_NOT_CANONICAL)
			add_surroundings(map, storage->place.address, &words);
		if (storage->kind == STORAGE_MAPPING)
			words_add(&words, ", 0x%" PRIx64 "+%" PRIu64, storage->place.segment->start,
				  storage->place.address - storage->place.segment->start);
		break;
	}
	return string_pool_add(modules_strings(map->subject->modules), words.text);
}

const char *storage_kind_name(enum storage_kind kind)
{
	static const char *const names[STORAGE_KIND_COUNT] = {
		[STORAGE_UNMAPPED] = "unmapped", [STORAGE_NOT_CANONICAL] = "not-canonical",
		[STORAGE_REGISTER] = "register", [STORAGE_STACK] = "stack",
		[STORAGE_RED_ZONE] = "red-zone", [STORAGE_UNUSED_STACK] = "unused-stack",
		[STORAGE_TLS] = "tls",		 [STORAGE_PTHREAD_KEY] = "pthread-key",
		[STORAGE_PTHREAD] = "pthread",	 [STORAGE_MODULE] = "module",
		[STORAGE_CHUNK] = "chunk",	 [STORAGE_ALLOCATOR] = "allocator",
		[STORAGE_MAPPING] = "mapping",	 [STORAGE_KERNEL] = "kernel",
	};
	return names[kind];
}
