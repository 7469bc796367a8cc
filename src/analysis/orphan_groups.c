/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "analysis/orphan_groups.h"

#include "analysis/content_text.h"
#include "analysis/orphan_batch.h"

#include <inttypes.h>
#include <string.h>

#define KEY_BYTES	8    /* texts that begin with the same so many bytes are one group */
#define PREFIX_BYTES	64   /* of texts that are compared for what they have in common */
#define PREFIX_SHOWN	4    /* in common at least, for it to be told */
#define TEXT_GROUPS_MAX 4096 /* with beginnings of their own */
#define LONE_TEXTS_MAX	4    /* with a beginning that no other has, to stay groups */
#define SIZES_MAX	8    /* groups of zeros, or of data, that differ in size only */
#define SIZE_CLASSES	64

struct key {
	enum content_kind kind;
	const char *what;
	uint64_t size;	/* 0: any */
	uint64_t start; /* what a text begins with */
};

/* What is kept of a group while it is filled, at the same index as the group. */
struct gathered {
	struct key key;
	struct content content; /* of the largest one's head */
	uint8_t prefix[PREFIX_BYTES];
	uint8_t prefix_length; /* that all texts of the group have in common */
	bool longer;	       /* some text goes on after it */
};

struct orphan_grouper {
	const struct subject *subject;
	enum orphan_grouping grouping;
	struct orphan_batch batch;	       /* that is not in the groups yet */
	struct content_recogniser *recogniser; /* of the batch */
	struct orphans orphans;
	ARRAY(struct gathered) gathered;
	size_t text_groups;
	uint32_t *buckets; /* index of a group + 1; a power of two, open addressing */
	size_t bucket_count;
};

struct orphan_grouper *orphan_grouper_new(const struct subject *subject,
					  enum orphan_grouping grouping)
{
	struct orphan_grouper *grouper = calloc(1, sizeof *grouper);
	if (grouper == NULL)
		return NULL;
	grouper->subject = subject;
	grouper->grouping = grouping;
	if (!orphan_batch_init(&grouper->batch, subject)) {
		orphan_grouper_free(grouper);
		return NULL;
	}
	grouper->recogniser = grouper->batch.recognisers[0];
	return grouper;
}

void orphan_grouper_free(struct orphan_grouper *grouper)
{
	if (grouper == NULL)
		return;
	orphan_batch_end(&grouper->batch);
	orphans_free(&grouper->orphans);
	array_free(&grouper->gathered);
	free(grouper->buckets);
	free(grouper);
}

bool orphan_grouper_is_owner(struct orphan_grouper *grouper, const struct chunk *chunk)
{
	return content_is_owner(grouper->recogniser, chunk);
}

/* --- looking a group up */

static size_t bucket_of(const struct orphan_grouper *grouper, const struct key *key)
{
	uint64_t hash = (uint64_t)(uintptr_t)key->what;
	hash = (hash * 31 + key->size) * 31 + key->start + (uint64_t)key->kind;
	hash *= 0x9e3779b97f4a7c15U;
	size_t mask = grouper->bucket_count - 1, at = (size_t)(hash >> 32) & mask;
	for (; grouper->buckets[at] != 0; at = (at + 1) & mask) {
		const struct key *other = &grouper->gathered.items[grouper->buckets[at] - 1].key;
		if (other->kind == key->kind && other->what == key->what &&
		    other->size == key->size && other->start == key->start)
			break;
	}
	return at;
}

static bool grow_buckets(struct orphan_grouper *grouper)
{
	uint32_t *old = grouper->buckets;
	size_t count = grouper->bucket_count == 0 ? 256 : grouper->bucket_count * 2;
	uint32_t *buckets = calloc(count, sizeof *buckets);
	if (buckets == NULL)
		return false;
	grouper->buckets = buckets;
	grouper->bucket_count = count;
	for (size_t i = 0; i < grouper->gathered.count; i++)
		buckets[bucket_of(grouper, &grouper->gathered.items[i].key)] = (uint32_t)i + 1;
	free(old);
	return true;
}

/* The group of `key`, new ones empty; NULL: no memory. */
static struct orphan_group *find_group(struct orphan_grouper *grouper, const struct key *key,
				       struct gathered **gathered)
{
	struct orphans *orphans = &grouper->orphans;
	if ((orphans->groups.count + 1) * 2 > grouper->bucket_count && !grow_buckets(grouper))
		return NULL;
	size_t bucket = bucket_of(grouper, key);
	if (grouper->buckets[bucket] == 0) {
		if (!array_push(&orphans->groups, (struct orphan_group){ .what = key->what }))
			return NULL;
		if (!array_push(&grouper->gathered, (struct gathered){ .key = *key })) {
			orphans->groups.count--;
			return NULL;
		}
		grouper->buckets[bucket] = (uint32_t)orphans->groups.count;
	}
	*gathered = &grouper->gathered.items[grouper->buckets[bucket] - 1];
	return &orphans->groups.items[grouper->buckets[bucket] - 1];
}

