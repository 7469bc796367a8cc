/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "threads/glibc_pthread.h"

#include "base/bytes.h"
#include "threads/address_map.h"
#include "threads/pthread_layouts.h"

#include <elf.h>
#include <inttypes.h>
#include <string.h>

#define PTHREADS_MAX (1u << 22) /* the kernel's largest pid_max: more threads there cannot be */
#define TOP_OF_STACK 8192u	/* struct pthread is that near to the end of its stack's mapping */
#define PTHREAD_STEP 64u	/* its alignment, at least */

/* Bits of cancelhandling, the same since NPTL's beginning (nptl/descr.h). */
#define CANCEL_EXITING	  0x10u
#define CANCEL_TERMINATED 0x20u

#define JOINSTATE_DETACHED 3u /* as seen on 2.43, where 2 is joinable */

/* In the thread control block, which struct pthread begins with (tcbhead_t in sysdeps/x86_64). */
#define TCB_SELF_OFFSETS                                                                           \
	{                                                                                          \
		0, 16                                                                              \
	}

struct search {
	struct target *target;
	struct modules *modules;
	struct address_space *space;
	struct glibc_pthread_layout layout;
	struct address_map by_thread_pointer; /* → index in target->threads */
	struct address_map known;	      /* addresses in .found */
	ARRAY(struct glibc_pthread) found;
	struct address_map walked; /* addresses whose list nodes were followed */
	ARRAY(uint64_t) heads;	   /* list nodes that are in no struct pthread */
	struct pthread_layout_sources sources;
	bool big_endian;
	bool no_memory;
};

/* --- reading */

static bool read_word(struct search *search, uint64_t base, int32_t offset, uint64_t *value)
{
	return offset >= 0 && address_space_u64(search->space, base + (uint64_t)offset, value);
}

static bool read_tid(struct search *search, uint64_t address, int32_t *tid)
{
	uint32_t value;
	if (!address_space_u32(search->space, address + (uint64_t)search->layout.tid, &value))
		return false;
	*tid = (int32_t)value;
	return true;
}

/* Whether the thread control block at `address` points to itself, in both places. */
static bool points_to_itself(struct address_space *space, uint64_t address)
{
	static const unsigned offsets[] = TCB_SELF_OFFSETS;
	uint64_t value;
	for (size_t i = 0; i < sizeof offsets / sizeof *offsets; i++)
		if (address == 0 || !address_space_u64(space, address + offsets[i], &value) ||
		    value != address)
			return false;
	return true;
}

static bool is_executable(struct search *search, uint64_t address)
{
	const struct segment *segment = address_space_find(search->space, address);
	return segment != NULL &&
	       (!segment->permissions_known || (segment->permissions & SEGMENT_EXECUTE));
}

/* --- one struct pthread */

/* The stack that struct pthread tells of, if the descriptor itself lies in it, as it does in every
 * stack that glibc set up. The main thread's has none. */
static void read_stack(struct search *search, struct glibc_pthread *pthread)
{
	uint64_t start, size, guard;
	if (!read_word(search, pthread->address, search->layout.stack_block, &start) ||
	    !read_word(search, pthread->address, search->layout.stack_block_size, &size) ||
	    start == 0 || size > UINT64_MAX - start || pthread->address < start ||
	    pthread->address >= start + size)
		return;
	if (!read_word(search, pthread->address, search->layout.guard_size, &guard) ||
	    guard > pthread->address - start)
		guard = 0;
	pthread->guard_size = guard;
	pthread->stack_start = start + guard;
	pthread->stack_end = start + size;
}

/* The main thread's stack is the kernel's, not glibc's: the kernel put the bytes that AT_RANDOM
 * points to at its end. */
static void read_main_stack(struct search *search, struct glibc_pthread *pthread)
{
	uint64_t random;
	uint32_t index;
	/* The id in a container's own pid namespace is not the one that we see. */
	if (!address_map_find(&search->by_thread_pointer, pthread->address, &index) ||
	    search->target->threads.items[index].tid != search->target->pid ||
	    pthread->stack_end != 0 || !target_auxv(search->target, AT_RANDOM, &random))
		return;
	const struct segment *segment = address_space_find(search->space, random);
	if (segment == NULL)
		return;
	pthread->stack_start = segment->start;
	pthread->stack_end = segment->end;
}

