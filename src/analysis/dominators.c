/* Semidominators as Lengauer and Tarjan define them, by a depth-first walk and, in the reverse of
 * its order, the lowest of what a path compression finds. The immediate dominator of a node is the
 * nearest dominator of its parent that is not numbered above its semidominator; here only the one
 * just below the virtual root is asked for, so one comparison for each node finds it:
 *
 *     top(n) = n's semidominator lies below top(parent(n)) ? n : top(parent(n))
 *
 * Nodes are numbered in the order of the walk: 0 is the virtual root, an item's number is below
 * those of all chunks that were first found from it, so that these are an interval. A pointer from
 * a later interval into an earlier one makes its target's semidominator 0 at once; most others that
 * become 0 are found in a few rounds over all pointers, so that little is left to compress paths
 * for.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "analysis/dominators.h"

#include "analysis/chunk_bytes.h"
#include "base/bytes.h"
#include "heap/chunk_lookup.h"

#include <elf.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define SLICE		512 /* bytes that are scanned before what they lead to is */
#define HITS		(SLICE / 4)
#define NODES_MAX	((uint64_t)UINT32_MAX / 2)
#define NUMBER_INTERNAL UINT32_MAX
#define TOP_ITEM	((uint32_t)1 << 31) /* the top is an item: the other bits are its index */
#define PROGRESS_NODES	65536
#define FILTER_BITS	65536
#define ROUNDS_MAX	16
#define ROUND_WORTH	16 /* a round goes on that cuts one in so many edges, */
#define ROUND_GROWTH	2  /* … or grew so much since the one before */
#define PAGE_SHIFT	12
#define CONTINUED	1 /* in the address of a step: in the midst of a chunk */

/* 64 granules of the chunk table, side by side, so that a pointer costs one cache miss and not two:
 * which begin a chunk, which a reachable one, and how many of these are below. */
struct granules {
	uint64_t starts, reachable, before;
	uint64_t unused; /* no two cache lines */
};

/* A chunk to go to from a node; or the rest of the node's own words, from .address on. */
struct step {
	uint64_t address;
	uint32_t from, rank;
};

/* A pointer to a node with a lower number in the same interval. */
struct edge {
	uint32_t from, to;
};

/* Of a node in the forest of those already looked at: an ancestor, and the lowest semidominator on
 * the way up to it, itself excluded. */
struct link {
	uint32_t ancestor, best;
};

struct hit {
	uint64_t address, granule;
	const struct chunk_region *region;
	uint32_t rank;
};

struct flow {
	const struct subject *subject;
	const struct dominator_options *options;
	const struct chunk_table *table;
	const struct chunk_region *regions;
	const uint8_t **region_bytes;
	uint64_t low, span; /* all regions lie in [low, low + span) */
	size_t word_size;
	bool big_endian;

	struct granules *granules;
	uint64_t words;
	uint64_t chunks;  /* reachable ones */
	uint32_t *number; /* of a chunk's node, by rank; 0: not found yet */
	uint64_t nodes;	  /* that there may be */
	uint32_t *parent; /* from here on by number */
	uint32_t *semi;
	uint32_t *label; /* the nearest head that is known, upwards from the node */
	struct link *links;
	uint32_t *into; /* where the list of those that lead to the node begins in .from */
	uint32_t *from;
	ARRAY(struct edge) edges;
	ARRAY(struct step) steps;
	uint32_t count;	      /* the highest number that was given */
	uint32_t item_node;   /* whose interval is being made */
	uint32_t *item_nodes; /* of each item; 0: it leads nowhere */
	bool too_many;	      /* edges */
};

static inline uint64_t load_word(const struct flow *flow, const uint8_t *bytes)
{
	uint64_t word;
	if (flow->word_size != 8 || flow->big_endian)
		return bytes_unsigned(bytes, flow->word_size, flow->big_endian);
	memcpy(&word, bytes, sizeof word);
	return __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__ ? __builtin_bswap64(word) : word;
}

