/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "analysis/content_idioms.h"

#include "analysis/content_text.h"
#include "analysis/content_wide.h"
#include "analysis/span_walk.h"
#include "base/bytes.h"
#include "heap/chunk_lookup.h"

#include <arpa/inet.h>
#include <elf.h>
#include <inttypes.h>
#include <string.h>

#define CLIMB_MAX   64	/* from a leaf of a red-black tree: deeper ones do not exist */
#define CHAIN_MAX   256 /* elements of a list that are counted */
#define ENTRIES_MAX 512 /* of a bucket array that are looked at */
#define TEXT_BYTES  256

static bool peek(const struct idiom_chunk *look, uint64_t address, uint64_t *word)
{
	const uint64_t offset = address - look->chunk->address;
	if (offset < (uint64_t)look->count * 8 && offset % 8 == 0) {
		*word = look->words[offset / 8];
		return true;
	}
	return address_space_u64(look->subject->target->space, address, word);
}

static bool points_to(const struct idiom_chunk *look, uint64_t at, uint64_t expected)
{
	uint64_t word;
	return peek(look, at, &word) && word == expected;
}

/* The chunk in use that begins at `address`. */
static bool used_at(const struct idiom_chunk *look, uint64_t address, struct chunk *chunk)
{
	return address != 0 && chunk_table_find(look->subject->heap->chunks, address, chunk) &&
	       chunk->used && chunk->address == address;
}

/* Whether who got this chunk may have asked malloc for `asked` bytes: it rounds up to 16, leaves no
 * remainder below 32, and maps whole pages. */
static bool fits_malloc(const struct chunk *chunk, uint64_t asked)
{
	const uint64_t spare = chunk->region->single ? 4096 + 16 : 32;
	return asked <= chunk->size && chunk->size - asked < spare;
}

static void add_elements(struct words *detail, uint64_t count)
{
	words_add(detail, "%" PRIu64 " element%s", count, count == 1 ? "" : "s");
}

/* --- glibc's own: struct _IO_FILE_plus, struct __dirstream, what getaddrinfo returns */

#define NO_DESCRIPTOR (-2) /* [S] of streams by fopencookie, and so by fmemopen */

static void add_descriptor(struct words *detail, int32_t descriptor)
{
	if (descriptor >= 0)
		words_add(detail, "fd %" PRId32, descriptor);
	else
		words_add(detail, "no descriptor");
}

#define FILE_MAGIC	0xfbad0000
#define FILE_BUFFERED	0x2000 /* _IO_IS_FILEBUF: _fileno has a meaning */
#define FILE_DESCRIPTOR 14     /* word of _fileno */
#define FILE_VTABLE	216

static bool is_file(const struct idiom_chunk *look, struct words *detail, uint64_t *nodes)
{
	uint64_t table;
	(void)nodes;
	if ((look->words[0] & 0xffff0000) != FILE_MAGIC || look->count <= FILE_DESCRIPTOR ||
	    look->chunk->size < FILE_VTABLE + 8 ||
	    !peek(look, look->chunk->address + FILE_VTABLE, &table))
		return false;
	const struct module *module = modules_find(look->subject->modules, table);
	if (module == NULL || !module->is_libc)
		return false;
	/* What open_memstream makes has no _fileno: the word is what was there before. */
	const int32_t descriptor = (int32_t)look->words[FILE_DESCRIPTOR];
	if ((look->words[0] & FILE_BUFFERED) == 0)
		words_add(detail, "memory stream");
	else if (descriptor == NO_DESCRIPTOR)
		words_add(detail, "fmemopen or fopencookie");
	else
		add_descriptor(detail, descriptor);
	return true;
}

#define DIRECTORY_DATA 48

static bool is_directory_entry(const struct idiom_chunk *look, uint64_t size)
{
	uint8_t entry[20];
	if (!address_space_probe(look->subject->target->space,
				 look->chunk->address + DIRECTORY_DATA, entry, sizeof entry))
		return false;
	unsigned length = entry[16] | (unsigned)entry[17] << 8;
	return length >= 24 && length <= size && length % 8 == 0 && entry[18] <= 14 &&
	       entry[19] != 0;
}