/* A detached thread's joinid points to itself; its joinstate is 3. Neither can be taken for the
 * other. */
static bool is_detached(struct search *search, uint64_t address)
{
	uint64_t value;
	return read_word(search, address, search->layout.join_id, &value) &&
	       (value == address || (uint32_t)value == JOINSTATE_DETACHED);
}

/* A thread of the kernel that was not stopped may show no thread pointer, only its id. */
static bool is_unstopped_thread(const struct search *search, int32_t tid)
{
	for (size_t i = 0; i < search->target->threads.count; i++) {
		const struct target_thread *thread = &search->target->threads.items[i];
		if ((thread->inner_tid != 0 ? thread->inner_tid : thread->tid) == tid)
			return arch_thread_pointer(search->target->arch, &thread->registers) == 0;
	}
	return false;
}

static enum glibc_stack_state state_of(struct search *search, struct glibc_pthread *pthread)
{
	uint32_t index, cancel;
	if (address_map_find(&search->by_thread_pointer, pthread->address, &index) ||
	    (pthread->tid > 0 && is_unstopped_thread(search, pthread->tid)))
		return GLIBC_STACK_RUNNING;
	if (search->layout.cancel_handling >= 0 &&
	    address_space_u32(search->space,
			      pthread->address + (uint64_t)search->layout.cancel_handling,
			      &cancel) &&
	    (cancel & (CANCEL_TERMINATED | CANCEL_EXITING)) == (CANCEL_TERMINATED | CANCEL_EXITING))
		return GLIBC_STACK_CACHED;
	return GLIBC_STACK_EXITED;
}

/* Adds the struct pthread at `address`, unless it is known or is none, or lies outside the stack
 * that it tells of although `must_have_stack`. */
static void add(struct search *search, uint64_t address, bool must_have_stack)
{
	uint32_t index;
	struct glibc_pthread pthread = { .address = address };
	if (address_map_find(&search->known, address, &index) ||
	    search->found.count >= PTHREADS_MAX || !points_to_itself(search->space, address) ||
	    !read_tid(search, address, &pthread.tid))
		return;
	pthread.state = state_of(search, &pthread);
	read_stack(search, &pthread);
	if (must_have_stack && pthread.stack_end == 0)
		return;
	read_main_stack(search, &pthread);
	pthread.detached = is_detached(search, address);
	read_word(search, address, search->layout.result, &pthread.result);
	read_word(search, address, search->layout.start_routine, &pthread.start_routine);
	if (!array_push(&search->found, pthread) || !address_map_add(&search->known, address, 0))
		search->no_memory = true;
}

/* --- where they are */

static void add_running(struct search *search)
{
	for (size_t i = 0; i < search->target->threads.count; i++) {
		const struct target_thread *thread = &search->target->threads.items[i];
		if (thread->registers.general_size != 0)
			add(search, arch_thread_pointer(search->target->arch, &thread->registers),
			    false);
	}
}

static bool add_head(struct search *search, uint64_t head)
{
	for (size_t i = 0; i < search->heads.count; i++)
		if (search->heads.items[i] == head)
			return false;
	if (search->heads.count >= 64)
		return false; /* glibc has three */
	if (!array_push(&search->heads, head))
		search->no_memory = true;
	return true;
}

/* Marks `address` as walked over. False when it was already. */
static bool mark_walked(struct search *search, uint64_t address)
{
	uint32_t unused;
	if (address_map_find(&search->walked, address, &unused))
		return false;
	if (!address_map_add(&search->walked, address, 0))
		search->no_memory = true;
	return true;
}

/* Follows the ring from `node` as long as its links agree both ways, and as long as it leads to
 * what was not walked over before. A node that is in no struct pthread is the head of a list;
 * `node` itself may be one. */
