/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "analysis/roots.h"

#include "analysis/random_states.h"
#include "base/size_text.h"

#include <elf.h>
#include <inttypes.h>
#include <string.h>

/* What is a root, and what is not. Everything that is mapped and readable is one, less what the
 * table excludes; the rows that name a part of a thread's memory come first.
 *
 *   place                                      kind           strength
 *   general registers that may hold a pointer  register       strong
 *   vector and floating-point registers        register       strong; weak in a system call, where
 *                                                             the ABI calls them dead
 *   SP to the end of the stack (from the       stack          strong; struct pthread, the keys and
 *     lowest frame's SP, if that is lower)                    the static TLS are in it
 *   the red zone                               red zone       weak in a system call, else strong:
 *                                                             a leaf function may use it
 *   a stack block that SP is not in            stack          strong, the whole
 *   the result of an exited, unjoined thread   exited thread  strong
 *   a mapping that holds a thread pointer      TLS            strong
 *   data of modules, read-only data too        module data    strong (RELRO holds pointers)
 *   any other mapping, PROT_NONE ones too      mapping        strong
 *   what the kernel holds: epoll_event.data,   kernel         weak: most are no pointers, or such
 *     sigev_value; and the array of a thread                  as the program has too; what it has
 *     that waits in epoll_wait                                taken out may be left in the array
 *
 *   not: chunks, and what the allocator owns   malloc_state.top makes a real leak look alive
 *   not: a stack below the red zone            dead frames
 *   not: a stack's guard                       nobody can write there; made by madvise (glibc 2.42
 *                                                on) it is part of a readable mapping
 *   not: stacks of exited or joined threads    kept for reuse; their dtv is pinned, see roots.h
 *   not: executable memory of a file           never written
 *   not: memory that equals its file           never written
 *
 * A pointer that is disguised (XOR, a tag in the high bits) or unaligned is not seen by any scan of
 * aligned words. */

#define VVAR_MAX 0x10000 /* how far below the vdso it begins, at most */

enum cover_use { COVER_ROOT, COVER_EXCLUDED };

/* A range of memory whose use is known from what it is, not from its mapping. */
struct cover {
	uint64_t start, end;
	enum cover_use use;
	enum root_kind kind;
	enum root_strength strength;
	const struct thread *thread;
};

typedef ARRAY(struct cover) cover_list;

static int by_start(const void *left, const void *right)
{
	const struct cover *a = left, *b = right;
	if (a->start != b->start)
		return a->start < b->start ? -1 : 1;
	return a->end < b->end ? -1 : a->end > b->end;
}

/* Sorts the list, and cuts what overlaps from the later range. */
static void tidy(cover_list *list)
{
	if (list->count == 0)
		return;
	qsort(list->items, list->count, sizeof *list->items, by_start);
	size_t kept = 0;
	uint64_t reached = 0;
	for (size_t i = 0; i < list->count; i++) {
		struct cover cover = list->items[i];
		if (cover.start < reached)
			cover.start = reached;
		if (cover.start >= cover.end)
			continue;
		reached = cover.end;
		list->items[kept++] = cover;
	}
	list->count = kept;
}

/* Adds the ranges of `under` to `cover`, where they are not covered yet. Both are tidy, and
 * `cover` stays so. */
static bool lay_under(cover_list *cover, const cover_list *under)
{
	cover_list result = { 0 };
	if (!array_reserve(&result, cover->count * 2 + under->count))
		return false;
	size_t next = 0;
	for (size_t i = 0; i < under->count; i++) {
		struct cover part = under->items[i];
		while (next < cover->count && cover->items[next].start < part.end) {
			const struct cover *above = &cover->items[next];
			if (part.start < above->start) {
				struct cover before = part;
				before.end = above->start;
				result.items[result.count++] = before;
			}
			if (part.start < above->end)
				part.start = above->end;
			if (above->end > part.end)
				break;
			result.items[result.count++] = *above;
			next++;
		}
		if (part.start < part.end)
			result.items[result.count++] = part;
	}
	while (next < cover->count)
		result.items[result.count++] = cover->items[next++];
	array_free(cover);
	cover->items = result.items;
	cover->count = result.count;
	cover->capacity = result.capacity;
	return true;
}

/* Registers. */

