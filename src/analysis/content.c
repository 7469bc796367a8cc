/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "analysis/content.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define EXAMINED_BYTES	   4096 /* of a chunk, for text and pointers */
#define TEXT_AT_LEAST	   4	/* characters */
#define EXAMPLE_CHARACTERS 32
#define EXAMPLE_BYTES	   8 /* of data, in hexadecimal */
#define NAMES_KEPT	   4096
#define VTABLE_PREFIX	   "vtable for "

/* What first words have turned out to be: the same few vtables come again and again. */
struct known_name {
	uint64_t word;
	const char *what; /* NULL: nothing that has a name */
};

struct content_recogniser {
	const struct subject *subject;
	struct string_pool *strings;
	unsigned word_size;
	struct known_name names[NAMES_KEPT];
};

struct content_recogniser *content_recogniser_new(const struct subject *subject)
{
	struct content_recogniser *recogniser = calloc(1, sizeof *recogniser);
	if (recogniser == NULL)
		return NULL;
	recogniser->subject = subject;
	recogniser->strings = modules_strings(subject->modules);
	recogniser->word_size = subject->target->arch->word_size;
	return recogniser;
}

void content_recogniser_free(struct content_recogniser *recogniser)
{
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
			   : string_pool_format(recogniser->strings, "object with function %s",
						symbol.name);
	if (strncmp(symbol.name, VTABLE_PREFIX, strlen(VTABLE_PREFIX)) == 0)
		return string_pool_format(recogniser->strings, "class %s (vtable)",
					  symbol.name + strlen(VTABLE_PREFIX));
	if (symbol.address == word)
		return string_pool_format(recogniser->strings, "object of <%s>", symbol.name);
	return NULL;
}

