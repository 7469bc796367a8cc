/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "analysis/orphans.h"

#include "analysis/orphan_graph.h"
#include "analysis/orphan_groups.h"
#include "heap/chunk_lookup.h"

#include <inttypes.h>

#define PROGRESS_STRUCTURES 65536
#define OWNERS_SOUGHT	    4096 /* among the chunks of a cycle */

struct folding {
	const struct subject *subject;
	struct orphan_graph graph;
	struct orphan_grouper *grouper;
	uint64_t *seen;		 /* bits of the nodes that a walk has been to */
	ARRAY(uint32_t) pending; /* of a walk */
	/* Of each component, where any is shared: how many structures lead to it, and the last one
	 * of them. Else NULL. */
	uint32_t *leading, *last_leading;
	/* Where only one structure is asked for: its component, and the structure once found. */
	uint32_t wanted;
	struct orphan_structure *found;
};

/* What a walk learns of a structure. */
struct survey {
	struct orphan_structure structure;
	struct content_shape shape;
	uint64_t votes; /* for shape.link_size: the size of most links stays ahead */
};

static void survey_link(struct survey *survey, uint64_t size)
{
	survey->shape.links++;
	if (survey->votes == 0)
		survey->shape.link_size = size;
	if (survey->shape.link_size == size)
		survey->votes++;
	else
		survey->votes--;
}

static void set_bit(uint64_t *bits, uint64_t number)
{
	bits[number / 64] |= (uint64_t)1 << number % 64;
}

/* An edge from the structure `owner` into another. */
static void note_shared(struct folding *folding, uint32_t owner, uint32_t component)
{
	if (folding->last_leading[component] == owner + 1)
		return;
	folding->last_leading[component] = owner + 1;
	folding->leading[component]++;
}

static bool survey_node(struct folding *folding, uint32_t node, uint32_t owner,
			struct survey *survey)
{
	const struct orphan_graph *graph = &folding->graph;
	const uint64_t size = orphan_graph_size(graph, node);
	uint64_t equals = 0;
	for (uint32_t edge = graph->first[node]; edge < graph->first[node + 1]; edge++) {
		uint32_t target = graph->edges[edge], component = graph->component[target];
		if (graph->owner[component] != owner) {
			note_shared(folding, owner, component);
			continue;
		}
		const bool seen = chunk_lookup_bit(folding->seen, target);
		if (!seen) {
			set_bit(folding->seen, target);
			if (!array_push(&folding->pending, target))
				return false;
		}
		if (orphan_graph_size(graph, target) != size)
			continue;
		if (seen) {
			survey->shape.back_links++;
			continue;
		}
		survey_link(survey, size);
		equals++;
	}
	survey->structure.chunks++;
	survey->structure.bytes += size;
	survey->shape.branchings += equals > 1;
	if (equals > survey->shape.branches_max)
		survey->shape.branches_max = equals;
	return true;
}

/* Surveys what `head` leads to in its own structure: all of it. */
static bool walk(struct folding *folding, uint32_t head, struct survey *survey)
{
	const struct orphan_graph *graph = &folding->graph;
	const uint32_t owner = graph->component[head];
	folding->pending.count = 0;
	set_bit(folding->seen, head);
	if (!array_push(&folding->pending, head))
		return false;
	while (folding->pending.count > 0) {
		uint32_t node = folding->pending.items[--folding->pending.count];
		if (!survey_node(folding, node, owner, survey))
			return false;
	}
	return true;
}

/* The head of a cycle is its only chunk of another size than most, then a container with its
 * links, else the lowest one. `members` are all nodes of the cycle. */
static uint32_t choose_head(struct folding *folding, const uint32_t *members, uint32_t count)
{
	const struct orphan_graph *graph = &folding->graph;
	uint32_t lowest = members[0], odd = members[0], container = UINT32_MAX;
	uint64_t common = 0, votes = 0, odd_count = 0;
	for (uint32_t i = 0; i < count; i++) {
		uint64_t size = orphan_graph_size(graph, members[i]);
		if (votes == 0)
			common = size;
		if (size == common)
			votes++;
		else
			votes--;
		if (graph->addresses[members[i]] < graph->addresses[lowest])
			lowest = members[i];
	}
	for (uint32_t i = 0; i < count; i++) {
		struct chunk chunk;
		orphan_graph_chunk(graph, members[i], &chunk);
		if (chunk.size != common && odd_count++ == 0)
			odd = members[i];
		if (container == UINT32_MAX && i < OWNERS_SOUGHT &&
		    orphan_grouper_is_owner(folding->grouper, &chunk))
			container = members[i];
	}
	return count > 2 && odd_count == 1 ? odd : container != UINT32_MAX ? container : lowest;
}

