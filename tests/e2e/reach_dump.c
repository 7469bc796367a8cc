/* reach_dump [-w KIND] CORE|PID [ADDRESS…]: what the analyses make of a target's chunks, as JSON:
 * totals, groups of orphans, every orphaned or possible chunk, and the state of the chunk around
 * each ADDRESS. For the tests that compare it with what programs tell of themselves. -w leaves out
 * the roots of one kind: what only they held is then orphaned.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "analysis/orphans.h"

#include <inttypes.h>
#include <jansson.h>
#include <string.h>
#include <time.h>

static void must(struct error *error)
{
	if (error == NULL)
		return;
	fprintf(stderr, "reach_dump: %s\n", error->message);
	exit(2);
}

static double seconds(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static json_t *totals_json(const struct reachability *reachability)
{
	json_t *totals = json_object();
	for (int state = 0; state < CHUNK_STATE_COUNT; state++)
		json_object_set_new(totals, chunk_state_name((enum chunk_state)state),
				    json_pack("{s:I,s:I}", "chunks",
					      reachability->totals[state].chunks, "bytes",
					      reachability->totals[state].bytes));
	return totals;
}

static json_t *groups_json(const struct orphans *orphans)
{
	json_t *list = json_array();
	for (size_t i = 0; i < orphans->groups.count; i++) {
		const struct orphan_group *group = &orphans->groups.items[i];
		json_array_append_new(
		    list, json_pack("{s:s,s:s,s:I,s:I,s:I,s:I,s:I,s:b}", "content",
				    content_kind_name(group->content), "what", group->what,
				    "head_size", group->head_size, "structures", group->structures,
				    "chunks", group->chunks, "bytes", group->bytes, "example",
				    group->largest.head, "cyclic", group->largest.cyclic));
	}
	return list;
}

static json_t *state_json(const struct reachability *reachability, const struct chunk *chunk)
{
	return json_pack("{s:I,s:I,s:s,s:b}", "address", chunk->address, "size", chunk->size,
			 "state", chunk_state_name(reachability_state(reachability, chunk)),
			 "unheld", reachability_unheld(reachability, chunk));
}

static json_t *suspects_json(const struct heap *heap, const struct reachability *reachability)
{
	json_t *list = json_array();
	struct chunk chunk;
	for (uint64_t at = 0; chunk_table_next(heap->chunks, at, &chunk); at = chunk.address + 1) {
		enum chunk_state state = reachability_state(reachability, &chunk);
		if (state == CHUNK_ORPHANED || state == CHUNK_POSSIBLE)
			json_array_append_new(list, state_json(reachability, &chunk));
	}
	return list;
}

static json_t *asked_json(const struct heap *heap, const struct reachability *reachability,
			  int count, char **addresses)
{
	json_t *list = json_array();
	struct chunk chunk;
	for (int i = 0; i < count; i++)
		json_array_append_new(
		    list, chunk_table_find(heap->chunks, strtoull(addresses[i], NULL, 0), &chunk)
			      ? state_json(reachability, &chunk)
			      : json_null());
	return list;
}

static json_t *roots_json(const struct roots *roots)
{
	uint64_t bytes[ROOT_KIND_COUNT] = { 0 };
	json_t *list = json_object();
	for (size_t i = 0; i < roots->list.count; i++) {
		const struct root *root = &roots->list.items[i];
		bytes[root->kind] += root->bytes != NULL ? root->size : root->end - root->start;
	}
	for (int kind = 0; kind < ROOT_KIND_COUNT; kind++)
		json_object_set_new(list, root_kind_name((enum root_kind)kind),
				    json_integer((json_int_t)bytes[kind]));
	return list;
}

static void leave_out(struct roots *roots, const char *kind)
{
	size_t kept = 0;
	for (size_t i = 0; i < roots->list.count; i++)
		if (strcmp(root_kind_name(roots->list.items[i].kind), kind) != 0)
			roots->list.items[kept++] = roots->list.items[i];
	roots->list.count = kept;
}

static json_t *analyse(const struct subject *subject, const char *without, int count,
		       char **addresses)
{
	struct roots roots;
	struct reachability reachability;
	struct orphans orphans;
	double before = seconds();
	must(roots_collect(subject, &roots));
	if (without != NULL)
		leave_out(&roots, without);
	must(reachability_compute(subject, &roots, &reachability));
	double marked = seconds();
	must(orphans_find(subject, &reachability, GROUP_BY_KIND, &orphans));
	double folded = seconds();
	json_t *gaps = json_array();
	for (size_t i = 0; i < subject->gaps->list.count; i++)
		json_array_append_new(gaps, json_string(subject->gaps->list.items[i].text));
	json_t *result =
	    json_pack("{s:o,s:o,s:o,s:o,s:o,s:o,s:I,s:f,s:f}", "totals", totals_json(&reachability),
		      "roots", roots_json(&roots), "groups", groups_json(&orphans), "suspects",
		      suspects_json(subject->heap, &reachability), "asked",
		      asked_json(subject->heap, &reachability, count, addresses), "gaps", gaps,
		      "orphaned_in_structures", orphans.chunks, "mark_seconds", marked - before,
		      "fold_seconds", folded - marked);
	orphans_free(&orphans);
	reachability_free(&reachability);
	roots_free(&roots);
	return result;
}

int main(int argc, char **argv)
{
	struct gaps gaps = { 0 };
	struct target *target;
	struct modules *modules;
	struct threads threads = { 0 };
	struct glibc_pthreads pthreads = { 0 };
	struct heap heap;
	const char *without = NULL;
	if (argc > 3 && strcmp(argv[1], "-w") == 0) {
		without = argv[2];
		argc -= 2;
		argv += 2;
	}
	if (argc < 2)
		return 64;
	const struct target_options options = { .kernel_words = true };
	bool live = argv[1][strspn(argv[1], "0123456789")] == 0;
	must(live ? target_open_live(atoi(argv[1]), &options, &gaps, &target)
		  : target_open_core(argv[1], &options, &gaps, &target));
	must(modules_open(target,
			  &(struct modules_options){ .sysroot = getenv("SYSROOT"),
						     .debug_dir = getenv("DEBUG_DIR") },
			  &gaps, &modules));
	must(glibc_pthreads_open(target, modules, &gaps, &pthreads));
	must(threads_open(target, modules, &(struct threads_options){ 0 }, &gaps, &threads));
	const struct heap_context context = { target, modules, &threads, &pthreads, NULL };
	must(heap_open(&context, &gaps, &heap));
	if (heap.chunks == NULL)
		must(error_new(ERROR_NOT_FOUND, "no heap"));
	const struct subject subject = { target, modules, &threads, &pthreads, &heap, NULL, &gaps };
	json_t *result = analyse(&subject, without, argc - 2, argv + 2);
	json_dumpf(result, stdout, JSON_INDENT(1));
	putchar('\n');
	json_decref(result);
	heap_free(&heap);
	threads_free(&threads);
	glibc_pthreads_free(&pthreads);
	modules_free(modules);
	target_close(target);
	gaps_free(&gaps);
	return 0;
}