static bool add_register_root(struct roots *roots, const struct thread *thread,
			      enum root_strength strength, const uint8_t *bytes, size_t size)
{
	roots->bytes += size;
	return array_push(&roots->list, (struct root){ .kind = ROOT_REGISTER,
						       .strength = strength,
						       .bytes = bytes,
						       .size = size,
						       .thread = thread });
}

/* Adjacent registers that may hold pointers become one root. */
static bool add_general_registers(struct roots *roots, const struct arch *arch,
				  const struct thread *thread)
{
	const struct registers *registers = &thread->raw->registers;
	size_t start = 0, end = 0;
	for (size_t i = 0; i < arch->register_count; i++) {
		const struct arch_register *row = &arch->registers[i];
		if (!row->can_point || row->size != arch->word_size ||
		    (uint32_t)row->offset + row->size > registers->general_size)
			continue;
		if (row->offset != end || start == end) {
			if (start < end &&
			    !add_register_root(roots, thread, ROOT_STRONG,
					       registers->general + start, end - start))
				return false;
			start = row->offset;
		}
		end = (size_t)row->offset + row->size;
	}
	return start == end || add_register_root(roots, thread, ROOT_STRONG,
						 registers->general + start, end - start);
}

static bool in_system_call(const struct arch *arch, const struct thread *thread)
{
	int64_t number;
	return arch_syscall(arch, &thread->raw->registers, &number);
}

static bool add_registers(const struct subject *subject, struct roots *roots)
{
	const struct arch *arch = subject->target->arch;
	for (size_t i = 0; subject->threads != NULL && i < subject->threads->count; i++) {
		const struct thread *thread = &subject->threads->items[i];
		const struct registers *registers = &thread->raw->registers;
		if (registers->general_size == 0)
			continue;
		if (!add_general_registers(roots, arch, thread))
			return false;
		if (registers->extended != NULL && registers->extended_size != 0 &&
		    !add_register_root(roots, thread,
				       in_system_call(arch, thread) ? ROOT_WEAK : ROOT_STRONG,
				       registers->extended, registers->extended_size))
			return false;
	}
	return true;
}

/* The kernel. */

static struct error *add_kernel(const struct subject *subject, struct roots *roots)
{
	struct error *error = kernel_held_find(subject, &roots->kernel);
	const struct kernel_held *held = &roots->kernel;
	const size_t size = held->words.count * subject->target->arch->word_size;
	if (error != NULL || size == 0)
		return error;
	roots->bytes += size;
	return array_push(&roots->list, (struct root){ .kind = ROOT_KERNEL,
						       .strength = ROOT_WEAK,
						       .bytes = held->bytes,
						       .size = size })
		   ? NULL
		   : error_no_memory();
}

/* Stacks. */

struct collection {
	const struct subject *subject;
	struct roots *roots;
	cover_list live;    /* roots that are parts of threads */
	cover_list dead;    /* what threads no longer use */
	cover_list cover;   /* everything above, chunks and the allocator's own first */
	ARRAY(uint64_t) tp; /* thread pointers, sorted */
	struct random_states random_states;
};

static bool cover_add(cover_list *list, uint64_t start, uint64_t end, enum cover_use use,
		      enum root_kind kind, enum root_strength strength, const struct thread *thread)
{
	if (start >= end)
		return true;
	return array_push(list, (struct cover){ start, end, use, kind, strength, thread });
}

static bool add_live(struct collection *collection, uint64_t start, uint64_t end,
		     enum root_kind kind, enum root_strength strength, const struct thread *thread)
{
	return cover_add(&collection->live, start, end, COVER_ROOT, kind, strength, thread);
}

static bool add_dead(struct collection *collection, uint64_t start, uint64_t end)
{
	return cover_add(&collection->dead, start, end, COVER_EXCLUDED, ROOT_STACK, ROOT_WEAK,
			 NULL);
}

/* A thread's stack block, as far as it is known. */
struct block {
	uint64_t start, end;
	bool whole; /* .start is the block's own start: what lies below SP is dead */
};

static struct block stack_block(const struct subject *subject, const struct thread *thread,
				const struct glibc_pthread *pthread, uint64_t sp)
{
	if (pthread != NULL && pthread->stack_start < pthread->stack_end)
		return (struct block){ pthread->stack_start, pthread->stack_end, true };
	/* The kernel puts these bytes at the top of the main thread's stack. */
	uint64_t random;
	if (target_auxv(subject->target, AT_RANDOM, &random)) {
		const struct segment *segment = address_space_find(subject->target->space, random);
		if (segment != NULL && sp >= segment->start && sp < segment->end)
			return (struct block){ segment->start, segment->end, true };
	}
	return (struct block){ thread->stack_start, thread->stack_end, false };
}

