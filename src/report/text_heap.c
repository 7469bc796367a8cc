/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "report/text_parts.h"

#include "base/size_text.h"
#include "report/format.h"

#include <inttypes.h>
#include <string.h>

static void state_row(struct text *text, enum chunk_state state, const struct chunk_total *total,
		      bool warn, const char *remark)
{
	char count[FORMAT_MAX];
	text_put(text, "  ");
	text_colored(text, warn ? TEXT_WARN : TEXT_PLAIN, chunk_state_name(state));
	text_right(text, 22, format_count(total->chunks, count));
	text_printf(text, " chunk%s", total->chunks == 1 ? "" : "s");
	text_right(text, 40, size_text(total->bytes).text);
	text_put(text, remark);
	text_line(text);
}

static void sentence(struct text *text, const char *words)
{
	text_put(text, "  ");
	text_wrap(text, 2, words);
	text_line(text);
}

void text_doubt(struct text *text, const struct reachability *reachability)
{
	char words[REACHABILITY_WORDS + 100];
	if (reachability->doubt[0] == '\0')
		return;
	snprintf(words, sizeof words,
		 "nothing that was read leads to them, but %s could not be read and may hold "
		 "pointers",
		 reachability->doubt);
	sentence(text, words);
}

void text_caution(struct text *text, const struct reachability *reachability)
{
	if (reachability->caution[0] != '\0' && reachability->doubt[0] == '\0')
		sentence(text, reachability->caution);
}

/* What nothing that was read leads to: orphaned, unless what was not read may lead to it. */
static void unheld_rows(struct text *text, const struct findings *findings, uint64_t used)
{
	const struct reachability *reachability = findings->reachability;
	const struct chunk_total *unheld = &reachability->unheld;
	char share[FORMAT_MAX], count[FORMAT_MAX], remark[2 * FORMAT_MAX + 32];
	int length =
	    snprintf(remark, sizeof remark, "  %s", format_share(unheld->bytes, used, share));
	if (findings->orphans != NULL && findings->orphans->structures > 0)
		snprintf(remark + length, sizeof remark - (size_t)length, ", in %s structure%s",
			 format_count(findings->orphans->structures, count),
			 findings->orphans->structures == 1 ? "" : "s");
	state_row(text, reachability->doubt[0] != '\0' ? CHUNK_POSSIBLE : CHUNK_ORPHANED, unheld,
		  true, remark);
	text_doubt(text, reachability);
	if (findings->orphans != NULL)
		text_orphan_groups(text, findings->orphans, 6, "leaks");
	text_caution(text, reachability);
}

static void heap_states(struct text *text, const struct findings *findings)
{
	const struct reachability *reachability = findings->reachability;
	const struct chunk_total *unheld = &reachability->unheld;
	const bool doubt = reachability->doubt[0] != '\0';
	struct chunk_total weak = reachability->totals[CHUNK_POSSIBLE];
	uint64_t used = reachability->totals[CHUNK_REACHABLE].bytes + weak.bytes +
			reachability->totals[CHUNK_ORPHANED].bytes;
	if (doubt) {
		weak.chunks -= unheld->chunks;
		weak.bytes -= unheld->bytes;
	}
	if (text->style->verbose > 0)
		state_row(text, CHUNK_REACHABLE, &reachability->totals[CHUNK_REACHABLE], false, "");
	if (unheld->chunks > 0)
		unheld_rows(text, findings, used);
	else if (used > 0)
		sentence(text, text_no_orphans(findings));
	if (weak.chunks > 0)
		state_row(text, CHUNK_POSSIBLE, &weak, false, "  by weak evidence only");
}

static void add_total(struct chunk_total *sum, const struct chunk_total *total)
{
	sum->chunks += total->chunks;
	sum->bytes += total->bytes;
}

/* "84,910 chunks in use, 15.1 MB · 2,113 free, 1.09 MB": bytes as the program can use them, like
 * those of the states, so that shares can be checked. Where the states are not known the arenas'
 * own figures, which count headers. */
static void chunk_totals(struct text *text, const struct findings *findings,
			 const struct heap_arena *arenas)
{
	char count[FORMAT_MAX];
	const struct reachability *reachability = findings->reachability;
	struct chunk_total used = { arenas->used_chunks, arenas->used_bytes };
	struct chunk_total freed = { arenas->free_chunks, arenas->free_bytes };
	if (reachability != NULL) {
		used = reachability->totals[CHUNK_REACHABLE];
		add_total(&used, &reachability->totals[CHUNK_POSSIBLE]);
		add_total(&used, &reachability->totals[CHUNK_ORPHANED]);
		freed = reachability->totals[CHUNK_FREE];
	}
	text_itemf(text, 6, true, "%s chunk%s in use, %s%s", format_count(used.chunks, count),
		   used.chunks == 1 ? "" : "s", size_text(used.bytes).text,
		   reachability != NULL ? "" : " with headers");
	text_itemf(text, 6, false, "%s free, %s", format_count(freed.chunks, count),
		   size_text(freed.bytes).text);
}