/* The rank of the reachable chunk that begins at granule `number`, or false. */
static inline bool rank_of(const struct flow *flow, uint64_t number, uint32_t *rank)
{
	const struct granules *word = &flow->granules[number / 64];
	if ((word->reachable >> number % 64 & 1) == 0)
		return false;
	*rank =
	    (uint32_t)(word->before + (uint64_t)__builtin_popcountll(
					  word->reachable & (((uint64_t)1 << number % 64) - 1)));
	return true;
}

/* chunk_lookup_start, from the word at hand where it has the answer. */
static inline uint64_t find_start(const struct flow *flow, const struct chunk_region *region,
				  uint64_t granule)
{
	uint64_t bits = flow->granules[granule / 64].starts & (UINT64_MAX >> (63 - granule % 64));
	if (bits == 0)
		return chunk_lookup_start(flow->table, region, granule);
	uint64_t found = granule / 64 * 64 + 63 - (uint64_t)__builtin_clzll(bits);
	return found < region->first_granule ? CHUNK_NONE : found;
}

/* Scanning. */

/* The words that point into regions; what they need to be looked up is on its way. */
static unsigned find_candidates(const struct flow *flow, const uint8_t *bytes, size_t size,
				struct hit hits[HITS])
{
	unsigned count = 0;
	for (size_t at = 0; at + flow->word_size <= size; at += flow->word_size) {
		uint64_t word = load_word(flow, bytes + at);
		if (word - flow->low >= flow->span)
			continue;
		const struct chunk_region *region = chunk_lookup_region(flow->table, word);
		if (region == NULL)
			continue;
		uint64_t granule = chunk_lookup_granule(region, word);
		__builtin_prefetch(&flow->granules[granule / 64]);
		hits[count++] = (struct hit){ word, granule, region, 0 };
	}
	return count;
}

/* Of these, the reachable chunks: hits[].address becomes the chunk's own. */
static unsigned find_hits(const struct flow *flow, struct hit hits[HITS], unsigned candidates)
{
	unsigned count = 0;
	for (unsigned i = 0; i < candidates; i++) {
		struct hit hit = hits[i];
		uint64_t number = find_start(flow, hit.region, hit.granule);
		if (number == CHUNK_NONE || !rank_of(flow, number, &hit.rank))
			continue;
		uint64_t address = chunk_lookup_address(hit.region, number);
		if (hit.address != address &&
		    hit.address - address >= chunk_lookup_size(flow->table, hit.region, number))
			continue;
		hit.address = address;
		__builtin_prefetch(&flow->number[hit.rank]);
		hits[count++] = hit;
	}
	return count;
}

static bool add_edge(struct flow *flow, uint32_t from, uint32_t to)
{
	if (to == from || to == NUMBER_INTERNAL)
		return true;
	if (to > from) {
		if (flow->semi[to] > from)
			flow->semi[to] = from;
		return true;
	}
	if (to < flow->item_node) {
		flow->semi[to] = 0;
		return true;
	}
	const struct edge edge = { from, to };
	const size_t count = flow->edges.count;
	if (count > 0 && memcmp(&flow->edges.items[count - 1], &edge, sizeof edge) == 0)
		return true;
	if (count >= UINT32_MAX - 1) {
		flow->too_many = true;
		return false;
	}
	return array_push(&flow->edges, edge);
}

static bool scan_words(struct flow *flow, const uint8_t *bytes, size_t size, uint32_t from)
{
	struct hit hits[HITS];
	unsigned count = find_hits(flow, hits, find_candidates(flow, bytes, size, hits));
	for (unsigned i = count; i-- > 0;) {
		const struct hit *hit = &hits[i];
		uint32_t number = flow->number[hit->rank];
		if (number != 0) {
			if (!add_edge(flow, from, number))
				return false;
			continue;
		}
		const uint8_t *start = flow->region_bytes[hit->region - flow->regions];
		if (start != NULL)
			__builtin_prefetch(start + (hit->address - hit->region->start));
		if (!array_push(&flow->steps, (struct step){ hit->address, from, hit->rank }))
			return false;
	}
	return true;
}

