/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "report/dot.h"

#include "base/sorted.h"
#include "report/format.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* So many threads that wait alike are nodes of their own. */
#define ALIKE_MAX 8

/* Of a thread. */
enum part { LEFT_OUT, CROWD, NODE, DEADLOCKED };

struct dot {
	FILE *out;
	const struct findings *findings;
	uint8_t *parts;		    /* enum part, for each wait */
	const struct wait **sorted; /* the waits that have an object, by it */
	size_t count;
};

/* A string of the target inside of quotes: nothing in it ends them, or is an escape of Graphviz's.
 */
static void put_escaped(FILE *out, const char *string)
{
	char printed[FORMAT_CHARACTER_MAX];
	for (const char *at = string; *at != '\0';) {
		format_character(&at, true, printed);
		for (const char *byte = printed; *byte != '\0'; byte++) {
			if (*byte == '"' || *byte == '\\')
				fputc('\\', out);
			fputc(*byte, out);
		}
	}
}

static bool is_joined(const struct wait *wait)
{
	return wait->kind == WAIT_JOIN;
}

/* Whether it stands in the graph as an object that somebody waits for. */
static bool has_object(const struct wait *wait)
{
	return wait->object != 0 && wait_kind_is(wait->kind, WAIT_FOR_MEMORY | WAIT_FOR_LOCK);
}

static size_t index_of(const struct dot *dot, const struct wait *wait)
{
	return (size_t)(wait - dot->findings->waits->items);
}

/* The wait of the thread `tid`, or NULL. */
static const struct wait *wait_of(const struct dot *dot, int32_t tid)
{
	const struct threads *threads = dot->findings->subject->threads;
	const struct thread *thread = threads_find(threads, tid);
	return thread != NULL ? &dot->findings->waits->items[thread - threads->items] : NULL;
}

static const struct wait *owner_of(const struct dot *dot, const struct wait *wait)
{
	if (wait->kind == WAIT_NONE ||
	    (wait->owner_state != OWNER_THREAD && wait->owner_state != OWNER_SELF))
		return NULL;
	return wait_of(dot, wait->owner);
}

static int compare_objects(const void *left, const void *right)
{
	const struct wait *const *a = left, *const *b = right;
	return sorted_order((*a)->object, (*b)->object);
}

static int compare_sorted(const void *left, const void *right)
{
	const struct wait *const *a = left, *const *b = right;
	int order = compare_objects(left, right);
	return order != 0 ? order : sorted_order(*a, *b);
}

static void find_parts(struct dot *dot)
{
	const struct waits *waits = dot->findings->waits;
	for (size_t i = 0; i < waits->count; i++) {
		const struct wait *wait = &waits->items[i];
		const struct wait *owner = owner_of(dot, wait);
		if (has_object(wait)) {
			dot->sorted[dot->count++] = wait;
			if (dot->parts[i] == LEFT_OUT)
				dot->parts[i] = CROWD;
		} else if (is_joined(wait)) {
			dot->parts[i] = NODE;
		}
		if (owner != NULL && wait->kind != WAIT_NONE)
			dot->parts[index_of(dot, owner)] = NODE;
	}
	const struct locks *locks = dot->findings->locks;
	for (size_t i = 0; locks != NULL && i < locks->count; i++)
		if (locks->items[i].owner_wait != NULL)
			dot->parts[index_of(dot, locks->items[i].owner_wait)] = NODE;
	const struct deadlocks *deadlocks = dot->findings->deadlocks;
	for (size_t i = 0; deadlocks != NULL && i < deadlocks->count; i++)
		for (size_t j = 0; j < deadlocks->items[i].count; j++)
			dot->parts[index_of(dot, deadlocks->items[i].waits[j])] = DEADLOCKED;
	sorted_make(dot->sorted, dot->count, sizeof *dot->sorted, compare_sorted);
}

/* --- nodes */

static void put_thread(const struct dot *dot, const struct wait *wait)
{
	const bool red = dot->parts[index_of(dot, wait)] == DEADLOCKED;
	fprintf(dot->out, "\tt%" PRId32 " [shape=box, label=\"%" PRId32, wait->thread->tid,
		wait->thread->tid);
	if (wait->thread->name != NULL && wait->thread->name[0] != '\0') {
		fputs(" \\\"", dot->out);
		put_escaped(dot->out, wait->thread->name);
		fputs("\\\"", dot->out);
	}
	if (!has_object(wait) && !is_joined(wait) && wait->brief != NULL) {
		fputs("\\n", dot->out);
		put_escaped(dot->out, wait->brief);
	}
	if (wait->site != NULL && wait->site->function != NULL) {
		fputs("\\nat ", dot->out);
		put_escaped(dot->out, wait->site->function);
		if (wait->site->file != NULL) {
			fputc(' ', dot->out);
			put_escaped(dot->out, format_base_name(wait->site->file));
			fprintf(dot->out, ":%u", wait->site->line);
		}
	}
	fprintf(dot->out, "\"%s];\n", red ? ", color=red, fontcolor=red" : "");
}

static void put_object(const struct dot *dot, uint64_t address, const char *kind, const char *name)
{
	fprintf(dot->out, "\to%" PRIx64 " [shape=ellipse, label=\"%s\\n0x%" PRIx64, address, kind,
		address);
	if (name != NULL) {
		fputs("\\n", dot->out);
		put_escaped(dot->out, name);
	}
	fputs("\"];\n", dot->out);
}

/* --- edges */

