/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "analysis/referrers.h"

#include "analysis/word_scan.h"

struct search {
	const struct subject *subject;
	const struct reachability *reachability;
	const struct storage_map *map;
	uint64_t start, size;
	const struct root *registers; /* that are scanned now, or NULL */
	struct referrers *referrers;
	uint64_t sequence;
	bool failed;
};

static enum referrer_class class_of(const struct search *search, struct referrer *referrer)
{
	const struct storage *storage = &referrer->word.storage;
	const struct place *place = &storage->place;
	if (referrer->word.at != 0 && referrer->word.at - search->start < search->size)
		return REFERRER_SELF;
	if (storage->root != NULL)
		return storage->root->strength == ROOT_STRONG ? REFERRER_ROOT : REFERRER_WEAK;
	if (place->kind != PLACE_CHUNK || !place->chunk.used || storage->kind == STORAGE_ALLOCATOR)
		return REFERRER_STALE;
	referrer->state = reachability_state(search->reachability, &place->chunk);
	return REFERRER_CHUNK;
}

static bool see(void *context, uint64_t at, uint64_t value)
{
	struct search *search = context;
	struct referrer referrer = { .word = { .at = search->registers == NULL ? at : 0,
					       .value = value } };
	if (search->registers != NULL)
		storage_of_bytes(search->map, search->registers, at, &referrer.word.storage);
	else
		storage_at(search->map, at, &referrer.word.storage);
	referrer.class = class_of(search, &referrer);
	referrer.sequence = search->sequence++;
	if (search->referrers->counts[referrer.class]++ < REFERRERS_KEPT &&
	    !array_push(&search->referrers->list, referrer))
		search->failed = true;
	return !search->failed;
}

/* What was never written holds no pointer but those of the linker, in code. */
static bool may_refer(const struct segment *segment)
{
	const bool code = (segment->permissions & SEGMENT_EXECUTE) != 0 &&
			  (segment->permissions & SEGMENT_WRITE) == 0;
	return (segment->origin == SEGMENT_CORE || segment->origin == SEGMENT_LIVE) && !code;
}

static int by_class(const void *left, const void *right)
{
	const struct referrer *a = left, *b = right;
	if (a->class != b->class)
		return a->class < b->class ? -1 : 1;
	return a->sequence < b->sequence ? -1 : 1;
}

struct error *referrers_find(const struct subject *subject, const struct roots *roots,
			     const struct reachability *reachability, const struct storage_map *map,
			     uint64_t start, uint64_t size, struct referrers *referrers)
{
	struct referrers made = { 0 };
	struct search search = { .subject = subject,
				 .reachability = reachability,
				 .map = map,
				 .start = start,
				 .size = size,
				 .referrers = &made };
	for (size_t i = 0; i < roots->list.count && !search.failed; i++) {
		search.registers = &roots->list.items[i];
		if (search.registers->bytes != NULL)
			word_scan_bytes(subject->target, search.registers->bytes,
					search.registers->size, start, size, see, &search);
	}
	search.registers = NULL;
	size_t count;
	const struct segment *segments = address_space_segments(subject->target->space, &count);
	for (size_t i = 0; i < count && !search.failed; i++) {
		progress_tell(subject->progress, "looking for who refers to it", i, count);
		if (may_refer(&segments[i]))
			word_scan_memory(subject->target, segments[i].start, segments[i].end, start,
					 size, see, &search);
	}
	if (search.failed) {
		referrers_free(&made);
		return error_no_memory();
	}
	if (made.list.count > 0)
		qsort(made.list.items, made.list.count, sizeof *made.list.items, by_class);
	*referrers = made;
	return NULL;
}

void referrers_free(struct referrers *referrers)
{
	array_free(&referrers->list);
	*referrers = (struct referrers){ 0 };
}

const char *referrer_class_name(enum referrer_class class)
{
	static const char *const names[REFERRER_CLASS_COUNT] = {
		[REFERRER_ROOT] = "root", [REFERRER_WEAK] = "weak-root", [REFERRER_CHUNK] = "chunk",
		[REFERRER_SELF] = "self", [REFERRER_STALE] = "stale",
	};
	return names[class];
}
