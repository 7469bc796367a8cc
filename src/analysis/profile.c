/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "analysis/profile.h"

#include <string.h>

static const struct profile_form forms[PROFILE_KIND_COUNT] = {
	[PROFILE_HEAP] = { "heap",
			   { { "alloc_objects", "count" },
			     { "alloc_space", "bytes" },
			     { "inuse_objects", "count" },
			     { "inuse_space", "bytes" } },
			   4,
			   3,
			   { "space", "bytes" } },
	[PROFILE_LIVE] = { "live",
			   { { "inuse_objects", "count" }, { "inuse_space", "bytes" } },
			   2,
			   1,
			   { "space", "bytes" } },
	[PROFILE_GOROUTINES] = { "goroutine",
				 { { "goroutine", "count" } },
				 1,
				 0,
				 { "goroutine", "count" } },
	[PROFILE_LEAKED] = { "leaked",
			     { { "goroutineleak", "count" },
			       { "retained_objects", "count" },
			       { "retained_space", "bytes" } },
			     3,
			     0,
			     { "goroutineleak", "count" } },
};

const struct profile_form *profile_form(enum profile_kind kind)
{
	return &forms[kind];
}

bool profile_kind_named(const char *name, enum profile_kind *kind)
{
	for (unsigned i = 0; i < PROFILE_KIND_COUNT; i++)
		if (strcmp(forms[i].name, name) == 0) {
			*kind = (enum profile_kind)i;
			return true;
		}
	return false;
}

bool profile_type_named(enum profile_kind kind, const char *name, size_t *type)
{
	for (size_t i = 0; i < forms[kind].type_count; i++)
		if (strcmp(forms[kind].types[i].name, name) == 0) {
			*type = i;
			return true;
		}
	return false;
}

/* --- calls */

/* Strings of the pool are equal where their addresses are. */
static bool same_call(const struct go_call *a, const struct go_call *b)
{
	return a->pc == b->pc && a->function == b->function && a->file == b->file &&
	       a->line == b->line && a->inlined == b->inlined;
}

static size_t slot_of(const struct profile *profile, const struct go_call *call)
{
	uint64_t hash =
	    (call->pc + (uintptr_t)call->function) * UINT64_C(0x9e3779b97f4a7c15) + call->line;
	size_t at = (hash ^ hash >> 29) & (profile->slot_count - 1);
	while (profile->slots[at] != 0 &&
	       !same_call(&profile->calls.items[profile->slots[at] - 1], call))
		at = (at + 1) & (profile->slot_count - 1);
	return at;
}

static bool grow(struct profile *profile)
{
	size_t count = profile->slot_count == 0 ? 1024 : 2 * profile->slot_count;
	uint32_t *slots = calloc(count, sizeof *slots);
	if (slots == NULL)
		return false;
	free(profile->slots);
	profile->slots = slots;
	profile->slot_count = count;
	for (size_t i = 0; i < profile->calls.count; i++)
		slots[slot_of(profile, &profile->calls.items[i])] = (uint32_t)i + 1;
	return true;
}

bool profile_add_call(struct profile *profile, const struct go_call *call)
{
	if (2 * (profile->calls.count + 1) >= profile->slot_count && !grow(profile))
		return false;
	size_t at = slot_of(profile, call);
	if (profile->slots[at] == 0) {
		if (profile->calls.count >= UINT32_MAX - 1 || !array_push(&profile->calls, *call))
			return false;
		profile->slots[at] = (uint32_t)profile->calls.count;
	}
	return array_push(&profile->stacks, profile->slots[at] - 1);
}

void profile_free(struct profile *profile)
{
	array_free(&profile->calls);
	array_free(&profile->stacks);
	array_free(&profile->samples);
	free(profile->slots);
	*profile = (struct profile){ 0 };
}
