/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "analysis/random_states.h"

#define DATA_MAX   (UINT64_C(1) << 20) /* of libc's data that is looked at */
#define TABLE_MAX  4096		       /* pointers of a table that are looked at */
#define TABLE_MIN  4		       /* a page has room for more states than that */
#define STATE_MIN  64		       /* a state is larger: ChaCha20's block, and the key */
#define STARTS_MAX 64

static bool is_absent(const struct segment *segment)
{
	return segment != NULL && segment->origin == SEGMENT_ABSENT && segment->name == NULL &&
	       !segment->lost && (segment->permissions & SEGMENT_WRITE) != 0;
}

static uint64_t common_divisor(uint64_t a, uint64_t b)
{
	while (b != 0) {
		uint64_t rest = a % b;
		a = b;
		b = rest;
	}
	return a;
}

static bool holds(const struct random_states *states, uint64_t start)
{
	for (size_t i = 0; i < states->starts.count; i++)
		if (states->starts.items[i] == start)
			return true;
	return false;
}

/* Whether a table begins at `at`: pointers into memory that was not dumped, at equal distances from
 * the starts of pages. */
static bool is_table(const struct subject *subject, uint64_t at)
{
	const struct target *target = subject->target;
	const uint64_t page = target->arch->page_size, word = target->arch->word_size;
	uint64_t count = 0, distance = 0, value;
	while (count < TABLE_MAX && address_space_u64(target->space, at + count * word, &value) &&
	       is_absent(address_space_find(target->space, value))) {
		distance = common_divisor(distance, value % page);
		count++;
	}
	return count >= TABLE_MIN && distance >= STATE_MIN;
}

static void note_table(const struct subject *subject, struct random_states *states, uint64_t at)
{
	const struct target *target = subject->target;
	uint64_t value;
	for (uint64_t i = 0; i < TABLE_MAX && states->starts.count < STARTS_MAX; i++) {
		const struct segment *segment;
		if (!address_space_u64(target->space, at + i * target->arch->word_size, &value))
			return;
		segment = address_space_find(target->space, value);
		if (!is_absent(segment))
			return;
		if (!holds(states, segment->start) && !array_push(&states->starts, segment->start))
			return;
	}
}

/* The tables that words in [start, end) point to. */
static void look_in(const struct subject *subject, struct random_states *states, uint64_t start,
		    uint64_t end)
{
	const struct target *target = subject->target;
	const uint64_t page = target->arch->page_size, word = target->arch->word_size;
	uint64_t value;
	for (uint64_t at = start; at + word <= end && at - start < DATA_MAX; at += word)
		if (address_space_u64(target->space, at, &value) && value != 0 &&
		    value % page == 0 && is_table(subject, value))
			note_table(subject, states, value);
}

static void seek(const struct subject *subject, struct random_states *states)
{
	size_t count;
	const struct segment *segments = address_space_segments(subject->target->space, &count);
	const struct module *libc =
	    subject->modules != NULL ? modules_libc(subject->modules) : NULL;
	/* Data that was never initialised may share its mapping with a neighbour. */
	for (size_t i = 0; libc != NULL && i < count; i++) {
		const struct segment *segment = &segments[i];
		if (segment->origin == SEGMENT_CORE &&
		    (segment->permissions & SEGMENT_WRITE) != 0 && segment->start < libc->end &&
		    segment->end > libc->start)
			look_in(subject, states,
				segment->start > libc->start ? segment->start : libc->start,
				segment->end < libc->end ? segment->end : libc->end);
	}
}

bool random_states_are_in(const struct subject *subject, struct random_states *states,
			  const struct segment *segment)
{
	if (!states->sought)
		seek(subject, states);
	states->sought = true;
	return holds(states, segment->start);
}

void random_states_free(struct random_states *states)
{
	array_free(&states->starts);
	*states = (struct random_states){ 0 };
}