static bool is_directory(const struct idiom_chunk *look, struct words *detail, uint64_t *nodes)
{
	const uint64_t *words = look->words;
	(void)nodes;
	if (look->count < 6)
		return false;
	const uint64_t lock = words[0] >> 32, room = words[1], size = words[2], offset = words[3];
	if ((uint32_t)words[0] >= 1 << 20 || lock > 2 || room < 4096 || room % 512 != 0 ||
	    room > look->chunk->size || !fits_malloc(look->chunk, DIRECTORY_DATA + room) ||
	    size > room || offset > size)
		return false;
	if (size > 0 ? !is_directory_entry(look, size) : words[4] != 0 || (uint32_t)words[5] != 0)
		return false;
	add_descriptor(detail, (int32_t)words[0]);
	return true;
}

/* --- socket addresses */

static void add_port(struct words *detail, const uint8_t *address)
{
	words_add(detail, " port %u", (unsigned)address[2] << 8 | address[3]);
}

/* Whether `size` bytes are a socket's address of a family that is known, with a port or a path. */
static bool is_address(const uint8_t *bytes, size_t size, struct words *detail)
{
	char name[INET6_ADDRSTRLEN];
	const unsigned family = bytes[0] | (unsigned)bytes[1] << 8;
	const bool has_port = bytes[2] != 0 || bytes[3] != 0;
	static const uint8_t zeros[16];
	if (family == AF_INET && size >= 16 && has_port && bytes[4] != 0 &&
	    memcmp(bytes + 8, zeros, 8) == 0) {
		words_add(detail, "%s", inet_ntop(AF_INET, bytes + 4, name, sizeof name));
		add_port(detail, bytes);
		return true;
	}
	if (family == AF_INET6 && size >= 28 && has_port && memcmp(bytes + 4, zeros, 4) == 0 &&
	    memcmp(bytes + 8, zeros, 16) != 0 && memcmp(bytes + 26, zeros, 2) == 0) {
		words_add(detail, "%s", inet_ntop(AF_INET6, bytes + 8, name, sizeof name));
		add_port(detail, bytes);
		return true;
	}
	if (family == AF_UNIX && size >= 110 && bytes[2] == '/' &&
	    content_is_text(bytes + 2, 108, false) && memchr(bytes + 2, 0, 108) != NULL) {
		content_add_quoted(detail, bytes + 2, 108, EXAMPLE_CHARACTERS, false);
		return true;
	}
	return false;
}

static bool is_zero(const uint8_t *bytes, size_t from, size_t to)
{
	for (size_t i = from; i < to; i++)
		if (bytes[i] != 0)
			return false;
	return true;
}

/* sockaddr_in, sockaddr_in6 and sockaddr_un of their own size, or in a sockaddr_storage. */
static bool is_socket_address(const struct idiom_chunk *look, struct words *detail, uint64_t *nodes)
{
	uint8_t bytes[128] = { 0 };
	const uint64_t size = look->chunk->size;
	const unsigned family = (unsigned)look->words[0] & 0xffff;
	const size_t needed = family == AF_INET ? 16 : family == AF_INET6 ? 28 : 110;
	(void)nodes;
	if ((family != AF_INET && family != AF_INET6 && family != AF_UNIX) ||
	    !(fits_malloc(look->chunk, needed) || fits_malloc(look->chunk, sizeof bytes)) ||
	    !address_space_probe(look->subject->target->space, look->chunk->address, bytes,
				 size < sizeof bytes ? size : sizeof bytes))
		return false;
	if (fits_malloc(look->chunk, sizeof bytes) && !is_zero(bytes, needed, sizeof bytes))
		return false;
	return is_address(bytes, needed, detail);
}

#define ADDRINFO_SIZE 48

/* getaddrinfo puts the address behind the struct that points to it. */
static bool is_addrinfo(const struct idiom_chunk *look, struct words *detail, uint64_t *nodes)
{
	uint8_t bytes[28];
	const uint64_t family = look->words[0] >> 32;
	const size_t length = family == AF_INET ? 16 : 28;
	(void)nodes;
	bool matches =
	    look->count > ADDRINFO_SIZE / 8 && (family == AF_INET || family == AF_INET6) &&
	    (uint32_t)look->words[2] == length &&
	    look->words[3] == look->chunk->address + ADDRINFO_SIZE &&
	    look->chunk->size >= ADDRINFO_SIZE + length &&
	    address_space_probe(look->subject->target->space, look->words[3], bytes, length) &&
	    (bytes[0] | (unsigned)bytes[1] << 8) == family;
	if (matches)
		is_address(bytes, length, detail);
	return matches;
}