/* --- adding */

static size_t text_start(const struct orphan_grouper *grouper, const struct chunk *chunk,
			 uint8_t prefix[PREFIX_BYTES])
{
	const uint8_t *bytes;
	size_t size =
	    address_space_span(grouper->subject->target->space, chunk->address,
			       chunk->size < PREFIX_BYTES ? chunk->size : PREFIX_BYTES, &bytes);
	if (size == 0)
		return 0;
	size = content_text_length(bytes, size);
	memcpy(prefix, bytes, size);
	return size;
}

/* How a text begins is part of its key, unless there are too many beginnings already. */
static void key_text(struct orphan_grouper *grouper, struct key *key, const uint8_t *prefix,
		     size_t length)
{
	memcpy(&key->start, prefix, length < KEY_BYTES ? length : KEY_BYTES);
	if (grouper->text_groups >= TEXT_GROUPS_MAX &&
	    grouper->buckets[bucket_of(grouper, key)] == 0)
		key->start = 0;
}

static struct key key_of(struct orphan_grouper *grouper, const struct content *content,
			 const struct chunk *head, const struct content_shape *shape)
{
	switch (grouper->grouping) {
	case GROUP_BY_SIZE:
		return (struct key){ CONTENT_DATA, NULL, head->size, 0 };
	case GROUP_BY_TYPE:
		return (struct key){ content->kind, content->type, 0, 0 };
	case GROUP_BY_SHAPE:
		return (struct key){ CONTENT_POINTERS,
				     content_shape_phrase(grouper->recogniser, shape, head->size),
				     0, 0 };
	case GROUP_BY_KIND:
		break;
	}
	return (struct key){ content->kind, content->what,
			     content->kind == CONTENT_TEXT ? 0 : head->size, 0 };
}

static void add_prefix(struct gathered *gathered, const uint8_t *prefix, size_t length, bool first)
{
	size_t common = 0;
	if (first) {
		memcpy(gathered->prefix, prefix, length);
		gathered->prefix_length = (uint8_t)length;
		gathered->longer = length == PREFIX_BYTES;
		return;
	}
	while (common < length && common < gathered->prefix_length &&
	       prefix[common] == gathered->prefix[common])
		common++;
	gathered->longer |= common < length || common < gathered->prefix_length;
	gathered->prefix_length = (uint8_t)common;
}

static bool is_larger(const struct orphan_structure *a, const struct orphan_structure *b)
{
	return a->bytes != b->bytes ? a->bytes > b->bytes : a->head < b->head;
}

/* Keeps the largest ones, in order. */
static void keep_example(struct orphan_group *group, const struct orphan_structure *structure)
{
	struct orphan_structure at_hand = *structure;
	for (unsigned i = 0; i < group->example_count; i++)
		if (is_larger(&at_hand, &group->examples[i])) {
			struct orphan_structure smaller = group->examples[i];
			group->examples[i] = at_hand;
			at_hand = smaller;
		}
	if (group->example_count < ORPHAN_EXAMPLES)
		group->examples[group->example_count++] = at_hand;
}

static void add_to_group(struct orphan_group *group, struct gathered *gathered,
			 const struct orphan_structure *structure, const struct content *content)
{
	if (group->structures == 0) {
		group->head_size_min = group->head_size_max = structure->head_size;
		group->largest = *structure;
		gathered->content = *content;
	} else if (is_larger(structure, &group->largest)) {
		keep_example(group, &group->largest);
		group->largest = *structure;
		gathered->content = *content;
	} else {
		keep_example(group, structure);
	}
	if (structure->head_size < group->head_size_min)
		group->head_size_min = structure->head_size;
	if (structure->head_size > group->head_size_max)
		group->head_size_max = structure->head_size;
	group->structures++;
	group->shared += structure->shared_by > 0;
	group->chunks += structure->chunks;
	group->bytes += structure->bytes;
}

