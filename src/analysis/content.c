/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "analysis/content.h"

#include "analysis/content_cxx.h"
#include "analysis/content_idioms.h"
#include "analysis/content_pointers.h"
#include "analysis/content_text.h"

#include <inttypes.h>
#include <pthread.h>
#include <string.h>

#define EXAMPLE_BYTES	 8 /* of data, in hexadecimal */
#define NAMES_KEPT	 4096
#define ARRAY_STRIDE_MAX 512 /* words from an object in an array to the next */
#define VTABLE_PREFIX	 "vtable for "

/* What first words have turned out to be: the same few vtables come again and again. */
struct known_name {
	uint64_t word;
	const char *what; /* NULL: nothing that has a name */
};

struct content_recogniser {
	const struct subject *subject;
	struct string_pool *strings;
	unsigned word_size;
	uint64_t modules_start, modules_end; /* no other word has a name */
	struct known_name names[NAMES_KEPT];
	pthread_mutex_t *naming; /* held while modules are asked for symbols */
	pthread_mutex_t own_naming;
};

struct content_recogniser *content_recogniser_new(const struct subject *subject)
{
	struct content_recogniser *recogniser = calloc(1, sizeof *recogniser);
	if (recogniser == NULL)
		return NULL;
	pthread_mutex_init(&recogniser->own_naming, NULL);
	recogniser->naming = &recogniser->own_naming;
	recogniser->subject = subject;
	recogniser->strings = modules_strings(subject->modules);
	recogniser->word_size = subject->target->arch->word_size;
	size_t count;
	const struct module *modules = modules_list(subject->modules, &count);
	recogniser->modules_start = count > 0 ? modules[0].start : 0;
	for (size_t i = 0; i < count; i++)
		if (modules[i].end > recogniser->modules_end)
			recogniser->modules_end = modules[i].end;
	return recogniser;
}

struct content_recogniser *content_recogniser_sibling(struct content_recogniser *recogniser)
{
	struct content_recogniser *sibling = content_recogniser_new(recogniser->subject);
	if (sibling != NULL)
		sibling->naming = recogniser->naming;
	return sibling;
}

void content_recogniser_free(struct content_recogniser *recogniser)
{
	if (recogniser != NULL)
		pthread_mutex_destroy(&recogniser->own_naming);
	free(recogniser);
}

static bool word_at(const struct content_recogniser *recogniser, uint64_t address, uint64_t *word)
{
	struct address_space *space = recogniser->subject->target->space;
	uint32_t half;
	if (recogniser->word_size == 8)
		return address_space_u64(space, address, word);
	if (!address_space_u32(space, address, &half))
		return false;
	*word = half;
	return true;
}

/* Objects: a first word that has a name. */

static bool is_executable(const struct content_recogniser *recogniser, uint64_t address)
{
	const struct segment *segment =
	    address_space_find(recogniser->subject->target->space, address);
	return segment != NULL && (segment->permissions & SEGMENT_EXECUTE) != 0;
}

/* A vtable in a module without symbols is known by the functions it begins with. */
static const char *unnamed_table(struct content_recogniser *recogniser, const struct module *module,
				 uint64_t address)
{
	uint64_t function;
	if (address % recogniser->word_size != 0 || is_executable(recogniser, address) ||
	    !word_at(recogniser, address, &function) || function == 0 ||
	    modules_find(recogniser->subject->modules, function) == NULL ||
	    !is_executable(recogniser, function))
		return NULL;
	return string_pool_format(recogniser->strings, "object with functions at %s+0x%" PRIx64,
				  module->name, address - module->start);
}

static const char *name_word(struct content_recogniser *recogniser, uint64_t word)
{
	struct modules *modules = recogniser->subject->modules;
	const struct module *module = modules_find(modules, word);
	struct symbol symbol;
	if (module == NULL)
		return NULL;
	if (!modules_symbol_at(modules, word, &symbol))
		return unnamed_table(recogniser, module, word);
	if (symbol.is_function)
		return symbol.address != word
			   ? NULL
			   : content_cxx_function(recogniser->strings, symbol.name);
	if (strncmp(symbol.name, VTABLE_PREFIX, strlen(VTABLE_PREFIX)) == 0)
		return content_cxx_class(recogniser->strings, symbol.name + strlen(VTABLE_PREFIX));
	if (symbol.address == word)
		return string_pool_format(recogniser->strings, "object of <%s>", symbol.name);
	return NULL;
}