/* Borrows the bytes at `*at`, a slice of them at most; passes over what is not there. */
static size_t next_slice(const struct flow *flow, const struct chunk_region *region, uint64_t *at,
			 uint64_t end, const uint8_t **bytes)
{
	struct target *target = flow->subject->target;
	while (*at + flow->word_size <= end) {
		uint64_t want = end - *at < SLICE ? end - *at : SLICE;
		if (region != NULL && flow->region_bytes[region - flow->regions] != NULL) {
			*bytes = flow->region_bytes[region - flow->regions] + (*at - region->start);
			return want;
		}
		size_t got = address_space_span(target->space, *at, want, bytes);
		if (got >= flow->word_size)
			return got;
		uint64_t page = target->arch->page_size;
		*at += page - *at % page;
	}
	return 0;
}

/* Scans a slice of the node's chunk, from `at` on; the rest becomes a step below what it leads to.
 */
static bool scan_chunk(struct flow *flow, uint64_t at, uint32_t node)
{
	const struct chunk_region *region = chunk_lookup_region(flow->table, at);
	uint64_t number = chunk_lookup_start(flow->table, region, chunk_lookup_granule(region, at));
	uint64_t end =
	    chunk_lookup_address(region, number) + chunk_lookup_size(flow->table, region, number);
	const uint8_t *bytes;
	size_t size = next_slice(flow, region, &at, end, &bytes);
	if (size == 0)
		return true;
	size -= size % flow->word_size;
	if (end - at - size >= flow->word_size &&
	    !array_push(&flow->steps, (struct step){ (at + size) | CONTINUED, node, 0 }))
		return false;
	return scan_words(flow, bytes, size, node);
}

static bool take_step(struct flow *flow, struct step step)
{
	if ((step.address & CONTINUED) != 0)
		return scan_chunk(flow, step.address & ~(uint64_t)CONTINUED, step.from);
	uint32_t number = flow->number[step.rank];
	if (number != 0)
		return add_edge(flow, step.from, number);
	number = ++flow->count;
	flow->number[step.rank] = number;
	flow->parent[number] = flow->semi[number] = step.from;
	if (number % PROGRESS_NODES == 0)
		progress_tell(flow->subject->progress, "following what the roots hold", number,
			      flow->nodes);
	return scan_chunk(flow, step.address, number);
}

static bool drain(struct flow *flow)
{
	while (flow->steps.count > 0)
		if (!take_step(flow, flow->steps.items[--flow->steps.count]))
			return false;
	return true;
}

static bool scan_source(struct flow *flow, const struct dominator_source *source)
{
	if (source->bytes != NULL) {
		for (size_t at = 0; at < source->size; at += SLICE) {
			size_t left = source->size - at;
			if (!scan_words(flow, source->bytes + at, left < SLICE ? left : SLICE,
					flow->item_node) ||
			    !drain(flow))
				return false;
		}
		return true;
	}
	const uint8_t *bytes;
	size_t size;
	for (uint64_t at = source->start;
	     (size = next_slice(flow, NULL, &at, source->end, &bytes)) != 0; at += size) {
		size -= size % flow->word_size;
		if (!scan_words(flow, bytes, size, flow->item_node) || !drain(flow))
			return false;
	}
	return true;
}

/* Numbers all that the sources lead to. */
static bool walk(struct flow *flow, const struct dominator_source *sources, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		uint32_t *node = &flow->item_nodes[sources[i].item];
		if (*node == 0) {
			*node = flow->item_node = ++flow->count;
			flow->parent[*node] = flow->semi[*node] = 0;
		}
		if (!scan_source(flow, &sources[i]))
			return false;
	}
	return true;
}

/* Heads that are found at once. Where a node's semidominator is 0, the virtual root might as well
 * lead to it: that changes no dominator. So it is the root of a tree of its own; and what a pointer
 * from another tree leads to is such a node, too, for there are two ways to it that share nothing.
 */

/* Each node's tree. Pointers from ancestors (the lowest is in .semi) are seen to on the way down.
 */
