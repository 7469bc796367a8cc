/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "golang/pending.h"

#include "golang/functions.h"
#include "golang/search.h"

#define BLOCKS_MAX (1u << 20)
/* Of what may be a queue, in a program without symbols, so many blocks are looked at. */
#define BLOCKS_TRIED 64

/* The runtime keeps each queue as a list of blocks: where a block has the next one, how many
 * entries it has, and these. */
struct queue {
	uint64_t link, count, entries;
	uint64_t words;	  /* of an entry */
	uint32_t most;	  /* entries of a block */
	uint64_t closure; /* word of an entry that is a function's closure */
	uint64_t types;	  /* the words from here on are addresses of types; .words: none */
};

/* As runtime.finBlock has been since Go 1.18: functions, their argument, the size of results, the
 * type of the argument and of the object. */
static const struct queue finalizer_queue = { 0, 16, 24, 5, 101, 0, 3 };

/* As runtime.cleanupBlock is since Go 1.25: a closure; since Go 1.26 what calls it before, and its
 * argument behind. */
static struct queue cleanup_queue(const struct go_process *process)
{
	if (process->minor < 26)
		return (struct queue){ 16, 24, 32, 1, 512, 0, 1 };
	return (struct queue){ 16, 24, 32, 3, 512, 0, 3 };
}

static void visit_queue(const struct go_process *process, const struct queue *queue, uint64_t head,
			go_word_visitor *visit, void *context)
{
	uint64_t block = 0, word;
	uint32_t count;
	if (head == 0 || !address_space_u64(process->space, head, &block))
		return;
	for (unsigned i = 0; block != 0 && i < BLOCKS_MAX; i++) {
		if (!address_space_u32(process->space, block + queue->count, &count) ||
		    count > queue->most)
			return;
		for (uint64_t k = 0; k < queue->words * count; k++)
			if (address_space_u64(process->space, block + queue->entries + 8 * k,
					      &word))
				visit(context, word);
		if (!address_space_u64(process->space, block + queue->link, &block))
			return;
	}
}

void go_pending_visit(const struct go_process *process, go_word_visitor *visit, void *context)
{
	const struct queue cleanups = cleanup_queue(process);
	visit_queue(process, &finalizer_queue, process->finalizers, visit, context);
	if (process->minor >= 25)
		visit_queue(process, &cleanups, process->cleanups, visit, context);
}

/* --- without symbols */

static bool is_closure(const struct go_process *process, uint64_t address)
{
	struct go_function function;
	uint64_t pc;
	return (address & 7) == 0 && address_space_u64(process->space, address, &pc) &&
	       go_function_at(process, pc, &function) && function.entry == pc;
}

static bool is_type(const struct go_process *process, uint64_t address)
{
	for (size_t i = 0; i < process->list.count; i++)
		if (address >= process->list.items[i].types &&
		    address < process->list.items[i].types_end)
			return true;
	return false;
}

static bool is_entry(const struct go_process *process, const struct queue *queue, uint64_t at)
{
	uint64_t word;
	if (!address_space_u64(process->space, at + 8 * queue->closure, &word) ||
	    !is_closure(process, word))
		return false;
	for (uint64_t i = queue->types; i < queue->words; i++)
		if (!address_space_u64(process->space, at + 8 * i, &word) ||
		    !is_type(process, word))
			return false;
	return true;
}

/* Whether the block's entries are what they should be; `*due` where one is. Those that have run are
 * cleared. */
static bool are_entries(const struct go_process *process, const struct queue *queue, uint64_t block,
			uint32_t count, bool *due)
{
	for (uint32_t i = 0; i < count; i++) {
		uint64_t at = block + queue->entries + 8 * queue->words * i, word;
		if (!address_space_u64(process->space, at + 8 * queue->closure, &word))
			return false;
		if (word == 0)
			continue;
		*due = is_entry(process, queue, at);
		return *due;
	}
	return true;
}

/* The blocks of what may be a queue; 0 where it is none, or nothing in it is due. */
static unsigned length_of(const struct go_process *process, const struct queue *queue,
			  uint64_t block)
{
	bool any = false;
	unsigned length = 0;
	uint32_t count;
	for (; block >= 4096 && (block & 7) == 0 && length < BLOCKS_TRIED; length++) {
		if (!address_space_u32(process->space, block + queue->count, &count) ||
		    count > queue->most)
			return 0;
		bool due = false;
		if (!are_entries(process, queue, block, count, &due))
			return 0;
		any = any || due;
		if (!address_space_u64(process->space, block + queue->link, &block))
			return 0;
	}
	return any ? length : 0;
}

/* The list of all blocks is the longest that leads to them. */
static uint64_t find_queue(const struct go_process *process, const struct queue *queue)
{
	struct go_search search;
	const uint8_t *bytes;
	uint64_t found = 0;
	unsigned longest = 0;
	size_t count;
	go_search_begin(&search, process);
	for (; (bytes = go_search_words(&search, &count)) != NULL; search.at += 8 * count) {
		for (size_t i = 0; i < count; i++) {
			unsigned length =
			    length_of(process, queue, bytes_unsigned(bytes + 8 * i, 8, false));
			if (length <= longest)
				continue;
			longest = length;
			found = search.at + 8 * i;
		}
	}
	return found;
}

void go_pending_find(struct go_process *process)
{
	const struct queue cleanups = cleanup_queue(process);
	process->finalizers = find_queue(process, &finalizer_queue);
	if (process->minor >= 25)
		process->cleanups = find_queue(process, &cleanups);
}