static const char *object_name(struct content_recogniser *recogniser, uint64_t word)
{
	if (word < recogniser->modules_start || word >= recogniser->modules_end ||
	    modules_find(recogniser->subject->modules, word) == NULL)
		return NULL;
	uint64_t hash = word * 0x9e3779b97f4a7c15U;
	struct known_name *known = &recogniser->names[hash >> 52];
	if (known->word != word) {
		pthread_mutex_lock(recogniser->naming);
		known->what = name_word(recogniser, word);
		pthread_mutex_unlock(recogniser->naming);
		known->word = word;
	}
	return known->what;
}

/* Where the word is a vtable's: the name of its class, as in "class X (vtable)", without what
 * stands around it; else 0. */
static int class_of(const char *what, const char **name)
{
	static const char before[] = "class ", after[] = " (vtable)";
	const size_t length = what != NULL ? strlen(what) : 0;
	if (length <= sizeof before - 1 + sizeof after - 1 ||
	    strncmp(what, before, sizeof before - 1) != 0 ||
	    strcmp(what + length - (sizeof after - 1), after) != 0)
		return 0;
	*name = what + sizeof before - 1;
	return (int)(length - (sizeof before - 1) - (sizeof after - 1));
}

/* Objects side by side, as new X[n] (with the number in front, where X has a destructor) and
 * std::vector<X> have them: the same vtable again, always as far apart. */
static const char *object_array_name(struct content_recogniser *recogniser,
				     const struct idiom_chunk *look)
{
	const char *name;
	const uint64_t size = look->chunk->size;
	for (unsigned first = 0; first < 2 && first < look->count; first++) {
		const uint64_t table = look->words[first];
		const int length = class_of(object_name(recogniser, table), &name);
		if (length == 0)
			continue;
		uint64_t stride = 1, word;
		while ((first + stride + 1) * 8 <= size && stride < ARRAY_STRIDE_MAX &&
		       word_at(recogniser, look->chunk->address + (first + stride) * 8, &word) &&
		       word != table)
			stride++;
		const bool again = (first + 2 * stride) * 8 <= size && stride < ARRAY_STRIDE_MAX;
		const bool told =
		    first == 1 && look->words[0] > 0 && look->words[0] <= (size - 8) / 8;
		if (first == 0 ? again : told && (again || look->words[0] == 1))
			return string_pool_format(recogniser->strings, "array of %.*s (vtable)",
						  length, name);
	}
	return NULL;
}

/* What the chunk holds behind its first word: a node, or a record with an object in it. What was
 * freed and is used again may hold the vtable of what it was. */
static const char *inner_object_name(struct content_recogniser *recogniser,
				     const struct idiom_chunk *look)
{
	const char *name;
	for (unsigned i = 1; i < look->count; i++) {
		if (look->words[i] % recogniser->word_size != 0)
			continue;
		const int length = class_of(object_name(recogniser, look->words[i]), &name);
		if (length != 0)
			return string_pool_format(recogniser->strings,
						  "record with the vtable of %.*s at +%u", length,
						  name, i * 8);
	}
	return NULL;
}

/* std::function: what it calls, how that is managed, how it is called. The last two are functions
 * of a class that nothing else uses. */
static const char *function_object_name(struct content_recogniser *recogniser,
					const struct idiom_chunk *look)
{
	const char *managed = look->count >= 4 ? object_name(recogniser, look->words[2]) : NULL;
	const char *called = managed != NULL ? object_name(recogniser, look->words[3]) : NULL;
	return called != NULL ? content_cxx_function_object(recogniser->strings, managed, called)
			      : NULL;
}

/* std::shared_ptr: the object and its control block, which is an object of a class of its own. */
static const char *shared_pointer_name(struct content_recogniser *recogniser,
				       const struct idiom_chunk *look)
{
	uint64_t table;
	struct chunk block;
	if (look->chunk->size != 24 || look->count < 2 || look->words[1] == 0 ||
	    !chunk_table_find(recogniser->subject->heap->chunks, look->words[1], &block) ||
	    !block.used || block.address != look->words[1] ||
	    !word_at(recogniser, block.address, &table))
		return NULL;
	const char *what = object_name(recogniser, table);
	return what != NULL ? content_cxx_shared_pointer(recogniser->strings, what) : NULL;
}

/* What the chunk is said to be besides the idiom's phrase: "fd 5". */
static bool detail_of(struct content_recogniser *recogniser, const struct chunk *chunk,
		      struct words *detail)
{
	struct idiom_chunk look;
	uint64_t nodes;
	return idiom_look(recogniser->subject, chunk, &look) &&
	       object_name(recogniser, look.words[0]) == NULL &&
	       idiom_find(&look, detail, &nodes) != NULL;
}

