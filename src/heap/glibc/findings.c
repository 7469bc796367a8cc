/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "heap/glibc/glibc.h"

#include "base/bytes.h"
#include "base/size_text.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#define FINDINGS_MAX 1000
#define LOST_MAX     65536
#define SHOWN_MAX    24 /* characters of a text that ran over */
#define SEEN_BEFORE  64 /* bytes before a header in which it is looked for */

struct heap_finding *glibc_finding(struct glibc_walk *walk, const struct glibc_place *place,
				   const char *format, ...)
{
	struct heap *heap = walk->heap;
	if (heap->findings.count >= FINDINGS_MAX) {
		walk->unsaid++;
		return NULL;
	}
	char text[512];
	va_list arguments;
	va_start(arguments, format);
	vsnprintf(text, sizeof text, format, arguments);
	va_end(arguments);
	bool in_flux = place->in_flux || (place->arena < heap->arenas.count &&
					  heap->arenas.items[place->arena].in_flux);
	struct heap_finding finding = {
		.kind = place->kind,
		.address = place->address,
		.arena = place->arena,
		.in_flux = in_flux,
		.text =
		    string_pool_format(walk->strings, "%s%s", text,
				       in_flux ? " (in flux: a call of malloc was under way)" : ""),
		.word = place->word,
		.expected = place->expected,
	};
	finding.has_found =
	    place->word != 0 && address_space_u64(walk->space, place->word, &finding.found);
	if (!array_push(&heap->findings, finding)) {
		walk->no_memory = true;
		return NULL;
	}
	return &heap->findings.items[heap->findings.count - 1];
}

bool glibc_has_finding(const struct glibc_walk *walk, enum heap_finding_kind kind, uint64_t address)
{
	for (size_t i = 0; i < walk->heap->findings.count; i++)
		if (walk->heap->findings.items[i].kind == kind &&
		    walk->heap->findings.items[i].address == address)
			return true;
	return false;
}

void glibc_lose(struct glibc_walk *walk, uint32_t arena, uint64_t start, uint64_t end)
{
	struct range range = { start, end };
	if (start >= end)
		return;
	walk->heap->arenas.items[arena].lost_bytes += end - start;
	if (walk->lost.count < LOST_MAX && !array_push(&walk->lost, range))
		walk->no_memory = true;
	gaps_add(walk->gaps, GAP_HEAP, start, end,
		 "Heap memory 0x%" PRIx64 "-0x%" PRIx64
		 " (%s) could not be walked; what lies there counts neither as used nor as free",
		 start, end, size_text(end - start).text);
}

static int compare_ranges(const void *left, const void *right)
{
	const struct range *a = left, *b = right;
	return a->start < b->start ? -1 : a->start > b->start;
}

void glibc_sort_lost(struct glibc_walk *walk)
{
	if (walk->lost.count > 1)
		qsort(walk->lost.items, walk->lost.count, sizeof *walk->lost.items, compare_ranges);
}

bool glibc_is_lost(const struct glibc_walk *walk, uint64_t address)
{
	size_t low = 0, high = walk->lost.count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (walk->lost.items[middle].end <= address)
			low = middle + 1;
		else
			high = middle;
	}
	return (low < walk->lost.count && walk->lost.items[low].start <= address) ||
	       glibc_is_absent(walk, address);
}

/* --- what is told besides */

static struct heap_neighbour neighbour(const struct chunk *chunk)
{
	return (struct heap_neighbour){ chunk->address, chunk->size, chunk->used };
}

/* Whether the finding's address is a chunk's, not that of a malloc_state or tcache struct. */
static bool is_of_chunk(const struct heap_finding *finding)
{
	switch (finding->kind) {
	case HEAP_DAMAGED_TOP:
	case HEAP_DAMAGED_ARENAS:
	case HEAP_DAMAGED_TCACHE:
	case HEAP_DAMAGED_PARAMETERS:
	case HEAP_DAMAGED_LAYOUT:
		return false;
	default:
		return true;
	}
}

static void add_neighbours(const struct glibc_walk *walk, struct heap_finding *finding)
{
	struct chunk chunk;
	const struct chunk_table *table = walk->heap->chunks;
	/* The chunk before owns all bytes up to this one's size word; an mmapped one those up to
	 * its header. */
	const bool mmapped = finding->arena < walk->heap->arenas.count &&
			     walk->heap->arenas.items[finding->arena].kind == ARENA_MMAPPED;
	const uint64_t before = mmapped ? CHUNK_HEADER : CHUNK_TRAILER;
	if (finding->address > CHUNK_HEADER &&
	    chunk_table_find(table, finding->address - before - 1, &chunk) &&
	    chunk.address < finding->address)
		finding->previous = neighbour(&chunk);
	if (chunk_table_next(table, finding->address + 1, &chunk) &&
	    chunk.region->arena == finding->arena)
		finding->next = neighbour(&chunk);
}