static void follow_ring(struct search *search, uint64_t node)
{
	uint64_t list = (uint64_t)search->layout.list, next, back;
	for (size_t steps = 0; steps < PTHREADS_MAX && !search->no_memory; steps++) {
		if (!address_space_u64(search->space, node, &next) ||
		    !address_space_u64(search->space, next + 8, &back) || back != node)
			return;
		bool is_member = points_to_itself(search->space, next - list);
		if (is_member ? !mark_walked(search, next - list) : !add_head(search, next))
			return;
		if (is_member)
			add(search, next - list, false);
		node = next;
	}
}

/* Each list's ring goes through its running threads and its head. glibc 2.34 and newer keep the
 * heads of the used, the user's and the cached stacks in a row in _rtld_global: from one head the
 * neighbours are found, and an address that is no head leads to no struct pthread. Older ones have
 * the three as variables of libpthread. */
static void add_from_lists(struct search *search)
{
	static const char *const names[] = {
		"stack_used",	  "stack_cache",     "__stack_user",
		"_dl_stack_used", "_dl_stack_cache", "_dl_stack_user"
	};
	if (search->layout.list < 0)
		return;
	for (size_t i = 0; i < search->found.count; i++) {
		uint64_t address = search->found.items[i].address;
		if (mark_walked(search, address))
			follow_ring(search, address + (uint64_t)search->layout.list);
	}
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		/* The first three are in libpthread, the others in a static program. */
		const struct module *module =
		    i < 3 ? search->sources.libpthread : search->sources.libc;
		struct symbol symbol;
		if (module != NULL && (i < 3 || module->is_executable) &&
		    modules_symbol_named(search->modules, module, names[i], &symbol) &&
		    add_head(search, symbol.address))
			follow_ring(search, symbol.address);
	}
	size_t heads = search->heads.count;
	for (size_t i = 0; i < heads; i++)
		for (int distance = -32; distance <= 32; distance += 16)
			if (distance != 0)
				follow_ring(search,
					    search->heads.items[i] + (uint64_t)(int64_t)distance);
}

/* Looks for the struct pthread of a stack that ends at `end`, in a mapping from `start` on. */
static void add_from_stack_top(struct search *search, uint64_t start, uint64_t end)
{
	uint64_t bottom = end > TOP_OF_STACK ? end - TOP_OF_STACK : 0;
	if (bottom < start)
		bottom = start;
	bottom = (bottom + PTHREAD_STEP - 1) & ~(uint64_t)(PTHREAD_STEP - 1);
	const uint8_t *bytes;
	for (uint64_t at = bottom; at < end && !search->no_memory;) {
		size_t size = address_space_span(search->space, at, end - at, &bytes);
		if (size < sizeof at)
			return;
		/* A span at a time: there may be tens of thousands of mappings. */
		for (size_t i = 0; i + sizeof at <= size; i += PTHREAD_STEP)
			if (bytes_unsigned(bytes + i, sizeof at, search->big_endian) == at + i)
				add(search, at + i, true);
		at = (at + size + PTHREAD_STEP - 1) & ~(uint64_t)(PTHREAD_STEP - 1);
	}
}

/* Looks at the top of every mapping that may be a thread's stack, and below every stack that is
 * known (guards made by madvise do not part the mappings), so that a broken list hides no thread.
 */
static void add_from_stack_tops(struct search *search)
{
	size_t count;
	const struct segment *segments = address_space_segments(search->space, &count);
	for (size_t i = 0; i < count; i++)
		if ((segments[i].permissions & SEGMENT_WRITE) &&
		    segments[i].origin != SEGMENT_ABSENT &&
		    (segments[i].name == NULL || strncmp(segments[i].name, "[stack:", 7) == 0))
			add_from_stack_top(search, segments[i].start, segments[i].end);
	for (size_t i = 0; i < search->found.count; i++) {
		const struct glibc_pthread *pthread = &search->found.items[i];
		uint64_t end = pthread->stack_start - pthread->guard_size;
		const struct segment *segment = address_space_find(search->space, end - 1);
		if (pthread->stack_end != 0 && segment != NULL)
			add_from_stack_top(search, segment->start, end);
	}
}

/* --- which layout */

/* How well the threads of the kernel agree with a layout. */
struct agreement {
	size_t descriptors; /* threads whose thread pointer leads to a thread control block */
	size_t tids;	    /* of these, with the kernel's thread id at the layout's place */
	size_t zeros;
	size_t plausible; /* with the id that another pid namespace may have given */
};

