/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "report/text_parts.h"

#include "report/format.h"

#include <inttypes.h>

#define LABEL_COLUMN 11

static void label(struct text *text, const char *name)
{
	text_put(text, "  ");
	text_put(text, name);
	text_column(text, LABEL_COLUMN);
}

static void put_arena(struct text *text, const struct heap *heap, const struct chunk *chunk)
{
	const struct heap_arena *arena = &heap->arenas.items[chunk->region->arena];
	if (arena->kind == ARENA_THREAD)
		text_itemf(text, LABEL_COLUMN, false, "arena 0x%" PRIx64, arena->address);
	else
		text_item(text, LABEL_COLUMN, false,
			  arena->kind == ARENA_MAIN ? "main arena" : "mmapped");
}

static void put_state(struct text *text, const struct explain_chunk *chunk)
{
	const bool warn = chunk->state == CHUNK_ORPHANED;
	text_put(text, " · ");
	text_colored(text, warn ? TEXT_WARN : TEXT_PLAIN, chunk_state_name(chunk->state));
	if (chunk->internal)
		text_put(text, " (the allocator's own)");
	if (chunk->doubt != HEAP_DOUBT_NONE)
		text_put(text, chunk->doubt == HEAP_DOUBT_IN_HAND ? " (in malloc's hands)"
								  : " (doubted)");
	if (!chunk->cached)
		return;
	text_item(text, LABEL_COLUMN, false, "in the tcache");
	if (chunk->cache_owner != NULL) {
		text_put(text, " of ");
		text_thread(text, chunk->cache_owner);
	}
}

static void neighbour(struct text *text, const char *name, const struct explain_chunk *chunk)
{
	label(text, name);
	text_printf(text, "0x%" PRIx64 " · %" PRIu64 " bytes", chunk->chunk.address,
		    chunk->chunk.size);
	put_state(text, chunk);
	if (chunk->what != NULL)
		text_item(text, LABEL_COLUMN, false, chunk->what);
	text_line(text);
}

static void chunk_part(struct text *text, const struct heap *heap,
		       const struct explanation *explanation)
{
	const struct explain_chunk *chunk = &explanation->chunk;
	label(text, "chunk");
	text_printf(text, "0x%" PRIx64 " · %" PRIu64 " bytes usable", chunk->chunk.address,
		    chunk->chunk.size);
	put_state(text, chunk);
	put_arena(text, heap, &chunk->chunk);
	text_line(text);
	if (chunk->what != NULL) {
		label(text, "holds");
		text_wrap(text, LABEL_COLUMN, chunk->what);
		text_line(text);
	}
	if (explanation->has_before)
		neighbour(text, "before", &explanation->before);
	if (explanation->has_after)
		neighbour(text, "after", &explanation->after);
}

static void mapping_part(struct text *text, const struct segment *segment)
{
	char permissions[5];
	label(text, "mapping");
	text_printf(text, "0x%" PRIx64 "–0x%" PRIx64 " %s · ", segment->start, segment->end,
		    segment_permissions(segment, permissions));
	text_put(text, segment->origin == SEGMENT_ABSENT ? "its bytes are not at hand"
							 : segment_origin_name(segment->origin));
	if (segment->name != NULL)
		text_item(text, LABEL_COLUMN, false, segment->name);
	text_line(text);
}

/* "→ +16 of 272-byte chunk 0x… (class Entry)"; `arrow` is "" for the first one. */
static void step(struct text *text, const char *arrow, const char *words, const char *content,
		 const char *end)
{
	char line[1200];
	snprintf(line, sizeof line, "%s%s%s%s%s%s", arrow, words, content != NULL ? " (" : "",
		 content != NULL ? content : "", content != NULL ? ")" : "", end);
	text_put(text, "  ");
	text_wrap(text, 6, line);
	text_line(text);
}

static void last_step(struct text *text, const struct explanation *explanation)
{
	const struct explain_chunk *chunk = &explanation->chunk;
	const bool identified = chunk->content == CONTENT_OBJECT || chunk->content == CONTENT_TEXT;
	char words[160];
	snprintf(words, sizeof words, "+%" PRIu64 " of %" PRIu64 "-byte chunk 0x%" PRIx64,
		 explanation->address - chunk->chunk.address, chunk->chunk.size,
		 chunk->chunk.address);
	step(text, "→ ", words, identified ? chunk->what : NULL, " = the address");
}

/* ", points to +24 of the next" where the word at `index` points to no chunk's start; else "". */
static void interior(const struct explanation *explanation, const explain_path *path, size_t index,
		     char buffer[48])
{
	const struct chunk *chunk = index + 1 < path->count
					? &path->items[index + 1].storage.place.chunk
					: &explanation->chunk.chunk;
	buffer[0] = '\0';
	if (path->items[index].value != chunk->address)
		snprintf(buffer, 48, ", points to +%" PRIu64 " of the next",
			 path->items[index].value - chunk->address);
}

/* Of a long list the two ends tell. */
#define STEPS_AT_EACH_END 12

static void steps(struct text *text, const struct explanation *explanation,
		  const explain_path *path)
{
	const bool all = text->style->verbose > 0 || text->style->limit == 0 ||
			 path->count <= 2 * STEPS_AT_EACH_END;
	char end[48];
	for (size_t i = 0; i < path->count; i++) {
		if (!all && i == STEPS_AT_EACH_END) {
			text_printf(text, "  … %zu more", path->count - 2 * STEPS_AT_EACH_END);
			text_line(text);
			i = path->count - STEPS_AT_EACH_END;
		}
		interior(explanation, path, i, end);
		step(text, i == 0 ? "" : "→ ", path->items[i].text, path->items[i].content, end);
	}
	last_step(text, explanation);
}