static void find_labels(struct flow *flow)
{
	for (uint32_t node = 1; node <= flow->count; node++) {
		uint32_t above = flow->label[flow->parent[node]];
		if (flow->semi[node] < above)
			flow->semi[node] = 0;
		flow->label[node] = flow->semi[node] == 0 ? node : above;
	}
}

/* Drops the edges to roots of trees. Returns how many nodes became such. */
static size_t cut_edges(struct flow *flow)
{
	size_t kept = 0, cut = 0;
	for (size_t i = 0; i < flow->edges.count; i++) {
		struct edge edge = flow->edges.items[i];
		uint32_t label = flow->label[edge.to];
		if (label == edge.to)
			continue;
		if (flow->label[edge.from] != label) {
			flow->semi[edge.to] = 0;
			cut++;
			continue;
		}
		flow->edges.items[kept++] = edge;
	}
	flow->edges.count = kept;
	return cut;
}

/* True when no tree has a pointer from another: then the labels are the tops. Else the rest is
 * better left to the semidominators: a round costs as much as all nodes and edges. */
static bool cut_trees(struct flow *flow)
{
	const unsigned wanted = flow->options->rounds,
		       rounds = wanted != 0 ? wanted - 1 : ROUNDS_MAX;
	size_t before = 0;
	for (unsigned round = 0; round < rounds; round++) {
		progress_tell(flow->subject->progress, "finding who holds what alone", round,
			      rounds);
		find_labels(flow);
		size_t cut = cut_edges(flow);
		if (cut == 0)
			return true;
		if (cut < flow->edges.count / ROUND_WORTH && cut <= before * ROUND_GROWTH)
			break;
		before = cut;
	}
	find_labels(flow);
	return false;
}

/* Semidominators, within the trees. */

/* The lowest semidominator on the way from `node` up to, and without, the first ancestor that is
 * numbered `limit` or lower. Each node passed is linked to its grandparent. */
static inline uint32_t lowest_above(struct flow *flow, uint32_t node, uint32_t limit)
{
	struct link *links = flow->links;
	uint32_t lowest = links[node].best, ancestor;
	while ((ancestor = links[node].ancestor) > limit) {
		struct link above = links[ancestor];
		if (above.best < lowest)
			lowest = above.best;
		if (above.ancestor > limit) {
			if (above.best < links[node].best)
				links[node].best = above.best;
			links[node].ancestor = above.ancestor;
		}
		node = ancestor;
	}
	return lowest;
}

static void find_semidominators(struct flow *flow)
{
	for (uint32_t node = flow->count; node > 0; node--) {
		uint32_t lowest = flow->semi[node];
		for (uint32_t i = flow->into[node]; i < flow->into[node + 1] && lowest != 0; i++) {
			uint32_t found = lowest_above(flow, flow->from[i], node);
			if (found < lowest)
				lowest = found;
		}
		flow->semi[node] = flow->links[node].best = lowest;
		if (node % PROGRESS_NODES == 0)
			progress_tell(flow->subject->progress, "finding who holds what alone",
				      flow->count - node, flow->count);
	}
}

/* The edges that are left, by the node that they lead to; .edges is then empty. */
static bool sort_edges(struct flow *flow)
{
	const size_t count = flow->edges.count;
	flow->into = large_array_new((size_t)flow->count + 2, sizeof *flow->into);
	flow->from = malloc((count + 1) * sizeof *flow->from);
	if (flow->into == NULL || flow->from == NULL)
		return false;
	for (size_t i = 0; i < count; i++)
		flow->into[flow->edges.items[i].to]++;
	for (uint32_t node = 1; node <= flow->count + 1; node++)
		flow->into[node] += flow->into[node - 1];
	for (size_t i = 0; i < count; i++)
		flow->from[--flow->into[flow->edges.items[i].to]] = flow->edges.items[i].from;
	array_free(&flow->edges);
	return true;
}

/* .label becomes the top of each node. */
static bool refine_labels(struct flow *flow)
{
	flow->links = large_array_new((size_t)flow->count + 1, sizeof *flow->links);
	if (flow->links == NULL || !sort_edges(flow))
		return false;
	for (uint32_t node = 0; node <= flow->count; node++)
		flow->links[node] = (struct link){ flow->parent[node], flow->semi[node] };
	find_semidominators(flow);
	find_labels(flow);
	return true;
}