/* The lowest SP among the frames in the block: in a signal handler on an alternate stack that lies
 * in a frame of this very stack, SP is above the frames that it interrupted. */
static uint64_t lowest_sp(const struct thread *thread, const struct block *block, uint64_t sp)
{
	uint64_t lowest = sp;
	for (size_t i = 0; i < thread->frame_count; i++) {
		uint64_t frame = thread->frames[i].sp;
		if (frame >= block->start && frame < lowest)
			lowest = frame;
	}
	return lowest;
}

static bool add_stack(struct collection *collection, const struct thread *thread,
		      const struct glibc_pthread *pthread)
{
	const struct arch *arch = collection->subject->target->arch;
	bool has_sp = thread->raw->registers.general_size != 0;
	uint64_t sp = has_sp ? arch_sp(arch, &thread->raw->registers) : 0;
	struct block block = stack_block(collection->subject, thread, pthread, sp);
	if (block.start >= block.end)
		return true;
	if (!has_sp || sp < block.start || sp >= block.end)
		return add_live(collection, block.start, block.end, ROOT_STACK, ROOT_STRONG,
				thread);

	uint64_t used = lowest_sp(thread, &block, sp);
	used -= used % arch->word_size;
	enum root_strength below =
	    used < sp || !in_system_call(arch, thread) ? ROOT_STRONG : ROOT_WEAK;
	uint64_t red_zone = used > arch->red_zone ? used - arch->red_zone : 0;
	if (block.whole && red_zone < block.start)
		red_zone = block.start;
	return add_live(collection, used, block.end, ROOT_STACK, ROOT_STRONG, thread) &&
	       add_live(collection, red_zone, used, ROOT_RED_ZONE, below, thread) &&
	       (!block.whole || add_dead(collection, block.start, red_zone));
}

/* The stack of a thread that is gone, or, where `thread` was not among the threads, not yet there.
 */
static bool add_pthread(struct collection *collection, const struct glibc_pthread *pthread)
{
	const struct subject *subject = collection->subject;
	const struct glibc_pthread_layout *layout = &subject->pthreads->layout;
	uint64_t word = subject->target->arch->word_size, dtv;
	if (pthread->state == GLIBC_STACK_RUNNING)
		return add_live(collection, pthread->stack_start, pthread->stack_end, ROOT_STACK,
				ROOT_STRONG, NULL);
	if (pthread->state == GLIBC_STACK_EXITED && layout->result >= 0) {
		uint64_t result = pthread->address + (uint64_t)layout->result;
		if (!add_live(collection, result, result + word, ROOT_EXITED_THREAD, ROOT_STRONG,
			      NULL))
			return false;
	}
	if (layout->dtv > 0 &&
	    address_space_u64(subject->target->space, pthread->address + (uint64_t)layout->dtv,
			      &dtv) &&
	    !array_push(&collection->roots->pinned, dtv))
		return false;
	return add_dead(collection, pthread->stack_start, pthread->stack_end);
}

static int by_number(const void *left, const void *right)
{
	const uint64_t *a = left, *b = right;
	return *a < *b ? -1 : *a > *b;
}

static bool add_running_stacks(struct collection *collection, bool *seen)
{
	const struct subject *subject = collection->subject;
	for (size_t i = 0; subject->threads != NULL && i < subject->threads->count; i++) {
		const struct thread *thread = &subject->threads->items[i];
		const struct glibc_pthread *pthread = NULL;
		if (thread->thread_pointer != 0 && subject->pthreads != NULL)
			pthread = glibc_pthreads_at(subject->pthreads, thread->thread_pointer);
		if (pthread != NULL)
			seen[pthread - subject->pthreads->items] = true;
		if (!add_stack(collection, thread, pthread) ||
		    (thread->thread_pointer != 0 &&
		     !array_push(&collection->tp, thread->thread_pointer)))
			return false;
	}
	if (collection->tp.count > 0)
		qsort(collection->tp.items, collection->tp.count, sizeof *collection->tp.items,
		      by_number);
	return true;
}