static bool fold_structure(struct folding *folding, const uint32_t *members, uint32_t count)
{
	const uint32_t head = count > 1 ? choose_head(folding, members, count) : members[0];
	const uint32_t component = folding->graph.component[head];
	struct chunk chunk;
	orphan_graph_chunk(&folding->graph, head, &chunk);
	struct survey survey = {
		.structure = { .head = chunk.address,
			       .head_size = chunk.size,
			       .cyclic = count > 1,
			       .shared_by =
				   folding->leading != NULL ? folding->leading[component] : 0 },
	};
	if (!walk(folding, head, &survey))
		return false;
	if (folding->found != NULL) {
		*folding->found = survey.structure;
		return true;
	}
	survey.shape.chunks = survey.structure.chunks;
	survey.shape.cyclic = survey.structure.cyclic;
	return orphan_grouper_add(folding->grouper, &chunk, &survey.structure, &survey.shape);
}

/* Along the edges, so that all that leads to a shared structure comes before it. */
static bool fold_all(struct folding *folding)
{
	const struct orphan_graph *graph = &folding->graph;
	for (uint32_t at = 0, end; at < graph->count; at = end) {
		const uint32_t component = graph->component[graph->order[at]];
		for (end = at + 1;
		     end < graph->count && graph->component[graph->order[end]] == component;)
			end++;
		if (at / PROGRESS_STRUCTURES != end / PROGRESS_STRUCTURES)
			progress_tell(folding->subject->progress, "naming orphaned structures", at,
				      graph->count);
		if (graph->owner[component] == component &&
		    !fold_structure(folding, &graph->order[at], end - at))
			return false;
		if (folding->found != NULL && component == folding->wanted)
			break;
	}
	return true;
}

static bool is_any_shared(const struct orphan_graph *graph)
{
	for (uint32_t i = 0; i <= graph->component_count / 64; i++)
		if (graph->shared[i] != 0)
			return true;
	return false;
}

static bool prepare(struct folding *folding, enum orphan_grouping grouping)
{
	const struct orphan_graph *graph = &folding->graph;
	folding->grouper = orphan_grouper_new(folding->subject, grouping);
	folding->seen = calloc(graph->count / 64 + 1, sizeof *folding->seen);
	if (folding->grouper == NULL || folding->seen == NULL)
		return false;
	if (!is_any_shared(graph))
		return true;
	folding->leading = calloc(graph->component_count, sizeof *folding->leading);
	folding->last_leading = calloc(graph->component_count, sizeof *folding->last_leading);
	return folding->leading != NULL && folding->last_leading != NULL;
}

static void release(struct folding *folding)
{
	orphan_grouper_free(folding->grouper);
	free(folding->seen);
	free(folding->leading);
	free(folding->last_leading);
	array_free(&folding->pending);
	orphan_graph_free(&folding->graph);
}

struct error *orphans_find(const struct subject *subject, const struct reachability *reachability,
			   enum orphan_grouping grouping, struct orphans *orphans)
{
	struct folding folding = { .subject = subject };
	struct error *error = orphan_graph_make(subject, reachability, &folding.graph);
	if (error != NULL)
		return error;
	if (!prepare(&folding, grouping) || !fold_all(&folding) ||
	    !orphan_grouper_finish(folding.grouper, orphans))
		error = error_no_memory();
	release(&folding);
	return error;
}

struct error *orphans_structure_of(const struct subject *subject,
				   const struct reachability *reachability,
				   const struct chunk *orphan, struct orphan_structure *structure)
{
	struct orphan_structure found;
	struct folding folding = { .subject = subject, .found = &found };
	const struct orphan_graph *graph = &folding.graph;
	uint32_t node = 0;
	struct error *error = orphan_graph_make(subject, reachability, &folding.graph);
	if (error != NULL)
		return error;
	while (node < graph->count && graph->addresses[node] != orphan->address)
		node++;
	if (node == graph->count) {
		error = error_new(ERROR_BAD_DATA, "0x%" PRIx64 " is in no orphaned structure",
				  orphan->address);
	} else {
		folding.wanted = graph->owner[graph->component[node]];
		if (prepare(&folding, GROUP_BY_KIND) && fold_all(&folding))
			*structure = found;
		else
			error = error_no_memory();
	}
	release(&folding);
	return error;
}

void orphans_free(struct orphans *orphans)
{
	array_free(&orphans->groups);
	*orphans = (struct orphans){ 0 };
}