void text_heap_totals(struct text *text, const struct findings *findings)
{
	const struct heap *heap = findings->subject->heap;
	struct heap_arena all = { 0 };
	size_t arenas = 0, mmapped = 0, in_flux = 0;
	char count[FORMAT_MAX];
	if (heap == NULL || heap->provider == NULL)
		return;
	for (size_t i = 0; i < heap->arenas.count; i++) {
		const struct heap_arena *arena = &heap->arenas.items[i];
		all.used_chunks += arena->used_chunks;
		all.used_bytes += arena->used_bytes;
		all.free_chunks += arena->free_chunks + arena->cached_chunks;
		all.free_bytes += arena->free_bytes + arena->cached_bytes;
		arenas += arena->kind != ARENA_MMAPPED;
		mmapped += arena->kind == ARENA_MMAPPED ? arena->used_chunks : 0;
		in_flux += arena->in_flux;
		all.is_absent |= arena->is_absent;
		all.lost_bytes += arena->lost_bytes;
	}
	text_heading(text, TEXT_HEADING, "HEAP");
	if (all.used_chunks == 0 && all.free_chunks == 0 &&
	    (arenas == 0 || all.lost_bytes > 0 || all.is_absent)) {
		text_put(text, "could not be walked: what is missing stands below");
		text_line(text);
		return;
	}
	chunk_totals(text, findings, &all);
	text_itemf(text, 6, false, "%s arena%s", format_count(arenas, count),
		   arenas == 1 ? "" : "s");
	if (mmapped > 0)
		text_itemf(text, 6, false, "%s mmapped", format_count(mmapped, count));
	if (in_flux > 0)
		text_itemf(text, 6, false, "%s in flux (a call was under way)",
			   format_count(in_flux, count));
	if (all.lost_bytes > 0)
		text_itemf(text, 6, false, "%s lost", size_text(all.lost_bytes).text);
	text_line(text);
	text_flux(text, findings);
	if (findings->reachability != NULL)
		heap_states(text, findings);
}

/* ", shared by 2 structures", ", 12 of them shared". */
static const char *shared_words(const struct orphan_group *group, char buffer[FORMAT_MAX + 32])
{
	char count[FORMAT_MAX];
	if (group->shared == 0)
		return "";
	if (group->structures == 1)
		snprintf(buffer, FORMAT_MAX + 32, ", shared by %s structures",
			 format_count(group->largest.shared_by, count));
	else
		snprintf(buffer, FORMAT_MAX + 32, ", %s of them shared",
			 format_count(group->shared, count));
	return buffer;
}

static void structure_row(struct text *text, const struct orphan_structure *structure)
{
	char count[FORMAT_MAX];
	text_color(text, TEXT_DIM);
	text_column(text, 24);
	text_printf(text, "0x%" PRIx64 "  %s", structure->head, size_text(structure->bytes).text);
	if (structure->chunks > 1)
		text_printf(text, " in %s chunks, head of %s",
			    format_count(structure->chunks, count),
			    size_text(structure->head_size).text);
	if (structure->shared_by > 0)
		text_printf(text, ", shared by %s", format_count(structure->shared_by, count));
	text_color(text, TEXT_PLAIN);
	text_line(text);
}

static void head_row(struct text *text, const uint8_t *bytes, unsigned count)
{
	text_color(text, TEXT_DIM);
	text_column(text, 24);
	for (unsigned i = 0; i < count; i++)
		text_printf(text, "%s%02x",
			    i % 8 == 0 && i > 0 ? "  "
			    : i > 0		? " "
						: "",
			    bytes[i]);
	text_put(text, "  ");
	for (unsigned i = 0; i < count; i++)
		text_printf(text, "%c", bytes[i] >= 0x20 && bytes[i] < 0x7f ? bytes[i] : '.');
	text_color(text, TEXT_PLAIN);
	text_line(text);
}

/* The largest structures, and what the first one's head begins with. */
static void orphan_details(struct text *text, const struct orphan_group *group)
{
	for (unsigned at = 0; at < group->head_byte_count; at += 16)
		head_row(text, group->head_bytes + at,
			 group->head_byte_count - at < 16 ? group->head_byte_count - at : 16);
	if (group->structures < 2)
		return;
	structure_row(text, &group->largest);
	for (unsigned i = 0; i < group->example_count; i++)
		structure_row(text, &group->examples[i]);
}