/* --- libstdc++: the objects themselves, as with new std::map<…> */

static bool is_text_at(const struct idiom_chunk *look, uint64_t address, uint64_t length,
		       struct words *detail)
{
	uint8_t bytes[TEXT_BYTES], end;
	const size_t size = length < sizeof bytes ? length : sizeof bytes;
	if (!address_space_probe(look->subject->target->space, address + length, &end, 1) ||
	    end != 0 || !address_space_probe(look->subject->target->space, address, bytes, size))
		return false;
	if (content_is_text(bytes, size, size < length))
		content_add_quoted(detail, bytes, size, EXAMPLE_CHARACTERS, size < length);
	else
		words_add(detail, "%" PRIu64 " bytes", length);
	return true;
}

static bool is_wide_text_at(const struct idiom_chunk *look, uint64_t address, uint64_t length,
			    unsigned width, struct words *detail)
{
	uint8_t bytes[TEXT_BYTES], end[4];
	char text[TEXT_BYTES];
	bool ended;
	struct address_space *space = look->subject->target->space;
	const size_t size = length < sizeof bytes / width ? length * width : sizeof bytes;
	if (!address_space_probe(space, address + length * width, end, width) ||
	    !is_zero(end, 0, width) || !address_space_probe(space, address, bytes, size) ||
	    content_wide_decode(bytes, size, width, text, sizeof text, &ended) == 0 || ended)
		return false;
	content_add_quoted(detail, (const uint8_t *)text, strlen(text), EXAMPLE_CHARACTERS,
			   size < length * width);
	return true;
}

/* Where the characters of a basic_string are, of `width` bytes each; 0: it is none. It has a
 * pointer, the length, and 16 bytes that hold a short one, else the capacity. */
static uint64_t string_characters(const struct idiom_chunk *look, unsigned width)
{
	const uint64_t *words = look->words, own = look->chunk->address + 16;
	const uint64_t in_object = 16 / width - 1;
	struct chunk buffer;
	if (look->chunk->size != 40 || look->count < 4)
		return 0;
	if (words[0] == own)
		return words[1] <= in_object ? own : 0;
	return words[2] > in_object && words[1] <= words[2] && used_at(look, words[0], &buffer) &&
		       words[2] < buffer.size / width &&
		       fits_malloc(&buffer, (words[2] + 1) * width)
		   ? words[0]
		   : 0;
}

static bool is_string_of_text(const struct idiom_chunk *look, struct words *detail, uint64_t *nodes)
{
	uint8_t bytes[TEXT_BYTES];
	const uint64_t at = string_characters(look, 1), length = look->words[1];
	const size_t size = length < sizeof bytes ? length : sizeof bytes;
	(void)nodes;
	return at != 0 && address_space_probe(look->subject->target->space, at, bytes, size) &&
	       content_is_text(bytes, size, size < length) && is_text_at(look, at, length, detail);
}

static bool is_wide_string(const struct idiom_chunk *look, struct words *detail, uint64_t *nodes)
{
	const uint64_t at = string_characters(look, 4);
	(void)nodes;
	return at != 0 && look->words[1] != 0 &&
	       is_wide_text_at(look, at, look->words[1], 4, detail);
}

static bool is_short_string(const struct idiom_chunk *look, struct words *detail, uint64_t *nodes)
{
	const uint64_t at = string_characters(look, 2);
	(void)nodes;
	return at != 0 && look->words[1] != 0 &&
	       is_wide_text_at(look, at, look->words[1], 2, detail);
}

/* Of bytes that are no text. */
static bool is_string(const struct idiom_chunk *look, struct words *detail, uint64_t *nodes)
{
	const uint64_t at = string_characters(look, 1);
	(void)nodes;
	return at != 0 && is_text_at(look, at, look->words[1], detail);
}

/* Text as wchar_t has it, and as UTF-16. */
static bool is_text_of(const struct idiom_chunk *look, unsigned width, struct words *detail)
{
	uint8_t bytes[TEXT_BYTES * 4];
	char text[TEXT_BYTES];
	bool ended;
	const size_t size = look->chunk->size < sizeof bytes ? look->chunk->size : sizeof bytes;
	const uint64_t first = look->words[0] & (width == 4 ? UINT32_MAX : UINT16_MAX);
	if (first == 0 || first > 0x10ffff ||
	    !address_space_probe(look->subject->target->space, look->chunk->address, bytes, size) ||
	    content_is_text(bytes, size, size < look->chunk->size) ||
	    !content_wide_is_text(bytes, size, width))
		return false;
	content_wide_decode(bytes, size, width, text, sizeof text, &ended);
	content_add_quoted(detail, (const uint8_t *)text, strlen(text), EXAMPLE_CHARACTERS, false);
	return true;
}

