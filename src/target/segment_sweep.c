/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "target/segment_sweep.h"

struct segment segment_part(const struct segment *whole, uint64_t start, uint64_t end)
{
	struct segment part = *whole;
	part.start = start;
	part.end = end;
	if (whole->name != NULL && whole->name[0] != '[')
		part.file_offset += start - whole->start;
	if (whole->bytes != NULL)
		part.bytes += start - whole->start;
	return part;
}

static bool has_bytes(const struct segment *segment)
{
	return segment->bytes != NULL || segment->origin == SEGMENT_LIVE;
}

static int compare_start(const void *left, const void *right)
{
	const struct sweep_segment *a = left, *b = right;
	if (a->segment.start != b->segment.start)
		return a->segment.start < b->segment.start ? -1 : 1;
	return a->order < b->order ? -1 : 1;
}

/* Whether `a` is seen where both are mapped. */
static bool wins(const struct sweep_segment *a, const struct sweep_segment *b)
{
	if (has_bytes(&a->segment) != has_bytes(&b->segment))
		return has_bytes(&a->segment);
	return a->order < b->order;
}

/* A binary heap of the segments that cover the sweep's position; the one that wins is first. */
struct active {
	const struct sweep_segment **items;
	size_t count;
};

static void active_push(struct active *active, const struct sweep_segment *item)
{
	size_t at = active->count++;
	while (at > 0 && wins(item, active->items[(at - 1) / 2])) {
		active->items[at] = active->items[(at - 1) / 2];
		at = (at - 1) / 2;
	}
	active->items[at] = item;
}

static void active_pop(struct active *active)
{
	const struct sweep_segment *last = active->items[--active->count];
	size_t at = 0;
	for (;;) {
		size_t child = 2 * at + 1;
		if (child >= active->count)
			break;
		if (child + 1 < active->count &&
		    wins(active->items[child + 1], active->items[child]))
			child++;
		if (!wins(active->items[child], last))
			break;
		active->items[at] = active->items[child];
		at = child;
	}
	active->items[at] = last;
}

/* Appends the part [start, end) of `source`; `*previous` is what the part before came from. */
static bool emit(segment_array *segments, const struct sweep_segment **previous,
		 const struct sweep_segment *source, uint64_t start, uint64_t end)
{
	size_t count = segments->count;
	if (*previous == source && count > 0 && segments->items[count - 1].end == start) {
		segments->items[count - 1].end = end;
		return true;
	}
	*previous = source;
	return array_push(segments, segment_part(&source->segment, start, end));
}

/* Sweeps over the sorted segments and leaves those parts that are seen. */
static bool sweep(const struct sweep_segment *items, size_t count, struct active *active,
		  segment_array *segments)
{
	const struct sweep_segment *previous = NULL;
	size_t next = 0;
	uint64_t at = 0;
	while (next < count || active->count > 0) {
		if (active->count == 0)
			at = items[next].segment.start;
		while (next < count && items[next].segment.start <= at)
			active_push(active, &items[next++]);
		const struct sweep_segment *top = active->items[0];
		if (top->segment.end <= at) {
			active_pop(active);
			continue;
		}
		uint64_t stop = top->segment.end;
		if (next < count && items[next].segment.start < stop)
			stop = items[next].segment.start;
		if (!emit(segments, &previous, top, at, stop))
			return false;
		at = stop;
	}
	return true;
}

bool segment_sweep(struct sweep_segment *added, size_t count, segment_array *segments)
{
	if (count == 0)
		return true;
	qsort(added, count, sizeof *added, compare_start);
	struct active active = { calloc(count, sizeof *active.items), 0 };
	bool fits = active.items != NULL && sweep(added, count, &active, segments);
	free(active.items);
	return fits;
}