static void orphan_row(struct text *text, const struct orphan_group *group, bool fold)
{
	const unsigned indent = 24;
	char count[FORMAT_MAX], words[160], shared[FORMAT_MAX + 32];
	const bool several = group->structures > 1;
	text_right(text, 13, size_text(group->bytes).text);
	text_column(text, 14);
	text_right(text, 22, format_count(group->chunks, count));
	text_column(text, indent);
	/* Where every structure is a single chunk their number stands there already. */
	if (several && group->structures != group->chunks)
		text_printf(text, "%s × ", format_count(group->structures, count));
	/* The phrase may name one of them for an example already. */
	const bool example = several && strstr(group->what, "e.g. ") == NULL;
	snprintf(words, sizeof words, ", %s 0x%" PRIx64 "%s%s", example ? "e.g." : "head",
		 group->largest.head, group->largest.cyclic ? ", cyclic" : "",
		 shared_words(group, shared));
	const unsigned tail = text_width(text, words);
	if (fold)
		text_cut_quoted(text, group->what,
				text_room(text) > tail + 16 ? text_room(text) - tail : 40);
	else
		text_wrap(text, indent + 2, group->what);
	text_color(text, TEXT_DIM);
	text_wrap(text, indent + 2, words);
	text_color(text, TEXT_PLAIN);
	text_line(text);
}

void text_orphan_groups(struct text *text, const struct orphans *orphans, size_t usual,
			const char *command)
{
	const bool fold = command != NULL && text->style->verbose == 0;
	size_t rows = text_rows(text, orphans->groups.count, usual);
	for (size_t i = 0; i < rows; i++) {
		orphan_row(text, &orphans->groups.items[i], fold);
		if (command == NULL && text->style->verbose > 0)
			orphan_details(text, &orphans->groups.items[i]);
	}
	text_more(text, 6, rows, orphans->groups.count, "groups", command);
}

/* --- corescan heap */

static void arena_row(struct text *text, const struct heap_arena *arena)
{
	static const char *const names[] = {
		[ARENA_MAIN] = "main",
		[ARENA_THREAD] = "thread",
		[ARENA_MMAPPED] = "mmapped",
	};
	char number[FORMAT_MAX];
	text_printf(text, "  %s%s", names[arena->kind],
		    arena->is_absent ? " (not dumped)"
		    : arena->in_flux ? " (in flux)"
				     : "");
	text_right(text, 30, format_count(arena->used_chunks, number));
	text_right(text, 41, size_text(arena->used_bytes).text);
	text_right(text, 51, size_text(arena->free_bytes).text);
	text_right(text, 61, size_text(arena->cached_bytes).text);
	text_right(text, 71, size_text(arena->top_bytes).text);
	text_right(text, 80, size_text(arena->system_bytes).text);
	text_line(text);
	if (text->style->verbose > 0 && arena->kind != ARENA_MMAPPED) {
		text_printf(text, "    malloc_state 0x%" PRIx64 ", %" PRIu32 " heap%s",
			    arena->address, arena->heap_count, arena->heap_count == 1 ? "" : "s");
		if (arena->lost_bytes > 0)
			text_printf(text, ", %s lost", size_text(arena->lost_bytes).text);
		text_line(text);
	}
}

static void arena_table(struct text *text, const struct heap *heap)
{
	static const struct {
		const char *name;
		unsigned column;
	} heads[] = { { "chunks", 30 }, { "in use", 41 }, { "free", 51 },
		      { "tcache", 61 }, { "top", 71 },	  { "system", 80 } };
	text_heading(text, TEXT_HEADING, "ARENAS");
	text_put(text, "with headers"); /* of the chunks: as malloc_info counts */
	for (size_t i = 0; i < sizeof heads / sizeof *heads; i++)
		text_right(text, heads[i].column, heads[i].name);
	text_line(text);
	size_t rows = text_rows(text, heap->arenas.count, 20);
	for (size_t i = 0; i < rows; i++)
		arena_row(text, &heap->arenas.items[i]);
	text_more(text, 2, rows, heap->arenas.count, "arenas", NULL);
}

void text_heap(struct text *text, const struct findings *findings)
{
	const struct heap *heap = findings->subject->heap;
	if (text_go_alone(text, findings, "HEAP"))
		return;
	text_corruption(text, findings, 8, 8);
	text_heap_totals(text, findings);
	if (heap == NULL || heap->provider == NULL)
		return;
	arena_table(text, heap);
	text_retained(text, findings);
	if (heap->evidence != NULL) {
		text_section(text);
		text_put(text, "Layouts from ");
		text_wrap(text, 2, heap->evidence);
		text_line(text);
	}
}