static bool add_stacks(struct collection *collection)
{
	const struct glibc_pthreads *pthreads = collection->subject->pthreads;
	size_t count = pthreads != NULL ? pthreads->count : 0;
	bool *seen = calloc(count + 1, sizeof *seen);
	bool fits = seen != NULL && add_running_stacks(collection, seen);
	for (size_t i = 0; i < count && fits; i++) {
		const struct glibc_pthread *pthread = &pthreads->items[i];
		fits = (seen[i] || add_pthread(collection, pthread)) &&
		       (pthread->guard_size > pthread->stack_start ||
			add_dead(collection, pthread->stack_start - pthread->guard_size,
				 pthread->stack_start));
	}
	free(seen);
	return fits;
}

/* The heap. */

static bool add_heap(const struct heap *heap, cover_list *cover)
{
	if (heap == NULL || heap->chunks == NULL)
		return true;
	size_t count;
	const struct chunk_region *regions = chunk_table_regions(heap->chunks, &count);
	cover_list own = { 0 };
	bool fits = true;
	for (size_t i = 0; i < count && fits; i++)
		fits = cover_add(cover, regions[i].start, regions[i].end, COVER_EXCLUDED,
				 ROOT_MAPPING, ROOT_WEAK, NULL);
	for (size_t i = 0; i < heap->own.count && fits; i++)
		fits = cover_add(&own, heap->own.items[i].start, heap->own.items[i].end,
				 COVER_EXCLUDED, ROOT_MAPPING, ROOT_WEAK, NULL);
	tidy(cover);
	tidy(&own);
	fits = fits && lay_under(cover, &own);
	array_free(&own);
	return fits;
}

static bool make_cover(struct collection *collection)
{
	if (!add_heap(collection->subject->heap, &collection->cover) || !add_stacks(collection))
		return false;
	tidy(&collection->live);
	tidy(&collection->dead);
	return lay_under(&collection->cover, &collection->live) &&
	       lay_under(&collection->cover, &collection->dead);
}

/* Mappings. */

/* Memory that may hold roots but whose bytes are not to be had, in kinds that are told apart. */
enum absence {
	ABSENT_SHARED,	/* with a file, or with other processes */
	ABSENT_PRIVATE, /* not dumped: excluded from dumps, or never written, which nobody can tell
			 */
	ABSENT_LOST,	/* the target itself tells of it */
	ABSENCE_COUNT
};

enum mapping_use { MAPPING_ROOT, MAPPING_IGNORED, MAPPING_ABSENT };

static bool is_file(const struct segment *segment)
{
	return segment->name != NULL && segment->name[0] == '/' &&
	       strncmp(segment->name, "/dev/zero", 9) != 0 &&
	       strncmp(segment->name, "/memfd:", 7) != 0 &&
	       strncmp(segment->name, "/SYSV", 5) != 0 &&
	       strncmp(segment->name, "/dev/shm/", 9) != 0 &&
	       strncmp(segment->name, "/anon_hugepage", 14) != 0;
}

/* gcore leaves out file mappings without a word about their permissions: those of installed files
 * (locales, caches) are not what a program keeps pointers in. */
static bool is_installed(const char *path)
{
	return strncmp(path, "/usr/", 5) == 0 || strncmp(path, "/lib", 4) == 0;
}

/* [vvar] of a core, which has no names for the kernel's pages: absent and just below the vdso. */
static bool is_vvar(const struct target *target, const struct segment *segment)
{
	uint64_t vdso;
	if (!target_auxv(target, AT_SYSINFO_EHDR, &vdso) || segment->end > vdso ||
	    vdso - segment->start > VVAR_MAX)
		return false;
	for (uint64_t at = segment->end; at < vdso;) {
		const struct segment *above = address_space_find(target->space, at);
		if (above == NULL || above->origin != SEGMENT_ABSENT)
			return false;
		at = above->end;
	}
	return true;
}

/* Memory of the process's own: anonymous, or large pages, which have a name of the kernel's. */
static bool is_own(const struct segment *segment)
{
	return segment->name == NULL || segment->name[0] == '[' ||
	       strncmp(segment->name, "/anon_hugepage", 14) == 0;
}

