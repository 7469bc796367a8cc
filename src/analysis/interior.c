/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "analysis/interior.h"

#include "base/bytes.h"

#include <elf.h>

#define HEADER_MAX 16
#define CACHE_LINE 64
#define LINKS	   3		 /* words of an intrusive node: rb_node has three */
#define TAG_BITS   ((uint64_t)3) /* of a link: the colour of a red-black tree's node */

static unsigned read_words(const struct target *target, uint64_t address,
			   uint64_t words[static LINKS])
{
	const struct arch *arch = target->arch;
	uint8_t bytes[LINKS * 8];
	unsigned count = LINKS;
	while (count > 0 &&
	       !address_space_probe(target->space, address, bytes, (size_t)count * arch->word_size))
		count--;
	for (unsigned i = 0; i < count; i++)
		words[i] = bytes_unsigned(bytes + (size_t)i * arch->word_size, arch->word_size,
					  arch->elf_data == ELFDATA2MSB);
	return count;
}

/* Whether the word may be a vtable pointer: into memory of a file that is not written to. */
static bool points_to_table(const struct target *target, uint64_t word)
{
	if (word % target->arch->word_size != 0)
		return false;
	const struct segment *segment = address_space_find(target->space, word);
	return segment != NULL && segment->permissions_known && segment->name != NULL &&
	       segment->name[0] == '/' && !segment->shared &&
	       (segment->permissions & SEGMENT_WRITE) == 0;
}

/* A chunk and a place in it. */
struct interior {
	const struct target *target;
	const struct chunk_table *table;
	uint64_t address, size, offset;
};

/* Whether `peer`, a link found at the place, is that of another node of the same kind. */
static bool links_back(const struct interior *interior, uint64_t peer)
{
	const uint64_t place = interior->address + interior->offset;
	uint64_t back[LINKS];
	struct chunk node;
	if (peer == 0 || peer % interior->target->arch->word_size != 0)
		return false;
	const unsigned count = read_words(interior->target, peer, back);
	for (unsigned i = 0; i < count; i++)
		if ((back[i] & ~TAG_BITS) == place)
			return true;
	return chunk_table_find(interior->table, peer, &node) && node.used &&
	       node.address != interior->address && node.size == interior->size &&
	       peer - node.address == interior->offset;
}

static bool is_linked(const struct interior *interior, const uint64_t *words, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		if (links_back(interior, words[i] & ~TAG_BITS))
			return true;
	return false;
}

static bool is_aligned(const struct interior *interior, const uint64_t *words, unsigned count)
{
	const uint64_t place = interior->address + interior->offset;
	uint64_t before[LINKS];
	if ((place % CACHE_LINE == 0 && interior->offset < CACHE_LINE) ||
	    (place % interior->target->arch->page_size == 0 &&
	     interior->offset < interior->target->arch->page_size))
		return true;
	for (unsigned i = 0; i < count; i++)
		if (words[i] == interior->address)
			return true;
	return read_words(interior->target, place - interior->target->arch->word_size, before) >
		   0 &&
	       before[0] == interior->address;
}

const char *interior_idiom(const struct target *target, const struct chunk_table *table,
			   uint64_t address, uint64_t size, uint64_t offset)
{
	const struct interior interior = { target, table, address, size, offset };
	const unsigned word = target->arch->word_size;
	uint64_t words[LINKS];
	if (offset >= size)
		return NULL;
	if (offset < word)
		return "low-bit tag";
	if (offset <= HEADER_MAX)
		return "header";
	if ((address + offset) % word != 0 || size - offset < word)
		return NULL;
	unsigned count = read_words(target, address + offset, words);
	if (count > (size - offset) / word)
		count = (unsigned)((size - offset) / word);
	if (count > 0 && points_to_table(target, words[0]))
		return "base class";
	if (is_aligned(&interior, words, count))
		return "aligned";
	return is_linked(&interior, words, count) ? "intrusive links" : NULL;
}
