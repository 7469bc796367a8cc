/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "heap/glibc/mmapped.h"

#include <inttypes.h>
#include <stdlib.h>

#define PAGE	   4096
#define GROUPS_MAX 1024
#define SETS_MAX   4096
#define STEPS_MAX  (1u << 18) /* of the search for sets */

/* Candidates of one size. */
struct group {
	uint64_t bytes;
	size_t first, count;	/* in the sorted candidates */
	size_t taken;		/* how many the set under way drops */
	size_t best;		/* how many the best set drops */
	size_t fewest, most;	/* how many all sets drop */
};

/* The search for all sets of candidates whose dropping leaves what malloc counts. Which of a size
 * are dropped tells nothing of the sum, so a set is a number for each size. */
struct sets {
	const mmapped_candidates *found;
	struct group groups[GROUPS_MAX];
	size_t count;
	uint64_t best_edges; /* of what the best set drops: the fewest */
	size_t sets;
	unsigned steps;
	bool gave_up;
};

/* Of equals in size by what speaks for them, least first. */
static int by_size(const void *left, const void *right)
{
	const struct mmapped_candidate *a = left, *b = right;
	if (mmapped_bytes(a) != mmapped_bytes(b))
		return mmapped_bytes(a) < mmapped_bytes(b) ? -1 : 1;
	if (a->edges != b->edges)
		return a->edges < b->edges ? -1 : 1;
	return a->start < b->start ? -1 : a->start > b->start;
}

static int by_edges(const void *left, const void *right)
{
	const struct mmapped_candidate *a = left, *b = right;
	return a->edges != b->edges ? (a->edges < b->edges ? -1 : 1) : by_size(left, right);
}

/* The sizes that can be dropped: up to `largest`. */
static void make_groups(struct sets *sets, uint64_t largest)
{
	const mmapped_candidates *found = sets->found;
	for (size_t i = 0; i < found->count; i++) {
		const uint64_t bytes = mmapped_bytes(&found->items[i]);
		if (bytes > largest)
			return;
		if (sets->count > 0 && sets->groups[sets->count - 1].bytes == bytes) {
			sets->groups[sets->count - 1].count++;
			continue;
		}
		if (sets->count == GROUPS_MAX) {
			sets->gave_up = true;
			return;
		}
		sets->groups[sets->count++] = (struct group){
			.bytes = bytes, .first = i, .count = 1, .fewest = SIZE_MAX
		};
	}
}

static void note_set(struct sets *sets)
{
	uint64_t edges = 0;
	for (size_t i = 0; i < sets->count; i++)
		for (size_t j = 0; j < sets->groups[i].taken; j++)
			edges += sets->found->items[sets->groups[i].first + j].edges;
	const bool is_best = sets->sets++ == 0 || edges < sets->best_edges;
	if (is_best)
		sets->best_edges = edges;
	for (size_t i = 0; i < sets->count; i++) {
		struct group *group = &sets->groups[i];
		if (is_best)
			group->best = group->taken;
		if (group->taken < group->fewest)
			group->fewest = group->taken;
		if (group->taken > group->most)
			group->most = group->taken;
	}
}

/* All ways to drop `chunks` of `bytes` from the first `groups` groups, the largest sizes first: the
 * smallest chunk that is left bounds how many fit. The depth is at most GROUPS_MAX. */
static void find_sets(struct sets *sets, size_t groups, size_t chunks, uint64_t bytes)
{
	if (sets->gave_up || sets->steps++ == STEPS_MAX || sets->sets == SETS_MAX) {
		sets->gave_up = true;
		return;
	}
	if (chunks == 0 || groups == 0) {
		if (chunks == 0 && bytes == 0)
			note_set(sets);
		return;
	}
	struct group *group = &sets->groups[groups - 1];
	if (bytes / chunks < sets->groups[0].bytes || bytes / chunks > group->bytes)
		return;
	for (size_t i = 0; i <= group->count && i <= chunks && i * group->bytes <= bytes; i++) {
		group->taken = i;
		find_sets(sets, groups - 1, chunks - i, bytes - i * group->bytes);
	}
	group->taken = 0;
}

/* Drops of one size what the best set does; all that are equal, when nothing tells them apart. What
 * is left is doubted where other sets drop more, or others of that size may be meant. */
static void apply(struct mmapped_candidate *items, const struct group *group)
{
	size_t dropped = group->best;
	while (dropped > 0 && dropped < group->count &&
	       items[dropped].edges == items[group->best - 1].edges)
		dropped++;
	for (size_t i = 0; i < group->count; i++) {
		items[i].dropped = i < dropped;
		items[i].doubted = group->most > 0 && group->fewest < group->count;
	}
}