/* Tops that are items are told by their index. */
static void name_items(struct flow *flow, size_t item_count)
{
	uint32_t *label = flow->label;
	for (size_t item = 0; item < item_count; item++)
		if (flow->item_nodes[item] != 0)
			label[flow->item_nodes[item]] = TOP_ITEM | (uint32_t)item;
	for (uint32_t node = 1; node <= flow->count; node++)
		if ((label[node] & TOP_ITEM) == 0)
			label[node] = label[label[node]];
}

static bool find_dominators(struct flow *flow, size_t item_count)
{
	flow->label = large_array_new((size_t)flow->count + 1, sizeof *flow->label);
	if (flow->label == NULL || (!cut_trees(flow) && !refine_labels(flow)))
		return false;
	name_items(flow, item_count);
	return true;
}

/* Sums. */

/* The reachable chunks in address order: `*granule` goes on from chunk to chunk. */
struct chunk_walk {
	size_t region;
	uint64_t granule;
	uint64_t address, size;
	uint32_t number;
};

static bool next_chunk(const struct flow *flow, struct chunk_walk *walk)
{
	size_t count;
	const struct chunk_region *regions = chunk_table_regions(flow->table, &count);
	for (; walk->region < count; walk->region++, walk->granule = 0) {
		const struct chunk_region *region = &regions[walk->region];
		uint64_t limit = chunk_lookup_limit(region);
		uint64_t at =
		    walk->granule > region->first_granule ? walk->granule : region->first_granule;
		while (at < limit) {
			uint64_t bits = flow->granules[at / 64].reachable & (UINT64_MAX << at % 64);
			if (bits == 0) {
				at = (at / 64 + 1) * 64;
				continue;
			}
			at = at / 64 * 64 + (uint64_t)__builtin_ctzll(bits);
			uint32_t rank;
			if (at >= limit || !rank_of(flow, at, &rank))
				break;
			walk->granule = at + 1;
			walk->address = chunk_lookup_address(region, at);
			walk->size = chunk_lookup_size(flow->table, region, at);
			walk->number = flow->number[rank];
			return true;
		}
	}
	return false;
}

static void count_chunk(struct chunk_total *total, uint64_t size)
{
	total->chunks++;
	total->bytes += size;
}

/* Totals of the items; and `held[node]` of every other top. */
static void sum_up(const struct flow *flow, struct dominators *result, struct chunk_total *held)
{
	struct chunk_walk walk = { 0 };
	while (next_chunk(flow, &walk)) {
		if (walk.number == 0 || walk.number == NUMBER_INTERNAL) {
			count_chunk(walk.number == 0 ? &result->pinned : &result->internal,
				    walk.size);
			continue;
		}
		uint32_t top = flow->label[walk.number];
		if ((top & TOP_ITEM) == 0) {
			count_chunk(&held[top], walk.size);
			count_chunk(&result->shared, walk.size);
			continue;
		}
		struct dominator_item *item = &result->items[top & ~TOP_ITEM];
		count_chunk(&item->held, walk.size);
		if (walk.size > item->largest_size || item->held.chunks == 1) {
			item->largest = walk.address;
			item->largest_size = walk.size;
		}
	}
}

/* Keeps the `limit` largest heads, largest first. */
static bool keep_head(struct dominators *result, const struct dominator_head *head, size_t limit)
{
	size_t at = result->heads.count;
	if (at == limit &&
	    (limit == 0 || result->heads.items[at - 1].held.bytes >= head->held.bytes))
		return true;
	if (at < limit) {
		if (!array_push(&result->heads, *head))
			return false;
	} else {
		at--;
	}
	struct dominator_head *heads = result->heads.items;
	for (; at > 0 && heads[at - 1].held.bytes < head->held.bytes; at--)
		heads[at] = heads[at - 1];
	heads[at] = *head;
	return true;
}