static bool add_recognised(struct orphan_grouper *grouper, const struct orphan_batch_item *item)
{
	uint8_t prefix[PREFIX_BYTES] = { 0 };
	size_t length = 0;
	struct key key = key_of(grouper, &item->content, &item->head, &item->shape);
	const bool text = grouper->grouping == GROUP_BY_KIND && item->content.kind == CONTENT_TEXT;
	/* Before the first group there is no table to look into. */
	if (grouper->buckets == NULL && !grow_buckets(grouper))
		return false;
	if (text) {
		length = text_start(grouper, &item->head, prefix);
		key_text(grouper, &key, prefix, length);
	}
	struct gathered *gathered;
	struct orphan_group *group = find_group(grouper, &key, &gathered);
	if (group == NULL)
		return false;
	if (text) {
		grouper->text_groups += group->structures == 0;
		add_prefix(gathered, prefix, length, group->structures == 0);
	}
	add_to_group(group, gathered, &item->structure, &item->content);
	grouper->orphans.structures++;
	grouper->orphans.chunks += item->structure.chunks;
	grouper->orphans.bytes += item->structure.bytes;
	return true;
}

static bool add_batch(struct orphan_grouper *grouper)
{
	struct orphan_batch *batch = &grouper->batch;
	bool fits = true;
	orphan_batch_recognise(batch);
	for (size_t i = 0; fits && i < batch->count; i++)
		fits = add_recognised(grouper, &batch->items[i]);
	batch->count = 0;
	return fits;
}

bool orphan_grouper_add(struct orphan_grouper *grouper, const struct chunk *head,
			const struct orphan_structure *structure, const struct content_shape *shape)
{
	const struct orphan_batch_item item = { .head = *head,
						.structure = *structure,
						.shape = *shape };
	return !orphan_batch_add(&grouper->batch, &item) || add_batch(grouper);
}

/* --- merging what would be too many groups */

/* Moves all of `from` into `group`; the key of `group` no longer says anything. */
static void merge(struct orphan_grouper *grouper, size_t into, size_t from)
{
	struct orphan_group *group = &grouper->orphans.groups.items[into];
	struct orphan_group *gone = &grouper->orphans.groups.items[from];
	struct gathered *kept = &grouper->gathered.items[into];
	const struct gathered *other = &grouper->gathered.items[from];
	if (is_larger(&gone->largest, &group->largest)) {
		keep_example(group, &group->largest);
		group->largest = gone->largest;
		kept->content = other->content;
	} else {
		keep_example(group, &gone->largest);
	}
	for (unsigned i = 0; i < gone->example_count; i++)
		keep_example(group, &gone->examples[i]);
	if (gone->head_size_min < group->head_size_min)
		group->head_size_min = gone->head_size_min;
	if (gone->head_size_max > group->head_size_max)
		group->head_size_max = gone->head_size_max;
	group->structures += gone->structures;
	group->shared += gone->shared;
	group->chunks += gone->chunks;
	group->bytes += gone->bytes;
	add_prefix(kept, other->prefix, other->prefix_length, false);
	kept->longer |= other->longer;
	gone->structures = 0;
}

/* Texts that begin like no other become one group, where they are many. */
static void merge_texts(struct orphan_grouper *grouper)
{
	size_t count = 0, into = SIZE_MAX;
	for (size_t i = 0; i < grouper->gathered.count; i++)
		count += grouper->gathered.items[i].key.kind == CONTENT_TEXT &&
			 grouper->orphans.groups.items[i].structures == 1;
	if (count <= LONE_TEXTS_MAX)
		return;
	for (size_t i = 0; i < grouper->gathered.count; i++) {
		if (grouper->gathered.items[i].key.kind != CONTENT_TEXT ||
		    grouper->orphans.groups.items[i].structures != 1)
			continue;
		if (into == SIZE_MAX)
			into = i;
		else
			merge(grouper, into, i);
	}
}

/* Where there are many sizes of `kind`, those between two powers of two become one group. */
static void merge_sizes(struct orphan_grouper *grouper, enum content_kind kind)
{
	size_t into[SIZE_CLASSES], count = 0;
	for (size_t i = 0; i < SIZE_CLASSES; i++)
		into[i] = SIZE_MAX;
	for (size_t i = 0; i < grouper->gathered.count; i++)
		count += grouper->gathered.items[i].key.kind == kind;
	if (count <= SIZES_MAX)
		return;
	for (size_t i = 0; i < grouper->gathered.count; i++) {
		const struct key *key = &grouper->gathered.items[i].key;
		if (key->kind != kind)
			continue;
		const unsigned class = 63 - (unsigned)__builtin_clzll(key->size | 1);
		if (into[class] == SIZE_MAX)
			into[class] = i;
		else
			merge(grouper, into[class], i);
	}
}

/* --- naming */

static const char *sizes_phrase(struct orphan_grouper *grouper, const struct orphan_group *group,
				const char *what)
{
	if (group->head_size_min == group->head_size_max)
		return what;
	return string_pool_format(modules_strings(grouper->subject->modules),
				  "%s, %" PRIu64 "–%" PRIu64 " bytes", what, group->head_size_min,
				  group->head_size_max);
}

