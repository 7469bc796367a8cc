/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "report/diff_read.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* Calls of a stack that tell groups of goroutines or threads apart, and characters of them. */
#define CALLS_MAX 64
#define STACK_MAX 2048

/* --- what a document holds */

/* NULL where there is none; where it is asked of what is no object, that is not right. */
static const json_t *member(struct diff_reader *reader, const json_t *object, const char *name)
{
	if (object != NULL && !json_is_null(object) && !json_is_object(object))
		reader->bad = name;
	const json_t *value = json_object_get(object, name);
	return json_is_null(value) ? NULL : value;
}

const char *diff_words(struct diff_reader *reader, const json_t *object, const char *name)
{
	const json_t *value = member(reader, object, name);
	if (value != NULL && !json_is_string(value))
		reader->bad = name;
	return json_string_value(value);
}

int64_t diff_number(struct diff_reader *reader, const json_t *object, const char *name)
{
	const json_t *value = member(reader, object, name);
	if (value == NULL)
		return 0;
	if (!json_is_integer(value) || json_integer_value(value) < 0) {
		reader->bad = name;
		return 0;
	}
	return json_integer_value(value);
}

/* An array or an object; NULL where it is not there. */
static const json_t *part_of(struct diff_reader *reader, const json_t *object, const char *name,
			     json_type type)
{
	const json_t *value = member(reader, object, name);
	if (value == NULL)
		return NULL;
	if (json_typeof(value) != type) {
		reader->bad = name;
		return NULL;
	}
	return value;
}

static void add(struct diff_reader *reader, const char *what, int64_t count, int64_t bytes)
{
	if (what == NULL)
		reader->bad = "a name";
	else if (!array_push(&reader->entries, (struct diff_entry){ what, count, bytes }))
		reader->no_memory = true;
}

static void add_total(struct diff_reader *reader, const json_t *object, const char *name,
		      const char *what)
{
	const json_t *total = part_of(reader, object, name, JSON_OBJECT);
	if (total != NULL)
		add(reader, what, diff_number(reader, total, "chunks"),
		    diff_number(reader, total, "bytes"));
}

/* --- the heap of C */

static bool read_states(const json_t *document, struct diff_reader *reader)
{
	static const char *const states[] = { "reachable", "possible", "orphaned", "free" };
	const json_t *heap = part_of(reader, document, "heap", JSON_OBJECT);
	const json_t *found = part_of(reader, heap, "states", JSON_OBJECT);
	for (size_t i = 0; found != NULL && i < sizeof states / sizeof *states; i++)
		add_total(reader, found, states[i], states[i]);
	return found != NULL;
}

static bool read_sizes(const json_t *document, struct diff_reader *reader)
{
	const json_t *heap = part_of(reader, document, "heap", JSON_OBJECT), *item;
	const json_t *sizes = part_of(reader, heap, "sizes", JSON_ARRAY);
	size_t i;
	json_array_foreach(sizes, i, item)
	{
		int64_t least = diff_number(reader, item, "least");
		int64_t most = diff_number(reader, item, "most");
		const char *what =
		    least == most
			? string_pool_format(reader->pool, "%" PRId64 " bytes", least)
			: string_pool_format(reader->pool, "%" PRId64 " to %" PRId64 " bytes",
					     least, most);
		add(reader, what, diff_number(reader, item, "chunks"),
		    diff_number(reader, item, "bytes"));
	}
	return sizes != NULL;
}

static bool read_orphan_groups(const json_t *document, struct diff_reader *reader, const char *name)
{
	const json_t *orphans = part_of(reader, document, name, JSON_OBJECT), *group;
	const json_t *groups = part_of(reader, orphans, "groups", JSON_ARRAY);
	size_t i;
	json_array_foreach(groups, i, group)
	{
		const char *what = diff_words(reader, group, "what");
		int64_t size = diff_number(reader, group, "head_size");
		if (what != NULL && size != 0)
			what = string_pool_format(reader->pool, "%s, of %" PRId64 " bytes", what,
						  size);
		add(reader, what, diff_number(reader, group, "chunks"),
		    diff_number(reader, group, "bytes"));
	}
	reader->omitted = (uint64_t)diff_number(reader, orphans, "groups_omitted");
	return groups != NULL;
}