static void put_held_by(const struct dot *dot, const struct wait *wait, bool red)
{
	const bool runs = wait_kind_is(wait->kind, WAIT_FOR_RUNNER);
	const char *color = red ? ", color=red, fontcolor=red" : "";
	if (owner_of(dot, wait) != NULL) {
		fprintf(dot->out, "\to%" PRIx64 " -> t%" PRId32 " [label=\"%s by\"%s];\n",
			wait->object, wait->owner, runs ? "run" : "held", color);
	} else if (wait->owner_state == OWNER_GONE || wait->owner_state == OWNER_UNKNOWN) {
		fprintf(dot->out, "\tg%" PRIx64 " [shape=plaintext, label=\"", wait->object);
		if (wait->owner_state == OWNER_GONE && wait->owner != 0)
			fprintf(dot->out, "%" PRId32 ", which is gone", wait->owner);
		else
			put_escaped(dot->out,
				    wait->owner_note != NULL ? wait->owner_note : "unknown");
		fprintf(dot->out, "\"];\n\to%" PRIx64 " -> g%" PRIx64 " [label=\"held by\"];\n",
			wait->object, wait->object);
	}
}

static void put_waits_for(const struct dot *dot, const struct wait *wait)
{
	const bool red = dot->parts[index_of(dot, wait)] == DEADLOCKED;
	const char *how = wait->kind == WAIT_RWLOCK_READ    ? "waits to read"
			  : wait->kind == WAIT_RWLOCK_WRITE ? "waits to write"
							    : "waits for";
	fprintf(dot->out, "\tt%" PRId32 " -> o%" PRIx64 " [label=\"%s\"%s];\n", wait->thread->tid,
		wait->object, how, red ? ", color=red, fontcolor=red" : "");
}

/* --- all that wait for one object */

static bool in_crowd(const struct dot *dot, const struct wait *wait)
{
	return dot->parts[index_of(dot, wait)] == CROWD;
}

static const char *object_kind(const struct wait *wait)
{
	return wait_kind_is_lock(wait->kind) ? lock_kind_name(wait->kind)
					     : wait_kind_name(wait->kind);
}

static void put_waiters(const struct dot *dot, const struct wait *const *waiters, size_t count)
{
	size_t crowd = 0;
	const struct wait *owned = waiters[0];
	bool red = false;
	put_object(dot, owned->object, object_kind(owned), owned->object_name);
	for (size_t i = 0; i < count; i++) {
		crowd += in_crowd(dot, waiters[i]);
		if (owner_of(dot, owned) == NULL && waiters[i]->owner_state != OWNER_NONE)
			owned = waiters[i];
		red = red || dot->parts[index_of(dot, waiters[i])] == DEADLOCKED;
	}
	for (size_t i = 0; i < count; i++) {
		if (crowd > ALIKE_MAX && in_crowd(dot, waiters[i]))
			continue;
		if (in_crowd(dot, waiters[i]))
			put_thread(dot, waiters[i]);
		put_waits_for(dot, waiters[i]);
	}
	if (crowd > ALIKE_MAX)
		fprintf(dot->out,
			"\tc%" PRIx64 " [shape=box, style=dashed, label=\"%zu threads\"];\n"
			"\tc%" PRIx64 " -> o%" PRIx64 " [label=\"wait for\"];\n",
			owned->object, crowd, owned->object, owned->object);
	put_held_by(dot, owned, red);
}

static void put_objects(const struct dot *dot)
{
	for (size_t start = 0, end; start < dot->count; start = end) {
		end = sorted_run(dot->sorted, dot->count, sizeof *dot->sorted, start,
				 compare_objects);
		put_waiters(dot, dot->sorted + start, end - start);
	}
}

static void put_held_locks(const struct dot *dot)
{
	const struct locks *locks = dot->findings->locks;
	for (size_t i = 0; locks != NULL && i < locks->count; i++) {
		const struct lock *lock = &locks->items[i];
		if (lock->waiter_count > 0 || lock->owner_wait == NULL)
			continue;
		put_object(dot, lock->address, lock_kind_name(lock->kind), lock->name);
		fprintf(dot->out, "\to%" PRIx64 " -> t%" PRId32 " [label=\"held by\"];\n",
			lock->address, lock->owner_wait->thread->tid);
	}
}

static void put_threads(const struct dot *dot)
{
	const struct waits *waits = dot->findings->waits;
	for (size_t i = 0; i < waits->count; i++) {
		const struct wait *wait = &waits->items[i], *owner = owner_of(dot, wait);
		if (dot->parts[i] == LEFT_OUT || dot->parts[i] == CROWD)
			continue;
		put_thread(dot, wait);
		if (is_joined(wait) && owner != NULL)
			fprintf(dot->out,
				"\tt%" PRId32 " -> t%" PRId32
				" [label=\"waits for the end of\"%s];\n",
				wait->thread->tid, owner->thread->tid,
				dot->parts[i] == DEADLOCKED ? ", color=red, fontcolor=red" : "");
	}
}

struct error *dot_graph(const struct findings *findings, FILE *out)
{
	struct dot dot = { .out = out, .findings = findings };
	struct error *error = NULL;
	size_t count = findings->waits != NULL ? findings->waits->count : 0;
	dot.parts = calloc(count + 1, sizeof *dot.parts);
	dot.sorted = calloc(count + 1, sizeof *dot.sorted);
	if (dot.parts == NULL || dot.sorted == NULL) {
		error = error_no_memory();
	} else {
		fputs("digraph waits {\n\trankdir=LR;\n", out);
		if (findings->waits != NULL) {
			find_parts(&dot);
			put_threads(&dot);
			put_objects(&dot);
		}
		put_held_locks(&dot);
		fputs("}\n", out);
	}
	free(dot.parts);
	free(dot.sorted);
	return error;
}