static const char *text_phrase(struct orphan_grouper *grouper, const struct orphan_group *group,
			       const struct gathered *gathered, const char *example)
{
	struct string_pool *strings = modules_strings(grouper->subject->modules);
	struct words words = { 0 };
	size_t length = gathered->prefix_length;
	/* No half characters. */
	while (length > 0 && length < PREFIX_BYTES && gathered->longer &&
	       (gathered->prefix[length - 1] & 0x80) != 0)
		length--;
	if (length < PREFIX_SHOWN) {
		static const char text[] = "text ";
		const char *quoted = strncmp(example, text, sizeof text - 1) == 0
					 ? example + sizeof text - 1
					 : example;
		return string_pool_format(strings, "%s, e.g. %s",
					  sizes_phrase(grouper, group, "text"), quoted);
	}
	words_add(&words, "text ");
	content_add_quoted(&words, gathered->prefix, length, EXAMPLE_CHARACTERS, gathered->longer);
	return sizes_phrase(grouper, group, string_pool_add(strings, words.text));
}

static void name_group(struct orphan_grouper *grouper, size_t index)
{
	struct string_pool *strings = modules_strings(grouper->subject->modules);
	struct orphan_group *group = &grouper->orphans.groups.items[index];
	const struct gathered *gathered = &grouper->gathered.items[index];
	const struct content *content = &gathered->content;
	struct chunk chunk;
	if (!chunk_table_find(grouper->subject->heap->chunks, group->largest.head, &chunk))
		return;
	const char *example =
	    content_example(grouper->recogniser, content, &chunk, group->structures > 1);
	const bool several = group->structures > 1;
	group->content = content->kind;
	if (group->head_size_min == group->head_size_max)
		group->head_size = group->head_size_min;
	switch (grouper->grouping) {
	case GROUP_BY_SIZE:
		group->what = string_pool_format(strings, "%" PRIu64 " bytes%s%s", group->head_size,
						 several ? ", e.g. " : ": ", example);
		return;
	case GROUP_BY_SHAPE:
		group->what = string_pool_format(strings, "%s%s%s", gathered->key.what,
						 several ? ", e.g. " : ": ", example);
		return;
	case GROUP_BY_TYPE:
		group->what =
		    content->what == NULL && several
			? string_pool_format(strings, "%s, e.g. %s",
					     sizes_phrase(grouper, group, content->type), example)
		    : several ? sizes_phrase(grouper, group, content->type)
			      : example;
		return;
	case GROUP_BY_KIND:
		break;
	}
	if (several && content->kind == CONTENT_TEXT)
		group->what = text_phrase(grouper, group, gathered, example);
	else
		group->what = sizes_phrase(grouper, group, example);
}

static void read_head(const struct orphan_grouper *grouper, struct orphan_group *group)
{
	const uint64_t size = group->largest.head_size;
	const uint8_t *bytes;
	size_t got =
	    address_space_span(grouper->subject->target->space, group->largest.head,
			       size < ORPHAN_HEAD_BYTES ? size : ORPHAN_HEAD_BYTES, &bytes);
	if (got > 0)
		memcpy(group->head_bytes, bytes, got);
	group->head_byte_count = (unsigned)got;
}

static int by_bytes(const void *left, const void *right)
{
	const struct orphan_group *a = left, *b = right;
	if (a->bytes != b->bytes)
		return a->bytes > b->bytes ? -1 : 1;
	if (a->structures != b->structures)
		return a->structures > b->structures ? -1 : 1;
	return a->largest.head < b->largest.head ? -1 : a->largest.head > b->largest.head;
}

bool orphan_grouper_finish(struct orphan_grouper *grouper, struct orphans *orphans)
{
	struct orphans *made = &grouper->orphans;
	size_t kept = 0;
	if (!add_batch(grouper))
		return false;
	if (grouper->grouping == GROUP_BY_KIND) {
		merge_texts(grouper);
		merge_sizes(grouper, CONTENT_DATA);
		merge_sizes(grouper, CONTENT_EMPTY);
	}
	for (size_t i = 0; i < made->groups.count; i++) {
		if (made->groups.items[i].structures == 0)
			continue;
		name_group(grouper, i);
		read_head(grouper, &made->groups.items[i]);
		made->groups.items[kept++] = made->groups.items[i];
	}
	made->groups.count = kept;
	if (kept > 0)
		qsort(made->groups.items, kept, sizeof *made->groups.items, by_bytes);
	*orphans = *made;
	*made = (struct orphans){ 0 };
	return true;
}