static enum mapping_use use_of_absent(struct collection *collection, const struct segment *segment,
				      enum absence *absence)
{
	const struct subject *subject = collection->subject;
	bool writable = (segment->permissions & SEGMENT_WRITE) != 0;
	if (is_vvar(subject->target, segment))
		return MAPPING_IGNORED;
	/* Guard pages and reservations. */
	if (segment->permissions_known && segment->permissions == 0)
		return MAPPING_IGNORED;
	if (segment->lost) {
		*absence = ABSENT_LOST;
		return MAPPING_ABSENT;
	}
	/* Private files and bss that were never written. */
	if (subject->modules != NULL && modules_find(subject->modules, segment->start) != NULL)
		return MAPPING_IGNORED;
	if (is_own(segment)) {
		*absence = ABSENT_PRIVATE;
		/* Of a live process only what was never touched is not copied. */
		return subject->target->kind == TARGET_LIVE ||
			       random_states_are_in(subject, &collection->random_states, segment)
			   ? MAPPING_IGNORED
			   : MAPPING_ABSENT;
	}
	if (is_file(segment) && !writable &&
	    (segment->permissions_known || is_installed(segment->name)))
		return MAPPING_IGNORED;
	*absence = ABSENT_SHARED;
	return MAPPING_ABSENT;
}

static enum mapping_use use_of(struct collection *collection, const struct segment *segment,
			       enum absence *absence)
{
	/* [vdso], [vvar], [vsyscall]: the kernel's own. */
	if (segment->name != NULL && strncmp(segment->name, "[v", 2) == 0)
		return MAPPING_IGNORED;
	bool writable = (segment->permissions & SEGMENT_WRITE) != 0;
	bool executable = (segment->permissions & SEGMENT_EXECUTE) != 0;
	switch (segment->origin) {
	case SEGMENT_FILE:
		return MAPPING_IGNORED;
	case SEGMENT_ABSENT:
		return use_of_absent(collection, segment, absence);
	case SEGMENT_LIVE:
		/* Nobody can have written through this mapping. */
		if (segment->shared && is_file(segment) && !writable)
			return MAPPING_IGNORED;
		break;
	case SEGMENT_CORE:
		break;
	}
	return is_file(segment) && executable && !writable ? MAPPING_IGNORED : MAPPING_ROOT;
}

static bool holds_thread_pointer(const struct collection *collection, uint64_t start, uint64_t end)
{
	size_t low = 0, high = collection->tp.count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (collection->tp.items[middle] < start)
			low = middle + 1;
		else
			high = middle;
	}
	return low < collection->tp.count && collection->tp.items[low] < end;
}

/* The part [start, end) of a segment that nothing covers. */
static bool add_plain(struct collection *collection, const struct segment *segment, uint64_t start,
		      uint64_t end)
{
	struct modules *modules = collection->subject->modules;
	struct root root = {
		.kind = ROOT_MAPPING, .strength = ROOT_STRONG, .start = start, .end = end
	};
	if (modules != NULL)
		root.module = modules_find(modules, segment->start);
	if (root.module != NULL)
		root.kind = ROOT_MODULE_DATA;
	else if (holds_thread_pointer(collection, start, end))
		root.kind = ROOT_TLS;
	collection->roots->bytes += end - start;
	return array_push(&collection->roots->list, root);
}

static bool add_covered(struct collection *collection, const struct cover *cover, uint64_t start,
			uint64_t end)
{
	if (cover->use == COVER_EXCLUDED)
		return true;
	collection->roots->bytes += end - start;
	return array_push(&collection->roots->list, (struct root){ .kind = cover->kind,
								   .strength = cover->strength,
								   .start = start,
								   .end = end,
								   .thread = cover->thread });
}

/* `bytes` of a segment may hold roots, and are not to be had. */
static void note_missing(struct unseen_memory *missing, const struct segment *segment,
			 uint64_t bytes)
{
	missing->mappings++;
	missing->bytes += bytes;
	if (bytes > missing->largest) {
		missing->largest = bytes;
		missing->start = segment->start;
		missing->end = segment->end;
	}
}