static bool find_heads(const struct flow *flow, const struct chunk_total *held, size_t limit,
		       struct dominators *result)
{
	struct chunk_walk walk = { 0 };
	while (next_chunk(flow, &walk)) {
		if (walk.number == 0 || walk.number == NUMBER_INTERNAL ||
		    flow->label[walk.number] != walk.number)
			continue;
		result->head_count++;
		struct dominator_head head = { .address = walk.address,
					       .size = walk.size,
					       .number = walk.number,
					       .held = held[walk.number] };
		if (!keep_head(result, &head, limit))
			return false;
	}
	return true;
}

/* Who leads to the heads. A holder that is a chunk is told by its number until it is named. */

struct holder_search {
	const struct flow *flow;
	struct dominator_head **heads; /* by address */
	size_t count;
	uint64_t filter[FILTER_BITS / 64]; /* a bit for each page of a head, modulo their number */
	struct dominator_holder holder;	   /* whose words are being read */
};

static int by_address(const void *left, const void *right)
{
	const struct dominator_head *const *a = left, *const *b = right;
	return (*a)->address < (*b)->address ? -1 : (*a)->address > (*b)->address;
}

static void note_holder(struct holder_search *search, uint64_t word)
{
	size_t low = 0, high = search->count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (search->heads[middle]->address <= word)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == 0)
		return;
	struct dominator_head *head = search->heads[low - 1];
	if (word != head->address && word - head->address >= head->size)
		return;
	if (!search->holder.is_item && search->holder.item == head->number)
		return;
	for (size_t i = 0; i < head->holder_count; i++)
		if (head->holders[i].is_item == search->holder.is_item &&
		    head->holders[i].item == search->holder.item)
			return;
	if (head->holder_count < DOMINATOR_HOLDERS)
		head->holders[head->holder_count++] = search->holder;
	else
		head->more_holders = true;
}

static void search_words(struct holder_search *search, const uint8_t *bytes, size_t size)
{
	const size_t word_size = search->flow->word_size;
	for (size_t i = 0; i + word_size <= size; i += word_size) {
		uint64_t word = load_word(search->flow, bytes + i), page = word >> PAGE_SHIFT;
		if ((search->filter[page % FILTER_BITS / 64] >> page % 64 & 1) != 0)
			note_holder(search, word);
	}
}

static void search_range(struct holder_search *search, const struct chunk_region *region,
			 uint64_t at, uint64_t end)
{
	const uint8_t *bytes;
	size_t size;
	for (; (size = next_slice(search->flow, region, &at, end, &bytes)) != 0; at += size) {
		size -= size % search->flow->word_size;
		search_words(search, bytes, size);
	}
}

static void search_all(struct holder_search *search, const struct dominator_source *sources,
		       size_t source_count)
{
	const struct flow *flow = search->flow;
	for (size_t i = 0; i < source_count; i++) {
		search->holder = (struct dominator_holder){ true, sources[i].item };
		if (sources[i].bytes != NULL)
			search_words(search, sources[i].bytes, sources[i].size);
		else
			search_range(search, NULL, sources[i].start, sources[i].end);
	}
	struct chunk_walk walk = { 0 };
	uint64_t done = 0;
	while (next_chunk(flow, &walk)) {
		if (walk.number == 0 || walk.number == NUMBER_INTERNAL)
			continue;
		uint32_t top = flow->label[walk.number];
		search->holder =
		    (struct dominator_holder){ (top & TOP_ITEM) != 0, top & ~TOP_ITEM };
		search_range(search, &flow->regions[walk.region], walk.address,
			     walk.address + walk.size);
		if (++done % PROGRESS_NODES == 0)
			progress_tell(flow->subject->progress, "finding who shares", done,
				      flow->chunks);
	}
}

static int by_item(const void *left, const void *right)
{
	const struct dominator_holder *const *a = left, *const *b = right;
	return (*a)->item < (*b)->item ? -1 : (*a)->item > (*b)->item;
}