static bool is_wide_text(const struct idiom_chunk *look, struct words *detail, uint64_t *nodes)
{
	(void)nodes;
	return is_text_of(look, 4, detail);
}

static bool is_short_text(const struct idiom_chunk *look, struct words *detail, uint64_t *nodes)
{
	(void)nodes;
	return is_text_of(look, 2, detail);
}

/* vector: where the elements begin, where they end, where their memory ends. */
static bool is_vector(const struct idiom_chunk *look, struct words *detail, uint64_t *nodes)
{
	const uint64_t *words = look->words;
	struct chunk storage;
	(void)nodes;
	if (look->chunk->size != 24 || look->count < 3 || !used_at(look, words[0], &storage) ||
	    words[1] < words[0] || words[2] < words[1] || words[2] <= words[0] ||
	    words[2] - words[0] > storage.size || !fits_malloc(&storage, words[2] - words[0]))
		return false;
	words_add(detail, "%" PRIu64 " of %" PRIu64 " bytes used", words[1] - words[0],
		  words[2] - words[0]);
	return true;
}

/* list: first node, last node, and their number; the last leads back to it. */
static bool is_list(const struct idiom_chunk *look, struct words *detail, uint64_t *nodes)
{
	const uint64_t *words = look->words, own = look->chunk->address;
	struct chunk first;
	if (look->chunk->size != 24 || look->count < 3 || words[2] == 0 ||
	    !used_at(look, words[0], &first) || !points_to(look, words[0] + 8, own) ||
	    !points_to(look, words[1], own))
		return false;
	uint64_t at = words[0], count = 0;
	for (; count < CHAIN_MAX && count < words[2] && at != own; count++)
		if (!peek(look, at, &at))
			return false;
	if (count < words[2] ? count != CHAIN_MAX : at != own)
		return false;
	*nodes = first.size;
	add_elements(detail, words[2]);
	return true;
}

/* map and set: the comparator, then a header (colour, root, first, last), then their number. */
static bool is_tree(const struct idiom_chunk *look, struct words *detail, uint64_t *nodes)
{
	const uint64_t *words = look->words;
	struct chunk root;
	if (look->chunk->size != 56 || look->count < 6 || (uint32_t)words[1] != 0 ||
	    words[5] == 0 || !used_at(look, words[2], &root) ||
	    !points_to(look, words[2] + 8, look->chunk->address + 8) ||
	    !points_to(look, words[3] + 16, 0) || !points_to(look, words[4] + 24, 0))
		return false;
	*nodes = root.size;
	add_elements(detail, words[5]);
	return true;
}

/* unordered_map and _set: buckets, their number, first node, number of elements, the greatest load
 * (1.0), and when to grow. One bucket stands in the object itself. */
static bool is_hash(const struct idiom_chunk *look, struct words *detail, uint64_t *nodes)
{
	const uint64_t *words = look->words;
	const uint32_t load_of_one = 0x3f800000;
	struct chunk buckets, first;
	if (look->chunk->size != 56 || look->count < 7 || (uint32_t)words[4] != load_of_one ||
	    words[3] == 0 || words[1] == 0 || !used_at(look, words[2], &first))
		return false;
	if (words[0] == look->chunk->address + 48
		? words[1] != 1
		: !used_at(look, words[0], &buckets) || words[1] > buckets.size / 8 ||
		      !fits_malloc(&buckets, words[1] * 8))
		return false;
	*nodes = first.size;
	add_elements(detail, words[3]);
	return true;
}

/* deque: the map of its blocks and the map's size, then two iterators: element, block's start and
 * end, place in the map. */
