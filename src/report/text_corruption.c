/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "report/text_parts.h"

#include "base/bytes.h"
#include "base/size_text.h"
#include "report/format.h"

#include <inttypes.h>

/* A row of the hexdump: two words, as numbers, then their bytes as characters. */
static void dump_row(struct text *text, const struct findings *findings,
		     const struct heap_finding *finding, unsigned row)
{
	const bool big = findings->subject->target->arch->elf_data == ELFDATA2MSB;
	const uint8_t *bytes = finding->dump + row * HEAP_DUMP_ROW;
	const uint64_t address = finding->dump_start + row * HEAP_DUMP_ROW;
	char characters[HEAP_DUMP_ROW + 1];
	for (unsigned i = 0; i < HEAP_DUMP_ROW; i++)
		characters[i] = bytes[i] > ' ' && bytes[i] < 0x7f ? (char)bytes[i] : '.';
	characters[HEAP_DUMP_ROW] = '\0';
	const bool wrong = finding->word - address < HEAP_DUMP_ROW;
	text_put(text, wrong ? "> " : "  ");
	text_color(text, wrong ? TEXT_PLAIN : TEXT_DIM);
	text_printf(text, "0x%012" PRIx64 " %016" PRIx64 " %016" PRIx64 " %s %s", address,
		    bytes_unsigned(bytes, 8, big), bytes_unsigned(bytes + 8, 8, big), characters,
		    finding->dump_what[row]);
	text_color(text, TEXT_PLAIN);
	text_line(text);
}

static void neighbour(struct text *text, const char *before, const struct heap_neighbour *chunk)
{
	text_printf(text, "%s0x%" PRIx64 " (%" PRIu64 " bytes, %s)", before, chunk->address,
		    chunk->size, chunk->used ? "in use" : "free");
}

/* "between 0x… (88 bytes, in use) and 0x… (88 bytes, free)". */
static void neighbours(struct text *text, const struct heap_finding *finding)
{
	const bool previous = finding->previous.address != 0, next = finding->next.address != 0;
	if (!previous && !next)
		return;
	text_put(text, "    ");
	if (previous)
		neighbour(text, next ? "between " : "after ", &finding->previous);
	if (next)
		neighbour(text, previous ? " and " : "before ", &finding->next);
	text_line(text);
}

static void finding_words(struct text *text, const struct heap_finding *finding)
{
	text_put(text, "  ");
	text_colored(text, finding->in_flux ? TEXT_DIM : TEXT_BAD,
		     heap_finding_row(finding->kind)->title);
	text_put(text, ": ");
	text_wrap(text, 4, finding->text);
	text_line(text);
	if (finding->overrun != NULL) {
		text_put(text, "    ");
		text_wrap(text, 6, finding->overrun);
		text_line(text);
	}
	if (finding->has_found && finding->expected != NULL) {
		text_printf(text, "    found 0x%" PRIx64 ", expected ", finding->found);
		text_wrap(text, 6, finding->expected);
		text_line(text);
	}
	neighbours(text, finding);
}

static void show(struct text *text, const struct findings *findings,
		 const struct heap_finding *finding, bool dump)
{
	finding_words(text, finding);
	for (unsigned row = 0; dump && row < finding->dump_rows; row++)
		dump_row(text, findings, finding, row);
}

void text_corruption(struct text *text, const struct findings *findings, size_t usual, size_t dumps)
{
	const struct heap *heap = findings->subject->heap;
	const size_t count = heap != NULL ? heap_corruption_count(heap) : 0;
	char number[FORMAT_MAX];
	if (count == 0)
		return;
	text_heading(text, TEXT_BAD, "HEAP CORRUPTION");
	text_itemf(text, 6, true, "%s finding%s", format_count(count, number),
		   count == 1 ? "" : "s");
	if (heap_lost_bytes(heap) > 0)
		text_itemf(text, 6, false, "%s could not be walked",
			   size_text(heap_lost_bytes(heap)).text);
	text_line(text);
	/* Those of arenas in flux stand last. */
	const size_t rows = text_rows(text, count, usual);
	for (size_t i = 0; i < rows; i++)
		show(text, findings, &heap->findings.items[i], i < dumps || text->style->verbose);
	text_more(text, 2, rows, count, "findings", dumps < usual ? "heap" : NULL);
}

void text_flux(struct text *text, const struct findings *findings)
{
	const struct heap *heap = findings->subject->heap;
	const size_t corrupt = heap_corruption_count(heap);
	const size_t count = heap->findings.count - corrupt;
	char number[FORMAT_MAX];
	if (count == 0)
		return;
	text_printf(text, "  %s contradiction%s in flux, which %s no corruption: a call of malloc ",
		    format_count(count, number), count == 1 ? "" : "s", count == 1 ? "is" : "are");
	text_wrap(text, 4, "was under way");
	text_line(text);
	for (size_t i = corrupt; i < heap->findings.count && text->style->verbose > 0; i++)
		show(text, findings, &heap->findings.items[i], true);
}
