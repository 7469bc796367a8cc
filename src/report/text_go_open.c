/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/size_text.h"
#include "report/format.h"
#include "report/text_go_parts.h"

#include <inttypes.h>
#include <stdio.h>

static size_t connections(const struct go_resources *resources)
{
	size_t count = 0;
	for (size_t i = 0; i < resources->files.count; i++)
		count += resources->files.items[i].connection;
	return count;
}

/* To the limit of descriptors. The kernel gives the lowest one that is free. */
static bool is_close(const struct go_resources *resources)
{
	size_t count = resources->files.count;
	return resources->files_limit > 0 && count > 0 &&
	       100 * (uint64_t)(resources->files.items[count - 1].fd + 1) >=
		   GO_FILES_CLOSE * resources->files_limit;
}

static void limit_row(struct text *text, const struct go_resources *resources)
{
	char number[FORMAT_MAX], words[128];
	if (!is_close(resources))
		return;
	text_put(text, "  ");
	text_colored(text, TEXT_WARN, "close to the limit");
	snprintf(words, sizeof words, ": descriptor %d is open, of %s that may be",
		 (int)resources->files.items[resources->files.count - 1].fd,
		 format_count(resources->files_limit, number));
	text_wrap(text, 4, words);
	text_line(text);
}

static void cycle_rows(struct text *text, const struct go_resources *resources)
{
	const struct go_finalizer_cycles *cycles = &resources->cycles;
	char number[FORMAT_MAX], words[256];
	if (cycles->count == 0)
		return;
	text_put(text, "  ");
	text_color(text, TEXT_WARN);
	text_printf(text, "%s objects with finalizers", format_count(cycles->count, number));
	text_color(text, TEXT_PLAIN);
	text_wrap(text, 4, " lead to each other, so none is ever freed: they alone keep ");
	text_wrap(text, 4, size_text(cycles->bytes).text);
	size_t rows = text_rows(text, cycles->types.count, 3);
	for (size_t i = 0; i < rows; i++) {
		const struct go_cycle_type *type = &cycles->types.items[i];
		snprintf(words, sizeof words, "%s%s %s", i == 0 ? ": " : ", ",
			 format_count(type->count, number), type->type != NULL ? type->type : "?");
		text_wrap(text, 4, words);
	}
	text_put(text, rows < cycles->types.count ? " …" : "");
	text_line(text);
}

static void counts_row(struct text *text, const struct go_resources *resources)
{
	char number[FORMAT_MAX];
	size_t open = resources->files.count, net = connections(resources), awaited = 0;
	for (size_t i = 0; i < resources->tickers.count; i++)
		awaited += resources->tickers.items[i].awaited;
	text_heading(text, TEXT_HEADING, "OPEN");
	text_itemf(text, 6, true, "%s file%s", format_count(open - net, number),
		   open - net == 1 ? "" : "s");
	text_itemf(text, 6, false, "%s connection%s", format_count(net, number),
		   net == 1 ? "" : "s");
	if (resources->tickers.count > 0)
		text_itemf(text, 6, false, "%s ticker%s set, %zu awaited",
			   format_count(resources->tickers.count, number),
			   resources->tickers.count == 1 ? "" : "s", awaited);
	if (resources->long_sleeps > 0)
		text_itemf(text, 6, false, "%s asleep for hours",
			   format_count(resources->long_sleeps, number));
	text_line(text);
	if (resources->tickers.count > awaited && resources->tickers_are_kept) {
		text_put(text, "  ");
		text_wrap(text, 4,
			  "this program keeps a ticker, and what its channel leads to, until it is "
			  "stopped");
		text_line(text);
	}
}

static void body_rows(struct text *text, const struct go_resources *resources)
{
	char number[FORMAT_MAX];
	const char *peer = NULL;
	if (resources->bodies.count == 0)
		return;
	for (size_t i = 0; i < resources->bodies.count && peer == NULL; i++)
		peer = resources->bodies.items[i].peer;
	text_put(text, "  ");
	text_color(text, TEXT_WARN);
	text_printf(text, "%s http.Response.Body not closed",
		    format_count(resources->bodies.count, number));
	text_color(text, TEXT_PLAIN);
	text_wrap(text, 4, ", or not read to its end: each keeps a connection and two goroutines");
	if (peer != NULL) {
		text_wrap(text, 4, resources->bodies.count > 1 ? "; one is from " : "; from ");
		text_wrap(text, 4, peer);
	}
	text_line(text);
}

static void defer_rows(struct text *text, const struct go_resources *resources)
{
	char number[FORMAT_MAX];
	size_t rows = text_rows(text, resources->defers.count, 5);
	for (size_t i = 0; i < rows; i++) {
		const struct go_defers *defers = &resources->defers.items[i];
		text_put(text, "  ");
		text_color(text, TEXT_WARN);
		text_printf(text, "%s deferred calls", format_count(defers->count, number));
		text_color(text, TEXT_PLAIN);
		text_printf(text, " piled up in goroutine %" PRIu64, defers->goroutine->id);
		if (defers->function != NULL) {
			text_wrap(text, 4, ", the next is ");
			text_wrap(text, 4, defers->function);
		}
		text_line(text);
	}
	text_more(text, 2, rows, resources->defers.count, "goroutines", NULL);
}

static void file_rows(struct text *text, const struct go_resources *resources)
{
	size_t rows = text_rows(text, resources->files.count, text->style->verbose > 0 ? 100 : 0);
	for (size_t i = 0; i < rows; i++) {
		const struct go_open_file *file = &resources->files.items[i];
		text_printf(text, "  fd %d ", (int)file->fd);
		if (file->connection)
			text_printf(text, "%s ", file->network);
		text_wrap(text, 6, file->name != NULL ? file->name : "");
		if (file->peer != NULL) {
			text_wrap(text, 6, " to ");
			text_wrap(text, 6, file->peer);
		}
		text_line(text);
	}
	if (text->style->verbose > 0)
		text_more(text, 2, rows, resources->files.count, "files", NULL);
}

void text_go_open(struct text *text, const struct findings *findings, bool all)
{
	const struct go_resources *resources = findings->go_resources;
	if (resources == NULL || (resources->files.count == 0 && resources->tickers.count == 0 &&
				  resources->defers.count == 0 && resources->long_sleeps == 0 &&
				  resources->cycles.count == 0))
		return;
	counts_row(text, resources);
	limit_row(text, resources);
	body_rows(text, resources);
	cycle_rows(text, resources);
	defer_rows(text, resources);
	if (all)
		file_rows(text, resources);
}