/* From the numbers of the holders that are chunks to their addresses. */
static bool name_holders(const struct flow *flow, struct dominators *result)
{
	ARRAY(struct dominator_holder *) unnamed = { 0 };
	for (size_t i = 0; i < result->heads.count; i++)
		for (size_t j = 0; j < result->heads.items[i].holder_count; j++) {
			struct dominator_holder *holder = &result->heads.items[i].holders[j];
			if (!holder->is_item && !array_push(&unnamed, holder)) {
				array_free(&unnamed);
				return false;
			}
		}
	if (unnamed.count > 0)
		qsort(unnamed.items, unnamed.count, sizeof *unnamed.items, by_item);
	/* In the order of the numbers, which the addresses are put into once all are known. */
	uint64_t *addresses = calloc(unnamed.count + 1, sizeof *addresses);
	struct chunk_walk walk = { 0 };
	while (addresses != NULL && unnamed.count > 0 && next_chunk(flow, &walk)) {
		if (walk.number == 0 || walk.number == NUMBER_INTERNAL ||
		    flow->label[walk.number] != walk.number)
			continue;
		size_t low = 0, high = unnamed.count;
		while (low < high) {
			size_t middle = low + (high - low) / 2;
			if (unnamed.items[middle]->item < walk.number)
				low = middle + 1;
			else
				high = middle;
		}
		for (; low < unnamed.count && unnamed.items[low]->item == walk.number; low++)
			addresses[low] = walk.address;
	}
	for (size_t i = 0; addresses != NULL && i < unnamed.count; i++)
		unnamed.items[i]->item = addresses[i];
	bool fits = addresses != NULL;
	free(addresses);
	array_free(&unnamed);
	return fits;
}

static bool find_holders(const struct flow *flow, const struct dominator_source *sources,
			 size_t source_count, struct dominators *result)
{
	struct holder_search *search = calloc(1, sizeof *search);
	bool fits = search != NULL;
	if (fits) {
		search->flow = flow;
		search->heads = calloc(result->heads.count + 1, sizeof *search->heads);
		fits = search->heads != NULL;
	}
	for (size_t i = 0; fits && i < result->heads.count; i++) {
		struct dominator_head *head = &result->heads.items[i];
		search->heads[search->count++] = head;
		uint64_t last =
		    (head->address + (head->size > 0 ? head->size - 1 : 0)) >> PAGE_SHIFT;
		uint64_t page = head->address >> PAGE_SHIFT;
		for (uint64_t n = 0; page + n <= last && n < FILTER_BITS; n++)
			search->filter[(page + n) % FILTER_BITS / 64] |= (uint64_t)1
									 << (page + n) % 64;
	}
	if (fits && search->count > 0) {
		qsort(search->heads, search->count, sizeof *search->heads, by_address);
		search_all(search, sources, source_count);
		fits = name_holders(flow, result);
	}
	if (search != NULL)
		free(search->heads);
	free(search);
	return fits;
}

/* Life. */

static bool take_granules(struct flow *flow, const struct reachability *reachability)
{
	flow->words = (chunk_table_granules(flow->table) + 63) / 64;
	const uint64_t *starts = chunk_table_start_bits(flow->table);
	flow->granules = large_array_new(flow->words + 1, sizeof *flow->granules);
	if (flow->granules == NULL)
		return false;
	for (uint64_t i = 0; i < flow->words; i++) {
		flow->granules[i] = (struct granules){ .starts = starts[i],
						       .reachable = reachability->reachable[i],
						       .before = flow->chunks };
		flow->chunks += (uint64_t)__builtin_popcountll(reachability->reachable[i]);
	}
	return true;
}

/* The allocator's own chunks are there, and what they point to does not count. */
static void take_internal(struct flow *flow)
{
	const struct heap *heap = flow->subject->heap;
	struct chunk chunk;
	uint32_t rank;
	for (size_t i = 0; i < heap->internal.count; i++)
		if (chunk_table_find(flow->table, heap->internal.items[i], &chunk) &&
		    rank_of(flow, chunk.number, &rank))
			flow->number[rank] = NUMBER_INTERNAL;
}