static struct agreement agreement_of(struct search *search)
{
	struct agreement agreement = { 0 };
	for (size_t i = 0; i < search->target->threads.count; i++) {
		const struct target_thread *thread = &search->target->threads.items[i];
		int32_t tid;
		if (thread->registers.general_size == 0)
			continue;
		uint64_t address = arch_thread_pointer(search->target->arch, &thread->registers);
		if (!points_to_itself(search->space, address))
			continue;
		agreement.descriptors++;
		if (!read_tid(search, address, &tid))
			continue;
		agreement.tids += tid == thread->tid;
		agreement.zeros += tid == 0;
		agreement.plausible += tid > 0 && (uint32_t)tid <= PTHREADS_MAX;
	}
	return agreement;
}

/* Threads made by clone(2) itself may share their parent's descriptor: most must agree, not all.
 * Before 2.34 a program without libpthread has no id in its only descriptor. The ids of a live
 * process in a container are those of its own pid namespace. */
static bool threads_agree(struct search *search)
{
	struct agreement agreement = agreement_of(search);
	if (agreement.descriptors == 0)
		return false;
	if (agreement.tids * 2 > agreement.descriptors)
		return true;
	if (search->sources.libc == NULL)
		return false;
	return (search->target->threads.count == 1 && agreement.zeros == 1) ||
	       (search->target->kind == TARGET_LIVE &&
		agreement.plausible == agreement.descriptors);
}

/* Whether the descriptors of the threads that glibc started have code as their start routine. This
 * tells the rows of the table apart. */
static bool start_routines_agree(struct search *search)
{
	size_t code = 0, other = 0;
	for (size_t i = 0; i < search->found.count; i++) {
		const struct glibc_pthread *pthread = &search->found.items[i];
		uint64_t block;
		if (!read_word(search, pthread->address, search->layout.stack_block, &block) ||
		    block == 0)
			continue; /* the main thread's */
		if (is_executable(search, pthread->start_routine))
			code++;
		else
			other++;
	}
	return code > other || other == 0;
}

static void forget(struct search *search)
{
	address_map_free(&search->known);
	address_map_free(&search->walked);
	search->found.count = search->heads.count = 0;
}

/* Finds all descriptors by `layout`. False when the memory does not agree with it: nothing is
 * found then. */
static bool try_layout(struct search *search, const struct glibc_pthread_layout *layout)
{
	search->layout = *layout;
	if (!threads_agree(search))
		return false;
	add_running(search);
	add_from_lists(search);
	add_from_stack_tops(search);
	if (layout->evidence == LAYOUT_DWARF || start_routines_agree(search))
		return true;
	forget(search);
	return false;
}

/* The first layout that the memory agrees with. */
static bool find_all(struct search *search)
{
	struct glibc_pthread_layout layout;
	for (size_t number = 0; number < PTHREAD_LAYOUT_GUESSES; number++)
		if (pthread_layout_guess(&search->sources, number, &layout) &&
		    try_layout(search, &layout))
			return true;
	return false;
}

/* --- the result */

/* Running threads as the kernel counts them, then the others by address. */
static int in_order(const void *a, const void *b, void *context)
{
	const struct search *search = context;
	const struct glibc_pthread *left = a, *right = b;
	uint32_t left_index = UINT32_MAX, right_index = UINT32_MAX;
	address_map_find(&search->by_thread_pointer, left->address, &left_index);
	address_map_find(&search->by_thread_pointer, right->address, &right_index);
	if (left->state != right->state)
		return left->state < right->state ? -1 : 1;
	if (left_index != right_index)
		return left_index < right_index ? -1 : 1;
	return left->address < right->address ? -1 : left->address > right->address;
}

static int by_address(const void *a, const void *b)
{
	const struct glibc_pthread *left = *(const struct glibc_pthread *const *)a;
	const struct glibc_pthread *right = *(const struct glibc_pthread *const *)b;
	return left->address < right->address ? -1 : left->address > right->address;
}