static const char *object_name(struct content_recogniser *recogniser, uint64_t word)
{
	uint64_t hash = word * 0x9e3779b97f4a7c15U;
	struct known_name *known = &recogniser->names[hash >> 52];
	if (known->word != word) {
		known->what = name_word(recogniser, word);
		known->word = word;
	}
	return known->what;
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

/* Text. */

/* The length of the UTF-8 character at `text` that may be shown as it is; 0: none. Controls, and
 * what turns the direction of writing or has no shape, are not shown. */
static size_t shown_length(const uint8_t *text, size_t size)
{
	if (text[0] >= 0x20 && text[0] < 0x7f)
		return 1;
	size_t length = text[0] >= 0xf0 ? 4 : text[0] >= 0xe0 ? 3 : 2;
	if (text[0] < 0xc2 || text[0] > 0xf4 || length > size)
		return 0;
	uint32_t code = text[0] & (0xffU >> (length + 1));
	for (size_t i = 1; i < length; i++) {
		if ((text[i] & 0xc0) != 0x80)
			return 0;
		code = code << 6 | (text[i] & 0x3f);
	}
	static const struct {
		uint32_t first, last;
	} hidden[] = {
		{ 0, 0x9f },	    { 0xad, 0xad },	{ 0x61c, 0x61c },	 { 0x200b, 0x200f },
		{ 0x2028, 0x202e }, { 0x2060, 0x206f }, { 0xd800, 0xf8ff },	 { 0xfe00, 0xfe0f },
		{ 0xfeff, 0xfeff }, { 0xfff0, 0xffff }, { 0xe0000, UINT32_MAX },
	};
	if ((length == 3 && code < 0x800) || (length == 4 && code < 0x10000))
		return 0;
	for (size_t i = 0; i < sizeof hidden / sizeof *hidden; i++)
		if (code >= hidden[i].first && code <= hidden[i].last)
			return 0;
	return length;
}

static bool is_white(uint8_t byte)
{
	return byte == '\n' || byte == '\r' || byte == '\t' || byte == '\f' || byte == '\b' ||
	       byte == '\x1b';
}

/* Whether the bytes are characters up to the first NUL or to their end. */
static bool is_text(const uint8_t *bytes, size_t size)
{
	size_t characters = 0;
	for (size_t at = 0; at < size && bytes[at] != 0; characters++) {
		size_t length = is_white(bytes[at]) ? 1 : shown_length(bytes + at, size - at);
		/* A character may be cut by the end of what is examined. */
		if (length == 0)
			return bytes[at] >= 0xc2 && size - at < 4 && size == EXAMINED_BYTES &&
			       characters >= TEXT_AT_LEAST;
		at += length;
	}
	return characters >= TEXT_AT_LEAST;
}

/* Appends the escape of a byte that is not shown as it is. */
static void escape(FILE *out, uint8_t byte)
{
	static const char names[] = "\n\r\t\f\b\x1b";
	static const char letters[] = "nrtfbe";
	const char *name = byte != 0 ? strchr(names, byte) : NULL;
	if (name != NULL)
		fprintf(out, "\\%c", letters[name - names]);
	else
		fprintf(out, "\\x%02x", byte);
}

bool content_quote(FILE *out, const uint8_t *bytes, size_t size, unsigned most)
{
	size_t at = 0;
	for (unsigned shown = 0; at < size && bytes[at] != 0; shown++) {
		if (shown == most) {
			fputs("…", out);
			return true;
		}
		size_t length = shown_length(bytes + at, size - at);
		if (length == 0) {
			escape(out, bytes[at++]);
			continue;
		}
		if (bytes[at] == '"' || bytes[at] == '\\')
			fputc('\\', out);
		fwrite(bytes + at, 1, length, out);
		at += length;
	}
	return false;
}

static void hexadecimal(FILE *out, const uint8_t *bytes, size_t size)
{
	for (size_t i = 0; i < size && i < EXAMPLE_BYTES; i++)
		fprintf(out, " %02x", bytes[i]);
	if (size > EXAMPLE_BYTES)
		fputs(" …", out);
}

const char *content_example(struct content_recogniser *recogniser, enum content_kind kind,
			    uint64_t address, uint64_t size)
{
	char phrase[512] = "";
	const uint8_t *bytes = NULL;
	size_t got = address_space_span(recogniser->subject->target->space, address,
					size < EXAMINED_BYTES ? size : EXAMINED_BYTES, &bytes);
	if (got == 0)
		return string_pool_add(recogniser->strings, "not dumped");
	FILE *out = fmemopen(phrase, sizeof phrase, "w");
	if (out == NULL)
		return string_pool_add(recogniser->strings, content_kind_name(kind));
	if (kind == CONTENT_TEXT) {
		fputs("text \"", out);
		content_quote(out, bytes, got, EXAMPLE_CHARACTERS);
		fputs("\"", out);
	} else {
		fputs("data, begins", out);
		hexadecimal(out, bytes, got);
	}
	fclose(out);
	return string_pool_add(recogniser->strings, phrase);
}

/* Pointers. */

struct pointer_count {
	uint64_t words, pointers; /* that are not zero; of these, into chunks in use */
	uint64_t target_size;	  /* of the chunks pointed to; 0: of different sizes */
};

static struct pointer_count count_pointers(struct content_recogniser *recogniser,
					   const struct chunk *chunk)
{
	struct pointer_count count = { 0 };
	uint64_t size = chunk->size < EXAMINED_BYTES ? chunk->size : EXAMINED_BYTES;
	uint64_t word;
	for (uint64_t at = 0; at + recogniser->word_size <= size; at += recogniser->word_size) {
		struct chunk target;
		if (!word_at(recogniser, chunk->address + at, &word) || word == 0)
			continue;
		count.words++;
		if (!chunk_table_find(recogniser->subject->heap->chunks, word, &target) ||
		    !target.used)
			continue;
		if (count.pointers++ == 0)
			count.target_size = target.size;
		else if (count.target_size != target.size)
			count.target_size = 0;
	}
	return count;
}

static const char *pointer_phrase(struct content_recogniser *recogniser,
				  const struct pointer_count *count)
{
	if (count->pointers * 2 < count->words || count->words < 2)
		return string_pool_add(recogniser->strings, "record with pointers");
	if (count->target_size == 0)
		return string_pool_add(recogniser->strings, "pointers to chunks");
	return string_pool_format(recogniser->strings, "pointers to %" PRIu64 "-byte chunks",
				  count->target_size);
}

/* A structure that mostly consists of equal chunks, each found from another. */
static const char *shape_phrase(struct content_recogniser *recogniser,
				const struct content_shape *shape)
{
	if (shape->links < 2 || shape->links * 2 + 1 < shape->chunks)
		return NULL;
	/* A walk that enters a doubly linked list in its middle branches once. */
	bool is_list = shape->branchings == 0 || (shape->branchings == 1 && shape->cyclic);
	if (!is_list && shape->links < 4)
		return NULL;
	return string_pool_format(recogniser->strings, "%s of %" PRIu64 "-byte nodes",
				  is_list ? "list" : "tree", shape->link_size);
}

enum content_kind content_recognise(struct content_recogniser *recogniser,
				    const struct chunk *chunk, const struct content_shape *shape,
				    const char **what)
{
	struct address_space *space = recogniser->subject->target->space;
	uint64_t first;
	*what = NULL;
	if (chunk->size >= recogniser->word_size && word_at(recogniser, chunk->address, &first)) {
		*what = object_name(recogniser, first);
		if (*what != NULL)
			return CONTENT_OBJECT;
	}
	*what = shape_phrase(recogniser, shape);
	if (*what != NULL)
		return CONTENT_POINTERS;
	const uint8_t *bytes;
	size_t got =
	    address_space_span(space, chunk->address,
			       chunk->size < EXAMINED_BYTES ? chunk->size : EXAMINED_BYTES, &bytes);
	/* Six bytes of a pointer may well be printable ("0IhfU"), with a NUL after them. */
	struct chunk target;
	const bool points =
	    chunk->size >= recogniser->word_size && word_at(recogniser, chunk->address, &first) &&
	    chunk_table_find(recogniser->subject->heap->chunks, first, &target) && target.used;
	if (got > 0 && !points && is_text(bytes, got))
		return CONTENT_TEXT;
	if (is_zero(space, chunk)) {
		*what = string_pool_add(recogniser->strings, "zeros");
		return CONTENT_EMPTY;
	}
	struct pointer_count count = count_pointers(recogniser, chunk);
	if (count.pointers == 0)
		return CONTENT_DATA;
	*what = pointer_phrase(recogniser, &count);
	return CONTENT_POINTERS;
}

const char *content_kind_name(enum content_kind kind)
{
	static const char *const names[] = {
		[CONTENT_EMPTY] = "empty", [CONTENT_OBJECT] = "object",
		[CONTENT_TEXT] = "text",   [CONTENT_POINTERS] = "pointers",
		[CONTENT_DATA] = "data",
	};
	return names[kind];
}