/* The word that leads to the chunk lies elsewhere: in the chunk before it in a list, or its head.
 */
static const char *elsewhere_meaning(const struct glibc_walk *walk,
				     const struct heap_finding *finding, uint64_t row)
{
	struct chunk chunk;
	if (finding->word - row < HEAP_DUMP_ROW)
		return "leads here";
	const bool in_chunk = chunk_table_find(walk->heap->chunks, finding->word, &chunk);
	if (!in_chunk || heap_is_internal(walk->heap, &chunk))
		return in_chunk ? "tcache" : "arena";
	if (row + CHUNK_HEADER == chunk.address)
		return "its header";
	return row < chunk.address ? "chunk before" : "memory";
}

/* What lies in the 16 bytes at `row`, as seen from the finding's word. */
static const char *row_meaning(const struct glibc_walk *walk, const struct heap_finding *finding,
			       uint64_t row)
{
	const uint64_t header = finding->address - CHUNK_HEADER;
	if (finding->kind == HEAP_DAMAGED_DOUBLE_FREE && finding->word != finding->address)
		return elsewhere_meaning(walk, finding, row);
	if (!is_of_chunk(finding)) {
		if (finding->kind == HEAP_DAMAGED_TOP && finding->word - row < HEAP_DUMP_ROW)
			return "arena's top";
		if (finding->kind == HEAP_DAMAGED_TCACHE)
			return row + HEAP_DUMP_ROW > finding->address ? "tcache" : "before it";
		if (finding->kind == HEAP_DAMAGED_PARAMETERS)
			return "parameters";
		return finding->address % HEAP_MAX_SIZE == 0 ? "heap_info" : "arena";
	}
	if (finding->word > header + CHUNK_HEADER && row == (finding->word & -(uint64_t)16) &&
	    finding->kind == HEAP_DAMAGED_PREV_SIZE)
		return "next header";
	if (row == header)
		return finding->kind == HEAP_DAMAGED_TOP_SIZE ? "top's header" : "header";
	if (row < header)
		return "chunk before";
	if (row == header + CHUNK_HEADER) {
		switch (finding->kind) {
		case HEAP_DAMAGED_BIN:
		case HEAP_DAMAGED_SIZE_LINKS:
		case HEAP_DAMAGED_UNLISTED:
			return "fd, bk";
		case HEAP_DAMAGED_FREED_CHUNK:
		case HEAP_DAMAGED_DOUBLE_FREE:
		case HEAP_DAMAGED_LIST_SIZE:
			return "link, key";
		default:
			return "memory";
		}
	}
	if (finding->kind == HEAP_DAMAGED_SIZE_LINKS && row == header + 32)
		return "nextsize";
	return "memory";
}

/* The rows from two before the wrong word's on, as far as they are there. */
static void add_dump(const struct glibc_walk *walk, struct heap_finding *finding)
{
	uint64_t center = finding->word != 0 ? finding->word : finding->address - CHUNK_HEADER;
	uint64_t row = center & -(uint64_t)HEAP_DUMP_ROW;
	if (row < 2 * HEAP_DUMP_ROW || row > UINT64_MAX - HEAP_DUMP_BYTES)
		return;
	uint64_t end = row + 2 * HEAP_DUMP_ROW;
	for (row -= 2 * HEAP_DUMP_ROW; row < end; row += HEAP_DUMP_ROW) {
		uint8_t *bytes = finding->dump + finding->dump_rows * HEAP_DUMP_ROW;
		if (!address_space_probe(walk->space, row, bytes, HEAP_DUMP_ROW)) {
			finding->dump_rows = 0;
			continue;
		}
		if (finding->dump_rows == 0)
			finding->dump_start = row;
		finding->dump_what[finding->dump_rows++] = row_meaning(walk, finding, row);
	}
}

static bool is_text(uint8_t byte)
{
	return (byte >= ' ' && byte < 0x7f) || byte == '\n' || byte == '\t' || byte == '\r';
}

/* The text that lies across the size word at `header` + 8, from at most SEEN_BEFORE bytes before
 * on; false where what lies there is none. */
