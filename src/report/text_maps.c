/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "report/text_parts.h"

#include "base/size_text.h"
#include "report/format.h"

#include <inttypes.h>

/* Where the whole path does not fit, its last part tells most. */
static void put_path(struct text *text, const char *path)
{
	const bool fits = text_width(text, path) <= text_room(text) || text->style->verbose > 0;
	if (fits)
		text_put(text, path);
	else
		text_fold(text, format_base_name(path), text_room(text));
}

static void module_row(struct text *text, const struct module *module)
{
	char id[BUILD_ID_TEXT_MAX];
	text_printf(text, "  0x%012" PRIx64 "–0x%012" PRIx64, module->start, module->end);
	text_column(text, 34);
	text_put(text, module_build_id(module, text->style->verbose > 0 ? sizeof id : 8, id));
	text_column(text, 43);
	const bool unused = module->match == MODULE_MISMATCH || module->match == MODULE_MISSING;
	text_colored(text, unused ? TEXT_WARN : TEXT_PLAIN, module_match_name(module->match));
	text_column(text, 54);
	put_path(text, module->path != NULL ? module->path : "?");
	text_line(text);
	if (text->style->verbose > 0 && module->file != NULL) {
		text_column(text, 54);
		text_printf(text, "file %s", module->file);
		text_line(text);
	}
}

static void segment_row(struct text *text, const struct segment *segment)
{
	char permissions[5];
	text_printf(text, "  0x%012" PRIx64 "–0x%012" PRIx64, segment->start, segment->end);
	text_right(text, 44, size_text(segment->end - segment->start).text);
	text_column(text, 46);
	text_put(text, segment_permissions(segment, permissions));
	text_column(text, 51);
	text_colored(text, segment->origin == SEGMENT_ABSENT ? TEXT_WARN : TEXT_PLAIN,
		     segment_origin_name(segment->origin));
	text_column(text, 58);
	put_path(text, segment->name != NULL ? segment->name : "");
	text_line(text);
}

void text_maps(struct text *text, const struct findings *findings)
{
	text_heading(text, TEXT_HEADING, "MODULES");
	text_line(text);
	size_t rows = text_rows(text, findings->module_count, 200);
	for (size_t i = 0; i < rows; i++)
		module_row(text, &findings->modules[i]);
	text_more(text, 2, rows, findings->module_count, "modules", NULL);
	text_heading(text, TEXT_HEADING, "SEGMENTS");
	text_line(text);
	rows = text_rows(text, findings->segment_count, 1000);
	for (size_t i = 0; i < rows; i++)
		segment_row(text, &findings->segments[i]);
	text_more(text, 2, rows, findings->segment_count, "segments", NULL);
}
