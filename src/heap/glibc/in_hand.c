/* Chunks that a thread inside malloc or free has in its hands: no longer in use, and in no free
 * list yet, or taken out of one. malloc_consolidate, for one, takes a whole fastbin at once and
 * keeps its head in a register. Such a chunk looks in use and nothing of the program leads to it,
 * but it is no orphan.
 *
 * malloc's own code holds chunks by their headers, which the program never does: a word that equals
 * a chunk's header, in a register or in malloc's own frames, is the evidence.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "heap/glibc/glibc.h"

#define HEADER_SIZE   16
#define CHAIN_MAX     (1u << 20) /* chunks that one word may lead to */
#define OWN_STACK_MAX (1u << 16)

/* Where the stack of malloc's own frames ends; 0: the thread is not inside malloc. */
static uint64_t own_stack_end(const struct glibc_walk *walk, const struct thread *thread)
{
	uint64_t end = 0;
	for (size_t i = 0; i < thread->frame_count && i < GLIBC_MALLOC_FRAMES; i++) {
		const struct frame *frame = &thread->frames[i];
		if (!glibc_is_malloc_frame(walk, thread, i))
			continue;
		/* The caller's SP, which inlined frames share with the frame that holds them. */
		size_t caller = i + 1;
		while (caller < thread->frame_count && thread->frames[caller].sp <= frame->sp)
			caller++;
		end = caller < thread->frame_count ? thread->frames[caller].sp : 0;
	}
	return end;
}

/* The chunk in use that begins at `user`. */
static bool used_chunk_at(const struct glibc_walk *walk, uint64_t user, struct chunk *chunk)
{
	return user % CHUNK_GRANULE == 0 && chunk_table_find(walk->heap->chunks, user, chunk) &&
	       chunk->address == user && chunk->used;
}

/* The chunk whose header `header` is, and the rest of the chain that it was the head of. A chain
 * ends at a chunk that is free, or listed already, so that a cycle ends too. */
static void take_chain(struct glibc_walk *walk, uint64_t header)
{
	struct chunk chunk;
	uint64_t stored;
	for (unsigned i = 0; i < CHAIN_MAX; i++) {
		if (header % CHUNK_GRANULE != 0 ||
		    !used_chunk_at(walk, header + HEADER_SIZE, &chunk) ||
		    glibc_mark_listed(walk, chunk.number))
			return;
		if (!array_push(&walk->heap->in_hand, chunk.address)) {
			walk->no_memory = true;
			return;
		}
		if (!address_space_u64(walk->space, chunk.address, &stored))
			return;
		header = glibc_link(walk, chunk.address, stored);
	}
}

static void take_from_thread(struct glibc_walk *walk, const struct thread *thread)
{
	const struct arch *arch = walk->context->target->arch;
	uint64_t end = own_stack_end(walk, thread), word;
	if (end == 0)
		return;
	const struct registers *registers = &thread->raw->registers;
	uint64_t sp = arch_sp(arch, registers);
	if (end <= sp)
		return;
	if (end - sp > OWN_STACK_MAX)
		end = sp + OWN_STACK_MAX;
	for (size_t i = 0; i < arch->register_count; i++)
		if (arch->registers[i].can_point)
			take_chain(walk, arch_register_value(arch, registers, i));
	for (uint64_t at = sp & ~(uint64_t)7; at < end; at += sizeof word)
		if (address_space_u64(walk->space, at, &word))
			take_chain(walk, word);
}

void glibc_find_in_hand(struct glibc_walk *walk)
{
	const struct threads *threads = walk->context->threads;
	for (size_t i = 0; i < threads->count; i++)
		take_from_thread(walk, &threads->items[i]);
}