static void path_part(struct text *text, const struct explanation *explanation)
{
	const explain_path *path = &explanation->path;
	const bool possible = explanation->chunk.state == CHUNK_POSSIBLE;
	if (explanation->has_structure || (path->count == 0 && explanation->why == NULL))
		return;
	text_heading(text, possible ? TEXT_WARN : TEXT_HEADING, possible ? "POSSIBLE" : "HELD BY");
	if (explanation->why != NULL)
		text_wrap(text, 10, explanation->why);
	else
		text_printf(text, "the shortest path from a root, %zu step%s", path->count,
			    path->count == 1 ? "" : "s");
	text_line(text);
	if (path->count > 0)
		steps(text, explanation, path);
}

static void structure_part(struct text *text, const struct explanation *explanation)
{
	const struct orphan_structure *structure = &explanation->structure;
	char number[FORMAT_MAX];
	if (!explanation->has_structure)
		return;
	const bool possible = explanation->chunk.state == CHUNK_POSSIBLE;
	text_heading(text, TEXT_WARN, possible ? "POSSIBLE" : "ORPHANED");
	if (explanation->inside.count == 0)
		text_item(text, 10, true,
			  structure->cyclic ? "the head of a cyclic structure"
			  : possible	    ? "nothing that was read leads to it"
					    : "nothing that is in use leads to it");
	else
		text_itemf(text, 10, true, "part of the structure of 0x%" PRIx64 "%s",
			   structure->head, structure->cyclic ? ", cyclic" : "");
	text_itemf(text, 10, false, "%s chunk%s, %" PRIu64 " bytes in it",
		   format_count(structure->chunks, number), structure->chunks == 1 ? "" : "s",
		   structure->bytes);
	if (explanation->why != NULL)
		text_item(text, 10, false, explanation->why);
	text_line(text);
	if (explanation->inside.count > 0)
		steps(text, explanation, &explanation->inside);
}

static void referrer_row(struct text *text, const struct explanation *explanation,
			 const struct referrer *referrer)
{
	static const char *const names[REFERRER_CLASS_COUNT] = {
		[REFERRER_ROOT] = "root",   [REFERRER_WEAK] = "weak root",   [REFERRER_CHUNK] = "",
		[REFERRER_SELF] = "itself", [REFERRER_STALE] = "keeps none",
	};
	const unsigned indent = 14;
	const struct reference *word = &referrer->word;
	char line[1200], inside[64] = "";
	if (word->value != explanation->object)
		snprintf(inside, sizeof inside, ", points to +%" PRIu64,
			 word->value - explanation->object);
	snprintf(line, sizeof line, "%s%s%s%s%s", word->text, word->content != NULL ? " (" : "",
		 word->content != NULL ? word->content : "", word->content != NULL ? ")" : "",
		 inside);
	text_put(text, "  ");
	text_put(text, referrer->class == REFERRER_CHUNK ? chunk_state_name(referrer->state)
							 : names[referrer->class]);
	text_column(text, indent);
	text_wrap(text, indent + 2, line);
	text_line(text);
}

static void referrers_part(struct text *text, const struct explanation *explanation)
{
	static const char *const what[REFERRER_CLASS_COUNT] = {
		[REFERRER_ROOT] = "in roots",
		[REFERRER_WEAK] = "in weak roots",
		[REFERRER_CHUNK] = "in chunks in use",
		[REFERRER_SELF] = "in itself",
		[REFERRER_STALE] = "in memory that keeps nothing",
	};
	const struct referrers *referrers = &explanation->referrers;
	uint64_t total = 0;
	bool first = true;
	char number[FORMAT_MAX];
	text_heading(text, TEXT_HEADING, "REFERRED TO BY");
	for (unsigned i = 0; i < REFERRER_CLASS_COUNT; i++) {
		if (referrers->counts[i] == 0)
			continue;
		text_itemf(text, 16, first, "%s word%s %s",
			   format_count(referrers->counts[i], number),
			   referrers->counts[i] == 1 ? "" : "s", what[i]);
		first = false;
		total += referrers->counts[i];
	}
	if (first)
		text_put(text, "no word that was read");
	text_line(text);
	size_t rows = text_rows(text, referrers->list.count, 10);
	for (size_t i = 0; i < rows; i++)
		referrer_row(text, explanation, &referrers->list.items[i]);
	text_more(text, 2, rows, referrers->list.count, "words", NULL);
	if (total > referrers->list.count) {
		text_printf(text, "  … and %s that are only counted",
			    format_count(total - referrers->list.count, number));
		text_line(text);
	}
}

void text_explain(struct text *text, const struct findings *findings)
{
	const struct explanation *explanation = findings->explanation;
	if (explanation == NULL)
		return;
	text_heading(text, TEXT_HEADING, "ADDRESS");
	text_printf(text, "0x%" PRIx64 ": ", explanation->address);
	text_wrap(text, LABEL_COLUMN, explanation->text);
	text_line(text);
	if (explanation->in_chunk)
		chunk_part(text, findings->subject->heap, explanation);
	if (explanation->storage.place.segment != NULL)
		mapping_part(text, explanation->storage.place.segment);
	path_part(text, explanation);
	structure_part(text, explanation);
	if (explanation->has_referrers)
		referrers_part(text, explanation);
}
