/* What is alive of a Go heap, as a profile: for programs that sampled no allocations.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "analysis/go_profiles.h"

#include "analysis/goroutine_roots.h"
#include "golang/types.h"

#include <inttypes.h>
#include <string.h>

/* Objects alike: of one size and type, or of one size and with or without pointers. */
struct alike {
	const char *name; /* in the pool, or a literal */
	uint64_t size;
	uint64_t objects;
};

struct living {
	const struct go_process *process;
	struct go_heap *heap;
	struct go_mark *mark;
	ARRAY(struct alike) kinds;
};

/* --- marking */

/* The records of goroutines are no garbage either: the runtime's list of them lies outside. */
static bool mark_all(struct living *living, struct goroutines *goroutines)
{
	struct goroutine_roots roots;
	goroutine_roots_init(living->process, goroutines, living->mark, &roots);
	go_mark_roots(living->mark);
	for (size_t i = 0; i < goroutines->count; i++) {
		go_mark_pointer(living->mark, goroutines->items[i].address);
		goroutine_roots_mark(&roots, &goroutines->items[i]);
	}
	bool complete = !roots.scan.no_memory && !living->mark->no_memory;
	goroutine_roots_free(&roots);
	return complete;
}

/* --- counting */

static const char without[] = "(objects without pointers)", with[] = "(objects with pointers)";

/* What an object is, as far as the runtime notes it with the object. */
static const char *name_of(struct living *living, const struct go_span *span, uint64_t object)
{
	uint64_t type = span->type;
	if (span->map == GO_MAP_NONE)
		return without;
	if (span->map == GO_MAP_HEADER && !address_space_u64(living->process->space, object, &type))
		type = 0;
	const char *name = span->map == GO_MAP_HEADER || span->map == GO_MAP_LARGE
			       ? go_type_name(living->process, type)
			       : NULL;
	return name != NULL ? name : with;
}

static bool count_object(struct living *living, const char *name, uint64_t size, size_t *last)
{
	struct alike *kinds = living->kinds.items;
	/* Those of one span are alike, more often than not. */
	if (*last < living->kinds.count && kinds[*last].name == name && kinds[*last].size == size) {
		kinds[*last].objects++;
		return true;
	}
	for (size_t i = 0; i < living->kinds.count; i++)
		if (kinds[i].name == name && kinds[i].size == size) {
			kinds[i].objects++;
			*last = i;
			return true;
		}
	*last = living->kinds.count;
	return array_push(&living->kinds, (struct alike){ name, size, 1 });
}

static bool count_all(struct living *living)
{
	size_t last = 0;
	for (size_t i = 0; i < living->heap->spans.count; i++) {
		const struct go_span *span = &living->heap->spans.items[i];
		for (uint32_t n = 0; n < span->count; n++) {
			uint64_t object = span->start + n * span->elem_size;
			if (go_mark_is_marked(living->mark, object) &&
			    !count_object(living, name_of(living, span, object), span->elem_size,
					  &last))
				return false;
		}
	}
	return true;
}

/* --- the profile */

/* Innermost what is known best: the type, or else the size. */
static bool add_calls(struct string_pool *pool, const struct alike *kind, struct profile *profile)
{
	const bool untyped = kind->name == with || kind->name == without;
	const struct go_call outer = {
		.function = string_pool_add(pool, kind->name == without ? without : with),
	};
	const struct go_call inner = {
		.function = !untyped
				? kind->name
				: string_pool_format(
				      pool, "objects of %" PRIu64 " bytes %s", kind->size,
				      kind->name == with ? "with pointers" : "without pointers"),
	};
	return profile_add_call(profile, &inner) && profile_add_call(profile, &outer);
}

static bool make_samples(struct living *living, struct profile *profile)
{
	struct string_pool *pool = modules_strings(living->process->modules);
	for (size_t i = 0; i < living->kinds.count; i++) {
		const struct alike *kind = &living->kinds.items[i];
		struct profile_sample sample = {
			.first = profile->stacks.count,
			.count = 2,
			.values = { (int64_t)kind->objects, (int64_t)(kind->objects * kind->size) },
			.block_size = (int64_t)kind->size,
		};
		if (!add_calls(pool, kind, profile) || !array_push(&profile->samples, sample))
			return false;
	}
	return true;
}

struct error *profile_live(const struct go_process *process, struct goroutines *goroutines,
			   struct go_heap *heap, struct profile *profile)
{
	if (heap->absent_bytes > 0 || goroutines->unreadable > 0)
		return error_new(ERROR_UNSUPPORTED,
				 "%" PRIu64
				 " kB of Go's heap and %zu goroutines are missing, which "
				 "may lead to more",
				 (heap->absent_bytes + 1023) / 1024, goroutines->unreadable);
	struct living living = { .process = process, .heap = heap, .mark = go_mark_new(heap) };
	struct profile made = {
		.kind = PROFILE_LIVE,
		.type = profile_form(PROFILE_LIVE)->standard,
		.period = 1,
		.module = process->module,
	};
	bool complete = living.mark != NULL && mark_all(&living, goroutines) &&
			count_all(&living) && make_samples(&living, &made);
	go_mark_free(living.mark);
	array_free(&living.kinds);
	if (!complete) {
		profile_free(&made);
		return error_no_memory();
	}
	*profile = made;
	return NULL;
}
