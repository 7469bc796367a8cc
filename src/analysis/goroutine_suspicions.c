/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "analysis/goroutine_suspicions.h"

/* Goroutines that are alike from which on they are suspicious. */
#define SUSPICIOUS_MIN 100

static size_t leaked_members(const struct goroutines *goroutines,
			     const struct goroutine_leaks *leaks, const struct go_group *group)
{
	size_t count = 0;
	for (size_t i = 0; i < group->count; i++)
		count += leaks->leaked[group->members[i] - goroutines->items];
	return count;
}

static const char *why_suspicious(const struct goroutine *one)
{
	switch (one->wait.kind) {
	case GO_WAIT_IO:
		return "they wait for a peer, which no memory tells of";
	case GO_WAIT_SLEEP:
		return "they sleep, and so run on at some time";
	case GO_WAIT_NONE:
	case GO_WAIT_OTHER:
		return NULL;
	default:
		return "what they wait for can still be reached, so somebody may wake them";
	}
}

bool goroutine_suspicions_find(const struct goroutines *goroutines, struct goroutine_leaks *leaks)
{
	ARRAY(struct goroutine_suspicion) found = { 0 };
	/* The groups are sorted by size. */
	for (size_t i = 0; i < goroutines->group_count; i++) {
		const struct go_group *group = &goroutines->groups[i];
		const struct goroutine *one = group->members[0];
		size_t count = group->count - leaked_members(goroutines, leaks, group);
		const char *why = one->system ? NULL : why_suspicious(one);
		if (count < SUSPICIOUS_MIN || why == NULL || one->state != GO_WAITING)
			continue;
		if (!array_push(&found, (struct goroutine_suspicion){ group, count, why })) {
			array_free(&found);
			return false;
		}
	}
	leaks->suspicions = found.items;
	leaks->suspicion_count = found.count;
	return true;
}