static bool is_deque(const struct idiom_chunk *look, struct words *detail, uint64_t *nodes)
{
	const uint64_t *words = look->words;
	struct chunk map, block;
	if (look->chunk->size != 88 || look->count < 10 || !used_at(look, words[0], &map) ||
	    words[1] > map.size / 8 || !fits_malloc(&map, words[1] * 8) ||
	    !used_at(look, words[3], &block) || words[4] - words[3] > block.size ||
	    words[4] - words[3] != words[8] - words[7] || words[5] < words[0] ||
	    words[9] < words[5] || words[9] - words[0] >= words[1] * 8 ||
	    !points_to(look, words[5], words[3]) || !points_to(look, words[9], words[7]))
		return false;
	*nodes = block.size;
	words_add(detail, "%" PRIu64 " block%s", (words[9] - words[5]) / 8 + 1,
		  words[9] == words[5] ? "" : "s");
	return true;
}

/* --- libstdc++: parts of containers whose object is gone */

struct tree_node {
	uint64_t parent, left, right;
};

static bool read_tree_node(const struct idiom_chunk *look, uint64_t address, struct tree_node *node)
{
	uint64_t colour;
	struct chunk chunk;
	return used_at(look, address, &chunk) && chunk.size == look->chunk->size &&
	       peek(look, address, &colour) && (uint32_t)colour <= 1 &&
	       peek(look, address + 8, &node->parent) && peek(look, address + 16, &node->left) &&
	       peek(look, address + 24, &node->right);
}

/* A child, if there is one, is a node that has `parent` as its parent. */
static bool is_child(const struct idiom_chunk *look, uint64_t child, uint64_t parent)
{
	struct tree_node node;
	return child == 0 || (read_tree_node(look, child, &node) && node.parent == parent);
}

/* _Rb_tree_node: colour, parent, left, right. Only a node with two children is proof: every list
 * looks like a tree that has but one. */
static bool is_tree_node(const struct idiom_chunk *look, struct words *detail, uint64_t *nodes)
{
	uint64_t at = look->chunk->address;
	struct tree_node node;
	(void)detail;
	if (look->chunk->size < 40 || look->count < 4 || (uint32_t)look->words[0] > 1 ||
	    look->words[1] == 0)
		return false;
	for (unsigned steps = 0; steps < CLIMB_MAX; steps++) {
		if (!read_tree_node(look, at, &node) || !is_child(look, node.left, at) ||
		    !is_child(look, node.right, at))
			return false;
		if (node.left != 0 && node.right != 0 && node.left != node.right) {
			*nodes = look->chunk->size;
			return true;
		}
		at = node.parent;
	}
	return false;
}

/* Whether more than one of the first words is neither zero nor points into memory that has chunks:
 * that takes no look at the chunks. */
static bool has_strangers(const struct idiom_chunk *look)
{
	unsigned strangers = 0;
	for (unsigned i = 0; i < look->count && strangers < 2; i++)
		strangers += look->words[i] != 0 && chunk_lookup_region(look->subject->heap->chunks,
									look->words[i]) == NULL;
	return strangers > 1;
}

/* An array with holes of pointers to equal nodes that are chained by their first word: the buckets
 * of an unordered container, one of which may point into the object. */
static bool is_buckets(const struct idiom_chunk *look, struct words *detail, uint64_t *nodes)
{
	unsigned targets = 0, chained = 0, holes = 0, strangers = 0;
	uint64_t entries = look->chunk->size / 8, word, next, size = 0;
	struct chunk target, following;
	(void)detail;
	if (has_strangers(look))
		return false;
	if (entries > ENTRIES_MAX)
		entries = ENTRIES_MAX;
	for (uint64_t i = 0; i < entries; i++) {
		if (!peek(look, look->chunk->address + i * 8, &word))
			return false;
		holes += word == 0;
		if (word == 0)
			continue;
		if (!used_at(look, word, &target)) {
			if (++strangers > 1)
				return false;
			continue;
		}
		if (size == 0)
			size = target.size;
		if (target.size != size || !peek(look, word, &next))
			return false;
		targets++;
		if (next != 0 && (!used_at(look, next, &following) || following.size != size))
			return false;
		chained += next != 0;
	}
	if (targets < 4 || chained * 2 < targets || holes == 0)
		return false;
	*nodes = size;
	return true;
}