/* The formats are the table's: each takes one number. */
static const char *sized_phrase(struct content_recogniser *recogniser, const struct idiom *idiom,
				uint64_t nodes)
{
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	return string_pool_format(recogniser->strings, idiom->what, nodes);
#pragma GCC diagnostic pop
}

/* Zeros. */

static bool is_zero(struct address_space *space, const struct chunk *chunk)
{
	uint64_t at = chunk->address, end = chunk->address + chunk->size;
	while (at < end) {
		const uint8_t *bytes;
		size_t got = address_space_span(space, at, end - at, &bytes);
		if (got == 0 || bytes[0] != 0 || memcmp(bytes, bytes + 1, got - 1) != 0)
			return false;
		at += got;
	}
	return true;
}

/* Examples. */

static void hexadecimal(struct words *words, const uint8_t *bytes, size_t size)
{
	for (size_t i = 0; i < size && i < EXAMPLE_BYTES; i++)
		words_add(words, " %02x", bytes[i]);
	if (size > EXAMPLE_BYTES)
		words_add(words, " …");
}

const char *content_example(struct content_recogniser *recogniser, const struct content *content,
			    const struct chunk *chunk, bool several)
{
	struct words words = { 0 };
	const uint8_t *bytes = NULL;
	if (content->what != NULL) {
		if (detail_of(recogniser, chunk, &words) && words.length > 0)
			return string_pool_format(recogniser->strings,
						  several ? "%s (e.g. %s)" : "%s (%s)",
						  content->what, words.text);
		return content->what;
	}
	size_t got = address_space_span(
	    recogniser->subject->target->space, chunk->address,
	    chunk->size < CONTENT_EXAMINED_BYTES ? chunk->size : CONTENT_EXAMINED_BYTES, &bytes);
	if (got == 0)
		return string_pool_add(recogniser->strings, "not dumped");
	if (content->kind == CONTENT_TEXT) {
		words_add(&words, "text ");
		content_add_quoted(&words, bytes, got, EXAMPLE_CHARACTERS, false);
	} else {
		words_add(&words, "data, begins");
		hexadecimal(&words, bytes, got);
	}
	return string_pool_add(recogniser->strings, words.text);
}

/* Pointers. */

static const char *pointer_type(const struct content_pointers *count)
{
	return count->pointers * 2 < count->words || count->words < 2 ? "record with pointers"
								      : "pointers to chunks";
}

static const char *pointer_phrase(struct content_recogniser *recogniser,
				  const struct content_pointers *count)
{
	if (count->pointers * 2 < count->words || count->words < 2 || count->target_size == 0)
		return pointer_type(count);
	return string_pool_format(recogniser->strings, "pointers to %" PRIu64 "-byte chunks",
				  count->target_size);
}

/* --- shapes */

/* Of pointers that go both ways there are as many back as there are links, and two more where the
 * two ends meet. Of others there is one back where the last leads to the first. */
static const char *list_name(const struct content_shape *shape)
{
	if (shape->back_links >= shape->links)
		return shape->back_links >= shape->links + 2 ? "circular doubly linked list"
							     : "doubly linked list";
	return shape->cyclic ? "circular list" : "list";
}

/* "list" where each chunk led to one other, "doubly linked list" where the pointers go both ways;
 * NULL where the structure does not mostly consist of equal chunks, each found from another. */
static const char *shape_name(const struct content_shape *shape)
{
	if (shape->links < 2 || shape->links * 2 + 1 < shape->chunks)
		return NULL;
	/* A walk that enters a doubly linked list in its middle branches once. */
	if (shape->branchings == 0 || (shape->branchings == 1 && shape->cyclic))
		return list_name(shape);
	if (shape->links < 4)
		return NULL;
	/* A walk that enters a tree with pointers to parents below its root finds one more. */
	return shape->branches_max == 2 || (shape->branches_max == 3 && shape->cyclic)
		   ? "binary tree"
		   : "tree";
}

const char *content_shape_phrase(struct content_recogniser *recogniser,
				 const struct content_shape *shape, uint64_t size)
{
	const char *name = shape_name(shape);
	if (name != NULL)
		return string_pool_format(recogniser->strings, "%s of %" PRIu64 "-byte nodes", name,
					  shape->link_size);
	if (shape->chunks == 1)
		return string_pool_format(recogniser->strings, "single %" PRIu64 "-byte chunk",
					  size);
	return string_pool_format(recogniser->strings, "%" PRIu64 "-byte chunk with %s%s", size,
				  shape->chunks == 2   ? "another"
				  : shape->chunks < 10 ? "a few others"
						       : "many others",
				  shape->cyclic ? ", cyclic" : "");
}

/* --- all together */

