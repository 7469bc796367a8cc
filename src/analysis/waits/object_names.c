/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "analysis/waits/object_names.h"

#include "analysis/content.h"
#include "analysis/storage.h"
#include "analysis/variables/stack_variable.h"
#include "analysis/waits/examine.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* The heap is walked for names alone where it is no larger: half a second for each GB was seen, of
 * the smallest chunks, and of a live process so much was copied already (SMALL_COPY). */
#define CORE_HEAP_MAX ((uint64_t)4 << 30)
#define LIVE_HEAP_MAX ((uint64_t)128 << 20)

/* Objects whose names are kept: many threads wait for the same few. */
#define NAMES_KEPT 64

struct object_names {
	struct subject subject; /* with the heap, once it was walked */
	struct storage_map *storage;
	struct content_recogniser *recogniser;
	struct gaps gaps; /* of the heap: nobody asked about it */
	struct heap heap;
	bool walked; /* or tried, or not worth it */
	struct kept_name {
		uint64_t address;
		const char *name; /* NULL: none is kept here */
	} kept[NAMES_KEPT];
};

struct object_names *object_names_new(const struct subject *subject)
{
	struct object_names *names = calloc(1, sizeof *names);
	if (names == NULL)
		return NULL;
	names->subject = *subject;
	names->walked = subject->heap != NULL;
	return names;
}

void object_names_free(struct object_names *names)
{
	if (names == NULL)
		return;
	content_recogniser_free(names->recogniser);
	storage_map_free(names->storage);
	heap_free(&names->heap);
	gaps_free(&names->gaps);
	free(names);
}

/* --- the heap */

/* Whether the heap may lie there: the private memory that the program can write and that is no
 * file's. */
static bool is_heap_like(const struct segment *segment)
{
	const unsigned written = SEGMENT_READ | SEGMENT_WRITE;
	if (segment->origin == SEGMENT_ABSENT || segment->shared ||
	    (segment->permissions_known && (segment->permissions & written) != written))
		return false;
	return segment->name == NULL || strcmp(segment->name, "[heap]") == 0 ||
	       strncmp(segment->name, "[anon", 5) == 0;
}

/* What the threads' stacks take of it, which are not walked. */
static uint64_t stack_bytes(const struct subject *subject)
{
	const struct segment *last = NULL;
	uint64_t bytes = 0;
	for (size_t i = 0; i < subject->threads->count; i++) {
		const struct segment *segment = address_space_find(
		    subject->target->space, subject->threads->items[i].stack_start);
		if (segment != NULL && segment != last && is_heap_like(segment))
			bytes += segment->end - segment->start;
		last = segment;
	}
	return bytes;
}

static bool is_cheap(const struct subject *subject)
{
	const uint64_t most = subject->target->kind == TARGET_LIVE ? LIVE_HEAP_MAX : CORE_HEAP_MAX;
	uint64_t bytes = 0;
	size_t count;
	const struct segment *segments = address_space_segments(subject->target->space, &count);
	for (size_t i = 0; i < count; i++)
		if (is_heap_like(&segments[i]))
			bytes += segments[i].end - segments[i].start;
	return bytes <= most || bytes - most <= stack_bytes(subject);
}

static void walk_heap(struct object_names *names)
{
	const struct subject *subject = &names->subject;
	const struct heap_context context = {
		.target = subject->target,
		.modules = subject->modules,
		.threads = subject->threads,
		.pthreads = subject->pthreads,
		.progress = subject->progress,
	};
	names->walked = true;
	if (subject->threads == NULL || subject->pthreads == NULL || !is_cheap(subject))
		return;
	struct error *error = heap_open(&context, &names->gaps, &names->heap);
	if (error == NULL)
		names->subject.heap = &names->heap;
	error_free(error);
}

/* --- names */

static const char *pooled(const struct object_names *names, const struct words *words)
{
	return string_pool_add(modules_strings(names->subject.modules), words->text);
}

/* What is on a stack is a variable of a frame, where the debug information tells. */
static const char *stack_name(struct object_names *names, const struct storage *storage)
{
	struct words words = { 0 }, variable = { 0 };
	const struct thread *thread = storage->thread;
	size_t frame = storage->frame_number;
	if (thread == NULL || storage->frame == NULL)
		return NULL;
	if (!stack_variable_words(&names->subject, thread, frame, storage->place.address, &variable,
				  &frame))
		return storage_text(names->storage, storage);
	words_add(&words, "stack of ");
	words_add_thread(&words, thread);
	words_add(&words, ", frame #%zu", frame);
	if (thread->frames[frame].function != NULL)
		words_add(&words, " %s", thread->frames[frame].function);
	words_add(&words, ", variable %s", variable.text);
	return pooled(names, &words);
}

/* "thread-local <errors> of 1240": a variable's start needs no offset. */
static const char *local_name(struct object_names *names, const struct storage *storage)
{
	struct words words = { 0 };
	if (storage->name == NULL || storage->offset != 0 || storage->thread == NULL)
		return storage_text(names->storage, storage);
	words_add(&words, "thread-local <%s> of ", storage->name);
	words_add_thread(&words, storage->thread);
	return pooled(names, &words);
}

/* A chunk with a vtable is of a class. */
static const char *chunk_name(struct object_names *names, const struct storage *storage)
{
	struct words words = { 0 };
	enum content_kind kind;
	if (storage->place.offset == 0 && storage->place.chunk.used)
		words_add(&words, "%" PRIu64 "-byte chunk", storage->place.chunk.size);
	else
		words_add(&words, "%s", storage_text(names->storage, storage));
	if (names->recogniser == NULL)
		names->recogniser = content_recogniser_new(&names->subject);
	if (names->recogniser != NULL && storage->place.chunk.used) {
		const char *content =
		    content_alone(names->recogniser, &storage->place.chunk, &kind);
		if (kind == CONTENT_OBJECT)
			words_add(&words, ", %s", content);
	}
	return pooled(names, &words);
}

static const char *make_name(struct object_names *names, uint64_t address)
{
	struct place place;
	struct storage storage;
	describe_address(&names->subject, address, &place);
	const char *plain = describe_place(&names->subject, &place);
	if (place.kind == PLACE_UNMAPPED || place.kind == PLACE_SYMBOL ||
	    place.kind == PLACE_MODULE)
		return plain;
	if (place.kind == PLACE_MAPPING && !names->walked && is_heap_like(place.segment))
		walk_heap(names);
	if (names->storage == NULL)
		error_free(storage_map_new(&names->subject, NULL, &names->storage));
	if (names->storage == NULL)
		return plain;
	storage_at(names->storage, address, &storage);
	const char *name = NULL;
	switch (storage.kind) {
	case STORAGE_TLS:
		name = local_name(names, &storage);
		break;
	case STORAGE_STACK:
		name = stack_name(names, &storage);
		break;
	case STORAGE_CHUNK:
		name = chunk_name(names, &storage);
		break;
	default:
		break;
	}
	return name != NULL ? name : plain;
}

const char *object_name_at(struct object_names *names, uint64_t address)
{
	struct kept_name *kept = &names->kept[address / 8 % NAMES_KEPT];
	if (kept->name == NULL || kept->address != address)
		*kept = (struct kept_name){ address, make_name(names, address) };
	return kept->name;
}