static bool read_orphans(const json_t *document, struct diff_reader *reader)
{
	return read_orphan_groups(document, reader, "orphans");
}

static bool read_possible(const json_t *document, struct diff_reader *reader)
{
	return read_orphan_groups(document, reader, "possible_orphans");
}

/* A root by what is the same in another run: no address, and no thread's number. */
static const char *root_name(struct diff_reader *reader, const json_t *root)
{
	const char *kind = diff_words(reader, root, "kind");
	const char *symbol = diff_words(reader, root, "symbol");
	const char *function = diff_words(reader, root, "function");
	const char *module = diff_words(reader, root, "module");
	if (kind == NULL)
		return NULL;
	if (symbol != NULL && strcmp(kind, "register") != 0)
		return string_pool_format(reader->pool, "<%s>%s%s", symbol,
					  module != NULL ? " of " : "",
					  module != NULL ? module : "");
	if (function != NULL)
		return string_pool_format(reader->pool, "%s of %s", kind, function);
	return module != NULL ? string_pool_format(reader->pool, "%s of %s", kind, module)
			      : string_pool_add(reader->pool, kind);
}

static bool read_roots(const json_t *document, struct diff_reader *reader)
{
	const json_t *retained = part_of(reader, document, "retained", JSON_OBJECT), *root;
	const json_t *roots = part_of(reader, retained, "roots", JSON_ARRAY);
	size_t i;
	json_array_foreach(roots, i, root)
	    add(reader, root_name(reader, root), diff_number(reader, root, "chunks"),
		diff_number(reader, root, "bytes"));
	add_total(reader, retained, "shared", "shared by several roots");
	add_total(reader, retained, "allocator", "the allocator itself");
	add_total(reader, retained, "departed_threads", "the C library, for threads that are gone");
	reader->omitted = (uint64_t)diff_number(reader, retained, "roots_omitted");
	return roots != NULL;
}

/* --- stacks */

struct chain {
	char text[STACK_MAX];
	size_t length, calls;
};

static void chain_add(struct chain *chain, const char *function)
{
	if (chain->calls++ >= CALLS_MAX || chain->length >= sizeof chain->text)
		return;
	chain->length += (size_t)snprintf(
	    chain->text + chain->length, sizeof chain->text - chain->length, "%s%s",
	    chain->length == 0 ? "" : " ← ", function != NULL ? function : "?");
}

static bool is_runtime(const char *function)
{
	return function != NULL && strncmp(function, "runtime.", 8) == 0;
}

/* The calls of a goroutine: of the runtime's own on top the outermost, which tells what it is in,
 * and none at the end. */
static const char *goroutine_chain(struct diff_reader *reader, const json_t *stack,
				   const json_t *creator)
{
	const json_t *calls = part_of(reader, stack, "calls", JSON_ARRAY), *call;
	struct chain chain = { .length = 0 };
	const char *pending = NULL;
	size_t i;
	json_array_foreach(calls, i, call)
	{
		const char *function = diff_words(reader, call, "function");
		if (is_runtime(function)) {
			pending = function;
			continue;
		}
		if (pending != NULL)
			chain_add(&chain, pending);
		pending = NULL;
		chain_add(&chain, function);
	}
	if (chain.length == 0)
		chain_add(&chain, pending);
	const char *by = diff_words(reader, creator, "function");
	return by != NULL ? string_pool_format(reader->pool, "%s, created by %s", chain.text, by)
			  : string_pool_add(reader->pool, chain.text);
}