static bool text_across(const struct glibc_walk *walk, const struct heap_finding *finding,
			uint64_t header, char shown[SHOWN_MAX + 1])
{
	uint8_t bytes[SEEN_BEFORE + 8];
	uint64_t size_word = header + CHUNK_SIZE, start = size_word - SEEN_BEFORE;
	if (size_word < SEEN_BEFORE)
		return false;
	if (start < finding->previous.address)
		start = finding->previous.address;
	size_t before = size_word - start;
	if (start > size_word || before < 4 ||
	    !address_space_probe(walk->space, start, bytes, before + 4))
		return false;
	size_t first = before;
	while (first > 0 && is_text(bytes[first - 1]))
		first--;
	/* At least the last word before the header's size, and its first two bytes. */
	if (before - first < 8 || !is_text(bytes[before]) ||
	    (!is_text(bytes[before + 1]) && bytes[before + 1] != 0))
		return false;
	size_t length = 0;
	for (size_t i = first; i < before + 4 && length < SHOWN_MAX && is_text(bytes[i]); i++)
		shown[length++] = bytes[i] < ' ' ? '.' : (char)bytes[i];
	shown[length] = '\0';
	return true;
}

/* Whether the words before the size word and the size word itself are the same: a fill. */
static bool fill_across(const struct glibc_walk *walk, const struct heap_finding *finding,
			uint64_t header)
{
	uint64_t words[3];
	if (header < finding->previous.address + 8)
		return false;
	for (unsigned i = 0; i < 3; i++)
		if (!address_space_u64(walk->space, header - 8 + i * 8ULL, &words[i]))
			return false;
	return words[0] != 0 && words[0] == words[1] && words[1] == words[2];
}

/* The chunk before a damaged header is the one that most often was written past its end: said with
 * what speaks for it. */
static void add_overrun(struct glibc_walk *walk, struct heap_finding *finding)
{
	char shown[SHOWN_MAX + 1];
	const struct heap_neighbour *previous = &finding->previous;
	uint64_t header = finding->address - CHUNK_HEADER;
	if (previous->address == 0 ||
	    (finding->kind != HEAP_DAMAGED_SIZE && finding->kind != HEAP_DAMAGED_IN_USE_BIT &&
	     finding->kind != HEAP_DAMAGED_TOP_SIZE && finding->kind != HEAP_DAMAGED_LIST_SIZE))
		return;
	const char *state = previous->used ? "in use" : "free";
	if (text_across(walk, finding, header, shown))
		finding->overrun = string_pool_format(
		    walk->strings,
		    "the chunk before it, 0x%" PRIx64 " (%" PRIu64
		    " bytes, %s), was written past its end: its text runs on into the "
		    "header, \"%s…\"",
		    previous->address, previous->size, state, shown);
	else if (fill_across(walk, finding, header))
		finding->overrun = string_pool_format(
		    walk->strings,
		    "the chunk before it, 0x%" PRIx64 " (%" PRIu64
		    " bytes, %s), was written past its end: the same word fills its end "
		    "and the header",
		    previous->address, previous->size, state);
	else if (finding->kind == HEAP_DAMAGED_IN_USE_BIT ||
		 (finding->has_found && finding->found >= 0x100 && (finding->found & 0xff) == 0))
		finding->overrun =
		    string_pool_format(walk->strings,
				       "the chunk before it, 0x%" PRIx64 " (%" PRIu64
				       " bytes), probably was written one byte past its end: the "
				       "low byte of the size word is zero",
				       previous->address, previous->size);
	else
		finding->overrun = string_pool_format(
		    walk->strings,
		    "perhaps the chunk before it, 0x%" PRIx64 " (%" PRIu64
		    " bytes, %s), was written past its end%s",
		    previous->address, previous->size, state,
		    finding->kind == HEAP_DAMAGED_SIZE && finding->found == 0
			? ", with zeros, or it is its own size that is wrong, which leads here"
			: "; nothing in its bytes shows it");
}

/* Those of an arena that is whole before those of one in flux; else in the order of discovery. */
static void put_flux_last(struct heap *heap)
{
	size_t kept = 0, count = heap->findings.count;
	struct heap_finding *sorted = count != 0 ? malloc(count * sizeof *sorted) : NULL;
	if (sorted == NULL)
		return;
	for (unsigned in_flux = 0; in_flux < 2; in_flux++)
		for (size_t i = 0; i < count; i++)
			if (heap->findings.items[i].in_flux == (in_flux != 0))
				sorted[kept++] = heap->findings.items[i];
	memcpy(heap->findings.items, sorted, count * sizeof *sorted);
	free(sorted);
}

void glibc_explain_findings(struct glibc_walk *walk)
{
	for (size_t i = 0; i < walk->heap->findings.count; i++) {
		struct heap_finding *finding = &walk->heap->findings.items[i];
		if (is_of_chunk(finding))
			add_neighbours(walk, finding);
		add_dump(walk, finding);
		add_overrun(walk, finding);
	}
	put_flux_last(walk->heap);
	if (walk->unsaid != 0)
		gaps_add(walk->gaps, GAP_LIMIT, 0, 0,
			 "%zu further contradictions in the heap are not listed", walk->unsaid);
}
