/* Cycles among the waits. A thread waits for at most one other, so the waits form a graph with at
 * most one edge out of each thread, and following it once from each thread finds every cycle.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "analysis/waits/examine.h"
#include "analysis/waits/wait_graph.h"

#include <inttypes.h>
#include <string.h>

#define NOWHERE WAIT_NOWHERE

struct graph {
	size_t *next;  /* for each wait */
	size_t *cycle; /* the number of the cycle that it ends in, or NOWHERE */
	bool *on_cycle;
	size_t cycles;
};

/* Follows the edges from `start`, marking the path with its own number; meeting that mark again
 * closes a cycle, meeting an older one joins what is known. `mark` is as long as the waits. */
static void follow(struct graph *graph, size_t *mark, size_t start)
{
	size_t at = start;
	while (at != NOWHERE && mark[at] == NOWHERE) {
		mark[at] = start;
		at = graph->next[at];
	}
	size_t number = NOWHERE;
	if (at != NOWHERE && mark[at] == start) {
		number = graph->cycles++;
		for (size_t member = at; !graph->on_cycle[member]; member = graph->next[member])
			graph->on_cycle[member] = true;
	} else if (at != NOWHERE) {
		number = graph->cycle[at];
	}
	for (size_t member = start; member != NOWHERE && mark[member] == start &&
				    graph->cycle[member] == NOWHERE && number != NOWHERE;
	     member = graph->next[member])
		graph->cycle[member] = number;
}

static bool collect(const struct graph *graph, const struct waits *waits, size_t number,
		    struct deadlock *deadlock)
{
	size_t first = NOWHERE, members = 0, behind = 0;
	for (size_t i = 0; i < waits->count; i++) {
		if (graph->cycle[i] != number)
			continue;
		if (!graph->on_cycle[i]) {
			behind++;
			continue;
		}
		members++;
		if (first == NOWHERE ||
		    waits->items[i].thread->tid < waits->items[first].thread->tid)
			first = i;
	}
	deadlock->waits = calloc(members + 1, sizeof *deadlock->waits);
	deadlock->behind = calloc(behind + 1, sizeof *deadlock->behind);
	if (deadlock->waits == NULL || deadlock->behind == NULL)
		return false;
	for (size_t at = first; deadlock->count < members; at = graph->next[at])
		deadlock->waits[deadlock->count++] = &waits->items[at];
	for (size_t i = 0; i < waits->count; i++)
		if (graph->cycle[i] == number && !graph->on_cycle[i])
			deadlock->behind[deadlock->behind_count++] = &waits->items[i];
	return true;
}

/* A thread, with its name where the sentence first tells of it. */
static void add_thread(struct words *words, const struct thread *thread, bool named)
{
	if (named)
		words_add_thread(words, thread);
	else
		words_add(words, "%" PRId32, thread->tid);
}

static void add_edge(struct words *words, const struct wait *wait, const struct thread *owner,
		     bool name_owner)
{
	if (wait->kind == WAIT_JOIN) {
		words_add(words, " waits for the end of ");
		add_thread(words, owner, name_owner);
		words_add(words, " (join)");
	} else {
		words_add(words, " ");
		words_add_wait(words, wait);
		bool runs = wait_kind_is(wait->kind, WAIT_FOR_RUNNER);
		if (owner == wait->thread) {
			words_add(words, " that it %s itself", runs ? "runs" : "holds");
		} else {
			words_add(words, runs ? " run by " : " held by ");
			add_thread(words, owner, name_owner);
		}
	}
	if (wait->inferred_owner)
		words_add(words, " (as the stacks show)");
	if (wait->timed)
		words_add(words, ", until its timeout");
}

static const char *sentence(const struct subject *subject, const struct deadlock *deadlock)
{
	struct words words = { 0 };
	size_t count = deadlock->count;
	for (size_t i = 0; i < count; i++) {
		const struct wait *wait = deadlock->waits[i];
		const struct thread *owner = deadlock->waits[(i + 1) % count]->thread;
		words_separate(&words, "; ");
		add_thread(&words, wait->thread, i == 0);
		add_edge(&words, wait, owner, i + 1 < count);
	}
	words_add(&words, ".");
	return string_pool_add(modules_strings(subject->modules), words.text);
}

static bool build(const struct subject *subject, const struct graph *graph,
		  const struct waits *waits, struct deadlocks *deadlocks)
{
	deadlocks->items = calloc(graph->cycles + 1, sizeof *deadlocks->items);
	if (deadlocks->items == NULL)
		return false;
	deadlocks->count = graph->cycles;
	for (size_t number = 0; number < graph->cycles; number++) {
		struct deadlock *deadlock = &deadlocks->items[number];
		if (!collect(graph, waits, number, deadlock))
			return false;
		deadlock->sentence = sentence(subject, deadlock);
	}
	return true;
}

struct error *deadlocks_find(const struct subject *subject, const struct waits *waits,
			     struct deadlocks *deadlocks)
{
	struct deadlocks result = { 0 };
	size_t count = waits->count;
	size_t *mark = calloc(count + 1, sizeof *mark);
	struct graph graph = {
		.next = calloc(count + 1, sizeof *graph.next),
		.cycle = calloc(count + 1, sizeof *graph.cycle),
		.on_cycle = calloc(count + 1, sizeof *graph.on_cycle),
	};
	bool done =
	    mark != NULL && graph.next != NULL && graph.cycle != NULL && graph.on_cycle != NULL;
	for (size_t i = 0; done && i < count; i++) {
		mark[i] = graph.cycle[i] = NOWHERE;
		graph.next[i] = wait_next(subject, waits, i);
	}
	for (size_t i = 0; done && i < count; i++)
		follow(&graph, mark, i);
	done = done && build(subject, &graph, waits, &result);
	free(mark);
	free(graph.next);
	free(graph.cycle);
	free(graph.on_cycle);
	if (!done) {
		deadlocks_free(&result);
		return error_no_memory();
	}
	*deadlocks = result;
	return NULL;
}

void deadlocks_free(struct deadlocks *deadlocks)
{
	for (size_t i = 0; i < deadlocks->count; i++) {
		free(deadlocks->items[i].waits);
		free(deadlocks->items[i].behind);
	}
	free(deadlocks->items);
	*deadlocks = (struct deadlocks){ 0 };
}