/* The map of a deque: its blocks, of 512 bytes as far as elements fit, stand side by side. */
static bool is_deque_map(const struct idiom_chunk *look, struct words *detail, uint64_t *nodes)
{
	uint64_t entries = look->chunk->size / 8, word, size = 0;
	unsigned blocks = 0;
	bool ended = false;
	struct chunk block;
	(void)detail;
	if (entries > ENTRIES_MAX || look->chunk->size < 72)
		return false;
	for (uint64_t i = 0; i < entries; i++) {
		if (!peek(look, look->chunk->address + i * 8, &word))
			return false;
		if (word == 0) {
			ended = blocks > 0;
			continue;
		}
		if (ended || !used_at(look, word, &block) || block.size < 488 || block.size > 520 ||
		    (size != 0 && block.size != size))
			return false;
		size = block.size;
		blocks++;
	}
	*nodes = size;
	return blocks >= 2;
}

#define PHRASE(text) "looks like a std::" text

static const struct idiom idioms[] = {
	{ CONTENT_SYSTEM, false, false, "FILE", "FILE", is_file },
	{ CONTENT_SYSTEM, false, false, "DIR", "DIR", is_directory },
	{ CONTENT_SYSTEM, false, false, "struct addrinfo", "struct addrinfo", is_addrinfo },
	{ CONTENT_CONTAINER, true, true, PHRASE("unordered_map or _set of %" PRIu64 "-byte nodes"),
	  PHRASE("unordered_map or _set"), is_hash },
	{ CONTENT_CONTAINER, false, true, PHRASE("deque of %" PRIu64 "-byte blocks"),
	  PHRASE("deque"), is_deque },
	{ CONTENT_CONTAINER, true, true, PHRASE("map or set of %" PRIu64 "-byte nodes"),
	  PHRASE("map or set"), is_tree },
	{ CONTENT_CONTAINER, false, false, PHRASE("string"), PHRASE("string"), is_string_of_text },
	{ CONTENT_CONTAINER, false, false, PHRASE("wstring"), PHRASE("wstring"), is_wide_string },
	{ CONTENT_CONTAINER, false, false, PHRASE("u16string"), PHRASE("u16string"),
	  is_short_string },
	{ CONTENT_CONTAINER, false, false, PHRASE("string"), PHRASE("string"), is_string },
	{ CONTENT_CONTAINER, true, true, PHRASE("list of %" PRIu64 "-byte nodes"), PHRASE("list"),
	  is_list },
	{ CONTENT_CONTAINER, false, false, PHRASE("vector"), PHRASE("vector"), is_vector },
	{ CONTENT_CONTAINER, false, true, "looks like %" PRIu64 "-byte nodes of a std::map or set",
	  "looks like nodes of a std::map "
	  "or set",
	  is_tree_node },
	{ CONTENT_CONTAINER, false, true, "looks like hash buckets of %" PRIu64 "-byte nodes",
	  "looks like hash buckets", is_buckets },
	{ CONTENT_CONTAINER, false, true,
	  "looks like what a std::deque has %" PRIu64 "-byte blocks in",
	  "looks like the block table of a std::deque", is_deque_map },
	{ CONTENT_SYSTEM, false, false, "looks like a socket address",
	  "looks like a socket address", is_socket_address },
	{ CONTENT_DATA, false, false, "looks like wide text", "looks like wide text",
	  is_wide_text },
	{ CONTENT_DATA, false, false, "looks like UTF-16 text", "looks like UTF-16 text",
	  is_short_text },
};

bool idiom_look(const struct subject *subject, const struct chunk *chunk, struct idiom_chunk *look)
{
	const struct arch *arch = subject->target->arch;
	look->subject = subject;
	look->chunk = chunk;
	look->count = 0;
	if (arch->word_size != 8 || arch->elf_data == ELFDATA2MSB)
		return false;
	const uint8_t *bytes;
	const uint64_t want = chunk->size < sizeof look->words ? chunk->size : sizeof look->words;
	look->count =
	    (unsigned)(address_space_span(subject->target->space, chunk->address, want, &bytes) /
		       8);
	const struct word_form form = word_form_of(arch);
	for (unsigned i = 0; i < look->count; i++)
		look->words[i] = word_form_load(&form, bytes + (size_t)i * 8);
	return look->count > 0;
}

const struct idiom *idiom_find(const struct idiom_chunk *look, struct words *detail,
			       uint64_t *nodes)
{
	for (size_t i = 0; i < sizeof idioms / sizeof *idioms; i++) {
		detail->length = 0;
		detail->text[0] = '\0';
		*nodes = 0;
		if (idioms[i].matches(look, detail, nodes))
			return &idioms[i];
	}
	detail->length = 0;
	detail->text[0] = '\0';
	return NULL;
}