static bool take_result(struct search *search, struct glibc_pthreads *pthreads)
{
	size_t count = search->found.count;
	const struct glibc_pthread **sorted = calloc(count + 1, sizeof *sorted);
	if (sorted == NULL)
		return false;
	qsort_r(search->found.items, count, sizeof *search->found.items, in_order, search);
	for (size_t i = 0; i < count; i++)
		sorted[i] = &search->found.items[i];
	qsort(sorted, count, sizeof *sorted, by_address);
	*pthreads = (struct glibc_pthreads){
		.layout = search->layout,
		.items = search->found.items,
		.count = count,
		.by_address = sorted,
	};
	search->found.items = NULL;
	return true;
}

static void find_modules(struct search *search)
{
	size_t count;
	const struct module *list = modules_list(search->modules, &count);
	for (size_t i = 0; i < count; i++) {
		if (list[i].is_libc && search->sources.libc == NULL)
			search->sources.libc = &list[i];
		if (strncmp(list[i].name, "libpthread", 10) == 0)
			search->sources.libpthread = &list[i];
	}
}

static bool map_thread_pointers(struct search *search)
{
	uint32_t index;
	for (size_t i = 0; i < search->target->threads.count && i < UINT32_MAX; i++) {
		const struct target_thread *thread = &search->target->threads.items[i];
		uint64_t address = arch_thread_pointer(search->target->arch, &thread->registers);
		if (address == 0 || thread->registers.general_size == 0 ||
		    address_map_find(&search->by_thread_pointer, address, &index))
			continue;
		if (!address_map_add(&search->by_thread_pointer, address, (uint32_t)i))
			return false;
	}
	return true;
}

struct error *glibc_pthreads_open(struct target *target, struct modules *modules, struct gaps *gaps,
				  struct glibc_pthreads *pthreads)
{
	struct search search = {
		.target = target,
		.modules = modules,
		.space = target->space,
		.sources = { .target = target, .modules = modules },
		.big_endian = target->arch->elf_data == ELFDATA2MSB,
	};
	struct error *error = NULL;
	find_modules(&search);
	if (!map_thread_pointers(&search)) {
		error = error_no_memory();
	} else if (find_all(&search)) {
		if (search.no_memory || !take_result(&search, pthreads))
			error = error_no_memory();
	} else {
		if (search.sources.libc != NULL || !modules_have_go(modules))
			gaps_add(gaps, GAP_THREAD, 0, 0,
				 "no thread's memory agrees with any known layout of glibc's struct "
				 "pthread: results of exited threads and cached stacks are not known");
		*pthreads = (struct glibc_pthreads){ 0 };
	}
	forget(&search);
	address_map_free(&search.by_thread_pointer);
	array_free(&search.found);
	array_free(&search.heads);
	return error;
}

void glibc_pthreads_free(struct glibc_pthreads *pthreads)
{
	free(pthreads->items);
	free(pthreads->by_address);
	*pthreads = (struct glibc_pthreads){ 0 };
}

const struct glibc_pthread *glibc_pthreads_at(const struct glibc_pthreads *pthreads,
					      uint64_t address)
{
	/* Where the size is not known, as far as fields are. */
	const struct glibc_pthread_layout *layout = &pthreads->layout;
	uint64_t size = layout->size != 0	  ? layout->size
			: layout->guard_size >= 0 ? (uint64_t)layout->guard_size + 8
						  : (uint64_t)layout->tid + 4;
	size_t low = 0, high = pthreads->count; /* the first that starts above */
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (pthreads->by_address[middle]->address <= address)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == 0 || address - pthreads->by_address[low - 1]->address >= size)
		return NULL;
	return pthreads->by_address[low - 1];
}

void glibc_pthreads_bound_stacks(const struct glibc_pthreads *pthreads, struct threads *threads)
{
	for (size_t i = 0; i < threads->count; i++) {
		struct thread *thread = &threads->items[i];
		const struct glibc_pthread *pthread =
		    glibc_pthreads_at(pthreads, thread->thread_pointer);
		if (pthread != NULL && pthread->stack_start <= thread->stack_start &&
		    thread->stack_start < pthread->stack_end &&
		    pthread->stack_end < thread->stack_end)
			thread->stack_end = pthread->stack_end;
	}
}