static struct error *flow_begin(struct flow *flow, const struct subject *subject,
				const struct reachability *reachability, size_t item_count)
{
	size_t count;
	flow->subject = subject;
	flow->table = subject->heap->chunks;
	flow->regions = chunk_table_regions(flow->table, &count);
	flow->word_size = subject->target->arch->word_size;
	flow->big_endian = subject->target->arch->elf_data == ELFDATA2MSB;
	if (count > 0) {
		flow->low = flow->regions[0].start;
		flow->span = flow->regions[count - 1].end - flow->low;
	}
	if (!take_granules(flow, reachability))
		return error_no_memory();
	flow->nodes = flow->chunks + item_count + 1;
	if (flow->nodes >= NODES_MAX)
		return error_new(ERROR_UNSUPPORTED,
				 "%" PRIu64 " reachable chunks are more than can be told apart",
				 flow->chunks);
	flow->region_bytes = chunk_bytes_new(subject->target, flow->table);
	flow->number = large_array_new(flow->chunks + 1, sizeof *flow->number);
	flow->parent = large_array_new(flow->nodes, sizeof *flow->parent);
	flow->semi = large_array_new(flow->nodes, sizeof *flow->semi);
	flow->item_nodes = calloc(item_count + 1, sizeof *flow->item_nodes);
	if (flow->region_bytes == NULL || flow->number == NULL || flow->parent == NULL ||
	    flow->semi == NULL || flow->item_nodes == NULL)
		return error_no_memory();
	take_internal(flow);
	return NULL;
}

static void free_tree(struct flow *flow)
{
	array_free(&flow->edges);
	array_free(&flow->steps);
	large_array_free(flow->parent, flow->nodes, sizeof *flow->parent);
	large_array_free(flow->semi, flow->nodes, sizeof *flow->semi);
	large_array_free(flow->links, (size_t)flow->count + 1, sizeof *flow->links);
	large_array_free(flow->into, (size_t)flow->count + 2, sizeof *flow->into);
	free(flow->from);
	flow->parent = flow->semi = flow->into = flow->from = NULL;
	flow->links = NULL;
}

static void flow_end(struct flow *flow)
{
	free_tree(flow);
	large_array_free(flow->granules, flow->words + 1, sizeof *flow->granules);
	large_array_free(flow->number, flow->chunks + 1, sizeof *flow->number);
	large_array_free(flow->label, (size_t)flow->count + 1, sizeof *flow->label);
	free(flow->region_bytes);
	free(flow->item_nodes);
}

static struct error *tell(const struct flow *flow, const struct dominator_source *sources,
			  size_t source_count, size_t item_count, struct dominators *result)
{
	const size_t nodes = (size_t)flow->count + 1;
	struct chunk_total *held = large_array_new(nodes, sizeof *held);
	result->items = calloc(item_count + 1, sizeof *result->items);
	result->item_count = item_count;
	bool fits = held != NULL && result->items != NULL;
	if (fits)
		sum_up(flow, result, held);
	fits = fits && (result->shared.chunks == 0 ||
			(find_heads(flow, held, flow->options->heads, result) &&
			 find_holders(flow, sources, source_count, result)));
	large_array_free(held, nodes, sizeof *held);
	return fits ? NULL : error_no_memory();
}

struct error *dominators_find(const struct subject *subject,
			      const struct reachability *reachability,
			      const struct dominator_source *sources, size_t source_count,
			      size_t item_count, const struct dominator_options *options,
			      struct dominators *result)
{
	struct flow flow = { .options = options };
	struct dominators made = { 0 };
	struct error *error = flow_begin(&flow, subject, reachability, item_count);
	if (error == NULL &&
	    (!walk(&flow, sources, source_count) || !find_dominators(&flow, item_count)))
		error = flow.too_many
			    ? error_new(ERROR_UNSUPPORTED,
					"the heap holds more pointers than can be counted")
			    : error_no_memory();
	free_tree(&flow);
	if (error == NULL)
		error = tell(&flow, sources, source_count, item_count, &made);
	flow_end(&flow);
	if (error != NULL)
		dominators_free(&made);
	else
		*result = made;
	return error;
}

void dominators_free(struct dominators *result)
{
	free(result->items);
	array_free(&result->heads);
	*result = (struct dominators){ 0 };
}