/* Splits a segment at the ranges that cover it. `*next` is the first cover that may reach it. */
static bool add_segment(struct collection *collection, const struct segment *segment, size_t *next,
			struct unseen_memory *missing)
{
	const cover_list *covers = &collection->cover;
	enum absence absence = ABSENT_PRIVATE;
	enum mapping_use use = use_of(collection, segment, &absence);
	bool fits = true;
	uint64_t at = segment->start, absent = 0;
	while (*next < covers->count && covers->items[*next].end <= segment->start)
		++*next;
	for (size_t i = *next; fits && at < segment->end; i++) {
		const struct cover *cover = i < covers->count ? &covers->items[i] : NULL;
		uint64_t until =
		    cover == NULL || cover->start >= segment->end ? segment->end : cover->start;
		if (at < until) {
			absent += until - at;
			fits = use != MAPPING_ROOT || add_plain(collection, segment, at, until);
			at = until;
		}
		if (at >= segment->end)
			break;
		uint64_t end = cover->end < segment->end ? cover->end : segment->end;
		absent += cover->use == COVER_ROOT ? end - at : 0;
		fits = fits && (use != MAPPING_ROOT || add_covered(collection, cover, at, end));
		at = end;
	}
	if (use == MAPPING_ABSENT && absent != 0)
		note_missing(&missing[absence], segment, absent);
	return fits;
}

static void tell_missing(struct gaps *gaps, const struct unseen_memory *missing, const char *what)
{
	if (missing->mappings == 0)
		return;
	if (missing->mappings == 1)
		gaps_add(gaps, GAP_MEMORY, missing->start, missing->end,
			 "mapping 0x%" PRIx64 " (%s, %s): pointers from there are unknown",
			 missing->start, size_text(missing->bytes).text, what);
	else
		gaps_add(gaps, GAP_MEMORY, missing->start, missing->end,
			 "%" PRIu64 " mappings (%s, %s; the largest at 0x%" PRIx64
			 "): pointers from there are unknown",
			 missing->mappings, size_text(missing->bytes).text, what, missing->start);
}

static void add_unseen(struct unseen_memory *sum, const struct unseen_memory *part)
{
	const uint64_t mappings = sum->mappings + part->mappings, bytes = sum->bytes + part->bytes;
	if (part->largest > sum->largest)
		*sum = *part;
	sum->mappings = mappings;
	sum->bytes = bytes;
}

static bool add_mappings(struct collection *collection)
{
	size_t count, next = 0;
	const struct segment *segments =
	    address_space_segments(collection->subject->target->space, &count);
	struct unseen_memory missing[ABSENCE_COUNT] = { 0 };
	for (size_t i = 0; i < count; i++)
		if (!add_segment(collection, &segments[i], &next, missing))
			return false;
	struct gaps *gaps = collection->subject->gaps;
	const bool live = collection->subject->target->kind == TARGET_LIVE;
	tell_missing(gaps, &missing[ABSENT_SHARED],
		     live ? "shared, not read" : "shared, not dumped");
	tell_missing(gaps, &missing[ABSENT_PRIVATE],
		     live ? "private, not read" : "private, not dumped");
	add_unseen(&collection->roots->unseen, &missing[ABSENT_PRIVATE]);
	add_unseen(&collection->roots->unseen, &missing[ABSENT_LOST]);
	return true;
}

struct error *roots_collect(const struct subject *subject, struct roots *roots)
{
	struct roots found = { 0 };
	struct collection collection = { .subject = subject, .roots = &found };
	bool fits =
	    add_registers(subject, &found) && make_cover(&collection) && add_mappings(&collection);
	array_free(&collection.live);
	array_free(&collection.dead);
	array_free(&collection.cover);
	array_free(&collection.tp);
	random_states_free(&collection.random_states);
	struct error *error = fits ? add_kernel(subject, &found) : error_no_memory();
	if (error != NULL) {
		roots_free(&found);
		return error;
	}
	*roots = found;
	return NULL;
}

void roots_free(struct roots *roots)
{
	array_free(&roots->list);
	array_free(&roots->pinned);
	kernel_held_free(&roots->kernel);
	*roots = (struct roots){ 0 };
}

const char *root_kind_name(enum root_kind kind)
{
	static const char *const names[ROOT_KIND_COUNT] = {
		[ROOT_REGISTER] = "register",		[ROOT_STACK] = "stack",
		[ROOT_RED_ZONE] = "red zone",		[ROOT_TLS] = "thread-local storage",
		[ROOT_MODULE_DATA] = "module data",	[ROOT_MAPPING] = "mapping",
		[ROOT_EXITED_THREAD] = "exited thread", [ROOT_KERNEL] = "kernel",
	};
	return names[kind];
}