/* The name of the `number`-th group of goroutines. */
static const char *group_name(struct diff_reader *reader, const json_t *document, int64_t number)
{
	const json_t *groups = part_of(reader, document, "goroutine_groups", JSON_ARRAY);
	const json_t *stacks = part_of(reader, document, "go_stacks", JSON_ARRAY);
	const json_t *group = json_array_get(groups, (size_t)number);
	const json_t *stack = json_array_get(stacks, (size_t)diff_number(reader, group, "stack"));
	if (group == NULL || stack == NULL)
		return NULL;
	return goroutine_chain(reader, stack, json_object_get(group, "creator"));
}

static bool read_goroutines(const json_t *document, struct diff_reader *reader)
{
	const json_t *groups = part_of(reader, document, "goroutine_groups", JSON_ARRAY), *group;
	size_t i;
	json_array_foreach(groups, i, group) add(reader, group_name(reader, document, (int64_t)i),
						 diff_number(reader, group, "count"), 0);
	return groups != NULL;
}

static bool read_leaked(const json_t *document, struct diff_reader *reader)
{
	const json_t *leaks = part_of(reader, document, "goroutine_leaks", JSON_OBJECT), *group;
	const json_t *groups = part_of(reader, leaks, "groups", JSON_ARRAY);
	size_t i;
	json_array_foreach(groups, i, group)
	    add(reader, group_name(reader, document, diff_number(reader, group, "group")),
		diff_number(reader, group, "count"), diff_number(reader, group, "bytes"));
	return groups != NULL;
}

static bool read_threads(const json_t *document, struct diff_reader *reader)
{
	const json_t *threads = part_of(reader, document, "threads", JSON_ARRAY), *thread, *frame;
	size_t i, k;
	json_array_foreach(threads, i, thread)
	{
		const json_t *frames = part_of(reader, thread, "frames", JSON_ARRAY);
		struct chain chain = { .length = 0 };
		json_array_foreach(frames, k, frame)
		    chain_add(&chain, diff_words(reader, frame, "function"));
		if (chain.length == 0)
			chain_add(&chain, NULL);
		add(reader, string_pool_add(reader->pool, chain.text), 1, 0);
	}
	return threads != NULL;
}

/* --- the profile */

/* What functions have in use themselves; other profiles than those of the heap are not compared. */
static bool read_functions(const json_t *document, struct diff_reader *reader)
{
	const json_t *profile = part_of(reader, document, "profile", JSON_OBJECT), *function;
	const json_t *functions = part_of(reader, profile, "functions", JSON_ARRAY);
	const char *kind = diff_words(reader, profile, "kind");
	size_t i;
	if (functions == NULL || kind == NULL ||
	    (strcmp(kind, "heap") != 0 && strcmp(kind, "live") != 0))
		return false;
	json_array_foreach(functions, i, function)
	{
		const json_t *flat = part_of(reader, function, "flat", JSON_OBJECT);
		add(reader, diff_words(reader, function, "function"),
		    diff_number(reader, flat, "inuse_objects"),
		    diff_number(reader, flat, "inuse_space"));
	}
	reader->omitted = (uint64_t)diff_number(reader, profile, "functions_omitted");
	return true;
}

/* In the order in which they are told. */
static const struct diff_form forms[] = {
	{ "heap", "HEAP, by what leads to it", "chunks", true, read_states },
	{ "orphans", "ORPHANED, by type and size", "chunks", true, read_orphans },
	{ "possible_orphans", "POSSIBLE, by type and size", "chunks", true, read_possible },
	{ "sizes", "CHUNKS IN USE, by size", "chunks", true, read_sizes },
	{ "roots", "RETAINED, by root", "chunks", true, read_roots },
	{ "functions", "ALLOCATED by Go functions, and in use", "objects", true, read_functions },
	{ "leaked_goroutines", "LEAKED GOROUTINES, and what they keep", "goroutines", true,
	  read_leaked },
	{ "goroutines", "GOROUTINES, by stack", "goroutines", false, read_goroutines },
	{ "threads", "THREADS, by stack", "threads", false, read_threads },
};

const struct diff_form *diff_forms(size_t *count)
{
	*count = sizeof forms / sizeof *forms;
	return forms;
}