static bool name_object(struct content_recogniser *recogniser, const struct idiom_chunk *look,
			struct content *content)
{
	if (look->count == 0)
		return false;
	content->what = object_array_name(recogniser, look);
	if (content->what == NULL)
		content->what = object_name(recogniser, look->words[0]);
	if (content->what == NULL)
		content->what = function_object_name(recogniser, look);
	if (content->what == NULL)
		content->what = shared_pointer_name(recogniser, look);
	content->type = content->what;
	content->kind = CONTENT_OBJECT;
	return content->what != NULL;
}

static bool name_idiom(struct content_recogniser *recogniser, const struct idiom_chunk *look,
		       struct content *content)
{
	struct words detail;
	uint64_t nodes;
	const struct idiom *idiom = look->count > 0 ? idiom_find(look, &detail, &nodes) : NULL;
	if (idiom == NULL)
		return false;
	content->kind = idiom->kind;
	content->type = idiom->type;
	content->what = idiom->sized ? sized_phrase(recogniser, idiom, nodes) : idiom->what;
	return true;
}

static bool name_shape(struct content_recogniser *recogniser, const struct chunk *chunk,
		       const struct content_shape *shape, struct content *content)
{
	const char *name = shape_name(shape);
	if (name == NULL)
		return false;
	content->kind = CONTENT_POINTERS;
	content->type = name;
	content->what = content_shape_phrase(recogniser, shape, chunk->size);
	return true;
}

static bool name_text(struct content_recogniser *recogniser, const struct idiom_chunk *look,
		      struct content *content)
{
	const uint8_t *bytes;
	struct chunk target;
	const struct chunk *chunk = look->chunk;
	size_t got = address_space_span(
	    recogniser->subject->target->space, chunk->address,
	    chunk->size < CONTENT_EXAMINED_BYTES ? chunk->size : CONTENT_EXAMINED_BYTES, &bytes);
	/* Six bytes of a pointer may well be printable ("0IhfU"), with a NUL after them. */
	if (got == 0 || !content_is_text(bytes, got, got == CONTENT_EXAMINED_BYTES) ||
	    (look->count > 0 &&
	     chunk_table_find(recogniser->subject->heap->chunks, look->words[0], &target) &&
	     target.used))
		return false;
	*content = (struct content){ CONTENT_TEXT, NULL, "text" };
	return true;
}

void content_recognise(struct content_recogniser *recogniser, const struct chunk *chunk,
		       const struct content_shape *shape, struct content *content)
{
	struct idiom_chunk look;
	idiom_look(recogniser->subject, chunk, &look);
	if (name_object(recogniser, &look, content) || name_idiom(recogniser, &look, content) ||
	    name_shape(recogniser, chunk, shape, content) || name_text(recogniser, &look, content))
		return;
	if (is_zero(recogniser->subject->target->space, chunk)) {
		*content = (struct content){ CONTENT_EMPTY, "zeros", "zeros" };
		return;
	}
	struct content_pointers count = content_pointers_count(recogniser->subject, chunk);
	const char *inner = inner_object_name(recogniser, &look);
	if (inner != NULL)
		*content = (struct content){ CONTENT_OBJECT, inner, inner };
	else if (count.pointers == 0)
		*content = (struct content){ CONTENT_DATA, NULL, "data" };
	else
		*content = (struct content){ CONTENT_POINTERS, pointer_phrase(recogniser, &count),
					     pointer_type(&count) };
}

const char *content_alone(struct content_recogniser *recogniser, const struct chunk *chunk,
			  enum content_kind *kind)
{
	const struct content_shape alone = { .chunks = 1 };
	struct content content;
	content_recognise(recogniser, chunk, &alone, &content);
	*kind = content.kind;
	return content_example(recogniser, &content, chunk, false);
}

bool content_is_owner(struct content_recogniser *recogniser, const struct chunk *chunk)
{
	struct idiom_chunk look;
	struct words detail;
	uint64_t nodes;
	if ((chunk->size != 24 && chunk->size != 56) ||
	    !idiom_look(recogniser->subject, chunk, &look))
		return false;
	const struct idiom *idiom = idiom_find(&look, &detail, &nodes);
	return idiom != NULL && idiom->owner;
}

const char *content_kind_name(enum content_kind kind)
{
	static const char *const names[] = {
		[CONTENT_EMPTY] = "empty",	   [CONTENT_OBJECT] = "object",
		[CONTENT_CONTAINER] = "container", [CONTENT_SYSTEM] = "system",
		[CONTENT_TEXT] = "text",	   [CONTENT_POINTERS] = "pointers",
		[CONTENT_DATA] = "data",
	};
	return names[kind];
}
