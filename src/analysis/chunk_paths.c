/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "analysis/chunk_paths.h"

#include "analysis/interior.h"
#include "analysis/span_walk.h"
#include "base/prefetch.h"
#include "heap/chunk_lookup.h"

#define CANDIDATES	16 /* whose bitmap words are on their way */
#define PROGRESS_CHUNKS 65536

/* A word that points into a region, and in which turn it was seen: 0 is the sources', n + 1 that
 * of the chunk found as number n. */
struct candidate {
	uint64_t address, granule, turn;
	const struct chunk_region *region;
};

/* The chunks in the order in which they were found. Who found whom needs no more than a bit for
 * each event, since the finders take turns in that same order: 0 is a chunk that was found, 1 the
 * end of a turn. */
struct search {
	const struct subject *subject;
	const struct chunk_table *table;
	struct word_form form;
	uint64_t *passed;
	uint64_t goal;
	const uint64_t *exact;
	ARRAY(uint64_t) found; /* numbers of chunks */
	ARRAY(uint64_t) events;
	uint64_t event_count;
	uint64_t turn; /* that the events have come to */
	bool reached, failed;
	uint64_t low, span; /* all regions lie in [low, low + span) */
	struct candidate candidates[CANDIDATES];
	unsigned next_candidate;
};

static void add_event(struct search *search, bool end_of_turn)
{
	if (search->event_count % 64 == 0 && !array_push(&search->events, 0)) {
		search->failed = true;
		return;
	}
	if (end_of_turn)
		search->events.items[search->event_count / 64] |= (uint64_t)1
								  << search->event_count % 64;
	search->event_count++;
}

static void find(struct search *search, uint64_t number, uint64_t turn)
{
	search->passed[number / 64] |= (uint64_t)1 << number % 64;
	for (; search->turn < turn && !search->failed; search->turn++)
		add_event(search, true);
	add_event(search, false);
	if (!search->failed && !array_push(&search->found, number))
		search->failed = true;
	search->reached = number == search->goal;
}

static void consider(struct search *search, const struct candidate *candidate)
{
	const struct chunk_region *region = candidate->region;
	uint64_t number = chunk_lookup_start(search->table, region, candidate->granule);
	if (number == CHUNK_NONE || chunk_lookup_bit(search->passed, number))
		return;
	uint64_t start = chunk_lookup_address(region, number);
	uint64_t offset = candidate->address - start;
	uint64_t size = chunk_lookup_size(search->table, region, number);
	if (!interior_reaches(size, offset) ||
	    (search->exact != NULL && offset != 0 && chunk_lookup_bit(search->exact, number) &&
	     interior_idiom(search->subject->target, search->table, start, size, offset) == NULL))
		return;
	find(search, number, candidate->turn);
}

/* Puts the candidate in the ring, and considers the one that waited longest there. */
static void rotate(struct search *search, const struct candidate *candidate)
{
	struct candidate *slot = &search->candidates[search->next_candidate];
	const struct candidate waiting = *slot;
	*slot = *candidate;
	search->next_candidate = (search->next_candidate + 1) % CANDIDATES;
	if (waiting.region != NULL && !search->reached && !search->failed)
		consider(search, &waiting);
}

static void see_word(struct search *search, uint64_t word, uint64_t turn)
{
	if (word - search->low >= search->span)
		return;
	const struct chunk_region *region = chunk_lookup_region(search->table, word);
	if (region == NULL)
		return;
	uint64_t granule = chunk_lookup_granule(region, word);
	prefetch(&search->passed[granule / 64]);
	prefetch(&search->table->levels[0][granule / 64]);
	rotate(search, &(struct candidate){ word, granule, turn, region });
}

static void scan_bytes(struct search *search, const uint8_t *bytes, uint64_t size, uint64_t turn)
{
	const struct word_form *form = &search->form;
	for (uint64_t i = 0; i + form->size <= size && !search->reached; i += form->size)
		see_word(search, word_form_load(form, bytes + i), turn);
}

static void scan_memory(struct search *search, uint64_t start, uint64_t end, uint64_t turn)
{
	struct span_walk walk = span_walk_over(search->subject->target, start, end);
	const uint8_t *bytes;
	uint64_t at;
	for (size_t got; !search->reached && !search->failed &&
			 (got = span_walk_next(&walk, UINT64_MAX, &at, &bytes)) != 0;)
		scan_bytes(search, bytes, got, turn);
}

static void drain(struct search *search)
{
	for (unsigned i = 0; i < CANDIDATES; i++)
		rotate(search, &(struct candidate){ 0 });
}

/* Asks for the first line of a chunk whose turn comes soon. */
static void ask_ahead(const struct search *search, uint64_t index)
{
	struct chunk chunk;
	const uint8_t *bytes;
	if (index < search->found.count &&
	    chunk_table_numbered(search->table, search->found.items[index], &chunk) &&
	    address_space_span(search->subject->target->space, chunk.address, chunk.size, &bytes) !=
		0)
		prefetch(bytes);
}

static void run(struct search *search, const struct mark_source *sources, size_t count)
{
	for (size_t i = 0; i < count && !search->reached && !search->failed; i++) {
		if (sources[i].bytes != NULL)
			scan_bytes(search, sources[i].bytes, sources[i].size, 0);
		else
			scan_memory(search, sources[i].start, sources[i].end, 0);
	}
	drain(search);
	for (uint64_t i = 0; i < search->found.count && !search->reached && !search->failed; i++) {
		struct chunk chunk;
		ask_ahead(search, i + CANDIDATES / 2);
		if (chunk_table_numbered(search->table, search->found.items[i], &chunk))
			scan_memory(search, chunk.address, chunk.address + chunk.size, i + 1);
		if (i + 1 == search->found.count)
			drain(search);
		if (i % PROGRESS_CHUNKS == 0)
			progress_tell(search->subject->progress, "looking for the shortest path", i,
				      0);
	}
}

/* Goes back from the goal, found last, through the events to the turn of the sources. */
static bool trace(const struct search *search, chunk_path *path)
{
	uint64_t item = search->found.count - 1, turn = search->turn;
	uint64_t at = search->event_count - 1;
	bool fits = array_push(path, search->found.items[item]);
	while (fits && turn > 0) {
		const uint64_t finder = turn - 1;
		while (item > finder) {
			at--;
			if (chunk_lookup_bit(search->events.items, at))
				turn--;
			else
				item--;
		}
		fits = array_push(path, search->found.items[item]);
	}
	for (size_t i = 0; i < path->count / 2; i++) {
		uint64_t number = path->items[i];
		path->items[i] = path->items[path->count - 1 - i];
		path->items[path->count - 1 - i] = number;
	}
	return fits;
}

struct error *chunk_path_find(const struct subject *subject, const struct mark_source *sources,
			      size_t count, const uint64_t *exact, uint64_t *passed, uint64_t goal,
			      chunk_path *path)
{
	struct search search = {
		.subject = subject,
		.table = subject->heap->chunks,
		.form = word_form_of(subject->target->arch),
		.passed = passed,
		.goal = goal,
		.exact = exact,
	};
	chunk_path made = { 0 };
	size_t regions_count;
	const struct chunk_region *regions = chunk_table_regions(search.table, &regions_count);
	if (regions_count > 0) {
		search.low = regions[0].start;
		search.span = regions[regions_count - 1].end - regions[0].start;
	}
	run(&search, sources, count);
	bool fits = !search.failed && (!search.reached || trace(&search, &made));
	array_free(&search.found);
	array_free(&search.events);
	if (!fits) {
		array_free(&made);
		return error_no_memory();
	}
	*path = made;
	return NULL;
}
