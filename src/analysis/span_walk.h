/* Going over a range of the target's memory span by span, in aligned words: what every scan does.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORESCAN_ANALYSIS_SPAN_WALK_H
#define CORESCAN_ANALYSIS_SPAN_WALK_H

#include "base/bytes.h"
#include "target/target.h"

#include <elf.h>
#include <string.h>

/* How words are read. */
struct word_form {
	unsigned size;
	bool big_endian;
	bool native; /* 8 bytes in our own order */
};

static inline struct word_form word_form_of(const struct arch *arch)
{
	const bool big_endian = arch->elf_data == ELFDATA2MSB;
	return (struct word_form){ arch->word_size, big_endian,
				   arch->word_size == 8 &&
				       big_endian == (__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__) };
}

/* For loops that are to be compiled for it alone. */
static const struct word_form word_form_native = { 8, __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__,
						   true };

static inline uint64_t word_form_load(const struct word_form *form, const uint8_t *bytes)
{
	uint64_t word;
	if (!form->native)
		return bytes_unsigned(bytes, form->size, form->big_endian);
	memcpy(&word, bytes, sizeof word);
	return word;
}

/* Keeps of `count` words those in [low, low + span), without a branch for each: which are pointers
 * cannot be foreseen. Returns how many; `words` has room for all. */
static inline __attribute__((always_inline)) unsigned word_form_gather_as(
    const struct word_form *form, const uint8_t *bytes, uint64_t count, uint64_t low, uint64_t span,
    uint64_t *words)
{
	unsigned kept = 0;
	for (uint64_t i = 0; i < count; i++) {
		const uint64_t word = word_form_load(form, bytes + i * form->size);
		words[kept] = word;
		kept += word - low < span;
	}
	return kept;
}

static inline unsigned word_form_gather(const struct word_form *form, const uint8_t *bytes,
					uint64_t count, uint64_t low, uint64_t span,
					uint64_t *words)
{
	return form->native ? word_form_gather_as(&word_form_native, bytes, count, low, span, words)
			    : word_form_gather_as(form, bytes, count, low, span, words);
}

struct span_walk {
	struct address_space *space;
	uint64_t at, end;
	uint64_t missing; /* bytes that were passed over: nothing can be read there */
	unsigned word_size;
	uint64_t page_size;
};

/* Over [start, end), from the first aligned word on. */
static inline struct span_walk span_walk_over(const struct target *target, uint64_t start,
					      uint64_t end)
{
	const unsigned word = target->arch->word_size;
	if (start > UINT64_MAX - word || start > end)
		start = end;
	start = (start + word - 1) / word * word;
	return (struct span_walk){ target->space, start > end ? end : start, end, 0,
				   word,	  target->arch->page_size };
}

/* Borrows the next bytes, a whole number of words and `want` at most (which is such a number), and
 * tells where they lie. Their size; 0: the end. */
static inline size_t span_walk_next(struct span_walk *walk, uint64_t want, uint64_t *address,
				    const uint8_t **bytes)
{
	while (walk->end - walk->at >= walk->word_size) {
		const uint64_t left = walk->end - walk->at;
		size_t got =
		    address_space_span(walk->space, walk->at, left < want ? left : want, bytes);
		got -= got % walk->word_size;
		if (got != 0) {
			*address = walk->at;
			walk->at += got;
			return got;
		}
		const uint64_t page = walk->page_size - walk->at % walk->page_size;
		walk->missing += page < left ? page : left;
		walk->at += page < left ? page : left;
	}
	return 0;
}

#endif