/* Nothing but their place tells the chunks from the look-alikes: what lies least like a mapping of
 * its own goes, and the rest is doubted. */
static void drop_by_place(mmapped_candidates *found, const struct mmapped_count *count)
{
	uint64_t sum = 0;
	qsort(found->items, found->count, sizeof *found->items, by_edges);
	for (size_t i = 0; i < found->count; i++) {
		found->items[i].dropped = i < found->count - count->chunks;
		found->items[i].doubted = true;
		sum += found->items[i].dropped ? 0 : mmapped_bytes(&found->items[i]);
	}
	if (sum <= count->bytes)
		return;
	for (size_t i = 0; i < found->count; i++)
		found->items[i].dropped = true;
}

static void tell(struct glibc_walk *walk, const mmapped_candidates *found,
		 const struct mmapped_count *count)
{
	uint64_t kept = 0, doubted = 0;
	for (size_t i = 0; i < found->count; i++) {
		kept += !found->items[i].dropped;
		doubted += found->items[i].doubted && !found->items[i].dropped;
	}
	if (doubted != 0)
		gaps_add(walk->gaps, GAP_HEAP, 0, 0,
			 "%zu pages look like mmapped chunks, where malloc has %" PRIu64
			 " of %" PRIu64 " bytes; those that lie least like a mapping of "
			 "their own were passed over, and what the others lead to counts as "
			 "possible",
			 found->count, count->chunks, count->bytes);
	if (kept < count->chunks)
		gaps_add(walk->gaps, GAP_HEAP, 0, 0,
			 "%" PRIu64 " mmapped chunks cannot be told from pages that look like "
			 "them; they count as ordinary mappings",
			 count->chunks - kept);
}

/* Where the search was given up, not all sets are known, so that whatever may be dropped is
 * doubted. Where no set was found the candidates are ordinary mappings. */
static void apply_sets(mmapped_candidates *found, struct sets *sets)
{
	const struct group *last = sets->count > 0 ? &sets->groups[sets->count - 1] : NULL;
	size_t reach = found->count;
	if (sets->gave_up && last != NULL && sets->count < GROUPS_MAX)
		reach = last->first + last->count;
	if (sets->sets == 0)
		for (size_t i = 0; i < reach; i++)
			found->items[i].dropped = found->items[i].doubted = true;
	for (size_t i = 0; i < sets->count && sets->sets != 0; i++)
		apply(&found->items[sets->groups[i].first], &sets->groups[i]);
	for (size_t i = 0; i < reach && sets->gave_up; i++)
		found->items[i].doubted = true;
}

/* There are no more of them than malloc counts: they are doubted where their bytes cannot be. */
static void check_bytes(mmapped_candidates *found, const struct mmapped_count *count, uint64_t sum)
{
	bool fits = sum == count->bytes || (sum < count->bytes && found->count < count->chunks);
	bool may_drift = count->drifts && sum < count->bytes && (count->bytes - sum) % 16 == 0;
	for (size_t i = 0; i < found->count && !fits; i++)
		found->items[i].doubted =
		    !may_drift || (count->bytes - sum >= PAGE && found->items[i].edges < 2);
}

void glibc_drop_lookalikes(struct glibc_walk *walk, mmapped_candidates *found,
			   const struct mmapped_count *count)
{
	uint64_t sum = 0;
	for (size_t i = 0; i < found->count; i++)
		sum += mmapped_bytes(&found->items[i]);
	if (found->count <= count->chunks) {
		check_bytes(found, count, sum);
		return;
	}
	qsort(found->items, found->count, sizeof *found->items, by_size);
	/* Chunks are whole pages: what is counted too much is known, while it is less than one. */
	const uint64_t bytes = count->drifts ? count->bytes & -(uint64_t)PAGE : count->bytes;
	const uint64_t smallest = mmapped_bytes(&found->items[0]);
	const uint64_t others = (found->count - count->chunks - 1) * smallest;
	struct sets *sets = calloc(1, sizeof *sets);
	if (sets == NULL) {
		walk->no_memory = true;
		return;
	}
	sets->found = found;
	if (sum >= bytes && sum - bytes >= others) {
		make_groups(sets, sum - bytes - others);
		find_sets(sets, sets->count, found->count - count->chunks, sum - bytes);
	}
	if (sets->sets == 0 && !sets->gave_up && count->drifts)
		drop_by_place(found, count);
	else
		apply_sets(found, sets);
	free(sets);
	tell(walk, found, count);
}
